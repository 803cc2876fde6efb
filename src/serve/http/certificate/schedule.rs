//! When a certificate is ordered: not too late for the one that is there, and not too often for the authority.

use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::acme::{AcmeSettings, Directory};
use super::{Identity, MAX_PEM};
use crate::tree::file;

/// How the last order went.
pub(super) const LAST: &str = "last.json";
/// The wait after the first failure; it doubles with each. Let's Encrypt bears five an hour.
const FIRST_WAIT: SignedDuration = SignedDuration::from_mins(10);
/// How long after an order nothing is ordered again, whatever the clock and the certificate say; less for a certificate
/// that does not live three times as long.
pub(super) const REST: SignedDuration = SignedDuration::from_hours(24);
/// The longest wait after a failure.
const LONGEST_WAIT: SignedDuration = SignedDuration::from_hours(12);
/// The longest that is waited when an authority asks to. What is to be waited for longer than this was written while the
/// clock was wrong.
const LONGEST_ASKED: SignedDuration = SignedDuration::from_hours(7 * 24);

/// How the last order went. It holds for the authority and the names that it was for.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Last {
    pub(super) directory: Directory,
    pub(super) names: Vec<String>,
    /// Whose the certificate is that lies there.
    pub(super) issuer: Option<Directory>,
    /// How many failed, one after the other.
    pub(super) failures: u32,
    /// Why the last of them did.
    pub(super) why: String,
    /// Nothing is ordered before.
    pub(super) next: Timestamp,
}

pub(super) fn last(folder: &Path) -> Option<Last> {
    serde_json::from_slice(&file::read_small(&folder.join(LAST), MAX_PEM).ok()?).ok()
}

impl Last {
    pub(super) fn is_for(&self, settings: &AcmeSettings) -> bool {
        self.directory == settings.directory && self.names == settings.names
    }

    /// Is it too early for another one?
    pub(super) fn forbids(&self, now: Timestamp) -> bool {
        now < self.next && self.next.duration_since(now) <= LONGEST_ASKED
    }
}

/// Why another certificate is wanted, if it is: `the one that is there …`.
pub(super) fn to_replace(
    there: &Identity,
    settings: &AcmeSettings,
    last: Option<&Last>,
    now: Timestamp,
) -> Option<&'static str> {
    let issuer = last.and_then(|last| last.issuer.as_ref());
    if there.self_signed {
        Some("is vouched for by nobody")
    } else if lacks(there, settings) {
        Some("lacks a name")
    } else if issuer.is_some_and(|issuer| *issuer != settings.directory) {
        Some("is another authority's")
    } else if now >= renewal(there) {
        Some("ends soon")
    } else {
        None
    }
}

/// Is there a name that the certificate is not for?
fn lacks(there: &Identity, settings: &AcmeSettings) -> bool {
    settings.names.iter().any(|name| !there.names.iter().any(|known| known.eq_ignore_ascii_case(name)))
}

/// When a certificate is to be replaced: when a third of its time is left, as Let's Encrypt advises.
pub(super) fn renewal(there: &Identity) -> Timestamp {
    there.ends.saturating_sub(third(there)).unwrap_or(there.ends)
}

pub(super) fn third(there: &Identity) -> SignedDuration {
    there.ends.duration_since(there.begins) / 3
}

/// How long to wait after so many failures, the authority having asked to wait for `asked`.
pub(super) fn pause(failures: u32, asked: SignedDuration) -> SignedDuration {
    let doubled = FIRST_WAIT.saturating_mul(1 << failures.saturating_sub(1).min(10)).min(LONGEST_WAIT);
    doubled.max(asked.min(LONGEST_ASKED))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_grows_and_is_as_long_as_the_authority_asks_but_not_for_ever() {
        let hours = SignedDuration::from_hours;
        let waits: Vec<_> = (1..5).map(|failures| pause(failures, SignedDuration::ZERO).as_mins()).collect();
        assert_eq!(waits, [10, 20, 40, 80]);
        assert_eq!(pause(u32::MAX, SignedDuration::ZERO), hours(12));
        assert_eq!(pause(1, hours(30)), hours(30));
        assert_eq!(pause(1, hours(24 * 3650)), hours(24 * 7));
    }

    #[test]
    fn what_was_written_while_the_clock_was_wrong_forbids_nothing() {
        let directory: Directory = "letsencrypt".parse().unwrap();
        let next: Timestamp = "2036-01-01T00:00:00Z".parse().unwrap();
        let (names, why) = (vec!["files.example".to_owned()], String::new());
        let last = Last { directory, names, issuer: None, failures: 1, why, next };
        assert!(last.forbids("2035-12-31T23:00:00Z".parse().unwrap()));
        assert!(!last.forbids(next) && !last.forbids("2026-01-01T00:00:00Z".parse().unwrap()));
    }

    #[test]
    fn one_is_wanted_for_another_name_from_another_authority_and_before_the_end() {
        let (folder, days) = (tempfile::tempdir().unwrap(), |days: i64| SignedDuration::from_hours(24 * days));
        let mut params = rcgen::CertificateParams::new(vec!["Files.example".to_owned()]).unwrap();
        (params.not_before, params.not_after) = (rcgen::date_time_ymd(2026, 1, 1), rcgen::date_time_ymd(2026, 4, 1));
        let key = rcgen::KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem() + &key.serialize_pem();
        let path = folder.path().join("pem");
        std::fs::write(&path, pem).unwrap();
        let there = crate::serve::http::read_certificate(&path, &path).unwrap();
        let settings = |directory: &str, name: &str| AcmeSettings {
            directory: directory.parse().unwrap(),
            names: vec![name.to_owned()],
            contact: None,
            ca: None,
        };
        let real = settings("letsencrypt", "files.example");
        let issued = |by: &str| {
            let (directory, next) = (real.directory.clone(), there.begins);
            let issuer = Some(by.parse().unwrap());
            Last { directory, names: real.names.clone(), issuer, failures: 0, why: String::new(), next }
        };
        let wanted = |settings, by, passed| {
            to_replace(&there, settings, Some(&issued(by)), there.begins + days(passed)).is_some()
        };
        assert!(!wanted(&real, "letsencrypt", 0) && !wanted(&real, "letsencrypt", 59));
        assert!(wanted(&real, "letsencrypt", 60), "a third of its time is left");
        assert!(wanted(&real, "letsencrypt-staging", 0), "of another authority");
        assert!(wanted(&settings("letsencrypt", "other.example"), "letsencrypt", 0));
    }
}
