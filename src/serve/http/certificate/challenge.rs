//! What shows an authority that a name leads here (RFC 8555, section 8): a text on the plain listener (`http-01`), or a
//! certificate for whoever asks for the protocol `acme-tls/1` (`tls-alpn-01`, RFC 8737).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rcgen::{CertificateParams, CustomExtension, KeyPair};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::sign::CertifiedKey;
use rustls_pki_types::PrivateKeyDer;

use super::CertificateError;

/// The protocol that an authority asks for (RFC 8737, section 6.2).
pub(crate) const ACME_TLS: &[u8] = b"acme-tls/1";

/// What is to be shown now. Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Challenges(Arc<Mutex<Open>>);

#[derive(Debug, Default)]
struct Open {
    /// By token.
    texts: HashMap<String, String>,
    /// By name.
    certificates: HashMap<String, Arc<CertifiedKey>>,
}

impl Challenges {
    fn open(&self) -> MutexGuard<'_, Open> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The answer to `/.well-known/acme-challenge/{token}` (RFC 8555, section 8.3).
    pub(crate) fn text(&self, token: &str) -> Option<String> {
        self.open().texts.get(token).cloned()
    }

    /// The certificate for a handshake of [`ACME_TLS`].
    pub(crate) fn certificate(&self, name: &str) -> Option<Arc<CertifiedKey>> {
        self.open().certificates.get(name).cloned()
    }

    /// Shows a text from now on.
    pub(super) fn show_text(&self, token: &str, text: &str) {
        self.open().texts.insert(token.to_owned(), text.to_owned());
    }

    /// Shows a certificate for `name` with the SHA-256 `digest` of the key authorization (RFC 8737, section 3).
    ///
    /// # Errors
    /// When it cannot be made.
    pub(super) fn show_certificate(&self, name: &str, digest: &[u8]) -> Result<(), CertificateError> {
        let mut params = CertificateParams::new(vec![name.to_owned()])?;
        params.custom_extensions = vec![CustomExtension::new_acme_identifier(digest)];
        let key = KeyPair::generate()?;
        let certificate = params.self_signed(&key)?;
        let pair = PrivateKeyDer::Pkcs8(key.serialize_der().into());
        let signing = default_provider().key_provider.load_private_key(pair)?;
        // Unlooked at: a reader that does not know the critical extension must refuse the certificate, and rustls does.
        let certified = CertifiedKey::new(vec![certificate.der().clone()], signing);
        self.open().certificates.insert(name.to_owned(), Arc::new(certified));
        Ok(())
    }

    /// Shows nothing any more.
    pub(super) fn clear(&self) {
        *self.open() = Open::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_what_it_was_told_until_it_is_cleared() {
        let challenges = Challenges::default();
        challenges.show_text("token", "text");
        challenges.show_certificate("files.example", &[7; 32]).unwrap();
        assert_eq!(challenges.text("token").as_deref(), Some("text"));
        assert!(challenges.text("other").is_none());
        let shown = challenges.certificate("files.example").unwrap();
        let (_, parsed) = x509_parser::parse_x509_certificate(shown.cert.first().unwrap()).unwrap();
        let extension = parsed.extensions().iter().find(|one| one.oid.to_id_string() == "1.3.6.1.5.5.7.1.31").unwrap();
        assert!(extension.critical && extension.value.ends_with(&[7; 32]));
        challenges.clear();
        assert!(challenges.text("token").is_none() && challenges.certificate("files.example").is_none());
    }
}
