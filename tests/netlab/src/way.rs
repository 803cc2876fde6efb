//! One direction of the link: a bottleneck with a queue, and a wire with a delay.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::shape::Shape;
use crate::tally::Packets;

/// Buffers that are kept for later packets.
const SPARE: usize = 8192;

/// What is under way.
#[derive(Debug)]
pub struct Way {
    wire: VecDeque<(Instant, Vec<u8>)>,
    /// When the bottleneck has sent all that it holds.
    free: Instant,
    /// When the last packet arrives; none overtakes it.
    last: Instant,
    spare: Vec<Vec<u8>>,
    /// What passed here.
    pub tally: Packets,
}

impl Way {
    /// Nothing is under way.
    pub fn new(now: Instant) -> Self {
        Self { wire: VecDeque::new(), free: now, last: now, spare: Vec::new(), tally: Packets::default() }
    }

    /// Sends a packet, unless the queue is full. `jitter` is its share of delay beyond the shape's.
    pub fn send(&mut self, now: Instant, shape: &Shape, jitter: Duration, packet: &[u8]) {
        let mut leaves = now;
        if shape.rate > 0 {
            let begins = self.free.max(now);
            if begins - now > shape.longest_wait() {
                self.tally.overflow += 1;
                return;
            }
            leaves = begins + shape.time_for(u64::try_from(packet.len()).unwrap_or(u64::MAX));
            self.free = leaves;
        }
        let arrives = (leaves + shape.delay + jitter).max(self.last);
        self.last = arrives;
        let mut copy = self.spare.pop().unwrap_or_default();
        copy.clear();
        copy.extend_from_slice(packet);
        self.wire.push_back((arrives, copy));
    }

    /// When the next packet arrives.
    pub fn next_due(&self) -> Option<Instant> {
        self.wire.front().map(|(due, _)| *due)
    }

    /// Hands over what has arrived.
    pub fn deliver(&mut self, now: Instant, mut to: impl FnMut(&[u8])) {
        while self.next_due().is_some_and(|due| due <= now) {
            let Some((_, packet)) = self.wire.pop_front() else { return };
            to(&packet);
            if self.spare.len() < SPARE {
                self.spare.push(packet);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(words: &[&str]) -> Shape {
        let mut shape = Shape::default();
        words.iter().for_each(|word| shape.set(word).unwrap());
        shape
    }

    fn arrived(way: &mut Way, now: Instant) -> usize {
        let mut count = 0;
        way.deliver(now, |_| count += 1);
        count
    }

    #[test]
    fn packets_take_the_delay_and_the_time_that_the_rate_gives_them() {
        let now = Instant::now();
        let at = |micros| now + Duration::from_micros(micros);
        let shape = shape(&["delay=10", "rate=8"]);
        let mut way = Way::new(now);
        for _ in 0..3 {
            way.send(now, &shape, Duration::ZERO, &[0; 1000]);
        }
        // 1,000 bytes at 8 Mbit/s are a millisecond.
        assert_eq!(way.next_due(), Some(at(11_000)));
        assert_eq!(arrived(&mut way, at(10_999)), 0);
        assert_eq!(arrived(&mut way, at(12_000)), 2);
        assert_eq!(way.next_due(), Some(at(13_000)));
    }

    #[test]
    fn a_full_queue_drops_and_empties_with_time() {
        let now = Instant::now();
        let shape = shape(&["rate=8", "queue=2"]);
        let mut way = Way::new(now);
        for _ in 0..5 {
            way.send(now, &shape, Duration::ZERO, &[0; 1024]);
        }
        assert_eq!((way.wire.len(), way.tally.overflow), (3, 2), "one on the wire, two in the queue");
        way.send(now + Duration::from_millis(2), &shape, Duration::ZERO, &[0; 1024]);
        assert_eq!(way.wire.len(), 4);
    }

    #[test]
    fn jitter_never_changes_the_order() {
        let now = Instant::now();
        let shape = shape(&["delay=1"]);
        let mut way = Way::new(now);
        way.send(now, &shape, Duration::from_millis(5), b"first");
        way.send(now, &shape, Duration::ZERO, b"second");
        let mut seen = Vec::new();
        way.deliver(now + Duration::from_millis(6), |packet| seen.push(packet.to_vec()));
        assert_eq!(seen, [b"first".to_vec(), b"second".to_vec()]);
    }
}
