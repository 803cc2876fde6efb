//! TLS as a client: the system's roots and a file of one's own, or a pinned certificate.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::Stream;
use crate::model::{Fault, FaultKind, Phase};

/// Whom to trust.
#[derive(Debug, Clone, Default)]
pub struct Trust {
    /// SHA-256 of the one certificate to accept, hexadecimal (colons allowed).
    pub pin: Option<String>,
    /// PEM certificates to trust beside the system's.
    pub extra_roots: Option<Vec<u8>>,
    /// Accept any certificate.
    pub insecure: bool,
}

/// Opens TLS connections to one server. [`TlsClient::fresh`] gives one with an empty session store: one
/// per control connection, because proftpd refuses a data connection that resumes another one's session.
#[derive(Debug)]
pub struct TlsClient {
    name: ServerName<'static>,
    host: String,
    verifier: Arc<Verifier>,
    config: Arc<ClientConfig>,
}

impl TlsClient {
    /// Reads the roots once.
    ///
    /// # Errors
    /// A fault of [`Phase::Tls`] that says which setting is wrong.
    pub fn new(host: &str, trust: &Trust) -> Result<Self, Fault> {
        let wrong = |why: String| Fault::new(Phase::Tls, FaultKind::Tls, why);
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| wrong(format!("'{host}' is neither a host name nor an address")))?;
        let verifier = Arc::new(Verifier { how: How::of(trust)?, seen: Mutex::default() });
        let config = configure(&verifier)?;
        Ok(Self { name, host: host.to_owned(), verifier, config })
    }

    /// The same trust, no sessions to resume.
    ///
    /// # Errors
    /// A fault of [`Phase::Tls`].
    pub fn fresh(&self) -> Result<Self, Fault> {
        let verifier = Arc::new(Verifier { how: self.verifier.how.clone(), seen: Mutex::default() });
        let config = configure(&verifier)?;
        Ok(Self { name: self.name.clone(), host: self.host.clone(), verifier, config })
    }

    /// SHA-256 of the certificate that the server showed, hexadecimal: what a pin holds.
    #[must_use]
    pub fn fingerprint(&self) -> Option<String> {
        self.verifier.fingerprint()
    }

    /// Offers these application protocols (RFC 7301), the most wanted one first.
    #[must_use]
    pub fn offering(mut self, protocols: &[&str]) -> Self {
        let mut config = ClientConfig::clone(&self.config);
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        self.config = Arc::new(config);
        self
    }

    /// Hands `stream` over to TLS.
    ///
    /// # Errors
    /// A fault of [`Phase::Tls`]; when the certificate is not trusted its message holds the fingerprint
    /// to pin.
    pub async fn connect(&self, stream: TcpStream, within: Duration) -> Result<Stream, Fault> {
        let connector = TlsConnector::from(Arc::clone(&self.config));
        match tokio::time::timeout(within, connector.connect(self.name.clone(), stream)).await {
            Ok(Ok(stream)) => Ok(Stream::tls(stream)),
            Ok(Err(error)) => Err(self.fault(&error)),
            Err(_) => Err(Fault::new(
                Phase::Tls,
                FaultKind::Timeout,
                format!("{} does not finish the TLS handshake within {} s", self.host, within.as_secs()),
            )),
        }
    }

    fn fault(&self, error: &std::io::Error) -> Fault {
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
        let Some(inner) = inner else {
            return Fault::io(Phase::Tls, &format!("lost {} in the TLS handshake", self.host), error);
        };
        let message = match (inner, self.verifier.fingerprint()) {
            (rustls::Error::InvalidCertificate(why), Some(print)) => format!(
                "the certificate of {} is not trusted ({}): if it is the right one, pin it with pin = \"{print}\" or give its issuer with ca-file",
                self.host,
                describe(why),
            ),
            _ => format!("TLS with {} failed: {inner}", self.host),
        };
        Fault::new(Phase::Tls, FaultKind::Tls, message)
    }
}

fn describe(why: &rustls::CertificateError) -> String {
    use rustls::CertificateError as E;
    match why {
        E::UnknownIssuer => "its issuer is unknown".into(),
        E::NotValidForName | E::NotValidForNameContext { .. } => "it was issued for another name".into(),
        E::Expired | E::ExpiredContext { .. } => "it has expired".into(),
        E::NotValidYet | E::NotValidYetContext { .. } => "it is not valid yet".into(),
        E::ApplicationVerificationFailure => "it is not the pinned one".into(),
        other => other.to_string(),
    }
}

fn configure(verifier: &Arc<Verifier>) -> Result<Arc<ClientConfig>, Fault> {
    let mut config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|e| Fault::new(Phase::Tls, FaultKind::Tls, format!("no usable TLS version: {e}")))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::clone(verifier) as Arc<dyn ServerCertVerifier>)
        .with_no_client_auth();
    config.resumption = Resumption::in_memory_sessions(4);
    Ok(Arc::new(config))
}

/// How a certificate is judged.
#[derive(Debug, Clone)]
enum How {
    Roots(Arc<WebPkiServerVerifier>),
    Pin([u8; 32]),
    Anything,
}

impl How {
    fn of(trust: &Trust) -> Result<Self, Fault> {
        let wrong = |why: String| Fault::new(Phase::Tls, FaultKind::Tls, why);
        if let Some(pin) = &trust.pin {
            let digits = pin.replace([':', ' '], "");
            let bytes = HEXLOWER_PERMISSIVE.decode(digits.as_bytes()).ok().and_then(|b| b.try_into().ok());
            return bytes
                .map(Self::Pin)
                .ok_or_else(|| wrong("the pin must be the SHA-256 of the certificate: 64 hexadecimal digits".into()));
        }
        if trust.insecure {
            return Ok(Self::Anything);
        }
        let mut roots = RootCertStore::empty();
        let (taken, _) = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        let mut own = 0;
        for certificate in CertificateDer::pem_slice_iter(trust.extra_roots.as_deref().unwrap_or_default()) {
            let certificate = certificate.map_err(|e| wrong(format!("the ca-file is not PEM: {e:?}")))?;
            roots.add(certificate).map_err(|e| wrong(format!("the ca-file holds an unusable certificate: {e}")))?;
            own += 1;
        }
        if trust.extra_roots.is_some() && own == 0 {
            return Err(wrong("the ca-file holds no certificate".into()));
        }
        if taken + own == 0 {
            return Err(wrong(
                "this system has no trusted certificates: install ca-certificates, or set pin or ca-file".into(),
            ));
        }
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::new(default_provider()))
            .build()
            .map(Self::Roots)
            .map_err(|e| wrong(format!("the trusted certificates cannot be used: {e}")))
    }
}

/// Judges the certificate, and remembers which one it saw for the message.
#[derive(Debug)]
struct Verifier {
    how: How,
    seen: Mutex<Option<[u8; 32]>>,
}

impl Verifier {
    fn fingerprint(&self) -> Option<String> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).map(|print| HEXLOWER.encode(&print))
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let mut print = [0; 32];
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, end_entity);
        print.iter_mut().zip(digest.as_ref()).for_each(|(to, from)| *to = *from);
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(print);
        match &self.how {
            How::Roots(roots) => roots.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now),
            How::Pin(pin) if *pin == print => Ok(ServerCertVerified::assertion()),
            How::Pin(_) => Err(rustls::CertificateError::ApplicationVerificationFailure.into()),
            How::Anything => Ok(ServerCertVerified::assertion()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = provider().signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, cert, dss, &known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = provider().signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, dss, &known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider().signature_verification_algorithms.supported_schemes()
    }
}

fn provider() -> CryptoProvider {
    default_provider()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_which_setting_is_wrong() {
        let pin = Trust { pin: Some("12:34".into()), ..Trust::default() };
        assert!(TlsClient::new("h", &pin).unwrap_err().message.contains("64 hexadecimal digits"));
        let file = Trust { extra_roots: Some(b"hello".to_vec()), ..Trust::default() };
        assert!(TlsClient::new("h", &file).unwrap_err().message.contains("holds no certificate"));
        assert!(TlsClient::new("no host", &Trust { insecure: true, ..Trust::default() }).is_err());
    }
}
