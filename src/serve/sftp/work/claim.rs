//! What a request needs for itself while it is done: which requests may run side by side, and which must keep their
//! order.
//!
//! The draft (section 6) asks that requests for one file have the effect that they would have one after the other.
//! Clients rely on more: they send CLOSE, RENAME and STAT behind each other without waiting. So what is said about a
//! handle keeps its order, and so does what is said about one name, or about a name and the folders above it, when one
//! of the two changes something.

use std::sync::Arc;

use bytes::Bytes;

use super::open::{Handles, Kind};
use super::worker::parse;
use crate::model::RelPath;
use crate::net::sftp::{Extension, Request};

/// How a request touches a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Touch {
    /// It only looks.
    Look,
    /// It changes what is in the file, not which names there are.
    Content,
    /// It makes, moves, removes or publishes the name, or changes its attributes.
    Change,
}

/// What one request touches: up to two handles and two names.
#[derive(Debug, Clone, Default)]
pub(super) struct Claim {
    handles: [Option<u32>; 2],
    names: [Option<(Arc<RelPath>, Touch)>; 2],
    /// What has the first name will have the second.
    renames: bool,
}

impl Claim {
    /// What `request` touches, as things stand among `handles`.
    pub(super) fn of(request: &Request, handles: &Handles) -> Self {
        use Request as R;
        use Touch::{Change, Content, Look};
        match request {
            R::Init | R::Realpath { .. } | R::Unknown(_) => Self::default(),
            R::Open { path, flags, .. } => Self::name(path, if flags.bits() & !1 == 0 { Look } else { Change }),
            R::Close { handle } => Self::handle(handle, handles, Change),
            R::Write { handle, .. } | R::Fsetstat { handle, .. } => Self::handle(handle, handles, Content),
            R::Read { handle, .. } | R::Fstat { handle } | R::Readdir { handle } => Self::slots([Some(handle), None]),
            R::Lstat { path } | R::Stat { path } | R::Opendir { path } | R::Readlink { path } => Self::name(path, Look),
            R::Setstat { path, .. }
            | R::Remove { path }
            | R::Mkdir { path, .. }
            | R::Rmdir { path }
            | R::Symlink { path, .. } => Self::name(path, Change),
            R::Rename { from, to } => Self { renames: true, ..Self::two(from, to) },
            R::Extended(extension) => Self::extended(extension, handles),
        }
    }

    fn extended(extension: &Extension, handles: &Handles) -> Self {
        use Extension as E;
        match extension {
            E::PosixRename { from, to } => Self { renames: true, ..Self::two(from, to) },
            E::HardLink { from, to } => Self::two(from, to),
            E::Lsetstat { path, .. } => Self::name(path, Touch::Change),
            E::StatVfs { path } | E::CheckName { path, .. } => Self::name(path, Touch::Look),
            E::FstatVfs { handle } | E::Fsync { handle } | E::CheckHandle { handle, .. } => {
                Self::slots([Some(handle), None])
            }
            E::CopyData { from, to, .. } => {
                let written = Self::handle(to, handles, Touch::Content);
                Self { handles: [slot(Some(from)), slot(Some(to))], ..written }
            }
            E::Limits | E::ExpandPath { .. } | E::HomeDirectory | E::UsersGroups { .. } | E::Unknown { .. } => {
                Self::default()
            }
        }
    }

    fn name(path: &[u8], touch: Touch) -> Self {
        Self { names: [named(path, touch), None], ..Self::default() }
    }

    fn two(one: &[u8], other: &[u8]) -> Self {
        Self { names: [named(one, Touch::Change), named(other, Touch::Change)], ..Self::default() }
    }

    fn slots(handles: [Option<&Bytes>; 2]) -> Self {
        Self { handles: handles.map(slot), ..Self::default() }
    }

    /// An upload stands for its name; another open file does not.
    fn handle(handle: &Bytes, handles: &Handles, touch: Touch) -> Self {
        let name = match handles.kind(handle) {
            Some(Kind::Upload(path)) => Some((path, touch)),
            // Its attributes are those of the name.
            Some(Kind::Other(path)) if touch == Touch::Content => Some((path, Touch::Change)),
            Some(Kind::Other(_)) | None => None,
        };
        Self { handles: [slot(Some(handle)), None], names: [name, None], renames: false }
    }

    /// Behind `unfinished` requests, in their order, an upload is done under the name that it will have by then.
    pub(super) fn behind<'a>(mut self, unfinished: impl Iterator<Item = &'a Self>) -> Self {
        if let ([Some(_), _], [Some(name), None]) = (&self.handles, &self.names) {
            let mut last = name.clone();
            for other in unfinished.filter(|other| other.renames) {
                if let [Some((from, _)), Some((to, _))] = &other.names
                    && *from == last.0
                {
                    last.0 = Arc::clone(to);
                }
            }
            if last != *name {
                self.names = [Some(name.clone()), Some(last)];
            }
        }
        self
    }

    /// Must one wait for the other?
    pub(super) fn conflicts(&self, other: &Self) -> bool {
        let shared = |one: &Option<u32>| one.is_some() && other.handles.contains(one);
        self.handles.iter().any(shared)
            || self.names.iter().flatten().any(|one| other.names.iter().flatten().any(|two| collide(one, two)))
    }
}

fn collide((one, touched): &(Arc<RelPath>, Touch), (other, touches): &(Arc<RelPath>, Touch)) -> bool {
    match (touched, touches) {
        (Touch::Look, Touch::Look) => false,
        // A folder above is as it was whatever is written into a file in it.
        (Touch::Look | Touch::Content, Touch::Look | Touch::Content) => one == other,
        (Touch::Change, _) | (_, Touch::Change) => one.starts_with(other) || other.starts_with(one),
    }
}

fn named(path: &[u8], touch: Touch) -> Option<(Arc<RelPath>, Touch)> {
    parse(path).ok().map(|path| (Arc::new(path), touch))
}

fn slot(handle: Option<&Bytes>) -> Option<u32> {
    handle.and_then(|handle| super::open::slot(handle))
}

#[cfg(test)]
mod tests {
    use russh_sftp::protocol::OpenFlags;

    use super::*;
    use crate::net::sftp::Attributes;

    fn bytes(text: &'static str) -> Bytes {
        Bytes::from_static(text.as_bytes())
    }

    fn stat(path: &'static str) -> Request {
        Request::Lstat { path: bytes(path) }
    }

    fn remove(path: &'static str) -> Request {
        Request::Remove { path: bytes(path) }
    }

    fn list(path: &'static str) -> Request {
        Request::Opendir { path: bytes(path) }
    }

    fn rename(from: &'static str, to: &'static str) -> Request {
        Request::Extended(Extension::PosixRename { from: bytes(from), to: bytes(to) })
    }

    fn open(path: &'static str, flags: OpenFlags) -> Request {
        Request::Open { path: bytes(path), flags, attributes: Attributes::default() }
    }

    fn fstat(handle: [u8; 4]) -> Request {
        Request::Fstat { handle: Bytes::copy_from_slice(&handle) }
    }

    #[test]
    fn what_must_keep_its_order() {
        let (read, write) = (OpenFlags::READ, OpenFlags::WRITE | OpenFlags::CREATE);
        let cases = [
            (stat("a"), stat("a"), false),
            (stat("a"), remove("/a"), true),
            (stat("a"), remove("b"), false),
            (remove("a/b"), remove("a/c"), false),
            (list("a"), remove("a/b"), true),
            (remove("a"), open("a/b", write), true),
            (open("a/b", write), open("a/c", write), false),
            (open("a/b", read), open("a/b", read), false),
            (open("a/b", read), open("a/b", write), true),
            (rename("a", "b"), stat("b"), true),
            (rename("a", "b"), stat("ab"), false),
            (rename("a", "b"), rename("c", "a/x"), true),
            (fstat([0, 0, 0, 1]), fstat([0, 0, 0, 1]), true),
            (fstat([0, 0, 0, 1]), fstat([0, 0, 0, 2]), false),
            (Request::Init, remove(""), false),
        ];
        let handles = Handles::default();
        for (one, other, expected) in cases {
            let (first, second) = (Claim::of(&one, &handles), Claim::of(&other, &handles));
            assert_eq!(first.conflicts(&second), expected, "{one:?} {other:?}");
            assert_eq!(second.conflicts(&first), expected, "{other:?} {one:?}");
        }
    }
}
