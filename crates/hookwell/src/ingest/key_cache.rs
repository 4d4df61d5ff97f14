//! The sources of a receiver and their keys: fetched at start, kept, and fetched again.
//!
//! Keys that are 5 minutes old are fetched again in the background. A delivery whose signature does not match waits for one
//! fetch and is verified again: its sender may have changed the secret. Both have a pause, so that nobody can have a store asked by sending rubbish. A
//! store that does not answer leaves the last keys in force for a day.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, join_all};

use crate::format::time::{DAY, Millis};
use crate::ingest::addresses::{Addresses, PAUSE};
use crate::keys::key_set::Keys;
use crate::keys::not_ready::{Lack, NotReady, SecretProblem};
use crate::keys::reference::SecretRef;
use crate::source::Source;

/// The age at which keys from a store are fetched again in the background. The same as the cache of AWS's own
/// extension ("Using Parameter Store parameters in AWS Lambda functions", `SSM_PARAMETER_STORE_TTL`).
pub const RENEW_AFTER: Millis = 300_000;

/// Time for which keys from a store count after the last fetch. A store that is away is mended within a day; a secret
/// that was withdrawn because somebody stole it opens nothing after that, even where the store cannot be asked.
pub const STALE_AFTER: Millis = DAY;

/// Finds the text under a reference, and opens links. Both MUST end within 0.4 s by themselves: a sender may be waiting.
#[derive(Clone)]
pub struct Fetch {
    find: Arc<Find>,
    open: Arc<Open>,
}

type Find = dyn Fn(SecretRef) -> BoxFuture<'static, Result<String, SecretProblem>> + Send + Sync;
type Open = dyn Fn(String) -> BoxFuture<'static, bool> + Send + Sync;

impl Fetch {
    /// Fetches by this function, and opens no link.
    pub fn new<T>(find: impl Fn(SecretRef) -> T + Send + Sync + 'static) -> Self
    where
        T: Future<Output = Result<String, SecretProblem>> + Send + 'static,
    {
        Self {
            find: Arc::new(move |reference| find(reference).boxed()),
            open: Arc::new(|_| std::future::ready(false).boxed()),
        }
    }

    /// Opens links by this function, which says whether the page was there.
    #[must_use]
    pub fn opening<T>(self, open: impl Fn(String) -> T + Send + Sync + 'static) -> Self
    where
        T: Future<Output = bool> + Send + 'static,
    {
        let open = Arc::new(move |link| open(link).boxed());
        Self { open, ..self }
    }

    /// The text under a reference.
    ///
    /// # Errors
    /// When there is none, or its store did not answer.
    pub async fn find(&self, reference: SecretRef) -> Result<String, SecretProblem> {
        (self.find)(reference).await
    }

    /// Opens a link, as somebody who follows it does. True when the page was there; what it says does not matter.
    pub async fn open(&self, link: String) -> bool {
        (self.open)(link).await
    }
}

impl fmt::Debug for Fetch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fetch(..)")
    }
}

/// Key material that is missing and might change how a delivery ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// Secrets as the stores hold them now.
    Secrets,
    /// The certificate at an address that was found to be the provider's.
    Certificate(String),
}

/// Result of asking for a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Obtained {
    /// The fetch was made: verify the delivery again.
    Something,
    /// The provider says that there is no such certificate.
    NoSuchThing,
    /// No fetch was made: the key never changes, or its pause is not over.
    Nothing,
}

/// Problem of fetching keys again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// A store did not answer: the last keys stay.
    Stale(NotReady),
    /// A store refuses because it is asked too often: the last keys, if any, stay.
    Crowded(NotReady),
    /// A store answered, and what it says leaves the source without a usable key.
    NotReady(NotReady),
    /// The certificate at an address was not there, or is none.
    NoCertificate {
        /// The address, which was found to be the provider's.
        url: String,
        /// Problem of the certificate.
        problem: SecretProblem,
    },
}

/// Function that is told the name of a source and the problem with its keys.
pub type Tell = fn(&str, &Trouble);

/// The sources of a receiver and their keys.
#[derive(Debug, Default)]
pub struct Sources {
    entries: BTreeMap<String, Arc<Entry>>,
    tell: Option<Tell>,
}

#[derive(Debug)]
struct Entry {
    source: Source,
    /// `None` where the keys stay as they are.
    fetch: Option<Fetch>,
    held: Mutex<Held>,
}

#[derive(Debug)]
struct Held {
    keys: Arc<Result<Keys, NotReady>>,
    /// Time at which the stores gave the texts of these keys.
    fetched_at: Millis,
    /// Time at which the secrets are due to be fetched in the background.
    due: Millis,
    /// Time until which no delivery has the secrets fetched.
    secrets_pause: Millis,
    /// The addresses that deliveries had asked within the last pause.
    addresses: Addresses,
    /// True when there were usable keys at any time.
    was_ready: bool,
}

impl Sources {
    /// The sources with keys that stay as they are. A source whose secret is missing answers 503; the others work.
    #[must_use]
    pub fn new(
        sources: Vec<Source>,
        find: impl Fn(&SecretRef) -> Result<String, SecretProblem>,
    ) -> Self {
        let entry = |source: Source| {
            let keys = source.keys(&find);
            Entry::new(source, None, keys, Millis::MAX)
        };
        sources.into_iter().map(entry).collect()
    }

    /// The sources with keys that are fetched, all at once now and again later.
    pub async fn fetched(sources: Vec<Source>, fetch: &Fetch, now: Millis) -> Self {
        let entry = async |source: Source| {
            let keys = keys(&source, fetch).await;
            Entry::new(source, Some(fetch.clone()), keys, now)
        };
        let entries = join_all(sources.into_iter().map(entry)).await;
        entries.into_iter().collect()
    }

    /// Sets the function that hears of trouble with keys: the domain itself writes no log.
    #[must_use]
    pub fn telling(self, tell: Tell) -> Self {
        let tell = Some(tell);
        Self { tell, ..self }
    }

    fn tell(tell: Option<Tell>, entry: &Entry, trouble: Option<Trouble>) {
        if let (Some(tell), Some(trouble)) = (tell, trouble) {
            tell(&entry.source.name, &trouble);
        }
    }

    /// A source and its keys by name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<(&Source, Arc<Result<Keys, NotReady>>)> {
        self.entries.get(name).map(|entry| entry.pair())
    }

    /// As [`Self::get`], without keys that are too old to count.
    pub(crate) fn current(
        &self,
        name: &str,
        now: Millis,
    ) -> Option<(&Source, Arc<Result<Keys, NotReady>>)> {
        let entry = self.entries.get(name)?;
        entry.expire(now);
        Some(entry.pair())
    }

    /// All sources and their keys, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&Source, Arc<Result<Keys, NotReady>>)> {
        self.entries.values().map(|entry| entry.pair())
    }

    /// A future that fetches the secrets of a source again; `None` where they are not due. The caller runs it beside a
    /// delivery, and to its end.
    #[must_use]
    pub fn renewal(
        &self,
        name: &str,
        now: Millis,
    ) -> Option<impl Future<Output = ()> + Send + use<>> {
        let entry = self.entries.get(name)?;
        let fetch = entry.stored()?.clone();
        let mut held = entry.held();
        // Where no keys count, the delivery itself fetches them and waits.
        if now < held.due || held.keys.is_err() || held.are_stale(now) {
            return None;
        }
        held.due = now.saturating_add(PAUSE);
        drop(held);
        let entry = Arc::clone(entry);
        let tell = self.tell;
        Some(async move { Self::tell(tell, &entry, entry.renew(&fetch, now).await) })
    }

    /// Fetches what a delivery of this source wants, unless that was done a moment ago.
    pub(crate) async fn obtain(&self, name: &str, wanted: &Wanted, now: Millis) -> Obtained {
        let Some(entry) = self.entries.get(name) else {
            return Obtained::Nothing;
        };
        match wanted {
            Wanted::Secrets => {
                let Some(fetch) = entry.stored().filter(|_| entry.may_renew(now)) else {
                    return Obtained::Nothing;
                };
                Self::tell(self.tell, entry, entry.renew(fetch, now).await);
                Obtained::Something
            }
            Wanted::Certificate(url) => {
                let Some(fetch) = &entry.fetch else {
                    return Obtained::Nothing;
                };
                if !entry.held().addresses.may_ask(url, now) {
                    return if entry.held().addresses.is_absent(url) {
                        Obtained::NoSuchThing
                    } else {
                        Obtained::Nothing
                    };
                }
                let trouble = entry.add_certificate(fetch, url, now).await;
                let is_absent = matches!(
                    &trouble,
                    Some(Trouble::NoCertificate { problem, .. }) if *problem == SecretProblem::NotSet
                );
                Self::tell(self.tell, entry, trouble);
                if is_absent {
                    entry.held().addresses.remember_absent(url);
                    Obtained::NoSuchThing
                } else {
                    Obtained::Something
                }
            }
        }
    }

    /// Opens an address that was found to be the provider's, whatever its page says, unless that was done a moment ago.
    /// True when it was there.
    pub(crate) async fn open(&self, name: &str, url: &str, now: Millis) -> bool {
        let Some(entry) = self.entries.get(name) else {
            return false;
        };
        let Some(fetch) = entry
            .fetch
            .as_ref()
            .filter(|_| entry.held().addresses.may_ask(url, now))
        else {
            return false;
        };
        fetch.open(url.to_owned()).await
    }
}

impl Held {
    fn are_stale(&self, now: Millis) -> bool {
        self.keys.is_ok() && now >= self.fetched_at.saturating_add(STALE_AFTER)
    }
}

impl FromIterator<Entry> for Sources {
    fn from_iter<T: IntoIterator<Item = Entry>>(entries: T) -> Self {
        let named = |entry: Entry| (entry.source.name.clone(), Arc::new(entry));
        Self {
            entries: entries.into_iter().map(named).collect(),
            tell: None,
        }
    }
}

impl Entry {
    fn new(
        source: Source,
        fetch: Option<Fetch>,
        keys: Result<Keys, NotReady>,
        now: Millis,
    ) -> Self {
        let held = Held {
            was_ready: keys.is_ok(),
            keys: Arc::new(keys),
            fetched_at: now,
            due: now.saturating_add(RENEW_AFTER),
            secrets_pause: Millis::MIN,
            addresses: Addresses::default(),
        };
        Self {
            source,
            fetch,
            held: Mutex::new(held),
        }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        // The value behind the lock is replaced whole, so a panic elsewhere left it good.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pair(&self) -> (&Source, Arc<Result<Keys, NotReady>>) {
        (&self.source, Arc::clone(&self.held().keys))
    }

    /// The way to the stores; `None` where every secret is in the environment, which never changes.
    fn stored(&self) -> Option<&Fetch> {
        let fetch = self.fetch.as_ref()?;
        self.first_stored().map(|_| fetch)
    }

    fn first_stored(&self) -> Option<&SecretRef> {
        let mut references = self.source.references();
        references.find(|reference| !matches!(reference, SecretRef::Env(_)))
    }

    /// Drops keys that are too old to count.
    fn expire(&self, now: Millis) {
        let mut held = self.held();
        if let (true, Some(reference)) = (held.are_stale(now), self.first_stored()) {
            held.keys = Arc::new(Err(NotReady {
                reference: reference.clone(),
                problem: SecretProblem::Unavailable("not for a day".to_owned()),
                was_ready: true,
            }));
        }
    }

    /// Returns true if the pause is over, and then starts the next one.
    fn may_renew(&self, now: Millis) -> bool {
        let mut held = self.held();
        let is_over = now >= held.secrets_pause;
        if is_over {
            held.secrets_pause = now.saturating_add(PAUSE);
        }
        is_over
    }

    async fn renew(&self, fetch: &Fetch, now: Millis) -> Option<Trouble> {
        let found = keys(&self.source, fetch).await;
        let mut held = self.held();
        match (found, &*held.keys) {
            (Err(why), Ok(_)) if matches!(why.problem, SecretProblem::Unavailable(_)) => {
                Some(Trouble::Stale(why))
            }
            (Err(why), Ok(_)) if why.problem == SecretProblem::Crowded => {
                Some(Trouble::Crowded(why))
            }
            (Ok(mut keys), last) => {
                if let Ok(last) = last {
                    keys.certificates = last.certificates.clone();
                }
                held.keys = Arc::new(Ok(keys));
                held.was_ready = true;
                held.fetched_at = now;
                held.due = now.saturating_add(RENEW_AFTER);
                None
            }
            // What a store says counts, also when it is that the secret is gone or blank.
            (Err(why), _) => {
                let was_ready = held.was_ready;
                let why = NotReady { was_ready, ..why };
                held.keys = Arc::new(Err(why.clone()));
                Some(match why.lack() {
                    Lack::Crowded => Trouble::Crowded(why),
                    Lack::NeverGiven | Lack::Lost => Trouble::NotReady(why),
                })
            }
        }
    }

    async fn add_certificate(&self, fetch: &Fetch, url: &str, now: Millis) -> Option<Trouble> {
        let reference = SecretRef::Url(url.to_owned());
        let found = fetch.find(reference).await;
        let mut held = self.held();
        let added = found.and_then(|text| match &*held.keys {
            Ok(keys) => {
                let mut keys = keys.clone();
                keys.certificates.add(url, &text, now)?;
                Ok(Some(keys))
            }
            Err(_) => Ok(None),
        });
        match added {
            Ok(Some(keys)) => {
                held.keys = Arc::new(Ok(keys));
                None
            }
            Ok(None) => None,
            Err(problem) => {
                let url = url.to_owned();
                Some(Trouble::NoCertificate { url, problem })
            }
        }
    }
}

/// Fetches the secrets of a source beside each other and decodes them.
async fn keys(source: &Source, fetch: &Fetch) -> Result<Keys, NotReady> {
    let text = async |reference: &SecretRef| {
        let text = fetch.find(reference.clone()).await;
        (reference.to_string(), text)
    };
    let texts = join_all(source.references().map(text)).await;
    let texts: BTreeMap<_, _> = texts.into_iter().collect();
    source.keys(|reference| {
        let text = texts.get(&reference.to_string()).cloned();
        text.unwrap_or(Err(SecretProblem::NotSet))
    })
}
