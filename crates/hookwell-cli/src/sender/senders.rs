//! Sources with their secrets.

use hookwell::source::Source;

use super::secrets::Secrets;

/// Senders whose deliveries a machine takes.
#[derive(Debug, Clone)]
pub struct Senders {
    /// The sources.
    pub sources: Vec<Source>,
    /// Their secrets.
    pub secrets: Secrets,
}
