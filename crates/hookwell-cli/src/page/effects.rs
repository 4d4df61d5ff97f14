//! Effects of events in numbered places: a list looks up the effect of every line, and a number is found faster than a
//! key.

use std::collections::HashMap;

use super::effect::Effect;

/// The effects of the events that a line shows.
#[derive(Debug, Default)]
pub(super) struct Effects {
    places: Vec<Place>,
    by_key: HashMap<String, usize>,
    free: Vec<usize>,
}

#[derive(Debug, Default)]
struct Place {
    effect: Effect,
    /// Number of lines that show the effect.
    lines: u32,
}

impl Effects {
    /// The effect of the event with this key.
    pub(super) fn of(&self, key: &str) -> Option<&Effect> {
        self.at(*self.by_key.get(key)?)
    }

    /// The effect in this place.
    pub(super) fn at(&self, place: usize) -> Option<&Effect> {
        self.places.get(place).map(|place| &place.effect)
    }

    /// Changes the effect of the event with this key, a new one where there is none.
    pub(super) fn change(&mut self, key: &str, change: impl FnOnce(&mut Effect)) {
        let place = self.place(key);
        if let Some(place) = self.places.get_mut(place) {
            change(&mut place.effect);
        }
    }

    /// The place of an event that one more line shows.
    pub(super) fn hold(&mut self, key: &str) -> usize {
        let place = self.place(key);
        if let Some(place) = self.places.get_mut(place) {
            place.lines = place.lines.saturating_add(1);
        }
        place
    }

    /// Forgets an event that no line shows any more.
    pub(super) fn let_go(&mut self, key: &str) {
        let Some(&number) = self.by_key.get(key) else {
            return;
        };
        let Some(place) = self.places.get_mut(number) else {
            return;
        };
        place.lines = place.lines.saturating_sub(1);
        if place.lines == 0 {
            *place = Place::default();
            self.by_key.remove(key);
            self.free.push(number);
        }
    }

    fn place(&mut self, key: &str) -> usize {
        if let Some(place) = self.by_key.get(key) {
            return *place;
        }
        let place = self.free.pop().unwrap_or_else(|| {
            self.places.push(Place::default());
            self.places.len() - 1
        });
        self.by_key.insert(key.to_owned(), place);
        place
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_taken_again_only_when_no_line_shows_its_event() {
        let mut effects = Effects::default();
        let first = effects.hold("one");
        assert_eq!(effects.hold("one"), first);
        effects.change("one", |effect| effect.outcome = "applied");
        effects.let_go("one");
        let second = effects.hold("two");
        assert_ne!(second, first);
        assert_eq!(effects.at(first).map(|it| it.outcome), Some("applied"));
        effects.let_go("one");
        assert!(effects.of("one").is_none());
        assert_eq!(effects.hold("three"), first);
        assert_eq!(effects.of("three").map(|it| it.outcome), Some("queued"));
    }
}
