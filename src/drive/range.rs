//! The `Range` header (RFC 9110, section 14.2), with limits: a hundred overlapping ranges of one file
//! must not cost more than the file.

/// More ranges than this in one request are an attack or a mistake; the header is ignored.
const MOST: usize = 64;

/// What to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Everything: no header, or one that is to be ignored.
    Whole,
    /// These parts as (first byte, length): sorted, apart from each other, none empty.
    Parts(Vec<(u64, u64)>),
    /// The file has none of them.
    Unsatisfiable,
}

/// What the header `value` asks of a file with `len` bytes.
pub(super) fn wanted(value: &str, len: u64) -> Wanted {
    let Some((unit, list)) = value.split_once('=') else { return Wanted::Whole };
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return Wanted::Whole;
    }
    let mut parts = Vec::new();
    for (i, one) in list.split(',').map(str::trim).filter(|one| !one.is_empty()).enumerate() {
        if i >= MOST {
            return Wanted::Whole;
        }
        match single(one, len) {
            Err(Malformed) => return Wanted::Whole,
            Ok(None) => {}
            Ok(Some(part)) => parts.push(part),
        }
    }
    if parts.is_empty() { Wanted::Unsatisfiable } else { Wanted::Parts(joined(parts)) }
}

struct Malformed;

/// One `a-b`, `a-` or `-n`; nothing when it lies behind the end.
fn single(text: &str, len: u64) -> Result<Option<(u64, u64)>, Malformed> {
    let (first, last) = text.split_once('-').ok_or(Malformed)?;
    let number = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        // A number too large for us is behind every end.
        if digits { Ok(text.parse::<u64>().unwrap_or(u64::MAX)) } else { Err(Malformed) }
    };
    if first.is_empty() {
        let suffix = number(last)?.min(len);
        return Ok((suffix > 0).then_some((len - suffix, suffix)));
    }
    let first = number(first)?;
    let last = if last.is_empty() { u64::MAX } else { number(last)? };
    if last < first {
        return Err(Malformed);
    }
    if first >= len {
        return Ok(None);
    }
    Ok(Some((first, last.min(len - 1) - first + 1)))
}

/// Sorts, and joins what overlaps or touches.
fn joined(mut parts: Vec<(u64, u64)>) -> Vec<(u64, u64)> {
    parts.sort_unstable();
    let mut out: Vec<(u64, u64)> = Vec::with_capacity(parts.len());
    for (start, len) in parts {
        match out.last_mut() {
            Some((before, length)) if start <= *before + *length => *length = (*length).max(start + len - *before),
            _ => out.push((start, len)),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_the_three_forms() {
        assert_eq!(wanted("bytes=0-4", 10), Wanted::Parts(vec![(0, 5)]));
        assert_eq!(wanted("bytes=4-", 10), Wanted::Parts(vec![(4, 6)]));
        assert_eq!(wanted("bytes=-3", 10), Wanted::Parts(vec![(7, 3)]));
        assert_eq!(wanted("bytes=-30", 10), Wanted::Parts(vec![(0, 10)]));
        assert_eq!(wanted("bytes=0-0,5-6", 10), Wanted::Parts(vec![(0, 1), (5, 2)]));
    }

    #[test]
    fn ignores_what_it_cannot_read() {
        for text in ["items=0-4", "bytes=4-2", "bytes=a-b", "bytes", "bytes=+1-2", "bytes=1"] {
            assert_eq!(wanted(text, 10), Wanted::Whole, "{text}");
        }
        assert_eq!(wanted("bytes=10-", 10), Wanted::Unsatisfiable);
        assert_eq!(wanted("bytes=-0", 10), Wanted::Unsatisfiable);
        assert_eq!(wanted("bytes=0-", 0), Wanted::Unsatisfiable);
    }

    #[test]
    fn a_bomb_is_no_larger_than_the_file() {
        let bomb = format!("bytes={}", vec!["0-"; 60].join(","));
        assert_eq!(wanted(&bomb, 1_000_000), Wanted::Parts(vec![(0, 1_000_000)]));
        let many = format!("bytes={}", (0..100).map(|i| format!("{i}-{i}")).collect::<Vec<_>>().join(","));
        assert_eq!(wanted(&many, 1_000_000), Wanted::Whole);
    }

    proptest! {
        #[test]
        fn never_more_than_the_file(text in "bytes=[0-9,-]{0,60}", len in 0u64..100_000) {
            if let Wanted::Parts(parts) = wanted(&text, len) {
                let mut end = 0;
                for (i, (start, length)) in parts.iter().enumerate() {
                    prop_assert!(*length > 0 && (i == 0 || *start > end));
                    end = start + length;
                }
                prop_assert!(end <= len);
            }
        }
    }
}
