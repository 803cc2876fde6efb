//! "Connect this computer": what each system's own client, and each program that people use, must be told to come in,
//! as steps to follow and as files to download. Everything here is a pure function of a [`Place`]; one file a client.

mod curl;
mod davfs2;
mod desktop;
mod guide;
mod macos;
mod phone;
mod rclone;
mod sftp;
mod system;
mod windows;

#[cfg(test)]
mod tests;

use axum::http::uri::Authority;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

pub use guide::Way;
pub use system::System;

use super::state::Reach;

/// Stands in the files where the app password belongs: a secret is in no file that we make.
const APP_PASSWORD: &str = "PUT-THE-APP-PASSWORD-HERE";

/// The certificate to trust, where no authority vouches for ours.
const CERTIFICATE: &str = "causeway.crt";

/// What an account's name may have as it is in a URL (RFC 3986, 2.3).
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Where a client finds the service, and who it is there.
#[derive(Debug, Clone)]
pub struct Place {
    /// A name or an address; of IPv6 with its brackets.
    host: String,
    /// Of HTTPS; none is 443.
    port: Option<u16>,
    account: String,
    reach: Reach,
}

impl Place {
    /// The service as it was reached under `authority` by `account`. None where the name is none that could stand in
    /// somebody's scripts and settings as it is.
    #[must_use]
    pub fn new(authority: &Authority, account: &str, reach: Reach) -> Option<Self> {
        let host = authority.host();
        let six = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let good = match six {
            Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
            None => {
                let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
                !host.is_empty() && !host.starts_with('-') && host.chars().all(plain)
            }
        };
        let port = authority.port_u16().filter(|port| *port != 443);
        good.then(|| Self { host: host.to_owned(), port, account: account.to_owned(), reach })
    }

    /// The account's name.
    #[must_use]
    pub fn account(&self) -> &str {
        &self.account
    }

    /// The certificate in PEM, where no authority vouches for it.
    #[must_use]
    pub fn own_certificate(&self) -> Option<&str> {
        self.reach.own_certificate.as_deref()
    }

    /// The same as a file, for the ways that need it.
    fn certificate_file(&self) -> Option<File> {
        self.own_certificate().map(|_| TRUST)
    }

    /// SHA-256 of the certificate.
    #[must_use]
    pub fn fingerprint(&self) -> &str {
        &self.reach.fingerprint
    }

    /// `https://host:port/dav/`.
    #[must_use]
    pub fn dav(&self) -> String {
        format!("https://{}/dav/", self.authority())
    }

    fn files(&self) -> String {
        format!("https://{}/files/", self.authority())
    }

    /// The WebDAV folder by another scheme, with the account's name.
    fn dav_as(&self, scheme: &str) -> String {
        let account = utf8_percent_encode(&self.account, UNRESERVED);
        format!("{scheme}://{account}@{}/dav/", self.authority())
    }

    fn authority(&self) -> String {
        self.port.map_or_else(|| self.host.clone(), |port| format!("{}:{port}", self.host))
    }

    /// Without the brackets of IPv6.
    fn bare_host(&self) -> &str {
        self.host.trim_start_matches('[').trim_end_matches(']')
    }
}

/// One file to download.
#[derive(Debug, Clone, Copy)]
pub struct File {
    /// Its name, which is also its address below `/connect/`.
    pub name: &'static str,
    /// For whom it is, in a few words.
    pub about: &'static str,
    /// None where this place has no use for it.
    make: fn(&Place) -> Option<String>,
}

const TRUST: File = File {
    name: CERTIFICATE,
    about: "the certificate to trust",
    make: |place| place.own_certificate().map(str::to_owned),
};

/// Every file.
const FILES: &[File] = &[
    TRUST,
    windows::REGISTRY,
    windows::DRIVE,
    macos::AGENT,
    davfs2::SETTINGS,
    davfs2::SECRETS,
    davfs2::FSTAB,
    desktop::BOOKMARKS,
    desktop::LINK,
    rclone::REMOTE,
    sftp::CONFIG,
    sftp::KNOWN_HOSTS,
];

/// The content of the file of that name, made for this place.
#[must_use]
pub fn file(name: &str, place: &Place) -> Option<String> {
    FILES.iter().find(|file| file.name == name).and_then(|file| (file.make)(place))
}

/// The ways in from that system, the easiest first.
#[must_use]
pub fn ways(system: System, place: &Place) -> Vec<Way> {
    let programs = [Some(rclone::way(place)), sftp::with_windows(place), sftp::by_openssh(place)];
    let mut ways = match system {
        System::Windows => vec![windows::way(place)],
        System::Mac => vec![macos::way(place)],
        System::Linux => vec![desktop::gnome(place), desktop::kde(place), davfs2::way(place)],
        System::Iphone => return vec![phone::iphone(place)],
        System::Android => return vec![phone::android(place)],
        System::Other => vec![curl::way(place)],
    };
    ways.extend(programs.into_iter().flatten());
    ways
}
