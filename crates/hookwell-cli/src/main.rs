//! `hookwell`: the tool without a project of its own; what arrives changes the documents table.

use std::process::ExitCode;

fn main() -> ExitCode {
    hookwell_cli::main(None, |context| Ok(context.documents))
}
