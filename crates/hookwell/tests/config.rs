//! The sources file as its author meets it: what works, and how every mistake is told.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use hookwell::config::{parse, presets};
use hookwell::source::{Dedupe, OnInvalid};
use hookwell::verify::scheme::Scheme;

fn problems(text: &str) -> Vec<String> {
    parse(text)
        .expect_err("mistakes")
        .iter()
        .map(ToString::to_string)
        .collect()
}

#[test]
fn every_mistake_is_listed_at_once_with_its_path() {
    let text = r#"
        [sources.shop]
        preset = "resource"
        secrets = ["SHOP_SECRET"]
        secret = "x"
        max_body_bytes = 9000000
        retain = "36d"
        retry_for = "11d"
        expect_every = "8d"
        answer_within = "61s"
        api_key = "sk_live_pasted"
        api_url = "http://api.example.com"

        [sources.open]
        preset = "plain"

        [sources.unknown]
        preset = "resorce"

        [sources.acme]
        secrets = ["env:ACME"]
        [sources.acme.verify]
        alg = "hmac-md5"
        signature = { header = ["X Sig"], encoding = "hexx" }
        content = "{ts}{bdy}"
        [sources.acme.event]
        id = "/id"
        operations = { "a*b*c" = "create", "x" = "upsert" }
    "#;
    insta::assert_snapshot!(problems(text).join("\n"), @r#"
    sources.acme.event.id: "/id" is not body:/POINTER, item:/POINTER, outer:/POINTER, document:/POINTER, header:NAME, query:NAME, text:WORD or a template of them
    sources.acme.event.operations: "a*b*c" is not a word with at most one *
    sources.acme.event.operations.x: is one of create, update, delete, other
    sources.acme.verify.alg: is one of hmac-sha256, hmac-sha1, hmac-sha512, sha256, sha1, ed25519, ecdsa-p256-sha256, token, basic, unsigned
    sources.acme.verify.content: unknown token {bdy}
    sources.acme.verify.signature.encoding: is one of hex, base64, base64url
    sources.acme.verify.signature.header: "X Sig" is not a header name
    sources.open.allow_ips: is missing: nothing is signed here, so say which addresses may send (["0.0.0.0/0", "::/0"] for anyone)
    sources.shop.answer_within: is a number of seconds from "1s" to "60s"
    sources.shop.api_key: is not env:NAME, ssm:NAME or secretsmanager:ID#STAGE
    sources.shop.api_url: is no https:// address (http:// on this machine only)
    sources.shop.expect_every: is a number of hours or days from "1h" to "7d"
    sources.shop.max_body_bytes: is a number from 1 to 6291456
    sources.shop.retain: is "none" or a number of days from "1d" to "35d"
    sources.shop.retry_for: is a number of days from "1d" to "10d"
    sources.shop.secret: unknown key: did you mean secrets?
    sources.shop.secrets[0]: is not env:NAME, ssm:NAME or secretsmanager:ID#STAGE
    sources.unknown.preset: there is no preset "resorce": did you mean resource?
    "#);
}

#[test]
fn a_file_that_is_not_toml_names_the_line() {
    assert_eq!(problems("[sources.a]\nsecrets = \n").len(), 1);
    assert!(problems("[sources.a]\nsecrets = \n")[0].starts_with("line 2: "));
    assert_eq!(
        problems(""),
        ["sources: is missing: name a sender with [sources.NAME]"]
    );
}

#[test]
fn steps_of_a_path_name_no_source() {
    for name in [".", ".."] {
        let text = format!("[sources.\"{name}\"]\npreset = \"resource\"\nsecrets = [\"env:A\"]\n");
        assert!(problems(&text).join("\n").contains("is not . or .."));
    }
}

#[test]
fn a_pasted_secret_is_never_repeated() {
    let text = "[sources.a]\npreset = \"resource\"\nsecrets = [\"whsec_abcdefghijklmnop\"]\n";
    assert!(!problems(text).join("\n").contains("abcdefghijklmnop"));
}

#[test]
fn a_source_overrides_any_part_of_its_preset() {
    let text = r#"
        [sources.shop]
        preset = "resource"
        secrets = ["env:A", "env:B"]
        on_invalid = "quarantine"
        verify.signature.header = ["X-Other"]
        event.id = "body:/uid"
    "#;
    let source = parse(text).unwrap().remove(0);
    assert_eq!(source.on_invalid, OnInvalid::Quarantine);
    let Scheme::Recipe(recipe) = &source.schemes[0] else {
        panic!("is a recipe")
    };
    let signature = recipe.signature.as_ref().unwrap();
    assert_eq!(signature.headers, ["X-Other"]);
    assert_eq!(recipe.content.len(), 1, "the rest stays the preset's");
    assert_eq!(source.dedupe, Dedupe::Id);
}

#[test]
fn an_id_in_an_unsigned_header_counts_only_with_the_body() {
    let with = |rest: &str| {
        let text = format!(
            r#"
            [sources.a]
            secrets = ["env:A"]
            {rest}
            [sources.a.verify]
            alg = "hmac-sha256"
            signature = {{ header = "X-Sig" }}
            content = "{{body}}"
            [sources.a.event]
            id = "header:X-Id"
            "#
        );
        parse(&text).map(|mut sources| sources.remove(0).dedupe)
    };
    assert_eq!(with("").unwrap(), Dedupe::IdAndBody);
    assert_eq!(with("dedupe = \"none\"").unwrap(), Dedupe::None);
    assert_eq!(
        with("dedupe = \"body\"\ndedupe_window = 60").unwrap(),
        Dedupe::Body { seconds: 60 }
    );
    assert!(
        with("dedupe = \"id\"").unwrap_err()[0]
            .message
            .contains("not signed")
    );
    assert!(with("dedupe = \"body\"").is_err(), "a window must be named");
    assert!(
        with("dedupe_window = 60").is_err(),
        "a window alone means nothing"
    );
}

#[test]
fn every_preset_is_a_source_once_it_has_what_only_its_user_knows() {
    for preset in presets() {
        let topics = match preset.as_str() {
            "aws-sns" => "topics = [\"arn:aws:sns:us-east-1:000000000000:sample\"]\n",
            _ => "",
        };
        let text = format!(
            "[sources.x]\npreset = {preset:?}\nsecrets = [\"env:X\"]\nallow_ips = [\"::/0\"]\npublic_url = \"https://x.example/webhooks/x\"\n{topics}"
        );
        assert!(parse(&text).is_ok(), "{preset}: {:?}", parse(&text));
    }
}

#[test]
fn unsigned_needs_an_address_list_and_signed_needs_a_secret() {
    assert!(
        problems("[sources.a]\npreset = \"plain\"")[0]
            .starts_with("sources.a.allow_ips: is missing")
    );
    assert!(
        problems("[sources.a]\npreset = \"aws-sns\"")[0]
            .starts_with("sources.a.topics: is missing"),
        "any account can have SNS sign"
    );
    assert!(
        problems("[sources.a]\npreset = \"generic\"")[0]
            .starts_with("sources.a.secrets: is missing")
    );
}

#[test]
fn an_event_is_tried_for_three_days_unless_its_source_says_otherwise() {
    let days = |more: &str| {
        let text = format!("[sources.a]\npreset = \"plain\"\nallow_ips = [\"::/0\"]\n{more}");
        parse(&text).unwrap()[0].retry_for / 86_400_000
    };
    assert_eq!(days(""), 3);
    assert_eq!(days("retry_for = \"10d\""), 10);
}
