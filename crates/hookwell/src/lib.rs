//! The domain of Hookwell: how a delivery is verified, what event it is, and the protocol that applies every
//! acknowledged event exactly once to the documents table. No AWS crate, no server, no environment, no clock, no log.
//!
//! # Map
//!
//! In the order in which data meets them. When a function starts:
//! * [`config`]: the sources file: TOML into sources, every problem with its path; presets.
//! * [`source`]: one sender as configured: where its events are, how it checks an address, what it is told.
//! * [`keys`]: key material: references, secrets, public keys, certificates.
//! * [`deliver`]: destinations: who else gets events, which ones, and in what form.
//!
//! When a delivery arrives:
//! * [`event`](mod@event): the delivery, before anybody trusts it; the event that it becomes, which is the queue's message.
//! * [`ingest`]: the first half of the protocol: verify, put and send at once, answer.
//! * [`verify`]: one request and its keys: yes, or why not.
//!
//! When its event comes out of the queue:
//! * [`process`]: the second half of the protocol: ask the record, apply, finish.
//!
//! Beneath and beside:
//! * [`ports`]: what adapters must do: ledger, queue, handler, clock; what an event does to a document; a model in memory.
//! * [`format`](mod@format): bytes into values: JSON, forms, times, patterns, templates, encodings, traces.
//! * `sender`: test senders: sample deliveries, and signatures by private keys. A feature of this name, off on Lambda.
//!
//! No module reaches back: `format` knows nothing; `event` and `keys` know `format`; `verify` and `deliver` know
//! these; `ports` knows `event`; `source` knows `verify`; `config`, `ingest` and `sender` know `source`. `ingest` and `process`
//! know `ports`, `config` and `process` know `deliver`, and `process` knows no source.

pub mod config;
pub mod deliver;
pub mod event;
pub mod format;
pub mod ingest;
pub mod keys;
pub mod ports;
pub mod process;
#[cfg(feature = "sender")]
pub mod sender;
pub mod source;
pub mod verify;
