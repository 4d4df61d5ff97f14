//! The floor under a receiver that does our work: the same checks, the same two calls and the same answers, without an
//! SDK, a framework or an async runtime. It retries nothing and handles no other source: a receiver with these features
//! spends the rest of its time on them.
//!
//! It makes its two calls one after the other, as most receivers do. With the argument `at-once` it sends both requests
//! before it waits for an answer.

mod aws;
mod connection;

use std::env::{args, var};
use std::io;
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use hmac::{Hmac, KeyInit as _, Mac as _};
use hookwell_sandbox::http::Message;
use serde::Deserialize;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::aws::{Credentials, Service};
use crate::connection::{Connection, tls_config};

/// The part of a function URL's event that is needed.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    body: String,
    headers: std::collections::BTreeMap<String, String>,
    raw_path: String,
}

/// The part of the body that is needed.
#[derive(Debug, Deserialize)]
struct Body<'b> {
    id: &'b str,
    #[serde(rename = "type")]
    kind: &'b str,
    data: Data<'b>,
}

#[derive(Debug, Deserialize)]
struct Data<'b> {
    #[serde(borrow)]
    object: Object<'b>,
}

#[derive(Debug, Deserialize)]
struct Object<'b> {
    id: &'b str,
}

/// Settings and connections of the receiver.
struct Receiver {
    secret: String,
    events_table: String,
    queue_url: String,
    at_once: bool,
    dynamodb: Service,
    sqs: Service,
}

fn main() -> io::Result<()> {
    let env = |name: &str| var(name).map_err(|_| io::Error::other(format!("{name} is not set")));
    let tls = tls_config(&env("AWS_CA_BUNDLE")?)?;
    let credentials = Arc::new(Credentials {
        key: env("AWS_ACCESS_KEY_ID")?,
        secret: env("AWS_SECRET_ACCESS_KEY")?,
        token: env("AWS_SESSION_TOKEN")?,
        region: env("AWS_REGION")?,
    });
    // Both connections are opened beside the first question for work.
    let service = |endpoint: &str, name, target| -> io::Result<Service> {
        let address = env(endpoint)?;
        let host = address.trim_start_matches("https://").to_owned();
        Ok(Service::new(
            name,
            target,
            host,
            tls.clone(),
            credentials.clone(),
        ))
    };
    let mut receiver = Receiver {
        secret: env("HOOKWELL_SECRET_RESOURCE")?,
        events_table: env("HOOKWELL_EVENTS_TABLE")?,
        queue_url: env("HOOKWELL_QUEUE_URL")?,
        at_once: args().nth(1).is_some_and(|argument| argument == "at-once"),
        dynamodb: service("AWS_ENDPOINT_URL_DYNAMODB", "dynamodb", "DynamoDB_20120810")?,
        sqs: service("AWS_ENDPOINT_URL_SQS", "sqs", "AmazonSQS")?,
    };
    let api = env("AWS_LAMBDA_RUNTIME_API")?;
    let mut runtime = Connection::new(TcpStream::connect(&api)?);
    loop {
        let next = request(
            "GET",
            "/2018-06-01/runtime/invocation/next",
            &api,
            Vec::new(),
        );
        runtime.send(&next)?;
        let event = runtime.receive()?;
        let id = event
            .header("lambda-runtime-aws-request-id")
            .unwrap_or_default();
        let path = format!("/2018-06-01/runtime/invocation/{id}/response");
        let (status, body) = receiver.receive(&event.body);
        let answer = json!({
            "statusCode": status,
            "headers": { "content-type": "application/json", "x-content-type-options": "nosniff" },
            "body": body, "isBase64Encoded": false,
        });
        let answer = answer.to_string().into_bytes();
        runtime.send(&request("POST", &path, &api, answer))?;
        runtime.receive()?;
    }
}

fn request(method: &str, path: &str, host: &str, body: Vec<u8>) -> Message {
    Message {
        start: format!("{method} {path} HTTP/1.1"),
        headers: vec![("host".to_owned(), host.to_owned())],
        body,
    }
}

impl Receiver {
    fn receive(&mut self, event: &[u8]) -> (u16, &'static str) {
        let Ok(event) = serde_json::from_slice::<Event>(event) else {
            return (400, r#"{"error":"Malformed request"}"#);
        };
        if event.raw_path != "/webhooks/resource" {
            return (404, r#"{"error":"Unknown source"}"#);
        }
        if !self.is_signed(&event) {
            return (401, r#"{"error":"Invalid signature"}"#);
        }
        let Ok(body) = serde_json::from_str::<Body<'_>>(&event.body) else {
            return (400, r#"{"error":"Invalid event payload"}"#);
        };
        match self.remember_and_send(&event.body, &body) {
            Ok(()) => (200, r#"{"status":"received"}"#),
            Err(_) => (503, r#"{"error":"Temporarily unavailable"}"#),
        }
    }

    fn is_signed(&self, event: &Event) -> bool {
        let given = event.headers.get("x-webhook-signature");
        let given = given.and_then(|text| hex::decode(text).ok());
        let mac = Hmac::<Sha256>::new_from_slice(self.secret.as_bytes()).ok();
        given.zip(mac).is_some_and(|(given, mac)| {
            mac.chain_update(event.body.as_bytes())
                .verify_slice(&given)
                .is_ok()
        })
    }

    fn remember_and_send(&mut self, text: &str, body: &Body<'_>) -> io::Result<()> {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let key = format!("resource#{}", hex::encode(Sha256::digest(body.id)));
        let (received_at, expires_at) =
            (now.as_millis(), now.as_secs().saturating_add(35 * 86_400));
        let put = json!({
            "TableName": self.events_table,
            "Item": {
                "pk": { "S": key }, "status": { "S": "pending" }, "source": { "S": "resource" },
                "event_id": { "S": body.id }, "type": { "S": body.kind },
                "operation": { "S": "create" }, "document_type": { "S": "resource" },
                "document_id": { "S": body.data.object.id },
                "body_hash": { "S": hex::encode(Sha256::digest(text)) },
                "received_at": { "N": received_at.to_string() },
                "expires_at": { "N": expires_at.to_string() },
            },
            "ConditionExpression": "attribute_not_exists(pk) OR expires_at < :now",
            "ExpressionAttributeValues": { ":now": { "N": now.as_secs().to_string() } },
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        });
        let send = json!({
            "QueueUrl": self.queue_url,
            "MessageBody": json!({ "key": key, "source": "resource", "id": body.id, "body": text }).to_string(),
        });
        self.dynamodb.send("PutItem", &put.to_string())?;
        if self.at_once {
            self.sqs.send("SendMessage", &send.to_string())?;
            self.dynamodb.receive()?;
        } else {
            self.dynamodb.receive()?;
            self.sqs.send("SendMessage", &send.to_string())?;
        }
        self.sqs.receive()
    }
}
