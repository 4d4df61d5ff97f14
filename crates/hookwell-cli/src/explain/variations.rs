//! The list of what people get wrong, the likeliest first.

use std::sync::LazyLock;

use hookwell::config;
use hookwell::event::delivery::Delivery;
use hookwell::source::Source;
use hookwell::verify::recipe::Recipe;

use super::known::Known;
use super::look::Look;
use super::recipe;
use super::rewrite;
use super::variation::{Difference, Variation};

/// Every variation of a look, the likeliest first. Units of the time are not among them: see
/// [`recipe::units`].
pub(super) fn all<'a>(
    look: &Look<'a>,
    known: Known<'a>,
    delivery: &'a Delivery,
) -> impl Iterator<Item = Variation<'a>> {
    let recipes: Vec<Recipe> = look.recipes().cloned().collect();
    let source = look.source.clone();
    let of_recipes = recipes
        .into_iter()
        .flat_map(move |recipe| recipe::all(&recipe, &source, delivery));
    other_sources(look, known)
        .into_iter()
        .chain(of_recipes)
        .chain(addresses(&look.source, delivery))
        .chain(bodies(delivery))
        .chain(presets(&look.source))
}

fn other_sources<'a>(look: &Look<'a>, known: Known<'a>) -> Vec<Variation<'a>> {
    let own = &look.source.name;
    let others = known.sources.iter().filter(|it| it.name != *own);
    // An unsigned source takes anything, which says nothing.
    let others: Vec<_> = others.filter(|it| !it.is_unsigned()).collect();
    let mut found = Vec::new();
    for other in &others {
        let name = &other.name;
        let says = format!(
            "it is signed in every way as source {name} expects, with the secret of source {name}: have it posted to \
             /webhooks/{name}, or give its sender this source's secret"
        );
        let source = Source::clone(other);
        found.push(Variation::new(Difference::Source, says, move |look| {
            look.source = source;
        }));
    }
    for other in &others {
        for secret in &other.secrets {
            let says = format!(
                "it was made with {secret}, which is the secret of source {}: give the sender this source's secret",
                other.name
            );
            found.push(Variation::new(Difference::Secret, says, move |look| {
                look.use_secret(secret.clone());
            }));
        }
    }
    found
}

/// A form of an address: words for it, and the address in it.
type Form = (&'static str, fn(&str) -> Option<String>);

const FORMS: [Form; 4] = [
    ("with a slash at its end", |url| Some(format!("{url}/"))),
    ("without the slash at its end", |url| {
        Some(url.strip_suffix('/')?.to_owned())
    }),
    ("with http", |url| {
        Some(format!("http{}", url.strip_prefix("https")?))
    }),
    ("with https", |url| {
        Some(format!(
            "https{}",
            url.strip_prefix("http:").map(|rest| format!(":{rest}"))?
        ))
    }),
];

fn addresses<'a>(source: &Source, delivery: &Delivery) -> Vec<Variation<'a>> {
    let Some(own) = &source.public_url else {
        return Vec::new();
    };
    let forms = FORMS
        .iter()
        .filter_map(|(how, change)| Some((format!("public_url {how}"), change(own)?)));
    let host = delivery.header("host");
    let asked = host.map(|host| format!("https://{host}{}", delivery.path));
    let asked = asked.map(|url| (format!("{url:?}, the address that it asked for"), url));
    let variation = |(what, url): (String, String)| {
        let says = format!(
            "the sender signs {what}: set public_url to the address that the sender has, or the reverse"
        );
        Variation::new(Difference::Address, says, |look: &mut Look<'a>| {
            look.source.public_url = Some(url);
        })
    };
    forms.chain(asked).map(variation).collect()
}

fn bodies<'a>(delivery: &'a Delivery) -> impl Iterator<Item = Variation<'a>> {
    rewrite::bodies(&delivery.body).map(|(what, body)| {
        let says = format!(
            "the body was changed after it was signed: {what}. Have the sender sign the bytes that it sends; where it \
             does, look for a proxy or a script that parses and writes them again"
        );
        Variation::new(Difference::Body, says, |look: &mut Look<'a>| {
            look.delivery.to_mut().body = body;
        })
    })
}

/// Every preset whose sender signs with a secret, as a source.
static PRESETS: LazyLock<Vec<(String, Source)>> = LazyLock::new(|| {
    let signing = |preset: String| {
        let file = format!(
            "[sources.it]\npreset = {preset:?}\nsecrets = [\"env:IT\"]\npublic_url = \"https://it.example\""
        );
        let sources = config::parse(&file).ok()?;
        let source = sources.into_iter().find(|it| !it.is_unsigned())?;
        Some((preset, source))
    };
    config::presets().into_iter().filter_map(signing).collect()
});

fn presets<'a>(source: &Source) -> impl Iterator<Item = Variation<'a>> + use<'a> {
    let (secrets, url) = (source.secrets.clone(), source.public_url.clone());
    PRESETS.iter().map(move |(preset, source)| {
        let says = format!(
            "it is signed as preset {preset:?} says, with this secret: set preset = {preset:?}"
        );
        let mut source = source.clone();
        source.secrets.clone_from(&secrets);
        source.public_url.clone_from(&url);
        Variation::new(Difference::Preset, says, |look: &mut Look<'a>| {
            look.source = source;
        })
    })
}
