//! The rule about what API Gateway does without a function.

use crate::deployment::Deployment;
use crate::gateway;
use crate::report::Report;

/// An authorizer does not see the body, but it lets in only those that it knows. So what stands behind one is not looked at.
pub(super) fn unverified_queue(deployment: &Deployment<'_>, report: &mut Report) {
    let mappings = deployment.mappings();
    for integration in gateway::integrations(deployment) {
        let places = integration.queue();
        if places.is_empty() || !integration.is_open {
            continue;
        }
        let queues = places.iter();
        let mut queues = queues.filter_map(|one| deployment.named(one, &["AWS::SQS::Queue"]));
        let Some(queue) = queues.next() else {
            let message = "puts every request as it is into a queue that this template does not show: what reads it there has to verify each signature";
            report.add(&integration.place, message.to_owned(), false);
            continue;
        };
        let mut readers = mappings.iter().filter(|one| one.queue.id == queue.id);
        let Some(reader) = readers.next().map(|one| one.function) else {
            let message = format!(
                "puts every request as it is into {}, which no function of this template reads: what reads it has to verify each signature",
                queue.id
            );
            report.add(&integration.place, message, false);
            continue;
        };
        let message = if reader.is_hookwells() {
            format!(
                "puts every request as it is into {}, past ingest, which alone verifies signatures: {} takes a forged message for an event, and makes a dead letter of a sender's own request, which was answered 200: let ingest receive, it puts events into the queue",
                queue.id, reader.id
            )
        } else {
            format!(
                "puts every request as it is into {} and answers 200 to whoever sends it, before anything has verified a signature, so that {} has to tell forged requests from real ones: let a function verify first",
                queue.id, reader.id
            )
        };
        report.problem(&integration.place, message);
    }
}
