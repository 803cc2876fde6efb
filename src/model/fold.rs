//! Names that some file systems take for the same: in another case, or composed of other code points.

use unicode_normalization::UnicodeNormalization as _;

use super::Name;

/// Which names a place takes for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Folds {
    /// Those that differ in case only.
    pub case: bool,
    /// Those that differ in their Unicode normalisation only (UAX #15).
    pub normalization: bool,
}

impl Folds {
    /// Both.
    pub const BOTH: Self = Self { case: true, normalization: true };

    /// Does it take any two names for one?
    #[must_use]
    pub const fn any(self) -> bool {
        self.case || self.normalization
    }

    /// What all names have in common that are taken for one with `name`: its lower case, letter by letter (no file system
    /// takes "ß" for "ss"), in normalisation form C. Names that are no UTF-8 are only themselves.
    #[must_use]
    pub fn key(self, name: &Name) -> Vec<u8> {
        // The usual name, which neither changes.
        if name.as_bytes().iter().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase()) {
            return name.as_bytes().to_vec();
        }
        let Ok(text) = std::str::from_utf8(name.as_bytes()) else { return name.as_bytes().to_vec() };
        let composed = if self.normalization { text.nfc().collect() } else { text.to_owned() };
        if !self.case {
            return composed.into_bytes();
        }
        let lower = composed.chars().flat_map(char::to_lowercase);
        let lower: String = if self.normalization { lower.nfc().collect() } else { lower.collect() };
        lower.into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_another_case_or_composition_have_one_key() {
        let key = |folds: Folds, name: &[u8]| folds.key(&Name::new(name).unwrap());
        let (case, composition) =
            (Folds { case: true, ..Folds::default() }, Folds { normalization: true, ..Folds::default() });
        assert_eq!(key(case, b"ReadMe"), key(case, b"README"));
        assert_eq!(key(case, "ÜBUNG".as_bytes()), key(case, "übung".as_bytes()));
        assert_ne!(key(case, "é".as_bytes()), key(case, "e\u{301}".as_bytes()));
        assert_eq!(key(composition, "é".as_bytes()), key(composition, "e\u{301}".as_bytes()));
        assert_ne!(key(composition, b"A"), key(composition, b"a"));
        assert_eq!(key(Folds::BOTH, "É".as_bytes()), key(Folds::BOTH, "e\u{301}".as_bytes()));
        assert_eq!(key(Folds::BOTH, b"A\xd6"), b"A\xd6");
        assert!(Folds::BOTH.any() && !Folds::default().any());
    }
}
