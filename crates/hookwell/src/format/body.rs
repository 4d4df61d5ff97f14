//! Bodies as JSON. The source says what they are, because a header that says so is not signed.

use std::borrow::Cow;

use crate::format::json::BYTE_ORDER_MARK;
use crate::format::{form, multipart};

/// Format of a sender's bodies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BodyFormat {
    /// JSON, whatever its label.
    #[default]
    Json,
    /// A form, `application/x-www-form-urlencoded`.
    Form,
    /// JSON where it begins with `{` or `[`, else a form.
    JsonOrForm,
    /// A body of several parts, `multipart/form-data`.
    Multipart,
    /// JSON where it begins with `{` or `[`, several parts where it begins with `--`, else a form.
    Any,
}

impl BodyFormat {
    /// Every format by its name in a sources file.
    pub const NAMES: [(&'static str, Self); 5] = [
        ("json", Self::Json),
        ("form", Self::Form),
        ("json-or-form", Self::JsonOrForm),
        ("multipart", Self::Multipart),
        ("any", Self::Any),
    ];

    /// The body as JSON: as sent, or what a form says.
    #[must_use]
    pub fn read(self, body: &[u8]) -> Cow<'_, [u8]> {
        self.read_fields(body, |_| true)
    }

    /// The body as JSON; of a form no more than the fields that `keeps` names, for what is read before the signature is right.
    pub(crate) fn read_fields(self, body: &[u8], keeps: impl Fn(&str) -> bool) -> Cow<'_, [u8]> {
        let as_sent = || Cow::Borrowed(body);
        let a_form = || Cow::Owned(form::object(form_urlencoded::parse(body), &keeps));
        let parts = || {
            let fields = multipart::fields(body);
            let fields = fields.map(|(name, text)| (Cow::Borrowed(name), Cow::Borrowed(text)));
            Cow::Owned(form::object(fields, &keeps))
        };
        let begins_json = is_json(body);
        match self {
            Self::Json => as_sent(),
            Self::JsonOrForm | Self::Any if begins_json => as_sent(),
            Self::Any if body.starts_with(b"--") => parts(),
            Self::Multipart => parts(),
            Self::Form | Self::JsonOrForm | Self::Any => a_form(),
        }
    }
}

/// True when the first byte that is not white space begins an object or a list.
fn is_json(body: &[u8]) -> bool {
    let body = body.strip_prefix(BYTE_ORDER_MARK).unwrap_or(body);
    matches!(body.trim_ascii_start().first(), Some(b'{' | b'['))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_decide_and_nothing_else() {
        let multipart = b"--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--x--\r\n";
        let read = |format: BodyFormat, body: &[u8]| format.read(body).into_owned();
        for format in [BodyFormat::JsonOrForm, BodyFormat::Any] {
            for json in [&b"{\"a\":1}&payload={}"[..], b" [1]", b"\xef\xbb\xbf{}"] {
                assert_eq!(read(format, json), json);
            }
            assert_eq!(read(format, b"a=1"), br#"{"a":"1"}"#);
        }
        assert_eq!(read(BodyFormat::Any, multipart), br#"{"a":"1"}"#);
        assert_eq!(read(BodyFormat::Multipart, multipart), br#"{"a":"1"}"#);
        assert_eq!(read(BodyFormat::Form, b"{}"), br#"{"{}":""}"#);
        assert_eq!(read(BodyFormat::Json, b"a=1"), b"a=1");
    }
}
