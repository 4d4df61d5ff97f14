//! `check --template`: our template is clean, and each mistake is caught by its rule and no other.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod mistakes;

use std::collections::BTreeSet;

use hookwell::config;
use hookwell::event::LIFE_DAYS;
use hookwell::ports::document::TOMBSTONE_DAYS;
use hookwell::source::Source;
use hookwell_template::{Finding, RULES, check};
use mistakes::{edited, mistakes, without};

const SOURCES: &str = include_str!("../../../../functions/ingest/sources.toml");

const TEMPLATE: &str = include_str!("../../../../template.yaml");

/// The names of the shipped sources. Those that somebody adds are theirs.
const SHIPPED: [&str; 4] = ["generic", "plain", "resource", "stonal"];

fn sources() -> Vec<Source> {
    shipped(SOURCES)
}

/// The shipped sources of a file.
fn shipped(file: &str) -> Vec<Source> {
    let mut sources = config::parse(file).unwrap();
    sources.retain(|source| SHIPPED.contains(&source.name.as_str()));
    sources
}

fn found(text: &str) -> Vec<Finding> {
    check(text, &sources(), &[]).unwrap()
}

fn rules(found: &[Finding]) -> BTreeSet<&str> {
    found.iter().map(|one| one.rule).collect()
}

#[test]
fn our_template_is_clean() {
    assert_eq!(found(TEMPLATE), []);
}

#[test]
fn pollers_of_provisioned_mode_take_the_place_of_the_limit() {
    let range = "    # The range is CloudFormation's own: \"AWS::Lambda::EventSourceMapping";
    let text = edited(
        &format!("    Default: 0\n{range}"),
        &format!("    Default: 20\n{range}"),
    );
    assert_eq!(found(&text), []);
    let unlimited = text.replace(
        "        - MaximumPollers: !Ref MaximumPollers\n          MinimumPollers",
        "        - MinimumPollers",
    );
    assert_eq!(rules(&found(&unlimited)), ["maximum-concurrency"].into());
}

/// DynamoDB counts by table and operation: what is not named there fails unseen.
#[test]
fn the_alarm_about_the_tables_watches_every_operation_of_the_functions() {
    let (_, alarm) = TEMPLATE.split_once("\n  TablesFailing:\n").unwrap();
    let (alarm, _) = alarm.split_once("\n  # ---").unwrap();
    // Not those of a handler on tables of its own.
    let ours = |statement: &&str| {
        let tables = ["!GetAtt EventsTable.Arn\n", "!GetAtt DocumentsTable.Arn\n"];
        tables.iter().any(|table| statement.contains(table))
    };
    let statements = TEMPLATE.split("- Sid: ").skip(1).filter(ours);
    let actions: BTreeSet<_> = statements
        .flat_map(|statement| statement.split("dynamodb:").skip(1))
        .filter_map(|rest| rest.split(|c: char| !c.is_ascii_alphanumeric()).next())
        .collect();
    assert_eq!(actions, ["BatchGetItem", "PutItem", "UpdateItem"].into());
    for operation in actions {
        for metric in ["ThrottledRequests", "SystemErrors"] {
            let watched = alarm.split("- Id: ").any(|one| {
                one.contains(&format!("MetricName: {metric}\n"))
                    && one.contains(&format!("Value: {operation}}}"))
            });
            assert!(watched, "{metric} of {operation}");
        }
    }
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

/// The alarm that operations.md shows, for a source of another name.
#[test]
fn a_source_that_is_expected_to_send_needs_an_alarm_for_its_silence() {
    let expecting = |every: &str| {
        let key = "preset = \"generic\"\n";
        shipped(&SOURCES.replace(key, &format!("{key}expect_every = \"{every}\"\n")))
    };
    let page = include_str!("../../../../docs/operations.md");
    let (_, alarm) = page.split_once("```yaml\n  ShopQuiet:\n").unwrap();
    let (alarm, _) = alarm.split_once("```").unwrap();
    let alarm = format!(
        "\n  Quiet:\n{}\n",
        alarm.replace("Value: shop", "Value: generic")
    );
    let with = TEMPLATE.replacen(
        "\n  SourceNotConfigured:\n",
        &format!("{alarm}  SourceNotConfigured:\n"),
        1,
    );
    assert_eq!(check(&with, &expecting("1h"), &[]).unwrap(), []);
    for (template, every) in [
        (TEMPLATE.to_owned(), "1h"),
        (with.clone(), "2h"),
        (with.clone(), "1d"),
        (with.replace("Value: generic", "Value: other"), "1h"),
        (
            with.replace("TreatMissingData: breaching", "TreatMissingData: missing"),
            "1h",
        ),
        (
            with.replace("LessThanThreshold", "GreaterThanThreshold"),
            "1h",
        ),
    ] {
        let found = check(&template, &expecting(every), &[]).unwrap();
        assert_eq!(
            rules(&found),
            ["alarm-quiet-source"].into(),
            "{every}: {found:?}"
        );
    }
}

/// By default every queue of the account may name another as its dead-letter queue, and SQS moves messages there without a permission.
#[test]
fn no_queue_of_another_stack_may_take_ours_for_its_dead_letter_queue() {
    let by_queue = |name: &str| {
        let arn = "arn:${AWS::Partition}:sqs:${AWS::Region}:${AWS::AccountId}";
        let named = format!("sourceQueueArns: [!Sub \"{arn}:{name}\"]");
        format!(
            " !If\n        - HasQueueName\n        - redrivePermission: byQueue\n          {named}"
        )
    };
    for (queue, policy) in [
        ("Queue", "\n        redrivePermission: denyAll".to_owned()),
        ("RetryQueue", by_queue("${QueueName}")),
        ("DeadLetterQueue", by_queue("${QueueName}-retry")),
    ] {
        let start = format!("\n  {queue}:\n    Type: AWS::SQS::Queue\n");
        let (_, rest) = TEMPLATE.split_once(&start).unwrap();
        let (resource, _) = rest.split_once("\n\n").unwrap();
        let wanted = format!("\n      RedriveAllowPolicy:{policy}\n");
        assert!(resource.contains(&wanted), "{queue}: {resource}");
    }
}

#[test]
fn every_rule_has_a_mistake_here() {
    let mut shown: BTreeSet<_> = mistakes().iter().map(|(rule, ..)| *rule).collect();
    // It asks for what the sources file says, below.
    shown.insert("alarm-quiet-source");
    let all: BTreeSet<_> = RULES.iter().map(|rule| rule.id).collect();
    assert_eq!(shown, all);
}

#[test]
fn a_template_without_endpoint_and_queue_does_not_pass_for_clean() {
    let text = "Resources:\n  Topic:\n    Type: AWS::SNS::Topic\n";
    let found = found(text);
    assert_eq!(rules(&found), ["wiring"].into());
    assert_eq!(found.iter().filter(|one| one.is_problem).count(), 2);
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
        let why = check(text, &[], &[]).unwrap_err().to_string();
        assert!(why.contains(part), "{why}");
    }
}

#[test]
fn the_operations_page_says_what_to_do_for_every_alarm() {
    let page = include_str!("../../../../docs/operations.md");
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

#[test]
fn the_outputs_name_the_url_of_each_shipped_source_at_both_endpoints() {
    let of = |start: &str| -> BTreeSet<&str> {
        let values = TEMPLATE.lines().map(str::trim);
        values.filter_map(|line| line.strip_prefix(start)).collect()
    };
    let function = of("Value: !Sub ${IngestUrl.FunctionUrl}webhooks/");
    assert_eq!(function, of("Value: !Sub ${HttpApi.ApiEndpoint}/webhooks/"));
    assert!(function.is_superset(&SHIPPED.into()), "{function:?}");
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
            include_str!("sam-events.yaml"),
            &[
                "alarm-dead-letters",
                "alarm-oldest-message",
                "alarm-server-errors",
                "alarm-throttles",
                "events-index",
                "ingest-timeout",
                "log-retention",
                "maximum-concurrency",
                "message-size",
                "missing-action",
                "outputs",
                "partial-batch",
                "plain-secret",
                "point-in-time-recovery",
                "retention",
                "retry-queue",
                "secret-variable",
                "ttl-attribute",
                "visibility-timeout",
                "wildcard",
            ][..],
        ),
        (
            include_str!("function-url.yaml"),
            &[
                "alarm-dead-letters",
                "alarm-oldest-message",
                "alarm-server-errors",
                "alarm-throttles",
                "events-index",
                "message-size",
                "missing-action",
                "no-echo",
                "outputs",
                "queue-encryption",
                "redrive",
                "reserved-concurrency",
                "retention",
                "retry-queue",
                "secret-variable",
                "ttl-attribute",
                "url-permissions",
                "wildcard",
            ],
        ),
        (include_str!("good.yaml"), &[]),
    ] {
        let found = found(text);
        let expected: BTreeSet<_> = expected.iter().copied().collect();
        assert_eq!(rules(&found), expected, "{found:#?}");
    }
}

/// Findings of `check` in a template for these destinations: each with true when it is a problem.
fn found_for(text: &str, table: &str) -> Vec<(bool, String)> {
    let file = format!("{SOURCES}\n[destinations.one]\n{table}");
    let destinations = config::destinations(&file).unwrap();
    let found = check(text, &sources(), &destinations).unwrap();
    let found = found.into_iter();
    found.map(|one| (one.is_problem, one.message)).collect()
}

#[test]
fn what_a_destination_needs_is_noted_while_a_parameter_gives_it_and_else_a_problem() {
    let queue = "does not allow sqs:SendMessage on Queue, which ProcessFunction calls: add it";
    let hint = |by: &str| format!(", by deploying with {by}");
    let queue = (false, format!("{queue}{}", hint("Destinations=yes")));
    for (table, action, by, granted, other) in [
        (
            "to = \"eventbridge:main\"",
            "events:PutEvents",
            "another DestinationBusArn",
            "Action: events:PutEvents\n",
            "Action: events:DescribeEventBus\n",
        ),
        (
            "to = \"sqs:https://sqs.eu-west-1.amazonaws.com/1/orders\"",
            "sqs:SendMessage",
            "another DestinationQueueArn",
            "Resource: !Ref DestinationQueueArn\n",
            "Resource: !GetAtt Queue.Arn\n",
        ),
    ] {
        let why = format!(
            "does not allow {action}, which destinations.one needs: allow ProcessFunction to"
        );
        let noted = (false, format!("{why}{}", hint(by)));
        assert_eq!(found_for(TEMPLATE, table), [queue.clone(), noted]);
        assert_eq!(TEMPLATE.matches(granted).count(), 1, "{granted}");
        let found = found_for(&TEMPLATE.replace(granted, other), table);
        assert_eq!(found, [queue.clone(), (true, why)]);
    }
    let table = "to = \"https://example.com\"\nsecret = \"ssm:/hookwell-out/one\"";
    let why = "does not allow ssm:GetParameter of ssm:/hookwell-out/one, which destinations.one needs: allow ProcessFunction to";
    assert_eq!(
        found_for(TEMPLATE, table),
        [
            queue.clone(),
            (
                false,
                format!("{why}{}", hint("another DestinationSecretPrefix"))
            )
        ]
    );
    // From the environment it takes a variable.
    let table = "to = \"https://example.com\"\nsecret = \"env:OUT_SECRET\"";
    let why = "has no OUT_SECRET, from which destinations.one takes its secret: add it, with a NoEcho parameter as its value";
    let found = found_for(TEMPLATE, table);
    assert!(found.contains(&(true, why.to_owned())), "{found:?}");
    assert!(found.contains(&queue));
}

#[test]
fn what_a_source_has_in_a_store_is_noted_while_a_parameter_lets_ingest_read_it_and_else_a_problem()
{
    const HINT: &str = ", by deploying with another SecretPrefix";
    let given = |prefix: &str| {
        let (before, after) = TEMPLATE.split_once("\n  SecretPrefix:\n").unwrap();
        let (about, default) = after.split_once("Default: ").unwrap();
        let (_, after) = default.split_once('\n').unwrap();
        format!("{before}\n  SecretPrefix:\n{about}Default: {prefix}\n{after}")
    };
    let without = given("\"\"");
    let found = |text: &str, keys: &str| -> Vec<(bool, String)> {
        let file = format!("[sources.shop]\n{keys}\n");
        let found = check(text, &config::parse(&file).unwrap(), &[]).unwrap();
        assert!(
            rules(&found).is_subset(&["missing-action"].into()),
            "{found:#?}"
        );
        let found = found.into_iter();
        found.map(|one| (one.is_problem, one.message)).collect()
    };
    let why = |reference: &str| {
        format!("does not allow {reference}, which sources.shop needs: allow IngestFunction to")
    };
    let noted = |reference: &str| [(false, format!("{}{HINT}", why(reference)))];
    for (keys, reference) in [
        (
            "preset = \"plaid\"\npinned = [\"ssm:/hookwell/shop\"]",
            "ssm:GetParameter of ssm:/hookwell/shop",
        ),
        (
            "preset = \"meta\"\nsecrets = [\"env:HOOKWELL_SECRET_GENERIC\"]\nhandshake = { verify_token = \"ssm:hookwell/shop\" }",
            "ssm:GetParameter of ssm:hookwell/shop",
        ),
    ] {
        assert_eq!(found(&without, keys), noted(reference));
    }
    for (key, call, sid, own) in [
        (
            "ssm:/hookwell/shop",
            "ssm:GetParameter",
            "ReadParameters",
            "hookwell/shop",
        ),
        (
            "secretsmanager:hookwell/shop#AWSCURRENT",
            "secretsmanager:GetSecretValue",
            "ReadSecrets",
            "hookwell/shop-??????",
        ),
    ] {
        let keys = format!("preset = \"generic\"\nsecrets = [\"{key}\"]");
        let reference = format!("{call} of {key}");
        // By the parameter, which is empty, right, or of other names.
        assert_eq!(found(&without, &keys), noted(&reference));
        assert_eq!(found(&given("hookwell/"), &keys), []);
        assert_eq!(found(&given("hookwell/shop/"), &keys), noted(&reference));
        // By the name of the key alone.
        let (before, after) = without.split_once(&format!("Sid: {sid}\n")).unwrap();
        let changed = |old: &str, new: &str| {
            let after = after.replacen(old, new, 1);
            found(&format!("{before}Sid: {sid}\n{after}"), &keys)
        };
        assert_eq!(changed("${SecretPrefix}*", own), noted(&reference));
        // Nothing that somebody could give lets ingest read it.
        let problem = [(true, why(&reference))];
        assert_eq!(changed("${SecretPrefix}*", "hookwell/sho"), problem);
        assert_eq!(changed("Action: ", "Action: kms:"), problem);
    }
}
