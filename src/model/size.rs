//! Numbers of bytes as people write them.

/// The empty one last: every text ends with it.
const UNITS: [(&str, u64); 9] = [
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1_000),
    ("", 1),
];

/// Reads a number of bytes such as `20GiB`, `512 MiB`, `10 GB` or `1000000`; none when it is not one or is 0.
#[must_use]
pub fn parse(text: &str) -> Option<u64> {
    UNITS
        .into_iter()
        .find_map(|(unit, size)| Some((text.trim().strip_suffix(unit)?, size)))
        .and_then(|(number, size)| number.trim().replace('_', "").parse::<u64>().ok()?.checked_mul(size))
        .filter(|bytes| *bytes > 0)
}

/// Writes it so that [`parse`] reads the same number, in the unit that takes the fewest digits.
#[must_use]
pub fn exact(bytes: u64) -> String {
    let whole = UNITS.into_iter().filter(|(_, size)| bytes.is_multiple_of(*size));
    let (unit, size) = whole.min_by_key(|(_, size)| bytes / size).unwrap_or(("", 1));
    format!("{}{unit}", bytes / size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read() {
        for (text, bytes) in
            [("1", 1), ("1_000", 1000), ("2KiB", 2048), ("20 GiB", 20 << 30), ("10 GB", 10_000_000_000), ("3kB", 3000)]
        {
            assert_eq!(parse(text), Some(bytes), "{text}");
        }
        for text in ["", "0", "GiB", "-1", "1.5GiB", "99999999TiB", "12 B"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        for (bytes, text) in [(1, "1"), (2048, "2KiB"), (3000, "3kB"), (10_000_000_000, "10GB"), (20 << 30, "20GiB")] {
            assert_eq!((exact(bytes).as_str(), parse(text)), (text, Some(bytes)));
        }
    }
}
