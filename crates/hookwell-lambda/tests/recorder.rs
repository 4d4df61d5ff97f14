//! Refused requests that ingest records in a bucket: which, how many, and without whose secrets.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hookwell::format::time::{Millis, to_rfc3339};
use hookwell::ports::memory::StoppedClock;
use hookwell_aws::{Bucket, EventsTable, Limits, Recordings, SqsQueue};
use hookwell_lambda::ingest::{Ingest, Response};
use hookwell_lambda::now::now;
use hookwell_local::storage::{Endpoints, Storage};
use hookwell_sandbox::trigger::{HttpRequest, Trigger};
use http::HeaderMap;
use serde_json::Value;

const SOURCES: &str = "[sources.shop]\npreset = \"generic\"\nsecrets = [\"env:SHOP_SECRET\"]\nmax_body_bytes = 1000000\n\
                       [sources.lab]\npreset = \"gitlab-token\"\nsecrets = [\"env:LAB_TOKEN\"]\n";

const SECRET: &str = "a secret of the shop";
const TOKEN: &str = "a-token-of-the-lab+/";
const HOUR: Millis = 3_600_000;

/// The function as Lambda runs it over these services, with these variables besides.
async fn ingest(
    endpoints: &Endpoints,
    more: &[(&'static str, String)],
) -> Ingest<EventsTable, SqsQueue> {
    let of_services = endpoints.environment();
    let of_services = of_services.map(|(name, value)| (name, value.to_owned()));
    let mut variables = BTreeMap::from(of_services);
    variables.insert("SHOP_SECRET", SECRET.to_owned());
    variables.insert("LAB_TOKEN", TOKEN.to_owned());
    variables.extend(more.iter().cloned());
    let variables: &BTreeMap<_, _> = Box::leak(Box::new(variables));
    let env = Box::leak(Box::new(|name: &str| variables.get(name).cloned()));
    Ingest::from_environment(env, SOURCES).await.unwrap()
}

/// The variable that asks for a recording of a source until a time.
fn until(source: &str, at: Millis) -> (&'static str, String) {
    let text = format!("{source} until {}", to_rfc3339(at));
    ("HOOKWELL_RECORD_REFUSED", text)
}

fn request(source: &str, headers: &[(&'static str, &str)], body: &[u8]) -> HttpRequest {
    let mut all = HeaderMap::new();
    for (name, value) in headers {
        all.append(*name, value.parse().unwrap());
    }
    HttpRequest {
        method: "POST".into(),
        path: format!("/webhooks/{source}"),
        query: String::new(),
        headers: all,
        body: body.to_vec(),
        source_ip: "203.0.113.9".parse().unwrap(),
    }
}

async fn answer(
    ingest: &Ingest<EventsTable, SqsQueue>,
    request: &HttpRequest,
    at: Millis,
) -> Response {
    let event = Trigger::FunctionUrl.event(request, "request-1", at);
    let (event, clock) = (event.to_string(), StoppedClock::at(at));
    let answer = ingest.respond(&event, "request-1", None, clock.clock());
    answer.await
}

/// Posts a body whose signature is wrong.
async fn forged(ingest: &Ingest<EventsTable, SqsQueue>, body: &[u8], at: Millis) -> Response {
    let headers = [
        ("x-signature", "00ff"),
        ("content-type", "application/json"),
    ];
    answer(ingest, &request("shop", &headers, body), at).await
}

fn recordings(endpoints: &Endpoints) -> Recordings {
    let connection = endpoints.connection().unwrap();
    let bucket = Bucket::new(connection, endpoints.bucket.clone(), Limits::TOOL);
    Recordings::new(bucket)
}

/// Everything that is recorded, by its id.
async fn recorded(endpoints: &Endpoints) -> BTreeMap<String, Value> {
    let recordings = recordings(endpoints);
    let mut all = BTreeMap::new();
    for place in recordings.places().await.unwrap() {
        let json = recordings.read(&place).await.unwrap().unwrap();
        all.insert(place.to_string(), serde_json::from_slice(&json).unwrap());
    }
    all
}

fn body_of(recorded: &Value) -> Vec<u8> {
    let body = recorded["body_base64"].as_str().unwrap();
    STANDARD.decode(body).unwrap()
}

async fn storage() -> Storage {
    Storage::for_test("Resources: {}").await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_request_of_the_source_is_recorded_as_verify_reads_it() {
    let storage = storage().await;
    let endpoints = &storage.endpoints;
    let end = now() + HOUR;
    let ingest = ingest(endpoints, &[until("shop", end)]).await;
    let headers = [
        ("x-signature", "00ff"),
        ("x-many", "1"),
        ("x-many", "2"),
        ("authorization", "Bearer of-somebody"),
    ];
    let mut sent = request("shop", &headers, b"{\"a\": 1}");
    sent.query = "b=2&token=abc".to_owned();
    let at = end - 1;
    assert_eq!(answer(&ingest, &sent, at).await.status_code, 401);
    // Of another source, and of none.
    let other = request("lab", &[("x-gitlab-token", "wrong")], b"{\"a\": 1}");
    assert_eq!(answer(&ingest, &other, at).await.status_code, 401);
    let none = request("nobody", &[], b"{\"a\": 1}");
    assert_eq!(answer(&ingest, &none, at).await.status_code, 404);

    let all = recorded(endpoints).await;
    assert_eq!(all.len(), 1, "{all:?}");
    let (id, found) = all.first_key_value().unwrap();
    assert!(id.starts_with(&format!("shop/{}/", end / 1000)), "{id}");
    for (name, expected) in [
        ("source", Value::from("shop")),
        ("received_at", at.into()),
        ("status", 401.into()),
        ("outcome", "unverified".into()),
        ("reason", "the signature does not match".into()),
        ("method", "POST".into()),
        ("path", "/webhooks/shop".into()),
        ("query", "b=2&token=masked%3A+3+characters".into()),
        ("bytes", 8.into()),
        ("source_ip", "203.0.113.9".into()),
        (
            "masked",
            serde_json::json!(["header authorization", "query"]),
        ),
    ] {
        assert_eq!(found[name], expected, "{name}");
    }
    assert_eq!(body_of(found), b"{\"a\": 1}");
    assert_eq!(found["headers"]["x-signature"], "00ff");
    assert_eq!(
        found["headers"]["authorization"],
        "Bearer masked: 11 characters"
    );
    storage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_refusal_is_recorded_and_nothing_that_was_taken_or_that_is_our_fault() {
    let storage = storage().await;
    let end = now() + HOUR;
    let unset = [until("shop", end), ("SHOP_SECRET", String::new())];
    let without_secret = ingest(&storage.endpoints, &unset).await;
    assert_eq!(
        forged(&without_secret, b"unset", end - 1).await.status_code,
        503
    );
    assert!(recorded(&storage.endpoints).await.is_empty());

    let ingest = ingest(&storage.endpoints, &[until("shop", end)]).await;
    let mut get = request("shop", &[], b"get");
    get.method = "GET".into();
    let gzip = request("shop", &[("content-encoding", "gzip")], b"gzip");
    assert_eq!(answer(&ingest, &get, end - 1).await.status_code, 405);
    assert_eq!(answer(&ingest, &gzip, end - 1).await.status_code, 415);
    let signed = |body: &[u8]| {
        let source = hookwell::config::parse(SOURCES).unwrap();
        let source = source.into_iter().find(|it| it.name == "shop").unwrap();
        let keys = source.keys(|_| Ok(SECRET.to_owned())).unwrap();
        let draft = hookwell_sandbox::sender::Draft::sample(
            &source,
            hookwell::event::Operation::Create,
            end - 1,
        );
        let mut draft = draft.unwrap();
        if !body.is_empty() {
            draft.set_body(body.to_vec());
        }
        let signed = hookwell_sandbox::sender::signed_with(&source, &keys, draft, end - 1);
        signed.unwrap().to_http().unwrap()
    };
    let unreadable = answer(&ingest, &signed(b"no JSON"), end - 1).await;
    assert_eq!(unreadable.status_code, 400);
    assert_eq!(
        answer(&ingest, &signed(b""), end - 1).await.status_code,
        200
    );
    let all = recorded(&storage.endpoints).await;
    let outcomes = all.values().map(|it| it["outcome"].as_str().unwrap());
    let mut outcomes: Vec<_> = outcomes.collect();
    outcomes.sort_unstable();
    assert_eq!(outcomes, ["compressed", "invalid", "method_not_allowed"]);
    storage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_recording_and_after_its_end_nothing_is_recorded() {
    let storage = storage().await;
    let end = now() + HOUR;
    for more in [
        vec![],
        vec![("HOOKWELL_RECORD_REFUSED", String::new())],
        vec![("HOOKWELL_RECORD_REFUSED", "shop".to_owned())],
        vec![until("nobody", end)],
        vec![until("shop", now() - 1)],
        vec![until("shop", now() + 25 * HOUR)],
        vec![until("shop", end), ("HOOKWELL_BUCKET", String::new())],
    ] {
        let ingest = ingest(&storage.endpoints, &more).await;
        let refused = forged(&ingest, b"{}", now()).await;
        assert_eq!(refused.status_code, 401, "{more:?}");
        assert!(recorded(&storage.endpoints).await.is_empty(), "{more:?}");
    }
    // It ends while the function runs.
    let ingest = ingest(&storage.endpoints, &[until("shop", end)]).await;
    assert_eq!(forged(&ingest, b"{}", end).await.status_code, 401);
    assert!(recorded(&storage.endpoints).await.is_empty());
    assert_eq!(forged(&ingest, b"{}", end - 1).await.status_code, 401);
    assert_eq!(recorded(&storage.endpoints).await.len(), 1);
    storage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_holds_a_hundred_requests_at_most_and_none_that_is_large() {
    let storage = storage().await;
    let end = now() + HOUR;
    let first = ingest(&storage.endpoints, &[until("shop", end)]).await;
    let second = ingest(&storage.endpoints, &[until("shop", end)]).await;
    for number in 0..350 {
        let body = format!("{{\"number\":{number}}}");
        // Each running copy of the function knows only its own.
        let ingest = if number % 2 == 0 { &first } else { &second };
        let refused = forged(ingest, body.as_bytes(), end - 1).await;
        assert_eq!(refused.status_code, 401);
    }
    let all = recorded(&storage.endpoints).await;
    assert!((90..=100).contains(&all.len()), "{}", all.len());
    let numbers = all.values().map(|it| {
        let body: Value = serde_json::from_slice(&body_of(it)).unwrap();
        body["number"].as_u64().unwrap()
    });
    assert!(
        numbers.clone().any(|number| number == 0) && numbers.clone().any(|number| number > 100),
        "the first of each place stays"
    );
    // Another recording of the same source has places of its own, and one request is one of them.
    let next = ingest(&storage.endpoints, &[until("shop", end + 1000)]).await;
    let largest = vec![b' '; 256 * 1024];
    for body in [&largest[..], &largest[..], &[&largest[..], b" "].concat()] {
        assert_eq!(forged(&next, body, end - 1).await.status_code, 401);
    }
    let more = recorded(&storage.endpoints).await;
    assert_eq!(more.len(), all.len() + 1);
    storage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_not_recorded_neither_the_right_one_nor_a_wrong_one() {
    let storage = storage().await;
    let end = now() + HOUR;
    let ingest = ingest(&storage.endpoints, &[until("lab", end)]).await;
    let wrong = format!("{TOKEN} ");
    let wrong = wrong.replace('-', "_");
    let body = format!("{{\"token\": \"{TOKEN}\"}}");
    let headers = [("x-gitlab-token", wrong.as_str()), ("x-too", TOKEN)];
    let mut sent = request("lab", &headers, body.as_bytes());
    sent.query = "a=a-token-of-the-lab%2B%2F".to_owned();
    assert_eq!(answer(&ingest, &sent, end - 1).await.status_code, 401);
    let all = recorded(&storage.endpoints).await;
    let found = all.values().next().unwrap();
    let text = format!("{found} {}", String::from_utf8(body_of(found)).unwrap());
    for shown in [TOKEN, wrong.trim(), "a-token-of-the-lab"] {
        assert!(!text.contains(shown), "{text}");
    }
    assert_eq!(
        found["headers"]["x-gitlab-token"],
        format!("masked: {} characters", wrong.len())
    );
    storage.stop().await;
}

#[tokio::test]
async fn a_bucket_that_is_away_changes_neither_the_answer_nor_its_time() {
    let storage = storage().await;
    let end = now() + HOUR;
    let off = ingest(&storage.endpoints, &[]).await;
    let expected = forged(&off, b"{}", end - 1).await;
    let gone = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    };
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let never = format!("http://{}", silent.local_addr().unwrap());
    for bucket in [gone, never] {
        let more = [until("shop", end), ("AWS_ENDPOINT_URL_S3", bucket)];
        let ingest = ingest(&storage.endpoints, &more).await;
        // Waiting for somebody who never answers takes no time of the machine.
        tokio::time::pause();
        let started = tokio::time::Instant::now();
        assert_eq!(forged(&ingest, b"{}", end - 1).await, expected);
        let took = started.elapsed();
        tokio::time::resume();
        // A fetch of a key may have taken 0.4 s before, and the answer is due after 1.15 s.
        assert!(took < Duration::from_millis(750), "{took:?}");
    }
    storage.stop().await;
}
