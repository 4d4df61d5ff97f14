//! The floor under every Lambda function in Rust: the runtime client and nothing else.

use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use serde::de::IgnoredAny;
use serde_json::{Value, json};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let hello =
        |_: LambdaEvent<IgnoredAny>| async { Ok::<Value, Error>(json!({ "statusCode": 200 })) };
    run(service_fn(hello)).await
}
