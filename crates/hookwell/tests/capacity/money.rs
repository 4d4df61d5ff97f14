//! Prices of waiting: what tries that fail and moves between queues cost.

use crate::failing::Failing;
use crate::settings::batch_size;

// US dollars, list prices of us-east-1, as in hookwell-bench's money.rs.
const REQUEST: f64 = 0.20 / 1e6;
const GB_SECOND: f64 = 0.000_013_333_4;
const WRITE_UNIT: f64 = 0.625 / 1e6;
const READ_UNIT: f64 = 0.125 / 1e6;
const SQS_REQUEST: f64 = 0.40 / 1e6;
/// The memory of the functions in template.yaml, in GB.
const GB: f64 = 0.25;

/// The price of a try that fails: a tenth of a batch, its own visibility timeout, and the read of its record.
pub(crate) fn failed_try(failing: &Failing) -> f64 {
    let batch = REQUEST + failing.batch * GB * GB_SECOND + SQS_REQUEST;
    batch / batch_size() + SQS_REQUEST + READ_UNIT + failing.writes * WRITE_UNIT
}

/// The price of a move out of the retry queue: a receive, a send and a delete of one message.
pub(crate) fn moved() -> f64 {
    3.0 * SQS_REQUEST
}
