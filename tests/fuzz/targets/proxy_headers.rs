//! What a proxy says before everything else: it is read to the same end however it comes, and never beyond its bounds.
#![no_main]

use causeway::net::origin::{Step, step};
use libfuzzer_sys::fuzz_target;

/// Signature, head, and the most that is taken behind it.
const MOST: usize = 16 + 4096;

fuzz_target!(|stream: &[u8]| {
    let mut at = 0;
    while let Ok(Step::More(count)) = step(&stream[..at]) {
        assert!(count > 0 && at + count <= MOST, "it asks for {count} bytes behind {at}");
        at += count;
        if at > stream.len() {
            return;
        }
    }
});
