//! A connection that the other side opens to us, as FTP's active mode has it.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use futures_util::FutureExt as _;
use socket2::SockRef;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::timeout;

use super::dial::{SHORT, Segments};
use super::socket::{OpenedBy, note_refusal, tune};
use crate::model::{Fault, FaultKind, Phase};

/// Callers that may wait; all but one of them are strangers.
const BACKLOG: u32 = 4;

/// Where the kernel takes free ports from, unless it is told otherwise: the first, and how many.
const PORTS: (u16, u16) = (32_768, 28_232);
/// So many ports are tried before the kernel is asked for one.
const TRIES: usize = 8;

/// Listens at a free port of `local` for one connection.
///
/// A port by chance: the kernel would look through all that are in use, which costs more than the transfer where
/// thousands of connections have just ended.
///
/// # Errors
/// Those of `bind(2)` and `listen(2)`.
pub fn listen(local: IpAddr, segments: Segments) -> io::Result<TcpListener> {
    for _ in 0..TRIES {
        match listen_at(SocketAddr::new(local, any_port()), segments) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
            done => return done,
        }
    }
    listen_at(SocketAddr::new(local, 0), segments)
}

fn any_port() -> u16 {
    let mut bytes = [0_u8; 2];
    // Without chance the same port is tried again, and then the kernel is asked.
    match crate::random::fill(&mut bytes) {
        Ok(()) | Err(_) => PORTS.0 + u16::from_le_bytes(bytes) % PORTS.1,
    }
}

fn listen_at(at: SocketAddr, segments: Segments) -> io::Result<TcpListener> {
    let socket = if at.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    if segments == Segments::Short {
        note_refusal(SockRef::from(&socket).set_tcp_mss(SHORT));
    }
    // Connections that ended there are no reason against a port.
    note_refusal(socket.set_reuseaddr(true));
    socket.bind(at)?;
    socket.listen(BACKLOG)
}

/// Waits for `peer`, and for nobody else.
///
/// # Errors
/// A fault of `phase`.
pub async fn accept(listener: &TcpListener, peer: IpAddr, within: Duration, phase: Phase) -> Result<TcpStream, Fault> {
    let comes = async {
        loop {
            let (stream, from) = listener.accept().await?;
            if from.ip().to_canonical() == peer.to_canonical() {
                return Ok(stream);
            }
            tracing::debug!(from = %from, "a stranger at a data port was sent away");
        }
    };
    match timeout(within, comes).await {
        Ok(Ok(stream)) => {
            tune(&stream, OpenedBy::Us);
            Ok(stream)
        }
        Ok(Err(error)) => Err(Fault::io(phase, "the server cannot be let in", &error)),
        Err(_) => Err(Fault::new(
            phase,
            FaultKind::Timeout,
            format!("{peer} did not connect to us within {} s: a firewall or NAT may be in the way", within.as_secs()),
        )),
    }
}

/// Does `peer` come a second time, too? Then one of the two was somebody else at its address.
pub fn comes_again(listener: &TcpListener, peer: IpAddr) -> bool {
    while let Some(Ok((_, from))) = listener.accept().now_or_never() {
        if from.ip().to_canonical() == peer.to_canonical() {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_listener_has_a_port_of_its_own() {
        let all: Vec<_> = (0..500).map(|_| listen("127.0.0.1".parse().unwrap(), Segments::Full).unwrap()).collect();
        let ports: std::collections::HashSet<_> = all.iter().map(|one| one.local_addr().unwrap().port()).collect();
        assert_eq!(ports.len(), all.len());
    }

    #[tokio::test]
    async fn only_the_peer_comes_in() {
        let listener = listen("127.0.0.1".parse().unwrap(), Segments::Full).unwrap();
        let port = listener.local_addr().unwrap();
        let from = async |address: &str| {
            let socket = TcpSocket::new_v4().unwrap();
            socket.bind(SocketAddr::new(address.parse().unwrap(), 0)).unwrap();
            socket.connect(port).await.unwrap()
        };
        let (stranger, friend) = (from("127.0.0.2").await, from("127.0.0.3").await);
        let peer = "::ffff:127.0.0.3".parse().unwrap();
        let accepted = accept(&listener, peer, Duration::from_secs(5), Phase::DataConnect).await.unwrap();
        assert_eq!(accepted.peer_addr().unwrap(), friend.local_addr().unwrap());
        let mut byte = [0];
        stranger.readable().await.unwrap();
        assert_eq!(stranger.try_read(&mut byte).unwrap(), 0, "sent away");
        let nobody = accept(&listener, peer, Duration::from_millis(50), Phase::DataConnect).await.unwrap_err();
        assert_eq!((nobody.phase, nobody.kind), (Phase::DataConnect, FaultKind::Timeout));
    }
}
