//! The documents that a sender's events are about: which of them the documents table keeps, and what orders the events.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use hookwell::event::Operation;
use hookwell::source::mapping::Mapping;
use serde::Serialize;

use super::kinds::{Kind, catches_all};

/// The documents that a sender's events are about.
#[derive(Debug, Serialize)]
pub struct Documents {
    /// The kinds of documents that events are about.
    pub kinds: Vec<Kind>,
    /// Types that are about no document, although a pattern of another operation matches them.
    pub other: Vec<String>,
    /// True where every type that no pattern names is about no document.
    pub rest_is_other: bool,
    /// The orders of the events of a document, the most usual first.
    pub orders: Vec<Order>,
    /// The decision between two events that this leaves equal; empty where no event is about a document.
    pub tie: String,
    /// The reason why no event is about a document.
    pub why_none: Option<String>,
}

/// The share of a document that a sender's events hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Keeps {
    /// The whole state of at least some documents.
    Documents,
    /// Only names of documents.
    Names,
    /// Neither.
    Nothing,
}

/// The order of the events of some kinds of documents.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Order {
    /// The sender's count of the document's states, which decides before the time.
    pub version: Vec<String>,
    /// Places of the time; the first that is there counts. Empty where the first reception counts.
    pub time: Vec<String>,
    /// The preset's comment on that time.
    pub comment: Option<String>,
    /// The kinds of documents that the order holds for, or the types of events where the events of one kind are ordered
    /// differently.
    pub of: Vec<String>,
}

impl Documents {
    pub(super) fn of(
        mapping: &Mapping,
        comments: &BTreeMap<Vec<String>, String>,
        why_none: Option<&str>,
    ) -> Self {
        // A preset that says why it has no documents only takes over kinds of another preset, which do not count.
        let kinds = match why_none {
            Some(_) => Vec::new(),
            None => Kind::all(mapping),
        };
        let (kinds, idle): (Vec<_>, Vec<_>) = kinds.into_iter().partition(Kind::is_about_documents);
        let orders = orders(&kinds, comments);
        Self {
            other: other(&kinds, &idle),
            rest_is_other: !kinds.iter().any(is_for_the_rest) && !catches_all(mapping),
            tie: tie(mapping, &orders).to_owned(),
            why_none: why_none.map(str::to_owned),
            kinds,
            orders,
        }
    }

    /// The share of a document that the sender's events hold.
    #[must_use]
    pub fn keeps(&self) -> Keeps {
        match self.kinds.as_slice() {
            [] => Keeps::Nothing,
            kinds if kinds.iter().any(Kind::is_kept) => Keeps::Documents,
            _ => Keeps::Names,
        }
    }

    /// The share of a document that the sender's events hold, in a few words.
    #[must_use]
    pub fn summary(&self) -> &'static str {
        match self.keeps() {
            Keeps::Documents if self.kinds.iter().all(Kind::is_kept) => "kept",
            Keeps::Documents => "kept, some only named",
            Keeps::Names => "only named",
            Keeps::Nothing => "none",
        }
    }

    /// The types of documents that are kept whole, each with the places of its state; types of the same places together.
    #[must_use]
    pub fn kept(&self) -> Vec<(Vec<String>, Vec<String>)> {
        let mut all: Vec<(Vec<String>, Vec<String>)> = Vec::new();
        for kind in self.kinds.iter().filter(|kind| kind.is_kept()) {
            let name = kind.name();
            match all.iter_mut().find(|(_, state)| *state == kind.state) {
                Some((names, _)) if names.contains(&name) => {}
                Some((names, _)) => names.push(name),
                None => all.push((vec![name], kind.state.clone())),
            }
        }
        all
    }

    /// The types of documents that events only name. Of those that other events hold whole, with the types of these events.
    #[must_use]
    pub fn named(&self) -> Vec<String> {
        let kept = self.kinds.iter().filter(|kind| kind.is_kept());
        let kept: Vec<_> = kept.map(Kind::name).collect();
        let thin = self.kinds.iter().filter(|kind| !kind.is_kept());
        let names = thin.map(|kind| match kind.types.as_slice() {
            types if kept.contains(&kind.name()) && !types.is_empty() => {
                format!("{} ({})", kind.name(), list(types, ", "))
            }
            _ => kind.name(),
        });
        names.collect()
    }

    /// The types that are about no document, in words; empty where every event is about one.
    #[must_use]
    pub fn neither(&self) -> String {
        match (self.other.as_slice(), self.rest_is_other) {
            ([], false) => String::new(),
            ([], true) => "every other event".to_owned(),
            (types, false) => list(types, ", "),
            (types, true) => format!("{}, and every other event", list(types, ", ")),
        }
    }

    /// The orders of the events of a document, in words, a text for each group of kinds.
    #[must_use]
    pub fn ordered_by(&self) -> Vec<String> {
        let texts = self.orders.iter().enumerate().map(|(index, order)| {
            let text = order.to_string();
            if index == 0 {
                return text;
            }
            format!("{}: {text}", order.of.join(", "))
        });
        texts.collect()
    }
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.version.is_empty() {
            write!(f, "the sequence {}, then ", list(&self.version, ", else "))?;
        }
        if self.time.is_empty() {
            f.write_str("arrival")?;
        }
        f.write_str(&list(&self.time, ", else "))?;
        self.comment.iter().try_for_each(|it| write!(f, " ({it})"))
    }
}

fn list(texts: &[String], between: &str) -> String {
    let texts: Vec<_> = texts.iter().map(|text| format!("`{text}`")).collect();
    texts.join(between)
}

fn orders(kinds: &[Kind], comments: &BTreeMap<Vec<String>, String>) -> Vec<Order> {
    let mut orders: Vec<Order> = Vec::new();
    for kind in kinds {
        // Events of one document may be ordered by different places.
        let is_split = |it: &Kind| {
            let is_same = it.time == kind.time && it.version == kind.version;
            it.name() == kind.name() && !is_same
        };
        let name = match kind.types.as_slice() {
            [] => kind.name(),
            types if kinds.iter().any(is_split) => list(types, ", "),
            _ => kind.name(),
        };
        let known = |order: &&mut Order| order.time == kind.time && order.version == kind.version;
        match orders.iter_mut().find(known) {
            Some(order) if order.of.contains(&name) => {}
            Some(order) => order.of.push(name),
            None => orders.push(Order {
                version: kind.version.clone(),
                time: kind.time.clone(),
                comment: comments.get(&kind.time).cloned(),
                of: vec![name],
            }),
        }
    }
    // The order of all other types comes first, then that of the most kinds.
    let has_general = kinds.first().is_some_and(|kind| kind.types.is_empty());
    let rest = orders.get_mut(usize::from(has_general)..);
    rest.unwrap_or_default()
        .sort_by_key(|order| Reverse(order.of.len()));
    orders
}

/// The decision between two events that their times leave equal.
fn tie(mapping: &Mapping, orders: &[Order]) -> &'static str {
    let by_arrival = orders
        .iter()
        .all(|order| order.time.is_empty() && order.version.is_empty());
    match (orders, mapping.unique_ids, mapping.each.is_empty()) {
        ([], ..) => "",
        (_, true, _) => "the operation: create first, delete last",
        (_, false, true) if by_arrival => "a hash of the event's key",
        (_, false, false) if by_arrival => "the place in the delivery",
        (_, false, true) => "arrival",
        (_, false, false) => "arrival, then the place in the delivery",
    }
}

/// True when events of a type that no kind names are about documents of this kind.
fn is_for_the_rest(kind: &Kind) -> bool {
    let star = kind.operations.get("*");
    kind.types.is_empty() && star.is_some_and(|it| *it != Operation::Other)
}

/// The patterns of events that are about no document.
fn other(kinds: &[Kind], idle: &[Kind]) -> Vec<String> {
    let words = kinds.iter().flat_map(|kind| &kind.operations);
    let words = words.filter(|(_, operation)| **operation == Operation::Other);
    let words = words.map(|(word, _)| word);
    let types = idle.iter().flat_map(|kind| &kind.types);
    let all: BTreeSet<_> = words.chain(types).cloned().collect();
    all.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use hookwell::config;

    use super::*;

    fn documents(event: &str) -> Documents {
        let source =
            "[sources.it]\nallow_ips = [\"0.0.0.0/0\"]\n[sources.it.verify]\nalg = \"unsigned\"\n";
        let text = format!("{source}[sources.it.event]\n{event}");
        let source = config::parse(&text).unwrap().remove(0);
        Documents::of(&source.mapping, &BTreeMap::new(), None)
    }

    const WHOLE: &str = "type = \"body:/type\"\noperations = { \"*.made\" = \"create\" }\n\
        document = \"body:/it\"\ndocument_id = \"body:/it/id\"\n";

    #[test]
    fn a_tie_rests_on_what_the_order_leaves() {
        let tie = |more: &str| documents(&format!("{WHOLE}{more}")).tie;
        assert_eq!(tie(""), "a hash of the event's key");
        assert_eq!(tie("time = \"body:/at\""), "arrival");
        assert_eq!(tie("version = \"body:/count\""), "arrival");
        let unique = tie("time = \"body:/at\"\nids = \"unique\"");
        assert_eq!(unique, "the operation: create first, delete last");
        let many = WHOLE.replace("body:", "item:");
        let many = |more: &str| documents(&format!("each = \"body:/all\"\n{many}{more}"));
        assert_eq!(many("").tie, "the place in the delivery");
        let dated = many("time = \"item:/at\"");
        assert_eq!(dated.tie, "arrival, then the place in the delivery");
        assert_eq!(dated.kinds[0].state, ["item:/it"]);
    }

    #[test]
    fn a_kind_without_a_state_is_named_and_one_without_an_operation_is_no_kind() {
        let more = "[sources.it.event.documents.part]\ntypes = [\"part.*\"]\ndocument = []\n\
            [sources.it.event.documents.ping]\ntypes = [\"ping\"]\noperations = { ping = \"other\" }\n";
        let documents = documents(&format!("{WHOLE}{more}"));
        assert_eq!(documents.summary(), "kept, some only named");
        assert_eq!(documents.named(), ["`part`"]);
        assert_eq!(documents.kinds.len(), 2);
        assert_eq!(documents.neither(), "`ping`, and every other event");
    }

    #[test]
    fn events_of_one_type_that_other_places_order_are_told_apart() {
        let more = "time = \"body:/at\"\ndocument_type = \"text:call\"\n[sources.it.event.documents.end]\n\
            types = [\"end.*\"]\ndocument_type = \"text:call\"\ntime = \"body:/end\"\n";
        let ordered = documents(&format!("{WHOLE}{more}")).ordered_by();
        assert_eq!(ordered, ["`body:/at`", "`end.*`: `body:/end`"]);
    }
}
