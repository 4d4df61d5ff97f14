//! Bodies and documents as types of your own.

use serde::de::DeserializeOwned;

use super::Event;

/// A body or a document that does not fit the type that a handler reads.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{part}: {why}")]
pub struct Misfit {
    /// The part of the event.
    pub part: &'static str,
    /// Line and column of the misfit, or the missing field; never a text that the sender wrote.
    pub why: String,
}

impl Event {
    /// The JSON body as a type of yours, by serde.
    ///
    /// # Errors
    /// When it does not fit. `?` in a handler rejects the event with the reason.
    pub fn body_as<T: DeserializeOwned>(&self) -> Result<T, Misfit> {
        serde_json::from_slice(&self.body.0).map_err(|error| misfit("the body", &error))
    }

    /// The document's state as a type of yours, by serde.
    ///
    /// # Errors
    /// When the event holds none, or it does not fit. `?` in a handler rejects the event with the reason.
    pub fn document_as<T: DeserializeOwned>(&self) -> Result<T, Misfit> {
        let part = "the document";
        let missing = || Misfit {
            part,
            why: "the event holds none".to_owned(),
        };
        let state = self.document().ok_or_else(missing)?;
        serde_json::from_str(state).map_err(|error| misfit(part, &error))
    }
}

fn misfit(part: &'static str, error: &serde_json::Error) -> Misfit {
    let text = error.to_string();
    let why = if text.starts_with("missing field") {
        text
    } else {
        // serde's other messages quote what the sender wrote, and reasons are logged.
        let (line, column) = (error.line(), error.column());
        format!("it does not fit the handler's type at line {line} column {column}")
    };
    Misfit { part, why }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use crate::event::Event;
    use crate::event::body::Body;
    use crate::ports::handler::HandleError;

    #[derive(Debug, PartialEq, Deserialize)]
    struct Order {
        id: String,
        total: u64,
    }

    fn event(body: &str) -> Event {
        Event {
            document_at: Some("/order".to_owned()),
            body: Body(body.as_bytes().to_vec()),
            ..Event::bare("shop", "1")
        }
    }

    #[test]
    fn a_body_that_fits_is_read_in_one_line() {
        let order = r#"{"id":"a","total":7,"more":true}"#;
        let expected = Order {
            id: "a".to_owned(),
            total: 7,
        };
        assert_eq!(event(order).body_as(), Ok(expected));
        let wrapped = event(&format!(r#"{{"order":{order}}}"#));
        assert_eq!(wrapped.document_as::<Order>().map(|it| it.total), Ok(7));
    }

    #[test]
    fn a_misfit_rejects_the_event_and_repeats_nothing_of_it() {
        let read = |body: &str| -> Result<Order, HandleError> { Ok(event(body).body_as()?) };
        let why = |body: &str| match read(body) {
            Err(HandleError::Reject(why)) => why,
            other => panic!("{other:?}"),
        };
        assert_eq!(
            why(r#"{"id":"a"}"#),
            "the body: missing field `total` at line 1 column 10"
        );
        for body in [r#"{"id":"a","total":"private"}"#, "private", ""] {
            let why = why(body);
            assert!(why.contains("does not fit"), "{why}");
            assert!(!why.contains("private"), "{why}");
        }
        let none = event("{}").document_as::<Order>();
        assert_eq!(
            none.map_err(|why| why.to_string()),
            Err("the document: the event holds none".to_owned())
        );
    }
}
