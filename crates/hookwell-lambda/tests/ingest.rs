//! Ingest behind every trigger: bytes, lists of events, handshakes and replies.

use std::cell::Cell;
use std::sync::Arc;

use hookwell::config;
use hookwell::event::{Event, Operation};
use hookwell::format::time::Millis;
use hookwell::ingest::key_cache::Sources;
use hookwell::keys::not_ready::SecretProblem;
use hookwell::keys::reference::SecretRef;
use hookwell::ports::ledger::{End, Ledger};
use hookwell::ports::memory::{MemoryLedger, MemoryQueue, StoppedClock};
use hookwell::ports::queue::{Queue, QueueError};
use hookwell::source::Source;
use hookwell::source::handshake::HandshakeKind;
use hookwell_lambda::ingest::{Ingest, Response};
use hookwell_sandbox::sender::{Draft, signed_with};
use hookwell_sandbox::test_keys;
use hookwell_sandbox::trigger::{HttpRequest, Trigger};
use http::HeaderMap;

const NOW: Millis = 1_800_000_000_000;
const TRIGGERS: [Trigger; 4] = [
    Trigger::FunctionUrl,
    Trigger::HttpApi,
    Trigger::RestApi,
    Trigger::Alb,
];

struct Stage {
    source: Source,
    ledger: Arc<MemoryLedger>,
    queue: Arc<MemoryQueue>,
    ingest: Ingest<Shared<MemoryLedger>, Shared<MemoryQueue>>,
    /// Number of deliveries so far.
    deliveries: Cell<Millis>,
}

/// A ledger or a queue that the test looks into as well.
#[derive(Debug)]
struct Shared<T>(Arc<T>);

impl Ledger for Shared<MemoryLedger> {
    async fn claim(
        &self,
        event: &Event,
        lease: &hookwell::ports::ledger::Lease<'_>,
    ) -> Result<hookwell::ports::ledger::Claim, hookwell::ports::ledger::LedgerError> {
        self.0.claim(event, lease).await
    }

    async fn remember(
        &self,
        event: &Event,
        now: Millis,
    ) -> Result<hookwell::ports::ledger::Remembered, hookwell::ports::ledger::LedgerError> {
        self.0.remember(event, now).await
    }

    async fn recall(
        &self,
        events: &[&Event],
        now: Millis,
    ) -> Result<Vec<Option<hookwell::ports::ledger::Record>>, hookwell::ports::ledger::LedgerError>
    {
        self.0.recall(events, now).await
    }

    async fn fail(&self, event: &Event, failure: &hookwell::ports::ledger::Failure<'_>) {
        self.0.fail(event, failure).await;
    }
    async fn keep(&self, event: &Event) -> Result<(), hookwell::ports::ledger::LedgerError> {
        self.0.keep(event).await
    }
    async fn finish(
        &self,
        event: &Event,
        end: &End,
    ) -> Result<hookwell::ports::ledger::Finish, hookwell::ports::ledger::LedgerError> {
        self.0.finish(event, end).await
    }
}

impl Queue for Shared<MemoryQueue> {
    async fn send(&self, event: &Event) -> Result<(), QueueError> {
        if event.kind == "unsendable" {
            return Err(QueueError("down".into()));
        }
        self.0.send(event).await
    }
    async fn bury(&self, event: &Event, reason: &str) -> Result<(), QueueError> {
        self.0.bury(event, reason).await
    }
    async fn delay(&self, _receipt: &str, _seconds: u32) {}
}

fn stage(preset: &str, more: &str) -> Stage {
    let text = format!(
        "[sources.x]\npreset = {preset:?}\nsecrets = [\"env:A\"]\n\
         public_url = \"https://hooks.example.com/webhooks/x\"\n{more}\n"
    );
    let source = config::parse(&text).unwrap().remove(0);
    let made_up = |reference: &SecretRef| match reference.to_string().as_str() {
        "env:UNSET" => Err(SecretProblem::NotSet),
        _ => Ok(test_keys::made_up(&source, reference)),
    };
    let sources = Sources::new(vec![source.clone()], made_up);
    let (ledger, queue) = (Arc::default(), Arc::default());
    let ingest = Ingest::new(
        sources,
        Shared(Arc::clone(&ledger)),
        Shared(Arc::clone(&queue)),
    );
    Stage {
        source,
        ledger,
        queue,
        ingest,
        deliveries: Cell::default(),
    }
}

fn block<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(future)
}

impl Stage {
    fn request(&self, body: &[u8]) -> HttpRequest {
        let keys = self
            .source
            .keys(|reference| Ok(test_keys::made_up(&self.source, reference)))
            .unwrap();
        let mut draft = Draft::sample(&self.source, Operation::Create, NOW).unwrap();
        draft.set_body(body.to_vec());
        let signed = signed_with(&self.source, &keys, draft, NOW).unwrap();
        HttpRequest {
            source_ip: "127.0.0.1".parse().unwrap(),
            ..signed.to_http().unwrap()
        }
    }

    fn send(&self, trigger: Trigger, request: &HttpRequest) -> Response {
        // No two deliveries come in one millisecond.
        let now = NOW + self.deliveries.replace(self.deliveries.get() + 1);
        let event = trigger.event(request, "request-1", now).to_string();
        block(
            self.ingest
                .respond(&event, "request-1", None, StoppedClock::at(now).clock()),
        )
    }

    fn post(&self, body: &[u8]) -> Response {
        self.send(Trigger::FunctionUrl, &self.request(body))
    }

    fn ask(&self, method: &str, query: &str, headers: &[(&str, &str)], body: &[u8]) -> Response {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(
                http::HeaderName::from_bytes(name.as_bytes()).unwrap(),
                value.parse().unwrap(),
            );
        }
        let request = HttpRequest {
            method: method.into(),
            path: "/webhooks/x".into(),
            query: query.into(),
            headers: map,
            body: body.to_vec(),
            source_ip: "127.0.0.1".parse().unwrap(),
        };
        self.send(Trigger::FunctionUrl, &request)
    }

    fn finish(&self, event: &Event) {
        let end = End {
            outcome: hookwell::ports::handler::Outcome::Applied,
            reason: None,
            tie: false,
            at: NOW,
            owner: None,
        };
        block(self.ledger.finish(event, &end)).unwrap();
    }

    fn queued(&self) -> Vec<Event> {
        std::iter::from_fn(|| self.queue.take())
            .map(|message| Event::from_message(&message).unwrap())
            .collect()
    }
}

#[test]
fn bodies_that_break_re_serialisation_verify_by_their_bytes_behind_every_trigger() {
    let bodies: [&[u8]; 12] = [
        b"{ \"a\" :\t1 }",
        br#"{"a":1.0}"#,
        br#"{"a":123456789012345678901234567890}"#,
        br#"{"a":1e2,"b":-0.0}"#,
        br#"{"a":"\u0041\/"}"#,
        br#"{"b":1,"a":2,"1":3}"#,
        br#"{"a":1,"a":2}"#,
        b"{\"a\":1}\r\n",
        b"{\"a\":\"\xff\xfe\"}",
        b"",
        b"\xef\xbb\xbf{}",
        "{\"a\":\"\u{1F600}\u{FFFE}\"}".as_bytes(),
    ];
    let stage = stage("resource", "on_invalid = \"quarantine\"");
    for body in bodies {
        for (trigger, kind) in TRIGGERS.into_iter().flat_map(|trigger| {
            [
                (trigger, "application/json"),
                (trigger, "application/octet-stream"),
            ]
        }) {
            let mut request = stage.request(body);
            request
                .headers
                .insert("content-type", kind.parse().unwrap());
            let answer = stage.send(trigger, &request);
            assert_eq!(answer.status_code, 200, "{body:?} by {trigger:?} as {kind}");
            let queued = stage.queued();
            assert_eq!(queued.len(), 1);
            assert_eq!(queued[0].body.0, body, "{trigger:?}");
            request.body.push(b' ');
            assert_eq!(stage.send(trigger, &request).status_code, 401);
        }
    }
}

#[test]
fn every_item_of_a_list_is_an_event_of_its_own() {
    let stage = stage("gocardless", "");
    let body = br#"{"events":[{"id":"EV1","resource_type":"payments","action":"created","n":1.0},
        {"id":"EV2","resource_type":"payments","action":"failed"},{"resource_type":"x","action":"y"}]}"#;
    assert_eq!(stage.post(body).status_code, 200);
    let queued = stage.queued();
    let ids: Vec<_> = queued.iter().map(|event| event.id.as_str()).collect();
    assert_eq!(ids[..2], ["EV1", "EV2"]);
    assert!(
        ids[2].ends_with(".2"),
        "without an id: a hash of the body and the position"
    );
    assert_eq!(queued[0].kind, "payments.created");
    assert_eq!(
        queued[0].body.0,
        br#"{"id":"EV1","resource_type":"payments","action":"created","n":1.0}"#
    );
    assert_eq!(stage.ledger.len(), 3);
    assert_eq!(stage.post(body).status_code, 200);
    assert_eq!(stage.queued().len(), 3, "not finished, so sent again");
    for event in &queued {
        stage.finish(event);
    }
    let answer = stage.post(body);
    assert_eq!(answer.body, r#"{"status":"duplicate"}"#);
    assert!(stage.queued().is_empty());
}

/// Two events of each sender that puts many into one delivery: the list, and their ids.
const MANY: [(&str, &str, &str, [&str; 2]); 12] = [
    (
        "hubspot-v1",
        "",
        r#"[{"eventId":1,"subscriptionType":"contact.creation","objectId":7,"occurredAt":1700000000000},
            {"eventId":1,"subscriptionType":"contact.creation","objectId":8,"occurredAt":1700000000000}]"#,
        [
            "1.contact.creation.7.1700000000000",
            "1.contact.creation.8.1700000000000",
        ],
    ),
    (
        "hubspot-v2",
        "",
        r#"[{"eventId":1,"subscriptionType":"contact.creation","objectId":7,"occurredAt":1700000000000},
            {"eventId":2,"subscriptionType":"contact.creation","objectId":7,"occurredAt":1700000000000}]"#,
        [
            "1.contact.creation.7.1700000000000",
            "2.contact.creation.7.1700000000000",
        ],
    ),
    (
        "hubspot-v3",
        "",
        r#"[{"eventId":1,"subscriptionType":"contact.creation","objectId":7,"occurredAt":1700000000000},
            {"eventId":1,"subscriptionType":"contact.deletion","objectId":7,"occurredAt":1700000000000}]"#,
        [
            "1.contact.creation.7.1700000000000",
            "1.contact.deletion.7.1700000000000",
        ],
    ),
    (
        "sendgrid",
        "",
        r#"[{"sg_event_id":"a","event":"processed","timestamp":1},{"sg_event_id":"b","event":"open","timestamp":1}]"#,
        ["a", "b"],
    ),
    (
        "asana",
        "/events",
        r#"{"events":[{"resource":{"gid":"1","resource_type":"task"},"action":"added","created_at":"2026-11-21T00:00:00Z"},
            {"resource":{"gid":"2","resource_type":"task"},"action":"added","created_at":"2026-11-21T00:00:00Z"}]}"#,
        [
            "1.added.2026-11-21T00:00:00Z",
            "2.added.2026-11-21T00:00:00Z",
        ],
    ),
    (
        "xero",
        "/events",
        r#"{"events":[{"resourceId":"c1","eventCategory":"CONTACT","eventType":"CREATE","eventDateUtc":"2026-11-21T00:00:00"},
            {"resourceId":"c1","eventCategory":"CONTACT","eventType":"UPDATE","eventDateUtc":"2026-11-21T00:00:00"}]}"#,
        [
            "c1.CREATE.2026-11-21T00:00:00",
            "c1.UPDATE.2026-11-21T00:00:00",
        ],
    ),
    (
        "quickbooks",
        "",
        r#"[{"id":"e1","type":"qbo.invoice.created.v1","intuitentityid":"9","intuitaccountid":"1"},
            {"id":"e2","type":"qbo.invoice.created.v1","intuitentityid":"9","intuitaccountid":"2"}]"#,
        ["e1", "e2"],
    ),
    (
        "msgraph",
        "/value",
        r#"{"value":[{"id":"n1","subscriptionId":"s","changeType":"created"},
            {"id":"n2","subscriptionId":"s","lifecycleEvent":"missed"}]}"#,
        ["n1", "n2"],
    ),
    (
        "adyen",
        "/notificationItems",
        r#"{"live":"false","notificationItems":[
            {"NotificationRequestItem":{"pspReference":"1","eventCode":"CAPTURE","success":"true"}},
            {"NotificationRequestItem":{"pspReference":"1","eventCode":"CAPTURE","success":"false"}}]}"#,
        ["1.CAPTURE.true", "1.CAPTURE.false"],
    ),
    (
        "meta",
        "/entry/0/changes",
        r#"{"object":"whatsapp_business_account","entry":[{"id":"account","changes":[
            {"field":"messages","value":{"messages":[{"id":"wamid.1"}]}},
            {"field":"messages","value":{"statuses":[{"id":"wamid.2","status":"sent"}]}}]}]}"#,
        ["wamid.1", "wamid.2.sent"],
    ),
    (
        "gocardless",
        "/events",
        r#"{"events":[{"id":"EV1","resource_type":"payments","action":"created"},
            {"id":"EV2","resource_type":"payments","action":"failed"}]}"#,
        ["EV1", "EV2"],
    ),
    (
        "line",
        "/events",
        r#"{"destination":"U1","events":[{"webhookEventId":"01A","type":"message","timestamp":1700000000000},
            {"webhookEventId":"01B","type":"unfollow","timestamp":1700000000000}]}"#,
        ["01A", "01B"],
    ),
];

#[test]
fn two_events_in_one_delivery_are_two_messages_for_every_sender_of_many() {
    for (preset, list, body, ids) in MANY {
        let stage = stage(preset, "");
        let request = stage.request(body.as_bytes());
        let sent: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
        let items = sent.pointer(list).unwrap().as_array().unwrap();
        let answer = stage.send(Trigger::FunctionUrl, &request);
        assert!((200..300).contains(&answer.status_code), "{preset}");
        let queued = stage.queued();
        let found: Vec<_> = queued.iter().map(|event| event.id.as_str()).collect();
        assert_eq!(found, ids, "{preset}");
        assert_ne!(queued[0].key, queued[1].key, "{preset}");
        for (event, item) in queued.iter().zip(items) {
            let kept: serde_json::Value = serde_json::from_slice(&event.body.0).unwrap();
            assert_eq!(kept, *item, "{preset}");
            assert!(!event.kind.is_empty(), "{preset}");
            stage.finish(event);
        }
        let again = stage.send(Trigger::FunctionUrl, &request);
        assert_eq!(again.status_code, answer.status_code, "{preset}");
        assert!(stage.queued().is_empty(), "{preset}: finished");
    }
}

#[test]
fn a_status_of_a_message_is_no_duplicate_of_the_one_before() {
    let stage = stage("meta", "");
    for status in ["sent", "delivered", "read"] {
        let body = format!(
            r#"{{"object":"whatsapp_business_account","entry":[{{"id":"account","changes":
            [{{"field":"messages","value":{{"statuses":[{{"id":"wamid.1","status":"{status}"}}]}}}}]}}]}}"#
        );
        stage.post(body.as_bytes());
        let queued = stage.queued();
        assert_eq!(queued.len(), 1, "{status}");
        assert_eq!(queued[0].id, format!("wamid.1.{status}"));
        stage.finish(&queued[0]);
    }
}

#[test]
fn one_item_that_cannot_be_queued_refuses_the_whole_delivery() {
    let stage = stage("sendgrid", "");
    let answer = stage
        .post(br#"[{"sg_event_id":"1","event":"open"},{"sg_event_id":"2","event":"unsendable"}]"#);
    assert_eq!(answer.status_code, 503);
    assert_eq!(
        answer.headers.get("retry-after").map(String::as_str),
        Some("30")
    );
}

#[test]
fn an_empty_list_is_received_and_a_missing_one_is_invalid() {
    let stage = stage("asana", "");
    assert_eq!(stage.post(br#"{"events":[]}"#).status_code, 200);
    assert!(stage.queued().is_empty());
    assert_eq!(stage.post(b"{}").status_code, 400);
    let many = format!("{{\"events\":[{}]}}", vec!["{}"; 10_001].join(","));
    assert_eq!(stage.post(many.as_bytes()).status_code, 400);
}

#[test]
fn lists_inside_lists_are_flat() {
    let stage = stage(
        "generic",
        r#"[sources.x.event]
        each = "body:/eventNotifications/*/dataChangeEvent/entities"
        id = "{item:/name}.{item:/id}.{item:/operation}.{item:/lastUpdated}"
        type = "{item:/name}.{item:/operation}"
        document = "item:"
        operations = { "*.Create" = "create" }"#,
    );
    let entity = |id: &str| {
        format!(
            r#"{{"name":"Customer","id":"{id}","operation":"Create","lastUpdated":"2026-01-01T00:00:00Z"}}"#
        )
    };
    let realm = |entities: &str| {
        format!(r#"{{"realmId":"1","dataChangeEvent":{{"entities":[{entities}]}}}}"#)
    };
    let body = format!(
        r#"{{"eventNotifications":[{},{}]}}"#,
        realm(&format!("{},{}", entity("1"), entity("2"))),
        realm(&entity("3"))
    );
    assert_eq!(stage.post(body.as_bytes()).status_code, 200);
    let queued = stage.queued();
    assert_eq!(queued.len(), 3);
    assert_eq!(queued[2].kind, "Customer.Create");
    assert_eq!(queued[2].operation, Operation::Create);
}

/// developer.intuit.com, "Understanding the data object", the first example, with an event of another company beside it.
#[test]
fn quickbooks_sends_cloud_events_of_several_companies() {
    let stage = stage("quickbooks", "");
    let event = |id: &str, kind: &str, company: &str| {
        format!(
            r#"{{"specversion":"1.0","id":"{id}","source":"intuit.x=","type":"{kind}",
            "datacontenttype":"application/json","time":"2025-12-04T15:25:05.179851517Z",
            "intuitentityid":"123","intuitaccountid":"{company}","data":{{"deletedid":"27"}}}}"#
        )
    };
    let body = format!(
        "[{},{}]",
        event("e-1", "qbo.customer.merged.v1", "9341"),
        event("e-2", "qbo.customer.deleted.v1", "4620")
    );
    assert_eq!(stage.post(body.as_bytes()).status_code, 200);
    let queued = stage.queued();
    let said = queued.iter().map(|event| {
        (
            event.id.as_str(),
            event.operation,
            event.document_type.as_str(),
            event.document_id.as_deref().unwrap(),
            event.time,
        )
    });
    let at = Some(1_764_861_905_179);
    assert_eq!(
        said.collect::<Vec<_>>(),
        [
            ("e-1", Operation::Update, "customer", "9341.123", at),
            ("e-2", Operation::Delete, "customer", "4620.123", at),
        ]
    );
}

#[test]
fn one_broken_item_is_kept_and_its_neighbours_go_on() {
    let stage = stage("gocardless", "on_invalid = \"quarantine\"");
    let body = br#"{"events":[{"id":"EV1"},{"id":"a","id":"b"},{"id":"EV3"}]}"#;
    assert_eq!(stage.post(body).status_code, 200);
    let queued = stage.queued();
    let broken: Vec<_> = queued.iter().map(|event| event.invalid.is_some()).collect();
    assert_eq!(broken, [false, true, false]);
    let strict = self::stage("gocardless", "");
    assert_eq!(strict.post(body).status_code, 400);
    assert!(strict.queued().is_empty());
}

#[test]
fn senders_hear_what_they_expect() {
    let adyen = stage("adyen", "");
    let item = br#"{"notificationItems":[{"NotificationRequestItem":{"pspReference":"1","eventCode":"A","success":"true"}}]}"#;
    let answer = adyen.post(item);
    assert_eq!(
        (answer.status_code, answer.body.as_str()),
        (200, "[accepted]")
    );
    assert_eq!(answer.headers["content-type"], "text/plain");
    assert_eq!(
        stage("discord", "")
            .post(br#"{"type":1,"event":{"type":"X"}}"#)
            .status_code,
        204
    );
    let xero = stage("xero", "");
    let wrong = xero.ask("POST", "", &[("x-xero-signature", "AAAA")], b"{}");
    assert_eq!((wrong.status_code, wrong.body.as_str()), (401, ""));
    let own = stage(
        "xero",
        "refused_status = 403\nreply = { status = 202, body = \"ok\" }",
    );
    assert_eq!(
        own.ask("POST", "", &[("x-xero-signature", "AAAA")], b"{}")
            .status_code,
        403
    );
    assert_eq!(own.post(br#"{"events":[]}"#).status_code, 202);
}

#[test]
fn signed_handshakes_are_answered_only_when_the_signature_is_good() {
    let slack = stage("slack", "");
    let check = br#"{"type":"url_verification","challenge":"3eZbrw1a"}"#;
    let answer = slack.post(check);
    assert_eq!(
        (answer.status_code, answer.body.as_str()),
        (200, "3eZbrw1a")
    );
    assert_eq!(answer.headers["x-content-type-options"], "nosniff");
    assert!(answer.headers["content-type"].starts_with("text/plain"));
    assert_eq!(slack.ask("POST", "", &[], check).status_code, 401);

    let zoom = stage("zoom", "");
    let answer = zoom.post(
        br#"{"event":"endpoint.url_validation","payload":{"plainToken":"qgg8vlvZRS6UYooatFL8Aw"}}"#,
    );
    assert!(
        answer
            .body
            .contains(r#""plainToken":"qgg8vlvZRS6UYooatFL8Aw""#)
    );
    let oracle = br#"{"event":"endpoint.url_validation","payload":{"plainToken":"v0:1:{}"}}"#;
    for (stage, no_token) in [
        (&zoom, &oracle[..]),
        (&zoom, br#"{"event":"endpoint.url_validation"}"#),
        (&slack, br#"{"type":"url_verification"}"#),
        (
            &slack,
            br#"{"type":"url_verification","challenge":"a\r\nb"}"#,
        ),
    ] {
        let answer = stage.post(no_token);
        assert_eq!(answer.status_code, 401, "{:?}", stage.source.preset);
        assert!(!answer.body.contains("encryptedToken"), "no oracle");
    }

    let discord = stage("discord", "");
    assert_eq!(discord.post(br#"{"type":0}"#).status_code, 204);
    assert_eq!(discord.post(br#"{"type":1}"#).body, r#"{"type":1}"#);
    assert_eq!(
        discord.ask("POST", "", &[], br#"{"type":1}"#).status_code,
        401
    );

    let sns = stage(
        "aws-sns",
        "pinned = [\"env:P\"]\ntopics = [\"arn:aws:sns:us-east-1:000000000000:sample\"]",
    );
    let confirmation = br#"{"Type":"SubscriptionConfirmation","Token":"t","SubscribeURL":"https://sns.us-east-1.amazonaws.com/?Action=ConfirmSubscription&Token=t"}"#;
    assert_eq!(sns.post(confirmation).status_code, 200);
    let foreign = br#"{"Type":"SubscriptionConfirmation","Token":"t","SubscribeURL":"https://evil.example/"}"#;
    assert_eq!(sns.post(foreign).status_code, 401);
    for stage in [slack, zoom, discord, sns] {
        assert!(
            stage.queued().is_empty(),
            "{:?} is never queued",
            stage.source.preset
        );
    }
}

/// A check of this kind with this token: method, query, header and body; the header is ours where the check is signed.
fn check(name: &str, token: &str) -> (&'static str, String, [(&'static str, String); 1], String) {
    let none = || [("x-none", String::new())];
    let post = |body: String| ("POST", String::new(), none(), body);
    let get = |query: String| ("GET", query, none(), String::new());
    let form = || {
        [(
            "content-type",
            "application/x-www-form-urlencoded".to_owned(),
        )]
    };
    match name {
        "slack" => post(format!(
            r#"{{"type":"url_verification","challenge":"{token}"}}"#
        )),
        "zoom" => post(format!(
            r#"{{"event":"endpoint.url_validation","payload":{{"plainToken":"{token}"}}}}"#
        )),
        "meta" | "strava" => get(format!(
            "hub.mode=subscribe&hub.verify_token={}&hub.challenge={token}",
            verify_token()
        )),
        "challenge" | "nylas" => get(format!("challenge={token}")),
        "msgraph" => (
            "POST",
            format!("validationToken={token}"),
            none(),
            String::new(),
        ),
        "asana" => (
            "POST",
            String::new(),
            [("x-hook-secret", token.to_owned())],
            "{}".into(),
        ),
        "notion" => post(format!(r#"{{"verification_token":"{token}"}}"#)),
        "discord" => post(r#"{"type":1}"#.to_owned()),
        "sns" => post(format!(
            r#"{{"Type":"SubscriptionConfirmation","Token":"{token}","SubscribeURL":"https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&Token={token}"}}"#
        )),
        "head" => ("HEAD", String::new(), none(), String::new()),
        "okta" => {
            let header = [("x-okta-verification-challenge", token.to_owned())];
            ("GET", String::new(), header, String::new())
        }
        "monday" => post(format!(r#"{{"challenge":"{token}"}}"#)),
        "event-grid" => post(format!(
            r#"[{{"eventType":"Microsoft.EventGrid.SubscriptionValidationEvent","data":{{"validationCode":"{token}"}}}}]"#
        )),
        "cloudevents" => {
            let header = [("webhook-request-origin", token.to_owned())];
            ("OPTIONS", String::new(), header, String::new())
        }
        "crc" => get(format!("crc_token={token}")),
        "woocommerce" => ("POST", String::new(), form(), "webhook_id=7".into()),
        other => panic!("{other} has no check here"),
    }
}

fn verify_token() -> String {
    let stage = stage("generic", "");
    test_keys::made_up(&stage.source, &SecretRef::parse("env:T").unwrap())
}

#[test]
fn every_handshake_is_answered_as_no_page_with_a_short_token_only_and_never_queued() {
    let long = "x".repeat(1025);
    for (name, _) in HandshakeKind::NAMES {
        let handshake = format!("handshake = {{ kind = {name:?}, verify_token = \"env:T\" }}");
        let stage = stage("generic", &handshake);
        let ask = |token: &str| {
            let (method, query, [(header, value)], body) = check(name, token);
            if ["slack", "zoom", "discord", "sns"].contains(&name) {
                let forged = stage.ask(method, &query, &[], body.as_bytes());
                assert_eq!(forged.status_code, 401, "{name} without a signature");
                assert!(!format!("{forged:?}").contains(token), "{name}");
                return stage.post(body.as_bytes());
            }
            stage.ask(method, &query, &[(header, &value)], body.as_bytes())
        };
        let good = ask("MTU3OTQ2");
        assert_eq!(good.status_code, 200, "{name}: {}", good.body);
        let kind = good.headers["content-type"].as_str();
        assert!(
            kind.starts_with("text/plain") || kind == "application/json",
            "{name} is answered as {kind}"
        );
        assert_eq!(good.headers["x-content-type-options"], "nosniff", "{name}");
        let answer = format!("{:?}", ask(&long));
        assert!(!answer.contains(&long), "{name} answers {answer}");
        assert!(stage.queued().is_empty(), "{name}");
        assert_eq!(stage.ledger.len(), 0, "{name}");
    }
}

#[test]
fn a_changed_check_of_zoom_or_sns_is_refused_without_a_word_of_it() {
    let sns = "pinned = [\"env:P\"]\ntopics = [\"arn:aws:sns:us-east-1:000000000000:sample\"]";
    for (preset, name, more) in [("zoom", "zoom", ""), ("aws-sns", "sns", sns)] {
        let stage = stage(preset, more);
        let (.., body) = check(name, "MTU3OTQ2");
        let mut request = stage.request(body.as_bytes());
        let sent = stage.send(Trigger::FunctionUrl, &request);
        assert_eq!(sent.status_code, 200, "{preset}");
        let text = String::from_utf8(request.body).unwrap();
        request.body = text.replace("MTU3OTQ2", "MTU3OTQ3").into_bytes();
        let answer = stage.send(Trigger::FunctionUrl, &request);
        assert_eq!(answer.status_code, 401, "{preset}");
        assert!(!format!("{answer:?}").contains("MTU3OTQ"), "{preset}");
        assert!(stage.queued().is_empty(), "{preset}");
    }
}

/// developer.xero.com, "Intent to receive": a good and several wrong signatures, answered without a body.
#[test]
fn the_intent_to_receive_of_xero_is_told_good_from_wrong() {
    let xero = stage("xero", "");
    let intent =
        br#"{"events":[],"firstEventSequence":0,"lastEventSequence":0,"entropy":"S0m3r4Nd0mt3xt"}"#;
    let good = xero.post(intent);
    assert_eq!((good.status_code, good.body.as_str()), (200, ""));
    let signature = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    let wrong = xero.ask("POST", "", &[("x-xero-signature", signature)], intent);
    assert_eq!((wrong.status_code, wrong.body.as_str()), (401, ""));
    assert!(xero.queued().is_empty());
}

#[test]
fn unsigned_handshakes_are_answered_for_their_source_only() {
    let meta = stage("meta", "[sources.x.handshake]\nverify_token = \"env:T\"");
    let token = test_keys::made_up(&meta.source, &SecretRef::parse("env:T").unwrap());
    let good = format!("hub.mode=subscribe&hub.verify_token={token}&hub.challenge=1158201444");
    assert_eq!(meta.ask("GET", &good, &[], b"").body, "1158201444");
    let bad = "hub.mode=subscribe&hub.verify_token=x&hub.challenge=1";
    assert_eq!(meta.ask("GET", bad, &[], b"").status_code, 401);
    for mode in ["", "hub.mode=unsubscribe&"] {
        let other = good.replace("hub.mode=subscribe&", mode);
        assert_eq!(meta.ask("GET", &other, &[], b"").status_code, 405, "{mode}");
    }
    assert_eq!(meta.ask("GET", "", &[], b"").headers["allow"], "POST, GET");
    let other = stage("github", "").ask("GET", &good, &[], b"");
    assert_eq!(
        (other.status_code, other.headers["allow"].as_str()),
        (405, "POST")
    );

    let dropbox = stage("dropbox", "");
    assert_eq!(
        dropbox.ask("GET", "challenge=abc%3Cb%3E", &[], b"").body,
        "abc<b>"
    );
    let long = format!("challenge={}", "x".repeat(1025));
    assert_eq!(dropbox.ask("GET", &long, &[], b"").status_code, 405);
    assert_eq!(
        dropbox
            .ask("GET", "challenge=a%0D%0Ab", &[], b"")
            .status_code,
        405
    );

    let graph = stage("msgraph", "");
    assert_eq!(
        graph.ask("POST", "validationToken=a%20b", &[], b"").body,
        "a b"
    );
    assert_eq!(graph.ask("POST", "", &[], b"{}").status_code, 401);

    let asana = stage("asana", "");
    let answer = asana.ask("POST", "", &[("x-hook-secret", "0123456789abcdef")], b"{}");
    assert_eq!(answer.headers["x-hook-secret"], "0123456789abcdef");

    let notion = stage("notion", "");
    let check = br#"{"verification_token":"secret_x"}"#;
    let answer = notion.ask("POST", "", &[], check);
    assert_eq!(answer.status_code, 200);
    assert!(!answer.body.contains("secret_x"));

    let trello = stage("trello", "");
    assert_eq!(trello.ask("HEAD", "", &[], b"").status_code, 200);
    let ping = [("content-type", "application/x-www-form-urlencoded")];
    let shop = stage("woocommerce", "");
    assert_eq!(
        shop.ask("POST", "", &ping, b"webhook_id=7").status_code,
        200
    );
    assert_eq!(
        shop.ask("POST", "", &ping, b"webhook_id=7&x=1").status_code,
        401
    );
    for stage in [meta, dropbox, graph, asana, notion, trello, shop] {
        assert!(stage.queued().is_empty());
    }
}

#[test]
fn handshakes_of_senders_without_a_preset_are_settings() {
    let with = |kind: &str| stage("generic", &format!("handshake = {{ kind = {kind:?} }}"));
    let okta = with("okta").ask("GET", "", &[("x-okta-verification-challenge", "abc")], b"");
    assert_eq!(okta.body, r#"{"verification":"abc"}"#);
    let monday = with("monday").ask("POST", "", &[], br#"{"challenge":"abc"}"#);
    assert_eq!(monday.body, r#"{"challenge":"abc"}"#);
    let grid = br#"[{"eventType":"Microsoft.EventGrid.SubscriptionValidationEvent","data":{"validationCode":"512d38b6"}}]"#;
    let grid = with("event-grid").ask("POST", "", &[], grid);
    assert_eq!(grid.body, r#"{"validationResponse":"512d38b6"}"#);
    let origin = [("webhook-request-origin", "eventemitter.example.com")];
    let cloud = with("cloudevents").ask("OPTIONS", "", &origin, b"");
    assert_eq!(
        cloud.headers["webhook-allowed-origin"],
        "eventemitter.example.com"
    );
    let grid = with("event-grid").ask("OPTIONS", "", &origin, b"");
    assert_eq!(grid.headers["webhook-allowed-origin"], origin[0].1);
    let strava = stage(
        "generic",
        "handshake = { kind = \"strava\", verify_token = \"env:T\" }",
    );
    let token = test_keys::made_up(&strava.source, &SecretRef::parse("env:T").unwrap());
    let query = format!("hub.mode=subscribe&hub.verify_token={token}&hub.challenge=15f7d1a9");
    assert_eq!(
        strava.ask("GET", &query, &[], b"").body,
        r#"{"hub.challenge":"15f7d1a9"}"#
    );
    let crc = with("crc");
    let answer = crc.ask("GET", "crc_token=MTU3OTQ2", &[], b"");
    assert!(
        answer.body.starts_with(r#"{"response_token":"sha256="#),
        "{}",
        answer.body
    );
    let oracle = crc.ask("GET", "crc_token=%7B%22id%22%3A1%7D", &[], b"");
    assert_eq!(
        oracle.status_code, 405,
        "a body is never signed for anybody"
    );
}

#[test]
fn a_source_without_its_secret_still_answers_the_handshake_that_brings_it() {
    let stage = stage("asana", "pinned = [\"env:UNSET\"]");
    let answer = stage.ask("POST", "", &[("x-hook-secret", "0123456789abcdef")], b"{}");
    assert_eq!(answer.status_code, 200);
    assert_eq!(stage.ask("POST", "", &[], b"{}").status_code, 503);
}

#[test]
fn a_wrong_token_is_no_verdict_while_the_source_has_no_secret() {
    let stage = stage("meta", "pinned = [\"env:UNSET\"]");
    let query = "hub.mode=subscribe&hub.verify_token=x&hub.challenge=1";
    assert_eq!(stage.ask("GET", query, &[], b"").status_code, 503);
}

#[test]
fn a_form_is_an_event_by_its_fields() {
    let stage = stage("twilio-form", "");
    let answer = stage.post(b"MessageSid=SM1&MessageStatus=delivered&From=%2B15005550006");
    assert_eq!(
        (answer.status_code, answer.body.as_str()),
        (200, "<Response/>")
    );
    let event = stage.queued().remove(0);
    assert_eq!(
        (event.document_id.as_deref(), event.kind.as_str()),
        (Some("SM1"), "delivered")
    );
    assert!(
        String::from_utf8(event.body.0)
            .unwrap()
            .contains(r#""From":"+15005550006""#)
    );
}
