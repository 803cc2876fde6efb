//! Who is here now: every connection of somebody who logged in, what it moves, and a way to end it.
//!
//! In memory, of this process; what has been is in the audit log.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::model::{Door, RelPath};
use crate::reliability::Direction;

/// Everybody who is here. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Presence(Arc<Here>);

#[derive(Debug, Default)]
struct Here {
    next: AtomicU64,
    guests: Mutex<BTreeMap<u64, Guest>>,
}

#[derive(Debug, Clone)]
struct Guest {
    who: Who,
    moving: Moving,
    out: CancellationToken,
}

/// Who came in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Who {
    /// By which door.
    pub door: Door,
    /// The account.
    pub account: String,
    /// From where.
    pub peer: SocketAddr,
    /// What the client calls itself.
    pub client: String,
    /// How the keys were exchanged.
    pub kex: Option<String>,
    /// What it is encrypted with.
    pub cipher: Option<String>,
    /// When.
    pub since: Timestamp,
}

/// An account has all the connections that it may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this account has {0} connections already, and no more are allowed: close some first")]
pub struct Crowded(usize);

/// Somebody who is here, at one moment.
#[derive(Debug, Clone, Serialize)]
pub struct Seen {
    /// The number of the connection.
    pub id: u64,
    /// Who it is.
    #[serde(flatten)]
    pub who: Who,
    /// Bytes that came from the client since it is here.
    pub uploaded: u64,
    /// Bytes that went to it.
    pub downloaded: u64,
    /// What is moved.
    pub moving: Vec<Moved>,
}

/// A file that is open.
#[derive(Debug, Clone, Serialize)]
pub struct Moved {
    /// From the root of the tree.
    pub path: String,
    /// To or from the client.
    pub direction: Direction,
    /// Bytes so far.
    pub bytes: u64,
    /// Since when.
    pub since: Timestamp,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Presence {
    /// Somebody came in; is here until what is returned is dropped.
    ///
    /// # Errors
    /// [`Crowded`] when the account has `most` connections already.
    pub fn enter(&self, who: Who, moving: Moving, most: usize) -> Result<Stay, Crowded> {
        let id = self.0.next.fetch_add(1, Ordering::Relaxed) + 1;
        let out = CancellationToken::new();
        let mut guests = lock(&self.0.guests);
        let here = guests.values().filter(|guest| guest.who.account == who.account).count();
        if here >= most {
            return Err(Crowded(here));
        }
        guests.insert(id, Guest { who, moving, out: out.clone() });
        drop(guests);
        Ok(Stay { here: self.clone(), id, out })
    }

    /// Everybody, in the order in which they came.
    #[must_use]
    pub fn list(&self) -> Vec<Seen> {
        let guests = lock(&self.0.guests).clone();
        let seen = |(id, Guest { who, moving, .. }): (u64, Guest)| Seen {
            id,
            who,
            uploaded: moving.0.total(Direction::Upload).load(Ordering::Relaxed),
            downloaded: moving.0.total(Direction::Download).load(Ordering::Relaxed),
            moving: moving.list(),
        };
        guests.into_iter().map(seen).collect()
    }

    /// Connections of one account.
    #[must_use]
    pub fn of(&self, account: &str) -> usize {
        lock(&self.0.guests).values().filter(|guest| guest.who.account == account).count()
    }

    /// Ends a connection, one of `account` if that is given. Returns who that is; `None` when there is none (any more).
    #[must_use]
    pub fn show_out(&self, id: u64, account: Option<&str>) -> Option<Who> {
        let guest = lock(&self.0.guests).get(&id).cloned()?;
        if account.is_some_and(|account| account != guest.who.account) {
            return None;
        }
        guest.out.cancel();
        Some(guest.who)
    }
}

/// One connection's place among those who are here.
#[derive(Debug)]
pub struct Stay {
    here: Presence,
    id: u64,
    out: CancellationToken,
}

impl Stay {
    /// Resolves when somebody wants the connection to end.
    pub async fn shown_out(&self) {
        self.out.cancelled().await;
    }
}

impl Drop for Stay {
    fn drop(&mut self) {
        lock(&self.here.0.guests).remove(&self.id);
    }
}

/// The open files of one connection, and the bytes of all that were. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Moving(Arc<Files>);

#[derive(Debug, Default)]
struct Files {
    open: Mutex<BTreeMap<u64, Arc<File>>>,
    uploaded: AtomicU64,
    downloaded: AtomicU64,
}

impl Files {
    fn total(&self, direction: Direction) -> &AtomicU64 {
        match direction {
            Direction::Upload => &self.uploaded,
            Direction::Download => &self.downloaded,
        }
    }
}

#[derive(Debug)]
struct File {
    path: Mutex<RelPath>,
    direction: Direction,
    bytes: AtomicU64,
    since: Timestamp,
}

impl Moving {
    /// A file is opened; it counts until what is returned is dropped.
    #[must_use]
    pub fn begin(&self, path: RelPath, direction: Direction, since: Timestamp) -> Transfer {
        let file = Arc::new(File { path: Mutex::new(path), direction, bytes: AtomicU64::new(0), since });
        let mut files = lock(&self.0.open);
        let id = files.last_key_value().map_or(0, |(last, _)| last.wrapping_add(1));
        files.insert(id, Arc::clone(&file));
        Transfer { all: self.clone(), id, file }
    }

    /// How many are open.
    #[must_use]
    pub fn now(&self) -> usize {
        lock(&self.0.open).len()
    }

    fn list(&self) -> Vec<Moved> {
        let moved = |file: &Arc<File>| Moved {
            path: lock(&file.path).display().into_owned(),
            direction: file.direction,
            bytes: file.bytes.load(Ordering::Relaxed),
            since: file.since,
        };
        lock(&self.0.open).values().map(moved).collect()
    }
}

/// One open file.
#[derive(Debug)]
pub struct Transfer {
    all: Moving,
    id: u64,
    file: Arc<File>,
}

impl Transfer {
    /// So many bytes more.
    pub fn add(&self, bytes: u64) {
        self.file.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.all.0.total(self.file.direction).fetch_add(bytes, Ordering::Relaxed);
    }

    /// Bytes until now.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.file.bytes.load(Ordering::Relaxed)
    }

    /// It has another name now.
    pub fn rename(&self, path: RelPath) {
        *lock(&self.file.path) = path;
    }
}

impl Drop for Transfer {
    fn drop(&mut self) {
        lock(&self.all.0.open).remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn who(account: &str) -> Who {
        Who {
            door: Door::Sftp,
            account: account.to_owned(),
            peer: ([192, 0, 2, 1], 4711).into(),
            client: "SSH-2.0-x".to_owned(),
            kex: None,
            cipher: None,
            since: Timestamp::UNIX_EPOCH,
        }
    }

    #[tokio::test]
    async fn guests_are_here_until_they_leave_or_are_shown_out() {
        let presence = Presence::default();
        let (moving, nothing) = (Moving::default(), Moving::default());
        let anna = presence.enter(who("anna"), moving.clone(), 1).unwrap();
        assert_eq!(presence.enter(who("anna"), nothing.clone(), 1).unwrap_err(), Crowded(1));
        let bert = presence.enter(who("bert"), nothing, 1).unwrap();
        let file = moving.begin(RelPath::new("a").unwrap(), Direction::Upload, Timestamp::UNIX_EPOCH);
        let other = moving.begin(RelPath::new("b").unwrap(), Direction::Download, Timestamp::UNIX_EPOCH);
        file.add(7);
        other.add(5);
        file.rename(RelPath::new("c").unwrap());
        drop(other);
        let seen = presence.list();
        assert_eq!(seen.iter().map(|seen| seen.who.account.as_str()).collect::<Vec<_>>(), ["anna", "bert"]);
        assert_eq!((seen[0].moving.len(), seen[1].moving.len(), moving.now()), (1, 0, 1));
        assert_eq!((seen[0].moving[0].path.as_str(), seen[0].moving[0].bytes), ("c", 7));
        assert_eq!((seen[0].uploaded, seen[0].downloaded), (7, 5), "what was closed counts on");
        assert_eq!((seen[1].uploaded, seen[1].downloaded), (0, 0));
        assert_eq!((presence.of("anna"), presence.of("nobody")), (1, 0));
        assert_eq!(presence.show_out(seen[0].id, Some("bert")), None, "not his");
        assert_eq!(presence.show_out(seen[0].id, Some("anna")), Some(who("anna")));
        anna.shown_out().await;
        drop(anna);
        assert_eq!(presence.show_out(seen[0].id, None), None);
        drop(bert);
        assert!(presence.list().is_empty());
    }
}
