//! The little of IPv4 (RFC 791) and TCP (RFC 9293, section 3.1) that the link needs: whose a segment is, how much it
//! carries, and how to forge the reset that a middlebox would send.

use std::net::{Ipv4Addr, SocketAddrV4};

/// Header bits of TCP.
pub const FIN: u8 = 0x01;
/// See [`FIN`].
pub const SYN: u8 = 0x02;
/// See [`FIN`].
pub const RST: u8 = 0x04;
/// See [`FIN`].
pub const ACK: u8 = 0x10;

/// The protocol number of TCP in an IPv4 header.
const TCP: u8 = 6;
/// An IPv4 or TCP header without options.
const HEADER: usize = 20;
/// "More fragments" and the fragment's offset in the seventh and eighth byte.
const FRAGMENT: u16 = 0x3fff;
/// "Don't fragment", in the seventh byte.
const DONT_FRAGMENT: u8 = 0x40;

/// One TCP segment, as read from an IPv4 packet.
#[derive(Clone, Copy, Debug)]
pub struct Segment {
    /// Who sent it.
    pub source: SocketAddrV4,
    /// Who is to get it.
    pub target: SocketAddrV4,
    sequence: u32,
    acknowledged: u32,
    flags: u8,
    /// Bytes behind the headers.
    pub payload: u32,
}

impl Segment {
    /// `None` for anything that is not a whole TCP segment in an IPv4 packet.
    pub fn parse(packet: &[u8]) -> Option<Self> {
        let (&[first, ..], Some(&TCP)) = (packet, packet.get(9)) else { return None };
        if first >> 4 != 4 || half(packet, 6)? & FRAGMENT != 0 {
            return None;
        }
        let header = usize::from(first & 0x0f) * 4;
        let total = usize::from(half(packet, 2)?).min(packet.len());
        let tcp = packet.get(header..total).filter(|tcp| header >= HEADER && tcp.len() >= HEADER)?;
        let offset = usize::from(*tcp.get(12)? >> 4) * 4;
        Some(Self {
            source: SocketAddrV4::new(address(packet, 12)?, half(tcp, 0)?),
            target: SocketAddrV4::new(address(packet, 16)?, half(tcp, 2)?),
            sequence: word(tcp, 4)?,
            acknowledged: word(tcp, 8)?,
            flags: *tcp.get(13)?,
            payload: u32::try_from(tcp.len().saturating_sub(offset)).ok()?,
        })
    }

    /// Is this bit of the header set?
    pub fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// The first segment of a connection.
    pub fn opens(&self) -> bool {
        self.has(SYN) && !self.has(ACK)
    }

    /// The sequence number that follows this segment.
    fn end(&self) -> u32 {
        let unseen = u32::from(self.has(SYN)) + u32::from(self.has(FIN));
        self.sequence.wrapping_add(self.payload).wrapping_add(unseen)
    }

    /// A reset that seems to come from this segment's sender, for its receiver.
    pub fn reset_forward(&self) -> Vec<u8> {
        forge(self.source, self.target, self.sequence, self.acknowledged, RST | ACK)
    }

    /// A reset that seems to come from this segment's receiver, for its sender. A bare SYN is refused by it.
    pub fn reset_back(&self) -> Vec<u8> {
        let sequence = if self.has(ACK) { self.acknowledged } else { 0 };
        forge(self.target, self.source, sequence, self.end(), RST | ACK)
    }
}

fn half(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn address(bytes: &[u8], at: usize) -> Option<Ipv4Addr> {
    word(bytes, at).map(Ipv4Addr::from_bits)
}

/// A whole IPv4 packet with an empty TCP segment in it, both checksums right.
pub fn forge(source: SocketAddrV4, target: SocketAddrV4, sequence: u32, acknowledged: u32, flags: u8) -> Vec<u8> {
    let mut ip = Vec::with_capacity(2 * HEADER);
    ip.extend([0x45, 0, 0, 40, 0, 0, DONT_FRAGMENT, 0, 64, TCP, 0, 0]);
    ip.extend(source.ip().octets());
    ip.extend(target.ip().octets());
    let header = checksum(sum(&ip));
    put(&mut ip, 10, header);

    let mut tcp = Vec::with_capacity(HEADER);
    tcp.extend(source.port().to_be_bytes());
    tcp.extend(target.port().to_be_bytes());
    tcp.extend(sequence.to_be_bytes());
    tcp.extend(acknowledged.to_be_bytes());
    tcp.extend([0x50, flags, 0, 0, 0, 0, 0, 0]);
    let whole = checksum(pseudo_header(source, target) + sum(&tcp));
    put(&mut tcp, 16, whole);

    ip.extend(tcp);
    ip
}

/// What the TCP checksum covers beside the segment (RFC 9293, section 3.1): addresses, protocol and length.
fn pseudo_header(source: SocketAddrV4, target: SocketAddrV4) -> u32 {
    sum(&source.ip().octets()) + sum(&target.ip().octets()) + u32::from(TCP) + 20
}

fn put(bytes: &mut [u8], at: usize, value: u16) {
    for (place, byte) in bytes.iter_mut().skip(at).zip(value.to_be_bytes()) {
        *place = byte;
    }
}

fn sum(bytes: &[u8]) -> u32 {
    bytes.chunks(2).map(|pair| u32::from(half(pair, 0).unwrap_or_default())).sum()
}

/// The complement of the sum with its carries added in (RFC 1071).
fn checksum(sum: u32) -> u16 {
    let carried = (sum & 0xffff) + (sum >> 16);
    let carried = (carried & 0xffff) + (carried >> 16);
    !u16::try_from(carried).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLIENT: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(10, 9, 0, 1), 1234);
    const SERVER: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(10, 9, 0, 2), 21);

    #[test]
    fn a_forged_segment_is_read_back_and_its_sums_are_right() {
        let packet = forge(CLIENT, SERVER, 7, 9, RST | ACK);
        let segment = Segment::parse(&packet).unwrap();
        assert_eq!((segment.source, segment.target), (CLIENT, SERVER));
        assert_eq!((segment.sequence, segment.acknowledged, segment.payload), (7, 9, 0));
        assert!(segment.has(RST) && segment.has(ACK) && !segment.has(SYN));
        assert_eq!(checksum(sum(&packet[..20])), 0);
        assert_eq!(checksum(pseudo_header(CLIENT, SERVER) + sum(&packet[20..])), 0);
    }

    #[test]
    fn resets_fit_the_sequence_numbers_that_both_ends_expect() {
        let mut packet = forge(CLIENT, SERVER, 100, 500, ACK);
        packet.extend([b'x'; 10]);
        packet[3] = 50;
        let segment = Segment::parse(&packet).unwrap();
        assert_eq!(segment.payload, 10);
        let forward = Segment::parse(&segment.reset_forward()).unwrap();
        assert_eq!((forward.target, forward.sequence), (SERVER, 100));
        let back = Segment::parse(&segment.reset_back()).unwrap();
        assert_eq!((back.target, back.sequence, back.acknowledged), (CLIENT, 500, 110));
    }

    #[test]
    fn a_refused_syn_is_acknowledged() {
        let syn = Segment::parse(&forge(CLIENT, SERVER, 41, 0, SYN)).unwrap();
        assert!(syn.opens());
        let back = Segment::parse(&syn.reset_back()).unwrap();
        assert_eq!((back.source, back.sequence, back.acknowledged), (SERVER, 0, 42));
    }

    #[test]
    fn what_is_short_foreign_or_in_fragments_is_no_segment() {
        let whole = forge(CLIENT, SERVER, 3, 4, SYN);
        for length in 0..whole.len() {
            assert!(Segment::parse(&whole[..length]).is_none(), "{length}");
        }
        for (at, value) in [(0, 0x60), (0, 0x41), (6, 0x20), (9, 17)] {
            let mut odd = whole.clone();
            odd[at] = value;
            assert!(Segment::parse(&odd).is_none(), "byte {at} = {value}");
        }
    }
}
