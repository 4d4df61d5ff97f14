//! The built-in handler: documents in a DynamoDB table, key `pk`, TTL attribute [`TTL_ATTRIBUTE`] (tombstones only).

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::put_item::builders::PutItemFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue, ReturnValuesOnConditionCheckFailure};
use hookwell::event::Event;
use hookwell::event::identity::Version;
use hookwell::format::time::Millis;
use hookwell::ports::document::{Before, Document, MAX_AHEAD, change};
use hookwell::ports::handler::{HandleError, Handled, Handler, Outcome};

use crate::client::connection::reason;
use crate::client::item::{Item, TTL_ATTRIBUTE, integer, number, text};
use crate::now::now;

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

/// The largest item of a table, in KB ("Quotas", DynamoDB developer guide).
const MAX_ITEM_KB: usize = 400;

/// The rule of [`Document::replaces`] as a condition, for an event without a sequence.
const NEWER: &str = "(#version < :version OR #version > :ahead)";

impl DocumentsTable {
    /// The put of a document, unless a newer state of it is there.
    fn put(&self, event: &Event, document: &Document, now: Millis) -> PutItemFluentBuilder {
        let ahead = Version::after(now.saturating_add(MAX_AHEAD));
        let id = event.document_id.as_deref().unwrap_or_default();
        let mut put = self
            .client
            .put_item()
            .table_name(&self.table)
            .item("pk", text(document.key.as_str()))
            .item("version", text(document.version.as_str()))
            .item("source", text(&event.source))
            .item("document_type", text(&event.document_type))
            .item("document_id", text(id))
            .item("event_id", text(&event.id))
            .item("deleted", AttributeValue::Bool(document.state.is_none()));
        if let Some(state) = &document.state {
            put = put.item("document", text(state));
        }
        if let Some(expires_at) = document.expires_at {
            put = put.item(TTL_ATTRIBUTE, number(expires_at));
        }
        let mut condition = format!("attribute_not_exists(pk) OR {NEWER}");
        if let Some(sequence) = document.sequence {
            condition = format!(
                "attribute_not_exists(pk) OR #sequence < :sequence \
                 OR ((attribute_not_exists(#sequence) OR #sequence = :sequence) AND {NEWER})"
            );
            put = put
                .item(SEQUENCE, number(sequence))
                .expression_attribute_names("#sequence", SEQUENCE)
                .expression_attribute_values(":sequence", number(sequence));
        }
        put.condition_expression(condition)
            .expression_attribute_names("#version", "version")
            .expression_attribute_values(":version", text(document.version.as_str()))
            .expression_attribute_values(":ahead", text(ahead))
            .return_values(ReturnValue::AllOld)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
    }
}

/// The attribute of a sender's own count of a document's states.
const SEQUENCE: &str = "sequence";

/// Version and sequence of the document in a table's item; `None` where the item holds no version.
fn before(item: &Item) -> Option<Before> {
    let version = item.get("version")?.as_s().ok()?;
    Some(Before {
        version: Version::recorded(version),
        sequence: integer(item, SEQUENCE),
    })
}

impl Handler for DocumentsTable {
    async fn handle(&self, event: &Event) -> Result<Handled, HandleError> {
        let Some(document) = change(event)? else {
            return Ok(Outcome::Ignored.into());
        };
        let error = match self.put(event, &document, now()).send().await {
            Ok(written) => {
                let before = written.attributes.as_ref().and_then(before);
                return Ok(document.outcome(true, before.as_ref()));
            }
            Err(error) => error,
        };
        let why = reason(&error);
        match error.into_service_error() {
            PutItemError::ConditionalCheckFailedException(failed) => {
                let before = failed.item.as_ref().and_then(before);
                let before =
                    before.ok_or_else(|| HandleError::Retry("no old version".to_owned()))?;
                Ok(document.outcome(false, Some(&before)))
            }
            // An item or a key that is too large is refused every time.
            _ if why == "ValidationException" => Err(HandleError::Reject(refused(&document))),
            _ => Err(HandleError::Retry(format!(
                "the documents table is unavailable: {why}"
            ))),
        }
    }
}

/// Reason for which the table never takes a document.
fn refused(document: &Document) -> String {
    let kb = document
        .state
        .as_ref()
        .map_or(0, |state| state.len() / 1000);
    if kb >= MAX_ITEM_KB - 2 {
        return format!(
            "the document has {kb} KB, and an item of a DynamoDB table at most {MAX_ITEM_KB} KB"
        );
    }
    "the documents table refuses the document (ValidationException)".to_owned()
}
