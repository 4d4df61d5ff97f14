//! Templates such as `v0:{ts}:{body}`: characters, and tokens in braces.

/// Reads a template. `literal` makes a part of characters, and `token` of what stands between braces.
///
/// # Errors
/// The first that `token` gives, or the brace that is never closed.
pub(crate) fn parse<T>(
    template: &str,
    literal: impl Fn(String) -> T,
    token: impl Fn(&str) -> Result<T, String>,
) -> Result<Vec<T>, String> {
    let mut parts = Vec::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        if !before.is_empty() {
            parts.push(literal(before.to_owned()));
        }
        let (inner, after) = after
            .split_once('}')
            .ok_or_else(|| "a { without }".to_owned())?;
        parts.push(token(inner)?);
        rest = after;
    }
    if !rest.is_empty() {
        parts.push(literal(rest.to_owned()));
    }
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(template: &str) -> Result<Vec<String>, String> {
        parse(template, |text| text, |token| Ok(format!("<{token}>")))
    }

    #[test]
    fn characters_and_tokens_keep_their_order() {
        assert_eq!(
            parts("v0:{ts}{body}.").unwrap(),
            ["v0:", "<ts>", "<body>", "."]
        );
        assert_eq!(parts("").unwrap(), [""; 0]);
        assert_eq!(parts("a}b").unwrap(), ["a}b"]);
        assert_eq!(parts("{ts").unwrap_err(), "a { without }");
    }
}
