//! Bodies of several parts (RFC 7578), as a form of texts. Files are left out.

use crate::format::form::MAX_FIELDS;

/// The longest boundary with the two dashes before it, in bytes (RFC 2046, 5.1.1).
const MAX_BOUNDARY: usize = 72;

/// The fields of a multipart body, in their order. The boundary is the first line of the body, so that no header decides
/// what the bytes mean.
pub(crate) fn fields(body: &[u8]) -> Vec<(String, String)> {
    let line = body.get(..body.len().min(MAX_BOUNDARY + 2));
    let Some(end) = line.and_then(|line| find(line, b"\r\n")) else {
        return Vec::new();
    };
    let (boundary, rest) = body.split_at(end);
    // The line break before a boundary belongs to the boundary.
    let delimiter = [b"\r\n", boundary].concat();
    let mut fields = Vec::new();
    let mut rest = rest;
    while let Some(after) = rest.strip_prefix(b"\r\n")
        && fields.len() <= MAX_FIELDS
    {
        let Some(length) = find(after, &delimiter) else {
            break;
        };
        let (part, next) = after.split_at(length);
        fields.extend(field(part));
        rest = next.get(delimiter.len()..).unwrap_or_default();
    }
    fields
}

/// Name and text of one part; `None` for a file, or when it has no name.
fn field(part: &[u8]) -> Option<(String, String)> {
    let end = find(part, b"\r\n\r\n")?;
    let head = std::str::from_utf8(part.get(..end)?).ok()?;
    let text = std::str::from_utf8(part.get(end.saturating_add(4)..)?).ok()?;
    let disposition = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-disposition")
            .then_some(value)
    })?;
    let parameter = |wanted: &str| {
        disposition.split(';').find_map(|parameter| {
            let (name, value) = parameter.trim().split_once('=')?;
            let value = unquoted(value)?.to_owned();
            name.eq_ignore_ascii_case(wanted).then_some(value)
        })
    };
    match parameter("filename") {
        Some(_) => None,
        None => Some((parameter("name")?, text.to_owned())),
    }
}

/// The text of a parameter, with quotes around it or without any; `None` where a quote is not closed.
fn unquoted(value: &str) -> Option<&str> {
    let text = match value.strip_prefix('"') {
        Some(rest) => rest.strip_suffix('"')?,
        None => value,
    };
    (!text.contains('"')).then_some(text)
}

/// Position at which `wanted` begins in `text`.
fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|some| some == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_texts_and_files_are_left_out() {
        let body = b"--xYz\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\none\r\n--xYz\r\n\
            content-disposition: form-data; name=\"f\"; filename=\"x.txt\"\r\nContent-Type: text/plain\r\n\r\nabc\r\n\
            --xYz\r\nContent-Disposition: form-data; name=b\r\n\r\ntwo\r\nlines\r\n--xYz--\r\n";
        let texts = [("a", "one"), ("b", "two\r\nlines")];
        let texts = texts.map(|(name, text)| (name.to_owned(), text.to_owned()));
        assert_eq!(fields(body), texts);
    }

    #[test]
    fn a_part_whose_name_is_not_closed_is_none() {
        let body = |name: &str| {
            let part = format!("--x\r\nContent-Disposition: form-data; name={name}\r\n\r\none");
            fields(format!("{part}\r\n--x--\r\n").as_bytes())
        };
        for name in ["\"a\"", "\"a\" ", "a"] {
            assert_eq!(body(name), [("a".to_owned(), "one".to_owned())], "{name}");
        }
        for name in ["\"a", "a\"", "\"\"a\"", "a\"b"] {
            assert_eq!(body(name), [], "{name}");
        }
    }

    #[test]
    fn what_is_no_multipart_body_has_no_fields() {
        for body in [
            &b""[..],
            b"a=1",
            b"--x\r\n",
            b"--x\r\n\r\n--x",
            b"\r\n\r\n\r\n",
        ] {
            assert_eq!(fields(body), [], "{body:?}");
        }
    }
}
