//! The Finder of macOS.

use super::guide::{Step, Trial, Way};
use super::{CERTIFICATE, File, Place};

/// Mounts the folder at every login.
pub(super) const AGENT: File =
    File { name: "causeway.drive.plist", about: "mounts it at every login", make: |place| Some(agent(place)) };

/// An agent of launchd (`launchd.plist(5)`) that mounts as the Finder does, by the name and password in the keychain.
fn agent(place: &Place) -> String {
    format!(
        r#"<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
	<key>Label</key>
	<string>causeway.drive</string>
	<key>ProgramArguments</key>
	<array>
		<string>/usr/bin/osascript</string>
		<string>-e</string>
		<string>mount volume "{}"</string>
	</array>
	<key>RunAtLoad</key>
	<true/>
</dict>
</plist>
"#,
        place.dav()
    )
}

pub(super) fn way(place: &Place) -> Way {
    let mut steps = Vec::new();
    if place.own_certificate().is_some() {
        steps.push(Step::new(format!(
            "Open {CERTIFICATE} with Keychain Access, open the certificate there, and \
             choose Always Trust under Trust."
        )));
    }
    steps.extend([
        Step::with("In the Finder choose Go, Connect to Server (⌘K), and give this address.", place.dav()),
        Step::new(format!(
            "Connect as a registered user: the name is {}, the password the app password. Let macOS \
             keep it in the keychain.",
            place.account()
        )),
        Step::with(
            "To have the drive after every login, put causeway.drive.plist into this folder.",
            "~/Library/LaunchAgents/",
        ),
    ]);
    Way {
        id: "finder",
        title: "A drive in the Finder",
        about: "The Finder and every program see the files as a volume.",
        trial: Trial::Words(
            "macOS does not run where Causeway is tested. The steps follow Apple's descriptions \
             of the Finder and of launchd.",
        ),
        steps,
        files: [AGENT].into_iter().chain(place.certificate_file()).collect(),
    }
}
