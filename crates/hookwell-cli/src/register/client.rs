//! Calls of a sender's API.

use std::time::Duration;

use anyhow::{Context as _, Error, Result, anyhow, bail, ensure};
use serde_json::Value;

use super::api::{Api, Format, Owner, Values, is_plain};
use super::webhook::Webhook;

/// Time limit of one call.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Webhooks on a page of the list: the most that each API allows.
const PAGE: usize = 100;

/// Pages that are read at most, should a sender give the same one for ever.
const MAX_PAGES: usize = 100;

/// API of a sender with a key for it.
pub(crate) struct Client<'a> {
    source: &'a str,
    api: &'a Api,
    agent: ureq::Agent,
    address: String,
    /// Path of all webhooks.
    path: String,
    owner: Option<Owner<'a>>,
    key: String,
}

/// A webhook that was just created.
pub(crate) struct Created {
    /// The webhook.
    pub(crate) webhook: Webhook,
    /// Secret with which the sender signs, where the answer has it.
    pub(crate) secret: Option<String>,
}

impl<'a> Client<'a> {
    /// A client of the API at an address, for the webhooks of an owner, below `path`.
    pub(crate) fn new(
        source: &'a str,
        api: &'a Api,
        address: String,
        (owner, path): (Option<Owner<'a>>, String),
        key: String,
    ) -> Self {
        let agent = ureq::Agent::config_builder()
            .timeout_global(Some(TIMEOUT))
            .http_status_as_error(false)
            // The key goes to the address in the file and nowhere else.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent("hookwell")
            .build();
        Self {
            source,
            api,
            agent: agent.into(),
            address,
            path,
            owner,
            key,
        }
    }

    /// Every webhook of the owner.
    ///
    /// # Errors
    /// When the sender does not give them.
    pub(crate) fn list(&self) -> Result<Vec<Webhook>> {
        let mut all: Vec<Webhook> = Vec::new();
        for number in 1..=MAX_PAGES {
            let path = format!("{}{}", self.path, self.page(number, all.last()));
            let answer = self.call("GET", &path, None, &[])?;
            let mut lists = self.api.list.iter().filter_map(|at| answer.pointer(at));
            let list = lists.find_map(Value::as_array);
            let list = list.with_context(|| self.unread("a list of webhooks"))?;
            for one in list {
                let webhook = Webhook::read(&self.api.webhook, one);
                all.push(webhook.with_context(|| self.unread("the id of a webhook"))?);
            }
            if self.api.pages.is_none() || list.len() < PAGE {
                return Ok(all);
            }
        }
        bail!(
            "{} gives no end of webhooks: is {} its API?",
            self.source,
            self.address
        )
    }

    /// Query for a page of the list, which begins behind `last`.
    fn page(&self, number: usize, last: Option<&Webhook>) -> String {
        let Some(pages) = &self.api.pages else {
            return String::new();
        };
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair(&pages.size, &PAGE.to_string());
        if let Some(name) = &pages.number {
            query.append_pair(name, &number.to_string());
        }
        if let (Some(name), Some(last)) = (&pages.after, last) {
            query.append_pair(name, &last.id);
        }
        format!("?{}", query.finish())
    }

    /// The webhook with an id.
    ///
    /// # Errors
    /// When there is none.
    pub(crate) fn find(&self, id: &str) -> Result<Webhook> {
        ensure!(is_plain(id), "{id:?} is no id of a webhook");
        let found = self.list()?.into_iter().find(|webhook| webhook.id == id);
        found.with_context(|| {
            let source = self.source;
            format!(
                "{source} has no webhook {id}: `hookwell register list` shows those that it has"
            )
        })
    }

    /// Creates a webhook; `secret` is ours, for a sender that takes one.
    ///
    /// # Errors
    /// When the sender does not create it, or does not say that it did.
    pub(crate) fn create(
        &self,
        url: &str,
        events: &[String],
        secret: Option<&str>,
    ) -> Result<Created> {
        let values = Values {
            url,
            events,
            secret: secret.unwrap_or_default(),
            ..Values::default()
        };
        let body = values.fill(&self.api.create);
        let hidden: Vec<_> = secret.into_iter().collect();
        let answer = self.call("POST", &self.path, Some(&body), &hidden)?;
        let webhook = Webhook::read(&self.api.webhook, &answer);
        let webhook = webhook.with_context(|| self.unread("the id of the new webhook"))?;
        let at = self.api.secret.as_deref();
        let theirs = at.and_then(|at| answer.pointer(at)?.as_str());
        // Ours, shown with asterisks, is not theirs.
        let theirs = theirs.filter(|text| !text.contains("***"));
        Ok(Created {
            webhook,
            secret: theirs.or(secret).map(str::to_owned),
        })
    }

    /// Changes the events of a webhook.
    ///
    /// # Errors
    /// When the sender does not.
    pub(crate) fn update(&self, id: &str, events: &[String]) -> Result<()> {
        let update = &self.api.update;
        let values = Values {
            id,
            events,
            ..Values::default()
        };
        let body = values.fill(&update.body);
        self.call(&update.method, &self.one(id), Some(&body), &[])?;
        Ok(())
    }

    /// Deletes a webhook.
    ///
    /// # Errors
    /// When the sender does not.
    pub(crate) fn delete(&self, id: &str) -> Result<()> {
        self.call("DELETE", &self.one(id), None, &[]).map(drop)
    }

    /// Asks for a test event, and gives its type.
    ///
    /// # Errors
    /// When the sender sends none.
    pub(crate) fn test(&self, webhook: &Webhook, named: Option<&str>) -> Result<String> {
        let (test, kind) = self.api.test(named, &webhook.events)?;
        let values = Values {
            id: &webhook.id,
            kind: &kind,
            ..Values::default()
        };
        let path = self.api.with_owner(&test.path, self.owner)?;
        let path = path.replace("{id}", &webhook.id);
        let body = test.body.as_ref().map(|body| values.fill(body));
        self.call("POST", &path, body.as_ref(), &[])?;
        Ok(kind)
    }

    fn one(&self, id: &str) -> String {
        format!("{}/{id}", self.path)
    }

    /// One call; its errors hold neither the key nor a text of `hidden`.
    fn call(
        &self,
        method: &str,
        path: &str,
        body: Option<&Value>,
        hidden: &[&str],
    ) -> Result<Value> {
        let source = self.source;
        let mut request = http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.address));
        for (name, value) in &self.api.headers {
            request = request.header(name, value.replace("{key}", &self.key));
        }
        let text = body.map(|body| {
            let (kind, text) = encoded(self.api.body, body);
            (Some(kind), text)
        });
        // A POST has a body, and be it an empty one.
        let text = text.or_else(|| (method == "POST").then(|| (None, String::new())));
        let unsendable =
            || format!("the API key of {source} cannot be sent: it holds a line end or the like");
        let unsaid = || {
            let doubt = match method {
                "GET" => "",
                _ => ": whether it did what it was asked, `hookwell register list` shows",
            };
            format!("{source} does not answer at {}{doubt}", self.address)
        };
        let answer = match text {
            Some((kind, text)) => {
                if let Some(kind) = kind {
                    request = request.header("content-type", kind);
                }
                self.agent.run(request.body(text).with_context(unsendable)?)
            }
            None => self.agent.run(request.body(()).with_context(unsendable)?),
        };
        let mut answer = answer.with_context(unsaid)?;
        let text = answer.body_mut().read_to_string().with_context(unsaid)?;
        let status = answer.status().as_u16();
        let answer: Value = serde_json::from_str(&text).unwrap_or_default();
        if (200..300).contains(&status) {
            return Ok(answer);
        }
        let mut said = self.said(&answer);
        for secret in hidden.iter().copied().chain([self.key.as_str()]) {
            said = said.replace(secret, "***");
        }
        Err(self.refused(status, &said))
    }

    /// Message of an answer that is an error.
    fn said(&self, answer: &Value) -> String {
        let places = self.api.error.iter();
        let said = places.filter_map(|at| answer.pointer(at)?.as_str());
        said.collect::<Vec<_>>().join(": ")
    }

    fn refused(&self, status: u16, said: &str) -> Error {
        let Self { source, api, .. } = self;
        let (key, page) = (&api.key, &api.page);
        let colon = if said.is_empty() { "" } else { ": " };
        match status {
            401 => anyhow!("{source} refuses the API key (401{colon}{said}): api_key is {key}"),
            403 | 404 => anyhow!(
                "{source} answers {status}{colon}{said}: nothing is there, or the key may not. api_key is {key}"
            ),
            _ => anyhow!("{source} answers {status}{colon}{said} ({page})"),
        }
    }

    fn unread(&self, what: &str) -> String {
        let Self {
            source, address, ..
        } = self;
        format!("the answer of {source} does not have {what}: is {address} its API?")
    }
}

/// A body and its content type.
fn encoded(format: Format, body: &Value) -> (&'static str, String) {
    match format {
        Format::Json => ("application/json", body.to_string()),
        Format::Form => {
            let mut form = form_urlencoded::Serializer::new(String::new());
            for (name, value) in body.as_object().into_iter().flatten() {
                match value {
                    Value::Array(all) => {
                        let texts = all.iter().filter_map(Value::as_str);
                        form.extend_pairs(texts.map(|text| (format!("{name}[]"), text)));
                    }
                    value => {
                        form.extend_pairs(value.as_str().map(|text| (name, text)));
                    }
                }
            }
            ("application/x-www-form-urlencoded", form.finish())
        }
    }
}
