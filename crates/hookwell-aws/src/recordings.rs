//! Recordings of refused requests in the bucket: at most a hundred requests each.

use std::fmt;

use hookwell::event::message::is_source_name;

use crate::http::bucket::{Bucket, BucketError};

/// The folder of all recordings, which a rule of the template empties after a day. No source has a name in capitals, so no
/// event is in this folder.
const FOLDER: &str = "REFUSED";

/// Number of places of a recording.
pub const PLACES: u8 = 100;

/// A place for one refused request.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The source that refused it.
    pub source: String,
    /// The end of its recording, in seconds since 1970, which tells the recordings of a source apart.
    pub until: i64,
    /// Number of the place, below [`PLACES`].
    pub number: u8,
}

impl fmt::Display for Place {
    /// Writes the id of what is there.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{:02}", self.source, self.until, self.number)
    }
}

impl Place {
    /// Reads the id of a recorded request.
    #[must_use]
    pub fn parse(id: &str) -> Option<Self> {
        let (source, rest) = id.split_once('/')?;
        let (until, number) = rest.split_once('/')?;
        let place = Self {
            source: source.to_owned(),
            until: until.parse().ok()?,
            number: number.parse().ok()?,
        };
        // Nothing else may become part of a URL.
        (is_source_name(source) && place.number < PLACES && place.to_string() == id)
            .then_some(place)
    }

    fn object(&self) -> String {
        format!("{FOLDER}/{self}")
    }
}

/// The recordings in a bucket.
#[derive(Debug, Clone)]
pub struct Recordings(Bucket);

impl Recordings {
    /// The recordings in this bucket.
    #[must_use]
    pub fn new(bucket: Bucket) -> Self {
        Self(bucket)
    }

    /// Puts a request into a place that is free, and says whether it was.
    ///
    /// # Errors
    /// When the bucket does not take it, or not in time.
    pub async fn add(&self, place: &Place, request: &[u8]) -> Result<bool, BucketError> {
        // S3 keeps what is there ("Conditional writes").
        let (object, only_new) = (place.object(), [("if-none-match", "*")]);
        match self.0.call("PUT", &object, &only_new, request).await {
            Ok(_) => Ok(true),
            Err(BucketError(code)) if TAKEN.contains(&code.as_str()) => Ok(false),
            Err(why) => Err(why),
        }
    }

    /// Every place that holds a request.
    ///
    /// # Errors
    /// When the bucket does not answer, or may not be listed.
    #[cfg(feature = "tools")]
    pub async fn places(&self) -> Result<Vec<Place>, BucketError> {
        let names = self.0.names(&format!("{FOLDER}/")).await?;
        let ids = names.iter().filter_map(|name| {
            let id = name.strip_prefix(FOLDER)?;
            Place::parse(id.strip_prefix('/')?)
        });
        Ok(ids.collect())
    }

    /// The request in a place; `None` when there is none.
    ///
    /// # Errors
    /// When the bucket does not answer, or refuses.
    #[cfg(feature = "tools")]
    pub async fn read(&self, place: &Place) -> Result<Option<Vec<u8>>, BucketError> {
        match self.0.call("GET", &place.object(), &[], &[]).await {
            Ok(request) => Ok(Some(request)),
            Err(BucketError(code)) if code == "NoSuchKey" => Ok(None),
            Err(why) => Err(why),
        }
    }
}

/// Codes of S3 for a place that is taken, and for one that somebody else is just taking; a server without S3's codes answers the
/// first as a status.
const TAKEN: [&str; 3] = [
    "PreconditionFailed",
    "ConditionalRequestConflict",
    "status 412",
];

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_as_it_was_written_and_nothing_else_is_one() {
        let place = Place {
            source: "shop.eu".to_owned(),
            until: 1_795_251_600,
            number: 7,
        };
        assert_eq!(place.to_string(), "shop.eu/1795251600/07");
        assert_eq!(Place::parse(&place.to_string()).unwrap(), place);
        for other in [
            "7",
            "shop/1/7",
            "shop/1/100",
            "../1/07",
            "Shop/1/07",
            "shop/+1/07",
            "shop/1/07/",
            "shop?/1/07",
        ] {
            assert_eq!(Place::parse(other), None, "{other}");
        }
    }
}
