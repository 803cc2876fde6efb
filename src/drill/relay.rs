//! The fault proxy: a SOCKS5 relay of this process, on loopback, over which a copy reaches its real server, and which does
//! it one harm in the middle of the way. It sees no more than bytes, so it is the same for every protocol, inside TLS too.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, Semaphore};
use tokio_util::sync::CancellationToken;

use crate::net::socks::{self, Answer};
use crate::task::Tasks;

/// Most connections at once.
const MOST: usize = 512;
/// Bytes that are taken at once.
const PIECE: usize = 16 << 10;
/// For the few bytes before a connection is made, and for making it.
const PATIENCE: Duration = Duration::from_secs(30);
/// What an FTP server says that has too many clients (RFC 959, section 4.2: service not available, closing).
const TOO_MANY: &[u8] = b"421 Too many connections, please try again later.\r\n";

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Harm {
    /// RST to both ends of the connection over which the byte came.
    Reset,
    /// Nothing moves for the time, then everything goes on.
    Stall,
    /// RST to the server of that connection; its client hears nothing ever again.
    HalfOpen,
    /// RST to all; during the time new ones to the server's port are turned away.
    Refusals,
    /// Nothing moves over what is open then, ever; during the time new ones are not answered.
    BlackHole,
    /// So many bytes a second from the server, for the time.
    Slow(u32),
}

/// What, when, and to whom.
pub(super) struct Cue {
    pub(super) harm: Harm,
    /// Is it time? Asked for every piece that comes from the server, with its bytes, until it is.
    pub(super) due: Box<dyn Fn(usize) -> bool + Send + Sync>,
    pub(super) lasts: Duration,
    /// The port at which the server greets.
    pub(super) port: u16,
    /// Does it greet in FTP, in the clear?
    pub(super) ftp: bool,
}

impl fmt::Debug for Cue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} for {:?}", self.harm, self.lasts)
    }
}

/// A running relay; it ends with the tasks it was given.
#[derive(Debug)]
pub(super) struct Relay {
    address: SocketAddr,
    course: Arc<Course>,
}

#[derive(Debug)]
struct Course {
    cue: Cue,
    fired: OnceLock<Instant>,
    /// Ends all connections of before.
    cut: CancellationToken,
    /// A slow server sends one piece after the other, whatever the connection.
    turn: Mutex<()>,
}

/// How a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Reset,
    HalfOpen,
    Silence,
}

impl From<io::Error> for End {
    /// One end broke off: so does the other.
    fn from(_: io::Error) -> Self {
        Self::Reset
    }
}

impl Relay {
    /// Listens, until the tasks stop.
    ///
    /// # Errors
    /// Those of binding.
    pub(super) async fn start(cue: Cue, tasks: &Tasks) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let (fired, cut, turn) = (OnceLock::new(), CancellationToken::new(), Mutex::new(()));
        let course = Course { cue, fired, cut, turn };
        let course = Arc::new(course);
        let (shared, all) = (Arc::clone(&course), tasks.clone());
        tasks.spawn("drill: relay", async move {
            let room = Arc::new(Semaphore::new(MOST));
            loop {
                let accepted = tokio::select! {
                    accepted = listener.accept() => accepted,
                    () = all.stopped() => return,
                };
                let Ok((client, _)) = accepted else { continue };
                let Ok(place) = Arc::clone(&room).try_acquire_owned() else { continue };
                let (course, stop) = (Arc::clone(&shared), all.token());
                all.spawn("drill: connection", async move {
                    tokio::select! {
                        () = course.carry(client) => {}
                        () = stop.cancelled() => {}
                    }
                    drop(place);
                });
            }
        });
        Ok(Self { address, course })
    }

    pub(super) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// When the harm was done.
    pub(super) fn fired(&self) -> Option<Instant> {
        self.course.fired.get().copied()
    }
}

impl Course {
    /// Since when, if it has been done.
    fn since(&self) -> Option<Duration> {
        self.fired.get().map(Instant::elapsed)
    }

    /// Is it going on now?
    fn lasts(&self) -> bool {
        self.since().is_some_and(|since| since < self.cue.lasts)
    }

    /// One connection, from its first byte to its last.
    async fn carry(&self, mut client: TcpStream) {
        let Ok(Ok(to)) = tokio::time::timeout(PATIENCE, socks::wanted(&mut client)).await else { return };
        if self.lasts() && self.turned_away(&mut client, to).await {
            return;
        }
        let mut server = match tokio::time::timeout(PATIENCE, TcpStream::connect(to)).await {
            Ok(Ok(server)) => server,
            failed => {
                let refused = matches!(failed, Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused);
                let said = if refused { Answer::Refused } else { Answer::Failed };
                // Who asked may be gone.
                let _gone = socks::answer(&mut client, said, self.nowhere()).await;
                return;
            }
        };
        let at = server.local_addr().unwrap_or_else(|_| self.nowhere());
        let end = match socks::answer(&mut client, Answer::Connected, at).await {
            Ok(()) => self.pass(&mut client, &mut server).await,
            Err(_) => return,
        };
        match end {
            Ok(()) => {}
            Err(End::Reset) => [&client, &server].into_iter().for_each(abort),
            Err(End::HalfOpen) => {
                abort(&server);
                drop(server);
                deaf(client).await;
            }
            Err(End::Silence) => {
                std::future::pending::<()>().await;
            }
        }
    }

    const fn nowhere(&self) -> SocketAddr {
        SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::UNSPECIFIED), self.cue.port)
    }

    /// A connection that is asked for meanwhile. False: it is made all the same.
    async fn turned_away(&self, client: &mut TcpStream, to: SocketAddr) -> bool {
        match self.cue.harm {
            Harm::BlackHole => std::future::pending().await,
            Harm::Refusals if to.port() == self.cue.port => {
                let said = async {
                    socks::answer(client, Answer::Connected, to).await?;
                    if self.cue.ftp {
                        client.write_all(TOO_MANY).await?;
                    }
                    client.shutdown().await
                };
                // Whoever went away before was turned away, too.
                let _gone = said.await;
                true
            }
            Harm::Refusals | Harm::Reset | Harm::Stall | Harm::HalfOpen | Harm::Slow(_) => false,
        }
    }

    async fn pass(&self, client: &mut TcpStream, server: &mut TcpStream) -> Result<(), End> {
        let was_before = self.fired.get().is_none();
        let ((from_client, to_client), (from_server, to_server)) = (client.split(), server.split());
        let both = async {
            tokio::try_join!(self.one_way(from_server, to_client, true), self.one_way(from_client, to_server, false))
        };
        tokio::select! {
            done = both => done.map(drop),
            () = self.cut.cancelled(), if was_before => Err(End::Reset),
        }
    }

    async fn one_way(
        &self,
        mut from: impl AsyncRead + Unpin,
        mut to: impl AsyncWrite + Unpin,
        down: bool,
    ) -> Result<(), End> {
        let was_before = self.fired.get().is_none();
        let mut piece = vec![0; PIECE];
        loop {
            let count = from.read(&mut piece).await?;
            let Some(bytes) = piece.get(..count).filter(|bytes| !bytes.is_empty()) else {
                to.shutdown().await?;
                return Ok(());
            };
            let hit = down && self.is_due(count);
            self.suffer(hit, was_before, if down { count } else { 0 }).await?;
            to.write_all(bytes).await?;
        }
    }

    /// Is it now? That is so once.
    fn is_due(&self, bytes: usize) -> bool {
        self.fired.get().is_none() && (self.cue.due)(bytes) && self.fired.set(Instant::now()).is_ok()
    }

    /// What becomes of bytes on their way, `hit` by the cue or not.
    async fn suffer(&self, hit: bool, was_before: bool, bytes: usize) -> Result<(), End> {
        match self.cue.harm {
            Harm::Reset if hit => Err(End::Reset),
            Harm::HalfOpen if hit => Err(End::HalfOpen),
            Harm::Refusals if hit => {
                self.cut.cancel();
                Err(End::Reset)
            }
            Harm::BlackHole if was_before && self.fired.get().is_some() => Err(End::Silence),
            Harm::Stall if self.lasts() => {
                tokio::time::sleep(self.cue.lasts.saturating_sub(self.since().unwrap_or_default())).await;
                Ok(())
            }
            Harm::Slow(rate) if self.lasts() => {
                let _turn = self.turn.lock().await;
                let pieces = u32::try_from(bytes).unwrap_or(u32::MAX);
                tokio::time::sleep(Duration::from_secs(1).saturating_mul(pieces) / rate.max(1)).await;
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

/// Closing it will send RST.
fn abort(stream: &TcpStream) {
    if let Err(error) = SockRef::from(stream).set_linger(Some(Duration::ZERO)) {
        tracing::debug!(net.error = %error, "a connection ends in good order instead of by a reset");
    }
}

/// Takes what comes and answers nothing, until the other end goes.
async fn deaf(mut client: TcpStream) {
    let mut piece = vec![0; PIECE];
    while client.read(&mut piece).await.is_ok_and(|count| count > 0) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server that sends zeros for ever, and how many bytes came over a relay with this harm until the connection
    /// ended or went silent.
    async fn tried(harm: Harm, lasts: Duration, then: Duration) -> (u64, io::Result<usize>, bool, Relay) {
        let tasks = Tasks::new();
        let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = server.local_addr().unwrap();
        tasks.spawn("server", async move {
            let mut all = tokio::task::JoinSet::new();
            while let Ok((mut client, _)) = server.accept().await {
                all.spawn(async move { while client.write_all(&[0; 1000]).await.is_ok() {} });
            }
        });
        let came = Arc::new(std::sync::atomic::AtomicU64::new(0));
        let seen = Arc::clone(&came);
        let due = Box::new(move |_| seen.load(std::sync::atomic::Ordering::Relaxed) >= 50_000);
        let cue = Cue { harm, due, lasts, port: at.port(), ftp: true };
        let relay = Relay::start(cue, &tasks).await.unwrap();
        let mut client = TcpStream::connect(relay.address()).await.unwrap();
        socks::ask_for(&mut client, at).await.unwrap();
        let (mut piece, mut got) = (vec![0; 5_000], 0_u64);
        let end = loop {
            match tokio::time::timeout(then, client.read(&mut piece)).await {
                Ok(Ok(count)) if count > 0 && got < 1_000_000 => {
                    got += count as u64;
                    came.store(got, std::sync::atomic::Ordering::Relaxed);
                }
                Ok(end) => break Ok(end),
                Err(late) => break Err(late),
            }
        };
        (got, end.unwrap_or(Ok(usize::MAX)), relay.fired().is_some(), relay)
    }

    #[tokio::test]
    async fn each_harm_is_done_once_and_at_its_byte() {
        let (short, long) = (Duration::from_millis(300), Duration::from_secs(20));
        let (got, end, fired, _) = tried(Harm::Reset, Duration::ZERO, long).await;
        assert!(got < 1_000_000 && fired && end.unwrap_err().kind() == io::ErrorKind::ConnectionReset);
        for harm in [Harm::HalfOpen, Harm::BlackHole] {
            let (got, end, fired, _) = tried(harm, Duration::ZERO, short).await;
            assert!(got < 1_000_000 && fired && end.unwrap() == usize::MAX, "{harm:?}: silent");
        }
        let (got, _, fired, relay) = tried(Harm::Stall, short, long).await;
        assert!(got >= 1_000_000 && fired && relay.fired().unwrap().elapsed() >= short);
        let (got, _, fired, relay) = tried(Harm::Slow(100_000), short, long).await;
        assert!(got >= 1_000_000 && fired && relay.fired().unwrap().elapsed() >= short);
    }

    #[tokio::test]
    async fn while_it_lasts_new_connections_are_turned_away() {
        let (_, end, fired, relay) = tried(Harm::Refusals, Duration::from_secs(600), Duration::from_secs(20)).await;
        assert!(fired && end.is_err());
        let mut again = TcpStream::connect(relay.address()).await.unwrap();
        let port = relay.course.cue.port;
        socks::ask_for(&mut again, (Ipv4Addr::LOCALHOST, port).into()).await.unwrap();
        let mut said = Vec::new();
        again.read_to_end(&mut said).await.unwrap();
        assert_eq!(said, TOO_MANY);
    }

    #[tokio::test]
    async fn who_is_not_there_refuses() {
        let tasks = Tasks::new();
        let cue = Cue { harm: Harm::Reset, due: Box::new(|_| true), lasts: Duration::ZERO, port: 1, ftp: false };
        let relay = Relay::start(cue, &tasks).await.unwrap();
        let mut client = TcpStream::connect(relay.address()).await.unwrap();
        let refused = socks::ask_for(&mut client, "127.0.0.1:1".parse().unwrap()).await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
        assert!(relay.fired().is_none());
    }
}
