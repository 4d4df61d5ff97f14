//! The README, as a newcomer pastes it.

use crate::support::{World, machine};

const README: &str = include_str!("../../../README.md");

type Request = (Vec<(String, String)>, Vec<u8>);

/// Headers and body of each `curl` command that posts.
fn requests() -> Vec<Request> {
    let quoted = |text: &str| text.split('\'').nth(1).unwrap().to_owned();
    let posts = README
        .split("curl -i http://127.0.0.1:9000/webhooks/resource")
        .skip(1);
    posts
        .map(|post| {
            let command = post.split("```").next().unwrap();
            let headers = command.split("-H ").skip(1).map(|rest| {
                let header = quoted(rest);
                let (name, value) = header.split_once(": ").unwrap();
                (name.to_owned(), value.to_owned())
            });
            let headers = headers.filter(|(name, _)| name != "content-type").collect();
            (
                headers,
                quoted(command.split("--data-binary ").nth(1).unwrap()).into_bytes(),
            )
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn its_good_request_is_applied_and_its_forged_one_is_refused() {
    let machine = machine().await;
    let world = World::of(&machine);
    let [good, forged] = <[_; 2]>::try_from(requests()).unwrap();
    let post = |(headers, body)| world.request("POST", "/webhooks/resource", headers, body);
    let refused = post(forged).await;
    assert_eq!(
        (refused.status, refused.body.as_str()),
        (401, r#"{"error":"Invalid signature"}"#)
    );
    assert_eq!(post(good.clone()).await.body, r#"{"status":"received"}"#);
    world.drained().await;
    assert!(
        world.document("resource", "res_1").await.unwrap()["document"]
            .to_string()
            .contains("Ada")
    );
    assert_eq!(post(good).await.body, r#"{"status":"duplicate"}"#);
    machine.stop().await;
}

#[test]
fn its_status_table_is_what_the_code_answers() {
    use hookwell::source::reply::Receipt::{
        AddressNotAllowed, BadRequest, Compressed, Duplicate, Invalid, MethodNotAllowed, Received,
        TooLarge, Unavailable, UnknownSource, Unverified,
    };
    let all = [
        Received,
        Duplicate,
        Invalid,
        BadRequest,
        Unverified,
        AddressNotAllowed,
        UnknownSource,
        MethodNotAllowed,
        TooLarge,
        Compressed,
        Unavailable,
    ];
    let table = README
        .lines()
        .filter(|line| line.starts_with("| ") && line.contains("| `{"));
    let table: Vec<_> = table
        .map(|line| line.split('|').map(str::trim).collect::<Vec<_>>())
        .collect();
    assert_eq!(table.len(), all.len());
    for (row, receipt) in table.iter().zip(all) {
        let reply = receipt.reply();
        assert_eq!(
            row[1..3],
            [reply.status.as_str(), &format!("`{}`", reply.body)]
        );
    }
}
