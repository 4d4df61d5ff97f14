//! A delivery that is kept: the source that it was for, the request as ingest saw it, and why it was refused.

use hookwell::event::delivery::Delivery;
use hookwell::source::Source;
use hookwell::source::reply::Receipt;
use http::Method;

use super::shared::Page;
use crate::explain::{Known, explain};
use crate::news::Arrived;

/// The source that a delivery was for.
pub(super) fn source_of<'p>(page: &'p Page, kept: &Arrived) -> Option<&'p Source> {
    page.source(Delivery::source_in(&kept.request.path)?)
}

/// The request as ingest saw it.
pub(super) fn delivery(kept: &Arrived) -> Delivery {
    let request = &kept.request;
    Delivery {
        request_id: String::new(),
        method: Method::from_bytes(request.method.as_bytes()).unwrap_or(Method::POST),
        source: Delivery::source_in(&request.path).map(str::to_owned),
        path: request.path.clone(),
        query: request.query.clone(),
        headers: request.headers.clone(),
        body: request.body.clone(),
        source_ip: Some(request.source_ip),
        trace: None,
    }
}

/// Explanation of a refusal in plain words; `None` when the delivery was not refused.
pub(super) fn why_refused(page: &Page, kept: &Arrived, delivery: &Delivery) -> Option<String> {
    let received = &kept.received;
    let reason = || received.reason.clone().unwrap_or_default();
    let source = delivery
        .source
        .as_deref()
        .and_then(|name| page.source(name));
    Some(match received.receipt {
        Receipt::Received | Receipt::Duplicate | Receipt::Filtered | Receipt::Handshake => {
            return None;
        }
        Receipt::Quarantined => format!(
            "It was signed, but could not be read, so it waits among the dead letters: {}",
            reason()
        ),
        Receipt::Unverified
        | Receipt::NotConfigured
        | Receipt::NotReady
        | Receipt::NoKeyYet
        | Receipt::NoCertificate => {
            let secrets = &page.senders.secrets;
            let known = Known {
                sources: &page.senders.sources,
                fetch: &|reference| secrets.fetch(reference),
                is_made_up: &|reference| secrets.is_made_up(reference),
            };
            let found = source.and_then(|source| explain(source, known, delivery, kept.at));
            found.map_or_else(reason, |found| found.text)
        }
        Receipt::Invalid => format!(
            "It was signed, but it holds no event that can be read: {}",
            reason()
        ),
        Receipt::BadRequest => format!("The request itself is broken: {}", reason()),
        Receipt::AddressNotAllowed => format!(
            "{} is not among the addresses that may send for this source: see allow_ips in the sources file",
            kept.request.source_ip
        ),
        Receipt::UnknownSource => {
            let names: Vec<_> = page
                .senders
                .sources
                .iter()
                .map(|source| source.name.as_str())
                .collect();
            format!(
                "No source answers at this path. There is /webhooks/ and one of {}",
                names.join(", ")
            )
        }
        Receipt::MethodNotAllowed => "Webhooks are posted: only POST is taken here".to_owned(),
        Receipt::TooLarge => match (&received.reason, source) {
            (None, Some(source)) => format!(
                "The body has {} bytes, and this source takes {}: see max_body_bytes",
                delivery.body.len(),
                source.max_body_bytes
            ),
            _ => reason(),
        },
        Receipt::Compressed => {
            "The body is compressed, and the signature is over other bytes".to_owned()
        }
        Receipt::Unavailable => format!(
            "The queue did not take it, so the sender was told to come back: {}",
            reason()
        ),
    })
}
