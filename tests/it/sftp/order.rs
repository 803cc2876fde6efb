//! What may be done side by side, and what keeps its order.

use std::fs::File;

use super::door::Fixture;
use super::model::{Chance, Line, Player};
use super::raw::Field::{L, S, U};
use super::raw::{Raw, request};

const OPEN: u8 = 3;
const CLOSE: u8 = 4;
const WRITE: u8 = 6;
const FSTAT: u8 = 8;
const STAT: u8 = 17;
const EXTENDED: u8 = 200;

/// The numbers of the next answers.
fn answers(raw: &Raw, count: usize) -> Vec<u32> {
    (0..count).map(|_| u32::from_be_bytes(raw.packet()[1..5].try_into().unwrap())).collect()
}

#[test]
fn a_long_request_holds_up_only_its_own_handle() {
    let f = Fixture::new();
    File::create(f.served("huge")).unwrap().set_len(1 << 29).unwrap();
    let mut raw = Raw::greeted(&f, "anna");
    let huge = raw.handle(OPEN, 1, &[S(b"huge"), U(1), U(0)]);
    let new = raw.handle(OPEN, 2, &[S(b"new"), U(0x1a), U(0)]);
    let hash = [S(b"check-file-handle"), S(&huge), S(b"md5"), L(0), L(0), U(0)];
    raw.send(&request(EXTENDED, 10, &hash));
    raw.send(&request(FSTAT, 11, &[S(&huge)]));
    raw.send(&request(WRITE, 12, &[S(&new), L(0), S(b"content")]));
    raw.send(&request(CLOSE, 13, &[S(&new)]));
    raw.send(&request(STAT, 14, &[S(b"new")]));
    raw.send(&request(STAT, 15, &[S(b"huge")]));
    let mut early = answers(&raw, 4);
    assert_eq!(early.iter().filter(|id| **id < 15).copied().collect::<Vec<_>>(), [12, 13, 14], "in their order");
    early.sort_unstable();
    assert_eq!(early, [12, 13, 14, 15]);
    assert_eq!(answers(&raw, 2), [10, 11], "what is asked about one handle keeps its order");
}

impl Line for Raw {
    fn send(&mut self, body: &[u8]) {
        Self::send(self, body);
    }

    fn packet(&mut self) -> Vec<u8> {
        Self::packet(self)
    }
}

/// A generator (xorshift), and how often it is asked.
struct Seed {
    state: u64,
    left: usize,
}

impl Chance for Seed {
    fn below(&mut self, below: usize) -> usize {
        self.left = self.left.saturating_sub(1);
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        (self.state % below as u64) as usize
    }

    fn has_more(&self) -> bool {
        self.left > 0
    }
}

/// Whatever is in flight, every answer is the one that a server would give which does one request after the other.
#[test]
fn a_session_answers_as_its_model_does() {
    let mut most = 0;
    for seed in 1..=8 {
        let f = Fixture::new();
        let played = Player::new(Raw::greeted(&f, "anna"), Seed { state: seed, left: 8000 }).play();
        drop(played.line);
        for (name, content) in played.files {
            assert!(std::fs::read(f.served(name)).unwrap() == content, "{seed}: {name}");
        }
        most = most.max(played.together);
    }
    assert!(most > 20, "{most} at a time");
}
