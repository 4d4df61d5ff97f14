//! The handler with an event of each source. Add tests of your own cases beside it.

use handler::YourHandler;
use hookwell::ports::handler::{Handler as _, Outcome};
use hookwell_local::storage::Storage;
use hookwell_sandbox::sample;

const SOURCES: &str = include_str!("../../ingest/sources.toml");
const TEMPLATE: &str = include_str!("../../../template.yaml");

/// The variables that the handler needs besides its tables: `("PAYMENTS_URL", "http://127.0.0.1:9")`.
const VARIABLES: &[(&str, &str)] = &[];

#[tokio::test]
async fn a_sample_of_each_source_is_handled() {
    let storage = Storage::for_test(TEMPLATE).await.unwrap();
    let handler = YourHandler::new(storage.context(VARIABLES).unwrap()).unwrap();
    for event in sample::events(SOURCES).unwrap() {
        let outcome = handler.handle(&event).await.unwrap().outcome;
        assert_ne!(outcome, Outcome::Rejected, "{}", event.source);
    }
    storage.stop().await;
}
