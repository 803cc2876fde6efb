//! The copy in a process of its own, which is killed in the middle.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use tokio_util::sync::CancellationToken;

use super::{DrillError, Leg};
use crate::task;

/// The word by which this program knows that it is to be killed.
pub(crate) const WORD: &str = "drill-copy";

/// Starts `program`, which tells on every line how many bytes it has copied, and kills it when they are `at`. When that was;
/// none when it was over before.
///
/// # Errors
/// Those of starting it.
pub(super) async fn killed(
    program: &Path,
    leg: &Leg,
    at: u64,
    stop: &CancellationToken,
) -> Result<Option<Instant>, DrillError> {
    let (program, orders, stop): (PathBuf, _, _) = (program.to_owned(), leg.to_text(), stop.clone());
    let done = task::blocking(move || {
        let mut child = Command::new(program)
            .arg(WORD)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()?;
        let watched = watched(&mut child, &orders, at, &stop);
        // Whatever came of it: nothing of it stays.
        child.kill()?;
        child.wait()?;
        watched
    });
    Ok(done.await.map_err(std::io::Error::other)??)
}

fn watched(child: &mut Child, orders: &str, at: u64, stop: &CancellationToken) -> std::io::Result<Option<Instant>> {
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(orders.as_bytes())?;
    }
    let Some(stdout) = child.stdout.take() else { return Ok(None) };
    for line in BufReader::new(stdout).lines() {
        if stop.is_cancelled() {
            break;
        }
        if line?.parse::<u64>().is_ok_and(|moved| moved >= at) {
            child.kill()?;
            return Ok(Some(Instant::now()));
        }
    }
    Ok(None)
}
