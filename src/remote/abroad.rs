//! Our own names on another Causeway, which keeps [`RESERVED_PREFIX`] to itself.

use crate::model::RESERVED_PREFIX;

/// What they begin with there.
const ABROAD: &[u8] = b".causeway+";

/// The name there of one here, and the other way round: the two prefixes change places, so that both ways lose nothing.
pub(super) fn swapped(name: &[u8]) -> Vec<u8> {
    for (from, to) in [(RESERVED_PREFIX, ABROAD), (ABROAD, RESERVED_PREFIX)] {
        if let Some(rest) = name.strip_prefix(from) {
            return [to, rest].concat();
        }
    }
    name.to_vec()
}
