//! Charts of the last minutes: how many came, how long they waited for an answer, what became of them.

use std::time::Duration;

use hookwell::format::time::Millis;
use hookwell_sandbox::rank::percentile;
use maud::{Markup, html};

use super::index::Index;
use super::layout::{count, millis};
use super::shared::Page;

/// Time that a bar covers, in milliseconds.
const STEP: Millis = 10_000;

/// Number of bars: ten minutes of them.
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

/// The charts: three, or over an account two, as its tables do not say how long an answer took.
pub(super) fn charts(page: &Page, index: &Index, now: Millis) -> Markup {
    let bars = bars(index, now);
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
        f64::from(busiest) / (Duration::from_millis(STEP.unsigned_abs()).as_secs_f64());
    html! {
        section.charts aria-label="The last ten minutes" {
            figure {
                figcaption { (what) ", last 10 min" b { (count(usize::try_from(total).unwrap_or(usize::MAX))) } small { "up to " (format!("{per_second:.1}")) "/s" } }
                (svg(&format!("{what} over the last ten minutes"), |column| {
                    let bar = bars.get(column).map_or(0, Bar::total);
                    vec![("rate", height(f64::from(bar), f64::from(busiest)))]
                }))
            }
            @if has_acks { figure {
                figcaption {
                    "Time to ack" b { @match percentile(&acks, 50) { Some(it) => { (millis(it)) } None => { "–" } } }
                    small { @if let Some(it) = percentile(&acks, 99) { "p99 " (millis(it)) } }
                }
                (svg("Slowest answer of each ten seconds", |column| {
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
                (svg("Outcomes over the last ten minutes", |column| {
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

fn bars(index: &Index, now: Millis) -> Vec<Bar> {
    let mut bars = vec![Bar::default(); BARS];
    // Whole steps, so that a bar does not change once it is over.
    let newest = now / STEP;
    for row in index.rows.iter().rev() {
        let age = newest.saturating_sub(row.at / STEP);
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
