//! The drive of Windows' own WebDAV client, the service "WebClient".

use super::guide::{Step, Trial, Way};
use super::{CERTIFICATE, File, Place};

/// What the service may, for the whole computer.
pub(super) const REGISTRY: File =
    File { name: "causeway.reg", about: "the registry values", make: |_| Some(registry()) };

/// Makes the drive.
pub(super) const DRIVE: File =
    File { name: "causeway-drive.cmd", about: "makes the drive", make: |place| Some(drive(place)) };

/// Files up to 4 GiB - 1 (Windows comes with 50,000,000 bytes), listings up to 100 MB (1 MB), names and passwords inside
/// TLS, and the service at every start, so that a drive comes back.
/// <https://learn.microsoft.com/en-us/iis/publish/using-webdav/using-the-webdav-redirector>
fn registry() -> String {
    const SERVICE: &str = r"HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Services\WebClient";
    [
        "Windows Registry Editor Version 5.00",
        "",
        &format!("[{SERVICE}]"),
        "\"Start\"=dword:00000002",
        "",
        &format!(r"[{SERVICE}\Parameters]"),
        "\"BasicAuthLevel\"=dword:00000001",
        "\"FileSizeLimitInBytes\"=dword:ffffffff",
        "\"FileAttributesLimitInBytes\"=dword:05f5e100",
        "",
    ]
    .join("\r\n")
}

fn drive(place: &Place) -> String {
    [
        "@echo off",
        "rem Makes a drive of the WebDAV folder. Windows asks for name and password, and keeps them.",
        "sc query WebClient | find \"RUNNING\" >nul || net start WebClient",
        &format!("net use * \"{}\" /savecred /persistent:yes", place.dav()),
        "pause",
        "",
    ]
    .join("\r\n")
}

/// As the Explorer names the folder.
fn unc(place: &Place) -> String {
    let port = place.port.map_or_else(String::new, |port| format!("@{port}"));
    format!(r"\\{}@SSL{port}\dav", place.bare_host())
}

pub(super) fn way(place: &Place) -> Way {
    let mut steps = vec![
        Step::new(
            "Once for this computer, with an administrator's rights: open causeway.reg and agree. Without \
             it Windows refuses files above 50 MB and large folders.",
        ),
        Step::with(
            "Restart the service, in a command prompt that was opened as administrator.",
            "net stop WebClient & net start WebClient",
        ),
    ];
    if place.own_certificate().is_some() {
        steps.push(Step::with(
            "Trust the certificate, in the same command prompt. Windows opens no drive on a server that it does \
             not trust, and does not say why.",
            format!("certutil -addstore Root {CERTIFICATE}"),
        ));
    }
    steps.extend([
        Step::new(format!(
            "Open causeway-drive.cmd, without an administrator's rights. It asks for the name ({}) \
             and the password (the app password), and the drive comes back after every start.",
            place.account()
        )),
        Step::with("Or by hand: in the Explorer choose Map network drive and give this folder.", unc(place)),
        Step::new(
            "If every click takes seconds, switch off Automatically detect settings under Internet Options, \
             Connections, LAN settings: Windows looks for a proxy each time.",
        ),
    ]);
    Way {
        id: "drive",
        title: "A drive in the Explorer",
        about: "The Explorer and every program see the files under a letter. Files may have up to 4 GB.",
        trial: Trial::Words(
            "Windows does not run where Causeway is tested. The steps and values follow \
             Microsoft's descriptions of WebClient and net use.",
        ),
        steps,
        files: [REGISTRY, DRIVE].into_iter().chain(place.certificate_file()).collect(),
    }
}
