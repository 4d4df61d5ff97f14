//! A source: one sender, with how it signs, where its events are and who may send.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::delivery::Delivery;
use crate::event::{Body, Event, Key, LIFE_DAYS, Operation, hash};
use crate::json::{Json, JsonError, Pointer};
use crate::pattern::Pattern;
use crate::recipe::{Algorithm, Recipe};
use crate::secret::{Secret, SecretError, SecretRef};
use crate::time::{DAY, Millis, event_time};
use crate::verify::{Claim, Refusal, Verifier};

/// The largest text taken as an id, in bytes: with source and type it must fit a DynamoDB key of 2,048.
pub const MAX_ID_BYTES: usize = 1024;

/// The largest text taken as a type, in bytes.
pub const MAX_TYPE_BYTES: usize = 256;

/// One sender.
#[derive(Debug, Clone)]
pub struct Source {
    /// Its name in the path and everywhere else.
    pub name: String,
    /// The preset it was made from.
    pub preset: Option<String>,
    /// How it signs; any one of them is enough.
    pub recipes: Vec<Recipe>,
    /// Where its secrets are, newest first.
    pub secrets: Vec<SecretRef>,
    /// The shortest secret it may use, in bytes.
    pub min_secret_bytes: usize,
    /// Who may send; empty for everyone who signs.
    pub allow_ips: Vec<IpNet>,
    /// Its address as the sender knows it.
    pub public_url: Option<String>,
    /// The largest body, in bytes.
    pub max_body_bytes: usize,
    /// What happens to a signed body that cannot be read.
    pub on_invalid: OnInvalid,
    /// The types to queue; empty for all.
    pub types: Vec<Pattern>,
    /// What makes two deliveries the same event.
    pub dedupe: Dedupe,
    /// Where an event's parts are.
    pub mapping: Mapping,
}

/// What happens to a signed body that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnInvalid {
    /// 400.
    Reject,
    /// 200, and it goes to the dead-letter queue with its reason.
    Quarantine,
}

/// What makes two deliveries the same event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dedupe {
    /// Nothing: every delivery is applied. Never drops.
    None,
    /// The same signed id.
    Id,
    /// The same id and the same body, where the id is not signed or may be reused.
    IdAndBody,
    /// The same body within this many seconds. Drops a legal repetition of an earlier state.
    Body {
        /// The window.
        seconds: i64,
    },
}

/// Where the parts of an event are in a delivery.
#[derive(Debug, Clone, Default)]
pub struct Mapping {
    /// Places that must hold something.
    pub required: Vec<Pointer>,
    /// The sender's id of the event.
    pub id: Option<Locator>,
    /// Its type.
    pub kind: Option<Locator>,
    /// When it happened.
    pub time: Option<Locator>,
    /// The word that says what happened to the document; the type when there is none.
    pub operation: Option<Locator>,
    /// What the words mean.
    pub operations: Vec<(Pattern, Operation)>,
    /// The document's state.
    pub document: Vec<Pointer>,
    /// The document's id.
    pub document_id: Option<Locator>,
    /// What sort of document it is; what the star of the matching pattern stands for when there is none.
    pub document_type: Option<Locator>,
}

/// Where a text is: alternatives, of which the first that is there counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Locator(pub Vec<Vec<Piece>>);

/// One piece of a located text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// A place in the body.
    Body(Pointer),
    /// A header.
    Header(String),
    /// These characters.
    Literal(String),
}

impl Piece {
    fn parse(text: &str) -> Option<Self> {
        match text.split_once(':')? {
            ("body", pointer) => Pointer::parse(pointer).map(Self::Body),
            ("header", name) => (!name.is_empty()).then(|| Self::Header(name.to_owned())),
            _ => None,
        }
    }
}

impl Locator {
    /// Reads one alternative: `body:/id`, `header:NAME`, or a template such as `{header:X-Event}.{body:/action}`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Vec<Piece>> {
        if !text.contains('{') {
            return Piece::parse(text).map(|piece| vec![piece]);
        }
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((literal, after)) = rest.split_once('{') {
            if !literal.is_empty() {
                pieces.push(Piece::Literal(literal.to_owned()));
            }
            let (inner, after) = after.split_once('}')?;
            pieces.push(Piece::parse(inner)?);
            rest = after;
        }
        if !rest.is_empty() {
            pieces.push(Piece::Literal(rest.to_owned()));
        }
        Some(pieces)
    }

    /// The headers it reads.
    pub fn headers(&self) -> impl Iterator<Item = &str> {
        self.0.iter().flatten().filter_map(|piece| match piece {
            Piece::Header(name) => Some(name.as_str()),
            Piece::Body(_) | Piece::Literal(_) => None,
        })
    }

    fn find(&self, delivery: &Delivery, body: &Json<'_>) -> Result<Option<String>, JsonError> {
        for alternative in &self.0 {
            let mut text = String::new();
            let mut whole = true;
            for piece in alternative {
                match piece {
                    Piece::Literal(literal) => text.push_str(literal),
                    Piece::Header(name) => {
                        match delivery.header(name).filter(|value| !value.is_empty()) {
                            Some(value) => text.push_str(&value),
                            None => whole = false,
                        }
                    }
                    Piece::Body(pointer) => match body.text(pointer)? {
                        Some(value) => text.push_str(&value),
                        None => whole = false,
                    },
                }
            }
            if whole {
                return Ok(Some(text));
            }
        }
        Ok(None)
    }
}

/// The keys of a source, decoded for each of its recipes.
#[derive(Debug, Clone)]
pub struct Keys(Vec<Vec<Secret>>);

/// Why a source cannot verify anything now. It answers 503 until that changes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reference} {problem}")]
pub struct NotReady {
    /// The secret, as the sources file names it.
    pub reference: SecretRef,
    /// What is wrong with it.
    pub problem: SecretProblem,
}

/// What is wrong with a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecretProblem {
    /// There is none under that name.
    #[error("is not set")]
    NotSet,
    /// Its store did not answer; the text is the store's, without the value.
    #[error("cannot be fetched: {0}")]
    Unavailable(String),
    /// It is there and unusable.
    #[error(transparent)]
    Unusable(#[from] SecretError),
}

impl Source {
    /// Decodes and checks the source's secrets, which `fetch` finds.
    ///
    /// # Errors
    /// The first that is missing or unusable: one bad secret stops the source, because a receiver that quietly skips
    /// it would refuse the sender later, when nobody is looking.
    pub fn keys(
        &self,
        fetch: impl Fn(&SecretRef) -> Result<String, SecretProblem>,
    ) -> Result<Keys, NotReady> {
        let fail = |reference: &SecretRef, problem| NotReady {
            reference: reference.clone(),
            problem,
        };
        let mut texts = Vec::with_capacity(self.secrets.len());
        for reference in &self.secrets {
            texts.push((
                reference,
                fetch(reference).map_err(|problem| fail(reference, problem))?,
            ));
        }
        let mut keys = Vec::with_capacity(self.recipes.len());
        for recipe in &self.recipes {
            let decoded = texts.iter().map(|(reference, text)| {
                Secret::new(text, &recipe.key, self.min_secret_bytes)
                    .map_err(|error| fail(reference, error.into()))
            });
            keys.push(decoded.collect::<Result<Vec<_>, _>>()?);
        }
        Ok(Keys(keys))
    }

    /// Whether nothing is signed, so that only addresses say who sends.
    #[must_use]
    pub fn is_unsigned(&self) -> bool {
        self.recipes
            .iter()
            .any(|recipe| recipe.algorithm == Algorithm::Unsigned)
    }

    /// Whether a request from this address may go on.
    #[must_use]
    pub fn allows(&self, address: Option<IpAddr>) -> bool {
        let Some(address) = address.map(|address| address.to_canonical()) else {
            return self.allow_ips.is_empty();
        };
        self.allow_ips.is_empty() || self.allow_ips.iter().any(|net| net.contains(&address))
    }

    /// Verifies a delivery: the only way from bytes to an event.
    ///
    /// # Errors
    /// Why it is not trusted.
    pub fn verify<'a>(
        &'a self,
        keys: &Keys,
        delivery: &'a Delivery,
        now: Millis,
    ) -> Result<Verified<'a>, Refusal> {
        let mut refusal = Refusal::NotReady;
        for (recipe, secrets) in self.recipes.iter().zip(&keys.0) {
            let claim = Claim {
                delivery,
                url: self.public_url.as_deref(),
                secrets,
                now,
            };
            match recipe.verify(&claim) {
                Ok(secret) => {
                    return Ok(Verified {
                        source: self,
                        delivery,
                        secret,
                    });
                }
                // Of several schemes, the one that got furthest says most.
                Err(Refusal::MissingHeader(_)) if refusal != Refusal::NotReady => {}
                Err(reason) => refusal = reason,
            }
        }
        Err(refusal)
    }

    /// The headers with which a sender makes `delivery` valid, by the newest secret.
    ///
    /// # Errors
    /// When the request lacks something that is signed.
    pub fn sign(
        &self,
        keys: &Keys,
        delivery: &Delivery,
        now: Millis,
    ) -> Result<Vec<(String, String)>, Refusal> {
        let recipe = self.recipes.first().ok_or(Refusal::NotReady)?;
        let secret = keys.0.first().and_then(|secrets| secrets.first());
        recipe.sign(delivery, self.public_url.as_deref(), secret, now)
    }
}

/// A delivery whose signature and time are good.
#[derive(Debug, Clone, Copy)]
pub struct Verified<'a> {
    source: &'a Source,
    delivery: &'a Delivery,
    secret: usize,
}

/// Why a signed body is no event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// It cannot be read.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// A required key is absent, null or empty.
    #[error("{0} is missing")]
    Missing(String),
    /// A text that must fit a key does not.
    #[error("the {0} is too long")]
    TooLong(&'static str),
}

impl Verified<'_> {
    /// Which secret matched, 0 for the newest. Anything else long after a rotation means that the sender was forgotten.
    #[must_use]
    pub fn secret(&self) -> usize {
        self.secret
    }

    /// What the delivery says happened.
    ///
    /// # Errors
    /// When a key that the source requires is missing, or the body cannot be read.
    pub fn event(&self, now: Millis) -> Result<Event, Invalid> {
        let (source, delivery, mapping) = (self.source, self.delivery, &self.source.mapping);
        let body = Json::parse(&delivery.body)?;
        for pointer in &mapping.required {
            let value = body.find(pointer)?.map(serde_json::value::RawValue::get);
            if matches!(value, None | Some("null" | "\"\"")) {
                return Err(Invalid::Missing(pointer.as_str().to_owned()));
            }
        }
        let find = |locator: &Option<Locator>, what, limit| match locator {
            None => Ok(None),
            Some(locator) => match locator.find(delivery, &body)? {
                Some(text) if text.len() > limit => Err(Invalid::TooLong(what)),
                found => Ok(found),
            },
        };
        let id = find(&mapping.id, "id", MAX_ID_BYTES)?;
        let kind = find(&mapping.kind, "type", MAX_TYPE_BYTES)?.unwrap_or_default();
        let time = find(&mapping.time, "time", MAX_TYPE_BYTES)?.and_then(|text| event_time(&text));
        let word = find(&mapping.operation, "operation", MAX_TYPE_BYTES)?;
        let (operation, star) = mapping.operation_of(word.as_deref().unwrap_or(&kind));
        let document_type = match &mapping.document_type {
            Some(_) => {
                find(&mapping.document_type, "document type", MAX_TYPE_BYTES)?.unwrap_or_default()
            }
            None => star.to_owned(),
        };
        let document_at = match &mapping.document_id {
            Some(_) => mapping.document_in(&body)?,
            None => None,
        };
        let (key, seconds) = self.key(id.as_deref());
        Ok(Event {
            key,
            source: source.name.clone(),
            id: id.unwrap_or_else(|| delivery.request_id.clone()),
            kind,
            operation,
            time,
            received_at: now,
            expires_at: (now / 1000).saturating_add(seconds),
            document_type,
            document_id: find(&mapping.document_id, "document id", MAX_ID_BYTES)?,
            document_at,
            invalid: None,
            body: Body(delivery.body.clone()),
        })
    }

    /// The delivery as an event that nothing can be done with but keep it.
    #[must_use]
    pub fn unreadable(&self, reason: &Invalid, now: Millis) -> Event {
        let id = hash(&[&self.delivery.body]);
        Event {
            key: Key::new(&self.source.name, &[b"unreadable", id.as_bytes()]),
            source: self.source.name.clone(),
            id,
            kind: String::new(),
            operation: Operation::Other,
            time: None,
            received_at: now,
            expires_at: (now / 1000).saturating_add(LIFE_DAYS * DAY / 1000),
            document_type: String::new(),
            document_id: None,
            document_at: None,
            invalid: Some(reason.to_string()),
            body: Body(self.delivery.body.clone()),
        }
    }

    /// The key of the event's record and the record's life in seconds.
    fn key(&self, id: Option<&str>) -> (Key, i64) {
        let body = || hash(&[&self.delivery.body]);
        let life = LIFE_DAYS * DAY / 1000;
        let new = |parts: &[&[u8]]| Key::new(&self.source.name, parts);
        match (self.source.dedupe, id) {
            (Dedupe::Id, Some(id)) => (new(&[id.as_bytes()]), life),
            (Dedupe::IdAndBody, Some(id)) => (new(&[id.as_bytes(), body().as_bytes()]), life),
            (Dedupe::Body { seconds }, _) => (new(&[b"body", body().as_bytes()]), seconds),
            (Dedupe::None, _) | (_, None) => (
                new(&[b"request", self.delivery.request_id.as_bytes()]),
                life,
            ),
        }
    }
}

impl Mapping {
    /// What a sender's word does, and what the star of its pattern stands for.
    fn operation_of<'w>(&self, word: &'w str) -> (Operation, &'w str) {
        self.operations
            .iter()
            .filter_map(|(pattern, operation)| {
                Some((pattern.weight(), *operation, pattern.capture(word)?))
            })
            .max_by_key(|(weight, ..)| *weight)
            .map_or((Operation::Other, ""), |(_, operation, star)| {
                (operation, star)
            })
    }

    /// The first place of the document that holds something; the last one when none does, so that a delete without
    /// a state is still about a document.
    fn document_in(&self, body: &Json<'_>) -> Result<Option<String>, JsonError> {
        let mut place = Some(String::new());
        for pointer in &self.document {
            place = Some(pointer.as_str().to_owned());
            if body.find(pointer)?.is_some() {
                break;
            }
        }
        Ok(place)
    }
}
