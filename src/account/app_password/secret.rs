//! The text of an app password: made here, known by its form, and stored as a hash.

use data_encoding::BASE32_NOPAD;

use super::super::random::{self, NoRandom, hashed};
use crate::model::Secret;

/// People, programs that look for leaked secrets, and our doors know it by this.
const PREFIX: &str = "cway_";
/// Characters behind it: 160 bits in base32 (RFC 4648), in small letters.
const LENGTH: usize = 32;

/// A new one.
pub(super) fn make() -> Result<Secret, NoRandom> {
    let mut text = String::with_capacity(PREFIX.len() + LENGTH);
    text.push_str(PREFIX);
    BASE32_NOPAD.encode_append(&random::bytes::<20>()?, &mut text);
    text.make_ascii_lowercase();
    Ok(Secret::new(text))
}

/// Has it the form of one? A wrong one is then no guess at the password of an account.
pub(in crate::account) fn is_one(text: &Secret) -> bool {
    let coded = |byte| matches!(byte, b'a'..=b'z' | b'2'..=b'7');
    let rest = text.expose().strip_prefix(PREFIX);
    rest.is_some_and(|rest| rest.len() == LENGTH && rest.bytes().all(coded))
}

/// What is stored of it.
pub(super) fn hash(text: &Secret) -> [u8; 32] {
    hashed("causeway app password", text.expose())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_known_by_its_form() {
        let (one, other) = (make().unwrap(), make().unwrap());
        assert!(is_one(&one) && is_one(&other));
        assert_ne!(hash(&one), hash(&other));
        let long = format!("{}a", one.expose());
        let upper = one.expose().to_ascii_uppercase();
        for text in ["", "cway_", "correct horse battery", &long, &upper, &one.expose()[1..]] {
            assert!(!is_one(&Secret::new(text)), "{text}");
        }
    }
}
