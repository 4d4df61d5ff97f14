//! One way to look at a delivery: as its source does, or with something changed.

use std::borrow::Cow;
use std::rc::Rc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hookwell::event::delivery::Delivery;
use hookwell::format::time::Millis;
use hookwell::keys::not_ready::SecretProblem;
use hookwell::keys::reference::SecretRef;
use hookwell::keys::secret::{KeyDecoding, KeyEncoding};
use hookwell::source::Source;
use hookwell::verify::recipe::Recipe;
use hookwell::verify::scheme::Scheme;
use hookwell::verify::verifier::Refusal;

use super::known::Fetch;

type Texts<'a> = Rc<dyn Fn(&SecretRef) -> Result<String, SecretProblem> + 'a>;

/// A source, a delivery, the secrets and the time.
#[derive(Clone)]
pub(super) struct Look<'a> {
    pub(super) source: Source,
    pub(super) delivery: Cow<'a, Delivery>,
    pub(super) now: Millis,
    fetch: Texts<'a>,
}

impl<'a> Look<'a> {
    pub(super) fn new(
        source: &Source,
        fetch: Fetch<'a>,
        delivery: &'a Delivery,
        now: Millis,
    ) -> Self {
        Self {
            source: source.clone(),
            delivery: Cow::Borrowed(delivery),
            now,
            fetch: Rc::new(fetch),
        }
    }

    /// The same at another time.
    pub(super) fn at(self, now: Millis) -> Self {
        Self { now, ..self }
    }

    /// Reason why the source of this look refuses the delivery; `None` when the source takes it.
    pub(super) fn refusal(&self) -> Option<Refusal> {
        match self.source.keys(|reference| (self.fetch)(reference)) {
            Ok(keys) => self.source.verify(&keys, &self.delivery, self.now).err(),
            Err(_) => Some(Refusal::NotReady),
        }
    }

    /// Recipes of the source. A scheme that is code is none.
    pub(super) fn recipes(&self) -> impl Iterator<Item = &Recipe> {
        self.source
            .schemes
            .iter()
            .filter_map(|scheme| match scheme {
                Scheme::Recipe(recipe) => Some(&**recipe),
                Scheme::Special(_) => None,
            })
    }

    /// Takes this recipe for the only one.
    pub(super) fn sign_by(&mut self, recipe: Recipe) {
        self.source.schemes = vec![Scheme::Recipe(Box::new(recipe))];
    }

    /// Takes this secret for the only one.
    pub(super) fn use_secret(&mut self, secret: SecretRef) {
        self.source.secrets = vec![secret];
        for scheme in &mut self.source.schemes {
            if let Scheme::Recipe(recipe) = scheme {
                recipe.secret = None;
            }
        }
    }

    /// Makes the bytes that `read` gives for a secret's text the key of every recipe.
    pub(super) fn read_secret(&mut self, read: fn(&str) -> Option<Vec<u8>>) {
        let (fetch, secrets) = (self.fetch.clone(), self.source.secrets.clone());
        self.fetch = Rc::new(move |reference| {
            let text = fetch(reference)?;
            if !secrets.contains(reference) {
                return Ok(text);
            }
            let key = read(text.trim()).ok_or(SecretProblem::NotSet)?;
            Ok(STANDARD.encode(key))
        });
        for scheme in &mut self.source.schemes {
            if let Scheme::Recipe(recipe) = scheme {
                // Encoded in base64, because a key may be any bytes, line ends included.
                recipe.key = KeyDecoding {
                    strip: Vec::new(),
                    encoding: KeyEncoding::Base64,
                };
            }
        }
        self.source.min_secret_bytes = 1;
    }
}
