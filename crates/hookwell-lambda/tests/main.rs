//! The tests of this crate in one program, because each program would link the whole SDK.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod calls;
mod ingest;
mod ingest_events;
mod process_events;
mod recorder;
