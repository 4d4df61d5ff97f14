//! The tables of `docs/capacity.md`: which limit is reached first at 1,000, 10,000 and 100,000 events a second, what to
//! raise, and what an outage of hours leaves behind. All of it is arithmetic and virtual time, the same on every machine.
//!
//! `HOOKWELL_BLESS=1 cargo test -p hookwell --test capacity` writes the tables into the page, and a plain test says when
//! they are stale. The text between the tables is written by hand.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod events;
mod failing;
mod figures;
mod limits;
mod money;
mod order;
mod page;
mod rates;
mod settings;
mod waits;

use failing::Failing;
use figures::Figures;
use settings::Settings;

#[test]
fn the_page_of_capacity_is_what_the_models_say() {
    let figures = Figures::of_the_page();
    let parts = [
        ("limits", limits::table(&figures)),
        ("order", order::table(&figures)),
        ("waiting", waits::outages(&figures)),
        ("others", waits::others(&figures)),
    ];
    page::compare(&parts);
}

/// The large rates have no model by events, so the model by rates has to agree with it where both can be run.
#[test]
fn both_models_say_the_same_of_an_outage_at_1000_events_a_second() {
    let figures = Figures::of_the_page();
    let settings = Settings::for_rate(waits::RATE_OF_EVENTS, &figures);
    for (failing, by_events) in waits::by_events() {
        let by_rates = rates::run(&settings, failing);
        let pairs = [
            ("queue", by_events.most_in_queue, by_rates.most_in_queue),
            (
                "retry queue",
                by_events.most_in_retry_queue,
                by_rates.most_in_retry_queue,
            ),
            (
                "in flight",
                by_events.most_in_flight,
                by_rates.most_in_flight,
            ),
            (
                "failed tries",
                by_events.failed_tries,
                by_rates.failed_tries,
            ),
            ("drained", by_events.drained_after, by_rates.drained_after),
        ];
        for (what, events, rates) in pairs {
            // In flight swings with the pauses, and a peak of that is where the models differ most.
            let apart = if what == "in flight" { 0.1 } else { 0.05 };
            assert!(
                (events - rates).abs() <= apart * events.max(rates) + 1.0,
                "{}: {what}: {events:.0} by events, {rates:.0} by rates",
                failing.what
            );
        }
        assert!(by_events.letters == 0.0 && by_rates.letters == 0.0);
    }
}

/// Whatever fails for up to a day must be back before `retry_for` is over and before SQS deletes it.
#[test]
fn nothing_that_fails_for_a_day_becomes_a_letter_or_too_old() {
    let figures = Figures::of_the_page();
    for wait in waits::all(&figures) {
        assert!(wait.wait.letters == 0.0, "{}", wait.what);
        assert!(
            wait.wait.oldest < settings::RETENTION,
            "{}: {:.0} s old",
            wait.what,
            wait.wait.oldest
        );
    }
}

/// The other way round: what fails for longer than `retry_for` must become letters, or the model cannot see them.
#[test]
fn a_source_that_fails_for_longer_than_its_retry_for_fills_the_dead_letter_queue() {
    let figures = Figures::of_the_page();
    let failing = Failing {
        lasts: settings::RETRY_FOR + 3_600,
        ..Failing::source_refuses(&figures)
    };
    let settings = Settings::for_rate(1_000, &figures);
    assert!(rates::run(&settings, &failing).letters > 0.0);
}
