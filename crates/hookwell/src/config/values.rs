//! Texts that must be something: a pattern, a JSON pointer, the name of a header.

use crate::config::fields::Problems;
use crate::format::json::Pointer;
use crate::format::pattern::Pattern;

pub(super) fn pattern(text: &str, path: &str, problems: &Problems) -> Option<Pattern> {
    let pattern = Pattern::parse(text);
    if pattern.is_none() {
        problems.add(path, &format!("{text:?} is not a word with at most one *"));
    }
    pattern
}

pub(super) fn pointer(text: &str, path: &str, problems: &Problems) -> Option<Pointer> {
    let pointer = Pointer::parse(text);
    if pointer.is_none() {
        problems.add(
            path,
            &format!("{text:?} is not a JSON pointer such as /data/id"),
        );
    }
    pointer
}

pub(super) fn check_headers(names: &[String], path: &str, problems: &Problems) {
    for name in names {
        if http::HeaderName::from_bytes(name.as_bytes()).is_err() {
            problems.add(path, &format!("{name:?} is not a header name"));
        }
    }
}
