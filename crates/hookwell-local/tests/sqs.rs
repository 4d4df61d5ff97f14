//! The SQS emulator, through the AWS SDK.

use std::collections::HashMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::{BehaviorVersion, Config, Credentials, Region};
use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sqs::primitives::Blob;
use aws_sdk_sqs::types::{
    ChangeMessageVisibilityBatchRequestEntry as Visibility,
    DeleteMessageBatchRequestEntry as Delete, ListMessageMoveTasksResultEntry as MoveTask, Message,
    MessageAttributeValue, MessageSystemAttributeName as System,
    MessageSystemAttributeNameForSends as Sent, MessageSystemAttributeValue,
    QueueAttributeName as Attribute, SendMessageBatchRequestEntry as Send,
};
use hookwell_local::sqs::Sqs;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

struct Server {
    sqs: Client,
    stop: oneshot::Sender<()>,
    served: JoinHandle<()>,
}

impl Server {
    async fn start(file: Option<&Path>) -> Self {
        let emulator = Sqs::open(file).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let config = Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .credentials_provider(Credentials::new("local", "local", None, None, "test"))
            .endpoint_url(format!("http://{}", listener.local_addr().unwrap()))
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .build();
        let (stop, stopped) = oneshot::channel();
        let stopped = async move {
            if stopped.await.is_err() {
                std::future::pending::<()>().await; // dropping the sender does not stop the server
            }
        };
        let served = tokio::spawn(async move { emulator.serve(listener, stopped).await.unwrap() });
        Self {
            sqs: Client::from_conf(config),
            stop,
            served,
        }
    }

    async fn stop(self) {
        self.stop.send(()).unwrap();
        self.served.await.unwrap();
    }
}

/// A client of a new emulator with the queue `orders`, and the queue's URL.
async fn orders() -> (Client, String) {
    let sqs = Server::start(None).await.sqs;
    let queue = create(&sqs, "orders", &[]).await;
    (sqs, queue)
}

/// A client, the queue `orders` and its dead-letter queue `dead`, to which messages go after one receive.
async fn orders_with_dead_letters() -> (Client, String, String) {
    let sqs = Server::start(None).await.sqs;
    let dead = create(&sqs, "dead", &[]).await;
    let queue = create(&sqs, "orders", &[redrive_to("dead", 1)]).await;
    (sqs, queue, dead)
}

async fn create(sqs: &Client, name: &str, attributes: &[(Attribute, String)]) -> String {
    let attributes = attributes.iter().cloned().collect();
    let created = sqs
        .create_queue()
        .queue_name(name)
        .set_attributes(Some(attributes))
        .send()
        .await;
    created.unwrap().queue_url.unwrap()
}

fn arn(name: &str) -> String {
    format!("arn:aws:sqs:us-east-1:000000000000:{name}")
}

fn redrive_to(name: &str, receives: u32) -> (Attribute, String) {
    let arn = arn(name);
    let policy = format!(r#"{{"deadLetterTargetArn":"{arn}","maxReceiveCount":{receives}}}"#);
    (Attribute::RedrivePolicy, policy)
}

async fn send(sqs: &Client, queue: &str, bodies: &[&str]) {
    for body in bodies {
        sqs.send_message()
            .queue_url(queue)
            .message_body(*body)
            .send()
            .await
            .unwrap();
    }
}

/// Up to ten messages with all attributes, hidden for as long as the queue says.
async fn receive(sqs: &Client, queue: &str) -> Vec<Message> {
    let receive = sqs
        .receive_message()
        .queue_url(queue)
        .max_number_of_messages(10);
    let receive = receive
        .message_system_attribute_names(System::All)
        .message_attribute_names("All");
    receive.send().await.unwrap().messages.unwrap_or_default()
}

/// One message, which must come before the end of a receive that waits in vain.
async fn wait(sqs: &Client, queue: &str) -> Vec<Message> {
    let idle = create(sqs, "idle", &[]).await;
    let receive = |queue| sqs.receive_message().queue_url(queue).wait_time_seconds(20);
    tokio::select! {
        biased;
        _ = receive(idle.as_str()).send() => panic!("a receive that gets nothing has ended first"),
        received = receive(queue).send() => received.unwrap().messages.unwrap_or_default(),
    }
}

/// The same as `receive`, but the messages stay visible.
async fn peek(sqs: &Client, queue: &str) -> Vec<Message> {
    let receive = sqs
        .receive_message()
        .queue_url(queue)
        .max_number_of_messages(10);
    let receive = receive
        .message_system_attribute_names(System::All)
        .visibility_timeout(0);
    receive.send().await.unwrap().messages.unwrap_or_default()
}

/// Lets one message of `orders` become a dead letter.
async fn kill(sqs: &Client, queue: &str, body: &str) {
    send(sqs, queue, &[body]).await;
    assert_eq!(bodies(&peek(sqs, queue).await), [body]);
    assert!(peek(sqs, queue).await.is_empty());
}

fn bodies(messages: &[Message]) -> Vec<&str> {
    messages
        .iter()
        .map(|message| message.body().unwrap())
        .collect()
}

fn system<'a>(message: &'a Message, name: &System) -> Option<&'a str> {
    message
        .attributes()
        .and_then(|attributes| attributes.get(name))
        .map(String::as_str)
}

fn value(data_type: &str, text: &str) -> MessageAttributeValue {
    let value = MessageAttributeValue::builder()
        .data_type(data_type)
        .string_value(text);
    value.build().unwrap()
}

/// The numbers of visible, delayed and in-flight messages.
async fn counts(sqs: &Client, queue: &str) -> [String; 3] {
    let attributes = sqs
        .get_queue_attributes()
        .queue_url(queue)
        .attribute_names(Attribute::All);
    let attributes = attributes.send().await.unwrap().attributes.unwrap();
    [
        Attribute::ApproximateNumberOfMessages,
        Attribute::ApproximateNumberOfMessagesDelayed,
        Attribute::ApproximateNumberOfMessagesNotVisible,
    ]
    .map(|name| attributes.get(&name).unwrap().clone())
}

async fn last_task(sqs: &Client, source: &str) -> MoveTask {
    let tasks = sqs
        .list_message_move_tasks()
        .source_arn(arn(source))
        .send()
        .await
        .unwrap();
    tasks.results.unwrap().remove(0)
}

async fn end_of_task(sqs: &Client, source: &str) -> MoveTask {
    loop {
        let task = last_task(sqs, source).await;
        if task.status() != Some("RUNNING") {
            return task;
        }
        tokio::task::yield_now().await;
    }
}

fn code<E: ProvideErrorMetadata, T: std::fmt::Debug>(refused: Result<T, SdkError<E>>) -> String {
    refused.unwrap_err().code().unwrap().to_owned()
}

fn database(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("sqs-{name}-{}.db", std::process::id()));
    for suffix in ["", "-wal", "-shm"] {
        drop(std::fs::remove_file(format!("{}{suffix}", path.display())));
    }
    path
}

// Queues

#[tokio::test]
async fn creating_a_queue_twice_gives_the_same_queue_unless_attributes_differ() {
    let (sqs, queue) = orders().await;
    assert!(queue.starts_with("http://127.0.0.1:") && queue.ends_with("/000000000000/orders"));
    assert_eq!(
        create(
            &sqs,
            "orders",
            &[(Attribute::VisibilityTimeout, "30".into())]
        )
        .await,
        queue
    );
    let again = sqs.create_queue().queue_name("orders");
    let refused = again
        .attributes(Attribute::VisibilityTimeout, "31")
        .send()
        .await;
    assert!(
        refused
            .unwrap_err()
            .into_service_error()
            .is_queue_name_exists()
    );
}

#[tokio::test]
async fn queues_are_found_by_name_and_listed_by_prefix() {
    let (sqs, queue) = orders().await;
    let other = create(&sqs, "other", &[]).await;
    let found = sqs
        .get_queue_url()
        .queue_name("orders")
        .send()
        .await
        .unwrap();
    assert_eq!(found.queue_url.unwrap(), queue);
    let listed = sqs.list_queues().send().await.unwrap().queue_urls.unwrap();
    assert_eq!(listed, [queue.clone(), other]);
    let listed = sqs
        .list_queues()
        .queue_name_prefix("or")
        .send()
        .await
        .unwrap();
    assert_eq!(listed.queue_urls.unwrap(), [queue]);
}

#[tokio::test]
async fn a_deleted_queue_does_not_exist() {
    let (sqs, queue) = orders().await;
    send(&sqs, &queue, &["a"]).await;
    sqs.delete_queue().queue_url(&queue).send().await.unwrap();
    let missing = sqs.receive_message().queue_url(&queue).send().await;
    assert!(
        missing
            .unwrap_err()
            .into_service_error()
            .is_queue_does_not_exist()
    );
    let missing = sqs.get_queue_url().queue_name("orders").send().await;
    assert!(
        missing
            .unwrap_err()
            .into_service_error()
            .is_queue_does_not_exist()
    );
    create(&sqs, "orders", &[]).await;
    assert!(receive(&sqs, &queue).await.is_empty());
}

#[tokio::test]
async fn queue_attributes_have_the_defaults_of_aws_until_they_are_set() {
    let (sqs, queue) = orders().await;
    let all = || async {
        let get = sqs
            .get_queue_attributes()
            .queue_url(&queue)
            .attribute_names(Attribute::All);
        get.send().await.unwrap().attributes.unwrap()
    };
    let before = all().await;
    let expected = [
        (Attribute::QueueArn, arn("orders")),
        (Attribute::VisibilityTimeout, "30".into()),
        (Attribute::MessageRetentionPeriod, "345600".into()),
        (Attribute::MaximumMessageSize, "1048576".into()),
        (Attribute::DelaySeconds, "0".into()),
        (Attribute::ReceiveMessageWaitTimeSeconds, "0".into()),
        (Attribute::ApproximateNumberOfMessages, "0".into()),
    ];
    for (name, value) in expected {
        assert_eq!(before.get(&name), Some(&value));
    }
    assert!(before.contains_key(&Attribute::CreatedTimestamp));
    let set = sqs
        .set_queue_attributes()
        .queue_url(&queue)
        .attributes(Attribute::DelaySeconds, "7");
    set.send().await.unwrap();
    assert_eq!(all().await.get(&Attribute::DelaySeconds).unwrap(), "7");
    let one = sqs
        .get_queue_attributes()
        .queue_url(&queue)
        .attribute_names(Attribute::QueueArn);
    assert_eq!(one.send().await.unwrap().attributes.unwrap().len(), 1);
}

#[tokio::test]
async fn names_and_attributes_outside_the_rules_are_refused() {
    let (sqs, queue) = orders().await;
    for name in ["orders.fifo", "or ders", &"n".repeat(81)] {
        let refused = sqs.create_queue().queue_name(name).send().await;
        assert_eq!(code(refused), "InvalidParameterValue");
    }
    let refusals = [
        (Attribute::from("Colour"), "red", "InvalidAttributeName"),
        (
            Attribute::VisibilityTimeout,
            "43201",
            "InvalidAttributeValue",
        ),
        (
            Attribute::MessageRetentionPeriod,
            "59",
            "InvalidAttributeValue",
        ),
        (Attribute::RedrivePolicy, "{", "InvalidParameterValue"),
        (
            Attribute::RedrivePolicy,
            &redrive_to("absent", 3).1,
            "InvalidParameterValue",
        ),
        (
            Attribute::RedrivePolicy,
            &redrive_to("dead", 1001).1,
            "InvalidParameterValue",
        ),
    ];
    create(&sqs, "dead", &[]).await;
    for (name, value, expected) in refusals {
        let set = sqs
            .set_queue_attributes()
            .queue_url(&queue)
            .attributes(name, value);
        assert_eq!(code(set.send().await), expected);
    }
}

#[tokio::test]
async fn a_purged_queue_is_empty() {
    let (sqs, queue) = orders().await;
    send(&sqs, &queue, &["a", "b"]).await;
    sqs.receive_message()
        .queue_url(&queue)
        .send()
        .await
        .unwrap();
    sqs.purge_queue().queue_url(&queue).send().await.unwrap();
    assert_eq!(counts(&sqs, &queue).await, ["0", "0", "0"]);
}

// Sending

#[tokio::test]
async fn messages_arrive_in_order_with_body_and_digest() {
    let (sqs, queue) = orders().await;
    let body = "grüße \u{1f600} \"quoted\" \\ \t\r\n";
    let sent = sqs
        .send_message()
        .queue_url(&queue)
        .message_body(body)
        .send()
        .await
        .unwrap();
    send(&sqs, &queue, &["second", "third"]).await;
    let received = receive(&sqs, &queue).await;
    assert_eq!(bodies(&received), [body, "second", "third"]);
    assert_eq!(received[0].message_id(), sent.message_id());
    assert_eq!(received[0].md5_of_body(), sent.md5_of_message_body());
    assert_eq!(
        received[1].md5_of_body(),
        Some("a9f0e61a137d86aa9db53465e0801612")
    );
}

#[tokio::test]
async fn attribute_digests_are_those_that_aws_computes() {
    // Digests recorded from AWS by the tests of another emulator.
    let (sqs, queue) = orders().await;
    let request = sqs.send_message().queue_url(&queue).message_body("msg");
    let request = request.message_attributes("Hello", value("String", "There"));
    let request = request.message_attributes("General", value("String", "Kenobi"));
    let sent = request
        .message_attributes("Help.Me", value("String", "Me"))
        .send()
        .await
        .unwrap();
    assert_eq!(
        sent.md5_of_message_attributes(),
        Some("4c360f3fdafd970e05fae2f149d997f5")
    );
    let expectations = [
        ("All", 3, Some("4c360f3fdafd970e05fae2f149d997f5")),
        (".*", 3, Some("4c360f3fdafd970e05fae2f149d997f5")),
        ("Hel.*", 2, Some("83fee93c1bcd8b9a5a923ffacdc636c7")),
        ("Hello", 1, Some("a311262e065454b75da111d535b8dacd")),
        ("Absent", 0, None),
    ];
    for (name, count, digest) in expectations {
        let receive = sqs
            .receive_message()
            .queue_url(&queue)
            .visibility_timeout(0);
        let received = receive.message_attribute_names(name).send().await.unwrap();
        let message = &received.messages()[0];
        assert_eq!(message.message_attributes().map_or(0, HashMap::len), count);
        assert_eq!(message.md5_of_message_attributes(), digest);
    }
    let trace = "traceparent\u{1e}00-774062d6c37081a5a0b9b5b88e30627c-2d2482211f6489da-01";
    let binary = MessageAttributeValue::builder().data_type("Binary");
    let binary = binary.binary_value(Blob::new(trace)).build().unwrap();
    let request = sqs.send_message().queue_url(&queue).message_body("test");
    let sent = request
        .message_attributes("attr1", binary.clone())
        .send()
        .await
        .unwrap();
    assert_eq!(
        sent.md5_of_message_attributes(),
        Some("8cbe4db156db8a94db8b801b7addb984")
    );
    let received = receive(&sqs, &queue).await;
    assert_eq!(received[1].message_attributes().unwrap()["attr1"], binary);
}

#[tokio::test]
async fn system_attributes_come_with_the_message_when_asked_for() {
    let (sqs, queue) = orders().await;
    let trace = MessageSystemAttributeValue::builder().data_type("String");
    let trace = trace
        .string_value("Root=1-5759e988-bd862e3fe1be46a994272793")
        .build()
        .unwrap();
    let request = sqs
        .send_message()
        .queue_url(&queue)
        .message_body("a")
        .message_group_id("tenant");
    let sent = request
        .message_system_attributes(Sent::AwsTraceHeader, trace)
        .send()
        .await
        .unwrap();
    assert!(sent.md5_of_message_system_attributes().is_some());
    let message = &peek(&sqs, &queue).await[0];
    assert_eq!(system(message, &System::ApproximateReceiveCount), Some("1"));
    let trace = Some("Root=1-5759e988-bd862e3fe1be46a994272793");
    assert_eq!(system(message, &System::AwsTraceHeader), trace);
    assert_eq!(system(message, &System::MessageGroupId), Some("tenant"));
    assert_eq!(system(message, &System::SenderId), Some("000000000000"));
    assert!(system(message, &System::SentTimestamp).is_some());
    let first_receive = system(message, &System::ApproximateFirstReceiveTimestamp);
    let again = &peek(&sqs, &queue).await[0];
    assert_eq!(system(again, &System::ApproximateReceiveCount), Some("2"));
    assert_eq!(
        system(again, &System::ApproximateFirstReceiveTimestamp),
        first_receive
    );
    #[allow(deprecated)] // the older member for the same
    let receive = sqs
        .receive_message()
        .queue_url(&queue)
        .attribute_names(Attribute::from("SenderId"));
    let received = receive.send().await.unwrap();
    assert_eq!(received.messages()[0].attributes().unwrap().len(), 1);
}

#[tokio::test]
async fn a_message_has_at_most_one_mebibyte_with_its_attributes() {
    let (sqs, queue) = orders().await;
    let send = |body: usize| {
        let send = sqs
            .send_message()
            .queue_url(&queue)
            .message_body("x".repeat(body));
        send.message_attributes("name", value("String", "value"))
            .send()
    };
    let attribute = "name".len() + "String".len() + "value".len();
    send((1 << 20) - attribute).await.unwrap();
    assert_eq!(
        code(send((1 << 20) - attribute + 1).await),
        "InvalidParameterValue"
    );
    let small = create(
        &sqs,
        "small",
        &[(Attribute::MaximumMessageSize, "1024".into())],
    )
    .await;
    let refused = sqs
        .send_message()
        .queue_url(&small)
        .message_body("x".repeat(1025))
        .send()
        .await;
    assert_eq!(code(refused), "InvalidParameterValue");
}

#[tokio::test]
async fn messages_outside_the_rules_are_refused() {
    let (sqs, queue) = orders().await;
    let send = |body: &str| sqs.send_message().queue_url(&queue).message_body(body);
    assert_eq!(code(send("").send().await), "MissingParameter");
    for body in ["\u{0}", "a\u{b}", "\u{1f}", "\u{fffe}"] {
        let refused = send(body).send().await.unwrap_err().into_service_error();
        assert!(refused.is_invalid_message_contents());
    }
    assert_eq!(
        code(send("a").delay_seconds(901).send().await),
        "InvalidParameterValue"
    );
    let attributes = [
        ("number", value("Number", "twelve")),
        ("empty", value("String", "")),
        ("type", value("Colour", "red")),
        ("AWS.name", value("String", "red")),
        ("two..dots", value("String", "red")),
    ];
    for (name, attribute) in attributes {
        let refused = send("a").message_attributes(name, attribute).send().await;
        assert_eq!(code(refused), "InvalidParameterValue", "{name}");
    }
    let eleven = (0..11)
        .map(|number| (number.to_string(), value("Number.int", "1")))
        .collect();
    let refused = send("a").set_message_attributes(Some(eleven)).send().await;
    assert_eq!(code(refused), "InvalidParameterValue");
    assert_eq!(counts(&sqs, &queue).await, ["0", "0", "0"]);
}

#[tokio::test]
async fn a_delayed_message_is_hidden_at_first() {
    let (sqs, queue) = orders().await;
    let delayed = sqs.send_message().queue_url(&queue).message_body("late");
    delayed.delay_seconds(1).send().await.unwrap();
    assert!(receive(&sqs, &queue).await.is_empty());
    assert_eq!(counts(&sqs, &queue).await, ["0", "1", "0"]);
    assert_eq!(bodies(&wait(&sqs, &queue).await), ["late"]);
}

// Receiving

#[tokio::test]
async fn a_received_message_is_hidden_until_its_timeout_and_then_comes_with_a_new_handle() {
    let (sqs, queue) = orders().await;
    send(&sqs, &queue, &["a"]).await;
    let first = sqs.receive_message().queue_url(&queue);
    let first = first.visibility_timeout(1).send().await.unwrap();
    assert_eq!(counts(&sqs, &queue).await, ["0", "0", "1"]);
    assert!(receive(&sqs, &queue).await.is_empty());
    let (first, second) = (&first.messages()[0], &wait(&sqs, &queue).await[0]);
    assert_eq!(first.message_id(), second.message_id());
    assert_ne!(first.receipt_handle(), second.receipt_handle());
}

#[tokio::test]
async fn a_waiting_receive_gets_a_message_as_soon_as_it_is_sent() {
    let (sqs, queue) = orders().await;
    let sending = async {
        tokio::time::sleep(Duration::from_millis(100)).await; // so that the receive waits
        send(&sqs, &queue, &["a"]).await;
    };
    let (received, ()) = tokio::join!(wait(&sqs, &queue), sending);
    assert_eq!(bodies(&received), ["a"]);
}

#[tokio::test]
async fn a_waiting_receive_gets_a_message_whose_receiver_gives_it_back() {
    let (sqs, queue) = orders().await;
    send(&sqs, &queue, &["a"]).await;
    let first = receive(&sqs, &queue).await.remove(0);
    let give_back = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let change = sqs.change_message_visibility().queue_url(&queue);
        let change = change.set_receipt_handle(first.receipt_handle);
        change.visibility_timeout(0).send().await.unwrap();
    };
    let (received, ()) = tokio::join!(wait(&sqs, &queue), give_back);
    assert_eq!(bodies(&received), ["a"]);
}

#[tokio::test]
async fn every_message_goes_to_one_of_many_receivers() {
    let (sqs, queue) = orders().await;
    let receivers: Vec<_> = (0..5)
        .map(|_| {
            sqs.receive_message()
                .queue_url(&queue)
                .wait_time_seconds(20)
                .send()
        })
        .map(tokio::spawn)
        .collect();
    send(&sqs, &queue, &["a", "b", "c", "d", "e"]).await;
    let mut received = Vec::new();
    for receiver in receivers {
        let messages = receiver.await.unwrap().unwrap().messages.unwrap();
        received.extend(messages.into_iter().map(|message| message.body.unwrap()));
    }
    received.sort();
    assert_eq!(received, ["a", "b", "c", "d", "e"]);
}

#[tokio::test]
async fn a_receive_outside_the_limits_is_refused() {
    let (sqs, queue) = orders().await;
    let receive = || sqs.receive_message().queue_url(&queue);
    let refusals = [
        receive().max_number_of_messages(0),
        receive().max_number_of_messages(11),
        receive().wait_time_seconds(21),
        receive().visibility_timeout(43_201),
    ];
    for refused in refusals {
        assert_eq!(code(refused.send().await), "InvalidParameterValue");
    }
}

#[tokio::test]
async fn an_expired_message_is_not_received() {
    let file = database("expired");
    let server = Server::start(Some(&file)).await;
    let retention = [(Attribute::MessageRetentionPeriod, "60".into())];
    let queue = create(&server.sqs, "orders", &retention).await;
    send(&server.sqs, &queue, &["old"]).await;
    let db = rusqlite::Connection::open(&file).unwrap();
    db.execute("UPDATE message SET sent = sent - 60000", [])
        .unwrap();
    send(&server.sqs, &queue, &["new"]).await;
    assert_eq!(counts(&server.sqs, &queue).await, ["1", "0", "0"]);
    assert_eq!(bodies(&receive(&server.sqs, &queue).await), ["new"]);
    server.stop().await;
    database("expired");
}

// Deleting and hiding

#[tokio::test]
async fn only_the_newest_handle_deletes_or_hides_a_message() {
    let (sqs, queue) = orders().await;
    send(&sqs, &queue, &["a"]).await;
    let old = peek(&sqs, &queue).await.remove(0).receipt_handle.unwrap();
    let new = receive(&sqs, &queue)
        .await
        .remove(0)
        .receipt_handle
        .unwrap();
    let delete = |handle: &str| {
        let delete = sqs.delete_message().queue_url(&queue);
        delete.receipt_handle(handle).send()
    };
    delete(&old).await.unwrap();
    assert_eq!(counts(&sqs, &queue).await, ["0", "0", "1"]);
    let hide = sqs.change_message_visibility().queue_url(&queue);
    let hide = hide.receipt_handle(&old).visibility_timeout(0);
    assert_eq!(code(hide.send().await), "InvalidParameterValue");
    for _ in 0..2 {
        delete(&new).await.unwrap();
        assert_eq!(counts(&sqs, &queue).await, ["0", "0", "0"]);
    }
}

#[tokio::test]
async fn a_handle_that_was_not_issued_is_refused() {
    let (sqs, queue) = orders().await;
    let other = create(&sqs, "other", &[]).await;
    send(&sqs, &other, &["a"]).await;
    let others = receive(&sqs, &other)
        .await
        .remove(0)
        .receipt_handle
        .unwrap();
    for handle in ["made up", "a.b.c", &others] {
        let delete = sqs
            .delete_message()
            .queue_url(&queue)
            .receipt_handle(handle)
            .send()
            .await;
        assert!(
            delete
                .unwrap_err()
                .into_service_error()
                .is_receipt_handle_is_invalid()
        );
        let change = sqs
            .change_message_visibility()
            .queue_url(&queue)
            .receipt_handle(handle);
        let change = change.visibility_timeout(1).send().await;
        assert!(
            change
                .unwrap_err()
                .into_service_error()
                .is_receipt_handle_is_invalid()
        );
    }
}

#[tokio::test]
async fn only_a_message_in_flight_can_be_hidden_for_longer() {
    let (sqs, queue) = orders().await;
    send(&sqs, &queue, &["a"]).await;
    let visible = peek(&sqs, &queue).await.remove(0).receipt_handle.unwrap();
    let change = |handle: &str, timeout| {
        let change = sqs
            .change_message_visibility()
            .queue_url(&queue)
            .receipt_handle(handle);
        change.visibility_timeout(timeout).send()
    };
    let refused = change(&visible, 60).await.unwrap_err().into_service_error();
    assert!(refused.is_message_not_inflight());
    let handle = receive(&sqs, &queue)
        .await
        .remove(0)
        .receipt_handle
        .unwrap();
    change(&handle, 43_200).await.unwrap();
    assert_eq!(counts(&sqs, &queue).await, ["0", "0", "1"]);
    assert_eq!(code(change(&handle, 43_201).await), "InvalidParameterValue");
    change(&handle, 0).await.unwrap();
    assert_eq!(counts(&sqs, &queue).await, ["1", "0", "0"]);
    sqs.delete_message()
        .queue_url(&queue)
        .receipt_handle(&handle)
        .send()
        .await
        .unwrap();
    assert_eq!(code(change(&handle, 0).await), "InvalidParameterValue");
}

// Batches

#[tokio::test]
async fn a_batch_fails_only_for_the_entries_that_are_refused() {
    let (sqs, queue) = orders().await;
    let entry = |id, body| Send::builder().id(id).message_body(body).build().unwrap();
    let batch = sqs.send_message_batch().queue_url(&queue);
    let batch = batch
        .entries(entry("good", "a"))
        .entries(entry("bad", "\u{0}"));
    let sent = batch.entries(entry("fine", "b")).send().await.unwrap();
    let [good, fine] = sent.successful() else {
        panic!("not two of three")
    };
    assert_eq!((good.id(), fine.id()), ("good", "fine"));
    assert_eq!(
        sent.successful()[0].md5_of_message_body(),
        "0cc175b9c0f1b6a831c399e269772661"
    );
    assert_eq!(
        (sent.failed()[0].id(), sent.failed()[0].code()),
        ("bad", "InvalidMessageContents")
    );
    assert!(sent.failed()[0].sender_fault());

    let received = receive(&sqs, &queue).await;
    let handle = |index: usize| received[index].receipt_handle().unwrap();
    let entry = |id, handle| Visibility::builder().id(id).receipt_handle(handle);
    let entry = |id, handle| entry(id, handle).visibility_timeout(0).build().unwrap();
    let batch = sqs.change_message_visibility_batch().queue_url(&queue);
    let batch = batch
        .entries(entry("1", handle(0)))
        .entries(entry("2", "made up"));
    let changed = batch.send().await.unwrap();
    assert_eq!(
        (changed.successful()[0].id(), changed.failed()[0].id()),
        ("1", "2")
    );

    let entry = |id, handle| {
        Delete::builder()
            .id(id)
            .receipt_handle(handle)
            .build()
            .unwrap()
    };
    let batch = sqs.delete_message_batch().queue_url(&queue);
    let batch = batch
        .entries(entry("1", handle(0)))
        .entries(entry("2", "made up"));
    let deleted = batch.entries(entry("3", handle(1))).send().await.unwrap();
    assert_eq!(
        (deleted.successful().len(), deleted.failed()[0].id()),
        (2, "2")
    );
    assert_eq!(deleted.failed()[0].code(), "ReceiptHandleIsInvalid");
    assert_eq!(counts(&sqs, &queue).await, ["0", "0", "0"]);
}

#[tokio::test]
async fn a_batch_outside_the_rules_is_refused_as_a_whole() {
    let (sqs, queue) = orders().await;
    let entry = |id: &str, body: String| Send::builder().id(id).message_body(body).build().unwrap();
    let refused = |entries: Vec<Send>| {
        let batch = sqs
            .send_message_batch()
            .queue_url(&queue)
            .set_entries(Some(entries))
            .send();
        async { batch.await.unwrap_err().into_service_error() }
    };
    assert!(refused(vec![]).await.is_empty_batch_request());
    let eleven = (0..11)
        .map(|id| entry(&id.to_string(), "a".into()))
        .collect();
    assert!(refused(eleven).await.is_too_many_entries_in_batch_request());
    let same = vec![entry("1", "a".into()), entry("1", "b".into())];
    assert!(refused(same).await.is_batch_entry_ids_not_distinct());
    assert!(
        refused(vec![entry("a:b", "a".into())])
            .await
            .is_invalid_batch_entry_id()
    );
    let half = "x".repeat(1 << 19);
    let long = vec![entry("1", half.clone()), entry("2", half + "x")];
    assert!(refused(long).await.is_batch_request_too_long());
    assert_eq!(counts(&sqs, &queue).await, ["0", "0", "0"]);
}

// Dead letters

#[tokio::test]
async fn a_message_is_received_as_often_as_the_policy_says_and_is_then_a_dead_letter() {
    let sqs = Server::start(None).await.sqs;
    let dead = create(&sqs, "dead", &[]).await;
    let queue = create(&sqs, "orders", &[redrive_to("dead", 2)]).await;
    send(&sqs, &queue, &["poison"]).await;
    let first = peek(&sqs, &queue).await.remove(0);
    assert_eq!(bodies(&peek(&sqs, &queue).await), ["poison"]);
    assert_eq!(counts(&sqs, &queue).await, ["1", "0", "0"]);
    assert!(peek(&sqs, &queue).await.is_empty());
    assert_eq!(counts(&sqs, &queue).await, ["0", "0", "0"]);
    let letter = receive(&sqs, &dead).await.remove(0);
    assert_eq!(letter.message_id(), first.message_id());
    assert_eq!(system(&letter, &System::ApproximateReceiveCount), Some("3"));
    assert_eq!(
        system(&letter, &System::SentTimestamp),
        system(&first, &System::SentTimestamp)
    );
    let source = system(&letter, &System::DeadLetterQueueSourceArn);
    assert_eq!(source, Some(arn("orders").as_str()));
}

#[tokio::test]
async fn a_receive_waiting_at_the_dead_letter_queue_gets_the_dead_letter() {
    let (sqs, queue, dead) = orders_with_dead_letters().await;
    let (received, ()) = tokio::join!(wait(&sqs, &dead), kill(&sqs, &queue, "a"));
    assert_eq!(bodies(&received), ["a"]);
}

#[tokio::test]
async fn the_source_queues_of_a_dead_letter_queue_are_listed() {
    let (sqs, queue, dead) = orders_with_dead_letters().await;
    let list = || sqs.list_dead_letter_source_queues().queue_url(&dead).send();
    assert_eq!(
        list().await.unwrap().queue_urls,
        std::slice::from_ref(&queue)
    );
    let unset = sqs.set_queue_attributes().queue_url(&queue);
    unset
        .attributes(Attribute::RedrivePolicy, "")
        .send()
        .await
        .unwrap();
    assert!(list().await.unwrap().queue_urls.is_empty());
}

#[tokio::test]
async fn dead_letters_are_moved_back_to_their_sources_as_new_messages() {
    let (sqs, orders, dead) = orders_with_dead_letters().await;
    let bills = create(&sqs, "bills", &[redrive_to("dead", 1)]).await;
    kill(&sqs, &orders, "order").await;
    kill(&sqs, &bills, "bill").await;
    let letter = peek(&sqs, &dead).await.remove(0);
    sqs.start_message_move_task()
        .source_arn(arn("dead"))
        .send()
        .await
        .unwrap();
    let task = end_of_task(&sqs, "dead").await;
    assert_eq!(
        (task.status(), task.task_handle()),
        (Some("COMPLETED"), None)
    );
    assert_eq!(task.approximate_number_of_messages_moved(), 2);
    assert_eq!(task.approximate_number_of_messages_to_move(), Some(2));
    assert_eq!(
        (task.source_arn(), task.destination_arn()),
        (Some(arn("dead").as_str()), None)
    );
    let order = receive(&sqs, &orders).await.remove(0);
    assert_eq!(
        (order.body(), letter.body()),
        (Some("order"), Some("order"))
    );
    assert_ne!(order.message_id(), letter.message_id());
    assert_eq!(system(&order, &System::ApproximateReceiveCount), Some("1"));
    assert_eq!(system(&order, &System::DeadLetterQueueSourceArn), None);
    assert_eq!(bodies(&receive(&sqs, &bills).await), ["bill"]);
}

#[tokio::test]
async fn dead_letters_are_moved_to_another_queue_if_one_is_named() {
    let (sqs, _, dead) = orders_with_dead_letters().await;
    let repair = create(&sqs, "repair", &[]).await;
    send(&sqs, &dead, &["in flight"]).await;
    receive(&sqs, &dead).await;
    send(&sqs, &dead, &["a", "b"]).await;
    let start = sqs.start_message_move_task().source_arn(arn("dead"));
    start.destination_arn(arn("repair")).send().await.unwrap();
    let task = end_of_task(&sqs, "dead").await;
    assert_eq!(task.status(), Some("COMPLETED"));
    assert_eq!(task.approximate_number_of_messages_to_move(), Some(2));
    assert_eq!(task.destination_arn(), Some(arn("repair").as_str()));
    assert_eq!(bodies(&receive(&sqs, &repair).await), ["a", "b"]);
    assert_eq!(counts(&sqs, &dead).await, ["0", "0", "1"]);
}

/// The queues of a stack: what fails waits in one, and only what a person puts there is in the other.
#[tokio::test]
async fn what_fails_goes_to_the_retry_queue_and_back_as_often_as_it_takes() {
    let sqs = Server::start(None).await.sqs;
    let dead = create(&sqs, "dead", &[]).await;
    let retry = create(&sqs, "retry", &[redrive_to("dead", 1000)]).await;
    let queue = create(&sqs, "orders", &[redrive_to("retry", 3)]).await;
    let sent = sqs.send_message().queue_url(&queue).message_body("a");
    sent.message_group_id("shop").send().await.unwrap();
    for _ in 0..2 {
        for tries in ["1", "2", "3"] {
            let again = receive(&sqs, &queue).await.remove(0);
            assert_eq!(
                system(&again, &System::ApproximateReceiveCount),
                Some(tries)
            );
            assert_eq!(system(&again, &System::MessageGroupId), Some("shop"));
            let show = sqs.change_message_visibility().queue_url(&queue);
            let show = show.receipt_handle(again.receipt_handle().unwrap());
            show.visibility_timeout(0).send().await.unwrap();
        }
        assert!(receive(&sqs, &queue).await.is_empty());
        assert_eq!(counts(&sqs, &retry).await, ["1", "0", "0"]);
        let start = sqs.start_message_move_task().source_arn(arn("retry"));
        let start = start.destination_arn(arn("orders"));
        start
            .max_number_of_messages_per_second(500)
            .send()
            .await
            .unwrap();
        assert_eq!(end_of_task(&sqs, "retry").await.status(), Some("COMPLETED"));
    }
    assert_eq!(counts(&sqs, &dead).await, ["0", "0", "0"]);
    // A letter goes back by the same call, because the retry queue names its queue.
    send(&sqs, &dead, &["letter"]).await;
    let start = sqs.start_message_move_task().source_arn(arn("dead"));
    start.destination_arn(arn("orders")).send().await.unwrap();
    assert_eq!(end_of_task(&sqs, "dead").await.status(), Some("COMPLETED"));
    assert_eq!(counts(&sqs, &queue).await, ["2", "0", "0"]);
}

#[tokio::test]
async fn a_dead_letter_queue_says_whose_it_is() {
    let sqs = Server::start(None).await.sqs;
    let policy = |text: &str| [(Attribute::RedriveAllowPolicy, text.to_owned())];
    create(&sqs, "open", &policy(r#"{"redrivePermission":"allowAll"}"#)).await;
    create(&sqs, "shut", &policy(r#"{"redrivePermission":"denyAll"}"#)).await;
    let only = format!(
        r#"{{"redrivePermission":"byQueue","sourceQueueArns":["{}"]}}"#,
        arn("orders")
    );
    create(&sqs, "private", &policy(&only)).await;
    let make = async |name: &str, target: &str| {
        let (attribute, value) = redrive_to(target, 3);
        let make = sqs.create_queue().queue_name(name);
        make.attributes(attribute, value).send().await
    };
    make("orders", "private").await.unwrap();
    make("bills", "open").await.unwrap();
    assert_eq!(
        code(make("other", "private").await),
        "InvalidParameterValue"
    );
    assert_eq!(code(make("other", "shut").await), "InvalidParameterValue");
    for wrong in [r#"{"redrivePermission":"byQueue"}"#, "{}", "no"] {
        let make = sqs.create_queue().queue_name("wrong");
        let make = make.attributes(Attribute::RedriveAllowPolicy, wrong);
        assert_eq!(code(make.send().await), "InvalidParameterValue", "{wrong}");
    }
}

#[tokio::test]
async fn a_message_group_has_a_name_that_sqs_takes() {
    let (sqs, queue) = orders().await;
    let send = async |group: &str| {
        let send = sqs.send_message().queue_url(&queue).message_body("a");
        send.message_group_id(group).send().await
    };
    send("shop-1.eu_west/!").await.unwrap();
    for wrong in ["a b", "é", &"x".repeat(129)] {
        assert_eq!(code(send(wrong).await), "InvalidParameterValue", "{wrong}");
    }
}

#[tokio::test]
async fn a_move_without_a_target_fails_and_leaves_the_message() {
    let (sqs, queue, dead) = orders_with_dead_letters().await;
    send(&sqs, &dead, &["sent here"]).await;
    sqs.start_message_move_task()
        .source_arn(arn("dead"))
        .send()
        .await
        .unwrap();
    let task = end_of_task(&sqs, "dead").await;
    let failure = Some("CouldNotDetermineMessageSource");
    assert_eq!(
        (task.status(), task.failure_reason()),
        (Some("FAILED"), failure)
    );

    sqs.purge_queue().queue_url(&dead).send().await.unwrap();
    kill(&sqs, &queue, "a").await;
    create(&sqs, "other", &[redrive_to("dead", 1)]).await;
    sqs.delete_queue().queue_url(&queue).send().await.unwrap();
    sqs.start_message_move_task()
        .source_arn(arn("dead"))
        .send()
        .await
        .unwrap();
    let task = end_of_task(&sqs, "dead").await;
    let failure = Some("AWS.SimpleQueueService.NonExistentQueue");
    assert_eq!(
        (task.status(), task.failure_reason()),
        (Some("FAILED"), failure)
    );
    assert_eq!(bodies(&receive(&sqs, &dead).await), ["a"]);
}

#[tokio::test]
async fn one_move_at_a_time_runs_and_can_be_cancelled() {
    let (sqs, queue, dead) = orders_with_dead_letters().await;
    send(&sqs, &dead, &["a", "b", "c"]).await;
    let start = || sqs.start_message_move_task().source_arn(arn("dead"));
    let start = || {
        start()
            .destination_arn(arn("orders"))
            .max_number_of_messages_per_second(1)
    };
    let handle = start().send().await.unwrap().task_handle.unwrap();
    let task = last_task(&sqs, "dead").await;
    assert_eq!(
        (task.status(), task.task_handle()),
        (Some("RUNNING"), Some(handle.as_str()))
    );
    assert_eq!(task.max_number_of_messages_per_second(), Some(1));
    assert_eq!(code(start().send().await), "InvalidParameterValue");
    let cancel = || sqs.cancel_message_move_task().task_handle(&handle).send();
    let moved = cancel()
        .await
        .unwrap()
        .approximate_number_of_messages_moved();
    assert_eq!(last_task(&sqs, "dead").await.status(), Some("CANCELLED"));
    let left = receive(&sqs, &dead).await.len() + receive(&sqs, &queue).await.len();
    assert!(left == 3 && moved < 3);
    assert!(
        cancel()
            .await
            .unwrap_err()
            .into_service_error()
            .is_unsupported_operation()
    );
}

#[tokio::test]
async fn a_move_needs_a_dead_letter_queue_and_queues_that_exist() {
    let (sqs, ..) = orders_with_dead_letters().await;
    let start = |source: &str| sqs.start_message_move_task().source_arn(source);
    assert_eq!(
        code(start(&arn("orders")).send().await),
        "InvalidParameterValue"
    );
    let too_fast = start(&arn("dead")).max_number_of_messages_per_second(501);
    assert_eq!(code(too_fast.send().await), "InvalidParameterValue");
    let refusals = [
        start(&arn("absent")),
        start("dead"),
        start(&arn("dead")).destination_arn("x"),
    ];
    for refused in refusals {
        let refused = refused.send().await.unwrap_err().into_service_error();
        assert!(refused.is_resource_not_found_exception());
    }
    let cancel = sqs
        .cancel_message_move_task()
        .task_handle("made up")
        .send()
        .await;
    assert!(
        cancel
            .unwrap_err()
            .into_service_error()
            .is_resource_not_found_exception()
    );
}

// The protocol

#[tokio::test]
async fn a_refusal_has_the_form_that_every_sdk_reads() {
    let (_, queue) = orders().await;
    let address = queue.split('/').nth(2).unwrap().to_owned();
    let post = async |target: &'static str, body: &'static str| {
        let address = address.clone();
        let request = format!(
            "POST / HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\
             x-amz-target: {target}\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        let reply = tokio::task::spawn_blocking(move || {
            let mut connection = std::net::TcpStream::connect(address).unwrap();
            connection.write_all(request.as_bytes()).unwrap();
            std::io::read_to_string(connection).unwrap()
        });
        reply.await.unwrap()
    };
    let reply = post("AmazonSQS.DeleteQueue", r#"{"QueueUrl":"absent"}"#).await;
    assert!(reply.starts_with("HTTP/1.1 400 "));
    assert!(reply.contains("content-type: application/x-amz-json-1.0\r\n"));
    let code = "x-amzn-query-error: AWS.SimpleQueueService.NonExistentQueue;Sender\r\n";
    assert!(reply.contains(code));
    assert!(reply.contains(r#""__type":"com.amazonaws.sqs#QueueDoesNotExist""#));
    assert!(reply.contains(r#""message":"The specified queue does not exist.""#));

    let wrong_type = r#"{"QueueUrl":"orders","MessageBody":"a","DelaySeconds":"5"}"#;
    let refusals = [
        (
            "AmazonSQS.SendMessage",
            wrong_type,
            "InvalidParameterValueException",
        ),
        (
            "AmazonSQS.SendMessage",
            r#"{"QueueUrl":"orders"}"#,
            "MissingRequiredParameterException",
        ),
        (
            "AmazonSQS.SendMessage",
            "[]",
            "MissingRequiredParameterException",
        ),
        ("AmazonSQS.SendMessage", "{", "SerializationException"),
        ("AmazonSQS.TagQueue", "{}", "UnsupportedOperation"),
        ("DynamoDB.PutItem", "{}", "InvalidAction"),
    ];
    for (target, body, shape) in refusals {
        let reply = post(target, body).await;
        assert!(
            reply.contains(&format!("com.amazonaws.sqs#{shape}\"")),
            "{reply}"
        );
    }
}

// Stopping and starting

#[tokio::test]
async fn a_file_keeps_queues_messages_and_handles_over_a_restart() {
    let file = database("restart");
    let server = Server::start(Some(&file)).await;
    let queue = create(&server.sqs, "orders", &[]).await;
    send(&server.sqs, &queue, &["in flight"]).await;
    let handle = receive(&server.sqs, &queue)
        .await
        .remove(0)
        .receipt_handle
        .unwrap();
    send(&server.sqs, &queue, &["waiting"]).await;
    server.stop().await;

    // The queue's URL still names the old port.
    let server = Server::start(Some(&file)).await;
    assert_eq!(counts(&server.sqs, &queue).await, ["1", "0", "1"]);
    let delete = server
        .sqs
        .delete_message()
        .queue_url(&queue)
        .receipt_handle(handle);
    delete.send().await.unwrap();
    assert_eq!(bodies(&receive(&server.sqs, &queue).await), ["waiting"]);
    assert_eq!(counts(&server.sqs, &queue).await, ["0", "0", "1"]);
    server.stop().await;
    database("restart");
}

#[tokio::test]
async fn a_move_goes_on_after_a_restart() {
    let file = database("move");
    let server = Server::start(Some(&file)).await;
    let dead = create(&server.sqs, "dead", &[]).await;
    let queue = create(&server.sqs, "orders", &[redrive_to("dead", 1)]).await;
    send(&server.sqs, &dead, &["a", "b"]).await;
    let start = server.sqs.start_message_move_task().source_arn(arn("dead"));
    let start = start
        .destination_arn(arn("orders"))
        .max_number_of_messages_per_second(1);
    start.send().await.unwrap();
    server.stop().await;

    let server = Server::start(Some(&file)).await;
    assert_eq!(
        end_of_task(&server.sqs, "dead").await.status(),
        Some("COMPLETED")
    );
    assert_eq!(bodies(&receive(&server.sqs, &queue).await), ["a", "b"]);
    server.stop().await;
    database("move");
}

#[tokio::test]
async fn a_waiting_receive_is_answered_when_the_server_stops() {
    let (running, idle) = orders().await;
    let idle = running
        .receive_message()
        .queue_url(idle)
        .wait_time_seconds(20);
    let idle = tokio::spawn(idle.send());
    let server = Server::start(None).await;
    let queue = create(&server.sqs, "orders", &[]).await;
    let waiting = server.sqs.receive_message().queue_url(&queue);
    let waiting = tokio::spawn(waiting.wait_time_seconds(20).send());
    tokio::time::sleep(Duration::from_millis(100)).await; // so that both receives wait
    server.stop().await;
    assert!(waiting.await.unwrap().unwrap().messages().is_empty());
    assert!(!idle.is_finished());
}

#[tokio::test]
async fn two_thousand_messages_are_sent_received_and_deleted() {
    let file = database("many");
    let server = Server::start(Some(&file)).await;
    let dead = create(&server.sqs, "dead", &[]).await;
    let queue = create(&server.sqs, "orders", &[redrive_to("dead", 3)]).await;
    assert!(receive(&server.sqs, &dead).await.is_empty());
    for batch in 0..200 {
        let entry = |id: u32| {
            Send::builder()
                .id(id.to_string())
                .message_body(format!("{batch}"))
        };
        let entries = (0..10).map(|id| entry(id).build().unwrap()).collect();
        let send = server
            .sqs
            .send_message_batch()
            .queue_url(&queue)
            .set_entries(Some(entries));
        send.send().await.unwrap();
    }
    for _ in 0..200 {
        let received = receive(&server.sqs, &queue).await;
        let entry = |message: &Message| {
            let delete = Delete::builder().id(message.message_id().unwrap());
            delete
                .receipt_handle(message.receipt_handle().unwrap())
                .build()
                .unwrap()
        };
        let entries: Vec<_> = received.iter().map(entry).collect();
        assert_eq!(entries.len(), 10);
        let delete = server.sqs.delete_message_batch().queue_url(&queue);
        delete.set_entries(Some(entries)).send().await.unwrap();
    }
    assert_eq!(counts(&server.sqs, &queue).await, ["0", "0", "0"]);
    server.stop().await;
    database("many");
}
