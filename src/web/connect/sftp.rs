//! SFTP: OpenSSH's own client, and programs with windows.

use super::guide::{Step, Trial, Way};
use super::{File, Place};

pub(super) const CONFIG: File = File { name: "causeway.ssh_config", about: "the settings of ssh", make: config };

pub(super) const KNOWN_HOSTS: File =
    File { name: "causeway.known_hosts", about: "the server's host keys", make: known_hosts };

const NOT_APPS: &str = "SFTP takes the account's own password or an SSH key, which you add under Your account; \
                        app passwords do not open it.";

/// `ssh_config(5)`.
fn config(place: &Place) -> Option<String> {
    let port = place.reach.sftp.as_ref()?.port;
    let (host, user) = (place.bare_host(), place.account());
    Some(format!("Host causeway\n    HostName {host}\n    Port {port}\n    User {user}\n"))
}

/// `sshd(8)`, SSH_KNOWN_HOSTS FILE FORMAT.
fn known_hosts(place: &Place) -> Option<String> {
    let sftp = place.reach.sftp.as_ref()?;
    let host = match sftp.port {
        22 => place.bare_host().to_owned(),
        port => format!("[{}]:{port}", place.bare_host()),
    };
    Some(sftp.host_keys.iter().map(|key| format!("{host} {key}\n")).collect())
}

pub(super) fn by_openssh(place: &Place) -> Option<Way> {
    place.reach.sftp.as_ref()?;
    Some(Way {
        id: "sftp",
        title: "sftp of OpenSSH",
        about: "Part of Linux, macOS and Windows 10 and later.",
        trial: Trial::Tested("The tests of this version come in with these files, by OpenSSH 9.2 of Debian 12."),
        steps: vec![
            Step::new(NOT_APPS),
            Step::with(
                "In the folder of the two files; no question about the host key is asked, since it is known.",
                format!("sftp -F {} -o UserKnownHostsFile={} causeway", CONFIG.name, KNOWN_HOSTS.name),
            ),
        ],
        files: vec![CONFIG, KNOWN_HOSTS],
    })
}

pub(super) fn with_windows(place: &Place) -> Option<Way> {
    let sftp = place.reach.sftp.as_ref()?;
    let (host, port, user) = (place.bare_host(), sftp.port, place.account());
    Some(Way {
        id: "sftp-programs",
        title: "WinSCP, FileZilla, Cyberduck",
        about: "Two panes, drag and drop, and uploads that go on after a cut.",
        trial: Trial::Words(
            "They do not run where Causeway is tested. The fields are those that their makers \
             describe.",
        ),
        steps: vec![
            Step::new(format!(
                "Add a site with the protocol SFTP, the host {host}, the port {port} and the user \
                 {user}."
            )),
            Step::new(NOT_APPS),
            Step::with(
                "At the first meeting the program shows a host key; it has to be this one.",
                sftp.fingerprint.clone(),
            ),
        ],
        files: vec![],
    })
}
