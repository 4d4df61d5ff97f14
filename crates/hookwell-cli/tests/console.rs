//! `hookwell console`: the page over tables and queues that it finds in its environment.

use std::collections::{BTreeSet, HashMap};
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::process::{ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::browser::{get, press, shows, submit};
use crate::support::{World, body, machine};
use hookwell_aws::Limits;
use hookwell_aws::dynamodb::types::AttributeValue;
use hookwell_local::storage::Endpoints;
use hookwell_sandbox::child::Owned;
use serde_json::json;

/// Longer than anything that a working page needs, and shorter than its own limit when it ends.
const PATIENCE: Duration = Duration::from_secs(30);

/// `hookwell console` in a process of its own, and a browser that looks at it.
struct Console {
    process: Owned,
    /// Standard output of the process, kept open because the process may print.
    _output: BufReader<ChildStdout>,
    first_line: String,
    /// Query of the printed address: the secret of the page.
    secret: String,
    world: World,
}

impl Console {
    /// Starts a console over these tables, as over the tables of an account.
    fn start(endpoints: &Endpoints) -> Self {
        let mut process = Owned::spawn(
            Command::new(env!("CARGO_BIN_EXE_hookwell"))
                .args(["console", "--port", "0"])
                .envs(endpoints.environment())
                .stdout(Stdio::piped())
                .stderr(Stdio::null()),
        )
        .unwrap();
        let mut first_line = String::new();
        let mut output = BufReader::new(process.stdout.take().unwrap());
        output.read_line(&mut first_line).unwrap();
        let address = first_line.trim_end().strip_prefix("listening on ");
        let (url, secret) = address.expect(&first_line).split_once("/?").unwrap();
        let world = World::new(url, endpoints);
        let secret = secret.to_owned();
        Self {
            process,
            _output: output,
            first_line,
            secret,
            world,
        }
    }

    /// Opens the printed address, as a browser that keeps the cookie.
    async fn open(&mut self) {
        let answer = get(&self.world, &format!("/?{}", self.secret)).await;
        assert_eq!((answer.status, &*answer.headers["location"]), (303, "/"));
        let cookie = &answer.headers["set-cookie"];
        let (cookie, attributes) = cookie.split_once("; ").unwrap();
        assert_eq!(attributes, "Path=/; HttpOnly; SameSite=Strict");
        self.world.cookie = Some(cookie.to_owned());
    }

    /// Ends the console as Ctrl-C does.
    fn interrupt(&mut self) -> bool {
        self.process.interrupt().unwrap();
        self.process.wait().unwrap().success()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_looked_at_and_its_dead_letters_go_back() {
    let machine = machine().await;
    let account = World::of(&machine);
    let (event, state) = body("resource", 0, "create", "d1", "Ada");
    assert_eq!(account.post("resource", &event).await.status, 200);
    account
        .document_becomes("resource", "d1", state.as_ref())
        .await;
    let nameless = json!({
        "id": "evt_2", "type": "asset.created", "created_at": "2026-11-21T00:00:00Z",
        "data": { "name": "nobody" },
    });
    assert_eq!(account.post("generic", &nameless).await.status, 200);
    account.drained().await;

    let mut console = Console::start(&account.endpoints);
    console.open().await;
    let world = &console.world;
    assert!(
        console
            .first_line
            .starts_with("listening on http://127.0.0.1:")
    );
    let list = shows(world, "/", "evt_d1_0").await;
    assert!(
        list.contains(">applied<") && list.contains(">rejected<"),
        "{list}"
    );
    shows(world, "/documents", "Ada").await;

    // Every view names the tables, and shows nothing that only a machine can do.
    let (_, after) = list.split_once("/event?key=resource%23").unwrap();
    let (key, _) = after.split_once('"').unwrap();
    let event = format!("/event?key=resource%23{key}");
    for path in ["/", "/documents", "/sources", "/dead-letters", &event] {
        let page = get(world, path).await.body;
        let tables = [
            &account.endpoints.events_table,
            &account.endpoints.documents_table,
        ];
        for table in tables {
            assert!(page.contains(&format!("<b>{table}</b>")), "{path}: {page}");
        }
        for machine_only in ["/send", "/deliveries/", "Deliveries", "Time to ack"] {
            assert!(!page.contains(machine_only), "{path} shows {machine_only}");
        }
    }
    let page = get(world, &event).await.body;
    assert!(page.contains("evt_d1_0"), "{page}");
    assert!(
        page.contains("<b>received</b>") && page.contains("<b>applied</b>"),
        "{page}"
    );
    let sources = get(world, "/sources").await.body;
    // What was refused is in no table, so the page cannot know that a source is well.
    assert!(!sources.contains("healthy"), "{sources}");
    assert!(
        sources.contains("no failures") && sources.contains("failing"),
        "{sources}"
    );
    shows(
        world,
        "/documents",
        "<span class=\"count\" id=\"letters\">1</span>",
    )
    .await;
    let document = get(world, "/document?key=resource%23resource%23d1")
        .await
        .body;
    assert!(document.contains("made this state"), "{document}");
    for path in ["/send", "/deliveries/1"] {
        assert_eq!(get(world, path).await.status, 404, "{path}");
    }

    // The button puts it back; nothing about the event changed, so it is rejected again, with who did so in its record.
    let letters = shows(world, "/dead-letters", "the event names no document").await;
    let (_, after) = letters.split_once(r#"name="id" value=""#).unwrap();
    let (id, _) = after.split_once('"').unwrap();
    let redrive = format!("id={id}");
    let elsewhere = vec![("origin".to_owned(), "https://elsewhere.example".to_owned())];
    let form = redrive.as_bytes().to_vec();
    let refused = world.request("POST", "/dead-letters/redrive", elsewhere, form);
    assert_eq!(refused.await.status, 403);
    let refused = submit(world, "/dead-letters/redrive", &redrive).await;
    assert_eq!(refused.status, 403, "a form without the token");
    assert!(!reopened(&account).await);
    let done = press(world, "/dead-letters", "/dead-letters/redrive", &redrive).await;
    assert_eq!(done.headers["location"], "/dead-letters?done=1");
    assert!(reopened(&account).await);
    shows(world, "/dead-letters", "the event names no document").await;

    // The page is renewed: outcomes of the events that it showed, and events that came since.
    shows(world, "/?outcome=rejected", "evt_2").await;
    let (event, _) = body("resource", 1, "update", "d1", "Eve");
    account.post("resource", &event).await;
    shows(world, "/", "evt_d1_1").await;
    shows(world, "/documents", "Eve").await;
    assert!(console.interrupt());
    machine.stop().await;
}

/// True when somebody put the rejected event back.
async fn reopened(account: &World) -> bool {
    let mut events = account.events().await;
    events.retain(|event| event["event_id"] == "evt_2");
    events[0].contains_key("reopened_by")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_of_an_account_is_replayed_when_it_was_kept() {
    let machine = machine().await;
    let account = World::of(&machine);
    for source in ["generic", "resource"] {
        let (event, _) = body(source, 0, "create", source, "Ada");
        assert_eq!(account.post(source, &event).await.status, 200);
    }
    account.drained().await;
    let mut console = Console::start(&account.endpoints);
    console.open().await;
    let world = &console.world;
    let list = shows(world, "/", "evt_generic_0").await;
    let event = |source: &str| {
        let start = format!("/event?key={source}%23");
        let (_, after) = list.split_once(&start).unwrap();
        format!("{start}{}", after.split_once('"').unwrap().0)
    };
    // Of the shipped sources only generic keeps its events.
    assert!(!get(world, &event("resource")).await.body.contains("Replay"));
    assert!(get(world, &event("generic")).await.body.contains("Replay"));
    let path = event("generic");
    let (_, key) = path.split_once('?').unwrap();
    let replayed = press(world, &path, "/event/replay", key).await;
    assert_eq!(replayed.status, 303, "{replayed:?}");
    shows(world, &path, "reopened_by").await;
    account.drained().await;
    shows(world, &path, ">applied<").await;
    assert!(console.interrupt());
    machine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_sees_an_account_without_the_secret_of_the_printed_address() {
    let machine = machine().await;
    let account = World::of(&machine);
    let mut console = Console::start(&account.endpoints);
    let name = |cookie: &str| cookie.split_once('=').unwrap().0.to_owned();
    let secret = console.secret.strip_prefix("secret=").unwrap().to_owned();
    assert!(secret.len() >= 32, "{secret}");
    console.open().await;
    let cookie = console.world.cookie.clone().unwrap();
    let wrong = "0".repeat(secret.len());
    let cookies = [
        None,
        Some(format!("{}=", name(&cookie))),
        Some(format!("{}={wrong}", name(&cookie))),
        Some(format!("hookwell-1={secret}")),
    ];
    for cookie in cookies {
        console.world.cookie = cookie;
        let world = &console.world;
        for path in [
            "/",
            "/documents",
            "/dead-letters",
            "/event?key=x",
            "/page.js",
        ] {
            let answer = get(world, path).await;
            assert_eq!(answer.status, 403, "{path} with {:?}", world.cookie);
            assert!(!answer.body.contains("hookwell-events"), "{answer:?}");
        }
        for query in [
            "secret=",
            &format!("secret={wrong}"),
            &format!("secret={secret}0"),
        ] {
            let answer = get(world, &format!("/?{query}")).await;
            assert_eq!(answer.status, 403, "{query}");
            assert!(!answer.headers.contains_key("set-cookie"), "{answer:?}");
        }
        assert_eq!(submit(world, "/event/replay", "key=x").await.status, 403);
    }
    // With it, and with others of the browser beside it.
    console.world.cookie = Some(format!("other=1; {cookie}"));
    assert_eq!(get(&console.world, "/").await.status, 200);
    assert!(console.interrupt());
    machine.stop().await;
}

/// A client may send half a request, and then nothing for ever.
#[tokio::test(flavor = "multi_thread")]
async fn a_second_interrupt_ends_the_page_although_a_request_is_not_over() {
    let machine = machine().await;
    let mut console = Console::start(&machine.machine.endpoints);
    let address = console
        .world
        .url
        .strip_prefix("http://")
        .unwrap()
        .to_owned();
    let mut client = TcpStream::connect(&address).unwrap();
    client.write_all(b"GET / HTTP/1.1\r\n").unwrap();
    // Served behind it, so the page has the connection.
    console.open().await;
    console.process.interrupt().unwrap();
    let started = Instant::now();
    while TcpStream::connect(&address).is_ok() {
        assert!(started.elapsed() < PATIENCE, "it takes connections");
        std::thread::yield_now();
    }
    console.process.interrupt().unwrap();
    while console.process.try_wait().unwrap().is_none() {
        assert!(started.elapsed() < PATIENCE, "it waits for the client");
        std::thread::yield_now();
    }
    machine.stop().await;
}

/// Puts so many copies of the one document, each changed by its number.
async fn multiply(
    account: &World,
    count: usize,
    change: impl Fn(usize, &mut HashMap<String, AttributeValue>),
) {
    let client = account.endpoints.connection().unwrap();
    let client = client.dynamodb(Limits::TOOL);
    let table = &account.endpoints.documents_table;
    let one = client.scan().table_name(table).send().await.unwrap();
    let one = one.items.unwrap().remove(0);
    for number in 0..count {
        let mut item = one.clone();
        change(number, &mut item);
        let put = client.put_item().table_name(table).set_item(Some(item));
        put.send().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_of_many_documents_is_read_page_by_page() {
    let machine = machine().await;
    let account = World::of(&machine);
    let (event, state) = body("resource", 0, "create", "d1", "Ada");
    assert_eq!(account.post("resource", &event).await.status, 200);
    account
        .document_becomes("resource", "d1", state.as_ref())
        .await;
    let text = |text: String| AttributeValue::S(text);
    multiply(&account, 149, |count, item| {
        item.insert("pk".into(), text(format!("resource#resource#m{count}")));
        item.insert("document_id".into(), text(format!("m{count}")));
    })
    .await;

    let mut console = Console::start(&account.endpoints);
    console.open().await;
    let world = &console.world;
    // All documents, each once, over two pages.
    let mut found = BTreeSet::new();
    let mut path = "/documents".to_owned();
    let mut pages = 0;
    loop {
        let page = get(world, &path).await.body;
        let links = page.split("/document?key=").skip(1);
        for link in links.filter_map(|link| link.split_once('"')) {
            assert!(found.insert(link.0.to_owned()), "{} twice", link.0);
        }
        pages += 1;
        let Some((_, next)) = page.split_once("after=") else {
            break;
        };
        path = format!("/documents?after={}", next.split_once('"').unwrap().0);
    }
    assert_eq!((found.len(), pages), (150, 2));
    let page = get(world, "/documents?q=%23m14").await.body;
    assert!(page.contains("10 on this page"), "{page}");
    assert!(console.interrupt());
    machine.stop().await;
}
