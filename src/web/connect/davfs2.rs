//! davfs2: a mount that the system makes, for all programs and all accounts of a machine.

use super::guide::{Step, Trial, Way};
use super::{APP_PASSWORD, CERTIFICATE, File, Place};

pub(super) const SETTINGS: File =
    File { name: "causeway.davfs2.conf", about: "the settings", make: |place| Some(settings(place)) };

pub(super) const SECRETS: File =
    File { name: "causeway.davfs2.secrets", about: "name and password", make: |place| Some(secrets(place)) };

pub(super) const FSTAB: File =
    File { name: "causeway.fstab", about: "the line for /etc/fstab", make: |place| Some(fstab(place)) };

/// Where they belong.
const FOLDER: &str = "/etc/davfs2";
/// Where the files are seen.
const MOUNT: &str = "/mnt/causeway";

/// `davfs2.conf(5)`: what was written is sent at once, and nobody is asked anything at a start.
fn settings(place: &Place) -> String {
    let trust = match place.own_certificate() {
        Some(_) => format!("trust_ca_cert {FOLDER}/{CERTIFICATE}\n"),
        None => String::new(),
    };
    format!("secrets {FOLDER}/{}\n{trust}delay_upload 0\nask_auth 0\n", SECRETS.name)
}

fn secrets(place: &Place) -> String {
    format!("{} \"{}\" \"{APP_PASSWORD}\"\n", place.dav(), place.account())
}

/// `nofail`: a machine starts without the drive, too.
fn fstab(place: &Place) -> String {
    format!("{} {MOUNT} davfs conf={FOLDER}/{},uid=1000,gid=1000,_netdev,nofail 0 0\n", place.dav(), SETTINGS.name)
}

pub(super) fn way(place: &Place) -> Way {
    // davfs2 reads the certificate when it is root no more.
    let trust = match place.own_certificate() {
        Some(_) => format!(" && sudo install -m 644 {CERTIFICATE} {FOLDER}/"),
        None => String::new(),
    };
    let install = format!("sudo install -m 600 {} {} {FOLDER}/{trust}", SETTINGS.name, SECRETS.name);
    Way {
        id: "davfs2",
        title: "davfs2",
        about: "A mount for every program, which is there again after a start. For administrators of the machine.",
        trial: Trial::Tested(
            "The tests of this version mount with these files, by davfs2 1.6.1 of Debian 12, and \
             write through the mount.",
        ),
        steps: vec![
            Step::with("Install davfs2 with the system's own tool.", "sudo apt install davfs2"),
            Step::new(format!("Put the app password into {} in the place of {APP_PASSWORD}.", SECRETS.name)),
            Step::with("Put the files where they belong; the password is for root only.", install),
            Step::with(
                "Add the line to /etc/fstab; 1000 is the number of the person whose files they become (id -u).",
                format!("sudo mkdir -p {MOUNT} && sudo tee -a /etc/fstab < {}", FSTAB.name),
            ),
            Step::with("Mount it.", format!("sudo mount {MOUNT}")),
        ],
        files: [SETTINGS, SECRETS, FSTAB].into_iter().chain(place.certificate_file()).collect(),
    }
}
