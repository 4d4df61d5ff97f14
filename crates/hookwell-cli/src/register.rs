//! Webhooks at their senders: created, listed, changed, tested and deleted by the sender's API.
//!
//! * `api`: the APIs of the senders, read from apis.toml
//! * `client`: the calls
//! * `webhook`: what an answer says of one webhook
//! * `place`: where its secret is put

mod api;
mod client;
mod place;
mod webhook;

pub(crate) use api::{Api, Owner};
pub(crate) use client::Client;
pub(crate) use place::{Place, api_key, random};
pub(crate) use webhook::Webhook;
