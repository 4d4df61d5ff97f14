//! The handler's own table: JSON under keys that the handler chooses.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use hookwell::event::Event;
use hookwell::event::identity::Version;
use hookwell::ports::document::MAX_AHEAD;
use hookwell::ports::handler::{HandleError, Outcome};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::client::connection::reason;
use crate::client::item::text;
use crate::now::now;

/// The attribute with the JSON.
const VALUE: &str = "value";

/// The rule of the documents table, except that an event may write over its own value again.
const NOT_OLDER: &str = "attribute_not_exists(pk) OR #version <= :version OR #version > :ahead";

/// A table of the handler's own, `HandlerTable` of the template.
#[derive(Debug, Clone)]
pub struct HandlerTable {
    client: Client,
    table: String,
}

impl HandlerTable {
    pub(crate) fn new(client: Client, table: String) -> Self {
        Self { client, table }
    }

    /// Puts a value under a key, unless an event that is newer than this one has put one: then the outcome is
    /// [`Outcome::Stale`]. The same call again changes nothing.
    ///
    /// # Errors
    /// When the table does not answer, to be tried again; and when it never takes the value, which is rejected.
    pub async fn put(
        &self,
        event: &Event,
        key: &str,
        value: &impl Serialize,
    ) -> Result<Outcome, HandleError> {
        let value = serde_json::to_string(value)
            .map_err(|why| HandleError::Reject(format!("the value is no JSON: {why}")))?;
        let ahead = Version::after(now().saturating_add(MAX_AHEAD));
        let put = self.client.put_item().table_name(&self.table);
        let put = put
            .item("pk", text(key))
            .item("version", text(event.version().as_str()))
            .item(VALUE, text(value))
            .condition_expression(NOT_OLDER)
            .expression_attribute_names("#version", "version")
            .expression_attribute_values(":version", text(event.version().as_str()))
            .expression_attribute_values(":ahead", text(ahead));
        let Err(error) = put.send().await else {
            return Ok(Outcome::Applied);
        };
        let why = reason(&error);
        match error.into_service_error() {
            PutItemError::ConditionalCheckFailedException(_) => Ok(Outcome::Stale),
            // A value or a key that is too large is refused every time.
            _ if why == "ValidationException" => Err(HandleError::Reject(format!(
                "the handler's table refuses the value ({why}): it takes 400 KB"
            ))),
            _ => Err(unavailable(&why)),
        }
    }

    /// The value under a key, where there is one.
    ///
    /// # Errors
    /// When the table does not answer, to be tried again; and when the value is of another shape, which is rejected.
    pub async fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, HandleError> {
        let get = self.client.get_item().table_name(&self.table);
        let got = get.key("pk", text(key)).consistent_read(true).send().await;
        let got = got.map_err(|error| unavailable(&reason(&error)))?;
        let item = got.item.unwrap_or_default();
        let value = item.get(VALUE).and_then(|value| value.as_s().ok());
        let Some(value) = value else {
            return Ok(None);
        };
        // The error of the parser would quote the value.
        let other =
            || HandleError::Reject("a value of the handler's table has another shape".into());
        serde_json::from_str(value).map_err(|_| other())
    }
}

fn unavailable(why: &str) -> HandleError {
    HandleError::Retry(format!("the handler's table is unavailable: {why}"))
}
