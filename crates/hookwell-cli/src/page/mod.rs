//! The page of the local machine, or of an account's tables: what arrived, what became of it, and what to do about it.
//!
//! Server-made HTML; one small script keeps the open view current. Views are made from the `index`; the
//! documents of an account from a page of their table, never from a whole one. `guard` keeps other machines and other pages out, `entry` other users of this
//! machine, and `veil` keeps secrets in.

mod account;
mod api;
mod charts;
mod clip;
mod copy;
mod curl;
mod deliveries;
mod delivery;
mod documents;
mod effect;
mod effects;
mod entry;
mod event;
mod fill;
mod filter;
mod guard;
mod health;
mod history;
mod index;
mod kept;
mod layout;
mod letter_count;
mod letters;
mod pretty;
pub(crate) mod routes;
mod row;
mod send;
mod shared;
mod story;
mod token;
mod veil;

pub(crate) use account::Account;
pub(crate) use fill::fill;
pub(crate) use shared::{Page, Stack};
