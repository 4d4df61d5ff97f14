//! The parts that a context gives a handler: its own table and a service.

use hookwell::event::Event;
use hookwell::ports::handler::{HandleError, Outcome};
use hookwell_local::service::TestService;
use hookwell_local::storage::Storage;
use serde_json::{Value, json};

const TEMPLATE: &str = "
Transform: AWS::Serverless-2016-10-31
Resources:
  Queue: {Type: AWS::SQS::Queue}
  Table:
    Type: AWS::DynamoDB::Table
    Properties:
      AttributeDefinitions: [{AttributeName: pk, AttributeType: S}]
      KeySchema: [{AttributeName: pk, KeyType: HASH}]
  Process:
    Type: AWS::Serverless::Function
    Properties:
      Events: {Batch: {Type: SQS, Properties: {Queue: !GetAtt Queue.Arn}}}
      Environment: {Variables: {HANDLER_TABLE: !Ref Table}}
";

fn at(id: &str, time: i64) -> Event {
    Event {
        time: Some(time),
        ..Event::bare("shop", id)
    }
}

#[tokio::test]
async fn the_newest_event_decides_what_the_own_table_holds() {
    let storage = Storage::for_test(TEMPLATE).await.unwrap();
    let table = storage.context(&[]).unwrap().table().unwrap();
    let none: Option<Value> = table.get("7").await.unwrap();
    assert_eq!(none, None);
    for (event, outcome, holds) in [
        (at("new", 2000), Outcome::Applied, "new"),
        (at("old", 1000), Outcome::Stale, "new"),
        // A call that is repeated, because its end was not heard of.
        (at("new", 2000), Outcome::Applied, "new"),
        (at("newest", 3000), Outcome::Applied, "newest"),
    ] {
        let value = json!({ "from": event.id });
        let put = table.put(&event, "7", &value).await;
        assert_eq!(put, Ok(outcome), "{}", event.id);
        let there: Option<Value> = table.get("7").await.unwrap();
        assert_eq!(there, Some(json!({ "from": holds })));
    }
    let large = table.put(&at("large", 1), "8", &"x".repeat(500_000)).await;
    assert!(matches!(large, Err(HandleError::Reject(_))), "{large:?}");
    let misfit = table.get::<Vec<u32>>("7").await;
    assert!(matches!(misfit, Err(HandleError::Reject(_))), "{misfit:?}");
    storage.stop().await;
}

#[tokio::test]
async fn a_service_gets_the_events_key_and_its_answer_decides() {
    let storage = Storage::for_test(TEMPLATE).await.unwrap();
    let service = TestService::answering(&[(200, "thanks"), (302, ""), (422, "")]);
    let service = service.await.unwrap();
    let variables = [("SHOP_URL", &*service.url), ("SHOP_TOKEN", "abc")];
    let context = storage.context(&variables).unwrap();
    let token = context.secret("SHOP_TOKEN").unwrap();
    let shop = context.service("SHOP_URL").unwrap().with_token(token);
    let event = at("evt", 1000);

    let note = json!({ "text": "hello" });
    let answer = shop.post(&event, "/notes", &note).await;
    assert_eq!(answer, Ok(b"thanks".to_vec()));
    let moved = shop.post(&event, "/notes", &1).await;
    assert!(
        matches!(moved, Err(HandleError::RetryEnded(_))),
        "{moved:?}"
    );
    let wrong = shop.post(&event, "/others", &1).await;
    assert!(matches!(wrong, Err(HandleError::Reject(_))), "{wrong:?}");

    let asked = service.asked();
    assert_eq!(asked.len(), 3, "a redirect is not followed");
    assert_eq!(asked[0].path, "/notes");
    assert_eq!(asked[0].body, r#"{"text":"hello"}"#);
    assert_eq!(asked[0].headers["authorization"], "Bearer abc");
    let keys: Vec<_> = asked
        .iter()
        .map(|one| one.headers["idempotency-key"].to_str().unwrap())
        .collect();
    let key = event.key.as_str();
    let (notes, others) = (format!("{key}/notes"), format!("{key}/others"));
    assert_eq!(keys, [&notes, &notes, &others]);
    storage.stop().await;
}

#[tokio::test]
async fn a_service_is_not_called_where_everybody_can_listen() {
    let storage = Storage::for_test(TEMPLATE).await.unwrap();
    let variables = [("OPEN_URL", "http://shop.example.com"), ("NO_URL", "shop")];
    let context = storage.context(&variables).unwrap();
    for name in ["OPEN_URL", "NO_URL"] {
        let why = context.service(name).unwrap_err().to_string();
        assert!(why.starts_with(name), "{why}");
    }
    let why = context.service("ABSENT_URL").unwrap_err().to_string();
    assert_eq!(why, "ABSENT_URL is not set");
    storage.stop().await;
}
