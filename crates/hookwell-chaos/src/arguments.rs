//! The arguments of the command line.

use std::path::PathBuf;

use clap::Parser;

/// Runs the real functions under faults, kills and freezes, and checks that what was acknowledged was applied, once.
#[derive(Debug, Clone, Parser)]
#[command(name = "hookwell-chaos", version, max_term_width = 100)]
pub(crate) struct Arguments {
    /// Number of events to send, each at least once.
    #[arg(long, default_value_t = 5_000)]
    pub(crate) events: usize,
    /// Seed of the random choices: events, faults and kills.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Number of kills of a function, at random and at named points.
    #[arg(long, default_value_t = 20)]
    pub(crate) kills: u64,
    /// Number of freezes of a function in whatever it does, for a tenth of a second to seven.
    #[arg(long, default_value_t = 0)]
    pub(crate) freezes: u64,
    /// The share of calls to DynamoDB, SQS, S3 and destinations that go wrong.
    #[arg(long, default_value_t = 0.2)]
    pub(crate) fault_rate: f64,
    /// Print one JSON object instead of a table.
    #[arg(long)]
    pub(crate) json: bool,
    /// Number of ingest sandboxes; the first is never killed.
    #[arg(long, default_value_t = 6)]
    pub(crate) ingest: usize,
    /// Number of process sandboxes; the first is never killed.
    #[arg(long, default_value_t = 6)]
    pub(crate) process: usize,
    /// A folder with the binaries `ingest` and `process`, in place of a build of them.
    #[arg(long, value_name = "DIR")]
    pub(crate) binaries: Option<PathBuf>,
    /// A folder for what the functions log.
    #[arg(long, value_name = "DIR")]
    pub(crate) logs: Option<PathBuf>,
}
