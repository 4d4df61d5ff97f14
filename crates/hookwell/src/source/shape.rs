//! A shape: what a signed body looks like that is about one kind of document. Some senders say only in a header which kind
//! of event a body is, and nobody signs that header; the body's own shape is then what proves it.

use std::fmt;

use crate::format::json::{Json, JsonError, Pointer};
use crate::format::pattern::Pattern;

/// Stands for the type of the document in a clue.
const DOCUMENT_TYPE: &str = "{document_type}";

/// The clues of a body, all of which must hold; of the alternatives in one, any.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shape {
    clues: Vec<Vec<Clue>>,
    /// True when the body has no member at its top but those that the clues name.
    is_whole: bool,
}

/// One condition on a body.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Clue {
    /// Something is there, perhaps `null`.
    There(Pointer),
    /// Nothing is there.
    Absent(Pointer),
    /// Something may be there.
    Perhaps(Pointer),
    /// A text or number is there that the pattern fits.
    Says(Pointer, Pattern),
    /// A text is there that has the type of the document between these.
    SaysType(Pointer, String, String),
}

/// A text that is no clue.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NoClue;

impl Shape {
    /// Reads the clues: `/issue` is there, `!/comment` is not, `?/sender` may be, `/kind=issue` says so, `!/*` nothing else is
    /// there. ` or ` stands between alternatives.
    pub(crate) fn parse(texts: &[String]) -> Result<Self, (String, NoClue)> {
        let mut shape = Self::default();
        for text in texts {
            if text == "!/*" {
                shape.is_whole = true;
                continue;
            }
            let clues = text.split(" or ").map(Clue::parse);
            let clues: Option<Vec<_>> = clues.collect();
            shape.clues.push(clues.ok_or((text.clone(), NoClue))?);
        }
        Ok(shape)
    }

    /// True when a body of a document of this type looks so.
    ///
    /// # Errors
    /// When a key on the way to a clue appears twice.
    pub(crate) fn fits(&self, body: &Json<'_>, document_type: &str) -> Result<bool, JsonError> {
        for clues in &self.clues {
            let mut holds = false;
            for clue in clues {
                holds = holds || clue.holds(body, document_type)?;
            }
            if !holds {
                return Ok(false);
            }
        }
        let is_seen = !(self.is_whole && body.is_too_wide());
        Ok(is_seen && body.names().all(|name| self.allows(name)))
    }

    /// True when a body may have this member at its top.
    pub(crate) fn allows(&self, name: &str) -> bool {
        let mut clues = self.clues.iter().flatten();
        let is_named = |clue: &Clue| {
            let first = clue.place().steps().first();
            first.is_some_and(|step| step == name)
        };
        !self.is_whole || clues.any(is_named)
    }

    /// Places and texts that give a sample body this shape.
    #[cfg(feature = "sender")]
    pub(crate) fn sample(&self, document_type: &str) -> Vec<(&Pointer, String)> {
        let first = self.clues.iter().filter_map(|clues| clues.first());
        let all = first.filter_map(|clue| match clue {
            Clue::There(place) => Some((place, "sample".to_owned())),
            Clue::Says(place, pattern) => Some((place, pattern.fill("sample"))),
            Clue::SaysType(place, before, after) => {
                Some((place, format!("{before}{document_type}{after}")))
            }
            Clue::Absent(_) | Clue::Perhaps(_) => None,
        });
        all.collect()
    }
}

impl Clue {
    fn parse(text: &str) -> Option<Self> {
        if let Some(place) = text.strip_prefix('!') {
            return below(place).map(Self::Absent);
        }
        if let Some(place) = text.strip_prefix('?') {
            return below(place).map(Self::Perhaps);
        }
        let Some((place, value)) = text.split_once('=') else {
            return below(text).map(Self::There);
        };
        let place = below(place)?;
        match value.split_once(DOCUMENT_TYPE) {
            Some((before, after)) => {
                Some(Self::SaysType(place, before.to_owned(), after.to_owned()))
            }
            None => Some(Self::Says(place, Pattern::parse(value)?)),
        }
    }

    fn place(&self) -> &Pointer {
        match self {
            Self::There(place)
            | Self::Absent(place)
            | Self::Perhaps(place)
            | Self::Says(place, _)
            | Self::SaysType(place, ..) => place,
        }
    }

    fn holds(&self, body: &Json<'_>, document_type: &str) -> Result<bool, JsonError> {
        Ok(match self {
            Self::There(place) => body.find(place)?.is_some(),
            Self::Absent(place) => body.find(place)?.is_none(),
            Self::Perhaps(_) => true,
            Self::Says(place, pattern) => {
                let text = body.text(place)?;
                text.is_some_and(|text| pattern.capture(&text).is_some())
            }
            Self::SaysType(place, before, after) => {
                let text = body.text(place)?;
                let inner = text
                    .as_deref()
                    .and_then(|text| text.strip_prefix(before.as_str()));
                let inner = inner.and_then(|text| text.strip_suffix(after.as_str()));
                !document_type.is_empty() && inner == Some(document_type)
            }
        })
    }
}

/// A place inside a body; `None` for the body itself, about which no clue says anything.
fn below(text: &str) -> Option<Pointer> {
    Pointer::parse(text).filter(|place| !place.steps().is_empty())
}

impl fmt::Display for NoClue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("is not /POINTER, !/POINTER, ?/POINTER, /POINTER=TEXT, several of them with \" or \" between, or !/*")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(clues: &[&str], body: &str) -> bool {
        let clues: Vec<_> = clues.iter().map(|clue| (*clue).to_owned()).collect();
        let shape = Shape::parse(&clues).unwrap();
        shape
            .fits(&Json::parse(body.as_bytes()).unwrap(), "Entry")
            .unwrap()
    }

    #[test]
    fn every_clue_must_hold() {
        let body = r#"{"kind":"issue","issue":{"id":7},"comment":null}"#;
        for right in [
            "/issue",
            "/issue/id",
            "/comment",
            "!/review",
            "?/review",
            "/kind=issue",
            "/kind=is*",
            "/issue/id=7",
        ] {
            assert!(fits(&[right], body), "{right}");
        }
        for wrong in [
            "/review",
            "!/issue",
            "!/comment",
            "/kind=issues",
            "/comment=*",
            "/issue=*",
            "/issue/id=70",
        ] {
            assert!(!fits(&[wrong], body), "{wrong}");
            assert!(!fits(&["/issue", wrong], body), "{wrong}");
        }
        assert!(fits(&[], body), "nothing is asked");
    }

    #[test]
    fn one_of_the_alternatives_is_enough() {
        let body = r#"{"kind":"work_item"}"#;
        assert!(fits(&["/kind=issue or /kind=work_item"], body));
        assert!(fits(&["/issue or !/comment"], body));
        assert!(!fits(&["/issue or /comment"], body));
    }

    #[test]
    fn a_whole_shape_names_every_member() {
        assert!(fits(&["/id", "!/*"], r#"{"id":7}"#));
        assert!(!fits(&["/id", "!/*"], r#"{"id":7,"name":null}"#));
        assert!(fits(
            &["/id", "?/name/first", "!/*"],
            r#"{"id":7,"name":null}"#
        ));
        assert!(!fits(&["!/*"], r#"{"id":7}"#));
        assert!(fits(&["!/*"], "{}"));
    }

    #[test]
    fn the_type_of_the_document_may_be_in_a_text() {
        assert!(fits(&["/type={document_type}"], r#"{"type":"Entry"}"#));
        assert!(fits(
            &["/type=Deleted{document_type}"],
            r#"{"type":"DeletedEntry"}"#
        ));
        assert!(!fits(
            &["/type={document_type}"],
            r#"{"type":"DeletedEntry"}"#
        ));
        let shape = Shape::parse(&["/type={document_type}".to_owned()]).unwrap();
        let body = Json::parse(br#"{"type":""}"#).unwrap();
        assert_eq!(shape.fits(&body, ""), Ok(false), "no type is proof of none");
    }

    #[test]
    fn other_texts_are_no_clues() {
        for text in [
            "", "issue", "!", "!issue", "?", "/a=", "/a=b*c*", "/a or b", "body:/a",
        ] {
            assert!(Shape::parse(&[text.to_owned()]).is_err(), "{text:?}");
        }
    }
}
