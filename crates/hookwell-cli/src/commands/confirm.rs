//! Asks a person before a command puts many events into the queue.

use std::io::IsTerminal as _;

use anyhow::{Result, ensure};

use super::print;

/// Asks before more than one event goes into the queue.
///
/// # Errors
/// When that is not meant, or there is nobody to ask.
pub(super) fn confirm(count: usize, is_meant: bool) -> Result<()> {
    if count < 2 || is_meant {
        return Ok(());
    }
    // The question goes to standard error: where nobody sees it, nobody answers.
    ensure!(
        std::io::stdin().is_terminal() && std::io::stderr().is_terminal(),
        "this would put {count} events into the queue: add --yes if that is meant"
    );
    print::ask(&format!("Put {count} events into the queue? [y/N] "));
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    ensure!(
        answer.trim().eq_ignore_ascii_case("y"),
        "nothing was changed"
    );
    Ok(())
}
