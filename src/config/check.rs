//! What only the values together show.

use std::net::IpAddr;

use super::problem::Problems;
use super::settings::Origins;
use super::{Config, Https};
use crate::tree::file;

/// Looks at the whole.
pub(super) fn whole(config: &Config, origins: &Origins, problems: &mut Problems) {
    let https = &config.https;
    if https.listen.is_none() && config.sftp.listen.is_none() {
        let then = "give https.listen or sftp.listen an address";
        problems.push(origins.of("https.listen"), "both doors are off: nobody could come in", then);
    }
    if https.listen.is_some() && https.listen == config.sftp.listen && https.listen.is_some_and(|a| a.port() != 0) {
        let then = "give each a port of its own";
        problems.push(origins.of("sftp.listen"), "both doors listen on the same address and port", then);
    }
    match (&https.certificate, &https.key) {
        (Some(_), None) => {
            problems.push(origins.of("https.certificate"), "the certificate has no key", "set https.key as well");
        }
        (None, Some(_)) => {
            problems.push(origins.of("https.key"), "the key has no certificate", "set https.certificate as well");
        }
        _ => {}
    }
    acme(https, origins, problems);
    for (name, path) in
        [("https.certificate", &https.certificate), ("https.key", &https.key), ("https.acme-ca", &https.acme_ca)]
    {
        let Some(path) = path else { continue };
        if let Err(error) = std::fs::metadata(path) {
            let what = format!("{name}: {} cannot be read: {error}", path.display());
            problems.push(origins.of(name), what, "name a PEM file that the service may read");
        }
    }
    for (name, path) in [("data", &config.data), ("tree", &config.tree)] {
        if path.exists() && !path.is_dir() {
            let what = format!("{name}: {} is not a folder", path.display());
            problems.push(origins.of(name), what, "name a folder, or a path where one can be made");
        }
    }
    if file::is_inside(&config.data, &config.tree) {
        let what = "the data folder lies inside the served tree: keys and database would be served";
        problems.push(origins.of("data"), what, "put the tree beside or below the data folder, not above it");
    }
}

/// Looks at what is to be ordered.
fn acme(https: &Https, origins: &Origins, problems: &mut Problems) {
    if https.plain.is_some() && https.plain == https.listen && https.plain.is_some_and(|a| a.port() != 0) {
        let what = "plain HTTP and HTTPS listen on the same address and port";
        problems.push(origins.of("https.plain"), what, "give each a port of its own");
    }
    if https.acme.is_none() {
        return;
    }
    if https.certificate.is_some() {
        let what = "a certificate is there already: none can be ordered as well";
        problems.push(
            origins.of("https.acme"),
            what,
            "take https.certificate and https.key away, or set this to \"off\"",
        );
    }
    if https.acme_names.iter().all(String::is_empty) {
        let then = "set https.acme-names, for example [\"files.example.org\"]";
        problems.push(origins.of("https.acme"), "it is not said what the certificate is for", then);
    }
    let possible = |name: &String| name.contains('.') && !name.contains('*') && name.parse::<IpAddr>().is_err();
    if let Some(name) = https.acme_names.iter().find(|name| !possible(name)) {
        let what = format!("no certificate can be ordered for '{name}'");
        problems.push(
            origins.of("https.acme-names"),
            what,
            "write whole names such as files.example.org, without a star",
        );
    }
}
