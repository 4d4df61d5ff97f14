//! The story of an event as a timeline: the tries at applying it, or what its record tells of them.

use hookwell::format::time::Millis;
use hookwell::process::TRIES_IN_PLACE;
use hookwell_aws::tools::admin::{Item, readable};
use maud::{Markup, html};
use serde_json::Value;

use super::effect::{Effect, Try};
use super::layout::{date, kind};

/// The whole story: from its arrival, by the record, to the last try. Over an account no try is known, and the record
/// has to do.
pub(super) fn story(effect: &Effect, record: Option<&Item>) -> Markup {
    html! {
        ol.timeline {
            @if let Some(record) = record {
                @if let Some(at) = time(record, "received_at") { li.plain { (date(at)) " " b { "received" } } }
                @if effect.tries.is_empty() { (recorded(effect, record)) }
            }
            (tries(effect))
        }
    }
}

/// The steps that processing an event took, and the next one.
pub(super) fn tries(effect: &Effect) -> Markup {
    html! {
        @for one in &effect.tries {
            li.(kind(one.what)) {
                (date(one.at)) " "
                @match one.number {
                    Some(number) => { b { (what(one)) } " on try " (number) }
                    None => { b { (one.what) } " by hand" }
                }
                @if let Some(reason) = &one.reason { span.reason { (reason) } }
            }
        }
        @if let Some(next) = effect.next_at {
            li.open {
                (date(next)) " " b { "next" } " is try " (effect.last_try().saturating_add(1)) " of " (TRIES_IN_PLACE)
            }
        }
        @if effect.outcome == "waiting" {
            li.open {
                "waiting in the retry queue, from which it comes back by itself"
                @if let Some(until) = effect.waits_until { "; it is tried until " (date(until)) }
            }
        }
    }
}

/// The end of a try in words: what is to be tried again has failed this time.
fn what(one: &Try) -> String {
    match one.what {
        "retry" => "failed".to_owned(),
        other => other.replace('_', " "),
    }
}

/// The last failure, a person's hand and the end, as the record has them.
fn recorded(effect: &Effect, record: &Item) -> Markup {
    let failed = time(record, "failed_at").filter(|_| effect.ended_at.is_none());
    let reopened = time(record, "reopened_at");
    let mut steps = Vec::new();
    if let Some(at) = failed {
        let tries = readable(record, "tries");
        steps.push((
            at,
            html! {
                li.open {
                    (date(at)) " " b { "failed" } @if !tries.is_empty() { " on try " (tries) }
                    @if let Some(reason) = &effect.reason { span.reason { (reason) } }
                }
            },
        ));
    }
    if let Some(at) = reopened {
        let by = readable(record, "reopened_by");
        steps.push((
            at,
            html! { li.plain { (date(at)) " " b { "put back" } " by " (by) } },
        ));
    }
    if let Some(at) = effect.ended_at {
        steps.push((
            at,
            html! {
                li.(kind(effect.outcome)) {
                    (date(at)) " " b { (effect.outcome) }
                    @if let Some(reason) = &effect.reason { span.reason { (reason) } }
                }
            },
        ));
    }
    steps.sort_by_key(|(at, _)| *at);
    html! { @for (_, step) in steps { (step) } }
}

fn time(record: &Item, name: &str) -> Option<Millis> {
    record.get(name).and_then(Value::as_i64)
}
