//! Sources and destinations with their secrets.

use hookwell::deliver::Destination;
use hookwell::source::Source;

use super::secrets::Secrets;

/// Senders whose deliveries a machine takes.
#[derive(Debug, Clone)]
pub struct Senders {
    /// The sources.
    pub sources: Vec<Source>,
    /// The destinations of their events.
    pub destinations: Vec<Destination>,
    /// The secrets of both.
    pub secrets: Secrets,
}
