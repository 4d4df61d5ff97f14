//! `docs/providers.md` is made from the presets: `HOOKWELL_BLESS=1 cargo test -p hookwell-cli --test all providers_page`
//! writes it, and a plain test says when it is stale.

use std::fmt::Write as _;

use hookwell_cli::presets::{self, Documents, Keeps, Preset};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/providers.md");

const HEAD: &str = "\
# Providers

Every preset, made from `crates/hookwell/src/config/presets.toml`; do not edit this page (see its test, `providers_page.rs`).
`preset = \"NAME\"` and a secret make a source of any of them; [adding-a-source.md](adding-a-source.md) explains the keys.
`hookwell presets list` and `hookwell presets show NAME` print the same.

## How they sign

The tolerance is how many seconds a signed time may be in the past or the future. Where nothing else is said the answer
to a good delivery is 200 with `{\"status\":\"received\"}` and to a bad signature 401. *waits* is how long the sender waits for the
answer, where its pages say so. The last column names what no page or official library was at hand for: check it against a real
delivery.

";

const DOCUMENTS: &str = "\
The documents table keeps the newest state of what a sender's events are about. That needs events that hold the whole state;
an event that only names its document is thin. Thin events go to your handler and to destinations like all others, and the
documents table keeps nothing of them: a handler fetches the state from the sender. A deletion needs no state. An event of a
kept document that comes without its state is thin too.

Events of a document are ordered by their time, whatever the order of their arrival. Where an event has no time, or one that
cannot be read, its first reception takes its place. What the preset says of a time is in brackets, above all how fine it is:
in whole seconds, two events of one second tie. Of two that tie, the one received last counts.

Places are written as in a preset: `body:/a/b` is `b` of `a` in the body, `item:` is in an item of the delivery's list,
`document:` is in the state. Where the type of a document is not a word of the preset, it is the text at a place, or what the
star of a pattern stands for: of `invoice.created` and `*.created` that is `invoice`.

";

#[test]
fn the_page_of_providers_is_what_the_presets_say() {
    let made = page();
    if std::env::var_os("HOOKWELL_BLESS").is_some() {
        std::fs::write(PAGE, &made).unwrap();
    }
    let there = std::fs::read_to_string(PAGE).unwrap_or_default();
    assert!(
        there == made,
        "docs/providers.md is stale: HOOKWELL_BLESS=1 cargo test -p hookwell-cli --test all providers_page"
    );
}

fn page() -> String {
    let presets = presets::all();
    let mut page = format!("{HEAD}{} presets.\n\n", presets.len());
    page.push_str("| preset | proof | where | signed | tolerance | event id | many | handshake | answers | waits | sender's retries | unverified |\n");
    page.push_str("|---|---|---|---|---|---|---|---|---|---|---|---|\n");
    for preset in &presets {
        page.push_str(&row(preset));
    }
    page.push_str("\n## What the documents table keeps\n\n");
    page.push_str(&counts(&presets));
    page.push_str(DOCUMENTS);
    page.push_str("| preset | documents | ordered by | a tie rests on |\n|---|---|---|---|\n");
    for preset in &presets {
        page.push_str(&documents_row(preset));
    }
    for preset in &presets {
        page.push_str(&section(preset));
    }
    page
}

fn row(preset: &Preset) -> String {
    let link = preset.page.strip_prefix("docs/").unwrap_or(&preset.page);
    let signing = &preset.signing;
    let event_id = preset.event_id.first();
    let cells = [
        format!("[{}]({link})", preset.preset),
        signing.algorithm.clone(),
        signing.place.clone(),
        signing.content.clone(),
        signing.tolerance.clone(),
        event_id
            .map(|place| format!("`{place}`"))
            .unwrap_or_default(),
        if preset.many { "yes" } else { "" }.to_owned(),
        preset.handshake.clone().unwrap_or_default(),
        preset.answers.join(", "),
        preset.answer_within.clone().unwrap_or_default(),
        preset.retries.clone(),
        preset.unverified.join(", "),
    ];
    table_row(&cells)
}

fn table_row(cells: &[String]) -> String {
    let cells: Vec<_> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
    format!("| {} |\n", cells.join(" | "))
}

fn counts(presets: &[Preset]) -> String {
    let of = |keeps| {
        let presets = presets.iter();
        presets.filter(move |preset| preset.documents.keeps() == keeps)
    };
    let also_thin = of(Keeps::Documents).filter(|preset| !preset.documents.named().is_empty());
    let mut text = format!(
        "Of {} presets, {} keep documents, and {} of these have thin events as well; {} have only thin events; {} have events \
         that are about no document:\n\n",
        presets.len(),
        of(Keeps::Documents).count(),
        also_thin.count(),
        of(Keeps::Names).count(),
        of(Keeps::Nothing).count(),
    );
    for Preset {
        preset, documents, ..
    } in of(Keeps::Nothing)
    {
        let why = documents.why_none.as_deref().unwrap_or_default();
        writeln!(text, "* {preset}: {why}.").unwrap();
    }
    text.push('\n');
    text
}

fn documents_row(preset: &Preset) -> String {
    let documents = &preset.documents;
    let name = match documents.keeps() {
        Keeps::Nothing => preset.preset.clone(),
        _ => format!("[{0}](#{0})", preset.preset),
    };
    let ordered = documents.ordered_by();
    let more = match ordered.len() {
        0 | 1 => "",
        _ => "; some otherwise",
    };
    let ordered = ordered.first().cloned().unwrap_or_default();
    table_row(&[
        name,
        documents.summary().to_owned(),
        format!("{ordered}{more}"),
        documents.tie.clone(),
    ])
}

/// The documents of one preset, in full.
fn section(preset: &Preset) -> String {
    let documents = &preset.documents;
    if documents.keeps() == Keeps::Nothing {
        return String::new();
    }
    let lines = [
        ("Kept", kept(documents)),
        ("Only named", documents.named().join(", ")),
        ("Neither", documents.neither()),
        ("Ordered by", documents.ordered_by().join("; ")),
        ("A tie rests on", documents.tie.clone()),
    ];
    let mut text = format!("\n### {}\n\n", preset.preset);
    for (name, what) in lines.iter().filter(|(_, what)| !what.is_empty()) {
        writeln!(text, "* {name}: {what}.").unwrap();
    }
    text
}

/// The documents that are kept, with the places of their states.
fn kept(documents: &Documents) -> String {
    let kept = documents.kept();
    let groups = kept.iter().map(|(names, state)| {
        let state: Vec<_> = state.iter().map(|place| format!("`{place}`")).collect();
        format!("{} (from {})", names.join(", "), state.join(", else "))
    });
    groups.collect::<Vec<_>>().join("; ")
}
