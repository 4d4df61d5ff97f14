//! The tests of this crate in one program, because each program would link the whole SDK.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout
)]

mod guard;
mod sqs;
