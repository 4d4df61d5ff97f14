//! The whole path from bytes to events, against an oracle that never asks the code under test.
//!
//! A delivery of every sender is signed by a test sender and captured, with what its sender meant, written down by hand in
//! `samples/`. Strangers then change everything that they can reach. The oracle reads what a request claims to have signed, by
//! rules of its own, and knows every signature that a sender has made: a request is taken if and only if one of these was made
//! over exactly that, within its time. What is taken must be the event of that delivery, and nothing else.
//!
//! `cargo test` tries 200,000; before a release:
//!
//! ```text
//! FORGE_COUNT=10000000 FORGE_SEED=7 cargo test --release -p hookwell --test forgery -- --nocapture
//! ```
//!
//! A failure prints the request; the same seed repeats it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)] // helpers of tests

mod choices;
mod json;
mod judge;
mod mutate;
mod request;
mod schemes;
mod world;

use std::path::Path;

use hookwell::config;

use choices::Choices;
use judge::{Counts, judge};
use mutate::{Mutant, mutant};
use world::World;

/// All senders.
fn world() -> World {
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/samples");
    World::of(&samples, &config::presets())
}

fn number(name: &str, usual: u64) -> u64 {
    std::env::var(name).map_or(usual, |text| text.parse().unwrap())
}

#[test]
fn what_strangers_make_of_captured_deliveries_is_the_signed_event_or_nothing() {
    let (count, seed) = (number("FORGE_COUNT", 200_000), number("FORGE_SEED", 1));
    let world = world();
    let mut choices = Choices::Seed(seed);
    let mut counts = Counts::default();
    while counts.judged() < count {
        let mutant = mutant(&world, &mut choices);
        if mutant.request.delivery().is_none() {
            counts.impossible += 1;
            continue;
        }
        let outcome = world.outcome(&mutant.request, mutant.now);
        counts.add(judge(&world, &mutant, &outcome));
    }
    println!("seed {seed}: {counts}");
    counts.assert_all(&format!("seed {seed}"));
    assert!(
        counts.accepted > count / 20,
        "the changes leave some deliveries valid"
    );
    assert!(counts.refused > count / 4, "and break many");
}

#[test]
fn every_byte_of_a_delivery_of_every_sender_counts() {
    let world = world();
    let mut counts = Counts::default();
    for preset in config::presets() {
        let captured = world.of_preset(&preset)[0];
        let mut bit = 0;
        let mut flipped = |change: &mut dyn FnMut(&mut Mutant, u8)| {
            let mut mutant = Mutant {
                request: captured.request.clone(),
                now: captured.at,
            };
            bit = (bit + 1) % 8;
            change(&mut mutant, 1 << bit);
            if mutant.request.delivery().is_some() {
                let outcome = world.outcome(&mutant.request, mutant.now);
                counts.add(judge(&world, &mutant, &outcome));
            }
        };
        for at in 0..captured.request.body.len() {
            flipped(&mut |mutant, bit| mutant.request.body[at] ^= bit);
        }
        for header in 0..captured.request.headers.len() {
            for at in 0..captured.request.headers[header].1.len() {
                flipped(&mut |mutant, bit| mutant.request.headers[header].1[at] ^= bit);
            }
        }
    }
    println!("{counts}");
    counts.assert_all("flips");
}
