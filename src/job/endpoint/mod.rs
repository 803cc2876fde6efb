//! Stored endpoints: a URL without its password, the password sealed beside it, options.

pub(super) mod store;

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::model::{Endpoint, EndpointId, Protocol};
use crate::task;
use crate::tree::file;

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
    /// One by its URL, options and password: the stored one that is the same, or the job's own when no other
    /// job uses it, else a new one.
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

/// How long a folder of this machine may take to be looked at.
const LOOK: Duration = Duration::from_secs(10);

/// Refuses pairs that would copy into themselves, by their names alone.
pub(super) fn check_pair(source: &Endpoint, target: &Endpoint) -> Result<(), JobError> {
    if !one_server(source, target) {
        return Ok(());
    }
    compare(source, target, &components(&named(source)), &components(&named(target)))
}

/// What jobs must keep out of: the data folder, but not the served tree in it.
#[derive(Debug)]
pub(super) struct Closed {
    pub(super) data: PathBuf,
    pub(super) tree: PathBuf,
}

impl Closed {
    /// Is, holds or lies `place` in it? Links are followed already.
    fn concerns(&self, place: &Path, resolve: fn(&Path) -> PathBuf) -> bool {
        let (data, tree) = (resolve(&self.data), resolve(&self.tree));
        data.starts_with(place) || (place.starts_with(&data) && !place.starts_with(&tree))
    }
}

/// As [`check_pair`], with the links of this machine followed, and nothing that is `closed`. Off the async
/// threads and outside of every transaction: a folder on a mount that hangs must keep nobody from the store.
pub(super) async fn check_places(
    source: &Endpoint,
    target: &Endpoint,
    closed: Option<Arc<Closed>>,
) -> Result<(), JobError> {
    check_places_with(source, target, closed, (file::resolved, LOOK)).await
}

async fn check_places_with(
    source: &Endpoint,
    target: &Endpoint,
    closed: Option<Arc<Closed>>,
    (resolve, patience): (fn(&Path) -> PathBuf, Duration),
) -> Result<(), JobError> {
    check_pair(source, target)?;
    let mut places = Vec::new();
    for endpoint in [source, target].into_iter().filter(|endpoint| endpoint.protocol == Protocol::Local) {
        let (root, closed) = (PathBuf::from(OsString::from_vec(named(endpoint))), closed.clone());
        let look = task::blocking(move || {
            let place = resolve(&root);
            (closed.is_some_and(|closed| closed.concerns(&place, resolve)), place)
        });
        match tokio::time::timeout(patience, look).await {
            Ok(Ok((true, _))) => return Err(JobError::InDataFolder(endpoint.url())),
            Ok(Ok((false, place))) => places.push(components(place.as_os_str().as_bytes())),
            Ok(Err(_)) | Err(_) => return Err(JobError::NoAnswer(endpoint.url())),
        }
    }
    match places.as_slice() {
        [from, to] => compare(source, target, from, to),
        _ => Ok(()),
    }
}

fn one_server(source: &Endpoint, target: &Endpoint) -> bool {
    source.protocol.family() == target.protocol.family()
        && source.host.eq_ignore_ascii_case(&target.host)
        && source.port == target.port
        && source.user == target.user
}

fn compare(source: &Endpoint, target: &Endpoint, from: &[Vec<u8>], to: &[Vec<u8>]) -> Result<(), JobError> {
    let (source_url, target_url) = (source.url(), target.url());
    if from == to {
        Err(JobError::SamePlace(source_url))
    } else if to.starts_with(from) {
        Err(JobError::TargetInside { source_url, target: target_url })
    } else if from.starts_with(to) {
        Err(JobError::SourceInside { source_url, target: target_url })
    } else {
        Ok(())
    }
}

/// The folder's path as it is written; on this machine and in WebDAV from the root.
fn named(endpoint: &Endpoint) -> Vec<u8> {
    match endpoint.protocol {
        Protocol::Local => {}
        Protocol::Dav | Protocol::Davs => return [b"/", endpoint.root.as_slice()].concat(),
        Protocol::Ftp | Protocol::FtpTls | Protocol::Ftps | Protocol::Sftp => return endpoint.root.clone(),
    }
    let path = Path::new(OsStr::from_bytes(&endpoint.root));
    std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf()).into_os_string().into_vec()
}

/// The path component by component, `.` and doubled slashes removed.
fn components(root: &[u8]) -> Vec<Vec<u8>> {
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
        assert!(matches!(pair("dav://u@h/a/", "dav://u@h//a"), Err(JobError::SamePlace(_))));
    }

    #[tokio::test]
    async fn links_do_not_hide_it() {
        let folder = tempfile::tempdir().unwrap();
        let real = folder.path().join("real");
        std::fs::create_dir(&real).unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&real, &link).unwrap();
        let local = |path: &Path| Endpoint::local(path.as_os_str().as_bytes());
        let error = check_places(&local(&real), &local(&link.join("not/yet")), None).await.unwrap_err();
        assert!(matches!(error, JobError::TargetInside { .. }), "{error}");
    }

    #[tokio::test]
    async fn the_data_folder_is_closed_and_the_tree_in_it_open() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir_all(at("data/tree/legacy")).unwrap();
        std::os::unix::fs::symlink(at("data"), at("link")).unwrap();
        let closed = Arc::new(Closed { data: at("data"), tree: at("link/tree") });
        let local = |name: &str| Endpoint::local(at(name).as_os_str().as_bytes());
        let ftp = Endpoint::parse("ftp://h/").unwrap();
        for inside in ["data", "link", "data/tls", "link/not-yet", "", "data/tree/../tls"] {
            for (source, target) in [(&local(inside), &ftp), (&ftp, &local(inside))] {
                let refused = check_places(source, target, Some(Arc::clone(&closed))).await;
                assert!(matches!(refused, Err(JobError::InDataFolder(_))), "'{inside}': {refused:?}");
            }
        }
        for open in ["data/tree", "link/tree/legacy", "data/tree/not-yet", "elsewhere", "data-2"] {
            check_places(&ftp, &local(open), Some(Arc::clone(&closed))).await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_mount_that_hangs_is_said() {
        let local = |path: &str| Endpoint::local(path.as_bytes());
        let hangs: fn(&Path) -> PathBuf = |path| {
            std::thread::sleep(Duration::from_millis(400));
            path.to_path_buf()
        };
        let short = Duration::from_millis(20);
        let error = check_places_with(&local("/srv/a"), &local("/srv/b"), None, (hangs, short)).await.unwrap_err();
        assert!(error.to_string().contains("/srv/a") && error.to_string().contains("mount"), "{error}");
        let patient = Duration::from_secs(60);
        check_places_with(&local("/srv/a"), &local("/srv/b"), None, (hangs, patient)).await.unwrap();
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
