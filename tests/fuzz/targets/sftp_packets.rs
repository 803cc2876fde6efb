//! A client's stream of SFTP packets, cut into pieces whose length the first byte of each chunk decides.
#![no_main]

use causeway::net::sftp::{Frames, Packet};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|stream: &[u8]| {
    let mut frames = Frames::default();
    let mut rest = stream;
    while let Some((length, tail)) = rest.split_first() {
        let (chunk, tail) = tail.split_at(usize::from(*length).min(tail.len()));
        rest = tail;
        frames.feed(chunk);
        loop {
            match frames.take() {
                Ok(Some(frame)) => {
                    let length = frame.len();
                    if let Ok(packet) = Packet::read(frame) {
                        assert!(packet.cost() <= length + 2048, "a packet holds more than it brought");
                    }
                }
                Ok(None) => break,
                // The channel ends here.
                Err(_) => return,
            }
        }
    }
});
