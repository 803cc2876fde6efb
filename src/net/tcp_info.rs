//! What the kernel knows about a TCP connection: round trips, losses, rates, bytes on the way.
//!
//! It is asked over netlink (`sock_diag(7)`, `INET_DIAG_INFO`) by the two addresses of the connection, not by its socket:
//! so whoever has handed the socket over to a library can still ask, and no socket option has to be read by unsafe code.
//! A connection that was reset is no longer in the kernel's table: what was seen of it before is all there is.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use rustix::net::netlink::{SOCK_DIAG, SocketAddrNetlink};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, sendto, socket_with};

/// `SOCK_DIAG_BY_FAMILY` (`linux/sock_diag.h`).
const BY_FAMILY: u16 = 20;
/// `NLM_F_REQUEST`: one question, one answer.
const REQUEST: u16 = 1;
/// `IPPROTO_TCP`.
const TCP: u8 = 6;
/// `INET_DIAG_INFO`, as the number of an attribute and as a bit of the question.
const INFO: u16 = 2;
/// Of `struct nlmsghdr`, of `struct inet_diag_msg`.
const HEADER: usize = 16;
const MESSAGE: usize = 72;
/// "Whichever socket has these addresses" (`INET_DIAG_NOCOOKIE`).
const NO_COOKIE: [u8; 8] = [0xff; 8];

/// What was known when it was asked for (`struct tcp_info`, `linux/tcp.h`). What an old kernel does not tell is zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TcpInfo {
    /// The smoothed round trip.
    pub rtt: Duration,
    /// The shortest round trip so far.
    pub min_rtt: Duration,
    /// Segments that were sent again, in all.
    pub retransmits: u32,
    /// Segments that are thought to be lost now.
    pub lost: u32,
    /// Segments that were sent and are not acknowledged.
    pub unacked: u32,
    /// Bytes per second that arrived at the other side, as last measured.
    pub delivery_rate: u64,
    /// For how long sending waited for the other side's receive window.
    pub rwnd_limited: Duration,
    /// Bytes that were sent, those that were sent again among them.
    pub sent: u64,
    /// Bytes that came.
    pub received: u64,
}

/// Asks for the connection between two addresses; `None` when there is none (any more).
///
/// # Errors
/// What the system says; where netlink is closed to this process, always.
pub fn tcp_info(local: SocketAddr, peer: SocketAddr) -> io::Result<Option<TcpInfo>> {
    let flags = SocketFlags::CLOEXEC;
    let socket = socket_with(AddressFamily::NETLINK, SocketType::DGRAM, flags, Some(SOCK_DIAG))?;
    sendto(&socket, &question(local, peer), SendFlags::empty(), &SocketAddrNetlink::new(0, 0))?;
    let mut answer = [0; 1024];
    // The kernel has answered before `sendto` came back.
    let (_, length) = recv(&socket, &mut answer[..], RecvFlags::DONTWAIT)?;
    Ok(answer.get(..length).and_then(info).map(read))
}

/// `struct nlmsghdr` and `struct inet_diag_req_v2`.
fn question(local: SocketAddr, peer: SocketAddr) -> Vec<u8> {
    let v4 = local.is_ipv4() || local.ip().to_canonical().is_ipv4();
    let mut out = Vec::with_capacity(MESSAGE);
    out.extend_from_slice(&72_u32.to_ne_bytes());
    out.extend_from_slice(&BY_FAMILY.to_ne_bytes());
    out.extend_from_slice(&REQUEST.to_ne_bytes());
    out.extend_from_slice(&[0; 8]);
    // AF_INET is 2, AF_INET6 is 10. All states.
    out.extend_from_slice(&[if v4 { 2 } else { 10 }, TCP, 1 << (INFO - 1), 0]);
    out.extend_from_slice(&u32::MAX.to_ne_bytes());
    out.extend_from_slice(&local.port().to_be_bytes());
    out.extend_from_slice(&peer.port().to_be_bytes());
    for address in [local.ip(), peer.ip()] {
        let mut place = [0; 16];
        match address.to_canonical() {
            IpAddr::V4(v4) => place.iter_mut().zip(v4.octets()).for_each(|(to, from)| *to = from),
            IpAddr::V6(v6) => place = v6.octets(),
        }
        out.extend_from_slice(&place);
    }
    out.extend_from_slice(&scope(local).to_ne_bytes());
    out.extend_from_slice(&NO_COOKIE);
    out
}

/// A link-local address belongs to an interface.
fn scope(address: SocketAddr) -> u32 {
    match address {
        SocketAddr::V6(v6) => v6.scope_id(),
        SocketAddr::V4(_) => 0,
    }
}

/// The attribute with `struct tcp_info`, in an answer that has one.
fn info(answer: &[u8]) -> Option<&[u8]> {
    if u16::from_ne_bytes(part(answer, 4)?) != BY_FAMILY {
        return None;
    }
    let mut rest = answer.get(HEADER + MESSAGE..)?;
    loop {
        let length = usize::from(u16::from_ne_bytes(part(rest, 0)?));
        let kind = u16::from_ne_bytes(part(rest, 2)?);
        if kind == INFO {
            return rest.get(4..length);
        }
        rest = rest.get(length.max(4).next_multiple_of(4)..)?;
    }
}

fn part<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.get(..N)?.try_into().ok()
}

fn read(info: &[u8]) -> TcpInfo {
    let small = |at| part(info, at).map_or(0, u32::from_ne_bytes);
    let large = |at| part(info, at).map_or(0, u64::from_ne_bytes);
    let micros = |at| Duration::from_micros(u64::from(small(at)));
    TcpInfo {
        unacked: small(24),
        lost: small(32),
        rtt: micros(68),
        retransmits: small(100),
        received: large(128),
        // All ones is "none yet".
        min_rtt: if small(148) == u32::MAX { Duration::ZERO } else { micros(148) },
        delivery_rate: large(160),
        rwnd_limited: Duration::from_micros(large(176)),
        sent: large(200),
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    #[tokio::test]
    async fn the_kernel_tells_of_a_connection_while_it_stands() {
        for bind in ["127.0.0.1:0", "[::1]:0"] {
            let listener = TcpListener::bind(bind).await.unwrap();
            let (ours, theirs) = tokio::join!(TcpStream::connect(listener.local_addr().unwrap()), listener.accept());
            let (mut ours, mut theirs) = (ours.unwrap(), theirs.unwrap().0);
            let (local, peer) = (ours.local_addr().unwrap(), ours.peer_addr().unwrap());
            ours.write_all(&[7; 50_000]).await.unwrap();
            theirs.read_exact(&mut [0; 50_000]).await.unwrap();
            theirs.write_all(&[7; 300]).await.unwrap();
            ours.read_exact(&mut [0; 300]).await.unwrap();
            let info = tcp_info(local, peer).unwrap().unwrap();
            assert_eq!((info.sent, info.received, info.lost), (50_000, 300, 0), "{info:?}");
            assert!(info.min_rtt > Duration::ZERO && info.rtt >= info.min_rtt && info.delivery_rate > 0, "{info:?}");
            let across = tcp_info(peer, local).unwrap().unwrap();
            assert_eq!((across.sent, across.received), (300, 50_000));
            // A reset takes the connection out of the table.
            socket2::SockRef::from(&theirs).set_linger(Some(Duration::ZERO)).unwrap();
            drop(theirs);
            assert_eq!(ours.read(&mut [0; 1]).await.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
            assert_eq!(tcp_info(local, peer).unwrap(), None);
        }
    }
}
