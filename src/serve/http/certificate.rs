//! The certificate that clients see: the operator's own, or a self-signed one made at first start and
//! kept, so that its fingerprint stays the same.

use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{SHA256, digest};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use rcgen::{CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::Settings;
use crate::tree::file;

/// Some clients refuse certificates that are valid for more than 825 days.
const VALID_DAYS: i64 = 820;
/// How long before its end a self-signed certificate is replaced (at a start).
const RENEW_DAYS: i64 = 30;
/// Nobody's chain is larger.
const MAX_PEM: usize = 1 << 20;
/// Stands before the certificate in our own file; readers of PEM skip it.
const EXPIRY: &str = "self-signed by causeway, valid until ";

/// Why there is no certificate to serve with.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// One of the two settings without the other.
    #[error("set both `certificate` and `key`, or none of them for a self-signed certificate")]
    Half,
    /// The file cannot be read or written.
    #[error("cannot use {path}: check that the file is there and that this user may read it")]
    File {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file holds no certificate or key.
    #[error("{path} holds no {what} in PEM form: {reason}")]
    Content {
        /// Which file.
        path: PathBuf,
        /// `certificate` or `private key`.
        what: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// Key and certificate do not belong together, or the key's kind is not usable.
    #[error("the certificate and its key cannot be used together: {0}")]
    Unusable(#[from] rustls::Error),
    /// The self-signed certificate could not be made.
    #[error("cannot make a self-signed certificate (check `names`): {0}")]
    Make(#[from] rcgen::Error),
}

/// A certificate chain and its key.
pub struct Identity {
    pub(super) chain: Vec<CertificateDer<'static>>,
    pub(super) key: PrivateKeyDer<'static>,
    /// Made by us, so no authority vouches for it.
    pub self_signed: bool,
    /// Made just now: nobody has seen it yet.
    pub made: bool,
    /// SHA-256 of the end certificate as `AB:CD:…`, as browsers and `openssl x509 -fingerprint` show it.
    pub fingerprint: String,
    /// Where the certificate lies, for clients that can trust a file.
    pub file: PathBuf,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Identity({})", self.fingerprint)
    }
}

/// Reads the operator's certificate, or the self-signed one under `data/tls`, making it when it is
/// missing or about to end. `now` decides the latter. Blocking.
///
/// # Errors
/// [`CertificateError`] says which file and what to do.
pub(super) fn load(settings: &Settings, data: &Path, now: Timestamp) -> Result<Identity, CertificateError> {
    match (&settings.certificate, &settings.key) {
        (Some(certificate), Some(key)) => read(certificate, key, false),
        (None, None) => own(settings, &data.join("tls"), now),
        _ => Err(CertificateError::Half),
    }
}

fn own(settings: &Settings, folder: &Path, now: Timestamp) -> Result<Identity, CertificateError> {
    let (certificate, key) = (folder.join("certificate.pem"), folder.join("key.pem"));
    match file::read_small(&certificate, MAX_PEM) {
        Ok(pem) if still_good(&pem, now) => return read(&certificate, &key, true),
        Ok(_) => tracing::info!("the self-signed certificate ends soon: making a new one"),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(source) => return Err(CertificateError::File { path: certificate, source }),
    }
    file::ensure_dir(folder, true).map_err(|source| CertificateError::File { path: folder.to_owned(), source })?;
    let until = now.saturating_add(SignedDuration::from_hours(24 * VALID_DAYS)).unwrap_or(now);
    let (certificate_pem, key_pem) = make(&settings.names, now, until)?;
    // The key first: a certificate without its key would be found at the next start and fail.
    for (path, pem) in [(&key, key_pem), (&certificate, format!("{EXPIRY}{until}\n{certificate_pem}"))] {
        file::write_private(path, pem.as_bytes())
            .map_err(|source| CertificateError::File { path: path.clone(), source })?;
    }
    Ok(Identity { made: true, ..read(&certificate, &key, true)? })
}

fn still_good(pem: &[u8], now: Timestamp) -> bool {
    let text = String::from_utf8_lossy(pem);
    let until = text.lines().find_map(|line| line.strip_prefix(EXPIRY)?.trim().parse::<Timestamp>().ok());
    // Without our line it is not ours to replace.
    until.is_none_or(|until| until.duration_since(now) > SignedDuration::from_hours(24 * RENEW_DAYS))
}

fn make(names: &[String], now: Timestamp, until: Timestamp) -> Result<(String, String), rcgen::Error> {
    let mut all = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    let host = file::read_small(Path::new("/proc/sys/kernel/hostname"), 256).unwrap_or_default();
    let host = String::from_utf8_lossy(&host).trim().to_owned();
    for name in names.iter().chain(Some(&host)) {
        let usable = name.parse::<IpAddr>().is_ok()
            || (!name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.*".contains(&b)));
        if usable && !all.contains(name) {
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

fn read(certificate: &Path, key: &Path, self_signed: bool) -> Result<Identity, CertificateError> {
    let bytes = |path: &Path| {
        file::read_small(path, MAX_PEM).map_err(|source| CertificateError::File { path: path.to_owned(), source })
    };
    let content = |path: &Path, what, reason: String| CertificateError::Content { path: path.to_owned(), what, reason };
    let chain: Vec<_> = CertificateDer::pem_slice_iter(&bytes(certificate)?)
        .collect::<Result<_, _>>()
        .map_err(|error| content(certificate, "certificate", error.to_string()))?;
    let first = chain.first().ok_or_else(|| content(certificate, "certificate", "the file has none".to_owned()))?;
    let fingerprint = fingerprint(first);
    let key =
        PrivateKeyDer::from_pem_slice(&bytes(key)?).map_err(|error| content(key, "private key", error.to_string()))?;
    Ok(Identity { chain, key, self_signed, made: false, fingerprint, file: certificate.to_owned() })
}

fn fingerprint(certificate: &CertificateDer<'_>) -> String {
    let hash = digest(&SHA256, certificate);
    hash.as_ref().iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(":")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_self_signed_certificate_stays_until_it_ends() {
        let data = tempfile::tempdir().unwrap();
        let settings = Settings::default();
        let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let first = load(&settings, data.path(), now).unwrap();
        assert!(first.self_signed);
        assert_eq!(first.fingerprint.len(), 95);
        let mode = std::os::unix::fs::PermissionsExt::mode(
            &std::fs::metadata(data.path().join("tls/key.pem")).unwrap().permissions(),
        );
        assert_eq!(mode & 0o777, 0o600);
        let later = now + SignedDuration::from_hours(24 * 700);
        assert_eq!(load(&settings, data.path(), later).unwrap().fingerprint, first.fingerprint);
        let at_the_end = now + SignedDuration::from_hours(24 * 800);
        assert_ne!(load(&settings, data.path(), at_the_end).unwrap().fingerprint, first.fingerprint);
    }

    #[test]
    fn half_a_setting_is_said() {
        let settings = Settings { certificate: Some("x".into()), ..Settings::default() };
        let data = tempfile::tempdir().unwrap();
        assert!(matches!(load(&settings, data.path(), Timestamp::UNIX_EPOCH), Err(CertificateError::Half)));
        let settings = Settings { key: Some("y".into()), ..settings };
        let error = load(&settings, data.path(), Timestamp::UNIX_EPOCH).unwrap_err();
        assert!(matches!(error, CertificateError::File { .. }), "{error}");
    }
}
