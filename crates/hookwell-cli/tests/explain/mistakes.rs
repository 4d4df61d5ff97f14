//! The mistakes of an in-house author, as the user of `hookwell verify --explain` has them named.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::{Sha256, Sha384, Sha512};

const SOURCES: &str = r#"
    [sources.own]
    secrets = ["env:OWN"]
    [sources.own.verify]
    alg = "hmac-sha256"
    signature = { header = ["X-Signature"], kv = "=", tag = "v1", encoding = "hex" }
    timestamp = { header = ["X-Timestamp"] }
    content = "{ts}.{body}"
    [sources.own.event]
    type = "body:/type"
    [sources.code]
    preset = "github"
    secrets = ["env:CODE"]
"#;

const NOW: i64 = 1_763_712_000;
const SECRET: &str = "own_0123456789abcdef";
const OTHER: &str = "code_0123456789abcdef";
const WRONG: &str = "own_fedcba9876543210";
const BODY: &str = r#"{"type":"a.b","list":[1,2],"name":"private"}"#;
const PRETTY: &str =
    "{\n  \"type\": \"a.b\",\n  \"list\": [\n    1,\n    2\n  ],\n  \"name\": \"private\"\n}";

/// One thing that the author does otherwise than the source expects.
struct Mistake {
    name: &'static str,
    /// The request, as `hookwell verify` reads it.
    line: String,
    difference: Option<&'static str>,
    says: &'static str,
}

impl Mistake {
    fn new(name: &'static str, line: String, difference: &'static str, says: &'static str) -> Self {
        Self {
            name,
            line,
            difference: Some(difference),
            says,
        }
    }

    /// A mistake that no delivery shows, so that no explanation may name it.
    fn untold(name: &'static str, signature: String) -> Self {
        Self {
            name,
            line: signed(signature),
            difference: None,
            says: "Another secret, another body and a way of signing that was not tried look the same from here",
        }
    }
}

/// SHA-2 of any length, keyed: an oracle beside the product's own.
fn mac<D: Mac + KeyInit>(secret: &str, content: &str) -> Vec<u8> {
    let mac = <D as KeyInit>::new_from_slice(secret.as_bytes()).unwrap();
    mac.chain_update(content).finalize().into_bytes().to_vec()
}

fn sha256(secret: &str, content: &str) -> String {
    hex::encode(mac::<Hmac<Sha256>>(secret, content))
}

/// The content that the source expects.
fn content() -> String {
    format!("{NOW}.{BODY}")
}

fn signed(signature: String) -> String {
    let headers = [("x-signature", signature), ("x-timestamp", NOW.to_string())];
    line(&headers)
}

fn line(headers: &[(&str, String)]) -> String {
    let headers: serde_json::Map<_, _> = headers
        .iter()
        .map(|(name, value)| ((*name).to_owned(), json!(value)))
        .collect();
    json!({ "source": "own", "headers": headers, "body_base64": STANDARD.encode(BODY) }).to_string()
}

fn of_the_signature() -> Vec<Mistake> {
    let base64 = STANDARD.encode(mac::<Hmac<Sha256>>(SECRET, &content()));
    let sha512 = hex::encode(mac::<Hmac<Sha512>>(SECRET, &content()));
    vec![
        Mistake::new(
            "encoding",
            signed(format!("v1={base64}")),
            "encoding",
            "the signature is written in base64, and this source reads hex",
        ),
        Mistake::new(
            "algorithm",
            signed(format!("v1={sha512}")),
            "algorithm",
            "the sender signs with hmac-sha512, and this source expects hmac-sha256: set verify.alg = \"hmac-sha512\"",
        ),
        Mistake::new(
            "tag",
            signed(format!("v0={}", sha256(SECRET, &content()))),
            "tag",
            "the signature stands behind \"v0=\", and this source reads what stands behind \"v1=\"",
        ),
        Mistake::new(
            "content",
            signed(format!("v1={}", sha256(SECRET, BODY))),
            "content",
            "the sender signs \"{body}\", and this source expects \"{ts}.{body}\"",
        ),
        Mistake::new(
            "prefix",
            signed(sha256(SECRET, &content())),
            "tag",
            "the signature stands alone, without a tag or prefix",
        ),
    ]
}

fn of_what_is_signed() -> Vec<Mistake> {
    let late = NOW - 4000;
    let late_signature = sha256(SECRET, &format!("{late}.{BODY}"));
    let headers = [
        ("x-signature", format!("v1={late_signature}")),
        ("x-timestamp", late.to_string()),
    ];
    vec![
        Mistake::new(
            "newline",
            signed(format!("v1={}", sha256(&format!("{SECRET}\n"), &content()))),
            "key",
            "the sender uses env:OWN with a line end behind it",
        ),
        Mistake::new(
            "pretty-printed body",
            signed(format!("v1={}", sha256(SECRET, &format!("{NOW}.{PRETTY}")))),
            "body",
            "the body was changed after it was signed: it was signed indented by two spaces",
        ),
        Mistake::new(
            "missing header",
            line(&[("x-timestamp", NOW.to_string())]),
            "header",
            "header X-Signature is missing: have the sender send it",
        ),
        Mistake::new(
            "clock",
            line(&headers),
            "clock",
            "the signed time is 4000 s ago: a slow retry, a replay, or a wrong clock; the signature itself is good",
        ),
        Mistake::new(
            "secret of another source",
            signed(format!("v1={}", sha256(OTHER, &content()))),
            "secret",
            "it was made with env:CODE, which is the secret of source code",
        ),
    ]
}

fn that_nobody_can_tell() -> Vec<Mistake> {
    let other_body = content().replace("private", "public");
    let sha384 = hex::encode(mac::<Hmac<Sha384>>(SECRET, &content()));
    vec![
        Mistake::untold("wrong secret", format!("v1={}", sha256(WRONG, &content()))),
        Mistake::untold("other body", format!("v1={}", sha256(SECRET, &other_body))),
        Mistake::untold(
            "none of these: an algorithm that Hookwell does not know",
            format!("v1={sha384}"),
        ),
    ]
}

/// The lines that `hookwell verify --explain` prints for these.
fn explained(mistakes: &[Mistake]) -> String {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), SOURCES).unwrap();
    let mut verify = Command::new(env!("CARGO_BIN_EXE_hookwell"))
        .args(["verify", "--explain", "--at", &NOW.to_string(), "--sources"])
        .arg(file.path())
        .envs([("OWN", SECRET), ("CODE", OTHER)])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines: Vec<_> = mistakes.iter().map(|one| one.line.as_str()).collect();
    let mut input = verify.stdin.take().unwrap();
    input.write_all(lines.join("\n").as_bytes()).unwrap();
    drop(input);
    String::from_utf8(verify.wait_with_output().unwrap().stdout).unwrap()
}

#[test]
fn the_mistakes_of_an_in_house_author_are_named_and_nothing_else() {
    let mistakes: Vec<_> = of_the_signature()
        .into_iter()
        .chain(of_what_is_signed())
        .chain(that_nobody_can_tell())
        .collect();
    assert_eq!(mistakes.len(), 13);
    let printed = explained(&mistakes);
    for secret in [SECRET, OTHER, WRONG, "private"] {
        assert!(!printed.contains(secret), "{secret}");
    }
    let printed: Vec<Value> = printed
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(printed.len(), mistakes.len());
    let mut untold = BTreeSet::new();
    for (mistake, told) in mistakes.iter().zip(&printed) {
        let (name, explanation) = (mistake.name, told["explanation"].as_str().unwrap());
        assert_eq!(
            told["difference"].as_str(),
            mistake.difference,
            "{name}: {explanation}"
        );
        assert!(explanation.contains(mistake.says), "{name}: {explanation}");
        let request: Value = serde_json::from_str(&mistake.line).unwrap();
        if let Some(signature) = request["headers"]["x-signature"].as_str() {
            let (_, bare) = signature.split_once('=').unwrap_or(("", signature));
            assert!(!explanation.contains(bare), "{name}: {explanation}");
        }
        if mistake.difference.is_none() {
            untold.insert(explanation);
        }
    }
    // Nothing tells a wrong secret from another body or from a way that nobody tried, so neither does the explanation.
    assert_eq!(untold.len(), 1, "{untold:?}");
    let tried =
        "Tried one at a time, and none fits: the secrets of the other sources, other algorithms";
    assert!(untold.first().unwrap().contains(tried), "{untold:?}");
}
