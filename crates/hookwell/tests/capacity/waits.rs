//! What waits where while something fails for hours, and what that costs.

use crate::events;
use crate::failing::Failing;
use crate::figures::Figures;
use crate::page::{count, messages, row, short, time};
use crate::rates;
use crate::settings::{IN_FLIGHT, STACK, Settings};

/// What waited, in numbers of events; times in seconds.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wait {
    pub(crate) most_in_queue: f64,
    pub(crate) most_in_retry_queue: f64,
    pub(crate) most_in_flight: f64,
    pub(crate) failed_tries: f64,
    pub(crate) moved: f64,
    pub(crate) letters: f64,
    /// From the end of the failure until nothing waits.
    pub(crate) drained_after: f64,
    /// No event was older than this when it took effect.
    pub(crate) oldest: f64,
    /// US dollars for tries that failed and for moves.
    pub(crate) cost: f64,
}

impl Wait {
    /// Notes the numbers of one moment.
    pub(crate) fn note(&mut self, in_queue: f64, in_retry_queue: f64, in_flight: f64) {
        self.most_in_queue = self.most_in_queue.max(in_queue);
        self.most_in_retry_queue = self.most_in_retry_queue.max(in_retry_queue);
        self.most_in_flight = self.most_in_flight.max(in_flight);
    }
}

/// A row of the table.
pub(crate) struct Row {
    pub(crate) what: &'static str,
    rate: String,
    pub(crate) wait: Wait,
}

/// Every failure at every rate.
pub(crate) fn all(figures: &Figures) -> Vec<Row> {
    let failures = [
        Failing::table_silent(figures),
        Failing::table_refuses(figures),
        Failing::source_refuses(figures),
    ];
    let mut rows = Vec::new();
    for failing in failures {
        for (rate, stacks) in [(1_000, 1), (STACK, 1), (10 * STACK, 10), (10 * STACK, 1)] {
            let settings = Settings::for_rate(rate / stacks, figures);
            let wait = rates::run(&settings, &failing);
            let rate = count(f64::from(rate));
            rows.push(Row {
                what: failing.what,
                rate: match stacks {
                    1 => rate,
                    _ => format!("{rate}, each of {stacks} stacks"),
                },
                wait,
            });
        }
    }
    rows
}

/// The table of outages.
pub(crate) fn outages(figures: &Figures) -> String {
    let mut text = String::new();
    text.push_str("| fails | events/s | most in the queue | most in the retry queue | most in flight | drained after | letters | waiting costs |\n");
    text.push_str("|---|---|---:|---:|---:|---:|---:|---:|\n");
    for Row { what, rate, wait } in all(figures) {
        let in_flight = messages(wait.most_in_flight);
        let in_flight = if wait.most_in_flight > 0.99 * f64::from(IN_FLIGHT) {
            format!("**{in_flight}**")
        } else {
            in_flight
        };
        text.push_str(&row([
            what,
            &rate,
            &messages(wait.most_in_queue),
            &messages(wait.most_in_retry_queue),
            &in_flight,
            &time(wait.drained_after),
            &count(wait.letters),
            &format!("${}", count(wait.cost)),
        ]));
    }
    text
}

/// The table of what the other sources notice, event by event, at 100 events a second.
pub(crate) fn others(figures: &Figures) -> String {
    let shipped = Settings::as_shipped(100, figures);
    let one_lane = Settings {
        lanes: false,
        ..shipped.clone()
    };
    let (refuses, hangs) = (
        Failing::source_refuses(figures),
        Failing::source_hangs(figures),
    );
    let runs = [
        (&shipped, &refuses, "fails at once"),
        (&shipped, &hangs, "hangs for 5 s a try"),
        (&one_lane, &refuses, "fails at once, if messages had no group"),
    ];
    let mut text = String::new();
    text.push_str("| the fifth source | before: p50, p99 | while it fails | until all is drained | drained after | most in the retry queue | waiting costs |\n");
    text.push_str("|---|---:|---:|---:|---:|---:|---:|\n");
    for (settings, failing, what) in runs {
        let run = events::run(settings, failing);
        let [before, during, after] = &run.effects;
        let both = |effects: &events::Effects| {
            format!("{}, {}", short(effects.at_most(0.5)), short(effects.at_most(0.99)))
        };
        text.push_str(&row([
            what,
            &both(before),
            &both(during),
            &both(after),
            &time(run.wait.drained_after),
            &messages(run.wait.most_in_retry_queue),
            &format!("${}", count(run.wait.cost)),
        ]));
    }
    text
}
