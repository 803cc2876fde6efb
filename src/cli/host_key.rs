//! The host key of an SFTP server that is met for the first time: shown, asked about, and remembered with the pair.

use std::io::{BufRead as _, IsTerminal as _, Write as _};

use crate::job::{JobError, Jobs};
use crate::model::{Endpoint, Protocol};
use crate::remote::{host_key, jump_host};

use super::Failure;

/// Pins the key that is known for this server, or that somebody at the terminal says is the right one. Without a
/// terminal nothing is pinned, and opening the endpoint says what to do.
///
/// # Errors
/// When the store or the terminal cannot be read, or the answer is no.
pub(super) async fn know(jobs: &Jobs, endpoint: &mut Endpoint) -> Result<(), Failure> {
    let options = &endpoint.options;
    if endpoint.protocol != Protocol::Sftp || options.pin.is_some() || options.insecure {
        return Ok(());
    }
    let asks = std::io::stdin().is_terminal();
    let met = match jobs.known_pin(endpoint).await {
        Ok(None) => format!("{} is met for the first time.", endpoint.host),
        Ok(pin) => {
            endpoint.options.pin = pin;
            return Ok(());
        }
        Err(JobError::PinsDiffer { server, pins }) if asks => {
            format!("{server} is remembered with different host keys: {pins}.")
        }
        Err(error) => return Err(error.into()),
    };
    if !asks {
        return Ok(());
    }
    if let Ok(Some(mut jump)) = jump_host(endpoint)
        && jump.options.pin.is_none()
    {
        jump.options.pin = ask(&jump, &format!("{} is met for the first time.", jump.host)).await?;
        endpoint.options.jump_pin = jump.options.pin;
    }
    if let Some(key) = ask(endpoint, &met).await? {
        endpoint.options.pin = Some(key);
    }
    Ok(())
}

/// The key that the server shows, if somebody says that it is the right one. A server out of reach is waited for later,
/// with patience.
#[expect(clippy::print_stderr, reason = "a question to a person")]
async fn ask(endpoint: &Endpoint, met: &str) -> Result<Option<String>, Failure> {
    let Ok(key) = host_key(endpoint).await else { return Ok(None) };
    eprint!(
        "{met} Its host key is {} ({}).\nIs that what 'ssh-keygen -lf /etc/ssh/ssh_host_*_key.pub' says there? [y/N] ",
        key.fingerprint, key.algorithm
    );
    let unread = |error: std::io::Error| Failure::new(format!("the terminal cannot be read: {error}"));
    std::io::stderr().flush().map_err(unread)?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer).map_err(unread)?;
    match answer.trim() {
        "y" | "Y" | "yes" => Ok(Some(key.fingerprint)),
        _ => Err(Failure::new("the host key was not accepted: nothing was sent")),
    }
}
