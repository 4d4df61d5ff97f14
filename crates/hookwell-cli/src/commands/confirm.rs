//! Asks a person before a command does what is not meant by mistake.

use std::io::IsTerminal as _;

use anyhow::{Result, ensure};

use super::print;

/// Asks before more than one event goes into the queue.
///
/// # Errors
/// When the person says no, or there is no terminal to ask on.
pub(super) fn confirm(count: usize, is_meant: bool) -> Result<()> {
    if count < 2 || is_meant {
        return Ok(());
    }
    ask(&format!("put {count} events into the queue"))
}

/// Asks before something is done.
///
/// # Errors
/// When the person says no, or there is no terminal to ask on.
pub(super) fn ask(what: &str) -> Result<()> {
    // The question goes to standard error: where nobody sees it, nobody answers.
    ensure!(
        std::io::stdin().is_terminal() && std::io::stderr().is_terminal(),
        "this would {what}: add --yes if that is meant"
    );
    let (first, rest) = what.split_at_checked(1).unwrap_or_default();
    print::ask(&format!("{}{rest}? [y/N] ", first.to_uppercase()));
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    ensure!(
        answer.trim().eq_ignore_ascii_case("y"),
        "nothing was changed"
    );
    Ok(())
}
