//! The domain of Hookwell: how a delivery is verified, what event it is, and the protocol that applies every
//! acknowledged event exactly once to the documents table. No AWS crate, no server, no environment, no clock.

pub mod algorithm;
pub mod clock;
pub mod config;
pub mod delivery;
pub mod document;
pub mod event;
mod fields;
mod form;
pub mod handler;
pub mod handshake;
pub mod ingest;
pub mod json;
pub mod keys;
pub mod ledger;
pub mod mapping;
pub mod memory;
pub mod pattern;
pub mod process;
pub mod public_key;
pub mod queue;
pub mod recipe;
pub mod reply;
pub mod sample;
pub mod secret;
pub mod source;
pub mod sources;
pub mod special;
pub mod steps;
pub mod time;
pub mod trace;
pub mod verified;
pub mod verify;
