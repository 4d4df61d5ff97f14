//! Explanations that a person gets for a refused delivery.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use hookwell::config;
use hookwell::event::delivery::Delivery;
use hookwell::keys::not_ready::SecretProblem;
use hookwell::keys::reference::SecretRef;
use hookwell::source::Source;
use hookwell_cli::explain::explain;
use http::{HeaderMap, HeaderName, Method};

const NOW: i64 = 1_763_712_000_000;

const SOURCES: &str = r#"
    [sources.shop]
    preset = "stripe"
    secrets = ["env:SHOP"]
    [sources.code]
    preset = "github"
    secrets = ["env:CODE"]
    [sources.own]
    secrets = ["env:OWN"]
    [sources.own.verify]
    alg = "hmac-sha256"
    signature = { header = ["X-Signature"], encoding = "hex" }
    content = "{body}"
    [sources.own.event]
    type = "body:/type"
"#;

fn fetch(reference: &SecretRef) -> Result<String, SecretProblem> {
    match reference.to_string().as_str() {
        "env:SHOP" => Ok("whsec_shop_0123456789abcdef".to_owned()),
        "env:CODE" => Ok("code_0123456789abcdef".to_owned()),
        "env:OWN" => Ok("b3duXzAxMjM0NTY3ODlhYmNkZWY=".to_owned()),
        _ => Err(SecretProblem::NotSet),
    }
}

fn sources() -> Vec<Source> {
    config::parse(SOURCES).unwrap()
}

fn source(name: &str) -> Source {
    sources().into_iter().find(|it| it.name == name).unwrap()
}

/// A delivery that `source` signed with its own secret at a time.
fn signed(source: &Source, body: &str, at: i64) -> Delivery {
    let mut delivery = Delivery {
        request_id: String::new(),
        method: Method::POST,
        source: Some(source.name.clone()),
        path: String::new(),
        query: String::new(),
        headers: HeaderMap::new(),
        body: body.as_bytes().to_vec(),
        source_ip: None,
        trace: None,
    };
    let keys = source.keys(fetch).unwrap();
    for (name, value) in source.sign(&keys, None, &mut delivery, at).unwrap() {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        delivery.headers.insert(name, value.parse().unwrap());
    }
    delivery
}

fn told(name: &str, delivery: &Delivery) -> Option<String> {
    explain(&source(name), &sources(), &fetch, delivery, NOW)
}

fn says(name: &str, delivery: &Delivery, expected: &str) {
    let told = told(name, delivery).unwrap();
    assert!(told.contains(expected), "{told}");
    for header in delivery.headers.values() {
        assert!(!told.contains(header.to_str().unwrap()), "{told}");
    }
}

const BODY: &str = r#"{"type":"a.b","url":"http:\/\/x","n":1.0,"list":[1,2]}"#;

#[test]
fn a_good_delivery_needs_no_explanation() {
    assert_eq!(told("shop", &signed(&source("shop"), BODY, NOW)), None);
}

#[test]
fn a_clock_is_told_from_a_wrong_signature() {
    let mut late = signed(&source("shop"), BODY, NOW - 4_000_000);
    says(
        "shop",
        &late,
        "the signed time is 4000 s ago: a slow retry, a replay, or a wrong clock; the signature itself is good",
    );
    late.body = b"{}".to_vec();
    says(
        "shop",
        &late,
        "apart from that, the signature does not match",
    );
    let early = signed(&source("shop"), BODY, NOW + 4_000_000);
    says("shop", &early, "the signed time is 4000 s ahead");
}

#[test]
fn the_secret_of_another_source_is_named() {
    let mut swapped = source("shop");
    swapped.secrets = source("code").secrets;
    let delivery = signed(&swapped, BODY, NOW);
    says(
        "shop",
        &delivery,
        "it was made with env:CODE, which is the secret of source code",
    );
}

#[test]
fn a_secret_read_in_another_way_is_named() {
    let mut other = source("own");
    let hookwell::verify::scheme::Scheme::Recipe(recipe) = &mut other.schemes[0] else {
        panic!("own is a recipe");
    };
    recipe.key.encoding = hookwell::keys::secret::KeyEncoding::Base64;
    says(
        "own",
        &signed(&other, BODY, NOW),
        "the sender uses the secret as base64",
    );
}

#[test]
fn a_body_that_was_written_again_is_recognised() {
    for (arrived, expected) in [
        (format!("{BODY}\n"), "white space was added at its end"),
        (
            BODY.replace("\":", "\": "),
            "it was signed without white space",
        ),
        (BODY.replace("\\/", "/"), "slashes were signed as \\/"),
        (
            BODY.replace("\\/", "/").replace(',', ", "),
            "it was signed without white space, and slashes were signed as \\/",
        ),
    ] {
        let mut delivery = signed(&source("code"), BODY, NOW);
        delivery.body = arrived.into_bytes();
        says("code", &delivery, expected);
    }
}

#[test]
fn another_header_and_another_preset_are_named() {
    let mut moved = signed(&source("own"), BODY, NOW);
    let value = moved.headers.remove("x-signature").unwrap();
    moved.headers.insert("x-other", value);
    says("own", &moved, "the signature is in header x-other");

    let mut as_code = source("code");
    as_code.secrets = source("own").secrets;
    says(
        "own",
        &signed(&as_code, BODY, NOW),
        "it is signed as preset \"github\" says, with this secret",
    );
}

#[test]
fn a_forgery_stays_unexplained_and_a_missing_secret_is_said() {
    let mut forged = signed(&source("code"), BODY, NOW);
    forged.body = BODY.replace("1.0", "2.0").into_bytes();
    says(
        "code",
        &forged,
        "So it was made with a secret that is not here, or over another body",
    );
    let nothing = |_: &SecretRef| Err(SecretProblem::NotSet);
    let told = explain(&source("code"), &sources(), &nothing, &forged, NOW).unwrap();
    assert_eq!(told, "env:CODE is not set, so nothing can be verified");
}
