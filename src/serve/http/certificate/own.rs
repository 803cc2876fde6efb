//! The self-signed certificate: made at first start and kept, so that its fingerprint stays the same.

use std::io;
use std::net::IpAddr;
use std::path::Path;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use rcgen::{CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose};

use super::{CertificateError, Identity, MAX_PEM, Settings, read};
use crate::tree::file;

/// Some clients refuse certificates that are valid for more than 825 days.
const VALID_DAYS: i64 = 820;
/// How long before its end it is replaced.
const RENEW_DAYS: i64 = 30;
/// Stands before the certificate in our own file; readers of PEM skip it.
const MARK: &str = "self-signed by causeway, valid until ";

/// The one in `folder`, or a new one when it is missing, about to end, or without one of the wanted names.
pub(super) fn load(settings: &Settings, folder: &Path, now: Timestamp) -> Result<Identity, CertificateError> {
    let (certificate, key) = (folder.join("certificate.pem"), folder.join("key.pem"));
    let failed = |path: &Path, source| CertificateError::File { path: path.to_owned(), source };
    match file::read_small(&certificate, MAX_PEM) {
        Ok(pem) => {
            let there = Identity { self_signed: true, ..read(&certificate, &key)? };
            // Without our mark it is not ours to replace.
            let Some(why) = outdated(&there, settings, now).filter(|_| pem.starts_with(MARK.as_bytes())) else {
                return Ok(there);
            };
            tracing::warn!("{why}: a new self-signed certificate is made, and clients will ask about it");
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(source) => return Err(failed(&certificate, source)),
    }
    file::ensure_dir(folder, true).map_err(|source| failed(folder, source))?;
    let until = now.saturating_add(SignedDuration::from_hours(24 * VALID_DAYS)).unwrap_or(now);
    let (certificate_pem, key_pem) = make(&settings.names, now, until)?;
    // The key first: a certificate without its key would be found at the next start and fail.
    for (path, pem) in [(&key, key_pem), (&certificate, format!("{MARK}{until}\n{certificate_pem}"))] {
        file::write_private(path, pem.as_bytes()).map_err(|source| failed(path, source))?;
    }
    Ok(Identity { self_signed: true, made: true, ..read(&certificate, &key)? })
}

/// Why the certificate is no longer good, if it is not. The machine's own name does not count: containers get
/// another one every time.
fn outdated(there: &Identity, settings: &Settings, now: Timestamp) -> Option<String> {
    if there.ends.duration_since(now) <= SignedDuration::from_hours(24 * RENEW_DAYS) {
        return Some("the self-signed certificate ends soon".to_owned());
    }
    let lacks = settings.names.iter().find(|name| usable(name) && !there.names.contains(name))?;
    Some(format!("the self-signed certificate is not made for '{lacks}'"))
}

/// Can the name stand in a certificate?
fn usable(name: &str) -> bool {
    name.parse::<IpAddr>().is_ok()
        || (!name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.*".contains(&b)))
}

fn make(names: &[String], now: Timestamp, until: Timestamp) -> Result<(String, String), rcgen::Error> {
    let mut all = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    let host = file::host_name();
    for name in names.iter().chain(Some(&host)) {
        if usable(name) && !all.contains(name) {
            all.push(name.clone());
        }
    }
    let mut params = CertificateParams::new(all)?;
    let mut subject = DistinguishedName::new();
    subject.push(DnType::CommonName, "Causeway (self-signed)");
    params.distinguished_name = subject;
    let (year, month, day) = date(now.saturating_sub(SignedDuration::from_hours(24)).unwrap_or(now));
    params.not_before = rcgen::date_time_ymd(year, month, day);
    let (year, month, day) = date(until);
    params.not_after = rcgen::date_time_ymd(year, month, day);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let key = KeyPair::generate()?;
    Ok((params.self_signed(&key)?.pem(), key.serialize_pem()))
}

fn date(at: Timestamp) -> (i32, u8, u8) {
    let day = at.to_zoned(TimeZone::UTC).date();
    let number = |n: i8| u8::try_from(n).unwrap_or(1);
    (i32::from(day.year()), number(day.month()), number(day.day()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-01-01T00:00:00Z".parse().unwrap()
    }

    #[test]
    fn stays_until_it_ends() {
        let data = tempfile::tempdir().unwrap();
        let load = |at| load(&Settings::default(), data.path(), at).unwrap();
        let first = load(now());
        assert!(first.self_signed && first.made);
        assert_eq!(first.fingerprint.len(), 95);
        let mode = std::os::unix::fs::PermissionsExt::mode(
            &std::fs::metadata(data.path().join("key.pem")).unwrap().permissions(),
        );
        assert_eq!(mode & 0o777, 0o600);
        let later = load(now() + SignedDuration::from_hours(24 * 700));
        assert!(later.fingerprint == first.fingerprint && !later.made);
        assert_ne!(load(now() + SignedDuration::from_hours(24 * 800)).fingerprint, first.fingerprint);
    }

    #[test]
    fn is_made_again_for_a_name_that_it_lacks() {
        let data = tempfile::tempdir().unwrap();
        let named = |names: &[&str]| Settings {
            names: names.iter().map(|name| (*name).to_owned()).collect(),
            ..Settings::default()
        };
        let first = load(&named(&["files.example", "192.0.2.7"]), data.path(), now()).unwrap();
        for name in ["localhost", "127.0.0.1", "::1", "files.example", "192.0.2.7"] {
            assert!(first.names.iter().any(|known| known == name), "{name}: {:?}", first.names);
        }
        let fewer = load(&named(&["files.example"]), data.path(), now()).unwrap();
        assert_eq!(fewer.fingerprint, first.fingerprint, "a name too many does no harm");
        let more = load(&named(&["drop.example"]), data.path(), now()).unwrap();
        assert!(more.made && more.names.iter().any(|name| name == "drop.example"));
        assert_eq!(load(&named(&["no name"]), data.path(), now()).unwrap().fingerprint, more.fingerprint);
        // An operator's certificate in our place is left alone.
        let file = data.path().join("certificate.pem");
        let pem = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, pem.split_once('\n').unwrap().1).unwrap();
        assert_eq!(load(&named(&["third.example"]), data.path(), now()).unwrap().fingerprint, more.fingerprint);
    }
}
