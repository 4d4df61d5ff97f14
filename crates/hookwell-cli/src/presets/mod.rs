//! Presets as people read them: how a sender signs, and what its events do to the documents table. Everything is read from
//! the presets themselves; docs/providers.md and `hookwell presets` print it.
//!
//! * `signing`: how a sender proves who it is
//! * `kinds`: the kinds of documents that its events are about
//! * `documents`: what the documents table keeps of them, and what orders that
//! * `text`: the lines of a preset, and what their comments say

mod documents;
mod kinds;
mod signing;
mod text;

use hookwell::config;
use hookwell::sender::samples;
use hookwell::source::Source;
use serde::Serialize;
use toml::{Table, Value};

use self::text::string;

pub use self::documents::{Documents, Keeps, Order};
pub use self::kinds::Kind;
pub use self::signing::Signing;

/// One preset.
#[derive(Debug, Serialize)]
pub struct Preset {
    /// The name.
    pub preset: String,
    /// The page on which the sender documents its webhooks.
    pub page: String,
    /// The preset that this one is a variation of.
    pub extends: Option<String>,
    /// The sender's retries when nobody answers.
    pub retries: String,
    /// Time for which the sender waits for an answer, where it says so.
    pub answer_within: Option<String>,
    /// The sender's proof of who it is.
    pub signing: Signing,
    /// Places of the sender's id of an event.
    pub event_id: Vec<String>,
    /// True where one delivery holds a list of events.
    pub many: bool,
    /// The handshake by which the sender checks that somebody is there.
    pub handshake: Option<String>,
    /// Answers that differ from the usual ones.
    pub answers: Vec<String>,
    /// Keys that no page or official library was at hand for.
    pub unverified: Vec<String>,
    /// Types of events that `hookwell send --type` sends in the sender's own shape.
    pub samples: Vec<String>,
    /// The documents that its events are about.
    pub documents: Documents,
    /// The preset as it is written.
    pub toml: String,
}

/// Every preset, sorted by name.
#[must_use]
pub fn all() -> Vec<Preset> {
    let names = config::presets().into_iter();
    names.filter_map(|name| find(&name)).collect()
}

/// The preset of that name.
#[must_use]
pub fn find(name: &str) -> Option<Preset> {
    let table = config::preset_table(name)?;
    let source = source(name)?;
    let lines = text::lines_of(name);
    let chain = text::chain_of(name);
    let handshake = table.get("handshake").and_then(Value::as_table);
    Some(Preset {
        preset: name.to_owned(),
        page: string(&table, "page"),
        extends: chain.get(1).cloned(),
        retries: string(&table, "retries"),
        answer_within: source.answer_within.map(|seconds| format!("{seconds} s")),
        signing: Signing::of(&table),
        event_id: kinds::places(source.mapping.parts.id.as_ref()),
        many: !source.mapping.each.is_empty(),
        handshake: handshake.map(|table| string(table, "kind")),
        answers: answers(&table),
        unverified: text::unverified(&lines),
        samples: samples::types(name),
        documents: Documents::of(
            &source.mapping,
            &text::comments_on_times(&chain),
            table.get("no_documents").and_then(Value::as_str),
        ),
        toml: lines,
    })
}

/// The presets that somebody may have meant by a name that none has: presets that begin with the name, else presets
/// with nearly the same spelling.
#[must_use]
pub fn near(name: &str) -> Vec<String> {
    let goes_on = |known: &str| name.len() > 1 && known.starts_with(name);
    let names = config::presets();
    let (longer, others): (Vec<_>, Vec<_>) = names.into_iter().partition(|it| goes_on(it));
    if !longer.is_empty() {
        return longer;
    }
    let others = others.into_iter();
    others.filter(|known| distance(known, name) <= 2).collect()
}

/// A source of that preset. Its secrets are only named.
fn source(name: &str) -> Option<Source> {
    let text = format!(
        "[sources.it]\npreset = {name:?}\nsecrets = [\"env:SECRET\"]\npublic_url = \"https://hooks.example.com\"\n\
         allow_ips = [\"0.0.0.0/0\"]\n"
    );
    // Keys that only some schemes ask for.
    let more = [
        "",
        "pinned = [\"env:PINNED\"]\n",
        "pinned = [\"env:PINNED\"]\ntopics = [\"arn:aws:sns:us-west-2:123456789012:it\"]\n",
    ];
    let mut tries = more.into_iter();
    tries.find_map(|more| config::parse(&format!("{text}{more}")).ok()?.pop())
}

fn answers(preset: &Table) -> Vec<String> {
    let mut answers = Vec::new();
    if let Some(reply) = preset.get("reply").and_then(Value::as_table) {
        let body = match string(reply, "body") {
            body if body.is_empty() => "empty".to_owned(),
            body => format!("`{body}`"),
        };
        let status = reply.get("status").map(ToString::to_string);
        answers.push(format!("{} {body}", status.unwrap_or_default()));
    }
    if let Some(status) = preset.get("refused_status") {
        answers.push(format!("{status} when refused"));
    }
    answers
}

/// The number of letters to put in, take out or change to make one word of the other.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut above: Vec<usize> = (0..=other.len()).collect();
    for (row, letter) in one.chars().enumerate() {
        let mut left = row.saturating_add(1);
        let mut current = vec![left];
        for (pair, known) in above.windows(2).zip(&other) {
            let (diagonal, up) = match pair {
                [diagonal, up] => (*diagonal, *up),
                _ => (left, left),
            };
            let changed = diagonal.saturating_add(usize::from(letter != *known));
            left = changed
                .min(up.saturating_add(1))
                .min(left.saturating_add(1));
            current.push(left);
        }
        above = current;
    }
    above.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_count_letters() {
        assert_eq!(distance("stripe", "stripe"), 0);
        assert_eq!(distance("stripe", "strpe"), 1);
        assert_eq!(distance("stripe", "stirpe"), 2);
        assert_eq!(distance("", "abc"), 3);
    }

    #[test]
    fn every_preset_can_be_described() {
        assert_eq!(all().len(), config::presets().len());
        for preset in all() {
            assert!(preset.toml.starts_with('[') || preset.toml.starts_with('#'));
            assert!(preset.toml.contains(&format!("[{}]", preset.preset)));
            assert!(!preset.page.is_empty() && !preset.retries.is_empty());
        }
    }

    #[test]
    fn a_preset_says_why_it_keeps_nothing_and_only_then() {
        for preset in all() {
            let is_none = preset.documents.keeps() == Keeps::Nothing;
            let says_why = preset.documents.why_none.is_some();
            assert_eq!(is_none, says_why, "no_documents of {}", preset.preset);
            // An empty list takes away what the preset that it extends names.
            let names = |line: &str| line.starts_with("document") && !line.ends_with("= []");
            let names_documents = preset.toml.lines().any(names);
            assert!(!(is_none && names_documents), "{}", preset.preset);
        }
    }

    #[test]
    fn a_part_of_a_name_and_a_slip_of_the_hand_find_the_preset() {
        assert_eq!(near("gitlab"), ["gitlab-signing-token", "gitlab-token"]);
        assert_eq!(near("strpie"), ["stripe"]);
        assert!(near("nobody-knows-this").is_empty());
    }
}
