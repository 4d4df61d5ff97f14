//! `check --template` on templates that other people might have written: its findings, the sentences about parts that it cannot
//! see, and no false claims. Nothing here is copied.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use hookwell::config;
use hookwell::source::Source;
use hookwell_template::{Finding, check, is_hookwells};

fn sources(text: &str) -> Vec<Source> {
    if text.is_empty() {
        return Vec::new();
    }
    config::parse(text).unwrap()
}

fn found(template: &str) -> Vec<Finding> {
    check(template, &[], &[]).unwrap()
}

/// The findings of a rule: true for a problem, the path, and the message.
fn of_rule(found: &[Finding], rule: &str) -> Vec<(bool, String, String)> {
    let found = found.iter().filter(|one| one.rule == rule);
    let found = found.map(|one| (one.is_problem, one.path.clone(), one.message.clone()));
    found.collect()
}

/// True when a problem of that rule has these words in its message.
fn has_problem(found: &[Finding], rule: &str, words: &str) -> bool {
    let mut found = of_rule(found, rule).into_iter();
    found.any(|(is_problem, _, message)| is_problem && message.contains(words))
}

/// A receiver in SAM's notation, with more resources.
fn sam(resources: &str) -> String {
    format!(
        "
Transform: AWS::Serverless-2016-10-31
Parameters:
  TableName: {{Type: String}}
  QueueArn: {{Type: String}}
Resources:
  Queue: {{Type: AWS::SQS::Queue}}
  Receive:
    Type: AWS::Serverless::Function
    Properties:
      Environment: {{Variables: {{TABLE: !Ref TableName}}}}
      Events: {{Hook: {{Type: HttpApi, Properties: {{Path: /hook, Method: post}}}}}}
  Work:
    Type: AWS::Serverless::Function
    Properties:
      Events: {{Messages: {{Type: SQS, Properties: {{Queue: !GetAtt Queue.Arn}}}}}}
{resources}
"
    )
}

#[test]
fn of_a_receiver_of_another_make_only_what_the_template_shows_is_judged() {
    let text = sam("
  Dead: {Type: AWS::SQS::Queue}
  Records: {Type: AWS::DynamoDB::Table, Properties: {TableName: !Ref TableName}}
")
    .replace(
        "Queue: {Type: AWS::SQS::Queue}\n  Receive",
        "Queue:\n    Type: AWS::SQS::Queue\n    Properties:\n      RedrivePolicy: {deadLetterTargetArn: !GetAtt Dead.Arn, maxReceiveCount: 5}\n  Receive",
    );
    let found = found(&text);
    assert!(!is_hookwells(&text).unwrap());
    let first = &found.iter().find(|one| !one.is_problem).unwrap().message;
    assert!(
        first.starts_with("no function here reads a variable of Hookwell"),
        "{first}"
    );
    // How often its code tries and which attribute it writes, nobody knows.
    for rule in ["ttl-attribute", "redrive", "documents-kept", "outputs"] {
        assert_eq!(of_rule(&found, rule), [], "{rule}");
    }
    // The table is found by the parameter that gives its name.
    assert!(has_problem(
        &found,
        "point-in-time-recovery",
        "cannot be brought back"
    ));
    assert!(has_problem(&found, "retry-queue", "Work fails 5 times"));
    assert!(has_problem(
        &found,
        "partial-batch",
        "a function that raises an error gets its whole batch again"
    ));
    // One message is a batch that fails or does not.
    let alone = text.replace("!GetAtt Queue.Arn}", "!GetAtt Queue.Arn, BatchSize: 1}");
    assert_eq!(of_rule(&self::found(&alone), "partial-batch"), []);
}

#[test]
fn hookwells_tables_are_found_by_the_variables_of_the_code() {
    let template = |value: &str, table: &str| {
        format!(
            "
Transform: AWS::Serverless-2016-10-31
Parameters:
  Named: {{Type: String}}
Globals: {{Function: {{Environment: {{Variables: {{HOOKWELL_EVENTS_TABLE: {value}}}}}}}}}
Resources:
  Receive:
    Type: AWS::Serverless::Function
    Properties: {{FunctionUrlConfig: {{AuthType: NONE}}, Environment: {{Variables: {{CACHE: !Ref Cache}}}}}}
  Cache: {{Type: AWS::DynamoDB::Table}}
  Anything: {{Type: AWS::DynamoDB::Table, Properties: {{{table}}}}}
"
        )
    };
    for (value, table) in [
        ("!Ref Anything", ""),
        ("!GetAtt Anything.Arn", ""),
        ("!Sub '${Anything}'", ""),
        ("{\"Fn::GetAtt\": [Anything, Arn]}", ""),
        ("events", "TableName: events"),
        ("!Ref Named", "TableName: !Ref Named"),
        (
            "!Sub '${AWS::StackName}-events'",
            "TableName: !Sub '${AWS::StackName}-events'",
        ),
        (
            "!Sub 'arn:aws:dynamodb:${AWS::Region}:${AWS::AccountId}:table/${Named}'",
            "TableName: !Ref Named",
        ),
    ] {
        let found = found(&template(value, table));
        let places = of_rule(&found, "ttl-attribute");
        let paths: Vec<_> = places.iter().map(|(_, path, _)| path.as_str()).collect();
        let path = "Resources.Anything.Properties.TimeToLiveSpecification.AttributeName";
        assert_eq!(paths, [path], "{value}");
        assert_eq!(
            of_rule(&found, "point-in-time-recovery").len(),
            1,
            "{value}"
        );
    }
    for value in ["!ImportValue events", "!Ref Named", "other"] {
        let found = found(&template(value, ""));
        assert_eq!(of_rule(&found, "ttl-attribute"), []);
        let notes = of_rule(&found, "wiring");
        assert!(
            notes.iter().any(|(is_problem, path, message)| {
                !is_problem
                    && path.ends_with(".HOOKWELL_EVENTS_TABLE")
                    && message.contains("does not show")
            }),
            "{value}: {notes:?}"
        );
    }
}

#[test]
fn a_function_of_something_else_beside_hookwells_receives_no_webhooks() {
    let text = "
Transform: AWS::Serverless-2016-10-31
Resources:
  Ingest:
    Type: AWS::Serverless::Function
    Properties:
      FunctionUrlConfig: {AuthType: NONE}
      Environment: {Variables: {HOOKWELL_EVENTS_TABLE: !Ref Events, HOOKWELL_SECRET_SHOP: !Ref Secret}}
  Events: {Type: AWS::DynamoDB::Table}
  Orders:
    Type: AWS::Serverless::Function
    Properties:
      Timeout: 29
      Events: {Order: {Type: Api, Properties: {Path: /orders, Method: post}}}
";
    let sources =
        sources("[sources.shop]\npreset = \"shopify\"\nsecrets = [\"env:HOOKWELL_SECRET_SHOP\"]\n");
    let found = check(text, &sources, &[]).unwrap();
    let blamed = found.iter().filter(|one| one.path.contains("Orders"));
    let rules: Vec<_> = blamed.map(|one| one.rule).collect();
    assert_eq!(rules, ["log-retention"], "{found:#?}");
}

#[test]
fn api_gateway_before_a_queue_without_a_function_is_a_problem() {
    let http = "
  Api: {Type: AWS::ApiGatewayV2::Api, Properties: {ProtocolType: HTTP}}
  Integration:
    Type: AWS::ApiGatewayV2::Integration
    Properties:
      ApiId: !Ref Api
      IntegrationSubtype: SQS-SendMessage
      RequestParameters: {QueueUrl: !Ref Queue, MessageBody: $request.body}
  Route:
    Type: AWS::ApiGatewayV2::Route
    Properties: {RouteKey: POST /, Target: !Sub 'integrations/${Integration}'}
";
    let rest = |integration: &str| {
        format!(
            "
  Method:
    Type: AWS::ApiGateway::Method
    Properties:
      HttpMethod: POST
      AuthorizationType: NONE
      Integration: {{Type: AWS, {integration}}}
"
        )
    };
    let by_path = rest(
        "Uri: !Sub 'arn:aws:apigateway:${AWS::Region}:sqs:path/${AWS::AccountId}/${Queue.QueueName}'",
    );
    let joined = rest(
        "Uri: {\"Fn::Join\": ['', ['arn:', {Ref: AWS::Partition}, ':apigateway:', {Ref: AWS::Region}, ':sqs:path/', {Ref: AWS::AccountId}, /, {\"Fn::GetAtt\": [Queue, QueueName]}]]}",
    );
    let by_action = rest(
        "Uri: !Sub 'arn:aws:apigateway:${AWS::Region}:sqs:action/SendMessage', RequestTemplates: {application/json: !Sub 'Action=SendMessage&QueueUrl=${Queue}&MessageBody=$input.body'}",
    );
    let body = "
  Api:
    Type: AWS::Serverless::HttpApi
    Properties:
      DefinitionBody:
        openapi: 3.0.1
        paths:
          /hook:
            post:
              x-amazon-apigateway-integration:
                integrationSubtype: SQS-SendMessage
                requestParameters: {QueueUrl: !Ref Queue, MessageBody: $request.body}
";
    let rule = "unverified-queue";
    for resources in [http, &by_path, &joined, &by_action, body] {
        let all = found(&sam(resources));
        let words = "before anything has verified a signature, so that Work has to tell";
        assert!(has_problem(&all, rule, words), "{resources}: {all:#?}");
    }
    // Behind an authorizer, or to something else.
    let guarded = http.replace("RouteKey:", "AuthorizationType: JWT, RouteKey:");
    let keyed = by_path.replace("HttpMethod:", "ApiKeyRequired: true\n      HttpMethod:");
    let secured = body.replace(
        "              x-amazon",
        "              security: [{key: []}]\n              x-amazon",
    );
    let to_topic = by_path.replace(":sqs:", ":sns:");
    let socket = http.replace("ProtocolType: HTTP", "ProtocolType: WEBSOCKET");
    for resources in [&guarded, &keyed, &secured, &to_topic, &socket] {
        assert_eq!(of_rule(&found(&sam(resources)), rule), [], "{resources}");
    }
    // Nobody here reads it, or it is not here.
    let unread = format!(
        "  Other: {{Type: AWS::SQS::Queue}}{}",
        http.replace("!Ref Queue", "!Ref Other")
    );
    let elsewhere = http.replace("!Ref Queue", "!ImportValue queue");
    for (resources, words) in [
        (
            &unread,
            "into Other, which no function of this template reads",
        ),
        (&elsewhere, "into a queue that this template does not show"),
    ] {
        let found = of_rule(&found(&sam(resources)), rule);
        assert!(!found[0].0 && found[0].2.contains(words), "{found:?}");
    }
    // Before Hookwell it is worse.
    let own = sam(http).replace(
        "TABLE: !Ref TableName",
        "HOOKWELL_EVENTS_TABLE: !Ref TableName",
    );
    let own = own.replace(
        "Events: {Messages",
        "Environment: {Variables: {HOOKWELL_QUEUE_URL: !Ref Queue}}\n      Events: {Messages",
    );
    assert!(has_problem(
        &found(&own),
        rule,
        "past ingest, which alone verifies signatures: Work takes a forged message for an event"
    ));
}

#[test]
fn an_endpoint_is_found_in_every_notation() {
    let function = "
  Plain:
    Type: AWS::Lambda::Function
    Properties: {Timeout: 20}
  Live:
    Type: AWS::Lambda::Alias
    Properties: {FunctionName: !Ref Plain, Name: live}
";
    let uri = "!Sub 'arn:aws:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/${Plain.Arn}/invocations'";
    let body = |more: &str| {
        format!(
            "{function}
  Api:
    Type: AWS::ApiGateway::RestApi
    Properties:
      Body:
        paths:
          /hook:
            post:
              x-amazon-apigateway-integration: {{uri: {uri}{more}}}
"
        )
    };
    let target = format!(
        "{function}  Group: {{Type: AWS::ElasticLoadBalancingV2::TargetGroup, Properties: {{TargetType: lambda, Targets: [{{Id: !GetAtt Plain.Arn}}]}}}}\n"
    );
    let alias = format!(
        "{function}  Url: {{Type: AWS::Lambda::Url, Properties: {{TargetFunctionArn: !Ref Live, AuthType: AWS_IAM}}}}\n"
    );
    let template = |resources: &str| format!("Resources:{resources}");
    for resources in [body(""), target, alias] {
        let found = found(&template(&resources));
        let timeouts = of_rule(&found, "ingest-timeout");
        assert_eq!(timeouts.len(), 1, "{resources}: {found:#?}");
        assert!(!has_problem(&found, "wiring", "has a URL or an API"));
    }
    // The sender is answered before the function runs.
    let later = body(
        ", requestParameters: {integration.request.header.X-Amz-Invocation-Type: \"'Event'\"}",
    );
    let found = found(&template(&later));
    assert_eq!(of_rule(&found, "ingest-timeout"), []);
    assert!(has_problem(&found, "alarm-server-errors", "5XXError"));
}

#[test]
fn where_nobody_can_post_no_webhook_arrives() {
    let text = sam("").replace("Method: post", "Method: get");
    let text = text.replace("Environment:", "Timeout: 29\n      Environment:");
    let found = found(&text);
    for rule in ["ingest-timeout", "alarm-throttles", "alarm-server-errors"] {
        assert_eq!(of_rule(&found, rule), [], "{rule}");
    }
    let both = text.replace(
        "Events: {Hook",
        "Events: {Other: {Type: HttpApi, Properties: {Path: /, Method: post}}, Hook",
    );
    assert_eq!(of_rule(&self::found(&both), "ingest-timeout").len(), 1);
}

#[test]
fn what_another_template_has_is_noted_and_nobody_is_blamed_for_it() {
    for (queue, path) in [
        ("!ImportValue queue", "Messages.Properties.Queue"),
        ("!Ref QueueArn", "Messages.Properties.Queue"),
        (
            "!GetAtt Nested.Outputs.QueueArn",
            "Messages.Properties.Queue",
        ),
    ] {
        let nested = "  Nested: {Type: AWS::CloudFormation::Stack, Properties: {TemplateURL: ./queue.yaml}}\n";
        let nested = if queue.contains("Nested") { nested } else { "" };
        let text = sam(nested).replace("!GetAtt Queue.Arn", queue);
        let wiring = of_rule(&found(&text), "wiring");
        assert!(
            wiring.iter().all(|(is_problem, ..)| !is_problem),
            "{wiring:?}"
        );
        assert!(
            wiring.iter().any(|(_, place, _)| place.ends_with(path)),
            "{wiring:?}"
        );
    }
    // A stream is no queue that is not shown.
    let stream = sam("
  Table: {Type: AWS::DynamoDB::Table}
  Mapping: {Type: AWS::Lambda::EventSourceMapping, Properties: {FunctionName: !Ref Work, EventSourceArn: !GetAtt Table.StreamArn}}
")
    .replace("Type: SQS", "Type: SNS");
    assert!(has_problem(&found(&stream), "wiring", "no queue feeds"));
    // By its name, a queue of this template is found.
    let named = sam("").replace(
        "{Type: AWS::SQS::Queue}",
        "{Type: AWS::SQS::Queue, Properties: {QueueName: in}}",
    );
    let named = named.replace(
        "!GetAtt Queue.Arn",
        "!Sub 'arn:aws:sqs:${AWS::Region}:${AWS::AccountId}:in'",
    );
    assert_eq!(of_rule(&found(&named), "redrive").len(), 1);

    for api in [
        "DefinitionUri: api.yaml",
        "DefinitionBody: {\"Fn::Transform\": {Name: AWS::Include, Parameters: {Location: api.yaml}}}",
    ] {
        let text = sam(&format!(
            "  Api: {{Type: AWS::Serverless::Api, Properties: {{{api}}}}}\n"
        ));
        let text = text.replace("Type: HttpApi", "Type: SNS");
        let wiring = of_rule(&found(&text), "wiring");
        assert!(
            wiring.iter().all(|(is_problem, ..)| !is_problem),
            "{wiring:?}"
        );
        assert!(
            wiring
                .iter()
                .any(|(_, _, why)| why.contains("in another file"))
        );
    }
    // Logs go to a group that somebody else made.
    let logs = sam("").replace(
        "      Environment:",
        "      LoggingConfig: {LogGroup: !Ref TableName}\n      Environment:",
    );
    let logs = of_rule(&found(&logs), "log-retention");
    assert_eq!(logs.len(), 1, "{logs:?}");
    // CDK's way to say how long.
    let cdk = "  Days: {Type: Custom::LogRetention, Properties: {LogGroupName: {\"Fn::Join\": ['', [/aws/lambda/, {Ref: Receive}]]}, RetentionInDays: 7}}\n";
    assert_eq!(of_rule(&found(&sam(cdk)), "log-retention").len(), 1);
}

#[test]
fn what_says_where_a_secret_is_is_no_secret() {
    let template = |variable: &str| {
        format!(
            "
Parameters:
  SigningSecretName: {{Type: String, Default: shop/signing}}
  SigningSecret: {{Type: String}}
Resources:
  Receive: {{Type: AWS::Lambda::Function, Properties: {{Environment: {{Variables: {{{variable}}}}}}}}}
"
        )
    };
    for variable in [
        "TOKEN_TABLE: tokens",
        "TOKEN_URL: https://login.example.com/token",
        "SHOP_SECRET: arn:aws:secretsmanager:us-east-1:111122223333:secret:shop",
        "SHOP_SECRET: /shop/secret",
        "SHOP_SECRET: !Ref SigningSecretName",
        "USE_TOKEN: 'true'",
        "TOKEN_EXPIRY: '3600'",
    ] {
        let found = found(&template(variable));
        for rule in ["plain-secret", "no-echo"] {
            assert_eq!(of_rule(&found, rule), [], "{variable}");
        }
    }
    assert!(has_problem(
        &found(&template("SHOP_SECRET: hunter2hunter2")),
        "plain-secret",
        "plain text"
    ));
    assert!(has_problem(
        &found(&template("SHOP_SECRET: !Ref SigningSecret")),
        "no-echo",
        "SHOP_SECRET"
    ));
}

#[test]
fn a_star_that_means_one_thing_only_is_no_wildcard() {
    let allowing = |action: &str, resource: &str| {
        format!(
            "Resources:\n  Role: {{Type: AWS::IAM::Role, Properties: {{Policies: [{{PolicyDocument: {{Statement: [{{Effect: Allow, Action: {action}, Resource: {resource}}}]}}}}]}}}}\n"
        )
    };
    let rule = "wildcard";
    for (action, resource) in [
        ("s3:GetObject", "'arn:aws:s3:::bodies/*'"),
        (
            "execute-api:ManageConnections",
            "'arn:aws:execute-api:us-east-1:111122223333:a1b2c3/*'",
        ),
        (
            "[ec2:CreateNetworkInterface, ec2:DescribeNetworkInterfaces]",
            "'*'",
        ),
        ("logs:CreateLogDelivery", "'*'"),
    ] {
        assert_eq!(
            of_rule(&found(&allowing(action, resource)), rule),
            [],
            "{action}"
        );
    }
    for (action, resource) in [
        ("s3:GetObject", "'arn:aws:s3:::*/*'"),
        (
            "dynamodb:PutItem",
            "'arn:aws:dynamodb:us-east-1:111122223333:table/*'",
        ),
        ("sqs:SendMessage", "'*'"),
    ] {
        assert_eq!(
            of_rule(&found(&allowing(action, resource)), rule).len(),
            1,
            "{action}"
        );
    }
    let statement =
        "{Effect: Allow, Principal: '*', Action: execute-api:Invoke, Resource: 'execute-api:/*'}";
    let api = format!(
        "Resources:\n  Api: {{Type: AWS::ApiGateway::RestApi, Properties: {{Policy: {{Statement: [{statement}]}}}}}}\n"
    );
    assert_eq!(of_rule(&found(&api), rule), []);
    let statement = "{Effect: Allow, Principal: {Service: sns.amazonaws.com}, Action: sqs:SendMessage, Resource: '*'}";
    let policy = format!(
        "Resources:\n  Policy: {{Type: AWS::SQS::QueuePolicy, Properties: {{Queues: [!Ref A, !Ref B], PolicyDocument: {{Statement: [{statement}]}}}}}}\n"
    );
    for rule in [rule, "queue-policy"] {
        assert_eq!(of_rule(&found(&policy), rule), [], "{rule}");
    }
}

#[test]
fn an_element_that_a_condition_moves_is_found_once() {
    let text = "
Parameters: {Traced: {Type: String, Default: 'yes', AllowedValues: ['yes', 'no']}}
Conditions: {IsTraced: !Equals [!Ref Traced, 'yes']}
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      Policies:
        - PolicyDocument:
            Statement:
              - !If [IsTraced, {Effect: Allow, Action: xray:PutTraceSegments, Resource: '*'}, !Ref AWS::NoValue]
              - {Effect: Allow, Action: sqs:*, Resource: !GetAtt Queue.Arn}
  Queue: {Type: AWS::SQS::Queue}
";
    assert_eq!(of_rule(&found(text), "wildcard").len(), 1);
}

/// A connector is a policy once SAM has seen it.
#[test]
fn rights_that_a_connector_gives_are_not_missed() {
    let text = "
Transform: AWS::Serverless-2016-10-31
Resources:
  Receive:
    Type: AWS::Serverless::Function
    Connectors: {Events: {Properties: {Destination: {Id: Events}, Permissions: [Write]}}}
    Properties:
      FunctionUrlConfig: {AuthType: NONE}
      Environment: {Variables: {HOOKWELL_EVENTS_TABLE: !Ref Events}}
  Events: {Type: AWS::DynamoDB::Table}
";
    assert_eq!(of_rule(&found(text), "missing-action"), []);
    let without = text.replace("Connectors:", "Metadata:");
    let apart = format!("{without}  Connector: {{Type: AWS::Serverless::Connector}}\n");
    assert_eq!(of_rule(&found(&apart), "missing-action"), []);
    assert!(has_problem(&found(&without), "missing-action", "PutItem"));
}

#[test]
fn ingest_runs_no_longer_than_its_most_hurried_sender_waits() {
    let source = |name: &str, preset: &str| {
        format!("[sources.{name}]\npreset = {preset:?}\nsecrets = [\"ssm:/{name}\"]\n")
    };
    let timeouts = |seconds: u8, file: &str| -> Vec<String> {
        let text = sam("").replace(
            "      Environment:",
            &format!("      Timeout: {seconds}\n      Environment:"),
        );
        let found = check(&text, &sources(file), &[]).unwrap();
        let found = of_rule(&found, "ingest-timeout").into_iter();
        found.map(|(_, _, message)| message).collect()
    };
    let (code, chat) = (source("code", "github"), source("chat", "slack"));
    let both = format!("{code}{chat}");
    let chat = "is 4 s, but sources.chat waits no longer than 3 s for an answer";
    assert!(timeouts(4, &both)[0].starts_with(chat));
    assert_eq!(timeouts(3, &both), [""; 0]);
    assert_eq!(timeouts(10, &code), [""; 0]);
    let code_waits = "is 11 s, but sources.code waits no longer than 10 s";
    assert!(timeouts(11, &code)[0].starts_with(code_waits));
    // A source may say it itself, and one that does not say it waits as long as impatient senders do.
    let own = format!("{code}answer_within = \"2s\"\n");
    assert!(timeouts(3, &own)[0].contains("sources.code waits no longer than 2 s"));
    let silent = format!("{code}{}", source("pay", "stripe"));
    assert!(timeouts(6, &silent)[0].contains("impatient senders wait no longer than 5 s"));
    assert_eq!(timeouts(5, &silent), [""; 0]);
    assert!(timeouts(6, "")[0].contains("impatient senders wait no longer than 5 s"));
}
