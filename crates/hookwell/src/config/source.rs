//! The table of one source, and the rules that concern several of its keys together.

use ipnet::IpNet;

use crate::config::fields::{Fields, Problems, looks_like};
use crate::config::values::{pattern, pointer};
use crate::config::{event, preset, proof, reply, verify};
use crate::deliver::check_address;
use crate::event::message::is_source_name;
use crate::event::{LIFE_DAYS, RETRY_FOR};
use crate::format::body::BodyFormat;
use crate::format::time::DAY;
use crate::keys::reference::SecretRef;
use crate::keys::secret::MIN_BYTES;
use crate::source::mapping::{Mapping, Piece};
use crate::source::{Dedupe, OnInvalid, Source, Weakness};
use crate::verify::algorithm::Algorithm;
use crate::verify::scheme::Scheme;

/// The largest body of a source, in bytes, unless the source sets less: the limit of Lambda ("Lambda quotas",
/// invocation payload, synchronous). The trigger's JSON around a body counts too, so a body of exactly this size never
/// arrives.
pub const MAX_BODY_BYTES: usize = 6 * 1024 * 1024;

/// The keys of the `event` table that say what happens to which document.
const KINDS: [&str; 5] = [
    "type",
    "operation",
    "operations",
    "document_id",
    "document_type",
];

/// The longest time for which an event is tried again, in days: the record outlives this time and the 14 days of a
/// letter.
const MAX_RETRY_DAYS: i64 = 10;

/// Reads the table of one source. Without a source, problems say why.
pub(super) fn read(name: &str, mut fields: Fields<'_>, problems: &Problems) -> Option<Source> {
    let path = fields.path().to_owned();
    if !is_source_name(name) {
        problems.add(
            &path,
            "a name has 1 to 64 of a-z, 0-9, - _ and ., and is not . or ..",
        );
    }
    let preset = fields.text("preset");
    // A place that the file itself names is no guess of a preset.
    let names_document = fields.peek(&["event", "document_id"]);
    let names_kinds = KINDS.iter().any(|key| fields.peek(&["event", *key]));
    if let Some(preset) = &preset
        && !underlay(&mut fields, preset, problems)
    {
        fields.ignore_rest();
        return None;
    }
    let names_secrets = fields.has_some("secrets");
    let secrets = references(&mut fields, "secrets", problems);
    let pinned = references(&mut fields, "pinned", problems);
    let handshake = reply::handshake(&mut fields, problems);
    let replies = reply::replies(&mut fields, problems);
    let min_secret_bytes = fields
        .number("min_secret_bytes", 1, 1024)
        .unwrap_or(MIN_BYTES);
    let allow_ips = networks(&mut fields, problems);
    let public_url = public_url(&mut fields, problems);
    let api_key = reference(&mut fields, "api_key", problems);
    let api_url = api_url(&mut fields, problems);
    let max_body_bytes = fields
        .number("max_body_bytes", 1, MAX_BODY_BYTES)
        .unwrap_or(MAX_BODY_BYTES);
    let retain_days = retain(&mut fields, problems);
    let retry_for = days(&mut fields, "retry_for", MAX_RETRY_DAYS, problems);
    let expect_every = hours(&mut fields, "expect_every", problems);
    let answer_within = seconds(&mut fields, "answer_within", problems);
    let body = fields.choice("body", &BodyFormat::NAMES);
    let max_age = days(&mut fields, "max_age", LIFE_DAYS, problems);
    let max_age = max_age.map(|days| days.saturating_mul(DAY));
    let on_invalid = fields.choice(
        "on_invalid",
        &[
            ("reject", OnInvalid::Reject),
            ("quarantine", OnInvalid::Quarantine),
        ],
    );
    // Until November 2026 `send` chose between putting first and putting at once. There is one way now.
    let ignored = fields.text("send").map(|_| "send").into_iter().collect();
    let types = fields.texts("types").unwrap_or_default();
    let types = types
        .iter()
        .filter_map(|text| pattern(text, &format!("{path}.types"), problems))
        .collect();
    let accepts = fields.choices("accept", &Weakness::NAMES);
    let schemes = verify::schemes(&mut fields, &accepts, problems);
    let required = fields.texts("required").unwrap_or_default();
    let required = required
        .iter()
        .filter_map(|text| pointer(text, &format!("{path}.required"), problems))
        .collect();
    let mapping = match fields.table("event") {
        Some(event) => event::mapping(event, required, !names_document, problems),
        None => Mapping {
            required,
            ..Mapping::default()
        },
    };
    let mut source = Source {
        name: name.to_owned(),
        preset,
        schemes,
        secrets,
        pinned,
        min_secret_bytes,
        allow_ips,
        public_url,
        api_key,
        api_url,
        max_body_bytes,
        body: body.unwrap_or_default(),
        max_age,
        on_invalid: on_invalid.unwrap_or(OnInvalid::Reject),
        accepts,
        ignored,
        retain_days,
        retry_for: retry_for.map_or(RETRY_FOR, |days| days.saturating_mul(DAY)),
        expect_every,
        answer_within,
        types,
        dedupe: Dedupe::None,
        mapping,
        handshake,
        replies,
    };
    source.dedupe = dedupe(&mut fields, &source, problems);
    fields.finish();
    consistent(&source, names_secrets, &path, problems);
    proof::places(&source, names_kinds, &path, problems);
    Some(source)
}

/// Puts a preset below what the file says; false where there is no such preset.
fn underlay(fields: &mut Fields<'_>, preset: &str, problems: &Problems) -> bool {
    if let Some(mut base) = preset::preset_table(preset) {
        for about in preset::ABOUT {
            base.remove(about);
        }
        fields.underlay(base);
        return true;
    }
    let near = preset::presets()
        .into_iter()
        .find(|known| looks_like(known, preset));
    let hint = near
        .map(|known| format!(": did you mean {known}?"))
        .unwrap_or_default();
    let message = format!("there is no preset {preset:?}{hint}");
    problems.add(&format!("{}.preset", fields.path()), &message);
    false
}

/// Checks what no single key shows.
fn consistent(source: &Source, names_secrets: bool, path: &str, problems: &Problems) {
    if source.is_unsigned() {
        if source.allow_ips.is_empty() {
            let all = r#"["0.0.0.0/0", "::/0"]"#;
            problems.add(
                &format!("{path}.allow_ips"),
                &format!("is missing: nothing is signed here, so say which addresses may send ({all} for anyone)"),
            );
        }
    } else if !names_secrets && source.schemes.iter().any(wants_secret) {
        problems.add(
            &format!("{path}.secrets"),
            "is missing: name the secret, [\"env:NAME\"]",
        );
    }
    if source.schemes.iter().any(Scheme::signs_url) && source.public_url.is_none() {
        problems.add(
            &format!("{path}.public_url"),
            "is missing: this sender signs the address it posts to",
        );
    }
}

fn wants_secret(scheme: &Scheme) -> bool {
    match scheme {
        Scheme::Recipe(recipe) => recipe.algorithm != Algorithm::Unsigned,
        Scheme::Special(special) => special.kind.has_secret(),
    }
}

fn references(fields: &mut Fields<'_>, key: &str, problems: &Problems) -> Vec<SecretRef> {
    let path = format!("{}.{key}", fields.path());
    let texts = fields.texts(key).unwrap_or_default();
    if texts.len() > 3 {
        problems.add(&path, "has at most three entries");
    }
    let parsed = texts.iter().enumerate().filter_map(|(index, text)| {
        let reference = SecretRef::parse(text);
        if reference.is_none() {
            problems.add(&format!("{path}[{index}]"), NO_REFERENCE);
        }
        reference
    });
    parsed.collect()
}

/// Message for a text that is no reference. It does not quote the text: somebody may have pasted the secret itself.
const NO_REFERENCE: &str = "is not env:NAME, ssm:NAME or secretsmanager:ID#STAGE";

fn reference(fields: &mut Fields<'_>, key: &str, problems: &Problems) -> Option<SecretRef> {
    let path = format!("{}.{key}", fields.path());
    let text = fields.text(key)?;
    let reference = SecretRef::parse(&text);
    if reference.is_none() {
        problems.add(&path, NO_REFERENCE);
    }
    reference
}

fn networks(fields: &mut Fields<'_>, problems: &Problems) -> Vec<IpNet> {
    let path = format!("{}.allow_ips", fields.path());
    let texts = fields.texts("allow_ips").unwrap_or_default();
    let parsed = texts.iter().filter_map(|text| {
        let net = text
            .parse::<IpNet>()
            .or_else(|_| text.parse::<std::net::IpAddr>().map(IpNet::from));
        if net.is_err() {
            problems.add(
                &path,
                &format!("{text:?} is not an address or a network such as 203.0.113.0/24"),
            );
        }
        net.ok()
    });
    parsed.collect()
}

fn public_url(fields: &mut Fields<'_>, problems: &Problems) -> Option<String> {
    let url = fields.text("public_url")?;
    if !url.starts_with("https://") {
        problems.add(
            &format!("{}.public_url", fields.path()),
            "starts with https://",
        );
    }
    Some(url)
}

/// Address of the sender's API, which gets the API key.
fn api_url(fields: &mut Fields<'_>, problems: &Problems) -> Option<String> {
    let path = format!("{}.api_url", fields.path());
    let url = fields.text("api_url")?;
    if check_address(&url).is_err() {
        problems.add(
            &path,
            "is no https:// address (http:// on this machine only)",
        );
    }
    Some(url)
}

/// For how many days events are kept: no longer than their records.
fn retain(fields: &mut Fields<'_>, problems: &Problems) -> i64 {
    if fields.peek_text("retain") == Some("none") {
        fields.text("retain");
        return 0;
    }
    days(fields, "retain", LIFE_DAYS, problems).unwrap_or(0)
}

/// A number of days, no more than `most`.
fn days(fields: &mut Fields<'_>, key: &str, most: i64, problems: &Problems) -> Option<i64> {
    let path = format!("{}.{key}", fields.path());
    let text = fields.text(key)?;
    let days = text.strip_suffix('d').and_then(|days| days.parse().ok());
    let days = days.filter(|days| (1..=most).contains(days));
    if days.is_none() {
        let none = if key == "retain" { "\"none\" or " } else { "" };
        let message = format!("is {none}a number of days from \"1d\" to \"{most}d\"");
        problems.add(&path, &message);
    }
    days
}

/// The longest time that an alarm looks back where its periods are hours, in days (`PutMetricAlarm`, `EvaluationPeriods`).
const MAX_ALARM_DAYS: u16 = 7;

/// Hours, written as hours or as days.
fn hours(fields: &mut Fields<'_>, key: &str, problems: &Problems) -> Option<u16> {
    let path = format!("{}.{key}", fields.path());
    let text = fields.text(key)?;
    let in_hours = text.strip_suffix('h').and_then(|hours| hours.parse().ok());
    let in_days = text.strip_suffix('d').and_then(|days| days.parse().ok());
    let hours = in_hours.or(in_days.and_then(|days: u16| days.checked_mul(24)));
    let hours = hours.filter(|hours| (1..=24 * MAX_ALARM_DAYS).contains(hours));
    if hours.is_none() {
        let message = format!("is a number of hours or days from \"1h\" to \"{MAX_ALARM_DAYS}d\"");
        problems.add(&path, &message);
    }
    hours
}

/// The longest time that a sender may wait for an answer, in seconds.
const MAX_WAIT: u8 = 60;

/// A number of seconds.
fn seconds(fields: &mut Fields<'_>, key: &str, problems: &Problems) -> Option<u8> {
    let path = format!("{}.{key}", fields.path());
    let text = fields.text(key)?;
    let seconds = text.strip_suffix('s').and_then(|text| text.parse().ok());
    let seconds = seconds.filter(|seconds| (1..=MAX_WAIT).contains(seconds));
    if seconds.is_none() {
        let message = format!("is a number of seconds from \"1s\" to \"{MAX_WAIT}s\"");
        problems.add(&path, &message);
    }
    seconds
}

fn dedupe(fields: &mut Fields<'_>, source: &Source, problems: &Problems) -> Dedupe {
    let path = fields.path().to_owned();
    let window = fields.number("dedupe_window", 1, 35 * 86_400);
    let named = fields.choice(
        "dedupe",
        &[
            ("none", "none"),
            ("id", "id"),
            ("id-and-body", "id-and-body"),
            ("body", "body"),
        ],
    );
    // One unsigned place among those of all kinds of documents is enough for a forgery.
    let ids = source
        .mapping
        .all_parts()
        .filter_map(|parts| parts.id.as_ref());
    let ids: Vec<_> = ids.flat_map(|id| &id.0).collect();
    let mut schemes = source.schemes.iter();
    let proves_body = schemes.all(|scheme| scheme.is_bearer() || scheme.signs_body());
    let is_in_body = |piece: &Piece| !matches!(piece, Piece::Header(_) | Piece::Query(_));
    let is_signed = ids
        .iter()
        .all(|pieces| source.signs(pieces) && (proves_body || !pieces.iter().any(is_in_body)));
    if window.is_some() && named != Some("body") {
        problems.add(
            &format!("{path}.dedupe_window"),
            "goes with dedupe = \"body\"",
        );
    }
    match (named, ids.first(), window) {
        (Some("none"), ..) | (None, None, _) => Dedupe::None,
        (Some("body"), _, Some(window)) => Dedupe::Body {
            seconds: i64::try_from(window).unwrap_or(i64::MAX),
        },
        (Some("body"), _, None) => {
            problems.add(
                &format!("{path}.dedupe_window"),
                "is missing: say for how many seconds equal bodies are one event",
            );
            Dedupe::None
        }
        (Some(_), None, _) => {
            problems.add(
                &format!("{path}.event.id"),
                "is missing: say where the id is, or set dedupe to \"none\"",
            );
            Dedupe::None
        }
        (Some("id"), Some(_), _) if !is_signed => {
            problems.add(
                &format!("{path}.dedupe"),
                "the id is in a place that is not signed, so that anybody can change it: use \"id-and-body\"",
            );
            Dedupe::IdAndBody
        }
        (None, Some(_), _) if !is_signed => Dedupe::IdAndBody,
        (Some("id-and-body"), Some(_), _) => Dedupe::IdAndBody,
        (_, Some(_), _) => Dedupe::Id,
    }
}
