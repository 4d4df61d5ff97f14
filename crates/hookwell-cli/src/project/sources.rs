//! The sources file of a new project: a source for each preset, with what the preset cannot do without.

use std::fmt::Write as _;

use anyhow::{Result, bail};
use hookwell::config;

use crate::presets;

const HEAD: &str = "\
# Your senders: each [sources.NAME] answers at POST /webhooks/NAME.
# `cargo run -- check` finds mistakes; `cargo run -- presets show NAME` prints what a preset knows.
";

/// The text for these presets.
///
/// # Errors
/// When one is unknown, named twice, or cannot be used without more than a person can leave open.
pub(super) fn of_presets(names: &[String]) -> Result<String> {
    let mut text = HEAD.to_owned();
    for (place, name) in names.iter().enumerate() {
        if presets::find(name).is_none() {
            bail!("there is no preset {name:?}: `hookwell presets list` has them");
        }
        if names.iter().take(place).any(|other| other == name) {
            bail!("the preset {name:?} is named twice");
        }
        // Writing to a String cannot fail.
        let _ = write!(text, "\n{}", source(name)?);
    }
    Ok(text)
}

/// The shortest source of a preset that `check` takes.
fn source(preset: &str) -> Result<String> {
    let secrets = format!("secrets = [\"ssm:/hookwell/{preset}\"]\n");
    let url = format!(
        "public_url = \"https://hooks.example.com/webhooks/{preset}\" # the address that its sender knows; it is signed\n"
    );
    let ips = "allow_ips = [\"127.0.0.0/8\", \"::1/128\"] # it signs nothing: name the addresses of its sender\n";
    let topics =
        "topics = [\"arn:aws:sns:us-east-1:111122223333:NAME\"] # the topics that may post\n";
    let pinned = format!("pinned = [\"ssm:/hookwell/{preset}-key\"] # the provider's public key\n");
    let choices: [&[&str]; 9] = [
        &[],
        &[ips],
        &[&secrets],
        &[&secrets, &url],
        &[topics],
        &[&secrets, topics],
        &[&url],
        &[&pinned],
        &[&secrets, &pinned],
    ];
    for choice in choices {
        let text = format!(
            "[sources.{preset}]\npreset = \"{preset}\"\n{}",
            choice.concat()
        );
        if config::parse_locally(&text).is_ok() {
            return Ok(text);
        }
    }
    bail!(
        "the preset {preset:?} needs more than a new project can know: add it to sources.toml afterwards"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_preset_makes_a_source_that_a_sample_can_be_made_of() {
        for name in hookwell::config::presets() {
            let text = of_presets(std::slice::from_ref(&name));
            let text = text.unwrap_or_else(|why| panic!("{name}: {why}"));
            let events = hookwell_sandbox::sample::events(&text);
            assert!(events.is_ok(), "{text}{events:?}");
        }
    }

    #[test]
    fn a_preset_is_known_and_named_once() {
        let why = |names: &[&str]| {
            let names: Vec<_> = names.iter().map(ToString::to_string).collect();
            of_presets(&names).unwrap_err().to_string()
        };
        assert!(why(&["strip"]).contains("there is no preset"));
        assert!(why(&["stripe", "stripe"]).contains("twice"));
    }
}
