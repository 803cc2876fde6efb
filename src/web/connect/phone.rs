//! Apps for telephones and tablets, by name: their own file managers do not speak WebDAV.

use super::Place;
use super::guide::{Step, Trial, Way};

const WORDS: Trial =
    Trial::Words("No telephone runs where Causeway is tested. That the apps speak WebDAV is what their makers say.");

fn way(title: &'static str, apps: &str, place: &Place) -> Way {
    let trust = match place.own_certificate() {
        Some(_) => {
            "The app asks about the certificate, or refuses it: compare the fingerprint with the one \
             above. Apps that do not ask need a server whose certificate an authority vouches for."
        }
        None => "The server's certificate is one that the system can check by itself.",
    };
    Way {
        id: "apps",
        title,
        about: "Telephones open WebDAV by an app.",
        trial: WORDS,
        steps: vec![
            Step::new(apps),
            Step::with("Add a WebDAV server in it and give this address.", place.dav()),
            Step::new(format!(
                "The name is {}, the password an app password of its own, so that a lost telephone \
                 is shut out alone.",
                place.account()
            )),
            Step::new(trust),
        ],
        files: vec![],
    }
}

pub(super) fn iphone(place: &Place) -> Way {
    way(
        "Apps for iPhone and iPad",
        "Install an app that speaks WebDAV: Documents by Readdle, Owlfiles or WebDAV \
         Nav+.",
        place,
    )
}

pub(super) fn android(place: &Place) -> Way {
    way(
        "Apps for Android",
        "Install an app that speaks WebDAV: DAVx⁵ (WebDAV mounts, seen by other apps), Solid \
         Explorer or FolderSync.",
        place,
    )
}
