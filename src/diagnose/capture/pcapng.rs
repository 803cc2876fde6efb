//! Packets as a file that Wireshark and tcpdump read (pcapng, draft-ietf-opsawg-pcapng).

use jiff::Timestamp;

/// Packets begin with their IP header (`LINKTYPE_RAW`).
const RAW_IP: u16 = 101;

/// A section with one interface, and the packets: when, their headers, and how long they were as a whole.
pub(super) fn file<'a>(packets: impl Iterator<Item = (Timestamp, &'a [u8], u32)>) -> Vec<u8> {
    let mut file = Vec::new();
    let program = concat!("Causeway ", env!("CARGO_PKG_VERSION"));
    let mut section = Vec::new();
    section.extend(0x1a2b_3c4d_u32.to_le_bytes());
    section.extend(1_u16.to_le_bytes());
    section.extend(0_u16.to_le_bytes());
    // Of a length that nobody needs to know.
    section.extend(u64::MAX.to_le_bytes());
    option(&mut section, 4, program.as_bytes());
    block(&mut file, 0x0a0d_0d0a, &section);
    let mut interface = Vec::new();
    interface.extend(RAW_IP.to_le_bytes());
    interface.extend(0_u16.to_le_bytes());
    interface.extend(u32::from(super::HEADERS).to_le_bytes());
    // Times in nanoseconds.
    option(&mut interface, 9, &[9]);
    block(&mut file, 1, &interface);
    for (at, headers, length) in packets {
        let time = u64::try_from(at.as_nanosecond()).unwrap_or_default();
        let kept = u32::try_from(headers.len()).unwrap_or(u32::MAX);
        let mut packet = Vec::new();
        packet.extend(0_u32.to_le_bytes());
        packet.extend(u32::try_from(time >> 32).unwrap_or(u32::MAX).to_le_bytes());
        packet.extend(u32::try_from(time & u64::from(u32::MAX)).unwrap_or(u32::MAX).to_le_bytes());
        packet.extend(kept.to_le_bytes());
        packet.extend(length.max(kept).to_le_bytes());
        packet.extend(headers);
        block(&mut file, 6, &packet);
    }
    file
}

/// An option, and the end of them.
fn option(block: &mut Vec<u8>, code: u16, value: &[u8]) {
    block.extend(code.to_le_bytes());
    block.extend(u16::try_from(value.len()).unwrap_or(u16::MAX).to_le_bytes());
    block.extend(value);
    pad(block);
    block.extend([0; 4]);
}

fn pad(bytes: &mut Vec<u8>) {
    bytes.resize(bytes.len().next_multiple_of(4), 0);
}

fn block(file: &mut Vec<u8>, kind: u32, body: &[u8]) {
    let mut body = body.to_vec();
    pad(&mut body);
    let length = u32::try_from(body.len()).unwrap_or(u32::MAX).saturating_add(12).to_le_bytes();
    file.extend(kind.to_le_bytes());
    file.extend(length);
    file.extend(body);
    file.extend(length);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_block_says_how_long_it_is() {
        let at: Timestamp = "2026-01-02T03:04:05.678Z".parse().unwrap();
        let file = file([(at, &[1, 2, 3, 4, 5][..], 60), (at, &[6][..], 0)].into_iter());
        let word = |at: usize| u32::from_le_bytes(file[at..at + 4].try_into().unwrap());
        let (mut place, mut kinds) = (0, Vec::new());
        while place < file.len() {
            let length = word(place + 4) as usize;
            assert!(length.is_multiple_of(4) && word(place + length - 4) as usize == length);
            kinds.push(word(place));
            if word(place) == 6 && kinds.len() == 3 {
                let time = u64::from(word(place + 12)) << 32 | u64::from(word(place + 16));
                assert_eq!((i128::from(time), word(place + 20), word(place + 24)), (at.as_nanosecond(), 5, 60));
                assert_eq!(file[place + 28..place + 36], [1, 2, 3, 4, 5, 0, 0, 0]);
            }
            place += length;
        }
        assert_eq!(kinds, [0x0a0d_0d0a, 1, 6, 6]);
    }
}
