//! The domain of Hookwell: how a delivery is verified, what event it is, and the protocol that applies every
//! acknowledged event exactly once to the documents table. No AWS crate, no server, no environment, no clock, no log.
//!
//! # Map
//!
//! In the order in which data meets them. When a function starts:
//! * [`config`]: the sources file: TOML into sources, every problem with its path; presets.
//! * [`source`]: one sender as configured: where its events are, how it checks an address, what it is told.
//! * [`keys`]: key material: references, secrets, public keys, certificates.
//!
//! When a delivery arrives:
//! * [`delivery`]: the HTTP request, before anybody trusts it.
//! * [`ingest`]: the first half of the protocol: verify, remember, queue, answer.
//! * [`verify`]: one request and its keys: yes, or why not.
//! * [`event`](mod@event): what a verified delivery says happened; also the queue's message.
//! * [`ledger`]: which events were received and which are done, as the events table keeps it.
//! * [`queue`]: what holds the events until they are done.
//!
//! When its event comes out of the queue:
//! * [`process`]: the second half of the protocol: claim, apply, finish.
//! * [`handler`]: what happens to an event, as the project that deploys says.
//! * [`document`]: how an event changes its document, which is what happens unless a handler says otherwise.
//!
//! Beneath and beside:
//! * [`format`](mod@format): bytes into values: JSON, forms, times, patterns, templates, encodings, traces.
//! * [`steps`]: how long the steps of a delivery and of an event take.
//! * [`memory`]: ledger, queue and documents in memory, for tests and trials.
//! * `sender`: test senders: sample deliveries, and signatures by private keys. A feature of this name, off on Lambda.
//!
//! No module reaches back: `format` knows nothing; `event` and `keys` know `format`; `verify` knows these; `source` knows
//! `verify`; `config`, `ingest` and `sender` know `source`. `process` knows events, and no source.

pub mod config;
pub mod delivery;
pub mod document;
pub mod event;
pub mod format;
pub mod handler;
pub mod ingest;
pub mod keys;
pub mod ledger;
pub mod memory;
pub mod process;
pub mod queue;
#[cfg(feature = "sender")]
pub mod sender;
pub mod source;
pub mod steps;
pub mod verify;
