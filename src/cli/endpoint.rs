//! From what was typed to an endpoint with its password.

use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use crate::model::{Endpoint, Protocol, Secret};

use super::{Failure, password};

/// What was typed beside the address.
#[derive(Debug, Default)]
pub(super) struct Options<'a> {
    pub charset: Option<&'a str>,
    pub password_file: Option<&'a Path>,
    pub ca_file: Option<&'a Path>,
    pub pin: Option<&'a str>,
    pub insecure: bool,
    pub connections: Option<u16>,
}

/// Reads an address; its password comes from the file, the variable, the address, or a question.
#[expect(clippy::print_stderr, reason = "a warning beside the answer")]
pub(super) fn read(
    text: &str,
    side: &str,
    options: &Options<'_>,
    variable: Option<Secret>,
    may_ask: bool,
) -> Result<Endpoint, Failure> {
    let mut endpoint = Endpoint::parse(text).map_err(|error| Failure::new(format!("the {side}: {error}")))?;
    if let Some(label) = options.charset {
        if encoding_rs::Encoding::for_label(label.as_bytes()).is_none() {
            let text = format!("'{label}' is no known character set: write for example gbk, shift_jis or windows-1252");
            return Err(Failure::new(text));
        }
        endpoint.options.charset = Some(label.to_owned());
    }
    endpoint.options.pin = options.pin.map(str::to_owned);
    endpoint.options.ca_file = options.ca_file.map(|path| path.display().to_string());
    endpoint.options.insecure = options.insecure;
    if let Some(connections) = options.connections {
        endpoint.options.connections = connections;
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
    endpoint.password = match (options.password_file, variable, typed) {
        (Some(path), _, _) => Some(password::from_file(path)?),
        (None, Some(secret), _) | (None, None, Some(secret)) => Some(secret),
        (None, None, None) if may_ask && !endpoint.user.is_empty() => {
            password::ask(&format!("Password of {} at {}", endpoint.user, endpoint.host))?
        }
        (None, None, None) => None,
    };
    Ok(endpoint)
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
