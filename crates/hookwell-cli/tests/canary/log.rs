//! The log, the places that wrote it, and every place in the sources that logs.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex};

use hookwell_lambda::telemetry;
use serde_json::Value;
use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

/// Everything that was logged.
#[derive(Clone, Default)]
pub(crate) struct Log {
    bytes: Arc<Mutex<Vec<u8>>>,
    reached: Arc<Mutex<BTreeSet<String>>>,
}

impl Log {
    /// Starts the log of the functions at the lowest level there is, with metrics; others at the level of production.
    pub(crate) fn start() -> Self {
        let log = Self::default();
        let into = log.clone();
        let env = |name: &str| (name == "HOOKWELL_METRICS").then(|| "Hookwell/test".to_owned());
        let targets = telemetry::targets(LevelFilter::TRACE);
        tracing_subscriber::registry()
            .with(
                targets
                    .with_target("hookwell_cli", LevelFilter::TRACE)
                    .with_target("hookwell_local", LevelFilter::TRACE),
            )
            .with(telemetry::lines(&env, move || into.clone()))
            .with(log.clone())
            .init();
        log
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.bytes.lock().unwrap().clone()).unwrap()
    }

    /// The places that logged, as `file:line`.
    pub(crate) fn reached(&self) -> BTreeSet<String> {
        self.reached.lock().unwrap().clone()
    }

    fn lines(&self) -> Vec<BTreeMap<String, Value>> {
        let text = self.text();
        let lines = text.lines();
        lines
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// The fields of all lines of the functions.
    pub(crate) fn fields(&self) -> BTreeSet<String> {
        let ours = ["hookwell", "hookwell_aws", "hookwell_lambda"];
        let is_ours = |line: &BTreeMap<String, Value>| {
            let target = line["target"].as_str().unwrap();
            ours.contains(&target.split("::").next().unwrap())
        };
        let lines = self.lines().into_iter().filter(is_ours);
        lines.flat_map(BTreeMap::into_keys).collect()
    }

    /// The values of a field in all lines with this message.
    pub(crate) fn values(&self, message: &str, field: &str) -> BTreeSet<String> {
        let lines = self.lines().into_iter();
        let lines = lines.filter(|line| line["message"] == message);
        let values = lines.filter_map(|mut line| line.remove(field));
        values
            .map(|value| value.as_str().unwrap().to_owned())
            .collect()
    }
}

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.bytes.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<S: Subscriber> Layer<S> for Log {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        let place = event.metadata();
        // Of other crates the whole path is known.
        let file = place.file().filter(|file| !file.starts_with('/'));
        if let (Some(file), Some(line)) = (file, place.line()) {
            self.reached
                .lock()
                .unwrap()
                .insert(format!("{file}:{line}"));
        }
    }
}

/// Every place in our sources that logs, as `file:line`, with its code.
pub(crate) fn sites() -> BTreeMap<String, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut sites = BTreeMap::new();
    for folder in ["crates", "functions"] {
        for member in std::fs::read_dir(root.join(folder)).unwrap() {
            search(&root, &member.unwrap().path().join("src"), &mut sites);
        }
    }
    assert!(sites.len() > 10, "{sites:#?}");
    sites
}

fn search(root: &Path, folder: &Path, sites: &mut BTreeMap<String, String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            search(root, &path, sites);
        } else if path.extension().is_some_and(|end| end == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]").next().unwrap();
            let file = path.strip_prefix(root).unwrap().display();
            let lines: Vec<_> = code.lines().collect();
            for (index, line) in lines.iter().enumerate() {
                if logs(line) {
                    let code = lines[index..].iter().take(4).copied().collect();
                    sites.insert(format!("{file}:{}", index + 1), code);
                }
            }
        }
    }
}

/// True when a line begins a call of tracing: by a level, or by `line!(LEVEL)`, with which one place of the code is a
/// line of one of several levels.
fn logs(line: &str) -> bool {
    let levels = ["trace", "debug", "info", "warn", "error"];
    let calls = levels.map(|level| [format!("tracing::{level}!("), format!("line!({level})")]);
    let is_call = calls
        .iter()
        .flatten()
        .any(|call| line.contains(call.as_str()));
    let is_any = line.contains("tracing::event!(")
        || line.contains("use tracing::{error")
        || levels
            .iter()
            .any(|level| line.contains(&format!("use tracing::{level}")));
    assert!(!is_any, "this test would not see it: {line}");
    is_call
}
