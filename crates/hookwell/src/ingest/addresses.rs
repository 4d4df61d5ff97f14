//! Addresses that deliveries of a source name, and that ingest fetches for them: a few at a time, each once in a pause.

use crate::format::time::Millis;

/// The pause between two fetches of one address, or of the secrets of one source, that deliveries cause, and before a fetch
/// that failed is repeated in the background.
pub const PAUSE: Millis = 30_000;

/// The most addresses that deliveries of one source have asked within a pause. A provider signs with one or two
/// certificates at a time.
pub const ADDRESSES_IN_PAUSE: usize = 4;

/// The addresses that were fetched within the last pause. Anybody can name an address that does not exist.
#[derive(Debug, Default)]
pub(super) struct Addresses(Vec<Asked>);

#[derive(Debug)]
struct Asked {
    url: String,
    at: Millis,
    /// True when its host said that nothing is there.
    is_absent: bool,
}

impl Addresses {
    /// Returns true if this address may be fetched now, and starts its pause. Each address has its own, so that a made-up
    /// one does not keep a sender with a good one waiting.
    pub(super) fn may_ask(&mut self, url: &str, now: Millis) -> bool {
        self.0.retain(|it| now < it.at.saturating_add(PAUSE));
        let is_new = self.0.iter().all(|it| it.url != url);
        let may_ask = is_new && self.0.len() < ADDRESSES_IN_PAUSE;
        if may_ask {
            self.0.push(Asked {
                url: url.to_owned(),
                at: now,
                is_absent: false,
            });
        }
        may_ask
    }

    /// True when the host of an address said, when it was asked, that nothing is there.
    pub(super) fn is_absent(&self, url: &str) -> bool {
        self.0.iter().any(|it| it.url == url && it.is_absent)
    }

    pub(super) fn remember_absent(&mut self, url: &str) {
        if let Some(asked) = self.0.iter_mut().find(|it| it.url == url) {
            asked.is_absent = true;
        }
    }
}
