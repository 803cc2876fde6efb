//! Names that every client can hold, Windows among them, and the way back.
//!
//! What such a client cannot hold is written as `%` and two hexadecimal digits for each of its bytes: the characters
//! `<>:"|?*\` and control characters, a dot or blank at the end, the first letter of a device's name (`CON`, `lpt1.txt`), and bytes
//! that are not UTF-8. A `%` that would be read as such an escape is one itself (`%25`), every other stays.

use std::fmt::Write as _;

use crate::model::{Name, NameError};

/// Names of devices, with or without an extension, in any case.
const DEVICES: [&str; 6] = ["con", "prn", "aux", "nul", "conin$", "conout$"];

/// The name as every client can hold it.
///
/// # Errors
/// [`NameError::TooLong`] when it has more than 255 bytes, and so perhaps more than 255 UTF-16 units, by then.
pub fn portable(name: &Name) -> Result<Name, NameError> {
    let bytes = name.as_bytes();
    let mut out = String::with_capacity(bytes.len() + 8);
    let mut at = 0;
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            let end = at + c.len_utf8();
            let escape = match c {
                '<' | '>' | ':' | '"' | '|' | '?' | '*' | '\\' => true,
                '%' => bytes.get(end..end + 2).is_some_and(|next| next.iter().all(u8::is_ascii_hexdigit)),
                '.' | ' ' => end == bytes.len(),
                _ => c.is_ascii_control() || at == 0 && is_device(bytes),
            };
            if escape {
                escaped(&mut out, bytes.get(at..end).unwrap_or_default());
            } else {
                out.push(c);
            }
            at = end;
        }
        escaped(&mut out, chunk.invalid());
        at += chunk.invalid().len();
    }
    Name::new(out.as_bytes())
}

fn escaped(out: &mut String, bytes: &[u8]) {
    for byte in bytes {
        // A string takes whatever is written to it.
        write!(out, "%{byte:02X}").ok();
    }
}

/// The name that [`portable`] was given.
///
/// # Errors
/// When it comes from no name.
pub fn original(name: &Name) -> Result<Name, NameError> {
    let mut rest = name.as_bytes();
    let mut out = Vec::with_capacity(rest.len());
    while let Some((first, behind)) = rest.split_first() {
        let digits = behind.get(..2).filter(|_| *first == b'%').and_then(|two| std::str::from_utf8(two).ok());
        let digits = digits.filter(|two| two.bytes().all(|byte| byte.is_ascii_hexdigit()));
        match digits.and_then(|two| u8::from_str_radix(two, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                rest = behind.get(2..).unwrap_or_default();
            }
            None => {
                out.push(*first);
                rest = behind;
            }
        }
    }
    Name::new(out)
}

fn is_device(name: &[u8]) -> bool {
    let stem = name.split(|byte| *byte == b'.').next().unwrap_or_default();
    let Ok(stem) = std::str::from_utf8(stem) else { return false };
    let stem = stem.trim_end_matches(' ').to_ascii_lowercase();
    let port = stem.strip_prefix("com").or_else(|| stem.strip_prefix("lpt"));
    DEVICES.contains(&stem.as_str())
        || port.is_some_and(|port| {
            matches!(port, "¹" | "²" | "³") || port.len() == 1 && port.bytes().all(|b| b.is_ascii_digit())
        })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn mapped(name: &[u8]) -> Vec<u8> {
        portable(&Name::new(name).unwrap()).unwrap().as_bytes().to_vec()
    }

    #[test]
    fn what_windows_cannot_hold_is_escaped_and_nothing_else() {
        for (name, expected) in [
            (&b"plain name.txt"[..], &b"plain name.txt"[..]),
            ("Übung 文件".as_bytes(), "Übung 文件".as_bytes()),
            (b"12:30?.log", b"12%3A30%3F.log"),
            (b"a\\b", b"a%5Cb"),
            (b"line\nbreak", b"line%0Abreak"),
            (b"dot.", b"dot%2E"),
            (b"dots..", b"dots.%2E"),
            (b"blank ", b"blank%20"),
            (b".hidden", b".hidden"),
            (b"CON", b"%43ON"),
            (b"nul.tar.gz", b"%6Eul.tar.gz"),
            (b"com1", b"%63om1"),
            (b"LPT9 .x", b"%4CPT9 .x"),
            (b"console", b"console"),
            (b"com10", b"com10"),
            (b"\xd6\xd0.txt", b"%D6%D0.txt"),
            (b"100%", b"100%"),
            (b"100% sure", b"100% sure"),
            (b"per%20cent", b"per%2520cent"),
            (b"%%41", b"%%2541"),
            (b"%:", b"%%3A"),
        ] {
            assert_eq!(mapped(name), expected, "{}", String::from_utf8_lossy(name));
        }
        assert_eq!(portable(&Name::new([b':'; 100]).unwrap()), Err(NameError::TooLong));
    }

    proptest! {
        #[test]
        fn the_way_back_gives_the_very_bytes(bytes in proptest::collection::vec(prop_oneof![any::<u8>(), Just(b'%'), Just(b'2'), Just(b'.')], 1..60)) {
            if let Ok(name) = Name::new(&bytes) {
                let there = portable(&name).unwrap();
                prop_assert_eq!(original(&there).unwrap(), name);
                let text = std::str::from_utf8(there.as_bytes()).unwrap();
                prop_assert!(!text.contains(['<', '>', ':', '"', '|', '?', '*', '\\']) && !text.ends_with(['.', ' ']));
                prop_assert!(!is_device(there.as_bytes()));
                // What is portable by now stays as it is when it is told by its own name.
                prop_assert_eq!(original(&portable(&there).unwrap()).unwrap(), there);
            }
        }

        #[test]
        fn distinct_names_stay_distinct(one in "[a%2:.]{1,6}", other in "[a%2:.]{1,6}") {
            if let (Ok(one), Ok(other)) = (Name::new(&one), Name::new(&other)) && one != other {
                prop_assert_ne!(portable(&one).unwrap(), portable(&other).unwrap());
            }
        }
    }
}
