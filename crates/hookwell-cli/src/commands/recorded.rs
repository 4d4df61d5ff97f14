//! Refused requests that an account has recorded, in the words of the deliveries of a machine.

use std::cmp::Reverse;

use anyhow::{Context as _, Result, bail};
use hookwell_aws::tools::admin::Item;
use hookwell_aws::tools::records::received_at;
use hookwell_aws::{Place, Recordings};
use serde_json::Value;
use tokio::task::JoinSet;

use super::items::Column;
use super::target::Target;

/// Columns of a line about a recorded request.
pub(super) const COLUMNS: &[Column] = &[
    ("id", "DELIVERY"),
    ("received_at", "RECEIVED"),
    ("source", "SOURCE"),
    ("status", "STATUS"),
    ("outcome", "OUTCOME"),
    ("reason", "REASON"),
];

/// Requests that are fetched at the same time, at most.
const AT_ONCE: usize = 10;

/// Everything that the account has recorded, newest first.
///
/// # Errors
/// When there is no such stack or bucket, or it may not be read.
pub(super) async fn all(target: &Target) -> Result<Vec<Item>> {
    let recordings = target.recordings().await?;
    let mut places = recordings.places().await.context(CANNOT_LIST)?.into_iter();
    let mut reading = JoinSet::new();
    let mut read_next = |reading: &mut JoinSet<_>| {
        if let Some(place) = places.next() {
            let recordings = recordings.clone();
            reading.spawn(async move { read(&recordings, &place).await });
        }
    };
    for _ in 0..AT_ONCE {
        read_next(&mut reading);
    }
    let mut found = Vec::new();
    while let Some(read) = reading.join_next().await {
        // A request may be forgotten meanwhile.
        found.extend(read??);
        read_next(&mut reading);
    }
    found.sort_by_key(|item| {
        (
            Reverse(received_at(item)),
            item.get("id").map(Value::to_string),
        )
    });
    Ok(found)
}

/// The recorded request with this id.
///
/// # Errors
/// When there is none.
pub(super) async fn one(target: &Target, id: &str) -> Result<Item> {
    let Some(place) = Place::parse(id) else {
        bail!("{id:?} is no id of a recorded request: `hookwell deliveries list` shows them");
    };
    let recordings = target.recordings().await?;
    let found = read(&recordings, &place).await?;
    found.with_context(|| format!("there is no recorded request {id}: each is kept for a day"))
}

async fn read(recordings: &Recordings, place: &Place) -> Result<Option<Item>> {
    let Some(json) = recordings.read(place).await.context(CANNOT_LIST)? else {
        return Ok(None);
    };
    let request: Item = serde_json::from_slice(&json)
        .with_context(|| format!("the recorded request {place} cannot be read"))?;
    let mut item = Item::from_iter([("id".to_owned(), place.to_string().into())]);
    item.extend(request);
    Ok(Some(item))
}

const CANNOT_LIST: &str = "the recorded requests cannot be read: the credentials need s3:ListBucket and s3:GetObject on the stack's bucket";

/// The line about a request, without its headers and its body.
pub(super) fn summary(mut item: Item) -> Item {
    for name in ["headers", "body_base64"] {
        item.remove(name);
    }
    item
}
