//! Secrets that we make ourselves.

use aws_lc_rs::digest::{Context, SHA256};
use data_encoding::BASE64URL_NOPAD;

use crate::model::Secret;

/// The random generator refused; nothing can be made safely.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the operating system gave no random numbers")]
pub struct NoRandom;

/// Digits and small letters without those that look alike (0 o, 1 l i), and `E` to make 32.
const READABLE: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz23456789E";

pub(super) fn bytes<const N: usize>() -> Result<[u8; N], NoRandom> {
    let mut bytes = [0; N];
    crate::random::fill(&mut bytes).map_err(|_| NoRandom)?;
    Ok(bytes)
}

/// A password that can be read out and typed: 20 characters in groups of five, 100 bits.
///
/// # Errors
/// [`NoRandom`].
pub fn readable_password() -> Result<Secret, NoRandom> {
    let mut text = String::with_capacity(23);
    for (index, byte) in bytes::<20>()?.into_iter().enumerate() {
        if index > 0 && index % 5 == 0 {
            text.push('-');
        }
        // 32 symbols: the low five bits choose without favour.
        text.push(READABLE.get(usize::from(byte % 32)).copied().map_or('x', char::from));
    }
    Ok(Secret::new(text))
}

/// A token that nobody can guess: 256 bits, fit for a cookie or a URL.
///
/// # Errors
/// [`NoRandom`].
pub fn token() -> Result<Secret, NoRandom> {
    Ok(Secret::new(BASE64URL_NOPAD.encode(&bytes::<32>()?)))
}

/// How a secret of ours is stored. It has too many random bits to be found by trying, so no slow hash is needed.
/// `domain` says what it is for: the same secret has another hash elsewhere.
#[must_use]
pub fn hashed(domain: &str, secret: &str) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    context.update(domain.as_bytes());
    context.update(b"\0");
    context.update(secret.as_bytes());
    let mut bytes = [0; 32];
    bytes.copy_from_slice(context.finish().as_ref());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_readable_and_differ() {
        let (a, b) = (readable_password().unwrap(), readable_password().unwrap());
        assert_ne!(a.expose(), b.expose());
        assert_eq!(a.expose().len(), 23);
        assert_eq!(a.expose().split('-').map(str::len).collect::<Vec<_>>(), [5; 4]);
        assert!(!a.expose().contains(['0', 'o', '1', 'l', 'i']));
    }
}
