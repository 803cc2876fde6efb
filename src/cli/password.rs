//! Where a password comes from: a file, the environment, the URL, or a question on the terminal.

use std::io::IsTerminal;
use std::path::Path;

use crate::model::Secret;
use crate::tree::file;

use super::Failure;

/// The first line of a file.
///
/// # Errors
/// When it cannot be read, or is empty.
pub fn from_file(path: &Path) -> Result<Secret, Failure> {
    let bytes = file::read_small(path, 4096)
        .map_err(|error| Failure::new(format!("the password file {} cannot be read: {error}", path.display())))?;
    let text = String::from_utf8(bytes)
        .map_err(|_| Failure::new(format!("the password file {} is not UTF-8", path.display())))?;
    match text.lines().next().unwrap_or_default() {
        "" => Err(Failure::new(format!("the first line of {} is empty: put the password there", path.display()))),
        line => Ok(Secret::new(line)),
    }
}

/// Asks on the terminal; none when there is no terminal.
///
/// # Errors
/// When the terminal cannot be read.
pub fn ask(question: &str) -> Result<Option<Secret>, Failure> {
    if !std::io::stdin().is_terminal() {
        return Ok(None);
    }
    let answer = rpassword::prompt_password(format!("{question}: "))
        .map_err(|error| Failure::new(format!("the terminal cannot be read: {error}")))?;
    Ok(Some(Secret::new(answer)).filter(|secret| !secret.expose().is_empty()))
}

/// A line that somebody types, or a script sends; none when there is no more.
///
/// # Errors
/// When it cannot be read.
pub fn line() -> Result<Option<Secret>, Failure> {
    let mut line = String::new();
    let read = std::io::stdin().read_line(&mut line);
    let count = read.map_err(|error| Failure::new(format!("the input cannot be read: {error}")))?;
    let answer = Secret::new(line.trim());
    zeroize::Zeroize::zeroize(&mut line);
    Ok((count > 0).then_some(answer))
}

/// A password that is being set: asked for twice.
///
/// # Errors
/// When there is none, or the two differ.
pub fn choose(file: Option<&Path>, variable: Option<Secret>) -> Result<Secret, Failure> {
    if let Some(path) = file {
        return from_file(path);
    }
    if let Some(secret) = variable {
        return Ok(secret);
    }
    let none = || Failure::new("no password: set CAUSEWAY_PASSWORD, name a --password-file, or use a terminal");
    let first = ask("New password")?.ok_or_else(none)?;
    match ask("Again")? {
        Some(second) if second == first => Ok(first),
        _ => Err(Failure::new("the two passwords differ: nothing was changed")),
    }
}
