//! Sources to which a stranger could send are refused: one file for each in `refused`, with what is said at its top.
#![allow(clippy::unwrap_used)] // helpers of tests

use std::path::Path;

use hookwell::config::{parse, parse_locally};
use hookwell::verify::algorithm::Algorithm;

fn problems(text: &str) -> Vec<String> {
    let found = parse(text).err().unwrap_or_default();
    found.iter().map(ToString::to_string).collect()
}

#[test]
fn what_proves_nothing_is_refused_with_what_to_write_instead() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/refused");
    let (mut count, mut wrong) = (0, Vec::new());
    for file in folder.read_dir().unwrap() {
        let file = file.unwrap().path();
        let text = std::fs::read_to_string(&file).unwrap();
        let said = text.lines().map_while(|line| line.strip_prefix("# "));
        let said: Vec<_> = said.map(str::to_owned).collect();
        let found = problems(&text);
        assert!(!said.is_empty(), "{file:?} says nothing");
        if found != said {
            wrong.push(format!("{}:\n  {found:#?}\n  {said:#?}", file.display()));
        }
        count += 1;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count >= 40, "{count}");
}

#[test]
fn sources_that_share_a_secret_run_on_ones_own_machine_only() {
    let text = include_str!("refused/secret-of-two.toml");
    let (sources, told) = parse_locally(text).unwrap();
    assert_eq!(sources.len(), 2);
    let told: Vec<_> = told.iter().map(ToString::to_string).collect();
    assert_eq!(problems(text), told);
    assert!(!told.is_empty());
}

#[test]
fn no_algorithm_signs_without_the_body() {
    for (name, algorithm) in Algorithm::NAMES {
        if !algorithm.signs() {
            continue;
        }
        let with = |content: &str| {
            let text = format!(
                "[sources.a]\nsecrets = [\"env:A\"]\n[sources.a.verify]\nalg = {name:?}\n\
                 signature = {{ header = \"X-Sig\" }}\ncontent = {content:?}\n"
            );
            problems(&text)
        };
        assert_eq!(with("{body}{secret}"), [""; 0], "{name}");
        let without = with("{header:X-Id}{secret}");
        assert!(
            without.iter().any(|one| one.contains("is without {body}")),
            "{name}: {without:?}"
        );
    }
}

#[test]
fn what_is_accepted_in_writing_is_taken() {
    let hash = "alg = \"sha256\"\nsignature = { header = \"X-Sig\" }\ncontent = \"{secret}{body}\"";
    let unsigned =
        "alg = \"hmac-sha256\"\nsignature = { header = \"X-Sig\" }\ncontent = \"{header:X-Id}\"";
    for (accepted, verify) in [("length-extension", hash), ("unsigned-body", unsigned)] {
        let text = |accept: &str| {
            format!(
                "[sources.a]\nsecrets = [\"env:A\"]\naccept = [{accept}]\n[sources.a.verify]\n{verify}\n"
            )
        };
        assert_eq!(
            problems(&text(&format!("{accepted:?}"))),
            [""; 0],
            "{accepted}"
        );
        assert_eq!(problems(&text("")).len(), 1, "{accepted}");
        assert_eq!(problems(&text("\"shared-secret\"")).len(), 1, "{accepted}");
    }
    let both = |accept: &str| {
        let one = |name: &str, accept: &str| {
            format!(
                "[sources.{name}]\npreset = \"generic\"\nsecrets = [\"ssm:/one\"]\naccept = [{accept}]\n"
            )
        };
        problems(&format!(
            "{}{}",
            one("a", accept),
            one("b", "\"shared-secret\"")
        ))
    };
    assert_eq!(both("\"shared-secret\""), [""; 0]);
    assert_eq!(both("").len(), 1, "both must say so");
}

#[test]
fn the_sources_of_this_project_are_clean() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../functions/ingest/sources.toml");
    assert_eq!(problems(&std::fs::read_to_string(file).unwrap()), [""; 0]);
}
