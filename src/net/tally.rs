//! What is known of a connection while it lasts and when it is over, shared by who carries its bytes and who writes down
//! what became of it.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use tokio::net::TcpStream;

use super::tcp_info::{TcpInfo, tcp_info};

/// How a connection is kept from listeners.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Secured {
    /// Its keys were agreed on in a way that a quantum computer does not undo: ML-KEM (FIPS 203) or sntrup761, with or
    /// without an elliptic curve beside it.
    pub post_quantum: bool,
}

impl Secured {
    /// By the name of a key exchange of SSH or of a group of TLS, such as `mlkem768x25519-sha256`, `X25519MLKEM768`.
    #[must_use]
    pub fn by(exchange: &str) -> Self {
        let name = exchange.to_ascii_lowercase();
        Self { post_quantum: name.contains("mlkem") || name.contains("sntrup") }
    }
}

/// The running account of one connection.
#[derive(Debug)]
pub struct Tally {
    ends: Option<(SocketAddr, SocketAddr)>,
    began: Instant,
    /// Microseconds from the beginning to the last byte either way.
    moved: AtomicU64,
    /// The last word was the other side's.
    heard: AtomicBool,
    turns: AtomicU32,
    /// Bytes of files.
    payload: AtomicU64,
    /// Bytes of connections that belong to this one.
    beside: AtomicU64,
    secured: OnceLock<Secured>,
    last: Mutex<Option<TcpInfo>>,
}

impl Tally {
    /// Of a connected stream.
    #[must_use]
    pub fn of(stream: &TcpStream) -> Arc<Self> {
        Self::between(stream.local_addr().ok().zip(stream.peer_addr().ok()))
    }

    /// Of a way that is no TCP connection of ours.
    #[must_use]
    pub fn apart() -> Arc<Self> {
        Self::between(None)
    }

    fn between(ends: Option<(SocketAddr, SocketAddr)>) -> Arc<Self> {
        let (began, secured, last) = (Instant::now(), OnceLock::new(), Mutex::default());
        let (moved, heard, turns) = (AtomicU64::new(0), AtomicBool::new(true), AtomicU32::new(0));
        let (payload, beside) = (AtomicU64::new(0), AtomicU64::new(0));
        Arc::new(Self { ends, began, moved, heard, turns, payload, beside, secured, last })
    }

    /// Bytes came.
    pub fn hears(&self) {
        self.moves();
        self.heard.store(true, Ordering::Relaxed);
    }

    /// Bytes went. Speaking after having listened begins a round trip.
    pub fn says(&self) {
        self.moves();
        if self.heard.swap(false, Ordering::Relaxed) {
            self.turns.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn moves(&self) {
        self.moved.store(u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// It is encrypted from now on.
    pub fn secure(&self, secured: Secured) {
        self.secured.get_or_init(|| secured);
    }

    /// Bytes of a file went over it, or over a connection of its that took `beside` bytes of the way.
    pub fn carried(&self, payload: u64, beside: u64) {
        self.payload.fetch_add(payload, Ordering::Relaxed);
        self.beside.fetch_add(beside, Ordering::Relaxed);
    }

    /// How it is encrypted; `None` in the clear.
    #[must_use]
    pub fn secured(&self) -> Option<Secured> {
        self.secured.get().copied()
    }

    /// Since when no byte went either way.
    #[must_use]
    pub fn idle(&self) -> Duration {
        self.began.elapsed().saturating_sub(Duration::from_micros(self.moved.load(Ordering::Relaxed)))
    }

    /// How often this side spoke after it had listened: the round trips that it waited for, at most.
    #[must_use]
    pub fn turns(&self) -> u32 {
        self.turns.load(Ordering::Relaxed)
    }

    /// Bytes of files until now.
    #[must_use]
    pub fn payload(&self) -> u64 {
        self.payload.load(Ordering::Relaxed)
    }

    /// Bytes of the connections that belong to it.
    #[must_use]
    pub fn beside(&self) -> u64 {
        self.beside.load(Ordering::Relaxed)
    }

    /// What the kernel knows now; when it knows no more, what it last knew.
    pub fn look(&self) -> Option<TcpInfo> {
        let (local, peer) = self.ends?;
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        match tcp_info(local, peer) {
            Ok(Some(now)) => *last = Some(now),
            Ok(None) => {}
            Err(error) => tracing::debug!(%error, "the kernel tells nothing of a connection"),
        }
        *last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speaking_after_listening_is_a_turn() {
        let tally = Tally::apart();
        tally.says();
        tally.says();
        assert_eq!(tally.turns(), 1);
        tally.hears();
        tally.hears();
        tally.says();
        assert_eq!((tally.turns(), tally.look(), tally.secured()), (2, None, None));
    }

    #[test]
    fn names_of_key_exchanges_tell() {
        for name in ["mlkem768x25519-sha256", "X25519MLKEM768", "sntrup761x25519-sha512@openssh.com"] {
            assert!(Secured::by(name).post_quantum, "{name}");
        }
        assert!(!Secured::by("curve25519-sha256").post_quantum && !Secured::by("X25519").post_quantum);
    }

    #[tokio::test]
    async fn what_was_last_known_stays() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (ours, theirs) = tokio::join!(TcpStream::connect(listener.local_addr().unwrap()), listener.accept());
        let (ours, theirs) = (ours.unwrap(), theirs.unwrap().0);
        let tally = Tally::of(&ours);
        let before = tally.look().unwrap();
        socket2::SockRef::from(&theirs).set_linger(Some(Duration::ZERO)).unwrap();
        drop(theirs);
        ours.readable().await.unwrap();
        assert_eq!(tally.look(), Some(before));
    }
}
