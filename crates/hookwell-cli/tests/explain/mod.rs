//! Explanations that a person gets for a refused delivery.

mod mistakes;

use crate::support::sources::source_of;
use hookwell::config;
use hookwell::event::Operation;
use hookwell::event::delivery::Delivery;
use hookwell::keys::not_ready::SecretProblem;
use hookwell::keys::reference::SecretRef;
use hookwell::source::Source;
use hookwell_cli::explain::{Explanation, Known, explain};
use hookwell_sandbox::sender::{Draft, signed_with};
use hookwell_sandbox::test_keys;
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

fn explained(name: &str, delivery: &Delivery) -> Option<Explanation> {
    let known = Known {
        sources: &sources(),
        fetch: &fetch,
        is_made_up: &|_| false,
    };
    explain(&source(name), known, delivery, NOW)
}

fn told(name: &str, delivery: &Delivery) -> Option<String> {
    explained(name, delivery).map(|explanation| explanation.text)
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
        "the sender uses env:OWN decoded from base64",
    );
}

#[test]
fn an_algorithm_that_its_tag_names_is_one_mistake() {
    let mut other = source("code");
    let hookwell::verify::scheme::Scheme::Recipe(recipe) = &mut other.schemes[0] else {
        panic!("{:?}", other.schemes[0])
    };
    recipe.algorithm = hookwell::verify::algorithm::Algorithm::HmacSha1;
    let field = recipe.signature.as_mut().unwrap();
    assert_eq!(field.tag.replace("sha1".to_owned()).unwrap(), "sha256");
    says(
        "code",
        &signed(&other, BODY, NOW),
        "the sender signs with hmac-sha1 and names it \"sha1\", and this source expects hmac-sha256 behind \"sha256\": \
         set verify.alg = \"hmac-sha1\" and verify.signature.tag = \"sha1\"",
    );
}

#[test]
fn a_list_in_the_header_is_told_from_another_tag() {
    let other = SOURCES.replace(
        "signature = { header = [\"X-Signature\"], encoding",
        "signature = { header = [\"X-Signature\"], kv = \"=\", tag = \"v1\", encoding",
    );
    let sources = config::parse(&other).unwrap();
    let own = sources.iter().find(|it| it.name == "own").unwrap();
    let mut delivery = signed(own, BODY, NOW);
    let signature = delivery.headers["x-signature"].to_str().unwrap().to_owned();
    let list = format!("v0=00, {signature}");
    delivery
        .headers
        .insert("x-signature", list.parse().unwrap());
    let known = Known {
        sources: &sources,
        fetch: &fetch,
        is_made_up: &|_| false,
    };
    let told = explain(own, known, &delivery, NOW).unwrap();
    let expected = "set verify.signature.separator = \",\"";
    assert!(told.text.contains(expected), "{told:?}");
}

#[test]
fn a_time_in_another_unit_is_no_wrong_clock() {
    let mut in_millis = source("shop");
    for scheme in &mut in_millis.schemes {
        if let hookwell::verify::scheme::Scheme::Recipe(recipe) = scheme {
            recipe.timestamp.as_mut().unwrap().unit = hookwell::format::time::Unit::Millis;
        }
    }
    says(
        "shop",
        &signed(&in_millis, BODY, NOW),
        "the signed time is written as \"ms\", and this source reads \"s\": set verify.timestamp.unit = \"ms\", or have \
         the sender write the other; the signature itself is good",
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
fn a_secret_that_is_not_here_is_said() {
    let delivery = signed(&source("code"), BODY, NOW);
    let nothing = |_: &SecretRef| Err(SecretProblem::NotSet);
    let nobody = Known {
        sources: &sources(),
        fetch: &nothing,
        is_made_up: &|_| false,
    };
    let told = explain(&source("code"), nobody, &delivery, NOW).unwrap();
    assert_eq!(told.text, "env:CODE is not set, so nothing can be verified");

    let mut forged = delivery;
    forged.body = BODY.replace("1.0", "2.0").into_bytes();
    let only_own = |reference: &SecretRef| match reference.to_string().as_str() {
        "env:CODE" => fetch(reference),
        _ => Err(SecretProblem::NotSet),
    };
    let alone = Known {
        fetch: &only_own,
        ..nobody
    };
    let told = explain(&source("code"), alone, &forged, NOW).unwrap();
    let expected = "Not tried, because not here: env:OWN, env:SHOP.";
    assert!(told.text.contains(expected), "{told:?}");
    assert!(!told.text.contains("the other sources"), "{told:?}");

    let made_up = Known {
        is_made_up: &|reference| reference.to_string() == "env:CODE",
        ..alone
    };
    let told = explain(&source("code"), made_up, &forged, NOW).unwrap();
    let expected = "Made up by this machine, so no real sender has it: env:CODE.";
    assert!(told.text.contains(expected), "{told:?}");
}

#[test]
fn a_delivery_for_another_source_is_told_from_one_with_its_secret() {
    let delivery = signed(&source("code"), BODY, NOW);
    says(
        "own",
        &delivery,
        "it is signed in every way as source code expects, with the secret of source code: have it posted to \
         /webhooks/code",
    );
}

#[test]
fn an_unsigned_source_explains_nothing() {
    let text = format!(
        "{SOURCES}\n[sources.open]\npreset = \"plain\"\nallow_ips = [\"0.0.0.0/0\"]\n[sources.open.event]\nstrict = false\n"
    );
    let with_open = config::parse(&text).unwrap();
    let mut forged = signed(&source("code"), r#"{"event":"a","data":{"id":1}}"#, NOW);
    forged.body.push(b'}');
    let known = Known {
        sources: &with_open,
        fetch: &fetch,
        is_made_up: &|_| false,
    };
    let told = explain(&source("code"), known, &forged, NOW).unwrap();
    assert_eq!(told.difference, None, "{told:?}");
}

#[test]
fn no_difference_is_found_in_a_forgery_of_any_sender() {
    let mut refused = 0;
    for preset in config::presets() {
        let sources = config::parse(&source_of(&preset)).unwrap();
        let source = &sources[0];
        let fetch = |reference: &SecretRef| Ok(test_keys::made_up(source, reference));
        let keys = source.keys(fetch).unwrap();
        let draft = Draft::sample(source, Operation::Create, NOW).unwrap();
        let request = signed_with(source, &keys, draft, NOW).unwrap();
        let mut delivery = Delivery {
            headers: request.to_http().unwrap().headers,
            query: request.query,
            ..signed(&self::source("code"), "{}", NOW)
        };
        delivery.body = [request.body.as_slice(), b" forged"].concat();
        let known = Known {
            sources: &sources,
            fetch: &fetch,
            is_made_up: &|_| false,
        };
        if let Some(told) = explain(source, known, &delivery, NOW) {
            refused += 1;
            assert_eq!(told.difference, None, "{preset}: {}", told.text);
        }
    }
    assert!(refused > 50, "{refused}");
}
