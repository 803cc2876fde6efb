//! The file managers of GNOME (gvfs) and KDE (kio).

use super::guide::{Step, Trial, Way};
use super::{File, Place};

/// For the side bar of GNOME's Files and of its kin.
pub(super) const BOOKMARKS: File = File {
    name: "causeway.bookmarks",
    about: "the line for the side bar",
    make: |place| Some(format!("{} Causeway\n", place.dav_as(DAVS))),
};

/// Opens the folder in KDE's Dolphin.
pub(super) const LINK: File = File { name: "causeway.desktop", about: "a link", make: |place| Some(link(place)) };

/// WebDAV inside TLS, as gvfs calls it.
const DAVS: &str = "davs";
/// As kio calls it.
const WEBDAVS: &str = "webdavs";

/// Desktop Entry Specification 1.5, `Type=Link`.
fn link(place: &Place) -> String {
    let url = place.dav_as(WEBDAVS);
    // Percent signs are field codes in Exec only.
    format!("[Desktop Entry]\nType=Link\nName=Causeway\nIcon=folder-remote\nURL={url}\n")
}

fn asked(place: &Place, program: &str) -> Step {
    let trust = match place.own_certificate() {
        Some(_) => " Where it asks about the certificate, compare the fingerprint with the one above.",
        None => "",
    };
    Step::new(format!("{program} asks for the password: give the app password, and let it be kept.{trust}"))
}

pub(super) fn gnome(place: &Place) -> Way {
    let address = place.dav_as(DAVS);
    Way {
        id: "gnome",
        title: "GNOME Files",
        about: "Also Nemo, Caja and Thunar: every file manager that uses gvfs.",
        trial: Trial::Words(
            "gvfs is not among the programs that Causeway is tested with. The steps follow \
             GNOME's help.",
        ),
        steps: vec![
            Step::with(
                "Open Other Locations (newer: Network) and give this address under Connect to Server.",
                address.clone(),
            ),
            asked(place, "Files"),
            Step::with("Or in a terminal.", format!("gio mount {address}")),
            Step::with(
                "To have it in the side bar, add the line to the bookmarks.",
                format!("cat {} >> ~/.config/gtk-3.0/bookmarks", BOOKMARKS.name),
            ),
        ],
        files: vec![BOOKMARKS],
    }
}

pub(super) fn kde(place: &Place) -> Way {
    Way {
        id: "kde",
        title: "KDE Dolphin",
        about: "Also the dialogs of KDE's programs.",
        trial: Trial::Words(
            "kio is not among the programs that Causeway is tested with. The steps follow KDE's \
             handbook of kio.",
        ),
        steps: vec![
            Step::with(
                "Click behind the path in Dolphin, or press Ctrl+L, and give this address.",
                place.dav_as(WEBDAVS),
            ),
            asked(place, "Dolphin"),
            Step::new("Put causeway.desktop on the desktop or into any folder to have a link to it."),
        ],
        files: vec![LINK],
    }
}
