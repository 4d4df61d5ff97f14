//! The seams of the domain: what the outside must do for it, and what it may rely on.

pub mod clock;
pub mod document;
pub mod handler;
pub mod ledger;
pub mod memory;
pub mod queue;
