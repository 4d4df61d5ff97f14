//! What only an unsigned header says is not believed against the signed body: every delivery in `samples` with every word of its
//! preset in its unsigned headers, and nothing signed anew, changes no document but the one that its signed bytes are about.
//!
//! The oracle is the table below. It reads bodies only, and was written from the senders' pages, not from the presets.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // helpers of tests

mod deliveries;

use std::collections::BTreeSet;

use deliveries::{NOW, at, delivery, keys, samples, source};
use hookwell::config;
use hookwell::event::delivery::Delivery;
use hookwell::event::identity::DocumentKey;
use hookwell::event::{Operation, WithoutState};
use hookwell::format::time::Millis;
use hookwell::keys::key_set::Keys;
use hookwell::ports::document::change;
use hookwell::source::Source;
use hookwell::source::mapping::{Locator, Mapping, Piece};
use http::HeaderName;
use serde_json::{Value, json};

/// Effect that signed bytes may have on a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum May {
    /// Make or change it, to this part of the body.
    Set(&'static str),
    /// Delete it.
    Delete,
}

/// A document that signed bytes are about: its type, its id, and what they may do.
type Truth = (&'static str, String, May);

/// Where a body does not show whether its document is gone, or of which kind it is, each that it may be.
fn truths(preset: &str, body: &Value) -> Vec<Truth> {
    let id = |pointer: &str| match body.pointer(pointer) {
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => String::new(),
    };
    let has = |pointer: &str| body.pointer(pointer).is_some();
    let is_only_an_id = body.as_object().is_some_and(|all| all.len() == 1) && has("/id");
    match preset {
        "github" | "github-sha1" => github(body, &id, &has),
        "bitbucket" => {
            let of_repository =
                |pointer: &str| format!("{}.{}", id("/repository/uuid"), id(pointer));
            if has("/comment") && has("/pullrequest") {
                let comment = of_repository("/comment/id");
                // The same members, written or deleted.
                vec![
                    ("pullrequest_comment", comment.clone(), May::Set("/comment")),
                    ("pullrequest_comment", comment, May::Delete),
                ]
            } else if has("/pullrequest") {
                let number = of_repository("/pullrequest/id");
                vec![("pullrequest", number, May::Set("/pullrequest"))]
            } else if has("/issue") {
                vec![("issue", of_repository("/issue/id"), May::Set("/issue"))]
            } else {
                vec![]
            }
        }
        // A deletion holds an id and nothing else, whatever is deleted.
        "woocommerce" if is_only_an_id => {
            ["order", "product", "customer", "coupon", "subscription"]
                .map(|kind| (kind, id("/id"), May::Delete))
                .into()
        }
        "woocommerce" if has("/order_key") => vec![("order", id("/id"), May::Set(""))],
        "woocommerce" if has("/catalog_visibility") => vec![("product", id("/id"), May::Set(""))],
        "woocommerce" if has("/username") => vec![("customer", id("/id"), May::Set(""))],
        "woocommerce" if has("/discount_type") => vec![("coupon", id("/id"), May::Set(""))],
        "shopify" if is_only_an_id => ONLY_AN_ID.map(|kind| (kind, id("/id"), May::Delete)).into(),
        "shopify" => shopify(&id, &has),
        "sentry" => sentry(body, &id, &has),
        // The body is the document, deleted or not.
        "sanity" => vec![
            ("post", id("/_id"), May::Set("")),
            ("post", id("/_id"), May::Delete),
        ],
        "contentful" => {
            let named = format!(
                "{}.{}.{}",
                id("/sys/space/sys/id"),
                id("/sys/environment/sys/id"),
                id("/sys/id")
            );
            match body["sys"]["type"].as_str() {
                Some("Entry") => vec![("Entry", named, May::Set(""))],
                Some("DeletedEntry") => vec![("Entry", named, May::Delete)],
                Some("DeletedAsset") => vec![("Asset", named, May::Delete)],
                _ => vec![],
            }
        }
        "gitlab-signing-token" => {
            let is_gone = body["object_attributes"]["action"] == "delete";
            let what = if is_gone {
                May::Delete
            } else {
                May::Set("/object_attributes")
            };
            match body["object_kind"].as_str() {
                Some("issue") => vec![("issue", id("/object_attributes/id"), what)],
                Some("merge_request") => {
                    vec![("merge_request", id("/object_attributes/id"), what)]
                }
                Some("wiki_page") => {
                    let page = format!("{}.{}", id("/project/id"), id("/object_attributes/slug"));
                    vec![("wiki_page", page, what)]
                }
                _ => vec![],
            }
        }
        // It signs the name of a payment and a time; nothing is kept of a body that anybody may have written.
        "mercadopago" => vec![],
        other => panic!("{other} reads what it does not sign, and this table does not know it"),
    }
}

fn sentry(body: &Value, id: &impl Fn(&str) -> String, has: &impl Fn(&str) -> bool) -> Vec<Truth> {
    let is_gone = body["action"] == "deleted";
    let what = |state| {
        if is_gone {
            May::Delete
        } else {
            May::Set(state)
        }
    };
    if has("/data/issue") {
        vec![("issue", id("/data/issue/id"), what("/data/issue"))]
    } else if has("/data/comment_id") {
        vec![("comment", id("/data/comment_id"), what("/data"))]
    } else if has("/data/metric_alert") {
        vec![(
            "metric_alert",
            id("/data/metric_alert/id"),
            what("/data/metric_alert"),
        )]
    } else if has("/data/installation") {
        let uuid = id("/data/installation/uuid");
        vec![("installation", uuid, what("/data/installation"))]
    } else {
        vec![]
    }
}

fn github(body: &Value, id: &impl Fn(&str) -> String, has: &impl Fn(&str) -> bool) -> Vec<Truth> {
    let is_gone = |words: &[&str]| words.iter().any(|word| body["action"] == *word);
    let one = |kind, id, state, gone: &[&str]| {
        let what = if is_gone(gone) {
            May::Delete
        } else {
            May::Set(state)
        };
        vec![(kind, id, what)]
    };
    if has("/issue") && has("/comment") {
        one("issue_comment", id("/comment/id"), "/comment", &["deleted"])
    } else if has("/issue") {
        one(
            "issues",
            id("/issue/id"),
            "/issue",
            &["deleted", "transferred"],
        )
    } else if has("/review") {
        one("pull_request_review", id("/review/id"), "/review", &[])
    } else if has("/thread") {
        vec![] // thin
    } else if has("/pull_request") {
        one("pull_request", id("/pull_request/id"), "/pull_request", &[])
    } else if has("/workflow_job") {
        one("workflow_job", id("/workflow_job/id"), "/workflow_job", &[])
    } else if has("/check_run") {
        one("check_run", id("/check_run/id"), "/check_run", &[])
    } else if has("/workflow_run") {
        one("workflow_run", id("/workflow_run/id"), "/workflow_run", &[])
    } else if has("/deployment_status") {
        let status = id("/deployment_status/id");
        one("deployment_status", status, "/deployment_status", &[])
    } else if has("/release") {
        one("release", id("/release/id"), "/release", &["deleted"])
    } else if has("/installation/account") {
        let installation = id("/installation/id");
        one("installation", installation, "/installation", &["deleted"])
    } else if has("/starred_at") {
        let star = format!("{}.{}", id("/repository/id"), id("/sender/id"));
        one("star", star, "", &["deleted"])
    } else if has("/alert") {
        let alert = format!("{}.{}", id("/repository/id"), id("/alert/number"));
        one("code_scanning_alert", alert, "/alert", &[])
    } else if has("/membership") {
        let member = format!("{}.{}", id("/organization/id"), id("/membership/user/id"));
        one(
            "organization_membership",
            member,
            "/membership",
            &["member_removed"],
        )
    } else if has("/action") && !has("/ref") {
        one(
            "repository",
            id("/repository/id"),
            "/repository",
            &["deleted"],
        )
    } else {
        vec![] // a push, a new or a deleted branch
    }
}

/// The kinds whose deletions hold an id and nothing else.
const ONLY_AN_ID: [&str; 12] = [
    "channels",
    "collection_publications",
    "customer_groups",
    "draft_orders",
    "locations",
    "markets",
    "orders",
    "payment_terms",
    "product_publications",
    "products",
    "segments",
    "themes",
];

fn shopify(id: &impl Fn(&str) -> String, has: &impl Fn(&str) -> bool) -> Vec<Truth> {
    let named = id("/admin_graphql_api_id");
    let level = format!("{}.{}", id("/inventory_item_id"), id("/location_id"));
    if named.starts_with("gid://shopify/Order/") {
        vec![("orders", id("/id"), May::Set(""))]
    } else if named.starts_with("gid://shopify/Product/") {
        vec![("products", id("/id"), May::Set(""))]
    } else if named.starts_with("gid://shopify/Customer/") && has("/state") {
        vec![("customers", id("/id"), May::Set(""))]
    } else if named.starts_with("gid://shopify/Refund/") {
        vec![("refunds", id("/id"), May::Set(""))]
    } else if named.starts_with("gid://shopify/Fulfillment/") {
        vec![("fulfillments", id("/id"), May::Set(""))]
    } else if has("/plan_name") {
        vec![("shop", id("/id"), May::Set(""))]
    } else if named.starts_with("gid://shopify/Company/") {
        // The same members, changed or deleted.
        let company = ("companies", named.clone(), May::Set(""));
        vec![company, ("companies", named, May::Delete)]
    } else if has("/inventory_item_id") && has("/available") {
        vec![("inventory_levels", level, May::Set(""))]
    } else if has("/inventory_item_id") {
        vec![("inventory_levels", level, May::Delete)]
    } else if has("/product_listing") {
        let product = id("/product_listing/product_id");
        vec![("product_listings", product, May::Delete)]
    } else if has("/app_subscription") {
        let subscription = id("/app_subscription/admin_graphql_api_id");
        vec![(
            "app_subscriptions",
            subscription,
            May::Set("/app_subscription"),
        )]
    } else {
        vec![]
    }
}

/// The change that an event makes to a document: the document's key, its new state, and the event's time.
type Change = (DocumentKey, Option<Value>, Option<Millis>);

fn changes(source: &Source, keys: &Keys, delivery: &Delivery, now: Millis) -> Vec<Change> {
    let Ok(verified) = source.verify(keys, delivery, now) else {
        return Vec::new();
    };
    let events = verified.events(now).unwrap_or_default();
    let changes = events.iter().filter_map(|event| {
        let document = change(event).ok()??;
        let state = document.state.as_deref();
        let state = state.map(|state| serde_json::from_str(state).unwrap());
        Some((document.key, state, event.time))
    });
    changes.collect()
}

/// True when the signed bytes may make this change.
fn is_true(change: &Change, preset: &str, body: &Value) -> bool {
    let mut truths = truths(preset, body).into_iter();
    truths.any(|(kind, id, may)| {
        let state = match may {
            May::Set(pointer) => body.pointer(pointer).cloned(),
            May::Delete => None,
        };
        change.0 == DocumentKey::new("x", kind, &id) && change.1 == state
    })
}

fn pieces(locator: Option<&Locator>) -> impl Iterator<Item = &Piece> {
    locator.into_iter().flat_map(|locator| &locator.0).flatten()
}

/// The headers and query parameters that a preset reads and nobody signs.
fn unsigned(source: &Source) -> (BTreeSet<String>, BTreeSet<String>) {
    let Mapping { kind, .. } = &source.mapping;
    let parts = source.mapping.all_parts().flat_map(|parts| {
        let all = [
            &parts.time,
            &parts.version,
            &parts.operation,
            &parts.document_id,
            &parts.document_type,
        ];
        all.map(Option::as_ref)
    });
    let all = parts.chain([kind.as_ref()]).flat_map(pieces);
    let (mut headers, mut parameters) = (BTreeSet::new(), BTreeSet::new());
    for piece in all {
        match piece {
            Piece::Header(name) if !source.schemes[0].signs_header(name) => {
                headers.insert(name.to_ascii_lowercase());
            }
            Piece::Query(name) if !source.schemes[0].signs_query(name) => {
                parameters.insert(name.clone());
            }
            _ => {}
        }
    }
    (headers, parameters)
}

/// Values that only a stranger writes: an id of another document, and times to come.
const OWN: [&str; 3] = ["victim", "2099-01-01T00:00:00Z", "2026-11-26T20:00:00Z"];

/// The headers that name the kind of an event, or what happened.
fn kinds(source: &Source) -> BTreeSet<String> {
    let Mapping { kind, parts, .. } = &source.mapping;
    let all = [kind.as_ref(), parts.operation.as_ref()]
        .into_iter()
        .flat_map(pieces);
    let names = all.filter_map(|piece| match piece {
        Piece::Header(name) => Some(name.to_ascii_lowercase()),
        _ => None,
    });
    names.collect()
}

/// Every word that a preset knows, in its patterns and in the unsigned headers of its samples.
fn words(source: &Source, samples: &[Value], headers: &BTreeSet<String>) -> BTreeSet<String> {
    let mut words: BTreeSet<String> = OWN.map(str::to_owned).into();
    let mut patterns = BTreeSet::new();
    for (types, parts) in &source.mapping.documents {
        patterns.extend(types.iter().map(ToString::to_string));
        patterns.extend(parts.operations.iter().map(|(one, _)| one.to_string()));
    }
    let general = source.mapping.parts.operations.iter();
    patterns.extend(general.map(|(one, _)| one.to_string()));
    for pattern in patterns {
        // What stands before or behind the star alone, and with the words that most senders have.
        let bare = pattern.replace('*', "");
        let bare = bare.trim_matches(|c: char| !c.is_alphanumeric()).to_owned();
        let star = [
            "created",
            "deleted",
            "create",
            "update",
            "delete",
            "destroy",
            "revoke",
            "repository",
        ];
        words.extend(star.map(|star| pattern.replace('*', star)));
        words.extend(star.map(|star| format!("{bare}.{star}")));
        words.insert(bare);
    }
    for sample in samples {
        let sent = sample["headers"].as_object().into_iter().flatten();
        let unsigned = sent.filter(|(name, _)| headers.contains(&name.to_ascii_lowercase()));
        words.extend(unsigned.map(|(_, value)| value.as_str().unwrap().to_owned()));
    }
    words.retain(|word| !word.is_empty());
    words
}

#[test]
fn no_word_in_an_unsigned_header_turns_a_body_against_another_document() {
    let (mut tried, mut right, mut wrong) = (0, 0, BTreeSet::new());
    let mut presets = BTreeSet::new();
    for preset in config::presets() {
        let source = source(&preset);
        let (headers, parameters) = unsigned(&source);
        // Whoever has seen a token can write anything with it.
        let is_bearer = source
            .schemes
            .iter()
            .all(hookwell::verify::scheme::Scheme::is_bearer);
        if is_bearer || (headers.is_empty() && parameters.is_empty()) {
            continue;
        }
        presets.insert(preset.clone());
        let (samples, keys) = (samples(&preset), keys(&source));
        let (words, kinds) = (words(&source, &samples, &headers), kinds(&source));
        for (number, sample) in samples.iter().enumerate() {
            let good = delivery(&source, &keys, sample);
            let now = at(sample);
            let body = &sample["body"];
            let mut judge = |delivery: &Delivery, told: &str| {
                let mut count = 0;
                for change in changes(&source, &keys, delivery, now) {
                    count += 1;
                    if !is_true(&change, &preset, body) {
                        wrong.insert(format!("{preset} {number} as {told}: {:?}", change.0));
                    }
                    let is_early = change.2.is_none_or(|time| time <= now);
                    if !is_early {
                        wrong.insert(format!("{preset} {number} as {told}: in the future"));
                    }
                }
                count
            };
            right += judge(&good, "sent");
            for word in &words {
                // All headers, and one at a time: those that name the kind with every word, the others with words of a stranger.
                let singly = headers
                    .iter()
                    .filter(|name| OWN.contains(&word.as_str()) || kinds.contains(*name));
                let one = singly.map(|name| vec![name]);
                let all: Vec<_> = one.chain([headers.iter().collect()]).collect();
                for names in all {
                    let mut forged = good.clone();
                    for name in &names {
                        let name: HeaderName = name.parse().unwrap();
                        forged.headers.insert(name, word.parse().unwrap());
                    }
                    judge(&forged, &format!("{names:?} = {word}"));
                    tried += 1;
                }
                for name in &parameters {
                    let mut forged = good.clone();
                    let more = form_urlencoded::Serializer::new(String::new())
                        .append_pair(name, word)
                        .finish();
                    forged.query = format!("{more}&{}", forged.query);
                    judge(&forged, &format!("{name} = {word}"));
                    tried += 1;
                }
            }
        }
    }
    let shown: Vec<_> = wrong.iter().take(20).cloned().collect();
    assert!(
        wrong.is_empty(),
        "{} of {tried}:\n{}",
        wrong.len(),
        shown.join("\n")
    );
    assert!(tried > 10_000, "{tried}");
    assert!(
        right > 35,
        "{right} samples change a document as they were sent"
    );
    let expected = [
        "bitbucket",
        "contentful",
        "github",
        "github-sha1",
        "gitlab-signing-token",
        "mercadopago",
        "sanity",
        "sentry",
        "shopify",
        "woocommerce",
    ];
    assert!(presets.iter().eq(expected.iter()), "{presets:?}");
}

/// A source with `event`, whose sender signs the body and no header.
fn acme(event: &str) -> Source {
    let text = format!(
        "[sources.x]\nsecrets = [\"env:A\"]\n[sources.x.verify]\nalg = \"hmac-sha256\"\n\
         signature = {{ header = \"X-Sig\" }}\ncontent = \"{{body}}\"\n[sources.x.event]\n{event}\n"
    );
    config::parse(&text).unwrap().remove(0)
}

#[test]
fn an_event_whose_body_does_not_bear_its_header_out_is_kept_and_changes_nothing() {
    let source = acme(
        "type = \"header:X-Type\"\noperations = { \"*.gone\" = \"delete\" }\ndocument = \"body:/cart\"\n\
         document_id = \"body:/cart/id\"\nshape = [\"/cart\"]\ndeletion_shape = [\"/cart/id\", \"!/cart/items\"]",
    );
    let keys = keys(&source);
    let read = |body: Value| {
        let sample = json!({ "headers": { "X-Type": "cart.gone" }, "body": body });
        let delivery = delivery(&source, &keys, &sample);
        let verified = source.verify(&keys, &delivery, NOW).unwrap();
        let event = verified.events(NOW).unwrap().remove(0);
        let reason = event.without_state.map(WithoutState::reason);
        (event.kind, event.operation, event.document_id, reason)
    };
    assert_eq!(
        read(json!({ "cart": { "id": 7 } })),
        (
            "cart.gone".to_owned(),
            Operation::Delete,
            Some("7".to_owned()),
            None
        )
    );
    let why = "only a header that is not signed says what this event is, and its body does not bear that out";
    assert_eq!(
        read(json!({ "cart": { "id": 7, "items": [] } })),
        ("cart.gone".to_owned(), Operation::Other, None, Some(why))
    );
}
