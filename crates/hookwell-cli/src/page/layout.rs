//! Parts that every view shares: the frame, and the look of times, outcomes and keys.

use std::time::Duration;

use hookwell::format::time::{Millis, to_rfc3339};
use hookwell_aws::tools::admin::{Item, readable};
use hookwell_lambda::now::now;
use maud::{DOCTYPE, Markup, html};

use super::shared::Page;

/// A view that the frame leads to: its name and its address.
type View = (&'static str, &'static str);

pub(super) const DOCUMENTS: View = ("Documents", "/documents");
pub(super) const SOURCES: View = ("Sources", "/sources");
pub(super) const LETTERS: View = ("Dead letters", "/dead-letters");
pub(super) const SEND: View = ("Send", "/send");

/// The first view: a machine's deliveries, or the events of an account, whose tables hold nothing else.
pub(super) fn list(page: &Page) -> View {
    if page.is_machine() {
        ("Deliveries", "/")
    } else {
        ("Events", "/")
    }
}

/// A whole page; `at` is the view that it belongs to.
pub(super) fn frame(page: &Page, title: &str, at: View, content: &Markup) -> Markup {
    let mut views = vec![list(page), DOCUMENTS, SOURCES, LETTERS];
    if page.is_machine() {
        views.push(SEND);
    }
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) " · Hookwell" }
                link rel="icon" href="/page.svg" type="image/svg+xml";
                link rel="stylesheet" href="/page.css";
                script src="/page.js" defer {}
            }
            body {
                a.skip href="#main" { "Skip to the content" }
                header {
                    a.name href="/" { "Hookwell" }
                    nav aria-label="Views" {
                        @for view in views {
                            a href=(view.1) aria-current=[(view == at).then_some("page")] {
                                (view.0)
                                @if view == LETTERS { " " span.count #letters { (page.letters.shown()) } }
                            }
                        }
                    }
                    @if !page.is_machine() {
                        // Nobody should take an account for their own machine.
                        p.stack { "tables " b { (page.stack.events_table) } " and " b { (page.stack.documents_table) } }
                    }
                    span #state role="status" {}
                    button #pause type="button" hidden { "Pause" }
                }
                main #main tabindex="-1" { (content) }
            }
        }
    }
}

/// A page with nothing but a sentence.
pub(super) fn sentence(page: &Page, title: &str, text: &str) -> Markup {
    let (name, address) = list(page);
    let content = html! {
        h1 { (title) }
        p { (text) }
        p { a href=(address) { "All " (name.to_lowercase()) } }
    };
    frame(page, title, ("", ""), &content)
}

/// The time of day in UTC, or for another day than today the day and the minute, with all of it to hover over.
pub(super) fn time(at: Millis) -> Markup {
    let full = to_rfc3339(at);
    let today = to_rfc3339(now());
    let shown = if full.get(..10) == today.get(..10) {
        full.get(11..23)
    } else {
        full.get(..16)
    };
    let shown = shown.unwrap_or(&full).replace('T', " ");
    html! { time datetime=(full) title=(full) { (shown) } }
}

/// The day and time in UTC.
pub(super) fn date(at: Millis) -> Markup {
    let full = to_rfc3339(at);
    html! { time datetime=(full) { (full.replace('T', " ")) } }
}

/// A duration in milliseconds, or in seconds and minutes when they are many.
pub(super) fn millis(duration: Duration) -> String {
    let millis = duration.as_secs_f64() * 1000.0;
    match millis {
        ..10.0 => format!("{millis:.1} ms"),
        10.0..10_000.0 => format!("{millis:.0} ms"),
        10_000.0..600_000.0 => format!("{:.0} s", millis / 1000.0),
        _ => format!("{:.0} min", millis / 60_000.0),
    }
}

/// Kind of an outcome, by which it is coloured and counted.
pub(super) fn kind(outcome: &str) -> &'static str {
    match outcome {
        "applied" | "received" => "good",
        "queued" | "waiting" | "retrying" | "busy" | "not_started" | "retry" | "put back" => "open",
        "stale" | "ignored" | "duplicate" | "filtered" | "handshake" => "plain",
        _ => "bad",
    }
}

/// An outcome as a coloured word. The word says it all; the colour only helps.
pub(super) fn outcome(name: &str) -> Markup {
    html! { span.outcome.(kind(name)) { (name.replace('_', " ")) } }
}

/// A status as it was answered.
pub(super) fn status(code: u16) -> Markup {
    let class = if code < 300 { "good" } else { "bad" };
    html! { span.status.(class) { (code) } }
}

/// A select box whose first choice is everything.
pub(super) fn select<'t>(
    name: &str,
    label: &str,
    chosen: &str,
    all: impl IntoIterator<Item = &'t str>,
) -> Markup {
    html! {
        label {
            span { (label) }
            select name=(name) {
                option value="" { "all" }
                @for one in all {
                    option value=(one) selected[one == chosen] { (one.replace('_', " ")) }
                }
            }
        }
    }
}

/// A text for the query of an address.
pub(super) fn encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// Numbers with a thin gap between thousands.
pub(super) fn count(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

/// The attributes of an item, a line each; those with nothing in them are left out.
pub(super) fn pairs(item: &Item, is_shown: impl Fn(&str) -> bool) -> Markup {
    let names = item.keys().filter(|name| is_shown(name));
    let pairs = names.map(|name| (name, readable(item, name)));
    html! {
        dl.pairs {
            @for (name, value) in pairs.filter(|(_, value)| !value.is_empty()) {
                dt { (name) }
                dd { (value) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_of_another_day_says_which() {
        assert!(time(0).into_string().contains(">1970-01-01 00:00<"));
    }
}
