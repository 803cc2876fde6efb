//! What the link counted, and how it is written: JSON on one line.

use std::fmt::{self, Display};

/// The flows of one class since the last reset of the counters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flows {
    /// Accepted openings.
    pub opened: u64,
    /// Open now.
    pub live: u64,
    /// The most that were open at once.
    pub peak: u64,
    /// Ended by a reset of one of the ends.
    pub reset_by_end: u64,
    /// Ended by a reset that the link forged.
    pub reset_by_link: u64,
    /// Payload bytes both ways, sent again or not, before loss.
    pub bytes: u64,
}

impl Flows {
    /// One more was accepted.
    pub fn open(&mut self) {
        self.opened += 1;
        self.live += 1;
        self.peak = self.peak.max(self.live);
    }

    /// One ended.
    pub fn close(&mut self) {
        self.live = self.live.saturating_sub(1);
    }

    /// Everything but what is open now is forgotten.
    pub fn reset(&mut self) {
        *self = Self { live: self.live, peak: self.live, ..Self::default() };
    }
}

impl Display for Flows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { opened, live, peak, reset_by_end, reset_by_link, bytes } = self;
        write!(
            f,
            r#"{{"opened":{opened},"live":{live},"peak":{peak},"reset_by_end":{reset_by_end},"reset_by_link":{reset_by_link},"bytes":{bytes}}}"#
        )
    }
}

/// The packets of one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Packets {
    /// Taken from the sender.
    pub packets: u64,
    /// Their bytes, headers included.
    pub bytes: u64,
    /// Lost by chance.
    pub lost: u64,
    /// Dropped because the queue was full.
    pub overflow: u64,
    /// Swallowed by a rule.
    pub faulted: u64,
}

impl Display for Packets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { packets, bytes, lost, overflow, faulted } = self;
        write!(f, r#"{{"packets":{packets},"bytes":{bytes},"lost":{lost},"overflow":{overflow},"faulted":{faulted}}}"#)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reset_keeps_what_is_open() {
        let mut flows = Flows::default();
        flows.open();
        flows.open();
        flows.close();
        assert_eq!((flows.opened, flows.live, flows.peak), (2, 1, 2));
        flows.reset();
        assert_eq!((flows.opened, flows.live, flows.peak), (0, 1, 1));
    }
}
