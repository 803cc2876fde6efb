//! Stored endpoints: a URL without its password, the password sealed beside it, options.

pub(super) mod store;

use jiff::Timestamp;

use crate::model::{Endpoint, EndpointId, Protocol};

use super::JobError;

/// Longest name of an endpoint or job, in characters.
pub const MAX_NAME: usize = 100;

/// An endpoint of the store, without its password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEndpoint {
    /// Its identity.
    pub id: EndpointId,
    /// What people call it.
    pub name: String,
    /// Where it is; the password is never in here.
    pub endpoint: Endpoint,
    /// Is a password sealed for it?
    pub has_password: bool,
    /// Made by `causeway mirror`.
    pub ad_hoc: bool,
    /// When it was made.
    pub created: Timestamp,
    /// When it was last changed.
    pub changed: Timestamp,
}

/// An endpoint to be made or changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEndpoint {
    /// What to call it; none = its URL.
    pub name: Option<String>,
    /// Where it is, with the password when there is one. When an endpoint is changed without a
    /// password, the sealed one stays, as long as protocol, host, port and user stay.
    pub endpoint: Endpoint,
}

impl NewEndpoint {
    /// With its URL as the name.
    #[must_use]
    pub const fn unnamed(endpoint: Endpoint) -> Self {
        Self { name: None, endpoint }
    }
}

/// Which endpoint a job uses.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "made twice per form, never kept in numbers")]
pub enum EndpointRef {
    /// One that is there.
    Stored(EndpointId),
    /// One by its URL: the stored one with that URL when there is one (password and options are
    /// brought up to date), else a new one.
    Inline(NewEndpoint),
}

/// May the sealed password of `old` be used for `new`? It must not travel to another server, another
/// user, or from TLS into the clear.
pub(super) fn same_login(old: &Endpoint, new: &Endpoint) -> bool {
    old.protocol == new.protocol && old.host == new.host && old.port == new.port && old.user == new.user
}

pub(super) fn checked_name(what: &'static str, name: &str) -> Result<String, JobError> {
    let name = name.trim();
    let length = name.chars().count();
    if name.is_empty() || name.chars().any(char::is_control) {
        return Err(JobError::NoName(what));
    }
    if length > MAX_NAME { Err(JobError::LongName { what, length, most: MAX_NAME }) } else { Ok(name.to_owned()) }
}

/// Refuses pairs that would copy into themselves.
pub(super) fn check_pair(source: &Endpoint, target: &Endpoint) -> Result<(), JobError> {
    let one_server = source.protocol.family() == target.protocol.family()
        && source.host.eq_ignore_ascii_case(&target.host)
        && source.port == target.port
        && source.user == target.user;
    if !one_server {
        return Ok(());
    }
    let (from, to) = (components(source), components(target));
    let (source_url, target_url) = (source.url(), target.url());
    if from == to {
        Err(JobError::SamePlace(source_url))
    } else if to.starts_with(&from) {
        Err(JobError::TargetInside { source_url, target: target_url })
    } else if from.starts_with(&to) {
        Err(JobError::SourceInside { source_url, target: target_url })
    } else {
        Ok(())
    }
}

/// The folder's path, component by component, `.` and doubled slashes removed; on this machine links
/// are followed as far as the path exists.
fn components(endpoint: &Endpoint) -> Vec<Vec<u8>> {
    use std::os::unix::ffi::{OsStrExt, OsStringExt};
    let mut root = endpoint.root.clone();
    if endpoint.protocol == Protocol::Local {
        let path = std::path::Path::new(std::ffi::OsStr::from_bytes(&root));
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
        // What does not exist yet hangs below the nearest folder that does.
        let there = path.ancestors().find_map(|a| Some((a.canonicalize().ok()?, path.strip_prefix(a).ok()?)));
        root = there.map_or(path.clone(), |(base, rest)| base.join(rest)).into_os_string().into_vec();
    }
    // A path from the login folder and one from the server's root are not comparable: keep the mark.
    let mut parts: Vec<Vec<u8>> = if root.starts_with(b"/") { vec![b"/".to_vec()] } else { Vec::new() };
    for part in root.split(|b| *b == b'/').filter(|p| !p.is_empty() && *p != b".") {
        if part == b".." && parts.last().is_some_and(|p| p != b"/" && p != b"..") {
            parts.pop();
        } else {
            parts.push(part.to_vec());
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(source: &str, target: &str) -> Result<(), JobError> {
        check_pair(&Endpoint::parse(source).unwrap(), &Endpoint::parse(target).unwrap())
    }

    #[test]
    fn refuses_pairs_that_copy_into_themselves() {
        assert!(matches!(pair("ftp://u@h/a/", "ftp://u@h/a"), Err(JobError::SamePlace(_))));
        assert!(matches!(pair("ftp://u@h/a", "ftp://u@H/a/b"), Err(JobError::TargetInside { .. })));
        assert!(matches!(pair("/srv/a/../b", "/srv/b/c"), Err(JobError::TargetInside { .. })));
        assert!(matches!(pair("/srv/b/c", "/srv/b"), Err(JobError::SourceInside { .. })));
        assert!(pair("/srv/b", "/srv/bc").is_ok());
        assert!(pair("ftp://u@h/a", "ftp://v@h/a").is_ok());
        assert!(pair("ftp://u@h/a", "/a").is_ok());
    }

    #[test]
    fn links_do_not_hide_it() {
        let folder = tempfile::tempdir().unwrap();
        let real = folder.path().join("real");
        std::fs::create_dir(&real).unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&real, &link).unwrap();
        let inside = link.join("not/yet");
        let error = pair(real.to_str().unwrap(), inside.to_str().unwrap()).unwrap_err();
        assert!(matches!(error, JobError::TargetInside { .. }), "{error}");
    }

    #[test]
    fn passwords_stay_with_their_login() {
        let of = |url| Endpoint::parse(url).unwrap();
        assert!(same_login(&of("ftp+tls://u@h/a"), &of("ftp+tls://u@h/b")));
        for other in ["ftp://u@h/a", "ftp+tls://v@h/a", "ftp+tls://u@evil/a", "ftp+tls://u@h:2121/a"] {
            assert!(!same_login(&of("ftp+tls://u@h/a"), &of(other)), "{other}");
        }
    }
}
