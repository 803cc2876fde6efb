//! A secret in a page that is compressed: the length of such a page tells what repeats in it, so that somebody who can have
//! text of his choice put into it learns the secret letter by letter (BREACH, 2013). So every page shows the secret
//! differently: a random mask, and the secret under it.

use data_encoding::BASE64URL_NOPAD;

use crate::random;

/// The secret as one page may show it.
#[must_use]
pub fn masked(secret: &str) -> String {
    let mut mask = vec![0; secret.len()];
    // Without a mask nothing is shown: forms are refused then, and no secret is told.
    if random::fill(&mut mask).is_err() {
        return String::new();
    }
    let under: Vec<u8> = secret.bytes().zip(&mask).map(|(byte, mask)| byte ^ mask).collect();
    BASE64URL_NOPAD.encode(&[mask, under].concat())
}

/// Is `sent` the secret as some page showed it? In constant time.
#[must_use]
pub fn is_masked(secret: &str, sent: &str) -> bool {
    let unmasked = unmasked(sent).unwrap_or_default();
    !unmasked.is_empty() && aws_lc_rs::constant_time::verify_slices_are_equal(secret.as_bytes(), &unmasked).is_ok()
}

/// The secret of what a page showed.
#[must_use]
pub fn unmasked(sent: &str) -> Option<Vec<u8>> {
    let both = BASE64URL_NOPAD.decode(sent.as_bytes()).ok()?;
    let (mask, under) = both.split_at_checked(both.len() / 2).filter(|(mask, under)| mask.len() == under.len())?;
    Some(mask.iter().zip(under).map(|(mask, byte)| mask ^ byte).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_pages_show_it_alike() {
        let (one, other) = (masked("open sesame"), masked("open sesame"));
        assert_ne!(one, other);
        for shown in [&one, &other] {
            assert!(is_masked("open sesame", shown) && !is_masked("open sesamo", shown));
            assert!(!shown.contains("open sesame"));
        }
        for wrong in ["", "open sesame", "AA", "A", &one[1..]] {
            assert!(!is_masked("open sesame", wrong), "{wrong}");
        }
        assert!(!is_masked("", &masked("")), "nothing is no secret");
    }
}
