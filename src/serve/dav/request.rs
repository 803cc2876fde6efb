//! What a request is about to do, found out before `dav-server` does it, and refused when that would
//! lose files.

use std::io;
use std::sync::Arc;

use http::header::HOST;
use http::request::Parts;
use http::{Method, StatusCode, Uri};

use super::MOUNT;
use crate::drive::Junk;
use crate::model::RelPath;
use crate::serve::http::{href, status};
use crate::tree::{Staged, View};

/// The plan of one request.
#[derive(Debug, Clone, Default)]
pub(super) struct Intent {
    /// For COPY and MOVE: the source, and whether it is a file.
    pub(super) source: Option<(RelPath, bool)>,
    /// For COPY and MOVE.
    pub(super) destination: Option<RelPath>,
    /// For the COPY of a folder, and for a MOVE onto something that a rename cannot simply replace: where the new thing
    /// is put together, beside its name, which it takes when it is whole.
    pub(super) staged: Option<Arc<Staged>>,
    /// For COPY: with all that is in a folder?
    pub(super) deep: bool,
    /// For DELETE.
    pub(super) deleted: Option<RelPath>,
    /// May the destination be replaced?
    pub(super) overwrite: bool,
    copy: bool,
}

impl Intent {
    /// Is `path` a destination that a rename will replace?
    pub(super) fn replaces(&self, path: &RelPath) -> bool {
        self.destination.as_ref() == Some(path) && self.source.as_ref().is_some_and(|(_, is_file)| *is_file)
    }

    pub(super) fn is_copy(&self) -> bool {
        self.copy
    }

    /// Is `path` where a COPY or MOVE goes, or in it?
    pub(super) fn is_doomed(&self, path: &RelPath) -> bool {
        self.below_destination(path).is_some()
    }

    /// Where what belongs at `path` is put for now.
    pub(super) fn staging(&self, path: &RelPath) -> Option<RelPath> {
        Some(self.staged.as_ref()?.thing().concat(&self.below_destination(path)?))
    }

    /// `path` relative to the destination, when it is there or below.
    pub(super) fn below_destination(&self, path: &RelPath) -> Option<RelPath> {
        let destination = self.destination.as_ref()?;
        if !path.starts_with(destination) {
            return None;
        }
        let rest = path.as_bytes().get(destination.as_bytes().len()..).unwrap_or_default();
        RelPath::lenient(rest).ok()
    }
}

/// Looks at a request that changes something, PUT apart. Blocking.
///
/// # Errors
/// The status to refuse it with.
pub(super) fn intent(view: &View, head: &Parts, path: &RelPath, junk: Junk) -> Result<Intent, StatusCode> {
    let header = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok());
    let mut intent = Intent { overwrite: true, ..Intent::default() };
    match head.method.as_str() {
        "DELETE" if path.is_root() => return Err(StatusCode::FORBIDDEN),
        "DELETE" => intent.deleted = Some(path.clone()),
        "COPY" | "MOVE" => {
            let destination = destination(head)?;
            if junk.refuses(&destination) {
                return Err(StatusCode::FORBIDDEN);
            }
            let found = view.stat(path).map_err(|error| status::of(&error))?;
            refuse_nesting(view, path, &destination, found.is_dir())?;
            let is_file = view.stat_follow(path).map_or(!found.is_dir(), |stat| !stat.is_dir());
            intent.copy = head.method.as_str() == "COPY";
            intent.overwrite = header("overwrite").is_none_or(|value| !value.trim().eq_ignore_ascii_case("f"));
            intent.deep = header("depth").is_none_or(|depth| depth.trim() != "0");
            let there = view.stat(&destination).ok();
            let onto_dir = there.as_ref().is_some_and(|stat| stat.is_dir());
            // Depth 0 onto a folder only copies properties (RFC 4918, 9.8.3).
            let only_properties = intent.copy && onto_dir && !intent.deep;
            let replaces = intent.overwrite && there.is_some() && (onto_dir || !is_file) && !only_properties;
            if replaces || (intent.copy && !is_file && there.is_none()) {
                intent.staged = Some(Arc::new(view.stage(&destination).map_err(|error| match error.kind() {
                    // The folder above is missing (RFC 4918, 9.8.5).
                    io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => StatusCode::CONFLICT,
                    _ => status::of(&error),
                })?));
            }
            intent.source = Some((path.clone(), is_file && !onto_dir));
            intent.destination = Some(destination);
        }
        _ => {}
    }
    Ok(intent)
}

/// The path in the `Destination` header (RFC 4918, 10.3); 502 for another server.
fn destination(head: &Parts) -> Result<RelPath, StatusCode> {
    let text = head.headers.get("destination").and_then(|value| value.to_str().ok()).ok_or(StatusCode::BAD_REQUEST)?;
    let uri: Uri = text.trim().parse().map_err(|_| StatusCode::BAD_REQUEST)?;
    if let Some(authority) = uri.authority() {
        let ours = head.headers.get(HOST).and_then(|value| value.to_str().ok());
        let ours = ours.or_else(|| head.uri.authority().map(http::uri::Authority::as_str));
        let same = ours.is_some_and(|host| {
            let bare = |name: &str| name.rsplit('@').next().unwrap_or_default().trim_end_matches(":443").to_lowercase();
            bare(host) == bare(authority.as_str())
        });
        if !same {
            return Err(StatusCode::BAD_GATEWAY);
        }
    }
    href::parse(MOUNT, uri.path()).map_err(|error| match error {
        href::HrefError::Outside => StatusCode::BAD_GATEWAY,
        href::HrefError::Name(_) => StatusCode::BAD_REQUEST,
    })
}

/// A destination above its source would be deleted together with it; one below a folder would be
/// copied into itself. Links are followed first: two names may be one folder.
fn refuse_nesting(view: &View, source: &RelPath, to: &RelPath, is_dir: bool) -> Result<(), StatusCode> {
    let real = |path: &RelPath| match view.real_path(&path.parent().unwrap_or_default()) {
        Ok(parent) => Ok(path.name().map_or(RelPath::root(), |name| parent.join(&name))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(path.clone()),
        Err(error) => Err(status::of(&error)),
    };
    let (source, to) = (real(source)?, real(to)?);
    if to.is_root() || source.is_root() || source.starts_with(&to) || (is_dir && to.starts_with(&source)) {
        return Err(StatusCode::FORBIDDEN);
    }
    Ok(())
}

/// Does the method change anything?
pub(super) fn changes(method: &Method) -> bool {
    !matches!(method.as_str(), "GET" | "HEAD" | "OPTIONS" | "PROPFIND")
}
