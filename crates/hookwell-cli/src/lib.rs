//! The `hookwell` command-line tool, and the machine and the page that it runs.

mod command_line;
mod commands;
pub mod decide;
pub mod explain;
mod front;
pub mod machine;
mod news;
pub mod page;
pub mod sender;
mod user;

pub use command_line::main;
