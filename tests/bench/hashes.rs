//! How fast content is hashed on this machine: `cargo run --release --example hashes`.
//!
//! In pieces of 64 KiB, as they come from a connection, over more bytes than the caches hold; the median of seven turns.
#![allow(clippy::print_stdout, reason = "a command that prints what it measured")]

use std::hint::black_box;
use std::time::Instant;

use causeway::model::{DigestAlgorithm, Hasher};

const PIECE: usize = 64 << 10;
const BYTES: usize = 256 << 20;
const TURNS: usize = 7;

fn main() {
    let content: Vec<u8> =
        (0_u64..).map(|n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes()[0]).take(BYTES).collect();
    for algorithm in DigestAlgorithm::ALL {
        let mut times: Vec<_> = (0..TURNS).map(|_| seconds(*algorithm, &content)).collect();
        times.sort_by(f64::total_cmp);
        let median = times.get(TURNS / 2).copied().unwrap_or(f64::NAN);
        println!("{algorithm}: {:.0} MB/s", 256.0 * 1.048_576 / median);
    }
}

fn seconds(algorithm: DigestAlgorithm, content: &[u8]) -> f64 {
    let begun = Instant::now();
    let mut hasher = Hasher::of_digest(algorithm);
    content.chunks(PIECE).for_each(|piece| hasher.update(piece));
    let _kept = black_box(hasher.finish());
    begun.elapsed().as_secs_f64()
}
