//! Codes that change with the time (TOTP, RFC 6238, over HOTP, RFC 4226): SHA-1, 30 seconds, six digits, which is what
//! every authenticator app takes without being told.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac::{HMAC_SHA1_FOR_LEGACY_USE_ONLY, Key, sign};
use data_encoding::BASE32_NOPAD;
use jiff::Timestamp;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::account::random::{self, NoRandom};
use crate::model::Secret;

/// Seconds for which a code holds (RFC 6238, section 4.1).
pub(super) const PERIOD: i64 = 30;
/// Steps before and after the present one whose codes are taken: clocks differ, and people type slowly (section 5.2).
const TOLERANCE: i64 = 1;
const DIGITS: usize = 6;
const MODULUS: u32 = 1_000_000;

/// The secret that an account and an authenticator app share: 160 bits, as RFC 4226 recommends (section 4, R6).
#[derive(Clone)]
pub(super) struct Shared([u8; 20]);

impl Shared {
    /// A new one.
    pub(super) fn random() -> Result<Self, NoRandom> {
        random::bytes().map(Self)
    }

    /// In base32 (RFC 4648), as apps want it and as it is sealed.
    pub(super) fn base32(&self) -> Secret {
        Secret::new(BASE32_NOPAD.encode(&self.0))
    }

    /// From base32.
    pub(super) fn read(base32: &Secret) -> Option<Self> {
        BASE32_NOPAD.decode(base32.expose().as_bytes()).ok()?.try_into().ok().map(Self)
    }

    /// The address that apps read from a link or a picture: the Key URI Format that they have in common.
    pub(super) fn uri(&self, account: &str) -> Secret {
        let label = utf8_percent_encode(account, NON_ALPHANUMERIC);
        Secret::new(format!("otpauth://totp/Causeway:{label}?secret={}&issuer=Causeway", self.base32().expose()))
    }

    /// The step whose code `typed` is, when it comes after the step `last` that was used: a code counts once. Blanks
    /// are borne, as apps show them.
    pub(super) fn step_of(&self, typed: &Secret, now: Timestamp, last: i64) -> Option<i64> {
        let typed: String = typed.expose().chars().filter(|c| !c.is_whitespace()).collect();
        let present = now.as_second().div_euclid(PERIOD);
        let mut found = None;
        // All are compared, whichever is right.
        for step in present - TOLERANCE..=present + TOLERANCE {
            let right = self.code(step);
            if verify_slices_are_equal(right.as_bytes(), typed.as_bytes()).is_ok() && step > last {
                found = found.or(Some(step));
            }
        }
        found
    }

    /// RFC 4226, section 5.3: six digits of the HMAC of the step.
    pub(super) fn code(&self, step: i64) -> String {
        let tag = sign(&Key::new(HMAC_SHA1_FOR_LEGACY_USE_ONLY, &self.0), &step.to_be_bytes());
        let tag = tag.as_ref();
        let offset = usize::from(tag.last().copied().unwrap_or_default() & 0xf);
        let cut = tag.get(offset..).and_then(|rest| rest.first_chunk::<4>()).copied().unwrap_or_default();
        let number = (u32::from_be_bytes(cut) & 0x7fff_ffff) % MODULUS;
        format!("{number:0DIGITS$}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The secret of the test vectors of both documents.
    fn shared() -> Shared {
        Shared(*b"12345678901234567890")
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn codes_are_those_of_rfc_4226() {
        // Appendix D.
        let codes: Vec<_> = (0..10).map(|count| shared().code(count)).collect();
        let expected =
            ["755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489"];
        assert_eq!(codes, expected);
    }

    #[test]
    fn times_are_those_of_rfc_6238() {
        // Appendix B, the last six of its eight digits.
        for (second, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            let step = shared().step_of(&Secret::new(code), at(second), 0);
            assert_eq!(step, Some(second / 30), "{second}");
        }
    }

    #[test]
    fn a_code_counts_once_and_one_step_around_its_time() {
        let code = Secret::new("081 804");
        let step = 1_111_111_109 / 30;
        let used = |second: i64, last: i64| shared().step_of(&code, at(second), last);
        let first = step * 30;
        assert_eq!(used(first - 30, 0), Some(step), "a clock that is slow");
        assert_eq!(used(first + 59, 0), Some(step), "and one that is fast");
        assert_eq!(used(first - 31, 0), None);
        assert_eq!(used(first + 60, 0), None);
        assert_eq!(used(first, step), None, "it was used");
        assert_eq!(used(first, step - 1), Some(step));
        for wrong in ["", "81804", "0081804", "081805", "o81804"] {
            assert_eq!(shared().step_of(&Secret::new(wrong), at(first), 0), None, "{wrong}");
        }
    }

    #[test]
    fn apps_can_read_it() {
        assert_eq!(shared().base32().expose(), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
        assert_eq!(Shared::read(&shared().base32()).unwrap().0, shared().0);
        assert!(Shared::read(&Secret::new("GEZDGNBV")).is_none());
        let uri = shared().uri("jörg@example.org");
        let expected = "otpauth://totp/Causeway:j%C3%B6rg%40example%2Eorg?\
                        secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Causeway";
        assert_eq!(uri.expose(), expected);
    }
}
