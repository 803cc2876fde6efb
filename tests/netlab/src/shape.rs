//! What the link does to every packet; may be changed while it runs.

use std::time::Duration;

/// The smallest queue that is chosen by itself: a burst of one connection's window at any rate.
const QUEUE_AT_LEAST: u64 = 256 << 10;

/// Delay, loss and rate, the same both ways.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Shape {
    /// One way.
    pub delay: Duration,
    /// Up to so much more, evenly; the order of packets is kept.
    pub jitter: Duration,
    /// The part of the packets that is lost, 0 to 1.
    pub loss: f64,
    /// Bits per second; 0: as fast as it goes.
    pub rate: u64,
    /// Bytes that wait before the bottleneck, what comes then is dropped; 0: chosen from rate and delay.
    pub queue: u64,
}

impl Shape {
    /// Applies one `key=value`.
    ///
    /// # Errors
    /// A sentence that says what is wrong with the word.
    pub fn set(&mut self, word: &str) -> Result<(), String> {
        let (key, value) = word.split_once('=').ok_or_else(|| format!("{word}: want key=value"))?;
        match key {
            "delay" => self.delay = millis(word, value)?,
            "jitter" => self.jitter = millis(word, value)?,
            "loss" => self.loss = number(word, value, 100.0)? / 100.0,
            "rate" => self.rate = whole(number(word, value, 1e6)? * 1e6),
            "queue" => self.queue = whole(number(word, value, 1e9)? * 1024.0),
            _ => return Err(format!("{key}: no setting of a link that runs")),
        }
        Ok(())
    }

    /// How long a packet waits at most before the bottleneck: what the queue holds, at the rate.
    pub fn longest_wait(&self) -> Duration {
        self.time_for(self.queue_bytes())
    }

    /// How long the bottleneck is busy with so many bytes.
    pub fn time_for(&self, bytes: u64) -> Duration {
        let nanos = (u128::from(bytes) * 8_000_000_000).checked_div(u128::from(self.rate)).unwrap_or_default();
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// One product of bandwidth and round trip, which is what routers are given, unless told otherwise.
    fn queue_bytes(&self) -> u64 {
        if self.queue > 0 {
            return self.queue;
        }
        let product = u128::from(self.rate) * self.delay.as_nanos() * 2 / 8_000_000_000;
        u64::try_from(product).unwrap_or(u64::MAX).max(QUEUE_AT_LEAST)
    }
}

/// A number from 0 to `most`.
///
/// # Errors
/// A sentence that names the word.
pub fn number(word: &str, value: &str, most: f64) -> Result<f64, String> {
    let number: f64 = value.parse().map_err(|_| format!("{word}: not a number"))?;
    if (0.0..=most).contains(&number) { Ok(number) } else { Err(format!("{word}: want 0 to {most}")) }
}

fn millis(word: &str, value: &str) -> Result<Duration, String> {
    Ok(Duration::from_secs_f64(number(word, value, 60_000.0)? / 1000.0))
}

/// The whole part of a number that is known to be in range.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "`as` saturates, and the range was looked at"
)]
pub fn whole(number: f64) -> u64 {
    number as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(words: &[&str]) -> Shape {
        let mut shape = Shape::default();
        words.iter().for_each(|word| shape.set(word).unwrap());
        shape
    }

    #[test]
    fn settings_have_the_units_of_the_readme() {
        let set = shape(&["delay=10", "jitter=0.5", "loss=50", "rate=200", "queue=64"]);
        assert_eq!((set.delay, set.jitter), (Duration::from_millis(10), Duration::from_micros(500)));
        assert_eq!((set.rate, set.queue), (200_000_000, 65_536));
        assert!((set.loss - 0.5).abs() < 1e-9);
    }

    #[test]
    fn nonsense_is_refused() {
        for word in ["delay=-1", "loss=101", "rate=fast", "colour=1", "delay", "delay=NaN", "rate=inf"] {
            assert!(Shape::default().set(word).is_err(), "{word}");
        }
    }

    #[test]
    fn the_queue_follows_bandwidth_and_delay() {
        // 200 Mbit/s × 160 ms = 4 MB, and a full queue is as long as the round trip.
        assert_eq!(shape(&["delay=80", "rate=200"]).longest_wait(), Duration::from_millis(160));
        assert_eq!(shape(&["delay=1", "rate=8"]).longest_wait(), Duration::from_micros(262_144));
        assert_eq!(shape(&["rate=8", "queue=1"]).longest_wait(), Duration::from_micros(1024));
        assert_eq!(shape(&["delay=10"]).longest_wait(), Duration::ZERO);
    }
}
