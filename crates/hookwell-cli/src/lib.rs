//! The `hookwell` command-line tool, and the machine and the page that it runs.
//!
//! * `command_line`: the arguments, and which command they mean
//! * `commands`: one file per command
//! * `sender`: test senders and the secrets of this machine
//! * `machine`: the whole system on one machine
//!   * `front`: from an HTTP request to ingest and back
//!   * `news`: reports of what happens, for a listener
//! * `page`: what happened, in a browser
//! * `decide`: what ingest would decide about a recorded request
//! * `explain`: why a delivery was refused
//! * `presets`: the presets as people read them
//! * `register`: webhooks at their senders
//! * `project`: the files of a new project
//! * `user`: the name of the person who gives the commands

mod command_line;
mod commands;
mod decide;
pub mod explain;
mod front;
pub mod machine;
mod news;
mod page;
pub mod presets;
mod project;
mod register;
pub mod sender;
mod user;

pub use command_line::main;
