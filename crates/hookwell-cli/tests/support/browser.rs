//! A browser that looks at the page and presses its buttons.

use std::time::{Duration, Instant};

use super::{Answer, PATIENCE, World};

pub(crate) async fn get(world: &World, path: &str) -> Answer {
    world.request("GET", path, Vec::new(), Vec::new()).await
}

/// The token in the forms of a view.
pub(crate) async fn token(world: &World, view: &str) -> String {
    let page = get(world, view).await.body;
    let token = page.split_once(r#"name="token" value=""#);
    let token = token.and_then(|(_, after)| after.split_once('"'));
    assert!(token.is_some(), "{view} has no form: {page}");
    token.map(|(token, _)| token.to_owned()).unwrap_or_default()
}

/// Presses a button of a view, which posts a form to `path`.
pub(crate) async fn press(world: &World, view: &str, path: &str, form: &str) -> Answer {
    let form = format!("token={}&{form}", token(world, view).await);
    submit(world, path, &form).await
}

/// Posts a form as a browser does from the page itself.
pub(crate) async fn submit(world: &World, path: &str, form: &str) -> Answer {
    let own = vec![
        ("origin".to_owned(), world.url.clone()),
        ("sec-fetch-site".to_owned(), "same-origin".to_owned()),
        (
            "content-type".to_owned(),
            "application/x-www-form-urlencoded".to_owned(),
        ),
    ];
    world
        .request("POST", path, own, form.as_bytes().to_vec())
        .await
}

/// Waits until a page holds a text.
pub(crate) async fn shows(world: &World, path: &str, text: &str) -> String {
    let started = Instant::now();
    loop {
        let page = get(world, path).await.body;
        if page.contains(text) {
            return page;
        }
        assert!(
            started.elapsed() < PATIENCE,
            "{path} shows no {text}: {page}"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
