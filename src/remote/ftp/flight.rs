//! Several commands in one write, so that they cost one round trip together.
//!
//! RFC 959 section 5.4 lets a client send no command before the reply to the last one; servers read the control
//! connection line by line and answer in order all the same, and the [`Ladder`](super::ladder::Ladder) knows which
//! of them do. A flight is small: proftpd inside TLS hangs when more than about 4 KiB of commands wait in one record.

use super::control::encode;
use crate::model::{Fault, Phase};

/// So many commands fly together at most.
const MOST_COMMANDS: usize = 64;
/// So many bytes of commands fly together at most.
const MOST_BYTES: usize = 3 << 10;

/// Command lines that are sent together.
#[derive(Debug, Default, Clone)]
pub struct Flight {
    lines: Vec<Vec<u8>>,
    bytes: usize,
}

impl Flight {
    /// Adds a command.
    ///
    /// # Errors
    /// [`FaultKind::BadName`](crate::model::FaultKind::BadName) for a name that no command line can hold.
    pub fn add(&mut self, phase: Phase, verb: &str, arg: Option<&[u8]>) -> Result<(), Fault> {
        let line = encode(phase, verb, arg)?;
        self.bytes += line.len();
        self.lines.push(line);
        Ok(())
    }

    /// May it fly? Otherwise its commands go one by one.
    #[must_use]
    pub fn is_light(&self) -> bool {
        self.lines.len() <= MOST_COMMANDS && self.bytes <= MOST_BYTES
    }

    /// The lines, in order.
    #[must_use]
    pub fn lines(&self) -> &[Vec<u8>] {
        &self.lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flight_is_small() {
        let mut many = Flight::default();
        for _ in 0..MOST_COMMANDS {
            many.add(Phase::Command, "NOOP", None).unwrap();
        }
        assert!(many.is_light());
        many.add(Phase::Command, "NOOP", None).unwrap();
        assert!(!many.is_light());
        let mut long = Flight::default();
        long.add(Phase::Command, "SIZE", Some(&[b'x'; MOST_BYTES])).unwrap();
        assert!(!long.is_light());
        assert!(Flight::default().add(Phase::Command, "SIZE", Some(b"a\r\nDELE b")).is_err());
    }
}
