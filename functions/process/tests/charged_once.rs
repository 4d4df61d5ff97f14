//! The handler of docs/handler.md against a service that takes idempotency keys: whatever happens to a call, an order is
//! charged once.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, unreachable_pub)]

use std::collections::{HashMap, VecDeque};
use std::future::pending;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use hookwell::ports::handler::{HandleError, Handler as _, Outcome};
use hookwell_local::storage::Storage;
use hookwell_sandbox::sample;
use tokio::sync::Semaphore;

#[path = "../examples/charge.rs"]
mod charge;

const SOURCES: &str = include_str!("../examples/charge/sources.toml");
const TEMPLATE: &str = include_str!("../examples/charge/template.yaml");

/// Fate of the answer to a call that was charged.
#[derive(Clone, Copy)]
enum Trouble {
    Silence,
    Status(StatusCode),
}

/// A payment service as most are: the first call with a key is charged, and every other one with it gets the same answer.
struct Payments {
    charges: Mutex<HashMap<String, String>>,
    calls: Mutex<usize>,
    troubles: Mutex<VecDeque<Trouble>>,
    /// A permit for every call that nobody answers.
    unanswered: Semaphore,
}

async fn charge(
    State(payments): State<Arc<Payments>>,
    headers: HeaderMap,
    order: String,
) -> StatusCode {
    if headers["authorization"] != "Bearer test" {
        return StatusCode::UNAUTHORIZED;
    }
    *payments.calls.lock().unwrap() += 1;
    let key = headers["idempotency-key"].to_str().unwrap().to_owned();
    let before = payments.charges.lock().unwrap().insert(key, order.clone());
    // As they do when a key comes with another request.
    if before.is_some_and(|before| before != order) {
        return StatusCode::UNPROCESSABLE_ENTITY;
    }
    let trouble = payments.troubles.lock().unwrap().pop_front();
    match trouble {
        None => StatusCode::CREATED,
        Some(Trouble::Status(status)) => status,
        Some(Trouble::Silence) => {
            payments.unanswered.add_permits(1);
            pending().await
        }
    }
}

#[tokio::test]
async fn an_order_is_charged_once_whatever_happens_to_its_calls() {
    let troubles = [
        Trouble::Silence,
        Trouble::Status(StatusCode::SERVICE_UNAVAILABLE),
        Trouble::Status(StatusCode::GATEWAY_TIMEOUT),
    ];
    let payments = Arc::new(Payments {
        charges: Mutex::default(),
        calls: Mutex::default(),
        troubles: Mutex::new(troubles.into()),
        unanswered: Semaphore::new(0),
    });
    let router = Router::new().route("/charges", post(charge));
    let router = router.with_state(Arc::clone(&payments));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });

    let storage = Storage::for_test(TEMPLATE).await.unwrap();
    let variables = [("PAYMENTS_URL", url.as_str()), ("PAYMENTS_TOKEN", "test")];
    // A function that starts anew.
    let started = || {
        let context = storage.context(&variables).unwrap();
        charge::YourHandler::new(context).unwrap()
    };
    let order = |number: u32| {
        let body = format!(
            r#"{{"id": "evt_{number}", "type": "order.placed",
                "data": {{"id": "ord_{number}", "amount": 4200, "customer": "ada"}}}}"#
        );
        sample::event_of(SOURCES, "shop", body).unwrap()
    };

    // Charged, and the function dies before it hears of that.
    let (handler, event) = (started(), order(1));
    let dying = tokio::spawn(async move { handler.handle(&event).await });
    payments.unanswered.acquire().await.unwrap().forget();
    dying.abort();
    assert!(dying.await.unwrap_err().is_cancelled());

    // Charged already, and the answers are lost.
    let handler = started();
    let busy = handler.handle(&order(1)).await;
    assert!(matches!(busy, Err(HandleError::RetryEnded(_))), "{busy:?}");
    let lost = handler.handle(&order(1)).await;
    assert!(matches!(lost, Err(HandleError::Retry(_))), "{lost:?}");

    for number in [1, 1, 2] {
        let done = handler.handle(&order(number)).await;
        assert_eq!(done, Ok(Outcome::Applied.into()));
    }
    assert_eq!(*payments.calls.lock().unwrap(), 6);
    assert_eq!(payments.charges.lock().unwrap().len(), 2);
}
