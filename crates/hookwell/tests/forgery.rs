//! Mutated requests against an oracle that shares no code with the verifiers: a request is accepted if and only if a
//! decoded signature is the MAC of its exact bytes and its time is in tolerance.
//!
//! `cargo test` tries 20,000. A million, and more, before a release:
//!
//! ```text
//! HOOKWELL_FUZZ=1000000 cargo test --release -p hookwell --test forgery -- --nocapture
//! ```
//!
//! `HOOKWELL_FUZZ_SEED` chooses another sequence; a failure prints the seed and the request.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // helpers of tests

mod oracle;

use std::panic::{AssertUnwindSafe, catch_unwind};

use hookwell::config;
use hookwell::event::delivery::Delivery;
use hookwell::format::time::Millis;
use hookwell::keys::key_set::Keys;
use hookwell::sender::signer::Signer;
use hookwell::source::Source;
use hookwell::verify::scheme::Scheme;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use oracle::{CASES, Case, Request};

const NOW: Millis = 1_800_000_000_000;
const URL: &str = "https://hooks.example.com/webhooks/x";

/// `SplitMix64` (Steele, Lea and Flood, 2014): small, and the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end.max(1)).unwrap();
        usize::try_from(self.next() % end).unwrap()
    }
}

struct Subject {
    case: &'static Case,
    source: Source,
    keys: Keys,
    good: Request,
}

fn subjects() -> Vec<Subject> {
    let subject = |case: &'static Case| {
        let text = format!(
            "[sources.x]\npreset = {:?}\nsecrets = [\"env:NEW\", \"env:OLD\"]\npublic_url = {URL:?}\n",
            case.preset
        );
        let source = config::parse(&text).unwrap().remove(0);
        let keys = source.keys(|reference| {
            let secret = usize::from(reference.to_string() == "env:OLD");
            Ok(case.secrets[secret].to_owned())
        });
        let good = signed(
            case,
            &source,
            br#"{"id":"evt_1","type":"order.created","n":1.0}"#,
        );
        Subject {
            case,
            keys: keys.unwrap(),
            source,
            good,
        }
    };
    CASES.iter().map(subject).collect()
}

/// A valid request, by the signing half of the recipe; the oracle must agree that it is one.
fn signed(case: &Case, source: &Source, body: &[u8]) -> Request {
    let Scheme::Recipe(recipe) = &source.schemes[0] else {
        unreachable!("only recipes here")
    };
    let secret = hookwell::keys::secret::Secret::new(case.secrets[0], &recipe.key, 1).unwrap();
    let mut delivery = delivery(&Request {
        headers: Vec::new(),
        body: body.to_vec(),
    })
    .unwrap();
    let signer = Signer {
        url: Some(URL),
        secret: Some(&secret),
        pair: None,
        now: NOW,
    };
    let headers = recipe.sign(&mut delivery, signer).unwrap();
    Request {
        headers: headers
            .into_iter()
            .map(|(name, value)| (name, value.into_bytes()))
            .collect(),
        body: body.to_vec(),
    }
}

/// The request as ingest sees it; `None` when HTTP itself does not allow it.
fn delivery(request: &Request) -> Option<Delivery> {
    let mut headers = HeaderMap::new();
    for (name, value) in &request.headers {
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        headers.append(name, HeaderValue::from_bytes(value).ok()?);
    }
    Some(Delivery {
        request_id: "request-1".into(),
        method: Method::POST,
        source: Some("x".into()),
        path: "/webhooks/x".into(),
        query: String::new(),
        headers,
        body: request.body.clone(),
        source_ip: None,
        trace: None,
    })
}

/// Asserts that verifier and oracle agree, and says what they say; `None` when the request cannot exist.
fn agree(subject: &Subject, request: &Request, now: Millis) -> Option<bool> {
    let delivery = delivery(request)?;
    let verify = || subject.source.verify(&subject.keys, &delivery, now).is_ok();
    let accepted = catch_unwind(AssertUnwindSafe(verify))
        .unwrap_or_else(|_| panic!("{} panicked", subject.case.preset));
    let expected = subject.case.accepts(request, URL, now);
    assert_eq!(
        accepted, expected,
        "{} at {now}: {request:?}",
        subject.case.preset
    );
    Some(accepted)
}

const ODD: [&[u8]; 16] = [
    b"", b" ", b",", b";", b"=", b"v1=", b"t=0", b"sha256=", b"v1,", b"\x00", b"\xff", b"A", b"0",
    b"%", b"\t", b"v0=00",
];

fn mutate(random: &mut Random, bytes: &mut Vec<u8>) {
    let at = random.below(bytes.len() + 1);
    match random.below(8) {
        0 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
        1 if at < bytes.len() => bytes[at] = u8::try_from(random.below(256)).unwrap(),
        2 => bytes.truncate(at),
        3 if at < bytes.len() => {
            bytes.remove(at);
        }
        4 => {
            let odd = ODD[random.below(ODD.len())];
            bytes.splice(at..at, odd.iter().copied());
        }
        5 => bytes.make_ascii_uppercase(),
        6 => {
            let copy = bytes.clone();
            bytes.push(b',');
            bytes.extend(copy);
        }
        _ => bytes.extend_from_slice(ODD[random.below(ODD.len())]),
    }
}

/// One to three changes: to a byte, a header, the order, or by parts of another valid request.
fn mutated(random: &mut Random, subjects: &[Subject], subject: &Subject) -> Request {
    let mut request = subject.good.clone();
    let other = &subjects[random.below(subjects.len())].good;
    for _ in 0..=random.below(3) {
        let header = random.below(request.headers.len());
        match random.below(10) {
            0 | 1 => mutate(random, &mut request.body),
            2..=4 if !request.headers.is_empty() => mutate(random, &mut request.headers[header].1),
            5 if !request.headers.is_empty() => {
                request.headers.remove(header);
            }
            6 => {
                let mut more = other.headers[random.below(other.headers.len())].clone();
                if let (Some((name, _)), 0) = (request.headers.get(header), random.below(2)) {
                    more.0.clone_from(name);
                }
                request.headers.push(more);
            }
            7 if !request.headers.is_empty() => {
                let mut twice = request.headers[header].clone();
                mutate(random, &mut twice.1);
                request.headers.push(twice);
            }
            8 if !request.headers.is_empty() => {
                let name = request.headers[header].0.to_ascii_uppercase();
                request.headers[header].0 = name;
            }
            _ => {
                let donor = subject
                    .case
                    .resigned(&request, URL, NOW + 1000, random.below(3));
                request.headers.extend(donor);
            }
        }
    }
    request
}

#[test]
fn mutated_requests_are_accepted_exactly_when_the_oracle_says_so() {
    let number =
        |name: &str, usual: u64| std::env::var(name).map_or(usual, |text| text.parse().unwrap());
    let (count, seed) = (
        number("HOOKWELL_FUZZ", 20_000),
        number("HOOKWELL_FUZZ_SEED", 1),
    );
    let subjects = subjects();
    let mut random = Random(seed);
    let (mut accepted, mut refused, mut impossible) = (0_u64, 0_u64, 0_u64);
    while accepted + refused < count {
        let subject = &subjects[random.below(subjects.len())];
        let request = mutated(&mut random, &subjects, subject);
        let shift = match random.below(4) {
            0 => i64::try_from(random.below(4_000_000)).unwrap() - 2_000_000,
            _ => 0,
        };
        match agree(subject, &request, NOW + shift) {
            Some(true) => accepted += 1,
            Some(false) => refused += 1,
            None => impossible += 1,
        }
    }
    println!("seed {seed}: {accepted} accepted, {refused} refused, {impossible} not HTTP");
    assert!(
        accepted > count / 100,
        "the mutations leave some requests valid"
    );
    assert!(refused > count / 4, "and break many");
}

#[test]
fn every_single_bit_flip_of_twenty_valid_requests_is_judged_right() {
    let subjects = subjects();
    assert_eq!(subjects.len(), 20);
    let (mut flips, mut accepted) = (0_u64, 0_u64);
    for subject in &subjects {
        assert_eq!(
            agree(subject, &subject.good, NOW),
            Some(true),
            "{}",
            subject.case.preset
        );
        for position in 0..subject.good.body.len() * 8 {
            let mut request = subject.good.clone();
            request.body[position / 8] ^= 1 << (position % 8);
            assert_eq!(agree(subject, &request, NOW), Some(false));
            flips += 1;
        }
        for header in 0..subject.good.headers.len() {
            for position in 0..subject.good.headers[header].1.len() * 8 {
                let mut request = subject.good.clone();
                request.headers[header].1[position / 8] ^= 1 << (position % 8);
                flips += 1;
                // A hex digit in capitals is the same digit.
                accepted += u64::from(agree(subject, &request, NOW) == Some(true));
            }
        }
    }
    println!("{flips} flips, {accepted} of them the same signature in another spelling");
}

#[test]
fn the_second_secret_counts_too() {
    for subject in subjects() {
        let mut request = subject.good.clone();
        request.headers = subject.case.resigned(&subject.good, URL, NOW, 1);
        assert_eq!(
            agree(&subject, &request, NOW),
            Some(true),
            "{}",
            subject.case.preset
        );
        request.headers = subject.case.resigned(&subject.good, URL, NOW, 2);
        assert_eq!(
            agree(&subject, &request, NOW),
            Some(false),
            "{}",
            subject.case.preset
        );
    }
}
