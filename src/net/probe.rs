//! A TCP connection that is opened to learn something from it: with as few settings of the house as can be, since each of
//! them may be what hides the trouble.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use socket2::SockRef;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use super::socket::{keep_awake, note_refusal};

/// How a connection for a probe is opened; the kernel's defaults where nothing is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Probe {
    /// Routers that its packets may pass: the TTL of IPv4, the hop limit of IPv6.
    pub hops: Option<u32>,
    /// Longest TCP segment, both ways, in bytes (RFC 9293, section 3.7.1).
    pub segment: Option<u32>,
    /// TCP keepalive after so much silence; none at all without it.
    pub keepalive: Option<Duration>,
}

/// Opens a connection to `address`.
///
/// # Errors
/// What the kernel said, with [`io::ErrorKind::TimedOut`] when it said nothing `within` that time.
pub async fn probe(address: SocketAddr, within: Duration, how: Probe) -> io::Result<TcpStream> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    if let Some(hops) = how.hops {
        let raw = SockRef::from(&socket);
        if address.is_ipv4() { raw.set_ttl_v4(hops) } else { raw.set_unicast_hops_v6(hops) }?;
    }
    if let Some(segment) = how.segment {
        SockRef::from(&socket).set_tcp_mss(segment)?;
    }
    let nothing = || io::Error::new(io::ErrorKind::TimedOut, format!("nothing came within {} s", within.as_secs()));
    let stream = timeout(within, socket.connect(address)).await.map_err(|_| nothing())??;
    note_refusal(SockRef::from(&stream).set_tcp_nodelay(true));
    if let Some(silence) = how.keepalive {
        keep_awake(&stream, silence);
    }
    Ok(stream)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_probe_has_the_settings_that_it_was_given_and_no_other() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, within) = (listener.local_addr().unwrap(), Duration::from_secs(5));
        let plain = probe(address, within, Probe::default()).await.unwrap();
        assert!(!SockRef::from(&plain).keepalive().unwrap(), "a NAT that forgets would be kept awake");
        let how = Probe { hops: Some(3), segment: Some(536), keepalive: Some(Duration::from_secs(2)) };
        let told = probe(address, within, how).await.unwrap();
        let socket = SockRef::from(&told);
        assert_eq!(socket.ttl_v4().unwrap(), 3);
        // Timestamps take their share of a segment.
        assert!((500..=536).contains(&socket.tcp_mss().unwrap()));
        assert_eq!(socket.tcp_keepalive_time().unwrap(), Duration::from_secs(2));
    }
}
