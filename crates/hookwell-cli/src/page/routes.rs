//! The addresses of the page.

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use http::header::CONTENT_TYPE;

use super::shared::Page;
use super::{
    api, copy, deliveries, delivery, documents, event, fill, guard, health, letters, send,
};

/// The routes of the page.
pub(crate) fn router(page: Arc<Page>) -> Router {
    let file = |kind: &'static str, text: &'static str| {
        get(move || async move { ([(CONTENT_TYPE, kind)], text) })
    };
    let mut router = Router::new();
    if page.is_machine() {
        router = router
            .route("/deliveries/{number}", get(delivery::view))
            .route("/deliveries/{number}/again", post(send::again))
            .route("/deliveries/{number}/copy/{text}", get(copy::view))
            .route("/send", get(send::view).post(send::sample));
    } else {
        router = router.route("/older", post(fill::older));
    }
    let is_machine = page.is_machine();
    router = router
        .route("/", get(deliveries::view))
        .route("/event", get(event::view))
        .route("/event/replay", post(event::replay))
        .route("/documents", get(documents::list))
        .route("/document", get(documents::view))
        .route("/sources", get(health::view))
        .route("/dead-letters", get(letters::list))
        .route("/dead-letters/redrive", post(letters::redrive))
        .route("/page.css", file("text/css", include_str!("page.css")))
        .route("/page.js", file("text/javascript", include_str!("page.js")))
        .route("/page.svg", file("image/svg+xml", include_str!("page.svg")))
        // The guard limits what comes in.
        .route_layer(DefaultBodyLimit::disable())
        .route_layer(from_fn_with_state(page.clone(), guard::guard));
    if is_machine {
        router = router.merge(api::routes());
    }
    router.with_state(page)
}
