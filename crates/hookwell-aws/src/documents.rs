//! The built-in handler: documents in a DynamoDB table, key `pk`, TTL attribute [`TTL_ATTRIBUTE`] (tombstones only).

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure};
use hookwell::event::Event;
use hookwell::ports::document::{PutResult, change, outcome};
use hookwell::ports::handler::{HandleError, Handler, Outcome};

use crate::client::connection::reason;
use crate::client::item::{TTL_ATTRIBUTE, number, text};

/// The documents table.
#[derive(Debug, Clone)]
pub struct DocumentsTable {
    client: Client,
    table: String,
}

impl DocumentsTable {
    /// The table of that name.
    #[must_use]
    pub fn new(client: Client, table: String) -> Self {
        Self { client, table }
    }
}

impl Handler for DocumentsTable {
    async fn handle(&self, event: &Event) -> Result<Outcome, HandleError> {
        let Some(document) = change(event)? else {
            return Ok(Outcome::Ignored);
        };
        let mut put = self
            .client
            .put_item()
            .table_name(&self.table)
            .item("pk", text(document.key.as_str()))
            .item("version", text(document.version.as_str()))
            .item("source", text(&event.source))
            .item("document_type", text(&event.document_type))
            .item(
                "document_id",
                text(event.document_id.as_deref().unwrap_or_default()),
            )
            .item("event_id", text(&event.id))
            .item("deleted", AttributeValue::Bool(document.state.is_none()));
        if let Some(state) = document.state {
            put = put.item("document", text(state));
        }
        if let Some(expires_at) = document.expires_at {
            put = put.item(TTL_ATTRIBUTE, number(expires_at));
        }
        let put = put
            .condition_expression("attribute_not_exists(pk) OR #version < :version")
            .expression_attribute_names("#version", "version")
            .expression_attribute_values(":version", text(document.version.as_str()))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        let Err(error) = put else {
            return Ok(outcome(&document.version, &PutResult::Written));
        };
        let why = reason(&error);
        match error.into_service_error() {
            PutItemError::ConditionalCheckFailedException(failed) => {
                let there = failed
                    .item
                    .as_ref()
                    .and_then(|item| item.get("version")?.as_s().ok());
                let there = there.ok_or_else(|| HandleError::Retry("no old version".to_owned()))?;
                Ok(outcome(
                    &document.version,
                    &PutResult::Refused(there.clone()),
                ))
            }
            // An item of more than 400 KB, or a key of more than 2,048 bytes, is refused every time.
            _ if why == "ValidationException" => Err(HandleError::Reject(
                "the documents table refuses the document (ValidationException)".to_owned(),
            )),
            _ => Err(HandleError::Retry(format!(
                "the documents table is unavailable: {why}"
            ))),
        }
    }
}
