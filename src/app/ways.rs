//! The ways in, as the dashboard tells them to people and makes them into files for their programs.

use std::sync::Arc;

use crate::serve::{http, sftp};
use crate::web::{DoorShown, DoorsAt, Reach, ReachNow, SftpReach};

/// What programs must know to come in, by the certificate that is served at that moment.
pub(super) fn reach(https: &http::Listener, sftp: Option<&sftp::Listener>) -> ReachNow {
    let served = https.certificate().clone();
    let sftp = sftp.and_then(|sftp| {
        let keys = sftp.host_keys();
        Some(SftpReach {
            port: sftp.address().port(),
            fingerprint: keys.first()?.fingerprint.clone(),
            host_keys: keys.iter().map(|key| key.public.clone()).collect(),
        })
    });
    Arc::new(move || {
        let identity = served.borrow();
        Reach {
            own_certificate: identity.self_signed.then(|| identity.pem()),
            fingerprint: identity.fingerprint.clone(),
            sftp: sftp.clone(),
        }
    })
}

/// The ways in, as the dashboard's first page shows them: under the name by which the page itself was reached.
pub(super) fn doors_at(https: &http::Listener, sftp: Option<&sftp::Listener>) -> DoorsAt {
    let served = https.certificate().clone();
    let sftp = sftp.map(|sftp| (sftp.address().port(), sftp.host_keys().first().map(|key| key.fingerprint.clone())));
    let shown =
        |icon, name: &str, address, fingerprint| DoorShown { icon, name: name.to_owned(), address, fingerprint };
    Arc::new(move |authority| {
        let certificate = Some(format!("SHA256 {}", served.borrow().fingerprint));
        let mut doors = Vec::new();
        if let Some((port, fingerprint)) = &sftp {
            let host = authority.host().trim_start_matches('[').trim_end_matches(']');
            doors.push(shown("sftp", "SFTP", format!("sftp -P {port} {host}"), fingerprint.clone()));
        }
        doors.push(shown("dav", "WebDAV", format!("https://{authority}/dav/"), certificate.clone()));
        doors.push(shown("web", "Downloads", format!("https://{authority}/files/"), certificate));
        doors
    })
}
