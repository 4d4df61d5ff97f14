//! Requests of a web page in a browser on this machine to the ports of tables, queues and bucket.

use std::time::Duration;

use hookwell_aws::tools::admin::Admin;
use hookwell_local::storage::{Endpoints, QueueSettings, Storage};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const QUEUE: QueueSettings = QueueSettings {
    visibility_timeout: 10,
    retry_every: Duration::from_hours(1),
};

/// One request as it goes over the wire: what `Host` says, what else a browser adds, and what is asked for.
struct Ask<'t> {
    host: &'t str,
    headers: &'t [(&'t str, &'t str)],
    line: &'t str,
    target: &'t str,
    body: &'t str,
}

impl Ask<'_> {
    /// The whole answer of the server at `http://HOST:PORT`.
    async fn of(&self, endpoint: &str) -> String {
        let address = endpoint.strip_prefix("http://").unwrap();
        let mut head = format!("{} HTTP/1.1\r\nhost: {}\r\n", self.line, self.host);
        for (name, value) in self.headers {
            head += name;
            head += ": ";
            head += value;
            head += "\r\n";
        }
        let request = format!(
            "{head}connection: close\r\ncontent-type: application/x-amz-json-1.0\r\nx-amz-target: {}\r\n\
             x-amz-date: 20261121T000000Z\r\nauthorization: AWS4-HMAC-SHA256 Credential=local/20261121/us-east-1/\
             dynamodb/aws4_request, SignedHeaders=host, Signature=local\r\ncontent-length: {}\r\n\r\n{}",
            self.target,
            self.body.len(),
            self.body
        );
        let mut connection = TcpStream::connect(address).await.unwrap();
        connection.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        connection.read_to_end(&mut answer).await.unwrap();
        String::from_utf8_lossy(&answer).to_lowercase()
    }
}

/// A question to each port that changes or reads what is there.
fn questions(endpoints: &Endpoints) -> Vec<(String, &'static str, &'static str, String)> {
    let Endpoints {
        dynamodb_endpoint: tables,
        sqs_endpoint: queues,
        s3_endpoint: bucket,
        events_table,
        queue_url,
        ..
    } = endpoints;
    let table = format!(r#"{{"TableName":"{events_table}"}}"#);
    let queue = format!(r#"{{"QueueUrl":"{queue_url}","MessageBody":"forged"}}"#);
    let post = "POST /";
    vec![
        (
            tables.clone(),
            post,
            "DynamoDB_20120810.ListTables",
            "{}".to_owned(),
        ),
        (
            tables.clone(),
            post,
            "DynamoDB_20120810.Scan",
            table.clone(),
        ),
        (tables.clone(), post, "DynamoDB_20120810.DeleteTable", table),
        (
            queues.clone(),
            post,
            "AmazonSQS.ListQueues",
            "{}".to_owned(),
        ),
        (queues.clone(), post, "AmazonSQS.SendMessage", queue),
        (
            bucket.clone(),
            "PUT /hookwell/forged",
            "",
            "forged".to_owned(),
        ),
        (bucket.clone(), "GET /hookwell/there", "", String::new()),
    ]
}

#[tokio::test]
async fn a_web_page_reads_nothing_and_changes_nothing() {
    let storage = Storage::start(0, None, QUEUE).await.unwrap();
    let endpoints = &storage.endpoints;
    let here = |endpoint: &str| endpoint.strip_prefix("http://").unwrap().to_owned();
    let put = Ask {
        host: &here(&endpoints.s3_endpoint),
        headers: &[],
        line: "PUT /hookwell/there",
        target: "",
        body: "secret",
    };
    assert!(
        put.of(&endpoints.s3_endpoint)
            .await
            .starts_with("http/1.1 200")
    );

    for (endpoint, line, target, body) in questions(endpoints) {
        let own = here(&endpoint);
        let foreign = "https://elsewhere.example";
        let neighbour = "http://127.0.0.1:1";
        // Its own page from elsewhere, a page of another port, one without an origin, names that were made to point
        // here, and what comes through something else.
        let attacks: [(&str, &[(&str, &str)]); 11] = [
            (&own, &[("origin", foreign)]),
            (&own, &[("origin", neighbour)]),
            (&own, &[("origin", "null")]),
            (
                &own,
                &[("origin", foreign), ("sec-fetch-site", "cross-site")],
            ),
            (
                &own,
                &[
                    ("sec-fetch-site", "cross-site"),
                    ("sec-fetch-mode", "no-cors"),
                ],
            ),
            (
                &own,
                &[
                    ("sec-fetch-site", "same-site"),
                    ("sec-fetch-mode", "no-cors"),
                ],
            ),
            ("rebound.example", &[]),
            (
                "rebound.example:9001",
                &[("origin", "http://rebound.example:9001")],
            ),
            ("localhost.rebound.example", &[]),
            (&own, &[("host", "rebound.example")]),
            (&own, &[("x-forwarded-for", "203.0.113.7")]),
        ];
        for (host, headers) in attacks {
            let ask = Ask {
                host,
                headers,
                line,
                target,
                body: &body,
            };
            let answer = ask.of(&endpoint).await;
            assert!(
                answer.starts_with("http/1.1 403"),
                "{line} {target} as {host} {headers:?}: {answer}"
            );
            assert!(!answer.contains("access-control-"), "{answer}");
        }
        // A browser asks before it sends what a form cannot.
        let ask = Ask {
            host: &own,
            headers: &[
                ("origin", foreign),
                ("access-control-request-method", "POST"),
                ("access-control-request-headers", "x-amz-target"),
            ],
            line: "OPTIONS /",
            target,
            body: "",
        };
        let answer = ask.of(&endpoint).await;
        assert!(answer.starts_with("http/1.1 403"), "{answer}");
        assert!(!answer.contains("access-control-"), "{answer}");
    }

    let admin = Admin::new(&endpoints.connection().unwrap());
    assert_eq!(admin.scan(&endpoints.events_table, None).await.unwrap(), []);
    let depth = admin.queue_depth(&endpoints.queue_url).await.unwrap();
    assert_eq!(depth, (0, 0));
    let get = Ask {
        line: "GET /hookwell/forged",
        body: "",
        ..put
    };
    let forged = get.of(&endpoints.s3_endpoint).await;
    assert!(forged.starts_with("http/1.1 404"), "{forged}");
    storage.stop().await;
}

#[tokio::test]
async fn the_clients_of_this_machine_are_served() {
    let storage = Storage::start(0, None, QUEUE).await.unwrap();
    for (endpoint, line, target, body) in questions(&storage.endpoints) {
        if target.ends_with("DeleteTable") {
            continue;
        }
        let port = endpoint.rsplit_once(':').unwrap().1;
        for name in ["127.0.0.1", "localhost"] {
            let ask = Ask {
                host: &format!("{name}:{port}"),
                headers: &[],
                line,
                target,
                body: &body,
            };
            let answer = ask.of(&endpoint).await;
            let is_served = answer.starts_with("http/1.1 200") || line == "GET /hookwell/there";
            assert!(is_served, "{line} {target}: {answer}");
            assert!(!answer.contains("access-control-"), "{answer}");
        }
    }
    storage.stop().await;
}
