//! One mutant, judged: what became of it against what must.

use std::fmt;

use crate::mutate::Mutant;
use crate::world::{Outcome, Verdict, World};

/// The outcome of a mutant; `Wrong` when the outcome is not the one that must be.
#[derive(Debug)]
pub(crate) enum Judged {
    Accepted,
    Refused,
    Wrong(String),
}

/// Numbers of mutants by outcome.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) accepted: u64,
    pub(crate) refused: u64,
    /// Requests that HTTP itself does not allow.
    pub(crate) impossible: u64,
    wrong: Vec<String>,
}

impl Counts {
    pub(crate) fn judged(&self) -> u64 {
        self.accepted + self.refused + u64::try_from(self.wrong.len()).unwrap()
    }

    pub(crate) fn add(&mut self, judged: Judged) {
        match judged {
            Judged::Accepted => self.accepted += 1,
            Judged::Refused => self.refused += 1,
            Judged::Wrong(why) => self.wrong.push(why),
        }
        assert!(self.wrong.len() < 20, "{}", self.wrong.join("\n"));
    }

    pub(crate) fn assert_all(&self, of: &str) {
        assert!(self.wrong.is_empty(), "{of}:\n{}", self.wrong.join("\n"));
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} accepted, {} refused, {} decided wrongly, {} not HTTP",
            self.accepted,
            self.refused,
            self.wrong.len(),
            self.impossible
        )
    }
}

/// Compares the outcome of a mutant with the outcome that must be.
pub(crate) fn judge(world: &World, mutant: &Mutant, outcome: &Outcome) -> Judged {
    let Mutant { request, now } = mutant;
    let wrong = |what: &str| {
        let body = String::from_utf8_lossy(&request.body).into_owned();
        let headers = request.headers.iter();
        let headers =
            headers.map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(value)));
        let headers: Vec<_> = headers.collect();
        let line = format!(
            "{} {}?{} from {}",
            request.method, request.path, request.query, request.address
        );
        Judged::Wrong(format!(
            "{what}\n  {line} at {now}\n  {headers:?}\n  {body}\n"
        ))
    };
    match (world.verdict(request, *now), outcome) {
        (Verdict::Refused | Verdict::Either(_), Outcome::Refused(..)) => Judged::Refused,
        (Verdict::Refused, Outcome::Accepted(_)) => wrong("ACCEPTED, signed by nobody"),
        (Verdict::Accepted(_), Outcome::Refused(receipt, why)) => {
            wrong(&format!("REFUSED though it is signed: {receipt:?} {why:?}"))
        }
        (Verdict::Accepted(known) | Verdict::Either(known), Outcome::Accepted(events)) => {
            match World::are_events_of(request, *now, events, &known) {
                Ok(()) => Judged::Accepted,
                Err(why) => wrong(&format!("ANOTHER EVENT than the signed one: {why}")),
            }
        }
    }
}
