//! A server's stream of SFTP packets, cut into pieces whose length the first byte of each chunk decides.
#![no_main]

use causeway::net::sftp::{Answer, Frames};
use libfuzzer_sys::fuzz_target;

/// The least that a name of an answer takes: two lengths and the flags of its attributes.
const NAME: usize = 12;

fuzz_target!(|stream: &[u8]| {
    let mut frames = Frames::default();
    let mut rest = stream;
    while let Some((length, tail)) = rest.split_first() {
        let (chunk, tail) = tail.split_at(usize::from(*length).min(tail.len()));
        rest = tail;
        frames.feed(chunk);
        loop {
            match frames.take() {
                Ok(Some(frame)) => look_at(frame.len(), Answer::read(frame).map(|(_, answer)| answer)),
                Ok(None) => break,
                // The channel ends here.
                Err(_) => return,
            }
        }
    }
});

/// What is read lies inside the packet, and there is no more of it than the packet has room for.
fn look_at<E>(length: usize, answer: Result<Answer, E>) {
    match answer {
        Ok(Answer::Names(names)) => {
            assert!(names.len() * NAME <= length, "more names than the packet holds");
            let bytes: usize = names.iter().map(|line| line.name.len() + line.long.len()).sum();
            assert!(bytes <= length, "names beyond the packet");
        }
        Ok(Answer::Data(bytes) | Answer::Handle(bytes)) => assert!(bytes.len() < length),
        Ok(Answer::Extended(bytes)) => {
            assert!(Answer::numbers(bytes.clone()).len() * 8 <= bytes.len());
            if let Ok((algorithm, digests)) = Answer::checksum(bytes.clone()) {
                assert!(algorithm.len() + digests.len() <= bytes.len());
            }
        }
        Ok(_) | Err(_) => {}
    }
}
