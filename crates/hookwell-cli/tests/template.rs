//! `check --template`: our template is clean, and each mistake is caught by its rule and no other.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::collections::BTreeSet;
use std::process::Command;

use hookwell::config;
use hookwell::document::TOMBSTONE_DAYS;
use hookwell::event::LIFE_DAYS;
use hookwell::source::Source;
use hookwell_cli::template::{Finding, RULES, check};
use serde_json::Value;

const TEMPLATE: &str = include_str!("../../../template.yaml");

fn sources() -> Vec<Source> {
    config::parse(ingest::SOURCES).unwrap()
}

fn found(text: &str) -> Vec<Finding> {
    check(text, &sources()).unwrap()
}

fn rules(found: &[Finding]) -> BTreeSet<&str> {
    found.iter().map(|one| one.rule).collect()
}

/// The real template with one piece of text replaced, which must be there.
fn edited(old: &str, new: &str) -> String {
    assert!(TEMPLATE.contains(old), "the template has no {old:?}");
    TEMPLATE.replacen(old, new, 1)
}

/// The real template without a resource.
fn without(id: &str) -> String {
    let start = TEMPLATE.find(&format!("\n  {id}:\n")).unwrap();
    let rest = &TEMPLATE[start + 1..];
    let is_next = |line: &&str| !line.is_empty() && !line.starts_with("   ");
    let next = rest.lines().skip(1).find(is_next).unwrap();
    let end = rest.find(&format!("\n{next}\n")).unwrap();
    format!("{}{}", &TEMPLATE[..=start], &rest[end + 1..])
}

/// The rule, the path, and a template with one mistake.
fn mistakes() -> Vec<(&'static str, &'static str, String)> {
    let permission = "InvokedViaFunctionUrl: true";
    vec![
        (
            "ingest-timeout",
            "Resources.IngestFunction.Properties.Timeout",
            edited("Timeout: 5\n", "Timeout: 30\n"),
        ),
        (
            "log-retention",
            "Resources.IngestLogs.Properties.RetentionInDays",
            edited("      RetentionInDays: !Ref LogRetentionDays\n", ""),
        ),
        (
            "log-retention",
            "Resources.ProcessFunction.Properties.LoggingConfig.LogGroup",
            edited(
                "        LogGroup: !Ref ProcessLogs\n",
                "        LogFormat: JSON\n",
            ),
        ),
        (
            "partial-batch",
            "Resources.ProcessMapping.Properties.FunctionResponseTypes",
            edited(
                "      FunctionResponseTypes: [ReportBatchItemFailures]\n",
                "",
            ),
        ),
        (
            "partial-batch",
            "Resources.ProcessMapping.Properties.FunctionResponseTypes",
            edited("[ReportBatchItemFailures]", "[]"),
        ),
        (
            "maximum-concurrency",
            "Resources.ProcessMapping.Properties.ScalingConfig.MaximumConcurrency",
            edited("        MaximumConcurrency: !Ref MaximumConcurrency\n", ""),
        ),
        (
            "reserved-concurrency",
            "Resources.ProcessFunction.Properties.ReservedConcurrentExecutions",
            edited(
                "      Timeout: 30\n",
                "      Timeout: 30\n      ReservedConcurrentExecutions: 4\n",
            ),
        ),
        (
            "visibility-timeout",
            "Resources.Queue.Properties.VisibilityTimeout",
            edited("VisibilityTimeout: 180", "VisibilityTimeout: 179"),
        ),
        (
            "visibility-timeout",
            "Resources.Queue.Properties.VisibilityTimeout",
            edited(
                "MaximumBatchingWindowInSeconds: 0",
                "MaximumBatchingWindowInSeconds: 1",
            ),
        ),
        (
            "visibility-timeout",
            "Resources.Queue.Properties.VisibilityTimeout",
            edited("      Timeout: 30\n", "      Timeout: 60\n"),
        ),
        (
            "redrive",
            "Resources.Queue.Properties.RedrivePolicy.maxReceiveCount",
            edited("maxReceiveCount: 8", "maxReceiveCount: 1"),
        ),
        (
            "redrive",
            "Resources.Queue.Properties.RedrivePolicy",
            edited(
                "      RedrivePolicy:\n        deadLetterTargetArn: !GetAtt DeadLetterQueue.Arn\n        # AWS asks for at least 5; 8 x 180 s outlasts a short failure of DynamoDB.\n        maxReceiveCount: 8\n",
                "",
            ),
        ),
        (
            "retention",
            "Resources.DeadLetterQueue.Properties.MessageRetentionPeriod",
            edited(
                "MessageRetentionPeriod: 1209600",
                "MessageRetentionPeriod: 604800",
            ),
        ),
        (
            "retention",
            "Resources.Queue.Properties.MessageRetentionPeriod",
            edited(
                "MessageRetentionPeriod: 345600",
                "MessageRetentionPeriod: 1209600",
            ),
        ),
        (
            "message-size",
            "Resources.Queue.Properties.MaximumMessageSize",
            edited("MaximumMessageSize: 1048576", "MaximumMessageSize: 262144"),
        ),
        (
            "message-size",
            "Resources.Queue.Properties.MaximumMessageSize",
            edited("      MaximumMessageSize: 1048576\n", ""),
        ),
        (
            "queue-encryption",
            "Resources.Queue.Properties.SqsManagedSseEnabled",
            edited("SqsManagedSseEnabled: true", "SqsManagedSseEnabled: false"),
        ),
        (
            "ttl-attribute",
            "Resources.EventsTable.Properties.TimeToLiveSpecification.AttributeName",
            edited(
                "        AttributeName: expires_at",
                "        AttributeName: ttl",
            ),
        ),
        (
            "ttl-attribute",
            "Resources.EventsTable.Properties.TimeToLiveSpecification.Enabled",
            edited(
                "        Enabled: true\n      PointInTime",
                "        Enabled: false\n      PointInTime",
            ),
        ),
        (
            "point-in-time-recovery",
            "Resources.EventsTable.Properties.PointInTimeRecoverySpecification.PointInTimeRecoveryEnabled",
            edited(
                "        PointInTimeRecoveryEnabled: true",
                "        PointInTimeRecoveryEnabled: false",
            ),
        ),
        (
            "url-permissions",
            "Resources.IngestUrl.Properties",
            edited(permission, "FunctionUrlAuthType: NONE"),
        ),
        (
            "url-permissions",
            "Resources.IngestUrl.Properties",
            without("IngestUrlPermission"),
        ),
        (
            "wildcard",
            "Resources.IngestRole.Properties.Policies[0].PolicyDocument.Statement[0].Action",
            edited("Action: dynamodb:PutItem", "Action: dynamodb:*"),
        ),
        (
            "wildcard",
            "Resources.IngestRole.Properties.Policies[0].PolicyDocument.Statement[1].Resource",
            edited("Resource: !GetAtt Queue.Arn", "Resource: \"*\""),
        ),
        (
            "wildcard",
            "Resources.IngestRole.Properties.Policies[0].PolicyDocument.Statement[0].Resource",
            edited(
                "Resource: !GetAtt EventsTable.Arn",
                "Resource: !Sub arn:${AWS::Partition}:dynamodb:${AWS::Region}:${AWS::AccountId}:table/*",
            ),
        ),
        (
            "secret-variable",
            "Resources.IngestFunction.Properties.Environment.Variables",
            edited(
                "          HOOKWELL_SECRET_GENERIC: !Ref SecretGeneric\n",
                "",
            ),
        ),
        (
            "plain-secret",
            "Resources.IngestFunction.Properties.Environment.Variables.HOOKWELL_SECRET_GENERIC",
            edited(
                "HOOKWELL_SECRET_GENERIC: !Ref SecretGeneric",
                "HOOKWELL_SECRET_GENERIC: abcdefghijklmnop",
            ),
        ),
        (
            "plain-secret",
            "Parameters.SecretResource.Default",
            edited(
                "Empty makes that source answer 503.\n    Type: String\n    Default: \"\"",
                "Empty makes that source answer 503.\n    Type: String\n    Default: abcdefghijklmnop",
            ),
        ),
        (
            "no-echo",
            "Parameters.SecretResource.NoEcho",
            edited("    NoEcho: true\n", ""),
        ),
        (
            "alarm-dead-letters",
            "Resources.DeadLetterQueue",
            edited(
                "MetricName: ApproximateNumberOfMessagesVisible",
                "MetricName: NumberOfMessagesSent",
            ),
        ),
        (
            "alarm-dead-letters",
            "Resources.DeadLetterQueue",
            edited(
                "Value: !GetAtt DeadLetterQueue.QueueName",
                "Value: !GetAtt Queue.QueueName",
            ),
        ),
        (
            "alarm-oldest-message",
            "Resources.Queue",
            without("QueueOld"),
        ),
        (
            "alarm-server-errors",
            "Resources.IngestUrl.Properties",
            without("IngestUrlFailing"),
        ),
        (
            "alarm-server-errors",
            "Resources.HttpApiIntegration.Properties",
            without("HttpApiFailing"),
        ),
        (
            "alarm-throttles",
            "Resources.IngestFunction",
            without("IngestThrottled"),
        ),
    ]
}

#[test]
fn our_template_is_clean() {
    assert_eq!(found(TEMPLATE), []);
}

#[test]
fn every_mistake_is_found_by_its_rule_at_its_place_and_by_no_other() {
    for (rule, path, text) in mistakes() {
        let found = found(&text);
        let places: Vec<_> = found.iter().map(|one| (one.rule, &*one.path)).collect();
        assert_eq!(places, [(rule, path)], "{found:#?}");
        assert!(found[0].is_problem);
    }
}

#[test]
fn every_rule_has_a_mistake_here() {
    let shown: BTreeSet<_> = mistakes().iter().map(|(rule, ..)| *rule).collect();
    let all = RULES.iter().map(|rule| rule.id);
    let missing: Vec<_> = all.filter(|id| !shown.contains(id)).collect();
    // What is wrong with no wiring at all is below.
    assert_eq!(missing, ["wiring"]);
}

#[test]
fn a_template_without_endpoint_and_queue_does_not_pass_for_clean() {
    let text = "Resources:\n  Topic:\n    Type: AWS::SNS::Topic\n";
    assert_eq!(rules(&found(text)), ["wiring"].into());
    assert_eq!(found(text).len(), 2);
}

#[test]
fn what_goes_wrong_in_one_branch_only_names_the_parameter() {
    let text = without("HttpApiFailing");
    let found = found(&text);
    assert!(
        found[0].message.ends_with("(with Endpoint=api)"),
        "{found:?}"
    );
    // Both resources are there, and never together.
    let swapped = edited(
        "    Type: AWS::Lambda::Permission\n    Condition: UrlOn\n",
        "    Type: AWS::Lambda::Permission\n    Condition: ApiOn\n",
    );
    assert_eq!(rules(&self::found(&swapped)), ["url-permissions"].into());
}

#[test]
fn a_finding_points_to_its_line() {
    let text = edited("VisibilityTimeout: 180", "VisibilityTimeout: 30");
    let line = text
        .lines()
        .position(|line| line.contains("VisibilityTimeout: 30"));
    assert_eq!(found(&text)[0].line, line.unwrap() + 1);
}

#[test]
fn long_and_short_notation_mean_the_same() {
    let mut text = TEMPLATE.to_owned();
    for (short, long) in [
        (
            "EventSourceArn: !GetAtt Queue.Arn",
            "EventSourceArn: {\"Fn::GetAtt\": [Queue, Arn]}",
        ),
        (
            "FunctionName: !Ref ProcessFunction",
            "FunctionName: {Ref: ProcessFunction}",
        ),
        (
            "TargetFunctionArn: !GetAtt IngestFunction.Arn",
            "TargetFunctionArn: !Sub '${IngestFunction.Arn}'",
        ),
        (
            "LogGroup: !Ref IngestLogs",
            "LogGroup: {\"Fn::If\": [UrlOn, {Ref: IngestLogs}, !Ref IngestLogs]}",
        ),
        (
            "AttributeName: expires_at",
            "AttributeName: !Join [_, [expires, at]]",
        ),
    ] {
        assert!(text.contains(short), "{short}");
        text = text.replace(short, long);
    }
    assert_eq!(found(&text), []);
}

#[test]
fn what_only_the_deployment_knows_is_noted_and_is_no_problem() {
    let text = edited(
        "VisibilityTimeout: 180",
        "VisibilityTimeout: !ImportValue visibility",
    );
    let found = found(&text);
    assert_eq!(rules(&found), ["visibility-timeout"].into());
    assert!(!found[0].is_problem);
}

#[test]
fn what_is_no_template_is_refused_with_its_line() {
    for (text, part) in [
        ("Resources: [", "line"),
        ("a: 1\n", "it has no Resources"),
        ("", "not one YAML document"),
        ("Resources:\n  A: 1\n  A: 2\n", "line 3"),
    ] {
        let why = check(text, &[]).unwrap_err().to_string();
        assert!(why.contains(part), "{why}");
    }
}

#[test]
fn the_operations_page_says_what_to_do_for_every_alarm() {
    let page = include_str!("../../../docs/operations.md");
    let alarms: Vec<_> = TEMPLATE
        .split("\n    Type: AWS::CloudWatch::Alarm\n")
        .filter_map(|before| before.lines().last()?.trim().strip_suffix(':'))
        .collect();
    assert!(alarms.len() > 10, "{alarms:?}");
    for alarm in alarms.iter().filter(|name| **name != "Value") {
        let row = page
            .lines()
            .any(|line| line.starts_with('|') && line.contains(&format!("`{alarm}`")));
        assert!(row, "docs/operations.md has no row for {alarm}");
    }
}

/// The limits of SQS make a rule on these sums needless: no template can break them.
#[test]
fn records_and_tombstones_outlive_whatever_a_template_can_set() {
    // "Amazon SQS message quotas"; a redrive counts from new.
    let most_in_queues = 14 + 14;
    // Adyen, docs/providers.md.
    let longest_retries = 30;
    assert!(LIFE_DAYS > most_in_queues.max(longest_retries));
    assert!(TOMBSTONE_DAYS > most_in_queues + longest_retries);
}

#[test]
fn what_published_samples_do_is_caught() {
    for (text, expected) in [
        (
            include_str!("templates/sam-events.yaml"),
            &[
                "alarm-dead-letters",
                "alarm-oldest-message",
                "alarm-server-errors",
                "alarm-throttles",
                "ingest-timeout",
                "log-retention",
                "maximum-concurrency",
                "message-size",
                "partial-batch",
                "plain-secret",
                "point-in-time-recovery",
                "redrive",
                "retention",
                "secret-variable",
                "ttl-attribute",
                "visibility-timeout",
                "wildcard",
            ][..],
        ),
        (
            include_str!("templates/function-url.yaml"),
            &[
                "alarm-dead-letters",
                "alarm-oldest-message",
                "alarm-server-errors",
                "alarm-throttles",
                "message-size",
                "no-echo",
                "queue-encryption",
                "redrive",
                "reserved-concurrency",
                "retention",
                "secret-variable",
                "ttl-attribute",
                "url-permissions",
                "wildcard",
            ],
        ),
        (include_str!("templates/good.yaml"), &[]),
    ] {
        let found = found(text);
        let expected: BTreeSet<_> = expected.iter().copied().collect();
        assert_eq!(rules(&found), expected, "{found:#?}");
    }
}

#[test]
fn the_command_prints_file_line_rule_and_exits_with_one() {
    let run = |arguments: &[&str]| {
        let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
        let mut command = Command::new(env!("CARGO_BIN_EXE_hookwell"));
        command.args(arguments).current_dir(directory);
        let output = command.output().unwrap();
        (
            output.status.code(),
            String::from_utf8(output.stdout).unwrap(),
        )
    };
    let (code, printed) = run(&["check", "--template", "template.yaml"]);
    assert_eq!(code, Some(0));
    let last = printed.lines().last().unwrap();
    let rules = RULES.len();
    assert_eq!(
        last,
        format!("4 sources, {rules} rules over template.yaml, no problems")
    );

    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(
        file.path(),
        edited("VisibilityTimeout: 180", "VisibilityTimeout: 30"),
    )
    .unwrap();
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
