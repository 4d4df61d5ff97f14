//! The table of one destination.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::config::fields::{Fields, Problems};
use crate::config::values::pattern;
use crate::deliver::{Destination, Target, check_address};
use crate::event::message::is_destination_name;
use crate::keys::reference::SecretRef;

/// Seconds that a request may take unless its destination says otherwise.
const TIMEOUT: usize = 10;

/// The most seconds that a request may take: an invocation of process has 30, for everything.
const MAX_TIMEOUT: usize = 20;

/// Reads the tables of all destinations. `sources` are the names of the sources in the same file.
pub(super) fn read_all(
    mut named: Fields<'_>,
    sources: &BTreeSet<String>,
    problems: &Problems,
) -> Vec<Destination> {
    let mut destinations = Vec::new();
    for name in named.keys() {
        if let Some(fields) = named.table(&name) {
            destinations.extend(read(&name, fields, sources, problems));
        }
    }
    destinations
}

/// Reads the table of one destination. Without a destination, problems say why.
fn read(
    name: &str,
    mut fields: Fields<'_>,
    known: &BTreeSet<String>,
    problems: &Problems,
) -> Option<Destination> {
    let path = fields.path().to_owned();
    if !is_destination_name(name) {
        problems.add(
            &path,
            "a name has 1 to 32 of a-z, 0-9, - _ and ., and is not . or ..",
        );
    }
    let to = target(&mut fields, problems);
    let sources = fields.texts("sources");
    for (index, source) in sources.iter().flatten().enumerate() {
        if !known.contains(source) {
            let message = format!("there is no source {source:?} in this file");
            problems.add(&format!("{path}.sources[{index}]"), &message);
        }
    }
    let types = fields.texts("types").map(|types| {
        let at = format!("{path}.types");
        let types = types.iter();
        types
            .filter_map(|text| pattern(text, &at, problems))
            .collect()
    });
    fields.finish();
    Some(Destination {
        name: name.to_owned(),
        to: to?,
        sources,
        types,
    })
}

fn target(fields: &mut Fields<'_>, problems: &Problems) -> Option<Target> {
    let path = fields.path().to_owned();
    let at = |key: &str| format!("{path}.{key}");
    let has_to = fields.has("to");
    let to = fields.text("to");
    let (had_secret, had_timeout) = (fields.has("secret"), fields.has("timeout"));
    let secret = secret(fields, problems);
    let timeout = fields.number("timeout", 1, MAX_TIMEOUT).unwrap_or(TIMEOUT);
    let Some(to) = to else {
        if !has_to {
            let message = "is missing: an https:// address, eventbridge:BUS or sqs:QUEUE_URL";
            problems.add(&at("to"), message);
        }
        return None;
    };
    let other = if let Some(bus) = to.strip_prefix("eventbridge:") {
        is_bus(bus)
            .then(|| Target::EventBridge(bus.to_owned()))
            .ok_or("eventbridge: is followed by the name or the ARN of a bus")
    } else if let Some(url) = to.strip_prefix("sqs:") {
        check_address(url).map(|()| Target::Sqs(url.to_owned()))
    } else {
        if let Err(why) = check_address(&to) {
            problems.add(&at("to"), why);
        }
        if !had_secret {
            let message = "is missing: say which secret signs the requests, such as env:NAME";
            problems.add(&at("secret"), message);
        }
        let timeout = Duration::from_secs(timeout.try_into().unwrap_or(u64::MAX));
        return Some(Target::Http {
            url: to,
            secret: secret?,
            timeout,
        });
    };
    for (key, had) in [("secret", had_secret), ("timeout", had_timeout)] {
        if had {
            problems.add(&at(key), "goes with an https:// address only");
        }
    }
    other.map_err(|why| problems.add(&at("to"), why)).ok()
}

fn secret(fields: &mut Fields<'_>, problems: &Problems) -> Option<SecretRef> {
    let text = fields.text("secret")?;
    let reference = SecretRef::parse(&text);
    if reference.is_none() {
        // Not the text: somebody may have pasted the secret itself.
        problems.add(
            &format!("{}.secret", fields.path()),
            "is not env:NAME, ssm:NAME or secretsmanager:ID#STAGE",
        );
    }
    reference
}

/// True for the name or the ARN of a bus ("`PutEvents`", `EventBusName`).
fn is_bus(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-:".contains(&byte);
    let is_arn = text.starts_with("arn:") && text.contains(":event-bus/");
    text.bytes().all(fits) && !text.is_empty() && (is_arn || !text.contains(':'))
}
