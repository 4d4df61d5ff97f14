//! The checker: what the senders did, what was sent and answered, and what the storage did.

use std::collections::BTreeMap;

use hookwell::event::LIFE_DAYS;
use hookwell::format::time::DAY;

use crate::senders::{Clock, Plan};
use crate::world::{Life, World};

/// Results of one run.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Counts {
    pub(crate) events: u64,
    pub(crate) acknowledged: u64,
    pub(crate) given_up: u64,
    pub(crate) rejected: u64,
    /// Messages that were moved to the retry queue, and healthy events in the dead-letter queue.
    pub(crate) waited: u64,
    pub(crate) dead_letters: u64,
    pub(crate) faults: u64,
    pub(crate) lost: u64,
    pub(crate) doubled: u64,
    pub(crate) documents: u64,
    pub(crate) wrong_documents: u64,
}

impl Counts {
    pub(crate) fn add(&mut self, other: &Self) {
        self.events += other.events;
        self.acknowledged += other.acknowledged;
        self.given_up += other.given_up;
        self.rejected += other.rejected;
        self.waited += other.waited;
        self.dead_letters += other.dead_letters;
        self.faults += other.faults;
        self.documents += other.documents;
    }
}

/// Documents by the clock of their sender: all, and those that show an older state because nothing in their events
/// could tell which was newer. The second number counts documents whose events were delivered the other way round, or
/// under a clock that was set back; the third counts those whose first reception was not recorded, because the table
/// was away or the record had expired.
pub(crate) type Undecidable = BTreeMap<Clock, [u64; 3]>;

/// The number of an event, the order that it claims in the last life of its record, and the largest order that it ever
/// claimed: a count, or the time, then the reception in the record. A late copy of an earlier reception may write a
/// record anew.
pub(crate) type Said = (usize, (i64, i64), (i64, i64));

/// Decides from what the senders did, what was sent and answered, and what the storage did.
pub(crate) fn check(
    world: &World,
    plans: &[Plan],
    acknowledged: &BTreeMap<usize, i64>,
    counts: &mut Counts,
) -> Undecidable {
    let (lives, writes) = (world.lives.lock().unwrap(), world.writes.lock().unwrap());
    let (judged, buried) = (world.judged.lock().unwrap(), world.buried.lock().unwrap());
    let thrown_away = world.thrown_away.lock().unwrap();
    counts.acknowledged = u64::try_from(acknowledged.len()).unwrap();
    counts.rejected = u64::try_from(buried.len() + thrown_away.len()).unwrap();
    counts.faults = *world.faults.lock().unwrap();
    let is_healthy = |id: &&String| {
        let number = id.trim_start_matches('e').parse::<usize>().unwrap();
        plans[number].document.is_some()
    };
    let letters = buried.iter().chain(thrown_away.keys());
    counts.dead_letters = u64::try_from(letters.filter(is_healthy).count()).unwrap();
    // Of each document, the events that reached the queue, in the order in which their sender did what they say.
    let mut received: BTreeMap<u64, Vec<Said>> = BTreeMap::new();
    for (number, plan) in plans.iter().enumerate() {
        let (id, none) = (format!("e{number}"), Vec::new());
        let lives = lives.get(&id).unwrap_or(&none);
        counts.doubled += u64::from(writes.get(&id).copied().unwrap_or(0) > lives.len());
        let said = plan.time().map(|(time, _)| time);
        let said = said.filter(|_| plan.clock != Clock::Ahead);
        let order = |life: &Life| match plan.clock {
            Clock::Counted => (i64::try_from(number).unwrap(), life.reception),
            _ => (said.unwrap_or(life.reception), life.reception),
        };
        let orders = lives.iter().filter(|life| life.is_queued).map(order);
        let (Some(document), Some(last)) = (plan.document, orders.clone().next_back()) else {
            continue;
        };
        let all = received.entry(document).or_default();
        all.push((number, last, orders.max().unwrap_or(last)));
    }
    let documents = world.documents.all();
    let mut undecidable = Undecidable::new();
    for (document, events) in &received {
        // What the sender did last of all that reached us.
        let (newest, order, _) = *events.last().unwrap();
        let plan = &plans[newest];
        let stored = documents.get(&format!("{}##d{document}", plan.source()));
        let shows = |number: usize| {
            stored.is_some_and(|stored| match &stored.state {
                None => plans[number].operation == "delete",
                Some(state) => state.contains(&format!("\"n\":{number}}}")),
            })
        };
        counts.documents += 1;
        let [all, reversed, unrecorded] = undecidable.entry(plan.clock).or_default();
        *all += 1;
        if shows(newest) {
            continue;
        }
        let mut candidates = events.iter().filter(|(number, ..)| shows(*number));
        match candidates.find(|(.., theirs)| *theirs >= order) {
            None => counts.wrong_documents += 1,
            Some((displayed, _, theirs)) => {
                let first = |number: usize| world.first_try(number);
                let is_reversed = first(*displayed) >= first(newest) || theirs.0 > order.0;
                *if is_reversed { reversed } else { unrecorded } += 1;
            }
        }
    }
    for (number, at) in acknowledged {
        let id = format!("e{number}");
        let was_judged = judged
            .get(&id)
            .is_some_and(|last| *last >= at - LIFE_DAYS * DAY);
        let is_seen = if plans[*number].document.is_some() {
            was_judged
        } else {
            // A letter that was thrown away was seen; one that should have come after that was not.
            let seen_at = thrown_away.get(&id);
            buried.contains(&id) || seen_at.is_some_and(|seen| seen >= at)
        };
        counts.lost += u64::from(!is_seen);
    }
    undecidable
}
