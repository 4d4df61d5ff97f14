//! The forgery test by a fuzzer that follows the coverage: its bytes choose what a stranger changes of captured deliveries.
#![no_main]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)] // as the tests that it is made of

#[path = "../../crates/hookwell/tests/forgery/choices.rs"]
mod choices;
#[path = "../../crates/hookwell/tests/forgery/json.rs"]
mod json;
#[path = "../../crates/hookwell/tests/forgery/judge.rs"]
mod judge;
#[path = "../../crates/hookwell/tests/forgery/mutate.rs"]
mod mutate;
#[path = "../../crates/hookwell/tests/forgery/request.rs"]
mod request;
#[path = "../../crates/hookwell/tests/forgery/schemes.rs"]
mod schemes;
#[path = "../../crates/hookwell/tests/forgery/world.rs"]
mod world;

use std::path::Path;

use hookwell::config;
use libfuzzer_sys::fuzz_target;

use choices::Choices;
use judge::{Judged, judge};
use world::World;

thread_local! {
    static WORLD: World = {
        let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/hookwell/tests/samples");
        World::of(&samples, &config::presets())
    };
}

fuzz_target!(|bytes: &[u8]| {
    WORLD.with(|world| {
        let mutant = mutate::mutant(world, &mut Choices::Bytes(bytes));
        if mutant.request.delivery().is_some() {
            let outcome = world.outcome(&mutant.request, mutant.now);
            if let Judged::Wrong(why) = judge(world, &mutant, &outcome) {
                panic!("{why}");
            }
        }
    });
});
