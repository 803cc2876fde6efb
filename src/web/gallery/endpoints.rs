//! Endpoint by endpoint: objectives and limits.

use super::*;
use crate::web::page::endpoints::{EndpointRow, EndpointsPage, FigureCell};

pub(super) fn page() -> EndpointsPage {
    let cell = |title, value: Option<&str>, said: &str, n: &str| FigureCell {
        title,
        definition: "/reliability/definitions#objectives".into(),
        value: value.map(str::to_owned),
        said: said.into(),
        n: n.into(),
        href: "/observations?statistic=connection-success".into(),
    };
    let titles = [
        "Availability",
        "Error budget left",
        "Burn rate, 1 hour",
        "Burn rate, 6 hours",
        "Burn rate, 3 days",
        "Highest sustained concurrency",
    ];
    let well = [
        (Some("99.4 %"), "98.9 to 99.7", "n = 2,140"),
        (Some("-480 %"), "", "n = 2,140"),
        (Some("21"), "14.2 to 30.9", "n = 96"),
        (Some("8.1"), "5.2 to 12.4", "n = 580"),
        (Some("5.9"), "4.4 to 7.9", "n = 1,204"),
        (Some("32"), "the server said that these are all that it bears", "n = 412"),
    ];
    let few = well.map(|_| (None, "", "n = 7, shown from 100"));
    let cells = |all: [(Option<&str>, &str, &str); 6]| {
        titles.into_iter().zip(all).map(|(title, (value, said, n))| cell(title, value, said, n)).collect()
    };
    let burning = EndpointRow {
        name: "ftp.plant.example:21".into(),
        class: "ftp",
        side: "FTP, our client".into(),
        objective: "99.9% over 30d".into(),
        chip: Some(Chip::new(Tone::Bad, "burns: look now")),
        cells: cells(well),
        at: Some(Moment::at(now())),
    };
    let new = EndpointRow {
        name: "sftp".into(),
        class: "sftp",
        side: "SFTP, our door".into(),
        chip: None,
        cells: cells(few),
        at: None,
        ..burning.clone()
    };
    EndpointsPage { frame: frame("Objectives and limits", "/reliability"), rows: vec![burning, new] }
}
