//! The tests of this crate in one program, because each program would link the whole SDK.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod by_time;
mod contract;
mod damaged;
mod destinations;
mod handler_parts;
mod letters;
mod recorded;
mod send_all;
mod support;
