//! Dialling: look-up and connect, each with a deadline and a measured time.
//!
//! # Buffers
//!
//! The buffers of a connection are left to the kernel, however long and fat the road is. Linux lets a receive buffer grow
//! with the bandwidth × round trip that it sees, up to `tcp_rmem[2]`; an explicit `SO_RCVBUF` stops that, and what a process
//! without privileges gets is twice `net.core.rmem_max`: by their defaults 416 KiB instead of 6 MiB. Even where somebody
//! raised `rmem_max` alone, the window's growth stays bound to `tcp_rmem[2]` for long, and another connection brings more.
//! Measured over `tests/netlab` (round trip 200 ms, 100 Mbit/s, Linux 6.18, MB/s of payload after four seconds, medians of
//! three on a busy machine, in brackets the least and the most):
//!
//! | `tcp_rmem[2]` | left alone | `SO_RCVBUF` 212,992 (the usual `rmem_max`) | `SO_RCVBUF` 4 MiB | four connections, left alone |
//! | --- | --- | --- | --- | --- |
//! | 6 MiB | 11.9 (10.6–12.0) | 1.2 (1.0–1.2) | 1.9 (1.8–11.9) | |
//! | 1 MiB | 3.0 (2.9–3.0) | | 5.9 (5.3–9.1) | 11.8 (11.5–11.8) |
//!
//! So where one connection does not fill the road, a mirror takes more of them, which it finds out by itself.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use socket2::SockRef;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{sleep, timeout};

use super::socket::{OpenedBy, note_refusal, tune};
use super::socks;
use crate::model::{Fault, FaultKind, Phase};

/// An address gets this head start before the next one is tried beside it (RFC 8305, section 5).
const HEAD_START: Duration = Duration::from_millis(250);

/// What fits through every tunnel that is in use: PPPoE, VPNs in VPNs, and IPv6 at its least.
pub(super) const SHORT: u32 = 1200;

/// How long the TCP segments of a connection may be, both ways (RFC 9293, section 3.7.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Segments {
    /// As long as the interfaces at both ends bear.
    #[default]
    Full,
    /// At most 1,200 bytes: comes through where long packets are lost on the way and nobody is told (a path-MTU
    /// black hole, RFC 2923 section 2.1). Costs some 3 % of the throughput elsewhere.
    Short,
}

/// How a connection gets where it goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Way {
    /// How long its segments may be.
    pub segments: Segments,
    /// Over the SOCKS5 relay at this address, which connects to the other side in our place; none = straight.
    pub relay: Option<SocketAddr>,
}

/// A connection and how long each phase of getting it took.
#[derive(Debug)]
pub struct Dialled {
    /// Connected, with keepalive, user timeout and no delay set.
    pub stream: TcpStream,
    /// Whom it reached.
    pub peer: SocketAddr,
    /// Look-up and connect, in order.
    pub phases: Vec<(Phase, Duration)>,
}

/// Looks `host` up and connects to the first of its addresses that answers. Each of the two phases may
/// take `within`.
///
/// # Errors
/// A fault of [`Phase::Resolve`] or [`Phase::Connect`].
pub async fn dial(host: &str, port: u16, within: Duration) -> Result<Dialled, Fault> {
    dial_by(host, port, within, Way::default()).await
}

/// As [`dial`], by a chosen way. Names are looked up here in any case.
///
/// # Errors
/// As [`dial`].
pub async fn dial_by(host: &str, port: u16, within: Duration, way: Way) -> Result<Dialled, Fault> {
    let started = Instant::now();
    let addresses = resolve(host, port, within).await?;
    let resolved = started.elapsed();
    let started = Instant::now();
    let (stream, peer) = match timeout(within, race(&addresses, way)).await {
        Ok(Ok(connected)) => connected,
        Ok(Err(error)) => {
            let what = format!("cannot connect to {host} port {port}, check that the server runs there");
            return Err(Fault::io(Phase::Connect, &what, &error));
        }
        Err(_) => {
            return Err(Fault::new(
                Phase::Connect,
                FaultKind::Timeout,
                format!(
                    "{host} port {port} does not answer within {} s: check address, port and firewall",
                    within.as_secs()
                ),
            ));
        }
    };
    tune(&stream, OpenedBy::Us);
    let phases = vec![(Phase::Resolve, resolved), (Phase::Connect, started.elapsed())];
    Ok(Dialled { stream, peer, phases })
}

/// Connects to one known address, for data connections.
///
/// # Errors
/// A fault of `phase`.
pub async fn connect(address: SocketAddr, within: Duration, phase: Phase, way: Way) -> Result<TcpStream, Fault> {
    match timeout(within, open(address, way)).await {
        Ok(Ok((stream, _))) => {
            tune(&stream, OpenedBy::Us);
            Ok(stream)
        }
        Ok(Err(error)) => Err(Fault::io(phase, &format!("cannot connect to {address}"), &error)),
        Err(_) => Err(Fault::new(
            phase,
            FaultKind::Timeout,
            format!("{address} does not answer within {} s: a firewall may drop this port", within.as_secs()),
        )),
    }
}

async fn resolve(host: &str, port: u16, within: Duration) -> Result<Vec<SocketAddr>, Fault> {
    let failed = |kind, why: String| {
        Fault::new(Phase::Resolve, kind, format!("cannot look up '{host}', check the host name: {why}"))
    };
    let found = timeout(within, tokio::net::lookup_host((host, port)))
        .await
        .map_err(|_| failed(FaultKind::Timeout, format!("no answer within {} s", within.as_secs())))?
        .map_err(|e| failed(FaultKind::Unreachable, e.to_string()))?;
    let addresses = found.collect::<Vec<_>>();
    if addresses.is_empty() { Err(failed(FaultKind::Unreachable, "it has no address".into())) } else { Ok(addresses) }
}

/// Tries the addresses in their order, each a head start after the one before, and keeps the first that
/// connects, and says which that is. The last error counts when none does.
async fn race(addresses: &[SocketAddr], way: Way) -> io::Result<(TcpStream, SocketAddr)> {
    let mut waiting = addresses.iter();
    let mut running = FuturesUnordered::new();
    let mut last = io::Error::new(io::ErrorKind::AddrNotAvailable, "no address to connect to");
    if let Some(first) = waiting.next() {
        running.push(open(*first, way));
    }
    while !running.is_empty() {
        tokio::select! {
            Some(done) = running.next() => match done {
                Ok(connected) => return Ok(connected),
                Err(error) => {
                    last = error;
                    running.extend(waiting.next().map(|a| open(*a, way)));
                }
            },
            () = sleep(HEAD_START), if waiting.len() > 0 => {
                running.extend(waiting.next().map(|a| open(*a, way)));
            }
        }
    }
    Err(last)
}

/// Connects, and says to what.
async fn open(address: SocketAddr, way: Way) -> io::Result<(TcpStream, SocketAddr)> {
    let stream = match way.relay {
        None => straight(address, way.segments).await?,
        Some(relay) => {
            let mut stream = straight(relay, way.segments).await?;
            socks::ask_for(&mut stream, address).await?;
            stream
        }
    };
    Ok((stream, address))
}

/// The length of segments is agreed on in the first packets, so it is set before them.
async fn straight(address: SocketAddr, segments: Segments) -> io::Result<TcpStream> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    if segments == Segments::Short {
        note_refusal(SockRef::from(&socket).set_tcp_mss(SHORT));
    }
    socket.connect(address).await
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the kernel may send in one segment, on either end, once both have agreed.
    #[tokio::test]
    async fn short_segments_are_agreed_on_by_both_ends() {
        let within = Duration::from_secs(5);
        for bind in ["127.0.0.1:0", "[::1]:0"] {
            let listener = tokio::net::TcpListener::bind(bind).await.unwrap();
            let address = listener.local_addr().unwrap();
            for (segments, most) in [(Segments::Short, 1200), (Segments::Full, u32::MAX)] {
                let way = Way { segments, relay: None };
                let data = connect(address, within, Phase::DataConnect, way).await.unwrap();
                let (accepted, _) = listener.accept().await.unwrap();
                let dialled = dial_by(&address.ip().to_string(), address.port(), within, way).await.unwrap();
                for stream in [&data, &accepted, &dialled.stream] {
                    let length = SockRef::from(stream).tcp_mss().unwrap();
                    assert!(length <= most && (most == 1200 || length > 1400), "{segments:?}: {length}");
                }
                listener.accept().await.unwrap();
            }
        }
    }
}
