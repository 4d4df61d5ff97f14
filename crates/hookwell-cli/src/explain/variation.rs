//! One thing that a sender may do otherwise than its source expects.

use hookwell::verify::recipe::Recipe;

use super::look::Look;

/// Kind of a difference between a sender and its source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Difference {
    Source,
    Secret,
    Algorithm,
    Encoding,
    Tag,
    Header,
    Key,
    Content,
    Required,
    Address,
    Body,
    Preset,
    Unit,
    Clock,
}

impl Difference {
    /// Name of the difference in JSON.
    pub(super) fn name(self) -> &'static str {
        self.words().0
    }

    /// Words for a list of what was tried.
    pub(super) fn tried(self) -> &'static str {
        self.words().1
    }

    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Source => ("source", "the other sources"),
            Self::Secret => ("secret", "the secrets of the other sources"),
            Self::Algorithm => ("algorithm", "other algorithms"),
            Self::Encoding => ("encoding", "other encodings of the signature"),
            Self::Tag => ("tag", "other tags and prefixes of the signature"),
            Self::Header => ("header", "other headers"),
            Self::Key => ("key", "other readings of the secret"),
            Self::Content => ("content", "other signed content"),
            Self::Required => ("required", "without the required headers"),
            Self::Address => ("address", "other forms of the address"),
            Self::Body => ("body", "the body written in other ways"),
            Self::Preset => ("preset", "the presets"),
            Self::Unit => ("unit", "other units of the time"),
            Self::Clock => ("clock", "another time"),
        }
    }
}

type Change<'a> = Box<dyn FnOnce(&mut Look<'a>) + 'a>;

/// One thing that a sender may do otherwise than its source expects.
pub(super) struct Variation<'a> {
    difference: Difference,
    /// The finding and its remedy, for when the signature fits.
    says: String,
    change: Change<'a>,
}

impl<'a> Variation<'a> {
    pub(super) fn new(
        difference: Difference,
        says: impl Into<String>,
        change: impl FnOnce(&mut Look<'a>) + 'a,
    ) -> Self {
        Self {
            difference,
            says: says.into(),
            change: Box::new(change),
        }
    }

    /// A recipe that differs in one thing.
    pub(super) fn recipe(
        difference: Difference,
        says: impl Into<String>,
        recipe: &Recipe,
        change: impl FnOnce(&mut Recipe),
    ) -> Self {
        let mut recipe = recipe.clone();
        change(&mut recipe);
        Self::new(difference, says, move |look| look.sign_by(recipe))
    }

    /// The difference, its finding and remedy, and the changed look.
    pub(super) fn of(self, look: &Look<'a>) -> (Difference, String, Look<'a>) {
        let mut changed = look.clone();
        (self.change)(&mut changed);
        (self.difference, self.says, changed)
    }
}
