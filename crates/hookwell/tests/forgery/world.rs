//! Every sender's sources, the deliveries that were captured of it, and whether a request must be taken.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow::{Break, Continue};
use std::path::Path;

use hookwell::config;
use hookwell::event::{Event, Operation};
use hookwell::format::time::Millis;
use hookwell::ingest::key_cache::Sources;
use hookwell::ingest::{admit, read};
use hookwell::keys::not_ready::SecretProblem;
use hookwell::keys::reference::SecretRef;
use hookwell::source::Source;
use hookwell::source::reply::Receipt;
use hookwell_sandbox::sender::{Draft, signed_with};
use hookwell_sandbox::test_keys;
use http::{HeaderMap, HeaderName};
use serde_json::{Value, json};

use crate::request::{Request, pairs};
use crate::schemes::{Scheme, TOPIC, URL, View};

/// When the deliveries come: 2026-11-26.
const NOW: Millis = 1_795_696_000_000;

const DAY: Millis = 86_400_000;

/// Address that everybody sends from.
const ADDRESS: &str = "203.0.113.7";

/// The only network from where those may send who sign nothing.
const NETWORK: &str = "203.0.113.";

/// What senders say in headers that they do not sign. Whoever holds a captured delivery can change these; what they can
/// reach with it is bounded by the claims below.
const UNSIGNED: [(&str, &[(&str, Says)]); 14] = [
    ("github", GITHUB),
    ("github-sha1", GITHUB),
    (
        "bitbucket",
        &[("x-request-uuid", Says::Id), ("x-event-key", Says::Kind)],
    ),
    (
        "shopify",
        &[
            ("x-shopify-topic", Says::Kind),
            ("shopify-topic", Says::Kind),
            ("x-shopify-shop-domain", Says::Kind),
            ("shopify-shop-domain", Says::Kind),
            ("shopify-resource-id", Says::Kind),
            ("x-shopify-event-id", Says::Id),
            ("shopify-event-id", Says::Id),
            ("x-shopify-webhook-id", Says::Id),
            ("shopify-webhook-id", Says::Id),
            ("x-shopify-triggered-at", Says::Time),
            ("shopify-triggered-at", Says::Time),
        ],
    ),
    (
        "woocommerce",
        &[
            ("x-wc-webhook-delivery-id", Says::Id),
            ("x-wc-webhook-topic", Says::Kind),
        ],
    ),
    (
        "sentry",
        &[
            ("request-id", Says::Id),
            ("sentry-hook-resource", Says::Kind),
            ("sentry-hook-timestamp", Says::Time),
        ],
    ),
    ("razorpay", &[("x-razorpay-event-id", Says::Id)]),
    (
        "sanity",
        &[
            ("idempotency-key", Says::Id),
            ("sanity-operation", Says::Kind),
            ("sanity-document-id", Says::Kind),
            ("sanity-transaction-time", Says::Time),
        ],
    ),
    ("linear", &[("linear-delivery", Says::Id)]),
    ("twilio-form", TWILIO),
    ("twilio-sharedkey-sha256", TWILIO),
    ("contentful", &[("x-contentful-idempotency-key", Says::Id)]),
    ("gitlab-token", GITLAB),
    ("gitlab-signing-token", GITLAB),
];

const GITHUB: &[(&str, Says)] = &[
    ("x-github-delivery", Says::Id),
    ("x-github-event", Says::Kind),
];
const TWILIO: &[(&str, Says)] = &[("i-twilio-idempotency-token", Says::Id)];
const GITLAB: &[(&str, Says)] = &[
    ("idempotency-key", Says::Id),
    ("x-gitlab-event-uuid", Says::Id),
    ("x-gitlab-event", Says::Kind),
];

/// Meaning of an unsigned header for an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Says {
    /// The event's id, which counts together with the body: another id makes a copy of the same event.
    Id,
    /// Time of the event, where the body has none.
    Time,
    /// The event's operation, or its document.
    Kind,
}

/// A delivery of a sender, as it was captured on its way.
#[derive(Debug)]
pub(crate) struct Captured {
    pub(crate) preset: String,
    pub(crate) request: Request,
    /// When it was signed and sent.
    pub(crate) at: Millis,
    /// The time that it signs.
    signed_at: Millis,
    /// The contents that the delivery claims to have signed, one for each proof in it.
    views: Vec<View>,
    /// The events that the sender meant, written by hand.
    told: Vec<Value>,
    /// The events that the untouched delivery was read as; each is an event that the sender meant.
    events: Vec<Event>,
}

/// Result of a request.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// The events that would be remembered and queued; none where the request holds none.
    Accepted(Vec<Event>),
    /// The request is refused, and becomes no event.
    Refused(Receipt, Option<String>),
}

/// Result that a request must have.
#[derive(Debug)]
pub(crate) enum Verdict<'w> {
    /// The request must be refused.
    Refused,
    /// The request must be taken as one of these deliveries, word for word.
    Accepted(Vec<&'w Captured>),
    /// The request may be refused, or taken as one of these deliveries: the change is in unsigned parts, which need not
    /// be accepted.
    Either(Vec<&'w Captured>),
}

pub(crate) struct World {
    pub(crate) sources: Sources,
    pub(crate) captured: Vec<Captured>,
    /// Deliveries with a good form and a secret of somebody else.
    pub(crate) foreign: Vec<Request>,
    schemes: BTreeMap<String, Scheme>,
    by_preset: BTreeMap<String, Vec<usize>>,
    /// The largest age of a signed time, for schemes that do not look at the time.
    max_ages: BTreeMap<&'static str, Millis>,
}

fn config_of(preset: &str, secrets: &str) -> String {
    let topics = match preset {
        "aws-sns" => format!("topics = [{TOPIC:?}]\n"),
        _ => String::new(),
    };
    let pinned = match preset {
        "aws-sns" | "paypal" | "plaid" => references(preset, &["PINNED"]),
        _ => "[]".to_owned(),
    };
    let addresses = match preset {
        "stonal" | "plain" => "[\"203.0.113.0/24\"]",
        _ => "[]",
    };
    format!(
        "[sources.{preset}]\npreset = {preset:?}\nsecrets = {secrets}\npinned = {pinned}\n{topics}\
         public_url = \"{URL}{preset}\"\nallow_ips = {addresses}\n"
    )
}

fn references(preset: &str, ages: &[&str]) -> String {
    let name = preset.replace('-', "_").to_ascii_uppercase();
    let all = ages.iter().map(|age| format!("\"env:{name}_{age}\""));
    format!("[{}]", all.collect::<Vec<_>>().join(", "))
}

fn source(preset: &str, ages: &[&str]) -> Source {
    let text = config_of(preset, &references(preset, ages));
    let parsed = config::parse(&text).unwrap_or_else(|why| panic!("{preset}: {why:?}"));
    parsed.into_iter().next().unwrap()
}

/// A sample with its signature.
fn signed(source: &Source, sample: &Value, at: Millis) -> Request {
    let own = sample["headers"].as_object().into_iter().flatten();
    let mut headers = HeaderMap::new();
    for (name, value) in own {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        headers.append(name, value.as_str().unwrap().parse().unwrap());
    }
    let plain = Request {
        method: "POST".to_owned(),
        path: format!("/webhooks/{}", source.name),
        query: sample["query"].as_str().unwrap_or_default().to_owned(),
        headers: Vec::new(),
        body: match sample["text"].as_str() {
            Some(text) => text.as_bytes().to_vec(),
            None => sample["body"].to_string().into_bytes(),
        },
        address: ADDRESS.parse().unwrap(),
    };
    let mut delivery = plain.delivery().unwrap();
    delivery.headers = headers;
    let keys = source
        .keys(|reference| Ok(test_keys::made_up(source, reference)))
        .unwrap();
    let signed = signed_with(source, &keys, Draft::of(&delivery), at);
    let signed = signed.unwrap_or_else(|why| panic!("{} {sample}: {why}", source.name));
    let bytes = |(name, value): (String, String)| (name, value.into_bytes());
    Request {
        query: signed.query,
        headers: signed.headers.into_iter().map(bytes).collect(),
        body: signed.body,
        ..plain
    }
}

/// The event in the words of the samples.
fn told(event: &Event, expected: &Value) -> Value {
    let is_about_one = event.operation != Operation::Other && event.document_id.is_some();
    let changes = matches!(event.operation, Operation::Create | Operation::Update);
    let mut told = json!({
        "type": event.kind,
        "operation": event.operation.name(),
        "document_type": if is_about_one { event.document_type.as_str() } else { "" },
        "document_id": event.document_id.as_ref().filter(|_| is_about_one),
        "state": changes && event.without_state.is_none() && event.document().is_some(),
        "time": event.time,
    });
    if expected.get("id").is_some() {
        told["id"] = json!(event.id);
    }
    told
}

impl World {
    /// The sources of these presets with what was captured of them; every sample in `folder`, and the first one of each also
    /// by the older secret and much later.
    pub(crate) fn of(folder: &Path, presets: &[String]) -> Self {
        let both: Vec<_> = presets
            .iter()
            .map(|name| source(name, &["NEW", "OLD"]))
            .collect();
        let find = {
            let both = both.clone();
            move |reference: &SecretRef| {
                let of = both.iter().find(|source| {
                    source.secrets.contains(reference) || source.pinned.contains(reference)
                });
                let of = of.ok_or(SecretProblem::NotSet)?;
                Ok(test_keys::made_up(of, reference))
            }
        };
        let mut world = Self {
            sources: Sources::new(both, find),
            captured: Vec::new(),
            foreign: Vec::new(),
            schemes: BTreeMap::new(),
            by_preset: BTreeMap::new(),
            max_ages: BTreeMap::from([("aws-sns", DAY), ("paypal", 7 * DAY)]),
        };
        for preset in presets {
            let scheme = Scheme::of(preset);
            world.schemes.insert(preset.clone(), scheme);
            let text = std::fs::read_to_string(folder.join(format!("{preset}.json"))).unwrap();
            let samples: Vec<Value> = serde_json::from_str(&text).unwrap();
            let [new, old, foreign] = ["NEW", "OLD", "FOREIGN"].map(|age| source(preset, &[age]));
            for sample in &samples {
                let at = sample["at"].as_i64().unwrap_or(NOW);
                world.capture(preset, sample, signed(&new, sample, at), at);
            }
            let first = &samples[0];
            let at = first["at"].as_i64().unwrap_or(NOW);
            if first["at"].is_null() {
                let later = at + 1_000_000;
                world.capture(preset, first, signed(&new, first, later), later);
            }
            // Of two secrets of Box each signs in a header of its own.
            if preset != "box" {
                world.capture(preset, first, signed(&old, first, at), at);
            }
            // Public keys, and what is no secret, are the same for everybody here.
            if test_keys::made_up(&foreign, &foreign.secrets[0])
                != test_keys::made_up(&new, &new.secrets[0])
                && !["aws-sns", "plaid", "stonal", "plain"].contains(&preset.as_str())
            {
                world.foreign.push(signed(&foreign, first, at));
            }
        }
        world
    }

    fn capture(&mut self, preset: &str, sample: &Value, request: Request, at: Millis) {
        let scheme = &self.schemes[preset];
        let views = scheme.views(preset, &request);
        let views = views.unwrap_or_else(|| panic!("{preset}: no proof in {request:?}"));
        let unit = scheme.tolerance().map_or(1, |tolerance| tolerance.unit);
        let in_body = sample["body"]["webhookTimestamp"].as_i64();
        let signed_at = in_body
            .filter(|_| preset == "linear")
            .unwrap_or(at / unit * unit);
        let told_of = sample["events"].as_array().unwrap().clone();
        let events = match self.outcome(&request, at) {
            Outcome::Accepted(events) => events,
            refused @ Outcome::Refused(..) => panic!("{preset}: {refused:?}"),
        };
        assert_eq!(events.len(), told_of.len(), "{preset}");
        for (event, expected) in events.iter().zip(&told_of) {
            let mut expected = expected.clone();
            if expected["document_id"].is_null() || expected["operation"] == "other" {
                expected["document_type"] = json!("");
                expected["document_id"] = Value::Null;
            }
            assert_eq!(told(event, &expected), expected, "{preset}");
        }
        let captured = Captured {
            preset: preset.to_owned(),
            request,
            at,
            signed_at,
            views,
            told: told_of,
            events,
        };
        let all = self.by_preset.entry(preset.to_owned()).or_default();
        all.push(self.captured.len());
        self.captured.push(captured);
    }

    /// The deliveries captured of a preset.
    pub(crate) fn of_preset(&self, preset: &str) -> Vec<&Captured> {
        let all = self.by_preset.get(preset).into_iter().flatten();
        all.map(|index| &self.captured[*index]).collect()
    }

    /// Result that the code under test gives to a request at this time. `judge` compares it with the verdict.
    pub(crate) fn outcome(&self, request: &Request, now: Millis) -> Outcome {
        let delivery = request.delivery().expect("HTTP allows it");
        let (source, verified) = match admit(&self.sources, &delivery, now) {
            Continue(admitted) => admitted,
            Break(ended) => return Outcome::Refused(ended.receipt, ended.reason),
        };
        match read(source, &verified, now) {
            Continue(events) => Outcome::Accepted(events),
            Break(ended) if ended.receipt == Receipt::Received => Outcome::Accepted(Vec::new()),
            Break(ended) => Outcome::Refused(ended.receipt, ended.reason),
        }
    }

    /// The outcome that a request must have.
    pub(crate) fn verdict(&self, request: &Request, now: Millis) -> Verdict<'_> {
        let Some(preset) = source_of(&request.path).filter(|name| self.schemes.contains_key(*name))
        else {
            return Verdict::Refused;
        };
        let scheme = &self.schemes[preset];
        if request.method != "POST" || is_compressed(request) {
            return Verdict::Refused;
        }
        if matches!(scheme, Scheme::Nothing) && !request.address.to_string().starts_with(NETWORK) {
            return Verdict::Refused;
        }
        // A check of the address may be taken for one, whatever is signed beside it.
        let is_check = preset == "asana" && request.header("x-hook-secret").is_some();
        let Some(views) = scheme.views(preset, request) else {
            return Verdict::Refused;
        };
        let captured = self.of_preset(preset);
        if !scheme.covers_body() {
            return self.unsigned(preset, request, &views, now);
        }
        let (mut same, mut alike) = (Vec::new(), Vec::new());
        for view in &views {
            let fits = |known: &View| {
                let mut signatures = known.signatures.iter();
                signatures.any(|one| view.signatures.contains(one)) && known.content == view.content
            };
            let in_time = captured.iter().filter(|known| self.is_in_time(known, now));
            let fitting: Vec<&Captured> = in_time
                .copied()
                .filter(|known| known.views.iter().any(fits))
                .collect();
            if fitting.is_empty() {
                return Verdict::Refused;
            }
            let parts = |known: &&Captured| {
                let mut views = known.views.iter();
                views.any(|other| fits(other) && other.parts == view.parts)
            };
            let whole: Vec<_> = fitting.iter().copied().filter(parts).collect();
            if whole.is_empty() {
                alike.extend(fitting);
            } else {
                same.extend(whole);
            }
        }
        let borne = alike.is_empty() && !is_check && is_borne(preset, request, &same);
        same.extend(alike);
        if borne {
            Verdict::Accepted(same)
        } else {
            Verdict::Either(same)
        }
    }

    /// Where the body is not signed: the proof must be there and in time; and a delivery that nobody touched is taken.
    fn unsigned(
        &self,
        preset: &str,
        request: &Request,
        views: &[View],
        now: Millis,
    ) -> Verdict<'_> {
        let captured = self.of_preset(preset);
        let in_time = captured.iter().copied();
        let in_time: Vec<_> = in_time
            .filter(|known| self.is_in_time(known, now))
            .collect();
        let proven = views.iter().all(|view| {
            let mut known = in_time.iter().flat_map(|known| &known.views);
            known.any(|known| {
                let mut signatures = known.signatures.iter();
                let is_signed = signatures.any(|one| view.signatures.contains(one));
                (is_signed || known.signatures.is_empty()) && known.content == view.content
            })
        });
        if !proven {
            return Verdict::Refused;
        }
        let is_whole = |known: &&Captured| known.request.body == request.body;
        let whole: Vec<_> = in_time.into_iter().filter(is_whole).collect();
        let is_query_same = |known: &&Captured| known.request.query == request.query;
        if whole.iter().any(is_query_same) && is_borne(preset, request, &whole) {
            Verdict::Accepted(whole)
        } else {
            Verdict::Either(Vec::new())
        }
    }

    fn is_in_time(&self, known: &Captured, now: Millis) -> bool {
        if let Some(tolerance) = self.schemes[&known.preset].tolerance() {
            let age = now - known.signed_at;
            if age > tolerance.past || age < -tolerance.future {
                return false;
            }
        }
        let Some(max_age) = self.max_ages.get(known.preset.as_str()) else {
            return true;
        };
        let times = known.told.iter().map(|told| told["time"].as_i64());
        times
            .into_iter()
            .all(|time| time.is_some_and(|time| time >= now - max_age && time <= now + DAY))
    }

    /// Checks that the events of a request are those of these deliveries and nothing else.
    pub(crate) fn are_events_of(
        request: &Request,
        now: Millis,
        events: &[Event],
        deliveries: &[&Captured],
    ) -> Result<(), String> {
        let Some(first) = deliveries.first() else {
            return Ok(());
        };
        let preset = first.preset.as_str();
        // Each item of Adyen is signed by itself, so any of them may come, in any order.
        if preset == "adyen" {
            let known = || deliveries.iter().flat_map(|known| &known.events);
            return events.iter().try_for_each(|event| {
                let fits = known().any(|known| {
                    event.key == known.key && differs(event, known, true, Says::Time, now).is_none()
                });
                let why = || format!("{event:?} is of no item");
                if fits { Ok(()) } else { Err(why()) }
            });
        }
        // Of several deliveries with these bytes, the one whose headers came with them.
        let least = deliveries
            .iter()
            .map(|known| changed(preset, request, known))
            .min()
            .flatten();
        let nearest = deliveries
            .iter()
            .filter(|known| changed(preset, request, known) == least);
        let mut why = String::new();
        for delivery in nearest {
            let count = delivery.events.len();
            if events.len() != count {
                why = format!("{} events, not {count}", events.len());
                continue;
            }
            // What Twilio signs has no borders: fields that nobody reads may be cut in other places.
            let fields = |request: &Request| BTreeSet::from_iter(pairs(&request.body));
            let is_cut =
                preset.starts_with("twilio-") && fields(request) != fields(&delivery.request);
            let is_loose = is_cut || preset == "aws-sns";
            let mut both = events.iter().zip(&delivery.events);
            let difference = both.find_map(|(event, known)| match least {
                // Of the kind and the document only so much is claimed: they are of the body that was signed.
                Some(Says::Kind) => (event.body != known.body).then_some("body"),
                None if event.key != known.key && !is_cut => Some("key"),
                said => differs(event, known, is_loose, said.unwrap_or(Says::Id), now),
            });
            match difference {
                None => return Ok(()),
                Some(what) => why = format!("another {what} than {:?}", delivery.events),
            }
        }
        Err(why)
    }
}

/// The difference between two events, beside what the transport adds and beside their keys. `is_loose`: part of the
/// body is not signed; such members reach nobody's documents. `said` is the most that an unsigned header says of the
/// events.
fn differs(
    event: &Event,
    known: &Event,
    is_loose: bool,
    said: Says,
    now: Millis,
) -> Option<&'static str> {
    let is_future = known.time.is_some_and(|time| time > now + DAY);
    let unsigned = UNSIGNED.iter().find(|(name, _)| *name == known.source);
    let says_time = |(_, says): &(&str, Says)| *says == Says::Time;
    // A time that nobody signed counts as no later than the reception.
    let is_bounded = unsigned.is_some_and(|(_, said)| said.iter().any(says_time));
    let latest = if is_bounded { now } else { Millis::MAX };
    let time = known
        .time
        .filter(|_| !is_future)
        .map(|time| time.min(latest));
    let checks = [
        ("kind", event.kind == known.kind),
        ("operation", event.operation == known.operation),
        ("document id", event.document_id == known.document_id),
        ("document type", event.document_type == known.document_type),
        ("place of the state", event.document_at == known.document_at),
        ("state", is_loose || event.document() == known.document()),
        ("stateless", event.without_state == known.without_state),
        ("readability", event.invalid == known.invalid),
        ("sequence", event.sequence == known.sequence),
        ("rank", event.rank == known.rank),
        ("body", is_loose || event.body == known.body),
        ("source", event.source == known.source),
        ("time", said >= Says::Time || event.time == time),
    ];
    let mut checks = checks.iter();
    checks.find_map(|(what, is_same)| (!is_same).then_some(*what))
}

/// The most that a change of unsigned headers says: `None` where they are those of the delivery.
fn changed(preset: &str, request: &Request, delivery: &Captured) -> Option<Says> {
    let said = UNSIGNED.iter().find(|(name, _)| *name == preset)?.1;
    let changed = said
        .iter()
        .filter(|(name, _)| request.header(name) != delivery.request.header(name));
    changed.map(|(_, says)| *says).max()
}

/// True when a request with a good signature must be taken, whatever its unsigned headers say. An id that is too long
/// for a key, and a kind whose parts are not in the body, may be refused.
fn is_borne(preset: &str, request: &Request, deliveries: &[&Captured]) -> bool {
    let said = UNSIGNED.iter().find(|(name, _)| *name == preset);
    let said = said.map_or(&[][..], |(_, said)| said);
    let is_long =
        |(name, _): &(&str, Says)| request.header(name).is_some_and(|value| value.len() > 500);
    let mut deliveries = deliveries.iter();
    !said.iter().any(is_long)
        && deliveries.any(|delivery| changed(preset, request, delivery) != Some(Says::Kind))
}

/// The source that a path names.
fn source_of(path: &str) -> Option<&str> {
    let path = path.strip_suffix('/').unwrap_or(path);
    let name = path.rsplit('/').next()?;
    // Before it may stand an API's stage or a proxy's base path.
    path.strip_suffix(name)?
        .ends_with("/webhooks/")
        .then_some(name)
}

/// True when a header says that the body is compressed.
fn is_compressed(request: &Request) -> bool {
    let codings = "br compress dcb deflate gzip x-compress x-gzip zstd";
    let words = request.headers.iter().filter_map(|(name, value)| {
        let is_one = name.eq_ignore_ascii_case("content-encoding");
        let is_text = value
            .iter()
            .all(|byte| (32..127).contains(byte) || *byte == b'\t');
        (is_one && is_text).then(|| String::from_utf8_lossy(value).to_ascii_lowercase())
    });
    let words: Vec<String> = words.collect();
    let mut words = words.iter().flat_map(|value| value.split(','));
    words.any(|word| codings.split(' ').any(|coding| coding == word.trim()))
}
