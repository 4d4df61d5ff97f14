//! The surroundings of a function on Lambda, for the tools and tests that run one. No connection is opened here: one tool
//! waits on threads, another on tasks.
//!
//! * `sample`: an event of a source, in one line, to test a handler with
//! * `sender`: requests as the senders of a source sign them
//! * `test_keys`: secrets and key pairs to sign with; public, they protect nothing
//! * `trigger`: the event that a trigger makes of a request
//! * `binaries`: the functions as release binaries
//! * `child`: a process that ends with its owner
//! * `runtime`: the Lambda Runtime API and the environment of a function
//! * `http`: messages of HTTP/1.1
//! * `rank`: percentiles of what was measured

pub mod binaries;
pub mod child;
pub mod http;
pub mod rank;
pub mod runtime;
pub mod sample;
pub mod sender;
pub mod test_keys;
pub mod trigger;
