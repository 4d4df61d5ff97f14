//! What waits where while something fails for hours, and what that costs.

use std::sync::OnceLock;

use crate::events;
use crate::failing::Failing;
use crate::figures::Figures;
use crate::page::{count, messages, row as table_row, short, time};
use crate::rates;
use crate::settings::{IN_FLIGHT, STACK, Settings};

/// Rate of the model by events, in events a second.
pub(crate) const RATE_OF_EVENTS: u32 = 1_000;

/// Events that waited: numbers of events, and times in seconds.
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

/// Events that waited in one run.
pub(crate) struct Row {
    pub(crate) what: &'static str,
    rate: &'static str,
    model: &'static str,
    pub(crate) wait: Wait,
}

/// Outages of the documents table at 1,000 events a second, event by event. They take seconds, and two tests need them.
pub(crate) fn by_events() -> &'static [(Failing, Wait); 2] {
    static RUNS: OnceLock<[(Failing, Wait); 2]> = OnceLock::new();
    RUNS.get_or_init(|| {
        let figures = Figures::of_the_page();
        let settings = Settings::for_rate(RATE_OF_EVENTS, &figures);
        let run = |failing: Failing| {
            let wait = events::run(&settings, &failing).wait;
            (failing, wait)
        };
        let (silent, refuses) = (
            Failing::table_silent(&figures),
            Failing::table_refuses(&figures),
        );
        std::thread::scope(|threads| {
            let silent = threads.spawn(|| run(silent));
            let refuses = run(refuses);
            [silent.join().unwrap(), refuses]
        })
    })
}

/// Every failure at every rate.
pub(crate) fn all(figures: &Figures) -> Vec<Row> {
    let by_rates = |failing: &Failing, name, rate| Row {
        what: failing.what,
        rate: name,
        model: "rates",
        wait: rates::run(&Settings::for_rate(rate, figures), failing),
    };
    let mut rows = Vec::new();
    let refuses = Failing::source_refuses(figures);
    let small = by_events().iter().map(|(failing, wait)| {
        let row = Row {
            what: failing.what,
            rate: "1,000",
            model: "events",
            wait: wait.clone(),
        };
        (failing.clone(), row)
    });
    let of_source = by_rates(&refuses, "1,000", 1_000);
    for (failing, row) in small.chain([(refuses.clone(), of_source)]) {
        rows.push(row);
        rows.push(by_rates(
            &failing,
            "10,000, and each of ten stacks at 100,000",
            STACK,
        ));
        rows.push(by_rates(&failing, "100,000 in one stack", 10 * STACK));
    }
    rows
}

/// The table of outages.
pub(crate) fn outages(figures: &Figures) -> String {
    let mut text = String::new();
    text.push_str("| fails | events/s | model by | most in the queue | most in the retry queue | most in flight | drained after | letters | waiting costs |\n");
    text.push_str("|---|---|---|---:|---:|---:|---:|---:|---:|\n");
    for row in all(figures) {
        let wait = &row.wait;
        let in_flight = messages(wait.most_in_flight);
        let in_flight = if wait.most_in_flight > 0.99 * f64::from(IN_FLIGHT) {
            format!("**{in_flight}**")
        } else {
            in_flight
        };
        text.push_str(&table_row([
            row.what,
            row.rate,
            row.model,
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
    // Longer makes it worse, and the test slower.
    let refuses_for_hours = Failing {
        lasts: 3 * 3_600,
        ..refuses.clone()
    };
    let runs = [
        (&shipped, &refuses, "fails at once"),
        (&shipped, &hangs, "hangs for 5 s a try"),
        (
            &one_lane,
            &refuses_for_hours,
            "fails at once, for 3 h only, if messages had no group",
        ),
    ];
    let runs = std::thread::scope(|threads| {
        let run = |(settings, failing, what)| (what, events::run(settings, failing));
        let running = runs.map(|one| threads.spawn(move || run(one)));
        running.map(|one| one.join().unwrap())
    });
    let mut text = String::new();
    text.push_str("| the fifth source | before: p50, p99 | while it fails | until all is drained | most in the queue | most in the retry queue | drained after | waiting costs |\n");
    text.push_str("|---|---:|---:|---:|---:|---:|---:|---:|\n");
    for (what, run) in runs {
        let both = |effects: &events::Effects| {
            let [half, most] = [0.5, 0.99].map(|part| short(effects.at_most(part)));
            format!("{half}, {most}")
        };
        let [before, during, after] = run.effects.each_ref().map(both);
        text.push_str(&table_row([
            what,
            &before,
            &during,
            &after,
            &messages(run.wait.most_in_queue),
            &messages(run.wait.most_in_retry_queue),
            &time(run.wait.drained_after),
            &format!("${}", count(run.wait.cost)),
        ]));
    }
    text
}
