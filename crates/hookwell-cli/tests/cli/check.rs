//! `hookwell check` of sources files and templates.

use std::path::Path;
use std::process::Command;

use hookwell_template::RULES;
use serde_json::{Value, json};

use crate::cli::{ROOT, hookwell, text};

#[test]
fn check_lists_every_mistake_and_exits_with_one() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let mistakes = r#"
        [sources.a]
        preset = "stripey"
        [sources.b]
        preset = "plain"
        [sources.c]
        preset = "resource"
        secrets = ["C_SECRET"]
        [sources.d]
        preset = "resource"
        secrets = ["env:D"]
        max_body_bytes = -1
        alow_ips = ["10.0.0.0/8"]
    "#;
    std::fs::write(file.path(), mistakes).unwrap();
    let checked = hookwell(&["check", "--sources", file.path().to_str().unwrap()]);
    assert_eq!(checked.status.code(), Some(1));
    let expected = [
        r#"sources.a.preset: there is no preset "stripey""#,
        "sources.b.allow_ips: is missing",
        "sources.c.secrets[0]: is not env:NAME",
        "sources.d.alow_ips: unknown key: did you mean allow_ips?",
        "sources.d.max_body_bytes: is a number from 1 to 6291456",
        "5 problems",
    ];
    let output = text(&checked.stdout);
    for (line, start) in output.lines().zip(expected) {
        assert!(line.starts_with(start), "{line}");
    }
    assert_eq!(output.lines().count(), expected.len());
}

/// A file of before November 2026 is as good as it was.
#[test]
fn check_accepts_the_setting_that_chose_when_to_send_and_says_that_it_is_ignored() {
    let file = tempfile::NamedTempFile::new().unwrap();
    for send in ["with-put", "after-put"] {
        let content = format!(
            "[sources.shop]\npreset = \"plain\"\nallow_ips = [\"192.0.2.0/24\"]\nsend = \"{send}\"\n"
        );
        std::fs::write(file.path(), content).unwrap();
        let path = file.path().to_str().unwrap();
        let checked = hookwell(&["check", "--sources", path]);
        assert_eq!(checked.status.code(), Some(0), "{checked:?}");
        let printed = text(&checked.stdout);
        assert!(
            printed.contains("note: sources.shop.send: is ignored"),
            "{printed}"
        );
        let checked = hookwell(&["check", "--sources", path, "--json"]);
        let found: Value = serde_json::from_slice(&checked.stdout).unwrap();
        assert_eq!(found["problems"], json!([]));
        assert_eq!(found["notes"][0]["path"], "sources.shop.send");
    }
}

#[test]
fn check_passes_the_shipped_file_and_refuses_an_unusable_secret() {
    let checked = hookwell(&["check"]);
    assert!(checked.status.success());
    assert!(
        text(&checked.stdout).contains(
            "note: sources.resource.secrets: env:HOOKWELL_SECRET_RESOURCE is not set here"
        )
    );
    let checked = Command::new(env!("CARGO_BIN_EXE_hookwell"))
        .current_dir(ROOT)
        .args(["check", "--json"])
        .env("HOOKWELL_SECRET_RESOURCE", "changeme")
        .output()
        .unwrap();
    assert_eq!(checked.status.code(), Some(1));
    let found: Value = serde_json::from_slice(&checked.stdout).unwrap();
    assert_eq!(
        found["problems"][0]["message"],
        "env:HOOKWELL_SECRET_RESOURCE is a placeholder from an example"
    );
    assert!(!text(&checked.stdout).contains("changeme"));
}

#[test]
fn check_refuses_credentials_without_a_user_or_a_password() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let source = "[sources.x]\nsecrets = [\"env:HOOKWELL_TEST_BASIC\"]\n[sources.x.verify]\nalg = \"basic\"\n\
                  signature = { header = \"Authorization\" }\n";
    std::fs::write(file.path(), source).unwrap();
    let check = |credentials: &str| {
        let checked = Command::new(env!("CARGO_BIN_EXE_hookwell"))
            .args(["check", "--json", "--sources"])
            .arg(file.path())
            .env("HOOKWELL_TEST_BASIC", credentials)
            .output()
            .unwrap();
        let found: Value = serde_json::from_slice(&checked.stdout).unwrap();
        (checked.status.code(), found["problems"].clone())
    };
    let password = "a-password-that-is-long-enough";
    assert_eq!(check(&format!("user:{password}")), (Some(0), json!([])));
    for bad in [
        format!(":{password}"),
        "a-user-that-is-long-enough:".to_owned(),
        password.to_owned(),
    ] {
        let (code, problems) = check(&bad);
        assert_eq!(code, Some(1), "{bad}");
        assert_eq!(
            problems[0]["path"], "sources.x.secrets",
            "{bad}: {problems}"
        );
        assert!(!problems.to_string().contains(&bad), "{problems}");
    }
}

#[test]
fn check_prints_file_line_and_rule_of_a_template_and_exits_with_one() {
    const TEMPLATE: &str = include_str!("../../../../template.yaml");
    let run = |arguments: &[&str]| {
        let output = hookwell(arguments);
        (output.status.code(), text(&output.stdout))
    };
    let (code, printed) = run(&["check", "--template", "template.yaml"]);
    assert_eq!(code, Some(0));
    let last = printed.lines().last().unwrap();
    let rules = RULES.len();
    let clean = format!(" sources, {rules} rules over template.yaml, no problems");
    assert!(last.ends_with(&clean), "{last}");

    let file = tempfile::NamedTempFile::new().unwrap();
    let right = "VisibilityTimeout: 180";
    assert!(TEMPLATE.contains(right));
    let wrong = TEMPLATE.replacen(right, "VisibilityTimeout: 30", 1);
    std::fs::write(file.path(), wrong).unwrap();
    let path = file.path().to_str().unwrap();
    let (code, printed) = run(&["check", "--template", path]);
    assert_eq!(code, Some(1));
    assert!(printed.contains(
        "Resources.Queue.Properties.VisibilityTimeout: is 30 s, but ProcessFunction runs up to 30 s"
    ));
    assert!(printed.contains("[visibility-timeout]"));
    let (code, printed) = run(&["check", "--template", path, "--json"]);
    assert_eq!(code, Some(1));
    let printed: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(printed["problems"][0]["rule"], "visibility-timeout");
    assert!(printed["problems"][0]["line"].is_u64());

    let (_, help) = run(&["check", "--help"]);
    for rule in RULES {
        assert!(help.contains(rule.id), "{}", rule.id);
    }
}

/// Runs `check` in a folder.
fn check_in(folder: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hookwell"));
    command.arg("check").args(arguments).current_dir(folder);
    let output = command.output().unwrap();
    (
        output.status.code(),
        text(&output.stdout),
        text(&output.stderr),
    )
}

const SHIPPED: &str = include_str!("../../../../template.yaml");

#[test]
fn a_rule_that_is_allowed_is_printed_and_is_no_problem() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("template.yaml");
    let wrong = SHIPPED
        .replacen("VisibilityTimeout: 180", "VisibilityTimeout: 30", 1)
        .replacen("maxReceiveCount: 3", "maxReceiveCount: 9", 1);
    std::fs::write(&path, wrong).unwrap();
    let sources = "[sources.open]\npreset = \"plain\"\nallow_ips = [\"192.0.2.0/24\"]\n";
    std::fs::write(folder.path().join("sources.toml"), sources).unwrap();
    let check = |arguments: &[&str]| {
        let typed = [&["--template", "template.yaml"], arguments].concat();
        check_in(folder.path(), &typed)
    };
    let (code, printed, _) = check(&["--allow", "visibility-timeout"]);
    assert_eq!(code, Some(1), "{printed}");
    let allowed = ": allowed: Resources.Queue.Properties.VisibilityTimeout: is 30 s";
    assert!(printed.contains(allowed), "{printed}");
    assert!(printed.ends_with("1 problem, 1 allowed\n"), "{printed}");

    let both = ["--allow", "visibility-timeout", "--allow", "redrive"];
    let (code, printed, _) = check(&both);
    assert_eq!(code, Some(0), "{printed}");
    assert!(printed.ends_with("no problems, 2 allowed\n"), "{printed}");
    let (code, printed, _) = check(&[&both[..], &["--json"]].concat());
    assert_eq!(code, Some(0));
    let found: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(found["problems"], json!([]));
    assert_eq!(found["allowed"].as_array().unwrap().len(), 2);
    assert_eq!(found["allowed"][0]["rule"], "visibility-timeout");

    let (code, _, said) = check(&["--allow", "visibility"]);
    assert_eq!(code, Some(2), "{said}");
    for rule in RULES {
        assert!(said.contains(rule.id), "{said}");
    }
}

/// A receiver that somebody wrote without Hookwell.
const FOREIGN: &str = "
Transform: AWS::Serverless-2016-10-31
Resources:
  Receive:
    Type: AWS::Serverless::Function
    Properties:
      FunctionUrlConfig: {AuthType: NONE}
      Environment: {Variables: {TABLE: !Ref Table}}
  Table: {Type: AWS::Serverless::SimpleTable}
";

#[test]
fn a_template_that_is_not_hookwells_is_not_compared_with_the_sources_at_hand() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("other.yaml");
    std::fs::write(&path, FOREIGN).unwrap();
    let path = path.to_str().unwrap();
    // In a project, and where there is none.
    for place in [Path::new(ROOT), folder.path()] {
        let (code, printed, said) = check_in(place, &["--template", path]);
        assert_eq!(code, Some(1), "{said}");
        for word in ["secret-variable", "note: sources", " sources, "] {
            assert!(!printed.contains(word), "{printed}");
        }
        let first = printed.lines().next().unwrap();
        assert!(
            first.contains("note: Resources: no function here reads a variable of Hookwell"),
            "{printed}"
        );
    }
    // Whoever names a file means it.
    let file = Path::new(ROOT).join("functions/ingest/sources.toml");
    let named = ["--template", path, "--sources", file.to_str().unwrap()];
    let (_, printed, _) = check_in(folder.path(), &named);
    assert!(
        printed.contains("from which sources.resource takes a secret"),
        "{printed}"
    );
}

#[test]
fn a_template_of_another_project_is_compared_with_the_sources_of_that_project() {
    let folder = tempfile::tempdir().unwrap();
    let template = folder.path().join("template.yaml");
    let own = "HOOKWELL_SECRET_RESOURCE: !Ref SecretResource";
    assert!(SHIPPED.contains(own));
    std::fs::write(
        &template,
        SHIPPED.replace(own, "SHOP_SECRET: !Ref SecretResource"),
    )
    .unwrap();
    let check = || check_in(Path::new(ROOT), &["--template", template.to_str().unwrap()]);
    // Without a sources file of its own it may be of this project.
    let (_, printed, _) = check();
    assert!(
        printed.contains("has no HOOKWELL_SECRET_RESOURCE"),
        "{printed}"
    );
    let sources = "[sources.shop]\npreset = \"shopify\"\nsecrets = [\"env:SHOP_SECRET\"]\n";
    std::fs::write(folder.path().join("sources.toml"), sources).unwrap();
    let (code, printed, _) = check();
    assert_eq!(code, Some(0), "{printed}");
    assert!(printed.contains("1 sources, "), "{printed}");
    std::fs::write(
        folder.path().join("sources.toml"),
        sources.replace("SHOP_SECRET", "OTHER_SECRET"),
    )
    .unwrap();
    let (code, printed, _) = check();
    assert_eq!(code, Some(1));
    assert!(
        printed.contains("has no OTHER_SECRET, from which sources.shop takes a secret"),
        "{printed}"
    );
    // Nothing at hand.
    std::fs::remove_file(folder.path().join("sources.toml")).unwrap();
    let (code, printed, _) = check_in(folder.path(), &["--template", "template.yaml"]);
    assert_eq!(code, Some(0), "{printed}");
    assert!(
        printed.starts_with("note: sources.toml: is not there"),
        "{printed}"
    );
}

#[test]
fn without_a_project_in_the_current_folder_a_command_asks_for_the_sources() {
    let folder = tempfile::tempdir().unwrap();
    let check = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hookwell"));
        command.arg("check").current_dir(folder.path());
        command.output().unwrap()
    };
    let checked = check();
    assert!(!checked.status.success());
    let said = text(&checked.stderr);
    assert!(
        said.contains("functions/ingest/sources.toml nor sources.toml"),
        "{said}"
    );
    assert!(said.contains("--sources"), "{said}");
    std::fs::write(folder.path().join("sources.toml"), "[sources.own]\n").unwrap();
    let said = text(&check().stdout);
    assert!(said.contains("sources.own"), "{said}");
}
