//! The template of a new project: the shipped template without the shipped sources.

const SHIPPED: &str = include_str!("../../project/template.yaml");

/// The shipped template for any sources: their secrets are in the stores, and one output stands for the addresses of all.
fn without_sources() -> String {
    let mut text = String::new();
    // Indentation of the block that is left out now.
    let mut leaving_out = None;
    for line in SHIPPED.lines() {
        let indentation = line.len().saturating_sub(line.trim_start().len());
        let is_inside = |out: usize| line.trim().is_empty() || indentation > out;
        leaving_out = leaving_out.filter(|out| is_inside(*out));
        if leaving_out.is_some() {
            continue;
        }
        if is_of_shipped_sources(line.trim_start()) {
            leaving_out = Some(indentation);
            continue;
        }
        text.push_str(line);
        text.push('\n');
    }
    let text = text.replace(
        "  # Each source of functions/ingest/sources.toml, at both endpoints.\n\n",
        OUTPUTS,
    );
    // The sources of a new project have their secrets there.
    let (before, after) = text.split_once("  SecretPrefix:\n").unwrap_or((&text, ""));
    let after = after.replacen("Default: \"\"", "Default: hookwell/", 1);
    format!("{before}  SecretPrefix:\n{after}")
}

/// Timeout of ingest in the shipped template, in seconds.
const TIMEOUT: u8 = 5;

/// The template of a project, whose handler may have a table of its own: a table that nobody uses costs nothing, and a
/// missing table stops a handler that needs one. Ingest runs no longer than its most hurried sender waits, in seconds.
pub(super) fn of_project(hurried: Option<u8>) -> String {
    let timeout = |seconds: u8| format!("\n      Timeout: {seconds}\n");
    let seconds = hurried.map_or(TIMEOUT, |seconds| seconds.min(TIMEOUT));
    let text = without_sources().replacen(&timeout(TIMEOUT), &timeout(seconds), 1);
    let parameter = "  WithHandlerTable:\n";
    let (before, after) = text.split_once(parameter).unwrap_or((&text, ""));
    let after = after.replacen("Default: \"no\"", "Default: \"yes\"", 1);
    format!("{before}{parameter}{after}")
}

/// The template for functions that are built already for a processor, and packed beside it.
pub(crate) fn of_bundles(processor: &str) -> String {
    let mut text = without_sources();
    text = text.replacen("Default: arm64", &format!("Default: {processor}"), 1);
    let root = "    # The workspace root, so that both functions share one target directory; CargoLambda.toml says what is built.\n    CodeUri: .\n";
    text = text.replace(root, "");
    for function in ["ingest", "process"] {
        let built = format!(
            "    Metadata:\n      BuildMethod: rust-cargolambda\n      BuildProperties:\n        Binary: {function}\n    Properties:\n"
        );
        let packed = format!("    Properties:\n      CodeUri: {function}.zip\n");
        text = text.replace(&built, &packed);
    }
    text
}

/// The addresses, without the name of a source.
const OUTPUTS: &str = "  # With the name of a source behind it, the address for its sender.

  WebhookUrl:
    Condition: UrlOn
    Description: Webhook URL at the function, without the name of the source
    Value: !Sub ${IngestUrl.FunctionUrl}webhooks/

  WebhookApi:
    Condition: ApiOn
    Description: Webhook URL at the HTTP API, without the name of the source
    Value: !Sub ${HttpApi.ApiEndpoint}/webhooks/

";

/// True for the first line of a parameter, variable or output of a shipped source, and for the remark above the parameters.
fn is_of_shipped_sources(line: &str) -> bool {
    const SOURCES: [&str; 4] = ["Resource", "Generic", "Stonal", "Plain"];
    let is_named = |prefix: &str| {
        let name = line
            .strip_prefix(prefix)
            .and_then(|rest| rest.strip_suffix(':'));
        name.is_some_and(|name| SOURCES.contains(&name))
    };
    ["Secret", "Url", "Api"].into_iter().any(is_named)
        || line.starts_with("HOOKWELL_SECRET_")
        || line.starts_with("# Better a store: ")
        || line.starts_with("# environment can be read by whoever")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_nothing_of_the_shipped_sources_and_has_no_problem() {
        let text = of_project(None);
        for word in [
            "SecretResource",
            "SecretGeneric",
            "HOOKWELL_SECRET",
            "Stonal",
            "UrlPlain",
        ] {
            assert!(!text.contains(word), "{word}");
        }
        for word in ["WebhookUrl:", "Default: hookwell/", "IngestFunctionName:"] {
            assert!(text.contains(word), "{word}");
        }
        let own = hookwell_template::own_tables(&text).unwrap();
        assert_eq!(own[0].variable, "HANDLER_TABLE");
        // Every other line is the shipped one's.
        assert!(SHIPPED.lines().count() < text.lines().count() + 90);
        let sources =
            "[sources.stripe]\npreset = \"stripe\"\nsecrets = [\"ssm:/hookwell/stripe\"]\n";
        let sources = hookwell::config::parse(sources).unwrap();
        let found = hookwell_template::check(&text, &sources, &[]).unwrap();
        let problems: Vec<_> = found.iter().filter(|one| one.is_problem).collect();
        assert!(problems.is_empty(), "{problems:?}");
    }

    #[test]
    fn ingest_runs_no_longer_than_its_most_hurried_sender_waits() {
        let sources = "[sources.chat]\npreset = \"slack\"\nsecrets = [\"ssm:/hookwell/chat\"]\n";
        let sources = hookwell::config::parse(sources).unwrap();
        let problems = |hurried| {
            let found = hookwell_template::check(&of_project(hurried), &sources, &[]).unwrap();
            let problems = found.into_iter().filter(|one| one.is_problem);
            problems.map(|one| one.rule).collect::<Vec<_>>()
        };
        assert_eq!(problems(sources[0].answer_within), Vec::<&str>::new());
        assert_eq!(problems(None), ["ingest-timeout"]);
    }

    #[test]
    fn bundles_are_deployed_as_they_are() {
        let text = of_bundles("x86_64");
        for word in [
            "CodeUri: ingest.zip",
            "CodeUri: process.zip",
            "Default: x86_64",
        ] {
            assert!(text.contains(word), "{word}");
        }
        for word in ["CodeUri: .\n", "BuildMethod", "Binary:"] {
            assert!(!text.contains(word), "{word}");
        }
        // Those of whoever changed the shipped one for a handler's table.
        let own = |text| hookwell_template::own_tables(text).unwrap().len();
        assert_eq!(own(&text), own(SHIPPED));
    }
}
