//! The tests of this crate in one program, because each program would link the whole SDK.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout
)]

mod account;
mod bundle;
mod cli;
mod console;
mod deliveries;
mod destinations;
mod explain;
mod faults;
mod flow;
mod handler_page;
mod new;
mod newest;
mod page;
mod presets;
mod providers_page;
mod readme;
mod recorded;
mod register;
mod replay;
mod replay_faults;
mod resent;
mod security_page;
mod silent;
mod sqs_answers;
mod support;
mod tail;
mod terminal;
mod thawed;
