//! What the doors are told of the settings, and the ports that they take.

use std::net::SocketAddr;
use std::sync::Arc;

use jiff::Timestamp;

use super::Store;
use crate::config::Config;
use crate::net::AdmissionLimits;
use crate::serve::http::{self, ListenError};
use crate::serve::sftp;

/// Takes the ports of the HTTPS door, where there is one.
///
/// # Errors
/// [`ListenError`], with what to do.
pub(super) async fn https(config: &Config, store: &Store) -> Result<Option<http::Listener>, ListenError> {
    let Some(listen) = config.https.listen else { return Ok(None) };
    let settings = https_settings(config, listen);
    http::bind(&settings, &store.folder, Arc::clone(&store.clock)).await.map(Some)
}

/// Takes the port of the SFTP door, where there is one.
///
/// # Errors
/// [`sftp::ListenError`], with what to do.
pub(super) async fn sftp(config: &Config, store: &Store) -> Result<Option<sftp::Listener>, sftp::ListenError> {
    let Some(listen) = config.sftp.listen else { return Ok(None) };
    sftp::bind(&sftp_settings(config, listen), &store.folder).await.map(Some)
}

/// What will happen with the certificate at `now`, where one is ordered. Blocking.
#[must_use]
pub fn certificate_plan(config: &Config, now: Timestamp) -> Option<String> {
    http::acme_plan(&https_settings(config, config.https.listen?), &config.data, now)
}

fn https_settings(config: &Config, listen: SocketAddr) -> http::Settings {
    http::Settings {
        listen,
        certificate: config.https.certificate.clone(),
        key: config.https.key.clone(),
        names: config.https.names.clone(),
        grace: config.limits.drain,
        acme: config.https.acme.clone().map(|directory| http::AcmeSettings {
            directory,
            names: config.https.acme_names.clone(),
            contact: Some(config.https.acme_contact.clone()).filter(|address| !address.is_empty()),
            ca: config.https.acme_ca.clone(),
        }),
        plain: config.https.plain,
        public_port: config.https.public_port,
        http3: config.https.http3,
        connections: admission(config),
        streams_per_address: config.limits.streams_per_address,
        ..http::Settings::default()
    }
}

fn sftp_settings(config: &Config, listen: SocketAddr) -> sftp::Settings {
    let grace_seconds = config.limits.drain.as_secs();
    sftp::Settings {
        listen,
        connections: admission(config),
        grace_seconds,
        legacy: config.sftp.legacy,
        per_account: config.sftp.connections_per_account,
        ciphers: config.sftp.ciphers,
        proxies: config.sftp.proxies.clone(),
        ..sftp::Settings::default()
    }
}

fn admission(config: &Config) -> AdmissionLimits {
    AdmissionLimits { total: config.limits.connections, per_address: config.limits.connections_per_address }
}
