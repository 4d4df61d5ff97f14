//! One file per command: its arguments and its `run`; and what they share.

pub(crate) mod bundle;
pub(crate) mod check;
mod clean;
mod columns;
pub(crate) mod completions;
mod confirm;
pub(crate) mod console;
pub(crate) mod deliveries;
pub(crate) mod dev;
pub(crate) mod dlq;
pub(crate) mod documents;
mod draft;
pub(crate) mod events;
mod filter;
mod interrupts;
mod items;
pub(crate) mod man;
pub(crate) mod new;
pub(crate) mod presets;
pub(crate) mod print;
pub(crate) mod replay;
pub(crate) mod send;
pub(crate) mod sign;
mod sources;
mod tail;
mod target;
pub(crate) mod verify;
