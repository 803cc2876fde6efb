//! How reliable everything is, and what the figures rest on.

use super::*;
use crate::reliability::estimate::Step;
use crate::web::chart::{Axis, Bar as WaterfallBar, Curve, Hour, Part, Point, ResetHours, Survival, Trend, Waterfall};
use crate::web::page::definitions::{self, DefinitionsPage};
use crate::web::page::observations::{FigureShown, ObservationRow, ObservationsPage, Question};
use crate::web::page::pairs::{PairRow, PairsPage};
use crate::web::page::reliability::drawn::TrendGroup;
use crate::web::page::reliability::figures::{CellShown, Shown, StatRow};
use crate::web::page::reliability::verdict::{Headline, Rival};
use crate::web::page::reliability::{Family, PairedRow, ReliabilityPage, SourceRow};
use crate::web::page::trends::TrendsPage;
use crate::web::show::figure;

const CLASSES: [&str; 3] = ["ftp", "sftp", "webdav"];

fn row(key: &'static str, name: &'static str, unit: &str, values: [(f64, f64, f64, u32); 3], top: f64) -> StatRow {
    let cell = |((value, low, high, n), class): (&(f64, f64, f64, u32), &'static str)| CellShown {
        name: class.to_uppercase(),
        class,
        shown: (*n > 30).then(|| Shown {
            value: figure(*value),
            range: format!("{} to {}", figure(*low), figure(*high)),
            bar: IntervalBar::new(*value, (*low, *high), (0.0, top), "x"),
            ends: ("0".into(), figure(top)),
        }),
        lack: "not enough data yet",
        n: format!("n = {n}"),
        href: "/observations?statistic=resets".into(),
    };
    StatRow {
        key,
        name,
        unit: unit.into(),
        cells: values.iter().zip(CLASSES).map(cell).collect(),
        group: (key == "connection-success").then_some("Connections"),
    }
}

fn rows() -> Vec<StatRow> {
    vec![
        row(
            "connection-success",
            "Connection success",
            "per cent, higher is better",
            [(98.1, 97.0, 98.8, 1204), (99.9, 99.4, 100.0, 610), (100.0, 98.8, 100.0, 326)],
            100.0,
        ),
        row(
            "setup-median",
            "Set-up time, median",
            "milliseconds, lower is better",
            [(48.2, 44.1, 52.0, 1204), (112.0, 108.0, 121.0, 610), (22.0, 20.0, 26.1, 326)],
            130.0,
        ),
        row(
            "resets",
            "Resets per 1,000 connections",
            "lower is better",
            [(12.4, 7.1, 20.1, 1204), (0.0, 0.0, 6.0, 610), (0.0, 0.0, 0.0, 12)],
            21.0,
        ),
        row(
            "transfer-errors",
            "Transfer error rate",
            "per cent, lower is better",
            [(0.17, 0.12, 0.24, 41204), (0.01, 0.0, 0.06, 9_120), (0.0, 0.0, 0.0, 9)],
            0.25,
        ),
    ]
}

fn headline() -> Headline {
    let rival = |name: &str, class, chip, better: &[&str], worse: &[&str], open: &str| Rival {
        name: name.into(),
        class,
        chip,
        word: "better",
        better: better.iter().map(|gist| (*gist).to_owned()).collect(),
        worse: worse.iter().map(|gist| (*gist).to_owned()).collect(),
        open: open.into(),
    };
    Headline {
        set: "Plant: old server and new doors".into(),
        tone: Tone::Ok,
        sentence: "WebDAV is better than FTP here: set-up 0.38 s faster [0.35, 0.41]; nothing is shown to be worse."
            .into(),
        sure:
            "From 1,200 rounds in which each was visited within the same minute, with the same files, in random order. \
               Every difference is shown with its 95 % interval; what is not shown is not claimed."
                .into(),
        rivals: vec![
            rival(
                "WebDAV",
                "webdav",
                Chip::new(Tone::Ok, "better"),
                &["set-up 0.38 s faster [0.35, 0.41]", "download of 325 KiB 41.0 ms faster [38.2, 43.9]"],
                &[],
                "No difference shown in 3 other things.",
            ),
            rival(
                "SFTP",
                "sftp",
                Chip::new(Tone::Idle, "better and worse"),
                &["transfer success 2.10 percentage points higher [0.90, 3.40]"],
                &["set-up 0.41 s slower [0.38, 0.44]"],
                "No difference shown in 2 other things.",
            ),
        ],
    }
}

pub(super) fn page() -> ReliabilityPage {
    let tab = |label: &str, current| Tab { href: "?".into(), label: label.into(), current };
    let paired = |shown, sentence: &str, n: &str| PairedRow {
        shown,
        sentence: sentence.into(),
        href: "/comparisons/1/pairs?question=login&other=2".into(),
        n: n.into(),
    };
    ReliabilityPage {
        frame: frame("Reliability", "/reliability"),
        caveat: crate::reliability::CAVEAT,
        remark: Some("This is a demo."),
        headlines: vec![headline()],
        incidents: super::doctor::incident_rows(),
        alarms: super::doctor::alarm_rows(),
        watched: "4 endpoints are watched; of 1 there is not enough data yet to know what is usual of everything."
            .into(),
        about: &crate::reliability::alarm::ABOUT,
        paired: vec![(
            "Plant: old server and new doors".into(),
            vec![
                paired(true, "SFTP set-up is 0.41 s slower here [0.38, 0.44], n = 1,200 pairs.", "1,200 pairs"),
                paired(false, "WebDAV set-up: no difference shown in 300 pairs; 4,900 would be needed.", "300 pairs"),
            ],
        )],
        lead: "Last day: from 2,140 connections that really took place.".into(),
        sources: vec![SourceRow {
            href: "?".into(),
            current: true,
            endpoint: "ftp.plant.example:21".into(),
            family: "FTP".into(),
            side: "our client",
            connections: "1,204".into(),
            transfers: "41,204".into(),
            failed: "96".into(),
        }],
        all: Some("?".into()),
        roles: vec![tab("Both sides", true)],
        windows: vec![tab("Last hour", false), tab("Last day", true), tab("Last 30 days", false)],
        families: ["FTP", "SFTP", "WebDAV"]
            .into_iter()
            .zip(CLASSES)
            .map(|(name, class)| Family { name, class, side: "our door", seen: "1,204 connections".into() })
            .collect(),
        rows: rows(),
        trends: vec![trends()],
        zooms: vec![tab("Earlier", false), tab("Later", false), tab("Nearer", false), tab("Farther", false)],
        query: "?window=day&role=&endpoint=".into(),
        waterfall: Some(waterfall()),
        survival: Some(survival()),
        week: week(),
    }
}

fn trends() -> TrendGroup {
    let trend = |at: usize, name: &str, level: f64| {
        let point = |slice: u32| {
            let wave = f64::from((slice * 37 + u32::try_from(at).unwrap() * 11) % 23) / 23.0;
            let value = level * (0.8 + 0.4 * wave) + if slice > 17 && at == 0 { level * 0.6 } else { 0.0 };
            let enough = !(9..12).contains(&slice) && (at != 2 || slice > 5);
            Point {
                when: format!("11-23 {slice:02}:00"),
                figure: enough.then_some((value, Some(value * 0.9), Some(value * 1.15))),
                said: if enough { format!("{value:.0} ms, n = 51") } else { "not enough data yet, n = 3".into() },
                href: "?from=2026-11-23T10:00:00Z&to=2026-11-23T11:00:00Z".into(),
                alarmed: at == 0 && slice > 18,
            }
        };
        Trend {
            id: format!("setup-median-{at}"),
            class: CLASSES[at],
            name: format!("{name}, our client"),
            whole: format!("{level:.0} ms"),
            points: (0..24).map(point).collect(),
            ends: ("200 ms".into(), "0".into()),
            times: ("11-22 19:00".into(), "11-23 19:00".into()),
            axis: Axis::between(0.0, 200.0, 96.0),
        }
    };
    TrendGroup {
        key: "setup-median",
        title: "Set-up time, median",
        trends: vec![trend(0, "FTP", 80.0), trend(1, "SFTP", 112.0), trend(2, "WebDAV", 22.0)],
    }
}

fn waterfall() -> Waterfall {
    let part = |tone, name, left: u32, width: u32| Part {
        tone,
        name,
        said: format!("{} ms", width / 4),
        left: left.to_string(),
        width: width.to_string(),
    };
    let bar = |name: &str, class, sum: &str, parts| WaterfallBar { name: name.into(), class, sum: sum.into(), parts };
    Waterfall {
        bars: vec![
            bar(
                "FTP, our client",
                "ftp",
                "51 ms",
                vec![part(2, "TCP connect", 0, 40), part(3, "Greeting", 40, 84), part(5, "Login", 124, 80)],
            ),
            bar(
                "SFTP, our client",
                "sftp",
                "112 ms",
                vec![
                    part(2, "TCP connect", 0, 40),
                    part(4, "TLS or key exchange", 40, 190),
                    part(5, "Login", 230, 160),
                    part(6, "First command", 390, 58),
                ],
            ),
        ],
        legend: vec![
            (2, "TCP connect"),
            (3, "Greeting"),
            (4, "TLS or key exchange"),
            (5, "Login"),
            (6, "First command"),
        ],
        top: "120 ms".into(),
    }
}

fn survival() -> Survival {
    let curve = |class, name: &str, falls: &[(f64, f64)]| Curve {
        name: name.into(),
        class,
        steps: falls
            .iter()
            .map(|(time, share)| Step {
                time: *time,
                share: *share,
                low: share * 0.85,
                high: (share * 1.08).min(1.0),
                at_risk: 9,
            })
            .collect(),
        watched: "1,204 connections, 31 lost".into(),
    };
    let curves = vec![
        curve("ftp", "FTP, our client", &[(60.0, 0.9), (350.0, 0.5), (360.0, 0.2), (700.0, 0.15)]),
        curve("sftp", "SFTP, our client", &[(200.0, 0.99), (640.0, 0.97)]),
    ];
    let table = vec![("5 min".into(), vec!["90 % [84, 94]".into(), "99 % [97, 100]".into()])];
    Survival { curves, longest: 770.0, longest_said: "12.8 min".into(), table }
}

fn week() -> ResetHours {
    let mut hours = [[Hour::default(); 24]; 7];
    for (day, row) in hours.iter_mut().enumerate() {
        for (at, hour) in row.iter_mut().enumerate() {
            let busy = (6..20).contains(&at) && day < 5;
            hour.stood = if busy {
                400
            } else if day == 6 {
                0
            } else {
                60
            };
            hour.resets = if busy { ((day * 5 + at * 3) % 7) as u64 } else { 0 };
            hour.runs = u64::from(at % 6 == 2);
            hour.changes = u64::from(day == 2 && at == 14);
        }
    }
    ResetHours { hours }
}

pub(super) fn trends_page() -> TrendsPage {
    TrendsPage {
        frame: frame("Set-up time, median", "/reliability/trends"),
        lead: "Last day, each endpoint by itself.".into(),
        back: "/reliability?window=day".into(),
        statistics: vec![
            ("setup-median", "Set-up time, median", true),
            ("resets", "Resets per 1,000 connections", false),
        ],
        wanted: vec![("window", "day".into())],
        zooms: vec![Tab { href: "?".into(), label: "Earlier".into(), current: false }],
        group: trends(),
    }
}

pub(super) fn definitions() -> DefinitionsPage {
    DefinitionsPage {
        frame: frame("What the figures say", "/reliability/definitions"),
        common: definitions::common(),
        groups: definitions::groups(),
    }
}

pub(super) fn observations() -> ObservationsPage {
    let observation = |id, kind, ended, how: &str, facts: &str, brings: &str| ObservationRow {
        id,
        at: Moment::exact(now()),
        kind,
        endpoint: "ftp.plant.example:21".into(),
        whose: "FTP, our client".into(),
        ended,
        how: how.into(),
        facts: facts.into(),
        brings: brings.into(),
    };
    let question = Question { statistic: "resets".into(), family: "FTP".into(), ..Question::default() };
    ObservationsPage {
        frame: frame("Observations", "/observations"),
        lead: "1,204 observations, from 2026-11-22 19:00 to 2026-11-23 19:00 UTC.".into(),
        figure: Some(FigureShown {
            title: "Resets per 1,000 connections",
            key: "resets",
            whose: "FTP, our client".into(),
            value: Some(("12.4".into(), "7.1 to 20.1".into())),
            n: "1,240".into(),
        }),
        gone: "36 of those that the figure rests on cannot be shown one by one any more.".into(),
        choices: question.choices(),
        question,
        narrowed: true,
        heading: "Reset",
        rows: vec![
            observation(
                88_104,
                "connection",
                Chip::new(Tone::Bad, "reset"),
                "in phase transfer, by the other side, after 350 s of silence, errno 104",
                "ready after 48 ms, held for 12 min 4 s",
                "yes",
            ),
            observation(88_101, "download", Chip::new(Tone::Ok, "Clean"), "", "1.2 MB in 840 ms", "no"),
            observation(
                88_099,
                "connection",
                Chip::new(Tone::Busy, "Open"),
                "",
                "ready after 41 ms, held for 2 h",
                "no",
            ),
        ],
        pager: Pager { older: Some("?before=1".into()), older_label: "Older observations", ..Pager::default() },
    }
}

pub(super) fn pairs() -> PairsPage {
    let pair = |first: &str, other: &str, difference: &str| PairRow {
        at: Moment::exact(now()),
        first: first.into(),
        other: other.into(),
        difference: difference.into(),
        href: "/observations?round=1".into(),
    };
    PairsPage {
        frame: frame("Pairs", "/comparisons"),
        set: "Plant: old server and new doors".into(),
        href: "/comparisons/1".into(),
        sentence: "SFTP set-up is 0.41 s slower here [0.38, 0.44], n = 1,200 pairs.".into(),
        definition: "pairs-time",
        count: "1,200 pairs".into(),
        names: ("FTP".into(), "SFTP".into()),
        rows: vec![pair("48.2 ms", "461 ms", "+413 ms"), pair("51.0 ms", "455 ms", "+404 ms")],
        pager: Pager::default(),
    }
}
