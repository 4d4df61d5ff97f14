//! Bodies of several parts (RFC 7578), as a form of texts. Files are left out.

/// The longest boundary with the two dashes before it, in bytes (RFC 2046, 5.1.1).
const MAX_BOUNDARY: usize = 72;

/// The fields of a multipart body, in their order. The boundary is the first line of the body, so that no header decides
/// what the bytes mean.
pub(crate) fn fields(body: &[u8]) -> impl Iterator<Item = (&str, &str)> {
    let line = body.get(..body.len().min(MAX_BOUNDARY + 2));
    let end = line.and_then(|line| find(line, b"\r\n"));
    let (boundary, mut rest) = end.map_or_else(Default::default, |end| body.split_at(end));
    // The line break before a boundary belongs to the boundary.
    let delimiter = [b"\r\n", boundary].concat();
    std::iter::from_fn(move || {
        loop {
            let after = rest.strip_prefix(b"\r\n")?;
            let (part, next) = after.split_at(find(after, &delimiter)?);
            rest = next.get(delimiter.len()..).unwrap_or_default();
            if let Some(field) = field(part) {
                return Some(field);
            }
        }
    })
}

/// Name and text of one part; `None` for a file, and for a part whose head another reader could take for something else.
fn field(part: &[u8]) -> Option<(&str, &str)> {
    let end = find(part, b"\r\n\r\n")?;
    let head = std::str::from_utf8(part.get(..end)?).ok()?;
    let text = std::str::from_utf8(part.get(end.saturating_add(4)..)?).ok()?;
    let headers: Option<Vec<_>> = head.split("\r\n").map(header).collect();
    let mut dispositions = headers?.into_iter().filter_map(|(name, value)| {
        name.eq_ignore_ascii_case("content-disposition")
            .then_some(value)
    });
    let (Some(disposition), None) = (dispositions.next(), dispositions.next()) else {
        return None;
    };
    let (kind, parameter) = disposition.split_once(';')?;
    // A part with any other parameter is a file.
    let (key, name) = parameter.trim().split_once('=')?;
    if !kind.trim().eq_ignore_ascii_case("form-data") || !key.eq_ignore_ascii_case("name") {
        return None;
    }
    Some((unquoted(name)?, text))
}

/// Name and value of a header line.
fn header(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.split_once(':')?;
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    let is_header = !name.is_empty() && name.bytes().all(is_name);
    is_header.then_some((name, value))
}

/// The text of a parameter, with quotes around it, or a word without any; `None` where a quote is not closed.
fn unquoted(value: &str) -> Option<&str> {
    let (text, refused): (_, &[char]) = match value.strip_prefix('"') {
        Some(rest) => (rest.strip_suffix('"')?, &['"']),
        None => (value, &['"', ';', ' ']),
    };
    (!text.contains(refused)).then_some(text)
}

/// Position at which `wanted` begins in `text`.
fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|some| some == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(body: &[u8]) -> Vec<(String, String)> {
        let owned = |(name, text): (&str, &str)| (name.to_owned(), text.to_owned());
        fields(body).map(owned).collect()
    }

    #[test]
    fn fields_are_texts_and_files_are_left_out() {
        let body = b"--xYz\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\none\r\n--xYz\r\n\
            content-disposition: form-data; name=\"f\"; filename=\"x.txt\"\r\nContent-Type: text/plain\r\n\r\nabc\r\n\
            --xYz\r\nContent-Disposition: form-data; name=b\r\n\r\ntwo\r\nlines\r\n--xYz--\r\n";
        let expected = [("a", "one"), ("b", "two\r\nlines")];
        let expected = expected.map(|(name, text)| (name.to_owned(), text.to_owned()));
        assert_eq!(texts(body), expected);
    }

    #[test]
    fn a_part_whose_head_can_be_read_in_two_ways_is_none() {
        let of = |head: &str| texts(format!("--x\r\n{head}\r\n\r\none\r\n--x--\r\n").as_bytes());
        let plain = "Content-Disposition: form-data; name=\"a\"";
        let a = [("a".to_owned(), "one".to_owned())];
        assert_eq!(of(plain), a);
        assert_eq!(
            of(&format!(
                "{plain}\r\nContent-Type: text/plain; charset=utf-8"
            )),
            a
        );
        for head in [
            // What found these changed a captured delivery of Mailgun.
            format!("{plain}\r\nata; name=\"b\""),
            "Content-Disposition: form-data; name=\"titent-Disposition: form-data; name=\"a\""
                .to_owned(),
            format!("{plain}\r\n{plain}"),
            // A boundary twice in a row: the line break between the two belongs to the first.
            format!("--x\r\n{plain}"),
            format!("{plain}; name=\"b\""),
            format!("{plain}; size=3"),
            format!("{plain}\r\n folded: 1"),
            format!("{plain}\r\n: 1"),
            "Content-Disposition: attachment; name=\"a\"".to_owned(),
            "Content-Disposition: form-data; name=a; filename=b".to_owned(),
            "Content-Disposition: name=\"a\"".to_owned(),
        ] {
            assert_eq!(of(&head), [], "{head}");
        }
    }

    #[test]
    fn a_part_whose_name_is_not_closed_is_none() {
        let body = |name: &str| {
            let part = format!("--x\r\nContent-Disposition: form-data; name={name}\r\n\r\none");
            texts(format!("{part}\r\n--x--\r\n").as_bytes())
        };
        for name in ["\"a\"", "\"a\" ", "a"] {
            assert_eq!(body(name), [("a".to_owned(), "one".to_owned())], "{name}");
        }
        for name in ["\"a", "a\"", "\"\"a\"", "a\"b"] {
            assert_eq!(body(name), [], "{name}");
        }
    }

    #[test]
    fn what_is_no_multipart_body_has_no_texts() {
        for body in [
            &b""[..],
            b"a=1",
            b"--x\r\n",
            b"--x\r\n\r\n--x",
            b"\r\n\r\n\r\n",
        ] {
            assert_eq!(texts(body), [], "{body:?}");
        }
    }
}
