//! EXTENDED requests.

use std::io;

use bytes::{Buf, Bytes};

use super::super::{attributes, status};
use super::open::Open;
use super::worker::{Worker, absolute, parse};
use crate::audit::Event;
use crate::net::sftp::{Extension, Reply};
use crate::tree::{Replace, View};

/// Bytes per step of a copy on the server.
const STEP: usize = 256 << 10;

impl Worker {
    pub(super) fn extended(&self, extension: Extension, changes: &mut Vec<Event>) -> io::Result<Reply> {
        let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        match extension {
            Extension::PosixRename { from, to } => self.rename(&from, &to, Replace::Yes, changes),
            Extension::StatVfs { path } => {
                self.context.view.stat_follow(&parse(&path)?)?;
                Ok(Reply::Numbers(attributes::space(&self.context.view.space()?)))
            }
            Extension::FstatVfs { handle } => match self.handles.get(&handle) {
                Some(_) => Ok(Reply::Numbers(attributes::space(&self.context.view.space()?))),
                None => Ok(status::bad_handle()),
            },
            Extension::HardLink { from, to } => self.hard_link(&from, &to, changes),
            Extension::Fsync { handle } => self.fsync(&handle),
            Extension::Lsetstat { path, attributes } => self.setstat(&path, &attributes, false, changes),
            Extension::Limits => Ok(Reply::limits()),
            Extension::ExpandPath { path } => {
                let path =
                    path.strip_prefix(b"~").filter(|rest| rest.first().is_none_or(|b| *b == b'/')).unwrap_or(&path);
                Ok(Reply::path(absolute(&parse(path)?)))
            }
            Extension::CopyData { from, from_offset, length, to, to_offset } => {
                let Some((from, to)) = self.two(&from, &to) else { return Ok(status::bad_handle()) };
                copy(&self.context.view, (&from, from_offset), length, (&to, to_offset))
            }
            // Every account begins at the root of its own view.
            Extension::HomeDirectory => Ok(Reply::path(absolute(&crate::model::RelPath::root()))),
            Extension::UsersGroups { users, groups } => {
                Ok(Reply::UsersGroups { users: names(users, uid), groups: names(groups, gid) })
            }
            Extension::CheckHandle { handle, sums } => match self.handles.get(&handle) {
                Some(open) => self.sums(&sums, |buf, offset| open.read_at(buf, offset)),
                None => Ok(status::bad_handle()),
            },
            Extension::CheckName { path, sums } => {
                let file = self.context.view.open_read(&parse(&path)?)?;
                self.sums(&sums, |buf, offset| file.read_at(buf, offset))
            }
            Extension::Unknown { name } => Ok(status::unsupported(&String::from_utf8_lossy(&name))),
        }
    }
}

/// What the service makes is its own; what else there is on this machine is nobody's business.
fn names(mut numbers: Bytes, own: u32) -> Vec<Bytes> {
    let mut names = Vec::new();
    while let Ok(number) = numbers.try_get_u32() {
        names.push(if number == own { Bytes::from_static(b"causeway") } else { Bytes::new() });
    }
    names
}

fn copy(
    view: &View,
    (from, from_offset): (&Open, u64),
    length: u64,
    (to, to_offset): (&Open, u64),
) -> io::Result<Reply> {
    let Open::Upload(target) = to else { return Ok(status::failure("the target was not opened to write")) };
    if std::ptr::eq(from, to) {
        return Ok(status::failure("a file cannot be copied onto itself"));
    }
    let whole = length == 0;
    let mut left = if whole { u64::MAX } else { length };
    let mut buffer = vec![0; STEP];
    let mut moved = 0_u64;
    while left > 0 {
        let step = usize::try_from(left).unwrap_or(STEP).min(STEP);
        let Some(room) = buffer.get_mut(..step) else { break };
        let got = from.read_at(room, from_offset.saturating_add(moved))?;
        if got == 0 {
            // As OpenSSH: what there is was copied.
            return Ok(if whole { Reply::ok() } else { status::eof() });
        }
        target.write(view, room.get(..got).unwrap_or_default(), to_offset.saturating_add(moved))?;
        let got = u64::try_from(got).unwrap_or(left);
        moved += got;
        left = left.saturating_sub(got);
    }
    Ok(Reply::ok())
}
