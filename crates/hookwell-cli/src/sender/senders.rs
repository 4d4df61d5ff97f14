//! Sources with their secrets.

use hookwell::source::Source;

use super::secrets::Secrets;

/// Who sends to the machine.
#[derive(Debug, Clone)]
pub struct Senders {
    /// The sources.
    pub sources: Vec<Source>,
    /// Their secrets.
    pub secrets: Secrets,
}
