//! Destinations: who else gets events, which events each of them gets, and in what form.

mod destination;
mod entry;
mod request;

pub use destination::{Destination, Target, check_address};
pub use entry::entry;
pub use request::{Request, SigningKey};
