//! rclone, on every system.

use super::guide::{Step, Trial, Way};
use super::{APP_PASSWORD, CERTIFICATE, File, Place};

/// With vendor `owncloud` rclone keeps times and compares by hashes; a token needs no name, and is written as it is.
pub(super) const REMOTE: File = File {
    name: "rclone.conf",
    about: "the remote",
    make: |place| {
        let url = place.dav();
        Some(format!("[causeway]\ntype = webdav\nurl = {url}\nvendor = owncloud\nbearer_token = {APP_PASSWORD}\n"))
    },
};

pub(super) fn way(place: &Place) -> Way {
    let trust = match place.own_certificate() {
        Some(_) => format!(" --ca-cert {CERTIFICATE}"),
        None => String::new(),
    };
    Way {
        id: "rclone",
        title: "rclone",
        about: "Copies, compares and synchronises folders from the command line, on every system.",
        trial: Trial::Tested(
            "The tests of this version copy and compare with this file, by rclone 1.75. The mount follows rclone's words.",
        ),
        steps: vec![
            Step::new(format!(
                "Put the app password into rclone.conf in the place of {APP_PASSWORD}, and keep the file to yourself."
            )),
            Step::with("Copy a folder.", format!("rclone --config rclone.conf{trust} copy ./reports causeway:reports")),
            Step::with(
                "Compare what is there, byte by byte.",
                format!("rclone --config rclone.conf{trust} check --download ./reports causeway:reports"),
            ),
            Step::with(
                "Or mount it, where FUSE is there (on Windows WinFsp, and a letter such as X: for the folder).",
                format!("rclone --config rclone.conf{trust} mount causeway: ./causeway --vfs-cache-mode writes"),
            ),
        ],
        files: [REMOTE].into_iter().chain(place.certificate_file()).collect(),
    }
}
