//! From what was typed to an endpoint with its password.

use std::os::unix::ffi::{OsStrExt, OsStringExt};

use encoding_rs::Encoding;

use crate::model::{Endpoint, EndpointOptions, Protocol, Secret};

use super::args::Via;
use super::{Failure, password};

/// Reads an address; its password comes from the file, the variable, the address, or a question. `agent` is the socket
/// of the SSH agent, where there is one.
#[expect(clippy::print_stderr, reason = "a warning beside the answer")]
pub(super) fn read(
    text: &str,
    side: &str,
    via: &Via,
    variable: Option<Secret>,
    agent: Option<String>,
) -> Result<Endpoint, Failure> {
    let mut endpoint = Endpoint::parse(text).map_err(|error| Failure::new(format!("the {side}: {error}")))?;
    endpoint.options = options(via)?;
    if endpoint.protocol == Protocol::Sftp {
        endpoint.options.agent = agent;
    }
    if endpoint.protocol == Protocol::Local {
        return Ok(endpoint);
    }
    let typed = endpoint.password.take();
    if typed.is_some() {
        eprintln!(
            "causeway: everybody on this machine can see a password in an address in the list of processes; \
             --password-file or a variable hides it"
        );
    }
    endpoint.password = match (via.password_file.as_deref(), variable, typed) {
        (Some(path), _, _) => Some(password::from_file(path)?),
        (None, Some(secret), _) | (None, None, Some(secret)) => Some(secret),
        (None, None, None) if !endpoint.user.is_empty() && !has_key(&endpoint.options) => {
            password::ask(&format!("Password of {} at {}", endpoint.user, endpoint.host))?
        }
        (None, None, None) => None,
    };
    Ok(endpoint)
}

/// Whoever has a key needs no password, as a rule.
const fn has_key(options: &EndpointOptions) -> bool {
    options.key_file.is_some() || options.agent.is_some()
}

fn options(via: &Via) -> Result<EndpointOptions, Failure> {
    let named = via.charset.as_deref().filter(|label| !label.eq_ignore_ascii_case("auto"));
    named.map(charset).transpose()?;
    let usual = EndpointOptions::default();
    Ok(EndpointOptions {
        connections: via.connections.or(usual.connections),
        charset: via.charset.clone(),
        pin: via.pin.clone(),
        ca_file: via.ca_file.as_ref().map(|path| path.display().to_string()),
        insecure: via.insecure,
        active: via.active.into(),
        jump: via.jump.clone(),
        jump_pin: via.jump_pin.clone(),
        key_file: via.identity.as_deref().map(key_file).transpose()?,
        deadlines: via.deadlines.unwrap_or_default(),
        ..usual
    })
}

/// The character set of a label.
///
/// # Errors
/// When nobody knows it.
pub(super) fn charset(label: &str) -> Result<&'static Encoding, Failure> {
    Encoding::for_label(label.as_bytes()).ok_or_else(|| {
        Failure::new(format!(
            "'{label}' is no known character set: write for example gbk, shift_jis, windows-1252 or auto"
        ))
    })
}

/// A job may run in another folder than the one it was written down in.
fn key_file(path: &std::path::Path) -> Result<String, Failure> {
    let path = std::path::absolute(path)
        .map_err(|error| Failure::new(format!("the path of the key cannot be made absolute: {error}")))?;
    let text = path.to_str().ok_or_else(|| Failure::new("the path of the key is not UTF-8"))?;
    Ok(text.to_owned())
}

/// Makes a local path independent of the working folder: it is how the pair is found again.
pub(super) fn absolute(mut endpoint: Endpoint) -> Result<Endpoint, Failure> {
    if endpoint.protocol == Protocol::Local {
        let path = std::path::absolute(std::ffi::OsStr::from_bytes(&endpoint.root))
            .map_err(|error| Failure::new(format!("the path cannot be made absolute: {error}")))?;
        endpoint.root = path.into_os_string().into_vec();
    }
    Ok(endpoint)
}
