//! What fails, for how long, and how long a failing try takes.

use crate::figures::Figures;

/// Operation limit of a call of process to AWS, in seconds (`Limits::PROCESS` in hookwell-aws).
const SILENT: f64 = 2.5;
/// Three tries of a call that is refused at once, with the pauses of the SDK between them, in seconds.
const REFUSED: f64 = 0.1;
/// Time that the handler of docs/handler.md gives its mail service, in seconds.
const HANGS: f64 = 5.0;

/// Something that fails from a time on, and then works again.
#[derive(Debug, Clone)]
pub(crate) struct Failing {
    /// Name of the failing part.
    pub(crate) what: &'static str,
    /// Seconds for which it fails.
    pub(crate) lasts: u32,
    /// One of so many sources fails; 1 means that all of them fail.
    pub(crate) one_of: u32,
    /// Time that a batch with a failing event takes, in seconds.
    pub(crate) batch: f64,
    /// Write units that a failing try uses.
    pub(crate) writes: f64,
}

impl Failing {
    /// The documents table answers nothing for 3 hours.
    pub(crate) fn table_silent(figures: &Figures) -> Self {
        Self {
            what: "documents table silent for 3 h",
            lasts: 3 * 3_600,
            one_of: 1,
            batch: figures.batch + SILENT,
            writes: 0.0,
        }
    }

    /// The documents table refuses every write for 3 hours.
    pub(crate) fn table_refuses(figures: &Figures) -> Self {
        Self {
            what: "documents table refuses for 3 h",
            batch: figures.batch + REFUSED,
            ..Self::table_silent(figures)
        }
    }

    /// The handler of one source of five, with effects elsewhere, fails at once for a day. Each try takes the lease and
    /// notes its end.
    pub(crate) fn source_refuses(figures: &Figures) -> Self {
        Self {
            what: "one source of five fails at once for a day",
            lasts: 86_400,
            one_of: 5,
            batch: figures.batch + 0.008,
            writes: 2.0,
        }
    }

    /// As [`source_refuses`](Self::source_refuses), and each try hangs until the handler gives up.
    pub(crate) fn source_hangs(figures: &Figures) -> Self {
        Self {
            what: "one source of five hangs for a day, 5 s a try",
            batch: figures.batch + HANGS,
            ..Self::source_refuses(figures)
        }
    }
}
