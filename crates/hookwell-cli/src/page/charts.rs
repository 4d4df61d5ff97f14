//! Charts of the deliveries or events that pass the filter, in its range or in the last ten minutes: their number, their
//! time to the answer, their outcomes.

use std::time::Duration;

use hookwell::format::time::{Millis, to_rfc3339};
use hookwell_sandbox::rank::percentile;
use maud::{Markup, html};

use super::filter::Filter;
use super::index::Index;
use super::layout::{count, millis};
use super::shared::Page;

/// Time that a bar covers at least, in milliseconds.
const STEP: Millis = 10_000;

/// Number of bars: ten minutes of the shortest.
const BARS: usize = 60;

/// Height of a chart, in units of the chart; a bar is one unit wide.
const HEIGHT: f64 = 24.0;

/// Kinds of outcomes that a bar counts, from the ground up.
const KINDS: [&str; 4] = ["good", "plain", "open", "bad"];

#[derive(Default, Clone)]
struct Bar {
    acks: Vec<Duration>,
    /// Number of outcomes of each of the [`KINDS`].
    counts: [u32; 4],
}

impl Bar {
    fn total(&self) -> u32 {
        self.counts.iter().sum()
    }

    fn count(&self, kind: &str) -> u32 {
        self.counts.get(place(kind)).copied().unwrap_or_default()
    }
}

/// Time that the charts show.
struct Window {
    /// Time that a bar covers, in milliseconds.
    step: Millis,
    /// Number of the newest bar, counted in steps since 1970: whole steps, so that a bar does not change once it is over.
    newest: Millis,
    /// Range that the filter asks for; `None` for the last ten minutes.
    range: Option<(Millis, Millis)>,
}

impl Window {
    fn of(index: &Index, filter: &Filter, now: Millis) -> Self {
        let last = filter
            .end()
            .map_or(now, |end| end.saturating_sub(1).min(now));
        if filter.from.at.is_none() && filter.end().is_none() {
            let (step, newest) = (STEP, last / STEP);
            return Self {
                step,
                newest,
                range: None,
            };
        }
        let oldest = || filter.rows(index).map(|row| row.at).min();
        let first = filter.from.at.or_else(oldest).unwrap_or(last).min(last);
        let bars = Millis::try_from(BARS).unwrap_or(Millis::MAX);
        // One bar is spare: the first and the last step may be cut by the range.
        let needed = last.saturating_sub(first) / bars.saturating_sub(1).max(1) + 1;
        let step = needed
            .div_euclid(STEP)
            .saturating_add(1)
            .saturating_mul(STEP);
        Self {
            step,
            newest: last / step,
            range: Some((first, last)),
        }
    }

    /// Time that the charts show, in words.
    fn name(&self) -> String {
        let Some((first, last)) = self.range else {
            return "last 10 min".to_owned();
        };
        let minute = |at| {
            to_rfc3339(at)
                .replace('T', " ")
                .chars()
                .take(16)
                .collect::<String>()
        };
        let (first, last) = (minute(first), minute(last));
        // Of the same day the second needs only its time.
        match first.split_once(' ').zip(last.split_once(' ')) {
            Some(((day, _), (other, time))) if day == other => format!("{first} – {time}"),
            _ => format!("{first} – {last}"),
        }
    }
}

/// The charts: three, or over an account two, as its tables do not say how long an answer took.
pub(super) fn charts(page: &Page, index: &Index, filter: &Filter, now: Millis) -> Markup {
    let window = Window::of(index, filter, now);
    let name = window.name();
    let bars = bars(index, filter, &window);
    let totals = KINDS.map(|kind| (kind, bars.iter().map(|bar| bar.count(kind)).sum::<u32>()));
    let total: u32 = totals.iter().map(|(_, count)| count).sum();
    let mut acks: Vec<_> = bars.iter().flat_map(|bar| bar.acks.clone()).collect();
    acks.sort_unstable();
    let has_acks = page.is_machine();
    let what = if has_acks { "Deliveries" } else { "Events" };
    let busiest = bars.iter().map(Bar::total).max().unwrap_or(0);
    let slow: Vec<_> = bars
        .iter()
        .map(|bar| bar.acks.iter().max().copied().unwrap_or_default())
        .collect();
    let slowest = slow.iter().max().copied().unwrap_or_default();
    let per_second =
        f64::from(busiest) / (Duration::from_millis(window.step.unsigned_abs()).as_secs_f64());
    html! {
        section.charts aria-label={ (what) ", " (name) } {
            figure {
                figcaption { (what) ", " (name) b { (count(usize::try_from(total).unwrap_or(usize::MAX))) } small { "up to " (format!("{per_second:.1}")) "/s" } }
                (svg(&format!("{what}, {name}"), |column| {
                    let bar = bars.get(column).map_or(0, Bar::total);
                    vec![("rate", height(f64::from(bar), f64::from(busiest)))]
                }))
            }
            @if has_acks { figure {
                figcaption {
                    "Time to ack" b { @match percentile(&acks, 50) { Some(it) => { (millis(it)) } None => { "–" } } }
                    small { @if let Some(it) = percentile(&acks, 99) { "p99 " (millis(it)) } }
                }
                (svg(&format!("Slowest answer of each bar, {name}"), |column| {
                    let slow = slow.get(column).copied().unwrap_or_default();
                    vec![("ack", height(slow.as_secs_f64(), slowest.as_secs_f64()))]
                }))
            } }
            figure {
                figcaption {
                    "Outcomes"
                    span.legend {
                        @for (kind, count) in totals { @if count > 0 { span.(kind) { (count) " " (legend(kind)) } } }
                    }
                }
                (svg(&format!("Outcomes, {name}"), |column| {
                    let counts = bars.get(column).map(|bar| bar.counts).unwrap_or_default();
                    let total = f64::from(counts.iter().sum::<u32>());
                    KINDS.into_iter().zip(counts).map(|(kind, count)| (kind, height(f64::from(count), total))).collect()
                }))
            }
        }
    }
}

fn legend(kind: &str) -> &'static str {
    match kind {
        "good" => "applied",
        "plain" => "no change",
        "open" => "under way",
        _ => "refused or failed",
    }
}

fn place(kind: &str) -> usize {
    KINDS.iter().position(|it| *it == kind).unwrap_or_default()
}

fn bars(index: &Index, filter: &Filter, window: &Window) -> Vec<Bar> {
    let mut bars = vec![Bar::default(); BARS];
    for row in filter.rows(index) {
        let age = window.newest.saturating_sub(row.at / window.step);
        let column = usize::try_from(age)
            .ok()
            .and_then(|age| BARS.checked_sub(age.checked_add(1)?));
        let Some(bar) = column.and_then(|column| bars.get_mut(column)) else {
            if age > 0 {
                break;
            }
            continue;
        };
        let (name, _) = row.outcome(&index.effects);
        if let Some(count) = bar.counts.get_mut(place(super::layout::kind(name))) {
            *count = count.saturating_add(1);
        }
        bar.acks.extend(row.ack);
    }
    bars
}

fn height(value: f64, of: f64) -> f64 {
    if value > 0.0 {
        (value / of * HEIGHT).max(1.0)
    } else {
        0.0
    }
}

/// Columns of boxes, each of a class and a height, from the ground up.
fn svg(title: &str, boxes: impl Fn(usize) -> Vec<(&'static str, f64)>) -> Markup {
    html! {
        svg viewBox=(format!("0 0 {BARS} {HEIGHT}")) preserveAspectRatio="none" role="img" aria-label=(title) {
            @for column in 0..BARS {
                @let mut top = HEIGHT;
                @for (class, height) in boxes(column) {
                    @if height > 0.0 {
                        rect class=(class) x=(column) y=(format!("{:.2}", { top -= height; top })) width="0.8" height=(format!("{height:.2}")) {}
                    }
                }
            }
        }
    }
}
