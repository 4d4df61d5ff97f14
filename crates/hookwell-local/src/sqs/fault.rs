//! Refusals of a request, in the words of SQS.

pub(super) type Outcome<T> = Result<T, Fault>;

const INTERNAL: &str = "InternalFailure";

/// A refusal: the error's code in the older query protocol, by which SDKs still tell errors apart,
/// and the reason.
pub(super) struct Fault {
    pub(super) code: String,
    pub(super) message: String,
}

pub(super) fn fault(code: &str, message: impl Into<String>) -> Fault {
    let message = message.into();
    let prefixed = [
        "Batch",
        "NonExistentQueue",
        "MessageNotInflight",
        "UnsupportedOperation",
    ];
    if prefixed.iter().any(|name| code.contains(name)) {
        let code = format!("AWS.SimpleQueueService.{code}");
        return Fault { code, message };
    }
    Fault {
        code: code.into(),
        message,
    }
}

pub(super) fn invalid(message: impl Into<String>) -> Fault {
    fault("InvalidParameterValue", message)
}

pub(super) fn missing(parameter: &str) -> Fault {
    let message = format!("The request must contain the parameter {parameter}.");
    fault("MissingParameter", message)
}

impl Fault {
    /// The error's name in the JSON protocol.
    pub(super) fn shape(&self) -> &str {
        match self.code.rsplit('.').next().unwrap_or_default() {
            "InvalidParameterValue" => "InvalidParameterValueException",
            "MissingParameter" => "MissingRequiredParameterException",
            "NonExistentQueue" => "QueueDoesNotExist",
            "QueueAlreadyExists" => "QueueNameExists",
            shape => shape,
        }
    }

    /// True when the emulator failed, not the caller.
    pub(super) fn is_internal(&self) -> bool {
        self.code == INTERNAL
    }
}

impl<E: std::error::Error> From<E> for Fault {
    fn from(error: E) -> Self {
        fault(INTERNAL, error.to_string())
    }
}
