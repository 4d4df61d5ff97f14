//! Rules about the callers of the functions, and about the permissions of the functions.

use hookwell::deliver::Target;
use hookwell::keys::reference::SecretRef;

use crate::deployment::Deployment;
use crate::endpoints::{Door, endpoints, ingests};
use crate::node::Value;
use crate::place::Place;
use crate::report::Report;
use crate::resolve::Resource;

/// The calls of ingest, by the variable that names the table, queue or bucket.
const INGEST_CALLS: [(&str, &[&str]); 3] = [
    ("HOOKWELL_EVENTS_TABLE", &["dynamodb:PutItem"]),
    ("HOOKWELL_QUEUE_URL", &["sqs:SendMessage"]),
    ("HOOKWELL_BUCKET", &["s3:PutObject"]),
];

/// The calls of process. The event source mapping needs more calls on the queue, without which AWS refuses to create
/// it. With `s3:ListBucket` S3 says 404 of an object that is not there; without it 403, which process takes for a
/// mistake of the role and tries again.
const PROCESS_CALLS: [(&str, &[&str]); 5] = [
    (
        "HOOKWELL_EVENTS_TABLE",
        &[
            "dynamodb:BatchGetItem",
            "dynamodb:PutItem",
            "dynamodb:UpdateItem",
        ],
    ),
    ("HOOKWELL_DOCUMENTS_TABLE", &["dynamodb:PutItem"]),
    ("HOOKWELL_QUEUE_URL", &["sqs:ChangeMessageVisibility"]),
    ("HOOKWELL_DEAD_LETTER_QUEUE_URL", &["sqs:SendMessage"]),
    (
        "HOOKWELL_BUCKET",
        &["s3:GetObject", "s3:ListBucket", "s3:PutObject"],
    ),
];

/// The calls that a service makes with a key of one's own in the name of whoever calls the service.
const KEY_CALLS: [&str; 2] = ["kms:Decrypt", "kms:GenerateDataKey"];

/// Actions that have no resource to name ("Actions, resources, and condition keys" of each service), or none before Lambda
/// makes it in a VPC, so that `Resource: "*"` is the only thing one can write.
const WITHOUT_RESOURCE: [&str; 31] = [
    "cloudwatch:GetMetricData",
    "cloudwatch:ListMetrics",
    "cloudwatch:PutMetricData",
    "dynamodb:ListStreams",
    "dynamodb:ListTables",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeDhcpOptions",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSubnets",
    "ec2:DescribeVpcs",
    "ecr:GetAuthorizationToken",
    "logs:CreateLogDelivery",
    "logs:DeleteLogDelivery",
    "logs:DescribeLogGroups",
    "logs:DescribeResourcePolicies",
    "logs:GetLogDelivery",
    "logs:ListLogDeliveries",
    "logs:PutResourcePolicy",
    "logs:UpdateLogDelivery",
    "s3:ListAllMyBuckets",
    "secretsmanager:GetRandomPassword",
    "secretsmanager:ListSecrets",
    "sns:ListTopics",
    "sqs:ListQueues",
    "ssm:DescribeParameters",
    "sts:GetCallerIdentity",
    "tag:GetResources",
    "xray:PutTelemetryRecords",
    "xray:PutTraceSegments",
];

/// Both permissions that a public URL needs: "Control access to Lambda function URLs". SAM adds them to a
/// `FunctionUrlConfig` by itself.
pub(super) fn url_permissions(deployment: &Deployment<'_>, report: &mut Report) {
    for endpoint in endpoints(deployment) {
        if endpoint.door != Door::FunctionUrl || !endpoint.place.at("AuthType").may_be("NONE") {
            continue;
        }
        if !endpoint.place.path.ends_with(".Properties") {
            continue;
        }
        let granted = |action: &str, key: &str, value: &str| {
            deployment.of(&["AWS::Lambda::Permission"]).any(|one| {
                let permission = one.properties();
                permission.at("FunctionName").target() == Some(&endpoint.function.id)
                    && permission.at("Action").may_be(action)
                    && permission.at("Principal").may_be("*")
                    && permission.at(key).may_be(value)
            })
        };
        for (action, key, value) in [
            ("lambda:InvokeFunctionUrl", "FunctionUrlAuthType", "NONE"),
            ("lambda:InvokeFunction", "InvokedViaFunctionUrl", "true"),
        ] {
            if !granted(action, key, value) {
                let message = format!(
                    "makes a public URL of {}, but no AWS::Lambda::Permission grants {action} to * with {key}: {value}: add it, since October 2025 a URL needs both",
                    endpoint.function.id
                );
                report.problem(&endpoint.place, message);
            }
        }
    }
}

/// Demands the calls that the functions make on the tables, queues and buckets of their environment.
pub(super) fn missing_action(deployment: &Deployment<'_>, report: &mut Report) {
    for ingest in ingests(deployment) {
        if let Some(granted) = Granted::to(ingest, deployment) {
            granted.demand_named(&INGEST_CALLS, report);
            granted.demand_keys(deployment, report);
        }
    }
    for mapping in deployment.mappings() {
        let Some(granted) = Granted::to(mapping.function, deployment) else {
            continue;
        };
        granted.demand_named(&PROCESS_CALLS, report);
        granted.demand_keys(deployment, report);
    }
}

/// Demands what process needs to tell the destinations.
pub(crate) fn destinations(deployment: &Deployment<'_>, report: &mut Report) {
    for mapping in deployment.mappings() {
        let Some(granted) = Granted::to(mapping.function, deployment) else {
            continue;
        };
        granted.demand_named(&[("HOOKWELL_QUEUE_URL", &["sqs:SendMessage"])], report);
        for destination in deployment.destinations {
            let needed_by = format!("destinations.{}", destination.name);
            let action = match &destination.to {
                Target::EventBridge(_) => "events:PutEvents",
                Target::Sqs(_) => "sqs:SendMessage",
                Target::Http { secret, .. } => {
                    granted.demand_stored(secret, &needed_by, report);
                    continue;
                }
            };
            granted.demand_elsewhere(action, &needed_by, deployment, report);
        }
    }
}

/// Demands what ingest needs to read the keys of the sources that are in a store.
pub(crate) fn sources(deployment: &Deployment<'_>, report: &mut Report) {
    for ingest in ingests(deployment) {
        let Some(granted) = Granted::to(ingest, deployment) else {
            continue;
        };
        for source in deployment.sources {
            let token = source.handshake.as_ref();
            let token = token.and_then(|handshake| handshake.verify_token.as_ref());
            let keys = source.secrets.iter().chain(&source.pinned).chain(token);
            for key in keys {
                granted.demand_stored(key, &format!("sources.{}", source.name), report);
            }
        }
    }
}

/// The rights of a function whose policies are all in the template.
struct Granted<'d> {
    function: &'d Resource,
    /// The place of its policies.
    policies: Place<'d>,
    /// The statements that allow something.
    statements: Vec<Place<'d>>,
}

impl<'d> Granted<'d> {
    /// The rights of a function; `None` when some of them are elsewhere: in a managed policy, a connector, one of SAM's own policy
    /// templates, or a role of another stack.
    fn to(function: &'d Resource, deployment: &'d Deployment<'_>) -> Option<Self> {
        // A connector becomes a policy only when SAM transforms the template.
        let mut connectors = deployment.of(&["AWS::Serverless::Connector"]);
        if !function.place().at("Connectors").is_missing() || connectors.next().is_some() {
            return None;
        }
        let role = function.properties().at("Role");
        let (policies, attached) = if role.is_missing() {
            (function.properties().at("Policies"), Vec::new())
        } else {
            let is_it = |one: &&Resource| Some(one.id.as_str()) == role.target();
            let role = deployment.of(&["AWS::IAM::Role"]).find(is_it)?;
            if !role.properties().at("ManagedPolicyArns").is_missing() {
                return None;
            }
            let attached = deployment.of(&["AWS::IAM::Policy", "AWS::IAM::ManagedPolicy"]);
            let attached = attached.map(Resource::properties).filter(|policy| {
                let mut roles = policy.at("Roles").elements().into_iter();
                roles.any(|one| one.target() == Some(&role.id))
            });
            (role.properties().at("Policies"), attached.collect())
        };
        let mut statements = Vec::new();
        for policy in policies.elements().into_iter().chain(attached) {
            let own = policy.at("Statement");
            let inner = policy.at("PolicyDocument.Statement");
            if own.is_missing() && inner.is_missing() {
                return None;
            }
            let all = own.elements().into_iter().chain(inner.elements());
            statements.extend(all.filter(|one| one.at("Effect").may_be("Allow")));
        }
        Some(Self {
            function,
            policies,
            statements,
        })
    }

    /// Demands the calls on the resources that the function's environment names.
    fn demand_named(&self, calls: &[(&str, &[&str])], report: &mut Report) {
        for (variable, value) in self.function.variables() {
            let called = calls.iter().find(|(name, _)| *name == variable);
            if let (Some((_, actions)), Some(resource)) = (called, value.target()) {
                self.demand(resource, actions, report);
            }
        }
    }

    /// Demands the use of the keys with which the tables, queues and buckets of the function's environment are encrypted.
    fn demand_keys(&self, deployment: &Deployment<'_>, report: &mut Report) {
        let variables = self.function.variables();
        let named = variables.iter().filter_map(|(_, value)| value.target());
        for action in KEY_CALLS {
            let is_refused = |id: &&str| {
                let key = deployment.all().find(|one| one.id == *id).and_then(own_key);
                key.is_some_and(|key| {
                    let key = key.target().unwrap_or_default();
                    let mut statements = self.statements.iter();
                    !statements.any(|one| may_allow(one, action, key))
                })
            };
            let refused: Vec<_> = named.clone().filter(is_refused).collect();
            if !refused.is_empty() {
                let message = format!(
                    "does not allow {action} on the key of {}, without which {} can use none of them: add it",
                    refused.join(", "),
                    self.function.id
                );
                report.problem(&self.policies, message);
            }
        }
    }

    /// Demands a call on something other than Hookwell's own queues.
    fn demand_elsewhere(
        &self,
        action: &str,
        needed_by: &str,
        deployment: &Deployment<'_>,
        report: &mut Report,
    ) {
        let queues = deployment.queues();
        let is_own = |id: &str| queues.iter().any(|one| one.id == id);
        let is_elsewhere = |statement: &&Place<'_>| {
            let resources = statement.at("Resource").elements();
            let mut targets = resources.iter().map(Place::target);
            targets.any(|target| !target.is_some_and(is_own))
        };
        let mut statements = self.statements.iter().filter(is_elsewhere);
        if !statements.any(|one| may_call(one, action)) {
            let message = format!(
                "does not allow {action}, which {needed_by} needs: allow {} to",
                self.function.id
            );
            report.problem(&self.policies, message);
        }
    }

    /// Demands to read a key, where it is in a store.
    fn demand_stored(&self, key: &SecretRef, needed_by: &str, report: &mut Report) {
        let Some((action, end)) = in_store(key) else {
            return;
        };
        let may_read = |statement: &Place<'_>| {
            let resources = statement.at("Resource").elements();
            may_call(statement, action)
                && (resources.is_empty() || resources.iter().any(|one| may_cover(one, &end)))
        };
        if !self.statements.iter().any(may_read) {
            let message = format!(
                "does not allow {action} of {key}, which {needed_by} needs: allow {} to",
                self.function.id
            );
            report.problem(&self.policies, message);
        }
    }

    fn demand(&self, resource: &str, actions: &[&str], report: &mut Report) {
        for action in actions {
            let mut statements = self.statements.iter();
            if !statements.any(|one| may_allow(one, action, resource)) {
                let message = format!(
                    "does not allow {action} on {resource}, which {} calls: add it",
                    self.function.id
                );
                report.problem(&self.policies, message);
            }
        }
    }
}

/// The KMS key of one's own that a table, queue or bucket is encrypted with.
fn own_key(resource: &Resource) -> Option<Place<'_>> {
    let properties = resource.properties();
    let key = match resource.kind.as_str() {
        "AWS::DynamoDB::Table" => properties.at("SSESpecification.KMSMasterKeyId"),
        "AWS::SQS::Queue" => properties.at("KmsMasterKeyId"),
        "AWS::S3::Bucket" => {
            let rules = properties.at("BucketEncryption.ServerSideEncryptionConfiguration");
            let rule = rules.elements().into_iter().next()?;
            rule.at("ServerSideEncryptionByDefault.KMSMasterKeyID")
        }
        _ => return None,
    };
    // The keys that AWS manages need no permission.
    let is_managed = key
        .text()
        .is_some_and(|text| text.starts_with("alias/aws/"));
    (!key.is_missing() && !is_managed).then_some(key)
}

/// True for a statement that allows the action on that resource, as far as the template tells.
fn may_allow(statement: &Place<'_>, action: &str, resource: &str) -> bool {
    let mut resources = statement.at("Resource").elements().into_iter();
    let is_named = |one: &Place<'_>| one.target().is_none_or(|id| id == resource);
    may_call(statement, action)
        && (statement.at("Resource").is_missing()
            || resources.any(|one| is_named(&one) && may_be_level(&one, action)))
}

/// The action that reads a key from its store, and how the ARN of the key ends there. The ARN of a secret ends in a
/// hyphen and six characters that only AWS knows.
fn in_store(key: &SecretRef) -> Option<(&'static str, String)> {
    match key {
        SecretRef::Ssm(name) => {
            let name = name
                .split_once(":parameter")
                .map_or(&**name, |(_, name)| name);
            // A version may follow.
            let name = name.split(':').next().unwrap_or(name);
            let end = format!("parameter/{}", name.trim_start_matches('/'));
            Some(("ssm:GetParameter", end))
        }
        SecretRef::SecretsManager { id, .. } => {
            let end = match id.split_once(":secret:") {
                Some((_, name)) => format!("secret:{name}"),
                None => format!("secret:{id}-"),
            };
            Some(("secretsmanager:GetSecretValue", end))
        }
        SecretRef::Env(_) | SecretRef::Url(_) => None,
    }
}

/// True for an ARN that covers the key whose ARN has this end, as far as the template tells.
fn may_cover(arn: &Place<'_>, end: &str) -> bool {
    let Some(text) = arn.text() else {
        return true;
    };
    let kind = end.split_inclusive([':', '/']).next().unwrap_or_default();
    let Some(at) = text.find(kind) else {
        return text.ends_with('*') || arn.target().is_some();
    };
    let named = text.get(at..).unwrap_or_default();
    let is_rest_of_secret = end.ends_with('-') && named.starts_with(end);
    // Up to a wildcard, or to what the deployment gives.
    match named.split_once(['*', '?', '$']) {
        Some((known, _)) => end.starts_with(known) || is_rest_of_secret,
        None => named == end || is_rest_of_secret,
    }
}

/// False for a bucket where the action is one on objects, and for objects where it is one on buckets.
fn may_be_level(resource: &Place<'_>, action: &str) -> bool {
    let is_on_objects = match action {
        "s3:GetObject" | "s3:PutObject" => true,
        "s3:ListBucket" => false,
        _ => return true,
    };
    match resource.value() {
        Some(Value::Resource { .. }) => !is_on_objects,
        Some(Value::Text(text)) if text.contains('/') => is_on_objects,
        Some(Value::Text(text)) => !is_on_objects || text.ends_with('*'),
        _ => true,
    }
}

/// True for a statement that allows the action on whatever it names.
fn may_call(statement: &Place<'_>, action: &str) -> bool {
    let is_named = |text: &str| match text.split_once('*') {
        Some((start, _)) => action.starts_with(start),
        None => text == action,
    };
    let actions = statement.at("Action");
    let mut named = actions.elements().into_iter();
    // A statement with `NotAction` names no actions to compare.
    actions.is_missing() || named.any(|one| one.text().is_none_or(is_named))
}

pub(super) fn wildcard(deployment: &Deployment<'_>, report: &mut Report) {
    for resource in deployment.all() {
        // In the policy of a key, `*` means the key itself; that of an API says who may call it, and a sender is anybody.
        let is_of_itself = [
            "AWS::KMS::Key",
            "AWS::ApiGateway::RestApi",
            "AWS::Serverless::Api",
        ];
        if !is_of_itself.contains(&&*resource.kind) {
            statements(&resource.properties(), report);
            managed(&resource.properties(), report);
        }
        if resource.kind == "AWS::Lambda::Permission" {
            permission(&resource.properties(), report);
        }
    }
}

/// Conditions that limit a permission for everybody to some callers, as "AddPermission" knows them. The two for a
/// function URL are among them: the URL is public, the function is not.
const LIMITS_OF_PERMISSION: [&str; 6] = [
    "EventSourceToken",
    "FunctionUrlAuthType",
    "InvokedViaFunctionUrl",
    "PrincipalOrgID",
    "SourceAccount",
    "SourceArn",
];

fn permission(permission: &Place<'_>, report: &mut Report) {
    let principal = permission.at("Principal");
    let is_limited = |key: &&str| !permission.at(key).is_missing();
    if principal.is("*") && !LIMITS_OF_PERMISSION.iter().any(is_limited) {
        report.problem(
            &principal,
            "lets every AWS account call the function: name who may, or the SourceArn through which",
        );
    }
}

/// Every statement that allows something, wherever it is: roles, policies, queue policies, SAM's `Policies`.
fn statements(place: &Place<'_>, report: &mut Report) {
    if place.at("Effect").is("Allow") {
        allowed(place, report);
        return;
    }
    for (_, inner) in place.entries() {
        statements(&inner, report);
    }
    for inner in place.elements() {
        if inner.path != place.path {
            statements(&inner, report);
        }
    }
}

fn allowed(statement: &Place<'_>, report: &mut Report) {
    let actions = statement.at("Action").elements();
    for action in &actions {
        if action.text().is_some_and(|text| text.contains('*')) {
            report.problem(
                action,
                "allows more than one action: name each action that the function calls",
            );
        }
    }
    if statement.at("Condition").is_missing() {
        let principal = statement.at("Principal");
        let named = principal.entries().into_iter().map(|(_, one)| one);
        for one in named
            .chain([principal.clone()])
            .flat_map(|it| it.elements())
        {
            if one.is("*") {
                report.problem(
                    &one,
                    "allows it to everybody, in every AWS account: name who may, or add a Condition",
                );
            }
        }
    }
    for key in ["NotAction", "NotResource"] {
        let place = statement.at(key);
        if !place.is_missing() {
            report.problem(
                &place,
                "allows everything but this: name what is needed instead",
            );
        }
    }
    // A policy with a principal is that of one resource, and `*` means that one.
    if !statement.at("Principal").is_missing() {
        return;
    }
    let has_none = |action: &Place<'_>| {
        action
            .text()
            .is_some_and(|text| WITHOUT_RESOURCE.contains(&text))
    };
    if actions.iter().all(has_none) {
        return;
    }
    for resource in statement.at("Resource").elements() {
        if resource.text().is_some_and(names_everything) {
            report.problem(
                &resource,
                "allows it on every resource of the account: name the ones of this template",
            );
        }
    }
}

/// `*`, and an ARN whose resource is `*` or all of one kind, as in `table/*`; not all in one, as in `${Bucket.Arn}/*`.
fn names_everything(resource: &str) -> bool {
    // The colons of ${AWS::Region} part nothing.
    let resource = resource.replace("AWS::", "");
    let parts: Vec<_> = resource.splitn(6, ':').collect();
    let service = parts.get(2).copied().unwrap_or_default();
    let part = parts.last().copied().unwrap_or(&resource);
    // Before the slash these services have no kind, but the bucket or the API.
    let has_kind = !["s3", "execute-api"].contains(&service);
    part == "*"
        || matches!(part.split_once(['/', ':']), Some((kind, "*"))
            if kind == "*" || (has_kind && !kind.starts_with("${")))
}

/// The managed policies that AWS calls full access.
fn managed(properties: &Place<'_>, report: &mut Report) {
    for key in ["Policies", "ManagedPolicyArns"] {
        for policy in properties.at(key).elements() {
            let name = policy.text().unwrap_or_default();
            if name.contains("FullAccess") || name.ends_with("AdministratorAccess") {
                report.problem(&policy, format!("is {name}, every action on every resource: write a policy with the actions that the function calls"));
            }
        }
    }
}
