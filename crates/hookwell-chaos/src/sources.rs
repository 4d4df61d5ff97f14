//! The sources and destinations of a run, as the sources file has them.

/// The sources file of a run. `{endpoint}` stands for the address of its HTTP endpoints, `{queue}` for the URL of its queue.
pub(crate) const SOURCES: &str = include_str!("sources.toml");

/// Sender of an event: a source of [`SOURCES`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Source {
    /// One event in a delivery.
    Single,
    /// One event in a delivery, and every event is kept whole.
    Kept,
    /// Many events in a delivery.
    List,
    /// Many events in a delivery, and no event has an id.
    Nameless,
}

impl Source {
    /// Every source.
    pub(crate) const ALL: [Self; 4] = [Self::Single, Self::Kept, Self::List, Self::Nameless];

    /// Name of the source.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Single => "single",
            Self::Kept => "kept",
            Self::List => "list",
            Self::Nameless => "nameless",
        }
    }

    /// The variable with its secret, and the secret.
    pub(crate) fn secret(self) -> (String, String) {
        let name = self.name();
        let variable = format!("CHAOS_SECRET_{}", name.to_uppercase());
        (variable, format!("chaos_4f0f6f9d1c7e4b52a2f4c1d8_{name}"))
    }

    /// True when its deliveries bring many events.
    pub(crate) fn has_lists(self) -> bool {
        matches!(self, Self::List | Self::Nameless)
    }
}

/// The variable with the secret that signs requests to HTTP endpoints, and the secret.
pub(crate) const SIGNING_SECRET: (&str, &str) = (
    "CHAOS_SIGNING_SECRET",
    "whsec_Y2hhb3NfNWEwZDdjMmU5ZjFiNDM4NmEyYzRlNmQ4",
);

/// Somebody else who gets events: a destination of [`SOURCES`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Destination {
    /// An HTTP endpoint for every event.
    Endpoint,
    /// An HTTP endpoint that refuses everything for a long time.
    Failing,
    /// An EventBridge bus.
    Bus,
    /// An SQS queue.
    Queue,
}

impl Destination {
    /// Every destination.
    pub(crate) const ALL: [Self; 4] = [Self::Endpoint, Self::Failing, Self::Bus, Self::Queue];

    /// Name of the destination.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Endpoint => "endpoint",
            Self::Failing => "failing",
            Self::Bus => "bus",
            Self::Queue => "queue",
        }
    }

    /// The destination of this name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.name() == name)
    }

    /// True when it gets events of this source and type.
    pub(crate) fn takes(self, source: Source, kind: &str) -> bool {
        let is_update = kind == "resource.updated";
        match self {
            Self::Endpoint => true,
            Self::Failing => source == Source::Kept,
            Self::Bus => matches!(source, Source::Single | Source::List) && !is_update,
            Self::Queue => source != Source::Single && is_update,
        }
    }

    /// True when it takes signed requests with the sender's bytes: an event of any size.
    pub(crate) fn is_http(self) -> bool {
        matches!(self, Self::Endpoint | Self::Failing)
    }

    /// Key of the record of an event's copy for it.
    pub(crate) fn record_key(self, key: &str) -> String {
        format!("{key}>{}", self.name())
    }
}
