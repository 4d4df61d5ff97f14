//! The proof of who a sender is.

use serde::Serialize;
use toml::{Table, Value};

use super::text::string;

/// The proof of who a sender is. Where several ways are good, each text names all of them.
#[derive(Debug, Serialize)]
pub struct Signing {
    /// The algorithm, or `code` where no recipe can say it.
    pub algorithm: String,
    /// The header that holds the signature, or `header` or `body` for a scheme that is code.
    pub place: String,
    /// The bytes that are signed; empty for a scheme that is code.
    pub content: String,
    /// The seconds that the signed time may be from now; empty where no time is signed.
    pub tolerance: String,
}

impl Signing {
    pub(super) fn of(preset: &Table) -> Self {
        if let Some(Value::String(verifier)) = preset.get("verifier") {
            let tolerance = preset.get("tolerance").and_then(Value::as_table);
            let place = match verifier.as_str() {
                "adyen" | "aws-sns" | "mailgun" | "msgraph" => "body",
                _ => "header",
            };
            return Self {
                algorithm: "code".to_owned(),
                place: place.to_owned(),
                content: String::new(),
                tolerance: tolerance.map(seconds).unwrap_or_default(),
            };
        }
        let verify = preset.get("verify").and_then(Value::as_table);
        let recipes: Vec<&Table> = match verify.and_then(|verify| verify.get("any_of")) {
            Some(Value::Array(all)) => all.iter().filter_map(Value::as_table).collect(),
            _ => verify.into_iter().collect(),
        };
        let part = |recipe: &Table, key: &str| recipe.get(key).and_then(Value::as_table).cloned();
        Self {
            algorithm: distinct(&recipes, |recipe| string(recipe, "alg")),
            place: distinct(&recipes, |recipe| {
                part(recipe, "signature").map_or(String::new(), |field| code(&first_header(&field)))
            }),
            content: distinct(&recipes, |recipe| code(&string(recipe, "content"))),
            tolerance: distinct(&recipes, |recipe| {
                part(recipe, "timestamp").map_or(String::new(), |time| seconds(&time))
            }),
        }
    }
}

/// The different texts of the recipes.
fn distinct(recipes: &[&Table], text: impl Fn(&Table) -> String) -> String {
    let mut texts: Vec<String> = Vec::new();
    for recipe in recipes {
        let text = text(recipe);
        if !texts.contains(&text) {
            texts.push(text);
        }
    }
    texts.join(" or ")
}

fn seconds(table: &Table) -> String {
    let number = |key: &str| table.get(key).and_then(Value::as_integer).unwrap_or(300);
    match (number("past"), number("future")) {
        (past, future) if past == future => format!("±{past}"),
        (past, future) => format!("-{past} +{future}"),
    }
}

fn first_header(field: &Table) -> String {
    let headers = field.get("header").and_then(Value::as_array);
    let first = headers.and_then(|all| all.first());
    let first = first.and_then(Value::as_str);
    first.unwrap_or_default().to_owned()
}

fn code(text: &str) -> String {
    if text.is_empty() {
        return String::new();
    }
    format!("`{text}`")
}
