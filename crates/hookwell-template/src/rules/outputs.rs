//! The outputs of the stack, by which the tool finds its tables, queues and bucket.

use crate::deployment::Deployment;
use crate::node::Value;
use crate::report::Report;

/// The variable in which the functions find a table, queue or bucket, the output in which the tool does, and the attributes
/// of a resource that are its name or URL, besides what `Ref` gives.
const NAMED: [(&str, &str, Option<&str>); 5] = [
    ("HOOKWELL_EVENTS_TABLE", "EventsTableName", None),
    ("HOOKWELL_DOCUMENTS_TABLE", "DocumentsTableName", None),
    ("HOOKWELL_QUEUE_URL", "QueueUrl", Some("QueueUrl")),
    (
        "HOOKWELL_DEAD_LETTER_QUEUE_URL",
        "DeadLetterQueueUrl",
        Some("QueueUrl"),
    ),
    ("HOOKWELL_BUCKET", "BucketName", None),
];

pub(super) fn outputs(deployment: &Deployment<'_>, report: &mut Report) {
    for (variable, output, url) in NAMED {
        let Some(used) = deployment.variable(variable) else {
            continue;
        };
        let output = deployment.outputs().at(output);
        if output.is_missing() {
            let message = format!(
                "is missing, so commands with --stack do not find what {variable} names: add it, with the value of that variable"
            );
            report.problem(&output, message);
            continue;
        }
        let value = output.at("Value");
        if let (Some(named), Some(used)) = (value.target(), used.target())
            && named != used
        {
            let message = format!(
                "names {named}, but {variable} of the functions is {used}, so commands with --stack would work on the wrong one: name {used}"
            );
            report.problem(&value, message);
        } else if let Some(Value::Resource {
            id,
            attribute: Some(attribute),
        }) = value.value()
            && Some(attribute.as_str()) != url
        {
            let message = format!(
                "is the {attribute} of {id}, but commands with --stack take what !Ref {id} gives: write that"
            );
            report.problem(&value, message);
        }
    }
}
