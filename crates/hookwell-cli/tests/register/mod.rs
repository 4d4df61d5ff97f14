//! `hookwell register` against stubs of the senders' APIs and of the stores of secrets.

mod senders;
mod stores;

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use hookwell_sandbox::child::Owned;
use senders::{KEY, Kind, Sender};
use serde_json::{Value, json};
use stores::Stores;
use tempfile::TempDir;

/// Longer than anything that a working machine needs.
const PATIENCE: Duration = Duration::from_mins(1);

/// A project of a user, its senders, and everything that was printed there.
struct Project {
    folder: TempDir,
    stripe: Arc<Sender>,
    github: Arc<Sender>,
    resource: Arc<Sender>,
    stores: Arc<Stores>,
    printed: Mutex<String>,
}

/// Result of a command.
struct Done {
    succeeded: bool,
    stdout: String,
    stderr: String,
}

impl Project {
    async fn new() -> Self {
        let (stripe, github, resource) = (
            Sender::start(Kind::Stripe).await,
            Sender::start(Kind::GitHub).await,
            Sender::start(Kind::Resource).await,
        );
        let folder = tempfile::tempdir().unwrap();
        let sources = format!(
            r#"
            [sources.stripe]
            preset = "stripe"
            secrets = ["ssm:/hookwell/stripe"]
            api_key = "env:API_KEY"
            api_url = "{}"
            [sources.github]
            preset = "github"
            secrets = ["env:GITHUB_SECRET"]
            api_key = "env:API_KEY"
            api_url = "{}"
            [sources.resource]
            preset = "resource"
            secrets = ["secretsmanager:hookwell/resource"]
            api_key = "ssm:/hookwell/api-key"
            api_url = "{}"
            [sources.bare]
            preset = "stripe"
            secrets = ["ssm:/hookwell/bare"]
            [sources.clerk]
            preset = "clerk"
            secrets = ["ssm:/hookwell/clerk"]
            "#,
            stripe.url, github.url, resource.url
        );
        fs::write(folder.path().join("sources.toml"), sources).unwrap();
        let stores = Stores::start().await;
        let mut texts = stores.texts.lock().unwrap();
        texts.insert("/hookwell/api-key".to_owned(), KEY.to_owned());
        drop(texts);
        let printed = Mutex::default();
        Self {
            folder,
            stripe,
            github,
            resource,
            stores,
            printed,
        }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hookwell"));
        command
            .current_dir(self.folder.path())
            .args(arguments)
            .env("API_KEY", KEY)
            .env("AWS_ACCESS_KEY_ID", "canary")
            .env("AWS_SECRET_ACCESS_KEY", "canary")
            .env("AWS_REGION", "us-east-1")
            .env("AWS_ENDPOINT_URL_SSM", &self.stores.url)
            .env("AWS_ENDPOINT_URL_SECRETS_MANAGER", &self.stores.url)
            .env_remove("GITHUB_SECRET")
            .stdin(Stdio::null());
        command
    }

    fn run(&self, line: &str) -> Done {
        self.done(&mut self.command(&words(line)))
    }

    fn done(&self, command: &mut Command) -> Done {
        let output = command.output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let (stdout, stderr) = (text(output.stdout), text(output.stderr));
        let mut printed = self.printed.lock().unwrap();
        printed.push_str(&stdout);
        printed.push_str(&stderr);
        Done {
            succeeded: output.status.success(),
            stdout,
            stderr,
        }
    }

    /// Runs a command that must work, and gives its output.
    fn works(&self, line: &str) -> String {
        let done = self.run(line);
        assert!(done.succeeded, "{line}: {}", done.stderr);
        done.stdout
    }

    /// Runs a command that must fail, and gives its error.
    fn fails(&self, line: &str) -> String {
        let done = self.run(line);
        assert!(!done.succeeded, "{line}: {}", done.stdout);
        done.stderr
    }

    /// Waits until a command prints one line that `is_it`.
    fn becomes(&self, line: &str, is_it: impl Fn(&Value) -> bool) {
        let started = Instant::now();
        loop {
            let done = self.run(line);
            let lines = done
                .stdout
                .lines()
                .map(|line| serde_json::from_str(line).unwrap());
            if lines.into_iter().any(|line| is_it(&line)) {
                return;
            }
            assert!(
                started.elapsed() < PATIENCE,
                "{line}: {} {}",
                done.stdout,
                done.stderr
            );
        }
    }

    /// Asserts that nothing printed holds the key or a secret.
    fn printed_nothing_secret(&self, secrets: &[String]) {
        let printed = self.printed.lock().unwrap();
        assert!(printed.contains("created"), "{printed}");
        for secret in secrets.iter().map(String::as_str).chain([KEY]) {
            assert!(!secret.is_empty());
            assert!(!printed.contains(secret), "{printed}");
        }
    }
}

fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

/// `hookwell dev` of a project.
struct Dev {
    process: Owned,
    url: String,
}

impl Dev {
    fn start(project: &Project) -> Self {
        let log = fs::File::create(project.folder.path().join("log")).unwrap();
        let mut command = project.command(&["dev", "--port", "0", "--json"]);
        let process = command.stdout(Stdio::piped()).stderr(log);
        let mut process = Owned::spawn(process).unwrap();
        let mut line = String::new();
        let mut output = BufReader::new(process.stdout.take().unwrap());
        output.read_line(&mut line).unwrap();
        let machine: Value = serde_json::from_str(&line).unwrap();
        let url = machine["url"].as_str().unwrap().to_owned();
        Self { process, url }
    }

    /// Ends it, and gives its log.
    fn end(mut self, project: &Project) -> String {
        self.process.interrupt().unwrap();
        assert!(self.process.wait().unwrap().success());
        fs::read_to_string(project.folder.path().join("log")).unwrap()
    }
}

/// Arguments that register a webhook at one sender.
struct Typed<'a> {
    sender: &'a Sender,
    /// Source and options.
    at: &'a str,
    events: [&'a str; 2],
}

impl Typed<'_> {
    fn register(&self, events: &[&str]) -> String {
        let (source, _) = self.at.split_once(' ').unwrap_or((self.at, ""));
        let url = format!("https://tunnel.example.com/webhooks/{source}");
        let events = events.join(" --events ");
        format!("register {} --local --url {url} --events {events}", self.at)
    }

    /// Creates a webhook, and gives its secret. More calls change its events at most.
    fn is_created_once(&self, project: &Project) -> String {
        let ([first, second], at) = (self.events, self.at);
        let created = project.works(&self.register(&[first]));
        let [webhook] = &self.sender.webhooks()[..] else {
            panic!("{at}: {created}");
        };
        for shown in [&webhook.id, &webhook.url, first, ".hookwell/secrets.toml"] {
            assert!(created.contains(shown), "{created}");
        }
        let again = project.works(&self.register(&[first]));
        let exists = format!("exists     {}", webhook.id);
        assert!(again.starts_with(&exists), "{again}");
        let more = project.works(&format!("{} --json", self.register(&[second, first])));
        let more: Value = serde_json::from_str(&more).unwrap();
        assert_eq!(more["outcome"], "updated");
        assert_eq!(more["id"], webhook.id);
        let [changed] = &self.sender.webhooks()[..] else {
            panic!("{at}: {more}");
        };
        assert_eq!(changed.events, [second, first]);
        let listed = project.works(&format!("register list {at} --json"));
        let listed: Value = serde_json::from_str(&listed).unwrap();
        assert_eq!(listed["events"], json!([second, first]));
        changed.secret.clone()
    }

    /// Changes the events of the webhook, and deletes it.
    fn is_changed_and_deleted(&self, project: &Project) {
        let ([first, _], at, sender) = (self.events, self.at, self.sender);
        let id = &sender.webhooks()[0].id;
        let updated = project.works(&format!("register update {at} {id} --events {first}"));
        assert!(updated.contains("updated"), "{updated}");
        assert_eq!(sender.webhooks()[0].events, [first]);
        // No terminal, nobody to ask.
        let refused = project.fails(&format!("register delete {at} {id}"));
        assert!(refused.contains("add --yes if that is meant"), "{refused}");
        assert_eq!(sender.webhooks().len(), 1);
        project.works(&format!("register delete {at} {id} --yes"));
        assert_eq!(sender.webhooks().len(), 0);
        let gone = project.fails(&format!("register delete {at} {id} --yes"));
        assert!(gone.contains(&format!("has no webhook {id}")), "{gone}");
        assert_eq!(project.works(&format!("register list {at} --json")), "");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_is_created_once_tested_changed_and_deleted_at_each_sender() {
    let project = Project::new().await;
    let all = [
        Typed {
            sender: &project.stripe,
            at: "stripe",
            events: ["customer.created", "*"],
        },
        Typed {
            sender: &project.github,
            at: "github --repository acme/shop",
            events: ["push", "issues"],
        },
        Typed {
            sender: &project.resource,
            at: "resource",
            events: ["resource.created", "user.created"],
        },
    ];
    let secrets = all.each_ref().map(|typed| typed.is_created_once(&project));
    only_its_user_reads(&project.folder.path().join(".hookwell/secrets.toml"));

    let dev = Dev::start(&project);
    for Typed { sender, .. } in &all {
        sender.lead_to(&dev.url);
    }
    let local = format!("--local {} --json", dev.url);

    // Stripe's API has no test event; its next event is one.
    let refused = project.fails("register test stripe we_1");
    assert!(
        refused.contains("sends no test event: `stripe trigger"),
        "{refused}"
    );
    let event = json!({
        "id": "evt_1", "object": "event", "type": "customer.created", "created": 1_795_728_811,
        "data": { "object": { "id": "cus_1", "object": "customer" } },
    });
    let webhook = &project.stripe.webhooks()[0];
    project
        .stripe
        .send(webhook, "whsec_of_somebody_else_0123456789", "", &event);
    project.stripe.send(webhook, &webhook.secret, "", &event);
    assert_eq!(project.stripe.answers(), [401, 200]);
    project.becomes(&format!("documents show cus_1 {local}"), |it| {
        it["source"] == "stripe"
    });

    let asked = project.works("register test github 1 --repository acme/shop");
    assert!(asked.contains("1 for a test event: ping"), "{asked}");
    assert_eq!(project.github.answers(), [200]);
    let is_done = |it: &Value| it["type"] == "ping" && it["status"] == "done";
    project.becomes(&format!("events list --source github {local}"), is_done);

    project.works("register test resource wh_1 --type resource.created --json");
    assert_eq!(project.resource.answers(), [200]);
    project.becomes(&format!("documents show res_test {local}"), |it| {
        it["source"] == "resource"
    });

    for typed in &all {
        typed.is_changed_and_deleted(&project);
    }
    let log = dev.end(&project);
    assert!(log.contains("applied"), "{log}");
    project.printed.lock().unwrap().push_str(&log);
    project.printed_nothing_secret(&secrets);
}

#[cfg(unix)]
fn only_its_user_reads(path: &Path) {
    let mode = std::os::unix::fs::MetadataExt::mode(&fs::metadata(path).unwrap());
    assert_eq!(mode & 0o777, 0o600);
}

#[cfg(not(unix))]
fn only_its_user_reads(_: &Path) {}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_goes_into_its_store_and_a_webhook_without_one_is_deleted_again() {
    let project = Project::new().await;
    let (stripe, stores) = (&project.stripe, &project.stores);
    let register = "register stripe --url https://one.example.com --events invoice.paid";

    // What the store refuses must leave nothing at the sender, or say what it leaves.
    stores.takes_nothing.store(true, Ordering::Relaxed);
    let refused = project.fails(register);
    assert!(
        refused.contains("ssm:/hookwell/stripe: cannot be stored: AccessDeniedException"),
        "{refused}"
    );
    assert!(
        refused.contains("webhook we_1 was deleted again"),
        "{refused}"
    );
    assert_eq!(stripe.webhooks().len(), 0);
    stripe.keeps_all.store(true, Ordering::Relaxed);
    let left = project.fails(register);
    assert!(
        left.contains("`hookwell register delete stripe we_1`"),
        "{left}"
    );
    assert_eq!(stripe.webhooks().len(), 1);
    // Its secret is lost, which the next call says.
    stores.takes_nothing.store(false, Ordering::Relaxed);
    let exists = project.run(register);
    assert!(
        exists.succeeded && exists.stderr.contains("holds no secret"),
        "{}",
        exists.stderr
    );
    stripe.keeps_all.store(false, Ordering::Relaxed);
    project.works("register delete stripe we_1 --yes");

    let created: Value =
        serde_json::from_str(&project.works(&format!("{register} --json"))).unwrap();
    assert_eq!(created["secret"], "ssm:/hookwell/stripe");
    assert_eq!(created["url"], "https://one.example.com/webhooks/stripe");
    let secret = &stripe.webhooks()[0].secret;
    assert_eq!(stores.text("/hookwell/stripe").as_ref(), Some(secret));

    // Another webhook would take the secret from under the first one.
    let other = "register stripe --url https://two.example.com";
    let refused = project.fails(other);
    assert!(
        refused.contains("holds a secret already") && refused.contains("--replace"),
        "{refused}"
    );
    assert_eq!(stripe.webhooks().len(), 1);
    project.works(&format!("{other} --replace"));
    assert_eq!(stripe.webhooks()[1].events, ["*"]);

    // Secrets Manager: a secret that is not there yet, then a new version of it. The key is from a store, too.
    let resource = "register resource --url https://one.example.com/webhooks/resource --events resource.created";
    project.works(resource);
    let first = stores.text("hookwell/resource").unwrap();
    assert_eq!(first, project.resource.webhooks()[0].secret);
    project.works("register delete resource wh_1 --yes");
    project.resource.masks.store(true, Ordering::Relaxed);
    project.works(&format!("{resource} --replace"));
    let second = stores.text("hookwell/resource").unwrap();
    assert_eq!(second, project.resource.webhooks()[0].secret);
    assert_ne!(first, second);
    project.printed_nothing_secret(&[secret.clone(), first, second]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_is_found_behind_a_hundred_others() {
    let project = Project::new().await;
    for (sender, at) in [
        (&project.stripe, "stripe"),
        (&project.github, "github --organization acme"),
    ] {
        sender.crowd(200);
        let register = format!("register {at} --local --url https://one.example.com");
        project.works(&register);
        let again = project.works(&register);
        assert!(again.starts_with("exists"), "{again}");
        assert_eq!(sender.webhooks().len(), 201);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_is_named_and_nothing_is_created() {
    let project = Project::new().await;
    let url = "--url https://one.example.com";
    for (typed, expected) in [
        (
            "register bare",
            "source bare has no api_key: add api_key = \"env:BARE_API_KEY\" to [sources.bare]",
        ),
        (
            "register clerk",
            "known for the presets github, resource, stripe",
        ),
        ("register nobody", "there is no source \"nobody\""),
        (
            "register github --repository acme/shop",
            "env:GITHUB_SECRET, the first secret of github, is in the environment",
        ),
        (
            "register github",
            "add --repository OWNER/NAME or --organization NAME",
        ),
        (
            "register github --repository acme",
            "\"acme\" is not OWNER/NAME of a repository",
        ),
        (
            "register github --organization acme/..",
            "is not the name of an organization",
        ),
        (
            "register github --organization nobody",
            "github answers 404: Not Found",
        ),
        (
            "register stripe --organization acme",
            "belong to no repository or organization",
        ),
        ("register resource", "name the events with --events"),
    ] {
        let error = project.fails(&format!("{typed} {url}"));
        assert!(error.contains(expected), "{typed}: {error}");
    }
    for url in [
        "http://one.example.com",
        "one.example.com",
        "ftp://127.0.0.1",
        "https://user:word@one.example.com",
    ] {
        let error = project.fails(&format!("register stripe --url {url}"));
        assert!(error.contains("is no https:// address"), "{url}: {error}");
    }
    let error = project.fails("register delete stripe ../customers --yes");
    assert!(error.contains("is no id of a webhook"), "{error}");

    // What is in the environment counts before the file.
    let typed = "register github --repository acme/shop --local --url https://one.example.com";
    let set = project.done(project.command(&words(typed)).env("GITHUB_SECRET", "set"));
    let expected = "env:GITHUB_SECRET is set in this environment and counts before";
    assert!(set.stderr.contains(expected), "{}", set.stderr);

    let list = ["register", "list", "stripe"];
    let unset = project.done(project.command(&list).env_remove("API_KEY"));
    assert!(
        unset.stderr.contains("the API key env:API_KEY is not set"),
        "{}",
        unset.stderr
    );
    // The sender repeats the key that it refuses.
    let wrong = "sk_wrong_canary_9876543210";
    let refused = project.done(project.command(&list).env("API_KEY", wrong));
    assert!(
        refused
            .stderr
            .contains("stripe refuses the API key (401: bad key: Bearer ***)"),
        "{}",
        refused.stderr
    );
    let printed = project.printed.lock().unwrap();
    assert!(
        !printed.contains(wrong) && !printed.contains(KEY),
        "{printed}"
    );
    for sender in [&project.stripe, &project.github, &project.resource] {
        assert_eq!(sender.webhooks().len(), 0);
    }
}
