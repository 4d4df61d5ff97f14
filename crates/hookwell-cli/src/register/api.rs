//! The APIs of the senders: addresses, headers and fields.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail, ensure};
use hookwell::source::Source;
use serde::Deserialize;
use serde_json::{Map, Value};

const APIS: &str = include_str!("apis.toml");

/// API of one sender.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Api {
    /// Page that documents it.
    pub(crate) page: String,
    /// Kind of key that it takes.
    pub(crate) key: String,
    /// Usual address; none where each customer has another.
    url: Option<String>,
    /// Paths of those who own webhooks, where an account has several.
    owners: Option<Owners>,
    /// Path of all webhooks; a single webhook is at its id below the path.
    webhooks: String,
    /// Headers of every request.
    pub(crate) headers: BTreeMap<String, String>,
    /// Format of the bodies.
    pub(crate) body: Format,
    /// Name that stands for every event.
    every_event: Option<String>,
    /// Body that creates a webhook.
    pub(crate) create: Value,
    /// Request that changes the events of one.
    pub(crate) update: Update,
    /// Pages of the list, where it has any.
    pub(crate) pages: Option<Pages>,
    /// Places of the list of webhooks; the first that holds a list counts.
    pub(crate) list: Vec<String>,
    /// Places of what is known about one webhook.
    pub(crate) webhook: Places,
    /// Place of the secret in the answer to a creation.
    pub(crate) secret: Option<String>,
    /// Places of the message of an error.
    pub(crate) error: Vec<String>,
    /// Request for a test event.
    pub(crate) test: Option<Test>,
    /// Other ways to a test event.
    no_test: Option<String>,
}

/// Paths of those who own webhooks, with `{}` for a name.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Owners {
    repository: String,
    organization: String,
}

/// Owner of webhooks, as a person names it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Owner<'a> {
    /// A repository, `OWNER/NAME`.
    Repository(&'a str),
    /// An organization.
    Organization(&'a str),
}

/// Format of a body.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Format {
    /// JSON.
    Json,
    /// A form; lists as `name[]`.
    Form,
}

/// Request that changes a webhook.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Update {
    /// Method of the request.
    pub(crate) method: String,
    /// Body of the request.
    pub(crate) body: Value,
}

/// Parameters for the pages of a list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Pages {
    /// Parameter for the size of a page.
    pub(crate) size: String,
    /// Parameter for the last id of the page before.
    pub(crate) after: Option<String>,
    /// Parameter for the number of the page.
    pub(crate) number: Option<String>,
}

/// Places of what is known about one webhook.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Places {
    /// Id.
    pub(crate) id: String,
    /// URL to which it posts.
    pub(crate) url: String,
    /// Events that it sends.
    pub(crate) events: String,
    /// State of the webhook: enabled, or switched off.
    pub(crate) status: String,
}

/// Request for a test event.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Test {
    /// Path of the request.
    pub(crate) path: String,
    /// Body of the request.
    pub(crate) body: Option<Value>,
    /// The only type that the sender sends for a test.
    #[serde(rename = "type")]
    kind: Option<String>,
}

impl Api {
    /// API of a source's sender.
    ///
    /// # Errors
    /// When there is none here.
    pub(crate) fn of(source: &Source) -> Result<Self> {
        let mut apis: BTreeMap<String, Self> = toml::from_str(APIS)?;
        let preset = source.preset.as_deref();
        if let Some(api) = preset.and_then(|preset| apis.remove(preset)) {
            return Ok(api);
        }
        let names: Vec<_> = apis.keys().map(String::as_str).collect();
        bail!(
            "no way is known here to register a webhook for {} by an API (known for the presets {}): set the URL at the sender",
            source.name,
            names.join(", ")
        )
    }

    /// Address of the API, without a slash at its end.
    ///
    /// # Errors
    /// When neither the source nor the API has one.
    pub(crate) fn address(&self, source: &Source) -> Result<String> {
        let url = source.api_url.as_deref().or(self.url.as_deref());
        let name = &source.name;
        let url = url.with_context(|| {
            format!("source {name} has no api_url: add api_url = \"https://…\" to [sources.{name}]")
        })?;
        Ok(url.trim_end_matches('/').to_owned())
    }

    /// Path of all webhooks of an owner.
    ///
    /// # Errors
    /// When the owner is missing, has no place here, or cannot be in a path.
    pub(crate) fn path(&self, owner: Option<Owner<'_>>) -> Result<String> {
        self.with_owner(&self.webhooks, owner)
    }

    /// Puts an owner into a path.
    ///
    /// # Errors
    /// As [`Self::path`].
    pub(crate) fn with_owner(&self, path: &str, owner: Option<Owner<'_>>) -> Result<String> {
        let owner = match (&self.owners, owner) {
            (None, None) => return Ok(path.to_owned()),
            (None, Some(_)) => {
                bail!("webhooks of this sender belong to no repository or organization")
            }
            (Some(_), None) => bail!(
                "webhooks of this sender belong to a repository or an organization: add --repository OWNER/NAME or --organization NAME"
            ),
            (Some(owners), Some(Owner::Repository(name))) => {
                let is_one = name.split('/').count() == 2 && name.split('/').all(is_plain);
                ensure!(is_one, "{name:?} is not OWNER/NAME of a repository");
                owners.repository.replace("{}", name)
            }
            (Some(owners), Some(Owner::Organization(name))) => {
                ensure!(
                    is_plain(name),
                    "{name:?} is not the name of an organization"
                );
                owners.organization.replace("{}", name)
            }
        };
        Ok(path.replace("{owner}", &owner))
    }

    /// The events to ask for: those that a person named, or all of them.
    ///
    /// # Errors
    /// When none is named and the sender has no word for all.
    pub(crate) fn events(&self, named: &[String]) -> Result<Vec<String>> {
        if !named.is_empty() {
            return Ok(named.to_vec());
        }
        let all = self.every_event.clone();
        let all = all.context("name the events with --events: this sender has no word for all")?;
        Ok(vec![all])
    }

    /// True when a webhook is created with a secret of ours.
    pub(crate) fn takes_secret(&self) -> bool {
        self.create.to_string().contains("{secret}")
    }

    /// The request for a test event of a webhook, and the type of that event.
    ///
    /// # Errors
    /// When the sender sends none, or none of the type that was named, or it has to be named.
    pub(crate) fn test(&self, named: Option<&str>, events: &[String]) -> Result<(&Test, String)> {
        let test = self.test.as_ref().with_context(|| {
            let other = self.no_test.as_deref().unwrap_or("wait for a real one");
            format!("this sender's API sends no test event: {other}")
        })?;
        let kind = match (&test.kind, named) {
            (Some(only), None) => only.clone(),
            (Some(only), Some(named)) => {
                ensure!(only == named, "this sender's test event is {only}");
                named.to_owned()
            }
            (None, Some(named)) => named.to_owned(),
            (None, None) => {
                let mut whole = events.iter().filter(|event| !event.contains('*'));
                whole.next().context("name the event with --type")?.clone()
            }
        };
        Ok((test, kind))
    }
}

/// Checks that a text can be a part of a path: a name or an id.
pub(crate) fn is_plain(text: &str) -> bool {
    let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    !text.is_empty() && text != "." && text != ".." && text.chars().all(is_word)
}

/// Values that stand for the words in braces.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Values<'a> {
    /// `{id}`
    pub(crate) id: &'a str,
    /// `{url}`
    pub(crate) url: &'a str,
    /// `{events}`, a list.
    pub(crate) events: &'a [String],
    /// `{secret}`
    pub(crate) secret: &'a str,
    /// `{type}`
    pub(crate) kind: &'a str,
}

impl Values<'_> {
    /// A body with the values in their places.
    pub(crate) fn fill(self, body: &Value) -> Value {
        match body {
            Value::String(text) => match text.as_str() {
                "{id}" => self.id.into(),
                "{url}" => self.url.into(),
                "{events}" => self.events.into(),
                "{secret}" => self.secret.into(),
                "{type}" => self.kind.into(),
                other => other.into(),
            },
            Value::Object(fields) => {
                let filled = fields
                    .iter()
                    .map(|(name, value)| (name.clone(), self.fill(value)));
                Value::Object(filled.collect::<Map<_, _>>())
            }
            other => other.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_entry_can_be_read_and_says_how_to_test() {
        let apis: BTreeMap<String, Api> = toml::from_str(APIS).unwrap();
        for (name, api) in apis {
            assert!(hookwell::config::preset_table(&name).is_some(), "{name}");
            assert_ne!(api.test.is_some(), api.no_test.is_some(), "{name}");
            assert!(api.takes_secret() || api.secret.is_some(), "{name}");
            let sends_key = api.headers.values().any(|value| value.contains("{key}"));
            assert!(sends_key, "{name}");
        }
    }

    #[test]
    fn nothing_but_a_name_gets_into_a_path() {
        for bad in ["", ".", "..", "a/b", "a?b", "a#b", "a%2e", "a b", "é"] {
            assert!(!is_plain(bad), "{bad}");
        }
        assert!(is_plain("we_1Abc-2.x"));
    }
}
