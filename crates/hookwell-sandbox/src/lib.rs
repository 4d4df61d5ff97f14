//! What surrounds a function on Lambda, for the tools that run it: who sends, the trigger, the real binaries, their
//! environment, the Runtime API, and the HTTP that they speak. No connection is opened here: one tool waits on threads,
//! another on tasks.

pub mod binaries;
pub mod http;
pub mod runtime;
pub mod sender;
pub mod test_keys;
pub mod trigger;
