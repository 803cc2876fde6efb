//! A line as words with their places.

/// Names may hold any number of words; dates come before.
const MOST: usize = 24;

/// A word and where it lies in its line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Word<'a> {
    pub bytes: &'a [u8],
    pub start: usize,
    pub end: usize,
}

impl<'a> Word<'a> {
    /// As text; empty when it is none.
    pub fn text(&self) -> &'a str {
        std::str::from_utf8(self.bytes).unwrap_or_default()
    }

    /// The number that it is, all of it.
    pub fn number(&self) -> Option<u64> {
        whole_number(self.bytes)
    }
}

/// The words of a line, between blanks and tabs; only the first two dozen.
pub fn words(line: &[u8]) -> Vec<Word<'_>> {
    let mut found = Vec::new();
    let mut start = 0;
    for bytes in line.split(|b| matches!(b, b' ' | b'\t')) {
        let end = start + bytes.len();
        if !bytes.is_empty() {
            found.push(Word { bytes, start, end });
            if found.len() > MOST {
                break;
            }
        }
        start = end + 1;
    }
    found
}

/// Digits and nothing else.
pub fn whole_number(bytes: &[u8]) -> Option<u64> {
    let digits = !bytes.is_empty() && bytes.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(bytes).ok().filter(|_| digits)?.parse().ok()
}

/// Digits with or without marks at the thousands (`1,234,567`).
pub fn marked_number(bytes: &[u8]) -> Option<u64> {
    let mark = bytes.iter().copied().find(|b| !b.is_ascii_digit());
    let Some(mark) = mark.filter(|b| matches!(b, b',' | b'.' | b'\'')) else { return whole_number(bytes) };
    let mut groups = bytes.split(|b| *b == mark);
    let first = groups.next().filter(|group| (1..=3).contains(&group.len()))?;
    let mut plain = first.to_vec();
    for group in groups {
        if group.len() != 3 {
            return None;
        }
        plain.extend_from_slice(group);
    }
    whole_number(&plain)
}

/// What stands behind place `end`, after exactly one blank.
pub fn after(line: &[u8], end: usize) -> Option<&[u8]> {
    line.get(end + 1..).filter(|rest| !rest.is_empty())
}

/// What stands behind place `end`, after any number of blanks.
pub fn after_blanks(line: &[u8], end: usize) -> Option<&[u8]> {
    line.get(end..).map(<[u8]>::trim_ascii_start).filter(|rest| !rest.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_with_marks() {
        for (text, number) in [
            ("0", Some(0)),
            ("1,234", Some(1234)),
            ("1.234.567", Some(1_234_567)),
            ("12,34", None),
            ("1,234.567", None),
            (",234", None),
            ("", None),
            ("12a", None),
            ("18446744073709551616", None),
        ] {
            assert_eq!(marked_number(text.as_bytes()), number, "{text}");
        }
    }

    #[test]
    fn words_know_their_places() {
        let line = b"  a\tbc  d";
        let found = words(line);
        assert_eq!(
            found.iter().map(|w| (w.text(), w.start, w.end)).collect::<Vec<_>>(),
            [("a", 2, 3), ("bc", 4, 6), ("d", 8, 9)]
        );
        assert_eq!((after(line, 6), after_blanks(line, 6)), (Some(&b" d"[..]), Some(&b"d"[..])));
    }
}
