//! The headers of the packets between us and one server, the last thousands of them: who sent a reset, and when. What is
//! in the packets is never looked at, let alone kept.
//!
//! It needs `CAP_NET_RAW` (root has it); a diagnosis does without where that is missing, and says so.

mod packet;
mod pcapng;

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, Read as _};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use socket2::{Domain, Protocol, SockFilter, Socket, Type};
use tokio_util::sync::{CancellationToken, DropGuard};

use packet::Packet;

use crate::model::Clock;
use crate::task;

/// Packets that are kept.
const KEPT: usize = 16_384;
/// Bytes of a packet that are taken from the kernel: an IPv6 header and the longest of TCP (RFC 8200, section 3; RFC 9293,
/// section 3.1).
const HEADERS: u16 = 40 + 60;
/// `ETH_P_ALL`: every protocol, both directions.
const EVERYTHING: u16 = 3;
/// So often it is looked whether it is to end.
const LOOK: Duration = Duration::from_millis(200);
/// For packets that the kernel has and we have not. It is full when a machine is very busy, and then some are lost.
const QUEUE: usize = 4 << 20;
/// Over loopback a packet is seen as it leaves and as it comes, this close together.
const TWICE: i128 = 1_000_000;

/// Packets before a reset that are kept however many come after it,
const BEFORE: usize = 256;
/// and so many for all resets.
const KEPT_BEFORE: usize = 8_192;

/// One packet, when it was seen, and the so-manieth it was.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    number: u64,
    at: Timestamp,
    packet: Packet,
}

/// With which time to live packets of an address came, and its resets: how many of each.
type Lives = [BTreeMap<u8, u64>; 2];

/// What was kept.
#[derive(Debug, Default)]
struct Ring {
    packets: VecDeque<Seen>,
    /// Resets with what was before them: they do not wait in the ring until they are pushed out.
    resets_kept: Vec<Seen>,
    /// All that were seen.
    seen: u64,
    /// Resets by the server's address, and by ours.
    resets: [u64; 2],
    /// By address of the server.
    lives: BTreeMap<IpAddr, Lives>,
}

impl Ring {
    fn push(&mut self, at: Timestamp, packet: Packet, from_server: Option<IpAddr>) {
        let close = |one: &Seen| at.as_nanosecond() - one.at.as_nanosecond() < TWICE && one.packet == packet;
        if packet.is_local() && self.packets.iter().rev().take(8).any(close) {
            return;
        }
        self.seen += 1;
        let reset = packet.is_reset();
        if reset && let Some(count) = self.resets.get_mut(usize::from(from_server.is_none())) {
            *count += 1;
        }
        if let Some(server) = from_server
            && let Some(lives) = self.lives.entry(server).or_default().get_mut(usize::from(reset))
        {
            *lives.entry(packet.life()).or_default() += 1;
        }
        if self.packets.len() >= KEPT {
            self.packets.pop_front();
        }
        self.packets.push_back(Seen { number: self.seen, at, packet });
        if reset && self.resets_kept.len() < KEPT_BEFORE {
            let last = self.resets_kept.last().map_or(0, |seen| seen.number);
            let before = self.packets.iter().skip(self.packets.len().saturating_sub(BEFORE));
            self.resets_kept.extend(before.filter(|seen| seen.number > last).cloned());
        }
    }

    /// All that is kept, in its order.
    fn all(&self) -> impl Iterator<Item = &Seen> {
        let first = self.packets.front().map_or(u64::MAX, |seen| seen.number);
        self.resets_kept.iter().take_while(move |seen| seen.number < first).chain(&self.packets)
    }

    /// Of the address that sent most resets: the time to live of most of its packets, and of most of its resets.
    fn lives(&self) -> [Option<u8>; 2] {
        let most = |lives: &BTreeMap<u8, u64>| lives.iter().max_by_key(|(_, count)| **count).map(|(life, _)| *life);
        let by_resets = self.lives.values().max_by_key(|[_, resets]| resets.values().sum::<u64>());
        by_resets.map_or([None, None], |[all, resets]| [most(all), most(resets)])
    }
}

/// What a capture tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Told {
    /// Packets that were seen.
    pub(super) packets: u64,
    /// Resets by the server's address, and by ours.
    pub(super) resets: [u64; 2],
    /// The time to live with which most packets of the server came, and most of its resets: another one says that
    /// somebody else sent them in its name.
    pub(super) lives: [Option<u8>; 2],
}

/// A capture under way.
#[derive(Debug)]
pub(super) struct Capture {
    ring: Arc<Mutex<Ring>>,
    /// Dropped, it ends.
    stop: DropGuard,
    ended: task::Blocking<()>,
}

impl Capture {
    /// Begins to look at TCP packets from and to these addresses of a server that greets at `port`.
    ///
    /// # Errors
    /// [`io::ErrorKind::PermissionDenied`] without `CAP_NET_RAW`.
    pub(super) fn start(server: Vec<IpAddr>, port: u16, clock: Arc<dyn Clock>) -> io::Result<Self> {
        let mut socket = Socket::new(Domain::PACKET, Type::DGRAM, Some(Protocol::from(i32::from(EVERYTHING.to_be()))))?;
        socket.attach_filter(&tcp_headers())?;
        socket.set_recv_buffer_size(QUEUE)?;
        socket.set_read_timeout(Some(LOOK))?;
        let (ring, stop) = (Arc::<Mutex<Ring>>::default(), CancellationToken::new());
        let (shared, over) = (Arc::clone(&ring), stop.clone());
        let ended = task::blocking(move || {
            let mut buffer = [0; HEADERS as usize];
            while !over.is_cancelled() {
                // Nothing for a while, or an interface went away.
                let Ok(length) = socket.read(&mut buffer) else { continue };
                let Some(packet) = buffer.get(..length).and_then(Packet::read) else { continue };
                let [from, to] = packet.ends();
                let [is_from, is_to] = [from, to].map(|address| server.contains(&address));
                // On this machine both ends are its addresses: only the port at which it greets tells them apart.
                let from_server = is_from && (!is_to || packet.port() == port);
                if is_from || is_to {
                    let from_server = from_server.then_some(from);
                    shared.lock().unwrap_or_else(PoisonError::into_inner).push(clock.now(), packet, from_server);
                }
            }
        });
        Ok(Self { ring, stop: stop.drop_guard(), ended })
    }

    /// Ends it. What it tells, and the packets as a file, if there was a reset.
    pub(super) async fn end(self) -> (Told, Option<Vec<u8>>) {
        // Resets on their way come within a moment.
        tokio::time::sleep(LOOK).await;
        drop(self.stop);
        if let Err(error) = self.ended.await {
            tracing::error!(%error, "packets were lost");
        }
        let ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        let told = Told { packets: ring.seen, resets: ring.resets, lives: ring.lives() };
        let file = (ring.resets != [0, 0])
            .then(|| pcapng::file(ring.all().map(|seen| (seen.at, seen.packet.bytes(), seen.packet.length()))));
        (told, file)
    }
}

/// A program of the classic packet filter that lets TCP pass, without options of IPv4 or IPv6 before it, and cuts it behind
/// the headers (McCanne and Jacobson 1993; the numbers are those of `linux/filter.h`).
fn tcp_headers() -> [SockFilter; 10] {
    const LOAD_BYTE: u16 = 0x30;
    const AND: u16 = 0x54;
    const IF_EQUAL: u16 = 0x15;
    const RETURN: u16 = 0x06;
    const TCP: u32 = 6;
    [
        SockFilter::new(LOAD_BYTE, 0, 0, 0),
        SockFilter::new(AND, 0, 0, 0xf0),
        SockFilter::new(IF_EQUAL, 0, 2, 0x40),
        SockFilter::new(LOAD_BYTE, 0, 0, 9),
        SockFilter::new(IF_EQUAL, 3, 4, TCP),
        SockFilter::new(IF_EQUAL, 0, 3, 0x60),
        SockFilter::new(LOAD_BYTE, 0, 0, 6),
        SockFilter::new(IF_EQUAL, 0, 1, TCP),
        SockFilter::new(RETURN, 0, 0, HEADERS.into()),
        SockFilter::new(RETURN, 0, 0, 0),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(flags: u8, life: u8) -> Packet {
        Packet::read(&packet::tests::v4(flags, life)).unwrap()
    }

    #[test]
    fn a_reset_and_what_was_before_it_stay_however_much_comes_after() {
        let (mut ring, at) = (Ring::default(), Timestamp::UNIX_EPOCH);
        let server = "192.0.2.1".parse().ok();
        for _ in 0..BEFORE * 2 {
            ring.push(at, packet(0x10, 60), server);
        }
        ring.push(at, packet(0x04, 57), server);
        ring.push(at, packet(0x04, 57), server);
        ring.push(at, packet(0x04, 1), None);
        for _ in 0..KEPT * 2 {
            ring.push(at, packet(0x10, 60), server);
        }
        assert_eq!((ring.resets, ring.lives()), ([2, 1], [Some(60), Some(57)]));
        let all: Vec<_> = ring.all().collect();
        assert_eq!(all.len(), KEPT + BEFORE + 2);
        assert_eq!(all.iter().filter(|seen| seen.packet.is_reset()).count(), 3);
        assert!(all.windows(2).all(|pair| pair[0].number < pair[1].number));
        // Another address has lives of its own.
        ring.push(at, packet(0x10, 9), "192.0.2.9".parse().ok());
        assert_eq!(ring.lives(), [Some(60), Some(57)]);
    }

    #[test]
    fn over_loopback_a_packet_counts_once() {
        let mut bytes = packet::tests::v4(0x10, 64);
        for at in [12, 16] {
            bytes[at..at + 4].copy_from_slice(&[127, 0, 0, 1]);
        }
        let (mut ring, packet) = (Ring::default(), Packet::read(&bytes).unwrap());
        let at = Timestamp::UNIX_EPOCH;
        for millis in [0, 0, 5, 5] {
            ring.push(at + Duration::from_millis(millis), packet.clone(), None);
        }
        assert_eq!(ring.seen, 2, "the second time it is sent again");
    }

    /// As the kernel runs it.
    #[test]
    fn the_filter_lets_tcp_pass_and_nothing_else() {
        let (tcp, mut udp) = (packet::tests::v4(0, 64), packet::tests::v4(0, 64));
        udp[9] = 17;
        let mut v6 = vec![0x60, 0, 0, 0, 0, 24, 6, 64];
        v6.resize(64, 0);
        let mut v6_udp = v6.clone();
        v6_udp[6] = 17;
        for (bytes, passes) in [(tcp, true), (udp, false), (v6, true), (v6_udp, false), (vec![0x08, 6, 0, 1], false)] {
            let (sender, mut receiver) = Socket::pair(Domain::UNIX, Type::DGRAM, None).unwrap();
            receiver.attach_filter(&tcp_headers()).unwrap();
            receiver.set_nonblocking(true).unwrap();
            // Who is refused by the filter hears of it, or not.
            let _ = sender.send(&bytes);
            let mut buffer = [0; 256];
            assert_eq!(receiver.read(&mut buffer).is_ok(), passes, "{bytes:?}");
        }
    }
}
