//! The certificate that clients see: the operator's own, one that an authority issued to us ([`acme`]), or a self-signed
//! one ([`own`]). It is looked at again
//! while the service runs ([`keeper`]): certificates are renewed every few weeks.

mod acme;
mod challenge;
mod client;
mod keeper;
mod own;
mod schedule;

use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use data_encoding::BASE64;
use jiff::Timestamp;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::Settings;
use crate::tree::file;

pub(super) use acme::Orders;
pub use acme::{AcmeSettings, Directory, plan};
pub(super) use challenge::{ACME_TLS, Challenges};
pub use keeper::Served;
pub(super) use keeper::{Keeper, resolver, served};

/// Nobody's chain is larger.
const MAX_PEM: usize = 1 << 20;

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
    #[error(
        "{path} holds no {what} in PEM form ({reason}): name the file that the certificate authority or tool wrote"
    )]
    Content {
        /// Which file.
        path: PathBuf,
        /// `certificate` or `private key`.
        what: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// Key and certificate do not belong together, or the key's kind is not usable.
    #[error("{certificate} and {key} do not belong together: name the key that this certificate was made for")]
    Unusable {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// What rustls says.
        source: rustls::Error,
    },
    /// TLS itself cannot be set up.
    #[error("TLS cannot be set up: {0}")]
    Tls(#[from] rustls::Error),
    /// The self-signed certificate could not be made.
    #[error("cannot make a self-signed certificate (check `names`): {0}")]
    Make(#[from] rcgen::Error),
}

/// A certificate chain and its key.
#[derive(Clone)]
pub struct Identity {
    certified: Arc<CertifiedKey>,
    /// Made by us, so no authority vouches for it.
    pub self_signed: bool,
    /// Made just now: nobody has seen it yet.
    pub made: bool,
    /// SHA-256 of the end certificate as `AB:CD:…`, as browsers and `openssl x509 -fingerprint` show it.
    pub fingerprint: String,
    /// Where the certificate lies, for clients that can trust a file.
    pub file: PathBuf,
    /// Names and addresses that it is made for.
    pub names: Vec<String>,
    /// Its first moment.
    pub begins: Timestamp,
    /// Its last moment.
    pub ends: Timestamp,
}

impl Identity {
    /// The chain in PEM (RFC 7468), for clients that are to trust it.
    #[must_use]
    pub fn pem(&self) -> String {
        let block = |der: &CertificateDer<'_>| {
            let text = BASE64.encode(der);
            let lines = text.as_bytes().chunks(64).map(String::from_utf8_lossy).collect::<Vec<_>>().join("\n");
            format!("-----BEGIN CERTIFICATE-----\n{lines}\n-----END CERTIFICATE-----\n")
        };
        self.certified.cert.iter().map(block).collect()
    }
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Identity({})", self.fingerprint)
    }
}

/// Reads the operator's certificate, the one that was ordered, or the self-signed one under `data/tls`, making that when it
/// is missing, about to end or made for other names. `now` decides about the end. Blocking.
///
/// # Errors
/// [`CertificateError`] says which file and what to do.
pub(super) fn load(settings: &Settings, data: &Path, now: Timestamp) -> Result<Identity, CertificateError> {
    match (&settings.certificate, &settings.key) {
        (Some(certificate), Some(key)) => read(certificate, key),
        (None, None) => match settings.acme.as_ref().and_then(|_| acme::stored(data)) {
            Some(ordered) => Ok(ordered),
            None => own::load(settings, &data.join("tls"), now),
        },
        _ => Err(CertificateError::Half),
    }
}

/// Reads a certificate and its key from files. Blocking.
///
/// # Errors
/// [`CertificateError`]: not there, not PEM, or not belonging together. One that has ended is no error.
pub fn read(certificate: &Path, key: &Path) -> Result<Identity, CertificateError> {
    let bytes = |path: &Path| {
        file::read_small(path, MAX_PEM).map_err(|source| CertificateError::File { path: path.to_owned(), source })
    };
    let content = |path: &Path, what, reason: String| CertificateError::Content { path: path.to_owned(), what, reason };
    let no_certificate = |reason: String| content(certificate, "certificate", reason);
    let chain: Vec<_> = CertificateDer::pem_slice_iter(&bytes(certificate)?)
        .collect::<Result<_, _>>()
        .map_err(|error| no_certificate(error.to_string()))?;
    let first = chain.first().ok_or_else(|| no_certificate("the file has none".to_owned()))?;
    let (_, parsed) = X509Certificate::from_der(first).map_err(|error| no_certificate(error.to_string()))?;
    let ends = Timestamp::from_second(parsed.validity().not_after.timestamp()).unwrap_or(Timestamp::MAX);
    let begins = Timestamp::from_second(parsed.validity().not_before.timestamp()).unwrap_or(Timestamp::MIN);
    let (names, fingerprint) = (names(&parsed), fingerprint(first));
    let pair =
        PrivateKeyDer::from_pem_slice(&bytes(key)?).map_err(|error| content(key, "private key", error.to_string()))?;
    let certified = CertifiedKey::from_der(chain, pair, &default_provider()).map_err(|source| {
        CertificateError::Unusable { certificate: certificate.to_owned(), key: key.to_owned(), source }
    })?;
    let (certified, file) = (Arc::new(certified), certificate.to_owned());
    Ok(Identity { certified, self_signed: false, made: false, fingerprint, file, names, begins, ends })
}

/// Names and addresses of the extension `subjectAltName` (RFC 5280, 4.2.1.6).
fn names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(extension)) = certificate.subject_alternative_name() else { return Vec::new() };
    let name = |name: &GeneralName<'_>| match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => address(bytes).map(|address| address.to_string()),
        _ => None,
    };
    extension.value.general_names.iter().filter_map(name).collect()
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    let four = || <[u8; 4]>::try_from(bytes).ok().map(IpAddr::from);
    four().or_else(|| <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from))
}

fn fingerprint(certificate: &CertificateDer<'_>) -> String {
    let hash = digest(&SHA256, certificate);
    hash.as_ref().iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(":")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_a_setting_is_said() {
        let settings = Settings { certificate: Some("x".into()), ..Settings::default() };
        let data = tempfile::tempdir().unwrap();
        assert!(matches!(load(&settings, data.path(), Timestamp::UNIX_EPOCH), Err(CertificateError::Half)));
        let settings = Settings { key: Some("y".into()), ..settings };
        let error = load(&settings, data.path(), Timestamp::UNIX_EPOCH).unwrap_err();
        assert!(matches!(error, CertificateError::File { .. }), "{error}");
    }

    #[test]
    fn a_pair_that_is_none_is_refused_in_words() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let (one, other) = (pair(), pair());
        let (certificate, key) = (write("certificate", &one.0), write("key", &one.1));
        let read_names = read(&certificate, &key).unwrap().names;
        assert_eq!(read_names, ["files.example", "192.0.2.7"]);
        let error = read(&certificate, &write("other", &other.1)).unwrap_err();
        assert!(error.to_string().contains("do not belong together"), "{error}");
        for (certificate, key) in [(write("rubbish", "hello"), key), (certificate, write("rubbish", "hello"))] {
            let error = read(&certificate, &key).unwrap_err();
            assert!(error.to_string().contains("in PEM form"), "{error}");
        }
    }

    fn pair() -> (String, String) {
        let names = vec!["files.example".to_owned(), "192.0.2.7".to_owned()];
        let made = rcgen::generate_simple_self_signed(names).unwrap();
        (made.cert.pem(), made.signing_key.serialize_pem())
    }
}
