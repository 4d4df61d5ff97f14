//! `hookwell register`: webhooks at their senders.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Error, Result, anyhow, bail};
use clap::{Args, Subcommand};
use hookwell::deliver::check_address;
use hookwell::source::Source;
use serde_json::{Value, json};

use super::confirm;
use super::items::block_on;
use super::print::{self, line, note};
use super::sources::{find, sources};
use crate::register::{Api, Client, Owner, Place, Webhook, api_key, random};

/// Register a source at its sender by the sender's API, so that it posts to this URL: `github`, `resource` and `stripe`.
///
/// The source needs `api_key = "env:NAME"` (also ssm:NAME, secretsmanager:ID#STAGE). The secret with which the sender signs goes
/// to the first of the source's `secrets`, and is never shown. A second call with the same URL makes no second webhook.
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = "Examples:
  hookwell register stripe --url https://hooks.example.com --events invoice.paid --events invoice.voided
  hookwell register github --repository acme/shop --url https://hooks.example.com/webhooks/github
  hookwell register list stripe"
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    at: Option<At>,
    #[command(flatten)]
    create: Option<Create>,
}

#[derive(Debug, Subcommand)]
enum Command {
    List(List),
    Update(Update),
    Delete(Delete),
    Test(Test),
}

#[derive(Debug, Args)]
struct Create {
    /// URL to which the sender shall post. Without a path, `/webhooks/SOURCE` is added.
    #[arg(long)]
    url: String,
    /// A type of event that it shall send; again for each. Without any: all, where the sender has a word for that.
    #[arg(long, value_name = "TYPE", value_delimiter = ',')]
    events: Vec<String>,
    /// Keep the secret on this machine, in `.hookwell/secrets.toml`, where `hookwell dev` reads it.
    #[arg(long)]
    local: bool,
    /// Store the new secret where another is already. What an older webhook signs with that one is then refused.
    #[arg(long)]
    replace: bool,
}

/// List the webhooks that the sender has.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  hookwell register list stripe
  hookwell register list github --organization acme --json")]
struct List {
    #[command(flatten)]
    at: At,
}

/// Change the events that a webhook sends.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  hookwell register update stripe we_1 --events invoice.paid --events invoice.voided")]
struct Update {
    #[command(flatten)]
    at: At,
    /// Id of the webhook.
    id: String,
    /// A type of event that it shall send; again for each.
    #[arg(long, value_name = "TYPE", value_delimiter = ',', required = true)]
    events: Vec<String>,
}

/// Delete a webhook at the sender. Its secret stays where it is.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  hookwell register delete stripe we_1
  hookwell register delete github 42 --repository acme/shop --yes")]
struct Delete {
    #[command(flatten)]
    at: At,
    /// Id of the webhook.
    id: String,
    /// Do not ask.
    #[arg(long)]
    yes: bool,
}

/// Ask the sender for a test event, where its API has one.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  hookwell register test github 42 --repository acme/shop
  hookwell register test resource wh_1 --type resource.created")]
struct Test {
    #[command(flatten)]
    at: At,
    /// Id of the webhook.
    id: String,
    /// Type of the event, where the sender lets one choose.
    #[arg(long = "type", value_name = "TYPE")]
    kind: Option<String>,
}

/// The sender whose API is called.
#[derive(Debug, Args)]
struct At {
    /// The source.
    source: String,
    /// The GitHub repository that the webhook belongs to.
    #[arg(long, value_name = "OWNER/NAME", conflicts_with = "organization")]
    repository: Option<String>,
    /// The GitHub organization that the webhook belongs to.
    #[arg(long, value_name = "NAME")]
    organization: Option<String>,
    /// A sources file in place of the project's own.
    #[arg(long, value_name = "FILE")]
    sources: Option<PathBuf>,
    /// Print one JSON object per webhook.
    #[arg(long)]
    json: bool,
}

impl At {
    fn source(&self, embedded: Option<&str>) -> Result<Source> {
        let sources = sources(self.sources.as_deref(), embedded)?;
        find(&sources, &self.source).cloned()
    }

    async fn client<'a>(&'a self, source: &'a Source, api: &'a Api) -> Result<Client<'a>> {
        let name = &source.name;
        let repository = self.repository.as_deref().map(Owner::Repository);
        let organization = self.organization.as_deref().map(Owner::Organization);
        // Errors that need no key are reported first.
        let (address, owner) = (api.address(source)?, repository.or(organization));
        let path = api.path(owner)?;
        let key = source.api_key.as_ref().with_context(|| {
            let variable = name.to_ascii_uppercase().replace(['-', '.'], "_");
            format!(
                "source {name} has no api_key: add api_key = \"env:{variable}_API_KEY\" to [sources.{name}]. It is {}",
                api.key
            )
        })?;
        let key = api_key(key).await?;
        Ok(Client::new(name, api, address, (owner, path), key))
    }

    /// Command that deletes a webhook here.
    fn delete(&self, id: &str) -> String {
        let owner = [
            ("--repository", &self.repository),
            ("--organization", &self.organization),
        ];
        let owner = owner.into_iter().filter_map(|(flag, name)| {
            let name = name.as_ref()?;
            Some(format!(" {flag} {name}"))
        });
        let owner: String = owner.collect();
        format!("`hookwell register delete {} {id}{owner}`", self.source)
    }

    /// Prints what became of a webhook.
    fn tell(&self, outcome: &str, webhook: &Webhook, place: Option<&Place<'_>>) -> Result<()> {
        let reference = place.map(|place| place.reference().to_string());
        if self.json {
            let mut object = json!({
                "source": self.source, "outcome": outcome, "secret": reference,
            });
            merge(&mut object, serde_json::to_value(webhook)?);
            print::json(&object.to_string())?;
            return Ok(());
        }
        let events = webhook.events.join(", ");
        let secret = place.map(Place::stored);
        let facts = [
            (outcome, Some(&webhook.id)),
            ("url", Some(&webhook.url)),
            ("events", Some(&events)),
            ("status", Some(&webhook.status).filter(|it| !it.is_empty())),
            ("secret", secret.as_ref()),
        ];
        for (name, text) in facts {
            if let Some(text) = text {
                line(&format!("{name:<10} {text}"))?;
            }
        }
        Ok(())
    }
}

fn merge(object: &mut Value, more: Value) {
    if let (Value::Object(fields), Value::Object(more)) = (object, more) {
        fields.extend(more);
    }
}

pub(crate) fn run(arguments: &Arguments, embedded: Option<&str>) -> Result<ExitCode> {
    block_on(async {
        match &arguments.command {
            Some(Command::List(it)) => list(it, embedded).await?,
            Some(Command::Update(it)) => update(it, embedded).await?,
            Some(Command::Delete(it)) => delete(it, embedded).await?,
            Some(Command::Test(it)) => test(it, embedded).await?,
            None => match (&arguments.at, &arguments.create) {
                (Some(at), Some(create)) => register(at, create, embedded).await?,
                _ => bail!("name a source and a --url"),
            },
        }
        Ok(ExitCode::SUCCESS)
    })
}

async fn register(at: &At, arguments: &Create, embedded: Option<&str>) -> Result<()> {
    let source = at.source(embedded)?;
    let url = url_of(&arguments.url, &source)?;
    let api = Api::of(&source)?;
    let client = at.client(&source, &api).await?;
    let mut all = client.list()?.into_iter();
    if let Some(webhook) = all.find(|webhook| webhook.posts_to(&url)) {
        return keep(at, arguments, &source, &client, webhook).await;
    }
    let events = api.events(&arguments.events)?;
    // Everything that can fail before there is a webhook fails here.
    let place = Place::of(&source, arguments.local).await?;
    if !arguments.replace && place.has_secret().await? {
        bail!(
            "{} holds a secret already, which another webhook may sign with: --replace overwrites it",
            place.reference()
        );
    }
    let secret = api.takes_secret().then(random::<32>).transpose()?;
    let created = client.create(&url, &events, secret.as_deref())?;
    let mut webhook = created.webhook;
    let stored = match created.secret {
        Some(secret) => place.put(&secret).await,
        None => Err(anyhow!("the answer of {} has no secret", source.name)),
    };
    if let Err(why) = stored {
        return Err(undo(at, &client, &webhook, &why));
    }
    // As it was asked for, where the answer does not repeat it.
    if webhook.url.is_empty() {
        webhook.url = url;
    }
    if webhook.events.is_empty() {
        webhook.events = events;
    }
    at.tell("created", &webhook, Some(&place))
}

/// Leaves a webhook that posts to the URL already as it is, but for events that were named.
async fn keep(
    at: &At,
    arguments: &Create,
    source: &Source,
    client: &Client<'_>,
    mut webhook: Webhook,
) -> Result<()> {
    let events = &arguments.events;
    let outcome = if events.is_empty() || webhook.sends(events) {
        "exists"
    } else {
        client.update(&webhook.id, events)?;
        webhook.events.clone_from(events);
        "updated"
    };
    at.tell(outcome, &webhook, None)?;
    // No place, no word about it: nothing was to be stored.
    let Ok(place) = Place::of(source, arguments.local).await else {
        return Ok(());
    };
    if let Ok(false) = place.has_secret().await {
        let delete = at.delete(&webhook.id);
        note(&format!(
            "note: {} holds no secret, and {} tells it only once: {delete}, then register again",
            place.reference(),
            source.name
        ));
    }
    Ok(())
}

/// Deletes a webhook whose secret could not be kept, and says what is left.
fn undo(at: &At, client: &Client<'_>, webhook: &Webhook, why: &Error) -> Error {
    let Webhook { id, url, .. } = webhook;
    match client.delete(id) {
        Ok(()) => anyhow!("{why:#}: the new webhook {id} was deleted again, nothing is left of it"),
        Err(undeleted) => anyhow!(
            "{why:#}: the new webhook {id} to {url} is still there, and nobody has its secret ({undeleted:#}): \
             {}",
            at.delete(id)
        ),
    }
}

async fn list(arguments: &List, embedded: Option<&str>) -> Result<()> {
    let at = &arguments.at;
    let source = at.source(embedded)?;
    let api = Api::of(&source)?;
    let webhooks = at.client(&source, &api).await?.list()?;
    if at.json {
        for webhook in webhooks {
            print::json(&serde_json::to_string(&webhook)?)?;
        }
        return Ok(());
    }
    let row = |webhook: Webhook| {
        let events = few(&webhook.events);
        vec![webhook.id, webhook.url, webhook.status, events]
    };
    let rows: Vec<_> = webhooks.into_iter().map(row).collect();
    Ok(print::table(
        &["WEBHOOK", "URL", "STATUS", "EVENTS"],
        &rows,
    )?)
}

/// The first events, and how many more there are.
fn few(events: &[String]) -> String {
    match events {
        [one, two, three, more @ ..] if more.len() > 1 => {
            format!("{one}, {two}, {three} and {} more", more.len())
        }
        all => all.join(", "),
    }
}

async fn update(arguments: &Update, embedded: Option<&str>) -> Result<()> {
    let at = &arguments.at;
    let source = at.source(embedded)?;
    let api = Api::of(&source)?;
    let client = at.client(&source, &api).await?;
    let mut webhook = client.find(&arguments.id)?;
    client.update(&webhook.id, &arguments.events)?;
    webhook.events.clone_from(&arguments.events);
    at.tell("updated", &webhook, None)
}

async fn delete(arguments: &Delete, embedded: Option<&str>) -> Result<()> {
    let at = &arguments.at;
    let source = at.source(embedded)?;
    let api = Api::of(&source)?;
    let client = at.client(&source, &api).await?;
    let webhook = client.find(&arguments.id)?;
    if !arguments.yes {
        let Webhook { id, url, .. } = &webhook;
        confirm::ask(&format!("delete webhook {id} to {url} at {}", source.name))?;
    }
    client.delete(&webhook.id)?;
    at.tell("deleted", &webhook, None)
}

async fn test(arguments: &Test, embedded: Option<&str>) -> Result<()> {
    let at = &arguments.at;
    let source = at.source(embedded)?;
    let api = Api::of(&source)?;
    let client = at.client(&source, &api).await?;
    let webhook = client.find(&arguments.id)?;
    let kind = client.test(&webhook, arguments.kind.as_deref())?;
    if at.json {
        let object = json!({
            "source": source.name, "outcome": "asked", "id": webhook.id, "url": webhook.url, "type": kind,
        });
        print::json(&object.to_string())?;
        return Ok(());
    }
    let Webhook { id, url, .. } = &webhook;
    line(&format!("asked      {id} for a test event: {kind}"))?;
    line(&format!("url        {url}"))?;
    note(&format!(
        "see what came: hookwell events list --source {}",
        source.name
    ));
    Ok(())
}

/// The URL to register: of the source, where only its host was named.
fn url_of(text: &str, source: &Source) -> Result<String> {
    if check_address(text).is_err() || text.contains('#') {
        bail!("--url {text} is no https:// address (http:// on this machine only)");
    }
    let is_bare = text.splitn(4, '/').nth(3).is_none_or(str::is_empty) && !text.contains('?');
    if !is_bare {
        return Ok(text.to_owned());
    }
    Ok(format!(
        "{}/webhooks/{}",
        text.trim_end_matches('/'),
        source.name
    ))
}
