//! The real template with one mistake in it, for each rule.

use crate::TEMPLATE;

/// The real template with one piece of text replaced, which must be there.
pub(crate) fn edited(old: &str, new: &str) -> String {
    assert!(TEMPLATE.contains(old), "the template has no {old:?}");
    TEMPLATE.replacen(old, new, 1)
}

/// The real template without a resource.
pub(crate) fn without(id: &str) -> String {
    let start = TEMPLATE.find(&format!("\n  {id}:\n")).unwrap();
    let rest = &TEMPLATE[start + 1..];
    let is_next = |line: &&str| !line.is_empty() && !line.starts_with("   ");
    let next = rest.lines().skip(1).find(is_next).unwrap();
    let end = rest.find(&format!("\n{next}\n")).unwrap();
    format!("{}{}", &TEMPLATE[..=start], &rest[end + 1..])
}

/// The one statement of the bucket's policy, from its effect on.
const BUCKET_POLICY: &str = "            Effect: Deny
            Principal: \"*\"
            Action: s3:*
            Resource: [!GetAtt Bucket.Arn, !Sub \"${Bucket.Arn}/*\"]
            Condition:
              Bool:
                aws:SecureTransport: \"false\"
";

/// The permission with which the HTTP API calls ingest.
const PERMISSION: &str = "      Principal: apigateway.amazonaws.com
      SourceArn: !Sub arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}:${HttpApi}/*/*/webhooks/*
";

/// The start of the table of documents.
const DOCUMENTS: &str = "  DocumentsTable:
    Type: AWS::DynamoDB::Table
    DeletionPolicy: Retain
    UpdateReplacePolicy: Retain
";

/// The start of the dead-letter queue.
const DEAD_LETTER_QUEUE: &str = "  DeadLetterQueue:
    Type: AWS::SQS::Queue
    DeletionPolicy: Delete
    UpdateReplacePolicy: Retain
    Properties:
      MaximumMessageSize: 1048576
      MessageRetentionPeriod: 1209600
";

/// An integration of the HTTP API that puts requests into the queue itself.
const PAST_INGEST: &str = "    Type: AWS::ApiGatewayV2::Integration
    Condition: ApiOn
    Properties:
      ApiId: !Ref HttpApi
      IntegrationType: AWS_PROXY
      IntegrationSubtype: SQS-SendMessage
      RequestParameters: {QueueUrl: !Ref Queue, MessageBody: $request.body}
";

/// When the first alarm goes off, which is that of the dead letters.
const DEAD_LETTERS_THRESHOLD: &str = "      ComparisonOperator: GreaterThanThreshold
      Threshold: 0
";

/// The rule, the path, and a template with one mistake.
#[allow(clippy::too_many_lines)] // a table
pub(crate) fn mistakes() -> Vec<(&'static str, &'static str, String)> {
    let permission = "InvokedViaFunctionUrl: true";
    vec![
        ("wiring", "Resources", without("ProcessMapping")),
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
            edited(
                "        - MaximumConcurrency: !Ref MaximumConcurrency\n",
                "        - !Ref AWS::NoValue\n",
            ),
        ),
        (
            "reserved-concurrency",
            "Resources.ProcessFunction.Properties.ReservedConcurrentExecutions",
            edited(
                "!If [ReservesProcess, !Ref MaximumConcurrency, !Ref AWS::NoValue]",
                "4",
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
            edited("maxReceiveCount: 3", "maxReceiveCount: 2"),
        ),
        (
            "redrive",
            "Resources.Queue.Properties.RedrivePolicy",
            edited(
                "      RedrivePolicy:\n        deadLetterTargetArn: !GetAtt RetryQueue.Arn\n        # process counts on three tries in place.\n        maxReceiveCount: 3\n",
                "",
            ),
        ),
        (
            "retry-queue",
            "Resources.RetryQueue",
            without("RetrySchedule"),
        ),
        (
            "retry-queue",
            "Resources.RetryQueue",
            edited(
                "{\"SourceArn\": \"${RetryQueue.Arn}\"",
                "{\"SourceArn\": \"${DeadLetterQueue.Arn}\"",
            ),
        ),
        (
            "retry-queue",
            "Resources.RetryQueue.Properties.RedrivePolicy",
            edited(
                "      RedrivePolicy:\n        deadLetterTargetArn: !GetAtt DeadLetterQueue.Arn\n        maxReceiveCount: 1000\n",
                "",
            ),
        ),
        (
            "retention",
            "Resources.Queue.Properties.MessageRetentionPeriod",
            edited(
                "MessageRetentionPeriod: 1209600",
                "MessageRetentionPeriod: 604800",
            ),
        ),
        (
            "retention",
            "Resources.DeadLetterQueue.Properties.MessageRetentionPeriod",
            edited(
                DEAD_LETTER_QUEUE,
                &DEAD_LETTER_QUEUE.replace("      MessageRetentionPeriod: 1209600\n", ""),
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
            edited(
                "SqsManagedSseEnabled: !If [HasKey, !Ref AWS::NoValue, true]",
                "SqsManagedSseEnabled: !If [HasKey, !Ref AWS::NoValue, false]",
            ),
        ),
        (
            "redrive-allowed",
            "Resources.RetryQueue.Properties.RedriveAllowPolicy",
            edited("redrivePermission: byQueue", "redrivePermission: denyAll"),
        ),
        (
            "redrive-allowed",
            "Resources.RetryQueue.Properties.RedriveAllowPolicy",
            edited(
                "      QueueName: !If [HasQueueName, !Ref QueueName, !Ref AWS::NoValue]\n",
                "",
            ),
        ),
        (
            "documents-kept",
            "Resources.DocumentsTable.DeletionPolicy",
            edited(
                DOCUMENTS,
                &DOCUMENTS.replace("DeletionPolicy: Retain", "DeletionPolicy: Delete"),
            ),
        ),
        (
            "documents-kept",
            "Resources.DocumentsTable.UpdateReplacePolicy",
            edited(
                DOCUMENTS,
                &DOCUMENTS.replace("    UpdateReplacePolicy: Retain\n", ""),
            ),
        ),
        (
            "documents-kept",
            "Resources.DocumentsTable.Properties.DeletionProtectionEnabled",
            edited("      DeletionProtectionEnabled: true\n", ""),
        ),
        (
            "queue-policy",
            "Resources.QueuePolicy.Properties.Queues",
            edited(
                "Queues: [!Ref Queue]",
                "Queues: [!Ref Queue, !Ref DeadLetterQueue]",
            ),
        ),
        (
            "queue-policy",
            "Resources.QueuePolicy.Properties.PolicyDocument.Statement[0].Resource",
            edited(
                "            Action: sqs:*\n            Resource: !GetAtt Queue.Arn",
                "            Action: sqs:*\n            Resource: [!GetAtt Queue.Arn, !GetAtt DeadLetterQueue.Arn]",
            ),
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
            "events-index",
            "Resources.EventsTable.Properties.GlobalSecondaryIndexes",
            edited("IndexName: by-time", "IndexName: by-date"),
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
            "outputs",
            "Outputs.BucketName",
            edited("\n  BucketName:\n", "\n  Store:\n"),
        ),
        (
            "outputs",
            "Outputs.DeadLetterQueueUrl.Value",
            edited(
                "    Value: !Ref DeadLetterQueue\n",
                "    Value: !Ref Queue\n",
            ),
        ),
        (
            "outputs",
            "Outputs.QueueUrl.Value",
            edited("    Value: !Ref Queue\n", "    Value: !GetAtt Queue.Arn\n"),
        ),
        (
            "outputs",
            "Outputs.EventsTableName",
            edited(
                "  EventsTableName:\n",
                "  EventsTableName:\n    Condition: HasKey\n",
            ),
        ),
        (
            "unverified-queue",
            "Resources.Past.Properties",
            edited(
                "\n  SourceNotConfigured:\n",
                &format!("\n  Past:\n{PAST_INGEST}\n  SourceNotConfigured:\n"),
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
            "wildcard",
            "Resources.IngestRole.Properties.Policies[0].PolicyDocument.Statement[2].Resource",
            edited(
                "Resource: !Sub ${Bucket.Arn}/*",
                "Resource: !Sub arn:${AWS::Partition}:s3:::*/*",
            ),
        ),
        (
            "wildcard",
            "Resources.BucketPolicy.Properties.PolicyDocument.Statement[0].Principal",
            edited(
                BUCKET_POLICY,
                "            Effect: Allow\n            Principal: \"*\"\n            Action: s3:GetObject\n            Resource: !Sub \"${Bucket.Arn}/*\"\n",
            ),
        ),
        (
            "wildcard",
            "Resources.BucketPolicy.Properties.PolicyDocument.Statement[0].Principal.AWS[1]",
            edited(
                BUCKET_POLICY,
                "            Effect: Allow\n            Principal: {AWS: [!Ref AWS::AccountId, \"*\"]}\n            Action: s3:GetObject\n            Resource: !Sub \"${Bucket.Arn}/*\"\n",
            ),
        ),
        (
            "wildcard",
            "Resources.HttpApiPermission.Properties.Principal",
            edited(PERMISSION, "      Principal: \"*\"\n"),
        ),
        (
            "missing-action",
            "Resources.ProcessRole.Properties.Policies",
            edited("dynamodb:BatchGetItem", "dynamodb:GetItem"),
        ),
        (
            "missing-action",
            "Resources.ProcessRole.Properties.Policies",
            edited(
                "Action: sqs:SendMessage\n                Resource: !GetAtt DeadLetterQueue.Arn",
                "Action: sqs:GetQueueUrl\n                Resource: !GetAtt DeadLetterQueue.Arn",
            ),
        ),
        (
            "missing-action",
            "Resources.IngestRole.Properties.Policies",
            edited("Action: s3:PutObject", "Action: s3:GetObject"),
        ),
        (
            "missing-action",
            "Resources.ProcessRole.Properties.Policies",
            edited("[s3:GetObject, s3:PutObject]", "s3:GetObject"),
        ),
        (
            "missing-action",
            "Resources.ProcessRole.Properties.Policies",
            edited("[s3:GetObject, s3:PutObject]", "s3:PutObject"),
        ),
        (
            "missing-action",
            "Resources.ProcessRole.Properties.Policies",
            edited("Action: s3:ListBucket", "Action: s3:GetBucketLocation"),
        ),
        (
            "missing-action",
            "Resources.ProcessRole.Properties.Policies",
            edited(
                "Action: s3:ListBucket\n                Resource: !GetAtt Bucket.Arn",
                "Action: s3:ListBucket\n                Resource: !Sub ${Bucket.Arn}/*",
            ),
        ),
        (
            "missing-action",
            "Resources.IngestRole.Properties.Policies",
            edited(
                "Action: s3:PutObject\n                Resource: !Sub ${Bucket.Arn}/*",
                "Action: s3:PutObject\n                Resource: !GetAtt Bucket.Arn",
            ),
        ),
        (
            "missing-action",
            "Resources.IngestRole.Properties.Policies",
            edited("[kms:Decrypt, kms:GenerateDataKey]", "kms:Decrypt"),
        ),
        (
            "missing-action",
            "Resources.IngestRole.Properties.Policies",
            edited(
                "Resource: !GetAtt Queue.Arn",
                "Resource: !GetAtt DeadLetterQueue.Arn",
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
            "alarm-dead-letters",
            "Resources.DeadLetterQueue",
            edited(
                DEAD_LETTERS_THRESHOLD,
                &DEAD_LETTERS_THRESHOLD.replace("Greater", "Less"),
            ),
        ),
        (
            "alarm-oldest-message",
            "Resources.Queue",
            without("QueueOld"),
        ),
        (
            "alarm-oldest-message",
            "Resources.RetryQueue",
            without("RetryQueueOld"),
        ),
        (
            "alarm-oldest-message",
            "Resources.DeadLetterQueue",
            edited(
                "      MetricName: ApproximateAgeOfOldestMessage\n",
                "      MetricName: ApproximateAgeOfOldestMessage\n      ActionsEnabled: false\n",
            ),
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
            // The first is that of the alarm IngestBlocked.
            without("IngestThrottled").replacen(
                "MetricName: Throttles",
                "MetricName: Invocations",
                1,
            ),
        ),
    ]
}
