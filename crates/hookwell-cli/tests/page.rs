//! The page of the local machine, as a browser and as everybody else asks for it.

use std::time::Duration;

use crate::support::browser::{get, press, shows, submit, token};
use crate::support::{SOURCES, World, body, machine, senders};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hookwell_cli::machine::{Options, start};
use serde_json::json;
use tokio::task::JoinSet;

const VIEWS: [&str; 5] = ["/", "/documents", "/sources", "/dead-letters", "/send"];

#[tokio::test(flavor = "multi_thread")]
async fn the_page_does_not_stand_in_the_way_of_a_delivery() {
    let machine = machine().await;
    let world = World::of(&machine);
    let post = |path| world.request("POST", path, Vec::new(), Vec::new());
    for path in ["/", "/documents", "/page.css", "/deliveries/1"] {
        let answer = post(path).await;
        let answer = (answer.status, answer.body.as_str());
        assert_eq!(answer, (404, r#"{"error":"Unknown source"}"#), "{path}");
    }
    assert_eq!(get(&world, "/webhooks/plain").await.status, 405);
    assert_eq!(get(&world, "/_hookwell").await.status, 200);
    // A tunnel asks for the machine by another name, and may, for deliveries.
    let tunnel = vec![("host".to_owned(), "abc.tunnel.example".to_owned())];
    let (body, _) = body("plain", 0, "create", "d", "n");
    let body = body.to_string().into_bytes();
    let answer = world.request("POST", "/webhooks/plain", tunnel, body).await;
    assert_eq!(answer.status, 200);
    machine.stop().await;
}

/// Whoever sends through a tunnel comes from 127.0.0.1, and is not this machine.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_tunnel_passes_on_is_taken_from_no_address_of_this_machine() {
    let machine = machine().await;
    let world = World::of(&machine);
    for (name, value) in [
        ("x-forwarded-for", "203.0.113.7"),
        ("x-forwarded-for", "127.0.0.1"),
        ("x-forwarded-host", "abc.tunnel.example"),
        ("forwarded", "for=127.0.0.1"),
        ("via", "1.1 tunnel"),
    ] {
        let forwarded = (name.to_owned(), value.to_owned());
        let (unsigned, _) = body("plain", 0, "create", "d", "n");
        let unsigned = unsigned.to_string().into_bytes();
        let headers = vec![forwarded.clone()];
        let answer = world.request("POST", "/webhooks/plain", headers, unsigned);
        assert_eq!(answer.await.status, 403, "{name}: {value}");

        let (signed, _) = body("resource", 0, "create", "d", "n");
        let signed = signed.to_string().into_bytes();
        let mut headers = world.signature("resource", &signed);
        headers.push(forwarded);
        let answer = world.request("POST", "/webhooks/resource", headers, signed);
        assert_eq!(answer.await.status, 200, "{name}: {value}");
    }
    machine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_this_machine_sees_the_page() {
    let machine = machine().await;
    let world = World::of(&machine);
    let others = ["/page.js", "/deliveries/1", "/_hookwell/deliveries?limit=1"];
    for path in VIEWS.into_iter().chain(others) {
        for (name, value) in [
            ("host", "rebound.example"),
            ("host", "localhost.rebound.example"),
            ("x-forwarded-for", "203.0.113.7"),
            ("forwarded", "for=203.0.113.7"),
        ] {
            let headers = vec![(name.to_owned(), value.to_owned())];
            let answer = world.request("GET", path, headers, Vec::new()).await;
            assert_eq!(answer.status, 403, "{path} with {name}: {value}");
        }
    }
    machine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_leads_to_its_document_whatever_the_type_is_called() {
    let machine = machine().await;
    let world = World::of(&machine);
    let event = json!({
        "id": "evt", "type": "a#b%23c.created", "created_at": "2026-11-21T00:00:00Z",
        "data": { "id": "d1", "name": "Ada" },
    });
    assert_eq!(world.post("generic", &event).await.status, 200);
    world.drained().await;
    let event = shows(&world, "/deliveries/1", "/document?key=").await;
    let (_, after) = event.split_once("/document?key=").unwrap();
    let (key, _) = after.split_once('"').unwrap();
    let document = get(&world, &format!("/document?key={key}")).await;
    assert_eq!(document.status, 200, "{event}");
    assert!(document.body.contains("Ada"), "{}", document.body);
    machine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_page_itself_presses_its_buttons() {
    let machine = machine().await;
    let world = World::of(&machine);
    let buttons = [
        ("/send", "source=resource&what=create"),
        ("/deliveries/1/again", ""),
        ("/dead-letters/redrive", "id=one"),
        ("/event/replay", "key=one"),
    ];
    let none: &[(&str, &str)] = &[];
    let elsewhere = [("origin", "https://elsewhere.example")];
    let null = [("origin", "null")];
    let neighbour = [("origin", "http://127.0.0.1:1")];
    let same = world.url.clone();
    let cross = [("origin", same.as_str()), ("sec-fetch-site", "cross-site")];
    for (path, form) in buttons {
        for headers in [none, &elsewhere, &null, &neighbour, &cross] {
            let headers = headers
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            let body = form.as_bytes().to_vec();
            let answer = world.request("POST", path, headers.collect(), body).await;
            assert_eq!(answer.status, 403, "{path}");
        }
    }
    world.left_nothing().await;
    machine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_changes_without_the_token_of_the_page() {
    let (machine, other) = (machine().await, machine().await);
    let world = World::of(&machine);
    let strange = token(&World::of(&other), "/send").await;
    let own = token(&world, "/send").await;
    assert_ne!(own, strange, "each start has its own");
    for (path, form) in [
        ("/send", "source=resource&what=create"),
        ("/deliveries/1/again", "x="),
        ("/dead-letters/redrive", "id=one"),
        ("/event/replay", "key=one"),
    ] {
        for token in [
            "",
            "token=",
            &format!("token={strange}"),
            &format!("token={own}0"),
        ] {
            let refused = submit(&world, path, &format!("{token}&{form}")).await;
            assert_eq!(refused.status, 403, "{path} with {token:?}");
        }
    }
    world.left_nothing().await;
    machine.stop().await;
    other.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_web_page_is_a_sender() {
    let machine = machine().await;
    let world = World::of(&machine);
    let port = world.url.rsplit_once(':').unwrap().1.to_owned();
    let rebound = format!("rebound.example:{port}");
    let rebound_origin = format!("http://{rebound}");
    let attacks: [&[(&str, &str)]; 6] = [
        &[("origin", "https://elsewhere.example")],
        &[("origin", "null")],
        &[("origin", "http://127.0.0.1:1")],
        &[("host", &rebound), ("origin", &rebound_origin)],
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-site")],
    ];
    let (event, _) = body("plain", 0, "create", "d", "n");
    for attack in attacks {
        let headers = attack
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let event = event.to_string().into_bytes();
        let path = "/webhooks/plain";
        let answer = world.request("POST", path, headers.collect(), event).await;
        assert_eq!(answer.status, 403, "{attack:?}: {answer:?}");
        assert!(
            !answer
                .headers
                .keys()
                .any(|it| it.starts_with("access-control-"))
        );
    }
    world.left_nothing().await;
    // What this machine is made of is for its own programs as well.
    for (name, value) in [
        ("host", "rebound.example"),
        ("origin", "https://elsewhere.example"),
        ("sec-fetch-site", "cross-site"),
    ] {
        for path in ["/_hookwell", "/nothing"] {
            let headers = vec![(name.to_owned(), value.to_owned())];
            let answer = world.request("GET", path, headers, Vec::new()).await;
            assert_eq!(answer.status, 403, "{path} with {name}: {value}");
        }
    }
    machine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_to_the_page_may_be_followed_but_not_embedded() {
    let machine = machine().await;
    let world = World::of(&machine);
    let from_elsewhere = |mode: &str, dest: &str| {
        let headers = [
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-mode", mode),
            ("sec-fetch-dest", dest),
        ];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
        world.request("GET", "/", headers.to_vec(), Vec::new())
    };
    assert_eq!(from_elsewhere("navigate", "document").await.status, 200);
    for (mode, dest) in [
        ("navigate", "iframe"),
        ("no-cors", "script"),
        ("no-cors", "image"),
        ("cors", "empty"),
    ] {
        assert_eq!(
            from_elsewhere(mode, dest).await.status,
            403,
            "{mode} {dest}"
        );
    }
    machine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_view_forbids_what_it_does_not_need() {
    let machine = machine().await;
    let world = World::of(&machine);
    for path in VIEWS {
        let answer = get(&world, path).await;
        assert_eq!(answer.status, 200, "{path}");
        let policy = &answer.headers["content-security-policy"];
        assert!(policy.contains("default-src 'none'") && policy.contains("script-src 'self'"));
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(answer.headers["x-content-type-options"], "nosniff");
        assert_eq!(answer.headers["cache-control"], "no-store");
        for inline in ["<style", " style=", " onclick=", "<script>"] {
            assert!(!answer.body.contains(inline), "{path} holds {inline}");
        }
    }
    machine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sample_of_each_source_is_applied_and_a_forged_one_explained() {
    let machine = machine().await;
    let world = World::of(&machine);
    for (source, refusal) in SOURCES.into_iter().zip([
        "is not among the addresses that may send",
        "Another secret, another body and a way of signing",
        "is not among the addresses that may send",
        "Another secret, another body and a way of signing",
    ]) {
        for what in ["create", "update", "delete"] {
            let sent = press(
                &world,
                "/send",
                "/send",
                &format!("source={source}&what={what}"),
            )
            .await;
            shows(&world, &sent.headers["location"], ">applied<").await;
        }
        let sent = press(
            &world,
            "/send",
            "/send",
            &format!("source={source}&what=forged"),
        )
        .await;
        let page = get(&world, &sent.headers["location"]).await.body;
        assert!(
            page.contains("Why it was refused") && page.contains(refusal),
            "{page}"
        );
    }
    machine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_in_its_senders_own_shape_is_applied() {
    let machine = machine().await;
    let world = World::of(&machine);
    let sent = press(
        &world,
        "/send",
        "/send",
        "what=shaped&event=resource%2Fuser.updated",
    )
    .await;
    let delivery = get(&world, &sent.headers["location"]).await.body;
    assert!(delivery.contains("user.updated"), "{delivery}");
    shows(&world, "/", "applied").await;
    let unknown = press(&world, "/send", "/send", "what=shaped&event=nobody%2Fx").await;
    assert!(
        unknown.body.contains("there is no such source"),
        "{unknown:?}"
    );
    machine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_letter_goes_back_once_it_can_be_applied() {
    let machine = machine().await;
    let world = World::of(&machine);
    let nameless = r#"source=generic&what=own&body={"id":"evt_1","type":"asset.created","created_at":"2026-11-21T00:00:00Z","data":{"name":"nobody"}}"#;
    press(&world, "/send", "/send", nameless).await;
    let page = shows(&world, "/dead-letters", "the event names no document").await;
    let (_, after) = page.split_once(r#"name="id" value=""#).unwrap();
    let (id, _) = after.split_once('"').unwrap();
    let letters = "/dead-letters";
    let two = press(
        &world,
        letters,
        "/dead-letters/redrive",
        &format!("id={id}&id=other"),
    )
    .await;
    assert_eq!(
        two.headers["location"], "/dead-letters?all=true",
        "it asks first"
    );
    assert_eq!(world.dead_letters().await, 1);
    let one = press(
        &world,
        letters,
        "/dead-letters/redrive",
        &format!("id={id}"),
    )
    .await;
    assert_eq!(one.headers["location"], "/dead-letters?done=1");
    // Nothing about it changed, so it comes back, with who had put it back in its record.
    shows(&world, "/dead-letters", "the event names no document").await;
    let record = world.events().await.remove(0);
    assert!(record.contains_key("reopened_by"), "{record:?}");
    machine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_sender_writes_stays_text() {
    let machine = machine().await;
    let world = World::of(&machine);
    let bad = r#"<script>alert("1")</script>"#;
    let event = json!({ "id": bad, "type": format!("asset{bad}.created"), "created_at": "2026-11-21T00:00:00Z", "data": { "id": bad, "x": bad } });
    let event = event.to_string().into_bytes();
    let mut headers = world.signature("generic", &event);
    headers.push(("x-own".to_owned(), bad.to_owned()));
    let path = "/webhooks/generic?q=%3Cscript%3E";
    let answer = world.request("POST", path, headers, event).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    shows(&world, "/deliveries/1", ">applied<").await;
    let search = "/?q=%3Cscript%3E%22";
    for path in ["/", "/documents", "/deliveries/1", search] {
        let page = get(&world, path).await.body;
        assert!(page.contains("&lt;script&gt;"), "{path} does not show it");
        assert!(!page.contains("<script>"), "{path}: {page}");
    }
    machine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_and_no_signature_is_on_a_page() {
    let machine = machine().await;
    let world = World::of(&machine);
    let senders = senders();
    let references = senders.sources.iter().flat_map(|source| &source.secrets);
    let mut hidden: Vec<_> = references
        .map(|reference| senders.secrets.fetch(reference).unwrap())
        .collect();
    // A sender that writes its secret everywhere, as some do by mistake.
    let secret = hidden[0].clone();
    let event =
        json!({ "event": format!("asset.{secret}"), "data": { "id": secret, "name": secret } });
    let headers = vec![
        ("authorization".to_owned(), "Bearer bearer-text".to_owned()),
        ("cookie".to_owned(), "session=cookie-text".to_owned()),
        ("x-own".to_owned(), secret.clone()),
    ];
    let path = format!("/webhooks/plain?token={secret}");
    world
        .request("POST", &path, headers, event.to_string().into_bytes())
        .await;
    let (signed, _) = body("resource", 0, "create", "d", "n");
    let signature = world.signature("resource", signed.to_string().as_bytes());
    hidden.push(signature[0].1.clone());
    world.post("resource", &signed).await;
    hidden.extend(["bearer-text".to_owned(), "cookie-text".to_owned()]);
    shows(&world, "/deliveries/2", ">applied<").await;
    for path in VIEWS.into_iter().chain(["/deliveries/1", "/deliveries/2"]) {
        let page = get(&world, path).await.body;
        for text in &hidden {
            assert!(!page.contains(text.as_str()), "{path} shows {text}");
        }
    }
    machine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_of_a_delivery_holds_all_of_it_but_no_secret_and_no_token() {
    let machine = machine().await;
    let world = World::of(&machine);
    let senders = senders();
    let secrets = senders.sources.iter().flat_map(|source| &source.secrets);
    let mut secrets = secrets.map(|secret| senders.secrets.fetch(secret).unwrap());
    let secret = secrets.next().unwrap();
    let event = json!({ "event": "asset.created", "data": { "id": "d1", "name": secret } });
    // As text, and as bytes that are no text.
    for end in [&b""[..], b"\xff"] {
        let headers = vec![
            ("authorization".to_owned(), "Bearer bearer-text".to_owned()),
            ("x-own".to_owned(), format!("it's {secret}")),
        ];
        let body = [event.to_string().as_bytes(), end].concat();
        let path = format!("/webhooks/plain?a={secret}");
        world.request("POST", &path, headers, body).await;
    }
    for number in [1, 2] {
        for text in ["line", "curl", "body", "url"] {
            let path = format!("/deliveries/{number}/copy/{text}");
            let copy = get(&world, &path).await;
            assert_eq!(copy.status, 200, "{path}");
            assert_eq!(copy.headers["content-type"], "text/plain; charset=utf-8");
            assert_eq!(copy.headers["x-content-type-options"], "nosniff");
            let encoded = copy.body.split(['\'', '"']).find_map(|part| {
                let body = STANDARD.decode(part).ok()?;
                body.starts_with(b"{").then_some(body)
            });
            let body = String::from_utf8_lossy(encoded.as_deref().unwrap_or_default());
            for hidden in [&secret, "bearer-text"] {
                assert!(!copy.body.contains(hidden), "{path}: {}", copy.body);
                assert!(!body.contains(hidden), "{path}: {body}");
            }
            let shown = format!("{}{body}", copy.body);
            assert!(
                shown.contains(if text == "url" { &world.url } else { "d1" }),
                "{shown}"
            );
        }
    }
    for (path, status) in [
        ("/deliveries/1/copy/else", 400),
        ("/deliveries/9/copy/curl", 404),
    ] {
        assert_eq!(get(&world, path).await.status, status, "{path}");
    }
    machine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_shows_only_what_came_in_its_range() {
    let machine = machine().await;
    let world = World::of(&machine);
    let (event, _) = body("plain", 0, "create", "d", "n");
    world.post("plain", &event).await;
    shows(&world, "/", ">1 delivery<").await;
    let within = "/?from=2026-01-01T00:00&to=2999-01-01T00:00";
    assert!(get(&world, within).await.body.contains(">1 of 1 delivery<"));
    for none in [
        "/?to=2026-01-01T00:00",
        "/?from=2999-01-01T00:00",
        "/?from=2999-01-01T00:00&to=1970-01-01T00:00",
    ] {
        let page = get(&world, none).await;
        assert!(page.body.contains("Nothing fits."), "{none}: {page:?}");
    }
    assert_eq!(get(&world, "/?from=yesterday").await.status, 400);
    machine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_restart_the_list_starts_from_the_tables() {
    let folder = tempfile::tempdir().unwrap();
    let options = || {
        let mut options = Options::new(0, senders());
        options.data = Some(folder.path().to_owned());
        options
    };
    let machine = start(options(), |context| Ok(context.documents))
        .await
        .unwrap();
    let world = World::of(&machine);
    let (event, state) = body("resource", 0, "create", "d1", "Ada");
    world.post("resource", &event).await;
    world
        .document_becomes("resource", "d1", state.as_ref())
        .await;
    world.drained().await;
    machine.stop().await;

    let machine = start(options(), |context| Ok(context.documents))
        .await
        .unwrap();
    let world = World::of(&machine);
    let page = shows(&world, "/", "evt_d1_0").await;
    assert!(page.contains(">applied<") && page.contains("/event?key=resource%23"));
    shows(&world, "/documents", "Ada").await;
    machine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn at_500_deliveries_a_second_the_list_has_every_one() {
    let machine = machine().await;
    let world = World::of(&machine);
    let mut answers = JoinSet::new();
    let mut rhythm = tokio::time::interval(Duration::from_millis(2));
    for number in 0..2_000 {
        rhythm.tick().await;
        let world = world.clone();
        answers.spawn(async move {
            let name = format!("sent_{number}_");
            let event = json!({ "event": "asset.created", "data": { "id": name } });
            // Refused ones are in no table: nothing but the list has them.
            let source = if number % 20 > 0 { &name } else { "plain" };
            let path = format!("/webhooks/{source}");
            let body = event.to_string().into_bytes();
            let answer = world.request("POST", &path, Vec::new(), body).await;
            (number, answer.status)
        });
    }
    let mut told = answers.join_all().await;
    world.drained().await;
    let mut listed = Vec::new();
    let mut path = "/".to_owned();
    loop {
        let page = get(&world, &path).await.body;
        let (_, lines) = page.split_once("<tbody>").unwrap();
        for line in lines.split("<tr>").skip(1) {
            let (_, after) = line.split_once("sent_").unwrap();
            let number = after.split_once('_').unwrap().0.parse().unwrap();
            let (_, after) = line.split_once(r#"class="status "#).unwrap();
            let (_, after) = after.split_once('>').unwrap();
            let status = after.split_once('<').unwrap().0.parse().unwrap();
            listed.push((number, status));
        }
        let Some((before, _)) = page.split_once(r#"">Older<"#) else {
            break;
        };
        before.rsplit_once('"').unwrap().1.clone_into(&mut path);
    }
    told.sort_unstable();
    listed.sort_unstable();
    assert_eq!(listed, told);
    // The first deliveries are not kept with headers and body any more: their pages lead to the event, or say so.
    for number in 1..20 {
        let answer = get(&world, &format!("/deliveries/{number}")).await;
        match answer.status {
            303 => assert!(answer.headers["location"].starts_with("/event?key=plain%23")),
            _ => assert!(answer.body.contains("last 1,000 deliveries"), "{answer:?}"),
        }
    }
    machine.stop().await;
}
