//! What only the values together show.

use super::Config;
use super::problem::Problems;
use super::settings::Origins;
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
    for (name, path) in [("https.certificate", &https.certificate), ("https.key", &https.key)] {
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
