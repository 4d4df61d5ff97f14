//! JSON as RFC 8259 has it, read again, with every member of an object, also those that come twice.

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Node {
    Null,
    Truth(bool),
    /// A number as written.
    Number(String),
    /// A string; `None` where half of a surrogate pair stands in it.
    Text(Option<String>),
    List(Vec<Node>),
    Object(Vec<(String, Node)>),
}

/// Deepest nesting of a body that is read.
const MAX_DEPTH: usize = 128;

impl Node {
    /// Reads a body, with or without a byte order mark.
    pub(crate) fn parse(body: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(body).ok()?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut reader = Reader {
            rest: text.as_bytes(),
        };
        let node = reader.value(0)?;
        reader.skip_blanks();
        reader.rest.is_empty().then_some(node)
    }

    /// The member of that name; `None` where it comes twice.
    pub(crate) fn member(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Object(members) => {
                let mut members = members.iter().filter(|(other, _)| other == name);
                match (members.next(), members.next()) {
                    (Some((_, value)), None) => Some(value),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    pub(crate) fn is_twice(&self, name: &str) -> bool {
        match self {
            Self::Object(members) => members.iter().filter(|(other, _)| other == name).count() > 1,
            _ => false,
        }
    }

    pub(crate) fn items(&self) -> Option<&[Self]> {
        match self {
            Self::List(items) => Some(items),
            _ => None,
        }
    }

    /// The text of a string that has one, or the digits of a number.
    pub(crate) fn text(&self) -> Option<String> {
        match self {
            Self::Text(text) => text.clone().filter(|text| !text.is_empty()),
            Self::Number(digits) => Some(digits.clone()),
            _ => None,
        }
    }

    /// The word of a truth value.
    pub(crate) fn truth(&self) -> Option<String> {
        match self {
            Self::Truth(value) => Some(value.to_string()),
            _ => None,
        }
    }

    /// Sort of the value. Strings, numbers and null are one sort, as a missing value is.
    pub(crate) fn sort(&self) -> &'static str {
        match self {
            Self::Text(Some(_)) | Self::Number(_) | Self::Null => "",
            Self::Truth(_) => "truth ",
            Self::Text(None) => "half ",
            Self::List(_) => "list ",
            Self::Object(_) => "object ",
        }
    }
}

struct Reader<'t> {
    rest: &'t [u8],
}

impl Reader<'_> {
    fn skip_blanks(&mut self) {
        while let [b' ' | b'\t' | b'\n' | b'\r', rest @ ..] = self.rest {
            self.rest = rest;
        }
    }

    fn take(&mut self, wanted: &[u8]) -> Option<()> {
        self.rest = self.rest.strip_prefix(wanted)?;
        Some(())
    }

    fn value(&mut self, depth: usize) -> Option<Node> {
        self.skip_blanks();
        Some(match self.rest.first()? {
            b'n' => self.take(b"null").map(|()| Node::Null)?,
            b't' => self.take(b"true").map(|()| Node::Truth(true))?,
            b'f' => self.take(b"false").map(|()| Node::Truth(false))?,
            b'"' => Node::Text(self.string()?),
            b'[' | b'{' if depth >= MAX_DEPTH => return None,
            b'[' => {
                let mut items = Vec::new();
                self.list(b"[", b"]", |reader| {
                    items.push(reader.value(depth + 1)?);
                    Some(())
                })?;
                Node::List(items)
            }
            b'{' => {
                let mut members = Vec::new();
                self.list(b"{", b"}", |reader| {
                    reader.skip_blanks();
                    let name = reader.string()??;
                    reader.skip_blanks();
                    reader.take(b":")?;
                    members.push((name, reader.value(depth + 1)?));
                    Some(())
                })?;
                Node::Object(members)
            }
            _ => Node::Number(self.number()?),
        })
    }

    fn list(
        &mut self,
        open: &[u8],
        close: &[u8],
        mut item: impl FnMut(&mut Self) -> Option<()>,
    ) -> Option<()> {
        self.take(open)?;
        self.skip_blanks();
        if self.take(close).is_some() {
            return Some(());
        }
        loop {
            item(self)?;
            self.skip_blanks();
            if self.take(close).is_some() {
                return Some(());
            }
            self.take(b",")?;
        }
    }

    fn number(&mut self) -> Option<String> {
        let mut text = String::new();
        let digits = |reader: &mut Self, text: &mut String| {
            let before = text.len();
            while let [digit @ b'0'..=b'9', rest @ ..] = reader.rest {
                text.push(char::from(*digit));
                reader.rest = rest;
            }
            (text.len() > before).then_some(())
        };
        if self.take(b"-").is_some() {
            text.push('-');
        }
        if self.take(b"0").is_some() {
            text.push('0');
        } else {
            digits(self, &mut text)?;
        }
        if self.take(b".").is_some() {
            text.push('.');
            digits(self, &mut text)?;
        }
        if let [e @ (b'e' | b'E'), rest @ ..] = self.rest {
            text.push(char::from(*e));
            self.rest = rest;
            if let [sign @ (b'+' | b'-'), rest @ ..] = self.rest {
                text.push(char::from(*sign));
                self.rest = rest;
            }
            digits(self, &mut text)?;
        }
        Some(text)
    }

    /// A string, within it `None` for one that is no text.
    #[allow(clippy::option_option)] // no string at all, or one that is no text
    fn string(&mut self) -> Option<Option<String>> {
        self.take(b"\"")?;
        let mut units: Vec<u16> = Vec::new();
        loop {
            let length = self
                .rest
                .iter()
                .position(|byte| matches!(byte, b'"' | b'\\' | 0..32))?;
            let (plain, rest) = self.rest.split_at(length);
            units.extend(std::str::from_utf8(plain).ok()?.encode_utf16());
            self.rest = rest;
            match self.rest {
                [b'"', rest @ ..] => {
                    self.rest = rest;
                    return Some(String::from_utf16(&units).ok());
                }
                [b'\\', b'u', digits @ ..] => {
                    let text = std::str::from_utf8(digits.get(..4)?).ok()?;
                    if !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                        return None;
                    }
                    units.push(u16::from_str_radix(text, 16).ok()?);
                    self.rest = &digits[4..];
                }
                [b'\\', letter, rest @ ..] => {
                    units.push(match letter {
                        b'"' | b'\\' | b'/' => u16::from(*letter),
                        b'b' => 8,
                        b'f' => 12,
                        b'n' => 10,
                        b'r' => 13,
                        b't' => 9,
                        _ => return None,
                    });
                    self.rest = rest;
                }
                _ => return None,
            }
        }
    }
}
