//! The place of a record in the index of the events table by time of reception, by which a tool reads the newest records
//! and not the whole table.

use hookwell::event::identity::Key;

/// The index of the events table by time, which the template has to name so; `hookwell check --template` compares.
pub const EVENTS_INDEX: &str = "by-time";

/// The attribute of a record that is the index's partition key; the sort key is `received_at`.
pub(crate) const SHARD: &str = "shard";

/// The number of shards. `DynamoDB` takes 1,000 writes a second under one key of an index, and holds up the writes of the
/// table where an index cannot follow ("Best practices for designing and using partition keys"; "Using Global Secondary
/// Indexes", throttling).
pub(crate) const SHARDS: i64 = 16;

/// The attributes beside the keys that the index holds: what records are searched by. None of them ever changes, so that
/// of all writes of a record only the first is one of the index as well.
#[cfg(feature = "tools")]
pub(crate) const HELD: [&str; 4] = ["source", "event_id", "type", "document_id"];

/// The shard of a record. The hash in its key spreads the records evenly.
pub(crate) fn shard_of(key: &Key) -> i64 {
    let sum = key.as_str().bytes().map(i64::from).sum::<i64>();
    sum % SHARDS
}
