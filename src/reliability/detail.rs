//! What else was seen of a connection or a transfer.

use std::sync::OnceLock;
use std::time::Duration;

use super::{End, Role};
use crate::model::{Fault, FaultKind};
use crate::net::{Tally, TcpInfo};
use crate::random;

/// What else was seen. All optional: absent means not known, never zero.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Detail {
    /// Who ended it, where that is known better than [`Party::of`] says.
    pub by: Option<Party>,
    /// How long no byte had gone either way before it ended.
    pub idle: Option<Duration>,
    /// The operating system's error number.
    pub errno: Option<i32>,
    /// What the kernel knew of the TCP connection at its end, or when it was last asked.
    pub tcp: Option<TcpInfo>,
    /// Was it encrypted?
    pub encrypted: Option<bool>,
    /// Were its keys agreed on in a way that a quantum computer does not undo?
    pub post_quantum: Option<bool>,
    /// Round trips: how often the observer spoke after having listened.
    pub round_trips: Option<u32>,
    /// Of connections: bytes of files that went over them.
    pub payload: Option<u64>,
    /// Of connections: bytes on the way, with those of their data connections: payload, commands, TLS or SSH, and what was
    /// sent again; without the headers of TCP and IP.
    pub wire: Option<u64>,
    /// Of transfers: which file, so that attempts at the same one can be told.
    pub file: Option<FileId>,
    /// The round of paired probes that it belongs to: what has the same number went to all endpoints of a set in the same
    /// minute.
    pub round: Option<i64>,
}

impl Detail {
    /// What is known of a connection.
    #[must_use]
    pub fn of(tally: &Tally) -> Self {
        let (tcp, secured) = (tally.look(), tally.secured());
        Self {
            idle: Some(tally.idle()),
            tcp,
            encrypted: Some(secured.is_some()),
            post_quantum: Some(secured.is_some_and(|secured| secured.post_quantum)),
            round_trips: Some(tally.turns()),
            payload: Some(tally.payload()),
            wire: tcp.map(|tcp| tcp.sent.saturating_add(tcp.received).saturating_add(tally.beside())),
            ..Self::default()
        }
    }

    /// What is known of a connection that this was only a part of.
    #[must_use]
    pub fn on(tally: &Tally) -> Self {
        Self { round_trips: None, payload: None, wire: None, ..Self::of(tally) }
    }

    /// Of an attempt that failed before there was a connection to look at.
    #[must_use]
    pub fn failed(fault: &Fault) -> Self {
        Self::default().after(fault)
    }

    /// And of what broke it, if something did.
    #[must_use]
    pub fn ended(self, fault: Option<&Fault>) -> Self {
        match fault {
            Some(fault) => self.after(fault),
            None => self,
        }
    }

    /// And of what broke it.
    #[must_use]
    pub fn after(mut self, fault: &Fault) -> Self {
        self.errno = fault.evidence.errno.or(self.errno);
        self.idle = fault.evidence.idle.or(self.idle);
        self
    }

    /// Of this file.
    #[must_use]
    pub fn file(mut self, file: FileId) -> Self {
        self.file = Some(file);
        self
    }
}

/// Who ended something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Party {
    /// The observer.
    Us,
    /// The other side, or something on the way that speaks in its name: a reset does not say who sent it.
    Them,
    /// Nobody said anything: bytes or answers stopped coming.
    Nobody,
}

impl Party {
    /// The stable word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Us => "us",
            Self::Them => "them",
            Self::Nobody => "nobody",
        }
    }

    /// The party of a stable word.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        [Self::Us, Self::Them, Self::Nobody].into_iter().find(|party| party.as_str() == word)
    }

    /// Who, as far as the end tells: a client says goodbye, a failure says whose it was. `None`: it goes on.
    #[must_use]
    pub const fn of(role: Role, end: End) -> Option<Self> {
        Some(match (end, role) {
            (End::StillOpen, _) => return None,
            (End::Clean, Role::Client) => Self::Us,
            (End::Clean, Role::Door) => Self::Them,
            (End::Failed(_, kind), _) => match kind {
                FaultKind::Timeout | FaultKind::Stalled | FaultKind::Unreachable => Self::Nobody,
                FaultKind::Cancelled
                | FaultKind::DiskFull
                | FaultKind::Io
                | FaultKind::BadName
                | FaultKind::Mismatch
                | FaultKind::Incomplete
                | FaultKind::Unsettled => Self::Us,
                FaultKind::Reset
                | FaultKind::ClosedEarly
                | FaultKind::Refused
                | FaultKind::Limit
                | FaultKind::Auth
                | FaultKind::Permission
                | FaultKind::Missing
                | FaultKind::Exists
                | FaultKind::Changed
                | FaultKind::Tls
                | FaultKind::Protocol
                | FaultKind::Unsupported => Self::Them,
            },
        })
    }
}

/// A file, without its name: a keyed hash of where it is. The key is made when the program starts and kept nowhere, so
/// nobody finds a name by trying names; attempts before and after a restart count as different files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FileId(u64);

impl FileId {
    /// The file at `path` of an endpoint or a door.
    #[must_use]
    pub fn of(place: &str, path: &[u8]) -> Self {
        static KEY: OnceLock<[u8; 32]> = OnceLock::new();
        let key = KEY.get_or_init(|| {
            let mut key = [0; 32];
            // Without random numbers the files are told apart all the same.
            if let Err(error) = random::fill(&mut key) {
                tracing::warn!(%error, "no random numbers for the hashes of files");
            }
            key
        });
        let mut hasher = blake3::Hasher::new_keyed(key);
        hasher.update(place.as_bytes()).update(&[0]).update(path);
        let mut first = [0; 8];
        hasher.finalize_xof().fill(&mut first);
        Self(u64::from_le_bytes(first))
    }

    /// As the store keeps it.
    #[must_use]
    pub(super) const fn stored(self) -> i64 {
        self.0.cast_signed()
    }

    /// From what the store keeps.
    #[must_use]
    pub(super) const fn of_stored(stored: i64) -> Self {
        Self(stored.cast_unsigned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Phase;

    #[test]
    fn a_file_is_known_by_place_and_path() {
        let file = FileId::of("ftp.example.org:21", b"/a/b");
        assert_eq!(file, FileId::of("ftp.example.org:21", b"/a/b"));
        assert_ne!(file, FileId::of("ftp.example.org:21", b"/a/c"));
        assert_ne!(file, FileId::of("ftp.example.org:2", b"1/a/b"));
    }

    #[test]
    fn who_ended_it() {
        let failed = |kind| Party::of(Role::Client, End::Failed(Phase::Transfer, kind));
        assert_eq!(failed(FaultKind::Reset), Some(Party::Them));
        assert_eq!(failed(FaultKind::Stalled), Some(Party::Nobody));
        assert_eq!(failed(FaultKind::Cancelled), Some(Party::Us));
        assert_eq!(Party::of(Role::Client, End::Clean), Some(Party::Us));
        assert_eq!(Party::of(Role::Door, End::Clean), Some(Party::Them));
        assert_eq!(Party::of(Role::Door, End::StillOpen), None);
    }

    #[test]
    fn a_fault_adds_its_evidence() {
        let error = std::io::Error::from_raw_os_error(104);
        let fault = Fault::io(Phase::Transfer, "lost", &error).idle(Duration::from_secs(20));
        let detail = Detail { idle: Some(Duration::from_secs(1)), ..Detail::default() }.after(&fault);
        assert_eq!((detail.errno, detail.idle), (Some(104), Some(Duration::from_secs(20))));
    }
}
