//! The input of every target: the same request and the same batch.

use anyhow::{Context as _, Result};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;

/// The secret of the source `resource`.
pub(crate) const SECRET: &str = "bench_0123456789abcdef0123456789abcdef";

/// The id of an event that is delivered again and again.
pub(crate) const ID: &str = "evt_bench";

/// A function URL's event and an SQS batch, as the repository's samples have them.
const DELIVERY: &str = include_str!("../../../events/ingest-function-url-valid.json");
const BATCH: &str = include_str!("../../../events/process-create.json");

/// The body of an event, of so many bytes; a little more where that is too few.
pub(crate) fn body(id: &str, bytes: usize) -> String {
    let with = |text: &str| {
        json!({
            "id": id, "type": "resource.created", "created_at": "2026-11-21T09:00:00Z",
            "data": { "object": { "id": "res_bench", "text": text } }, "previous_data": null,
        })
        .to_string()
    };
    with(&"x".repeat(bytes.saturating_sub(with("").len())))
}

/// The signature of a body.
pub(crate) fn signature(body: &str) -> Result<String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes())?;
    mac.update(body.as_bytes());
    Ok(hex::encode(mac.finalize().into_bytes()))
}

/// A request at the function's URL to the source `source`, well signed or not.
pub(crate) fn delivery(source: &str, body: &str, is_good: bool) -> Result<Vec<u8>> {
    let signature = signature(if is_good { body } else { "another body" })?;
    let path = format!("/webhooks/{source}");
    let event = with(
        &serde_json::from_str(DELIVERY)?,
        [
            ("/body", body.to_owned()),
            ("/headers/x-webhook-signature", signature),
            ("/rawPath", path.clone()),
            ("/requestContext/http/path", path),
        ],
    )?;
    Ok(event.to_string().into_bytes())
}

/// A batch of so many messages, each about a document of its own.
pub(crate) fn batch(messages: usize) -> Result<Vec<u8>> {
    let record = record()?;
    let event: Value = serde_json::from_str(message(&record)?)?;
    let records = (0..messages).map(|number| {
        let (id, document) = (format!("evt_{number}"), format!("res_{number}"));
        let body = json!({
            "id": id, "type": "resource.created", "created_at": "2026-11-21T09:00:00Z",
            "data": { "object": { "id": document, "text": "x".repeat(850) } },
        });
        let event = with(
            &event,
            [
                ("/key", format!("resource#{number:043}")),
                ("/id", id),
                ("/document_id", document),
                ("/body", body.to_string()),
            ],
        )?;
        let message = format!("00000000-0000-4000-8000-{number:012}");
        with(
            &record,
            [("/messageId", message), ("/body", event.to_string())],
        )
    });
    let all = records.collect::<Result<Vec<Value>>>()?;
    Ok(json!({ "Records": all }).to_string().into_bytes())
}

/// One record of a batch.
pub(crate) fn record() -> Result<Value> {
    let sample: Value = serde_json::from_str(BATCH)?;
    let record = sample.pointer("/Records/0");
    Ok(record.context("no record")?.clone())
}

/// The message of a record.
pub(crate) fn message(record: &Value) -> Result<&str> {
    let body = record.pointer("/body").and_then(Value::as_str);
    body.context("no body")
}

/// A copy of a sample with other texts at some places.
fn with<const N: usize>(sample: &Value, changes: [(&str, String); N]) -> Result<Value> {
    let mut copy = sample.clone();
    for (place, text) in changes {
        *copy.pointer_mut(place).context("not in the sample")? = text.into();
    }
    Ok(copy)
}
