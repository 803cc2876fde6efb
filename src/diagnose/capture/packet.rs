//! The headers of one packet.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The longest that are kept: as many bytes as [`super::HEADERS`].
const MOST: usize = super::HEADERS as usize;
const TCP: u8 = 6;
const RST: u8 = 0x04;

/// A TCP packet: IP header and TCP header, and nothing of what is behind them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Packet {
    headers: Box<[u8]>,
    /// Where the TCP header begins.
    tcp: usize,
    /// Of the whole packet, from its IP header on.
    length: u32,
}

impl Packet {
    /// Reads what begins with an IP header (RFC 791, section 3.1; RFC 8200, section 3). None: it is no TCP, or cut short.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let first = *bytes.first()?;
        let word = |at: usize| Some(u16::from_be_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]));
        let (tcp, length) = match first >> 4 {
            4 if *bytes.get(9)? == TCP => (usize::from(first & 0x0f) * 4, u32::from(word(2)?)),
            6 if *bytes.get(6)? == TCP => (40, 40 + u32::from(word(4)?)),
            _ => return None,
        };
        if tcp < 20 {
            return None;
        }
        // Where data begins, in words of four bytes (RFC 9293, section 3.1).
        let end = tcp + usize::from(*bytes.get(tcp + 12)? >> 4) * 4;
        let headers = bytes.get(..end.min(MOST))?;
        (end >= tcp + 20 && headers.len() >= tcp + 20).then(|| Self { headers: headers.into(), tcp, length })
    }

    fn byte(&self, at: usize) -> u8 {
        self.headers.get(at).copied().unwrap_or_default()
    }

    /// From where, and to where.
    pub(super) fn ends(&self) -> [IpAddr; 2] {
        fn part<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
            bytes.get(at..at + N).and_then(|part| part.try_into().ok()).unwrap_or([0; N])
        }
        if self.byte(0) >> 4 == 4 {
            [12, 16].map(|at| IpAddr::from(Ipv4Addr::from(part::<4>(&self.headers, at))))
        } else {
            [8, 24].map(|at| IpAddr::from(Ipv6Addr::from(part::<16>(&self.headers, at))))
        }
    }

    /// From which port.
    pub(super) fn port(&self) -> u16 {
        u16::from_be_bytes([self.byte(self.tcp), self.byte(self.tcp + 1)])
    }

    /// Does it not leave this machine?
    pub(super) fn is_local(&self) -> bool {
        let [from, to] = self.ends();
        from.is_loopback() || from == to
    }

    pub(super) fn is_reset(&self) -> bool {
        self.byte(self.tcp + 13) & RST != 0
    }

    /// Routers that it might have passed yet: the time to live of IPv4, the hop limit of IPv6.
    pub(super) fn life(&self) -> u8 {
        self.byte(if self.byte(0) >> 4 == 4 { 8 } else { 7 })
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.headers
    }

    pub(super) const fn length(&self) -> u32 {
        self.length
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// From 192.0.2.1 to 192.0.2.2 with these flags and four bytes of data.
    pub(in super::super) fn v4(flags: u8, life: u8) -> Vec<u8> {
        let mut bytes = vec![0x45, 0, 0, 44, 0, 0, 0, 0, life, TCP, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2];
        bytes.extend([0, 21, 0xc3, 0x50, 0, 0, 0, 1, 0, 0, 0, 2, 0x50, flags, 0, 0, 0, 0, 0, 0]);
        bytes.extend(b"data");
        bytes
    }

    #[test]
    fn headers_are_read_and_data_is_not() {
        let packet = Packet::read(&v4(RST, 57)).unwrap();
        assert_eq!(packet.ends().map(|end| end.to_string()), ["192.0.2.1", "192.0.2.2"]);
        assert!(packet.is_reset() && packet.life() == 57 && packet.length() == 44 && !packet.is_local());
        assert_eq!(packet.bytes().len(), 40);
        let mut v6 = vec![0x60, 0, 0, 0, 0, 24, TCP, 64];
        v6.extend([0; 15].iter().chain(&[1]).chain(&[0; 15]).chain(&[1]));
        v6.extend(&v4(0x10, 0)[20..]);
        let packet = Packet::read(&v6).unwrap();
        assert!(packet.is_local() && !packet.is_reset() && packet.life() == 64 && packet.length() == 64);
        assert_eq!(packet.bytes().len(), 60);
    }

    #[test]
    fn nothing_else_is_a_packet() {
        let whole = v4(0, 1);
        for end in 0..40 {
            assert_eq!(Packet::read(&whole[..end]), None, "{end}");
        }
        for (at, value) in [(0, 0x41), (0, 0x55), (9, 17), (32, 0x40)] {
            let mut odd = whole.clone();
            odd[at] = value;
            assert_eq!(Packet::read(&odd), None, "{at}");
        }
        // Longer headers than are there.
        let mut long = whole;
        long[32] = 0xf0;
        assert_eq!(Packet::read(&long), None);
    }
}
