//! One request and its transaction.

use rusqlite::{Connection, OptionalExtension, Params};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::fault::Outcome;

/// One request: its transaction, the host it was sent to, and the time it is performed at. Each operation is in the
/// file of its subject: queues, messages, move tasks.
pub(super) struct Call<'a> {
    pub(super) db: &'a Connection,
    pub(super) host: &'a str,
    pub(super) now: i64,
}

impl Call<'_> {
    /// The JSON that a statement returns, or `null` if there is no row.
    pub(super) fn json<T: DeserializeOwned>(&self, sql: &str, params: impl Params) -> Outcome<T> {
        let mut statement = self.db.prepare_cached(sql)?;
        let json = statement
            .query_row(params, |row| row.get::<_, String>(0))
            .optional()?;
        Ok(serde_json::from_str(json.as_deref().unwrap_or("null"))?)
    }

    pub(super) fn run(&self, sql: &str, params: impl Params) -> Outcome<Value> {
        self.db.prepare_cached(sql)?.execute(params)?;
        Ok(json!({}))
    }
}
