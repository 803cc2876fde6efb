//! How far a file has arrived without a gap: clients have many writes in flight, and some do not send them in order.

use std::collections::BTreeMap;

/// Pieces ahead of a gap that are remembered. A client that jumps about more than this is not one that sends a file
/// from its beginning to its end.
const PIECES: usize = 1024;

/// What has arrived from the beginning on, and the pieces ahead of it.
#[derive(Debug, Default)]
pub struct Reach {
    contiguous: u64,
    /// By where they begin: where they end.
    ahead: BTreeMap<u64, u64>,
}

impl Reach {
    /// So much has arrived already.
    pub fn from(contiguous: u64) -> Self {
        Self { contiguous, ahead: BTreeMap::new() }
    }

    /// Bytes from the beginning to the first gap.
    pub fn contiguous(&self) -> u64 {
        self.contiguous
    }

    /// `length` bytes came for `offset`.
    pub fn add(&mut self, offset: u64, length: u64) {
        let end = offset.saturating_add(length);
        if offset <= self.contiguous {
            self.contiguous = self.contiguous.max(end);
        } else if self.ahead.len() < PIECES {
            let known = self.ahead.entry(offset).or_insert(end);
            *known = end.max(*known);
        }
        while let Some(piece) = self.ahead.first_entry().filter(|piece| *piece.key() <= self.contiguous) {
            self.contiguous = self.contiguous.max(piece.remove());
        }
    }

    /// The file was cut, or made longer by zeros that nobody sent.
    pub fn cut(&mut self, size: u64) {
        self.contiguous = self.contiguous.min(size);
        self.ahead.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_closed_in_any_order() {
        let mut reach = Reach::default();
        for (offset, length, expected) in
            [(10, 10, 0), (30, 5, 0), (0, 5, 5), (5, 5, 20), (15, 20, 35), (36, 1, 35), (35, 1, 37), (0, 3, 37)]
        {
            reach.add(offset, length);
            assert_eq!(reach.contiguous(), expected, "{offset}+{length}");
        }
        reach.add(40, 10);
        reach.cut(20);
        reach.add(20, 20);
        assert_eq!(reach.contiguous(), 40, "what was cut off has not arrived");
        reach.add(u64::MAX, 9);
        assert_eq!(reach.contiguous(), 40);
    }
}
