//! curl, and with it whatever speaks HTTP.

use super::guide::{Step, Trial, Way};
use super::{CERTIFICATE, Place};

pub(super) fn way(place: &Place) -> Way {
    let trust = match place.own_certificate() {
        Some(_) => format!("--cacert {CERTIFICATE} "),
        None => String::new(),
    };
    let (user, files) = (place.account(), place.files());
    Way {
        id: "curl",
        title: "curl and scripts",
        about: "Everything that speaks HTTPS can read and write files by their addresses.",
        trial: Trial::Tested("The tests of this version run these commands, by curl 7.88 of Debian 12."),
        steps: vec![
            Step::with(
                "List a folder; curl asks for the password, which is the app password.",
                format!("curl {trust}-u {user} {files}"),
            ),
            Step::with("Send a file.", format!("curl {trust}-u {user} -T report.pdf {files}")),
            Step::with("Fetch it.", format!("curl {trust}-u {user} -O {files}report.pdf")),
        ],
        files: place.certificate_file().into_iter().collect(),
    }
}
