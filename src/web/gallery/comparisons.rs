//! Comparison sets.

use super::*;
use crate::web::page::comparison::{ComparisonPage, RoundRow, StepCell, VisitRow};
use crate::web::page::comparisons::{ComparisonRow, ComparisonsPage, EndpointChoice, SetForm};

fn form(action: &str, name: &str) -> SetForm {
    let choice = |id, name: &str, chosen| EndpointChoice { id, name: name.into(), chosen };
    let places = (1..=4).map(|place| {
        let all = [(1, "Old FTP server"), (2, "SFTP door"), (3, "WebDAV door <new>")];
        all.into_iter().map(|(id, name)| choice(id, name, id == place)).collect()
    });
    SetForm {
        action: action.into(),
        button: "Save",
        name: name.into(),
        places: places.collect(),
        small: "outbound/readme.txt".into(),
        medium: "outbound/0009 scan.tif".into(),
        folder: "outbound".into(),
        upload: String::new(),
        minutes: "5".into(),
        logins: "60".into(),
        mebibytes: "256".into(),
    }
}

pub(super) fn list() -> ComparisonsPage {
    let row = |id: i64, name: &str, chip| ComparisonRow {
        href: format!("/comparisons/{id}"),
        name: name.into(),
        members: "FTP, SFTP, WebDAV".into(),
        every: "5 min".into(),
        last: Some(ago(2)),
        chip,
    };
    ComparisonsPage {
        frame: frame("Comparisons", "/reliability"),
        rows: vec![
            row(1, "Plant: old server and new doors", Chip::new(Tone::Ok, "On")),
            row(2, "Partner <Lyon>", Chip::new(Tone::Warn, "Put off")),
        ],
        form: Some(form("/comparisons", "")),
    }
}

pub(super) fn one() -> ComparisonPage {
    let cell = |label, text: &str, why: &str| StepCell {
        label,
        text: text.into(),
        class: if why.is_empty() { "" } else { "bad" },
        why: why.into(),
    };
    let visit = |name: &str, setup: &str, why: &str| VisitRow {
        name: name.into(),
        steps: vec![
            cell("Set-up", setup, ""),
            cell("Small file", "4.2 ms", ""),
            cell("Medium file", if why.is_empty() { "38 ms" } else { "reset" }, why),
            cell("Listing", "2.1 ms", ""),
            cell("Upload", "–", ""),
        ],
    };
    let round = |minutes, why: &str| RoundRow {
        at: ago(minutes),
        visits: vec![
            visit("SFTP door", "11 ms", ""),
            visit("Old FTP server", "412 ms", why),
            visit("WebDAV door <new>", "3.0 ms", ""),
        ],
    };
    ComparisonPage {
        frame: frame("Plant: old server and new doors", "/reliability"),
        href: "/comparisons/1".into(),
        alarms: super::doctor::alarm_rows(),
        name: "Plant: old server and new doors".into(),
        on: true,
        chip: Chip::new(Tone::Warn, "Put off"),
        put_off: Some(Note {
            tone: Tone::Warn,
            text: "The budget of the hour is used up: 60 logins and 12 MiB.".into(),
        }),
        facts: vec![
            ("FTP".into(), "ftp://plant@old.example/".into()),
            ("SFTP".into(), "sftp://visitor@files.example/".into()),
            ("A round".into(), "about every 5 min, in an order that chance decides".into()),
        ],
        head: vec!["Set-up", "Small file", "Medium file", "Listing", "Upload"],
        rounds: vec![round(2, "the server closed the connection in the middle"), round(7, "")],
        form: Some(form("/comparisons/1", "Plant: old server and new doors")),
    }
}
