//! The trace that ties a delivery, its message and its effect together, in logs and in tracing tools.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};

/// A trace, as the header `traceparent` of W3C Trace Context writes it: `00-TRACE_ID-PARENT_ID-FLAGS`
/// (<https://www.w3.org/TR/trace-context/#traceparent-header>).
#[derive(Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct Trace(String);

impl Trace {
    /// Reads a `traceparent`. Version 00 only, as strictly as it is defined: lower-case hex digits, and no id of
    /// nothing but zeros.
    #[must_use]
    pub fn parse(traceparent: &str) -> Option<Self> {
        let parts: Vec<_> = traceparent.split('-').collect();
        let ["00", trace, parent, flags] = parts.as_slice() else {
            return None;
        };
        let is_hex = |part: &str, length| {
            let mut bytes = part.bytes();
            part.len() == length && bytes.all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        };
        let is_id = |part: &str, length| is_hex(part, length) && part.bytes().any(|b| b != b'0');
        let is_one = is_id(trace, 32) && is_id(parent, 16) && is_hex(flags, 2);
        is_one.then(|| Self(traceparent.to_owned()))
    }

    /// Makes one of an X-Ray trace header, `Root=1-TIME-ID;Parent=ID;Sampled=1`, whose trace id has the same bits
    /// ("Tracing header" and "Sending trace data to AWS X-Ray", X-Ray developer guide).
    #[must_use]
    pub fn from_xray(header: &str) -> Option<Self> {
        let value = |name| {
            let mut parts = header.split(';').filter_map(|part| part.split_once('='));
            parts.find_map(|(key, value)| (key.trim() == name).then_some(value.trim()))
        };
        let (time, id) = value("Root")?.strip_prefix("1-")?.split_once('-')?;
        if time.len() != 8 {
            return None;
        }
        // X-Ray leaves the parent out at the edge, and W3C knows no trace without one: the random end of the trace id
        // stands for the parent.
        let parent = value("Parent").or_else(|| id.get(8..))?;
        let flags = if value("Sampled") == Some("1") {
            "01"
        } else {
            "00"
        };
        Self::parse(&format!("00-{time}{id}-{parent}-{flags}"))
    }

    /// The trace's id, 32 hex digits: what all log lines of one trace share.
    #[must_use]
    pub fn id(&self) -> &str {
        self.0.get(3..35).unwrap_or_default()
    }

    /// The value of the header `traceparent`, to pass on with a call.
    #[must_use]
    pub fn traceparent(&self) -> &str {
        &self.0
    }

    /// Reads the trace of a message. A text that is no trace counts as no trace: no event may fail because of it.
    pub(crate) fn of_message<'de, D: Deserializer<'de>>(
        message: D,
    ) -> Result<Option<Self>, D::Error> {
        let text = Option::<String>::deserialize(message)?;
        Ok(text.and_then(|text| Self::parse(&text)))
    }
}

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification.
    const EXAMPLE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_traceparent_is_read_as_the_specification_writes_it() {
        let trace = Trace::parse(EXAMPLE).unwrap();
        assert_eq!(trace.id(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(trace.traceparent(), EXAMPLE);
    }

    #[test]
    fn anything_else_is_no_trace() {
        for text in [
            "",
            "00",
            "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e47366-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01,00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            " 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473g-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e47é-00f067aa0ba902b7-01",
        ] {
            assert_eq!(Trace::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn an_x_ray_trace_keeps_its_id() {
        for (header, expected) in [
            (
                "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1",
                "00-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-01",
            ),
            (
                "Self=1-5759e988-000000000000000000000001; Root=1-5759e988-bd862e3fe1be46a994272793; Sampled=0",
                "00-5759e988bd862e3fe1be46a994272793-e1be46a994272793-00",
            ),
            (
                "Root=1-5759e988-bd862e3fe1be46a994272793;Lineage=1:a87bd80c:0",
                "00-5759e988bd862e3fe1be46a994272793-e1be46a994272793-00",
            ),
        ] {
            let trace = Trace::from_xray(header).unwrap();
            assert_eq!(trace.traceparent(), expected, "{header}");
        }
        for header in [
            "",
            "Root=",
            "Parent=53995c3f42cd8ad8",
            "Root=2-5759e988-bd862e3fe1be46a994272793",
            "Root=1-5759e98-8bd862e3fe1be46a994272793",
            "Root=1-5759e988-bd862e3fe1be46a99427279é",
            "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=short",
        ] {
            assert_eq!(Trace::from_xray(header), None, "{header:?}");
        }
    }
}
