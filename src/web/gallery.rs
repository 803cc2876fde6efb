//! Renders every page from invented data: the templates hold for all their branches, and a person can
//! look at them (`CAUSEWAY_GALLERY=folder cargo test --lib web::gallery`).

mod comparisons;
mod doctor;
mod endpoints;
mod reliability;
mod shares;

use askama::Template;
use jiff::Timestamp;

use super::connect::{Place, System};
use super::frame::{Frame, Note, Theme};
use super::live::LiveRun;
use super::page::Pager;
use super::page::account::{AccountPage, KeyRow, RequireRow};
use super::page::accounts::{AccountForm, AccountRow, AccountsPage};
use super::page::app_password::{AppPasswordPage, AppRow};
use super::page::audit::{AuditPage, AuditRow, Filter};
use super::page::browse::{BrowsePage, Crumb, EntryRow};
use super::page::connect::ConnectPage;
use super::page::connections::{ConnectionRow, ConnectionsPage, ConnectionsPart, MovingRow};
use super::page::job::JobPage;
use super::page::job_form::{DIGESTS, JobForm, JobFormPage, LINKS, NAMES, PROOFS, SCHEDULES};
use super::page::jobs::{JobRow, JobsPage};
use super::page::manifest::{ManifestShown, ProofShown};
use super::page::overview::{MissingRow, OverviewPage, RunRow, Storage, Verdict};
use super::page::own::OwnPage;
use super::page::refused::{CountersShown, RefusedRow, SqueezedRow};
use super::page::run::{Began, Count, FaultShown, ItemRow, RunPage, Tab, Try};
use super::page::sign_in::SignInPage;
use super::page::survey::{Bar, Chart, FindingShown, ForecastShown, ProgressPart, ReportShown, SurveyPage, Table};
use super::page::surveys::{Choice, SurveyRow, SurveysPage};
use super::page::trash::{TrashPage, TrashRow};
use super::page::usage::Usage;
use super::problem::ProblemPage;
use super::state::{DoorShown, Reach, SftpReach};
use super::visitor::{Visitor, Who};
use super::widget::{Chip, Gauge, IntervalBar, Moment, Problems, Tone};
use crate::model::{Quota, Used};

fn frame(title: &str, path: &str) -> Frame {
    let who = (path != "/sign-in").then(|| Who { name: "admin".into(), admin: true });
    let peer = ([127, 0, 0, 1], 1).into();
    let visitor = Visitor {
        who,
        session: None,
        token: None,
        theme: Theme::Auto,
        path: path.into(),
        here: path.into(),
        authority: axum::http::uri::Authority::from_static("files.example.org:8443"),
        csrf: "c".into(),
        note: None,
        peer,
        json: false,
    };
    Frame::new(&visitor, title)
}

fn now() -> Timestamp {
    "2026-11-23T19:00:00Z".parse().unwrap()
}

fn ago(minutes: i64) -> Moment {
    let at = now().checked_sub(jiff::SignedDuration::from_mins(minutes)).unwrap();
    Moment::around(at, now())
}

fn live(percent: Option<u64>) -> LiveRun {
    LiveRun {
        href: "/runs/42".into(),
        job: "Partner drop box".into(),
        chip: Chip::new(Tone::Busy, "Copying"),
        waits: false,
        percent,
        files: "312 of 480 files".into(),
        bytes: "1.2 of 3.4 GB".into(),
        rate: Some("24 MB/s".into()),
        left: Some("about 2 min left".into()),
        failed: Some("3 failed".into()),
        pace: Some("16: 8 were faster than half as many".into()),
        trouble: None,
        now: vec![
            "incoming/2026/11/invoices <final> & signed.pdf".into(),
            "incoming/2026/11/Messdaten Köln.csv".into(),
        ],
    }
}

fn runs() -> Vec<RunRow> {
    let row = |id, job: &str, minutes, took: &str, copied: &str, missing: &str, chip| RunRow {
        href: format!("/runs/{id}"),
        id,
        job: job.into(),
        started: ago(minutes),
        took: took.into(),
        copied: copied.into(),
        missing: missing.into(),
        chip,
    };
    vec![
        row(41, "Partner drop box", 16, "12 s", "4", "0", Chip::new(Tone::Ok, "Complete")),
        row(40, "Plant archive", 47, "3 min 20 s", "1,204", "3", Chip::new(Tone::Warn, "Incomplete")),
        row(39, "Scanner inbox", 80, "2.1 s", "0", "0", Chip::new(Tone::Ok, "Complete")),
        row(38, "Scanner inbox", 140, "840 ms", "0", "all", Chip::new(Tone::Bad, "Failed")),
        row(37, "Scanner inbox", 200, "–", "0", "0", Chip::new(Tone::Idle, "Skipped")),
    ]
}

fn overview() -> OverviewPage {
    OverviewPage {
        frame: Frame {
            note: Some(Note { tone: Tone::Ok, text: "The job “Plant archive” starts now.".into() }),
            ..frame("Overview", "/")
        },
        verdict: Verdict {
            tone: Tone::Warn,
            headline: "3 files are not here yet".into(),
            detail: "They belong to one job. Everything else of 4 jobs is here and verified: 48,210 files, 212 GB."
                .into(),
        },
        running: vec![
            live(Some(65)),
            LiveRun {
                job: "Plant archive".into(),
                chip: Chip::new(Tone::Busy, "Listing"),
                files: "18,204 entries found".into(),
                bytes: "612 folders".into(),
                rate: None,
                left: None,
                failed: None,
                now: vec![],
                ..live(None)
            },
        ],
        idle: String::new(),
        seen: String::new(),
        missing: vec![MissingRow {
            href: "/runs/40".into(),
            job: "Plant archive".into(),
            chip: Chip::new(Tone::Warn, "3 missing"),
            why: "the server refused to send the file (550 Permission denied)".into(),
        }],
        recent: runs(),
        storage: Some(Storage { percent: 43, used: "400 GB".into(), free: "531 GB".into() }),
        doors: vec![
            DoorShown {
                icon: "sftp",
                name: "SFTP".into(),
                address: "sftp -P 2022 admin@files.example.org".into(),
                fingerprint: Some("SHA256:q0yBvW7cFm1mB3n0vJx7nq7H1b9C3sQ8t1Zz2r9JYpE".into()),
            },
            DoorShown {
                icon: "dav",
                name: "WebDAV".into(),
                address: "davs://files.example.org:8443/dav/".into(),
                fingerprint: None,
            },
            DoorShown {
                icon: "web",
                name: "HTTPS".into(),
                address: "https://files.example.org:8443/files/".into(),
                fingerprint: Some("sha256 5f:2c:90:aa:…".into()),
            },
        ],
    }
}

fn jobs() -> JobsPage {
    let row = |id, name: &str, source: &str, schedule: &str, next, chip| JobRow {
        href: format!("/jobs/{id}"),
        name: name.into(),
        source: source.into(),
        target: "partners/drop".into(),
        schedule: schedule.into(),
        next,
        chip,
        run: Some("/runs/42".into()),
        active: id == 1,
    };
    JobsPage {
        seen: String::new(),
        frame: frame("Jobs", "/jobs"),
        rows: vec![
            row(
                1,
                "Partner drop box",
                "ftp+tls://drop@ftp.partner.example/incoming",
                "every 15 minutes",
                Some(ago(-8)),
                Chip::new(Tone::Busy, "Running"),
            ),
            row(
                2,
                "Plant archive",
                "ftp://archive@10.20.0.7//export/volume1",
                "at 02:30 every day (Europe/Berlin)",
                Some(ago(-430)),
                Chip::new(Tone::Warn, "3 missing"),
            ),
            row(3, "Scanner inbox", "ftps://scan.example:990/", "by hand", None, Chip::new(Tone::Idle, "Paused")),
        ],
    }
}

fn job() -> JobPage {
    JobPage {
        frame: frame("Plant archive", "/jobs/2"),
        href: "/jobs/2".into(),
        name: "Plant archive".into(),
        chip: Chip::new(Tone::Ok, "Complete"),
        source: "ftp://archive@10.20.0.7//export/volume1".into(),
        target: "plant/archive".into(),
        paused: false,
        active: None,
        seen: String::new(),
        facts: vec![
            ("When", "at 02:30 every day (Europe/Berlin)".into()),
            ("Next start", "2026-11-24 01:30 UTC".into()),
            ("Files", "all but *.tmp, /cache/".into()),
            ("Vanished files", "kept here".into()),
            ("Connections", "8".into()),
            ("Bandwidth", "no limit".into()),
        ],
        runs: runs(),
        older: Some("?before=37".into()),
    }
}

fn job_form() -> JobFormPage {
    JobFormPage {
        frame: frame("New job", "/jobs/new"),
        action: "/jobs".into(),
        back: "/jobs".into(),
        editing: false,
        target_hint: "A folder of the served tree, such as partners/drop.".into(),
        heading: "New job",
        problems: Problems::one("cron", "the cron expression has no minute"),
        forgot: true,
        schedules: SCHEDULES,
        links: LINKS,
        names: NAMES,
        proofs: PROOFS,
        digests: DIGESTS,
        form: JobForm {
            schedule: "cron".into(),
            name: "Plant archive".into(),
            source: "ftp://archive@10.20.0.7//export".into(),
            ..JobForm::default()
        },
    }
}

fn run() -> RunPage {
    let item = |path: &str, chip, fault| ItemRow {
        path: path.into(),
        source: None,
        size: "1.2 MB".into(),
        chip,
        fault,
        attempts: vec![],
        attempts_label: String::new(),
        digest: None,
        proof: String::new(),
    };
    let tab = |label: &str, current| Tab { href: "?".into(), label: label.into(), current };
    RunPage {
        proof: Some(ProofShown {
            methods: "308 files by stream-hash".into(),
            manifest: Some(ManifestShown {
                said:
                    "The signed manifest names every file that the target was known to hold after this run, and how each was proven."
                        .into(),
                href: "/runs/42/manifest".into(),
                size: "16 MB".into(),
                key: format!("ed25519:{}", "5f2b".repeat(16)),
            }),
        }),
        no_items: "",
        frame: frame("Run 42", "/runs/42"),
        id: 42,
        href: "/runs/42".into(),
        job: "Plant archive".into(),
        job_href: "/jobs/2".into(),
        chip: Chip::new(Tone::Busy, "Running"),
        began: Began { at: Some(ago(3)), over: false, cause: "by the schedule", took: String::new() },
        live: Some(live(Some(65))),
        said: Some(Note {
            tone: Tone::Warn,
            text: "2 files could not be copied. The next run tries them again.".into(),
        }),
        counts: [
            ("Copied", "308", "1.2 GB", false),
            ("Unchanged", "46,112", "208 GB", false),
            ("Missing", "3", "", true),
            ("Moved to trash", "0", "", false),
            ("Attempts", "319", "", false),
        ]
        .into_iter()
        .map(|(label, value, more, bad)| Count { label, value: value.into(), more: more.into(), bad })
        .collect(),
        doubts: vec![
            "secret/: the server lets us enter the folder but not read it (550). Nothing below it is deleted here."
                .into(),
        ],
        tabs: vec![tab("All 480", true), tab("Missing 3", false), tab("Copied 308", false), tab("Waiting 169", false)],
        items: vec![
            ItemRow {
                attempts: vec![
                    Try { at: ago(3), said: " 840 kB moved, then the connection was reset.".into() },
                    Try { at: ago(3), said: " on from 840 kB 360 kB moved, done.".into() },
                ],
                attempts_label: "2 attempts".into(),
                digest: Some((
                    "SHA-256",
                    "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08".into(),
                )),
                ..item("reports/2026/q3/figures final.xlsx", Chip::new(Tone::Ok, "In place"), None)
            },
            item(
                "secret/plans.dwg",
                Chip::new(Tone::Bad, "Missing"),
                Some(FaultShown {
                    plain:
                        "The server does not allow this account to read it. Ask its administrator for read permission."
                            .into(),
                    evidence: "open · permission · reply 550 Failed to open file.".into(),
                }),
            ),
            item("中文/报告.txt", Chip::new(Tone::Busy, "Copying"), None),
        ],
        pager: Pager { older: Some("?after=3".into()), older_label: "Next 100", ..Pager::default() },
    }
}

fn browse() -> BrowsePage {
    let entry = |icon, class, name: &str, about: &str, size: &str| EntryRow {
        icon,
        class,
        name: name.into(),
        raw: "x".into(),
        href: Some("#".into()),
        download: (icon == "file").then(|| "#".into()),
        share: Some("#".into()),
        about: about.into(),
        size: size.into(),
        new_name: name.into(),
        changed: Moment::at("2026-11-20T08:12:00Z".parse().unwrap()),
    };
    BrowsePage {
        frame: frame("Files", "/browse/partners"),
        here_name: "2026".into(),
        crumbs: vec![
            Crumb { href: "/browse/".into(), label: "All files".into() },
            Crumb { href: "/browse/partners/".into(), label: "partners".into() },
        ],
        action: "/browse/partners/2026/".into(),
        upload: "/upload/partners/2026/".into(),
        archive: "/download/partners/2026/".into(),
        moving: "/move/partners/2026/".into(),
        deletion: "It can be restored from the trash for 30 days, a folder with all that is in it.".into(),
        writable: true,
        entries: vec![
            entry("files", "dir", "Angebote für Köln", "", ""),
            entry("files", "dir", "报告", "", ""),
            entry("file", "", "figures final.xlsx", "", "1.2 MB"),
            entry("file", "", "-rf #1 100%.txt", "", "0 B"),
            entry("file", "", "\\xd6\\xd0\\xb9\\xfa.txt", "name is not UTF-8", "12 kB"),
            entry("link", "", "latest", "link to figures final.xlsx", ""),
        ],
        summary: "2 folders, 3 files, 1.2 MB".into(),
        pager: Pager::default(),
    }
}

fn trash() -> TrashPage {
    let row = |id, icon, class, path: &str, size: &str| TrashRow {
        id,
        icon,
        class,
        path: path.into(),
        account: "anna".into(),
        size: size.into(),
        deleted: ago(90),
        until: Some(Moment::around(now().checked_add(jiff::SignedDuration::from_hours(29 * 24)).unwrap(), now())),
    };
    TrashPage {
        frame: frame("Trash", "/trash"),
        all: true,
        writable: true,
        keeps: Some("30 days".into()),
        rows: vec![
            row(3, "files", "dir", "/partners/2026/Angebote für Köln", "12.4 MB"),
            row(2, "file", "", "/partners/2026/figures final.xlsx", "1.2 MB"),
            row(1, "files", "dir", "/报告", ""),
        ],
        pager: Pager::default(),
    }
}

fn audit() -> AuditPage {
    let row = |number, actor: &str, action: &str, detail: &str| AuditRow {
        number,
        at: Moment::exact(now()),
        actor: actor.into(),
        action: action.into(),
        detail: detail.into(),
        hash: "9f86d081884c".into(),
    };
    AuditPage {
        frame: frame("Audit log", "/audit"),
        filter: Filter::default(),
        actions: vec![("login-succeeded", "Login succeeded".into())],
        rows: vec![
            row(1204, "admin", "login-succeeded", "dashboard, by password, from 10.0.0.9:51812"),
            row(
                1203,
                "job 2",
                "file-published",
                "plant/archive/reports/2026/q3/figures final.xlsx, 1.2 MB, sha256 9f86d081…",
            ),
            row(1202, "system", "run-started", "run 42 of job 2"),
        ],
        pager: Pager { older: Some("?before=1".into()), older_label: "Older entries", ..Pager::default() },
    }
}

fn surveys() -> SurveysPage {
    let row = |id, url: &str, said: &str, chip| SurveyRow {
        href: format!("/surveys/{id}"),
        url: url.into(),
        started: ago(90),
        by: "admin".into(),
        said: said.into(),
        chip,
    };
    SurveysPage {
        frame: frame("Surveys", "/surveys"),
        rows: vec![
            row(4, "ftp+tls://drop@ftp.partner.example/incoming", "", Chip::new(Tone::Busy, "Running")),
            row(3, "ftp://plant@old.example/", "48210 files in 612 folders", Chip::new(Tone::Warn, "A part")),
            row(2, "ftp://old.example/pub", "login: the password was refused", Chip::new(Tone::Bad, "Failed")),
        ],
        choices: vec![Choice { id: 1, name: "Partner drop box".into() }],
    }
}

fn survey() -> SurveyPage {
    let live = ProgressPart {
        stage: "Listing".into(),
        folders: "612 folders read".into(),
        waiting: "31 wait".into(),
        files: "48,210 files".into(),
        bytes: "212 GB".into(),
        folder: "plant/archive/2019".into(),
    };
    let bar = |label: &str, part| Bar {
        label: label.into(),
        gauge: Gauge::new(part, 1000),
        files: part.to_string(),
        bytes: "1.2 MB".into(),
    };
    let report = ReportShown {
        counts: vec![Count { label: "Files", value: "48,210".into(), more: String::new(), bad: false }],
        findings: vec![FindingShown {
            chip: Chip::new(Tone::Bad, "Left behind"),
            what: "2 folders cannot be read, with all that lies below.".into(),
            advice: "Let this account read them on the server.".into(),
            examples: vec!["closed <1>: list: 550 Failed to open directory.".into()],
        }],
        charts: vec![Chart { title: "Files by size", bars: vec![bar("below 4 KiB", 1000), bar("below 16 KiB", 3)] }],
        forecasts: vec![ForecastShown {
            connections: 4,
            terms: vec![("Listing", "2.1 s".into()), ("Round trips", "3 min 20 s".into())],
            total: "3 min 30 s".into(),
            bound: "connections",
        }],
        model: vec![("Round trip", "20 ms, the median of some questions".into())],
        tables: vec![Table { title: "Largest files", rows: vec![("pub/big & wide.iso".into(), "4.7 GB".into())] }],
        server: vec![("Greeting".into(), "(vsFTPd 3.0.3)".into())],
    };
    SurveyPage {
        frame: frame("Survey of ftp://plant@old.example/", "/surveys/3"),
        href: "/surveys/3".into(),
        url: "ftp://plant@old.example/".into(),
        chip: Chip::new(Tone::Warn, "A part"),
        started: ago(90),
        by: "admin".into(),
        live: Some(live),
        said: Some(Note { tone: Tone::Warn, text: "The figures are those of a part of the tree.".into() }),
        report: Some(report),
    }
}

fn connection_rows() -> Vec<ConnectionRow> {
    let file =
        |verb, path: &str, bytes: &str| MovingRow { verb, path: path.into(), bytes: bytes.into(), since: ago(2) };
    let row = |id, account: &str, client: &str, moving| ConnectionRow {
        id,
        account: account.into(),
        account_href: "/accounts/x".into(),
        door: "SFTP".into(),
        peer: "192.0.2.7:50112".into(),
        client: client.into(),
        secured: "mlkem768x25519-sha256, aes128-gcm@openssh.com".into(),
        since: ago(40),
        moved: Some("1.2 GB sent, 48 MB fetched".into()),
        moving,
        more: 0,
    };
    vec![
        row(1, "partner-a", "OpenSSH_9.9", vec![file("sends", "/partners/a/orders-2026-11.csv", "48 MB")]),
        ConnectionRow { moved: None, ..row(2, "warehouse", "WinSCP_release_6.5.3", Vec::new()) },
    ]
}

fn connections() -> ConnectionsPage {
    let rows = connection_rows();
    let refused = [
        ("Downloads that stood still", "Nobody took the bytes for a minute: paused, or gone.", "12"),
        ("Floods", "An attack or a broken program. Each ended the connection.", "3"),
    ];
    let counters = CountersShown {
        refused: refused.map(|(what, why, count)| RefusedRow { what, why, count: count.into() }).to_vec(),
        squeezed: vec![SqueezedRow {
            coding: "Zstandard",
            plain: "48 GB".into(),
            sent: "6.1 GB".into(),
            saved: "87 %".into(),
        }],
    };
    let part = ConnectionsPart { rows, csrf: "c".into() };
    ConnectionsPage { frame: frame("Connections", "/connections"), part, counters }
}

fn accounts() -> AccountsPage {
    let row = |name: &str, home: &str, access, chip| AccountRow {
        href: "/accounts/x".into(),
        name: name.into(),
        home: home.into(),
        access,
        keys: "1".into(),
        role: "Account",
        chip,
    };
    AccountsPage {
        frame: frame("Accounts", "/accounts"),
        rows: vec![
            row("admin", "/", "read and write", Chip::new(Tone::Ok, "Active")),
            row("partner-a", "partners/a", "read only", Chip::new(Tone::Ok, "Active")),
            row("scanner", "scans", "read and write", Chip::new(Tone::Bad, "Locked")),
        ],
        open: true,
        problems: Problems::default(),
        form: AccountForm::default(),
    }
}

fn account() -> AccountPage {
    AccountPage {
        frame: frame("scanner", "/accounts/scanner"),
        href: "/accounts/scanner".into(),
        name: "scanner".into(),
        chip: Chip::new(Tone::Bad, "Locked"),
        own: false,
        locked: true,
        home: "scans".into(),
        read_only: false,
        quota: "20GB".into(),
        quota_files: "50000".into(),
        usage: Some(Usage::new(
            Quota { bytes: Some(20_000_000_000), files: Some(50_000) },
            Used { bytes: 13_400_000_000, files: 12_480 },
        )),
        admin: false,
        disabled: false,
        keys: vec![KeyRow {
            id: "1".into(),
            label: "ssh-ed25519 scanner@hall2".into(),
            fingerprint: "SHA256:q0yBvW7cFm1mB3n0vJx7nq7H1b9C3sQ8t1Zz2r9JYpE".into(),
            added: ago(90),
        }],
        app_passwords: app_passwords(),
        second_factor: true,
        required: vec![
            RequireRow { word: "any", label: "a key or the password".into(), chosen: false },
            RequireRow { word: "key+code", label: "key, code".into(), chosen: true },
        ],
    }
}

fn app_passwords() -> Vec<AppRow> {
    let row =
        |label: &str, may: &str| AppRow { label: label.into(), may: may.into(), used: None, ends: None, over: None };
    vec![
        AppRow {
            used: Some((ago(7), "2001:db8:1:2:3:4:5:6".into())),
            ..row("Laptop of Jörg <home>", "May read and write everything")
        },
        AppRow { ends: Some(ago(-40_000)), ..row("Nightly report", "May read in reports/2026") },
        AppRow {
            used: Some((ago(60_000), "192.0.2.17".into())),
            ends: Some(ago(3_000)),
            over: Some(Chip::new(Tone::Idle, "Expired")),
            ..row("Phone", "May read everything")
        },
    ]
}

fn own() -> OwnPage {
    let AccountPage { keys, app_passwords, usage, .. } = account();
    OwnPage {
        frame: frame("Your account", "/account"),
        name: "scanner".into(),
        home: "/scans".into(),
        read_only: false,
        usage,
        keys,
        app_passwords,
        second_factor: false,
        required: Some("key, code".into()),
        connections: connection_rows(),
    }
}

fn app_password() -> AppPasswordPage {
    AppPasswordPage {
        frame: frame("App password", "/account/app-passwords"),
        label: "Laptop of Jörg <home>".into(),
        secret: format!("cway_{}", "abcdefgh".repeat(4)),
        name: "scanner".into(),
        origin: "https://files.example.org:8443".into(),
        may: "May read in reports/2026".into(),
        ends: Some(ago(-40_000)),
    }
}

fn connect(system: System) -> ConnectPage {
    let sftp = SftpReach {
        port: 2022,
        host_keys: vec!["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl".into()],
        fingerprint: "SHA256:q0yBvW7cFm1mB3n0vJx7nq7H1b9C3sQ8t1Zz2r9JYpE".into(),
    };
    let reach = Reach {
        own_certificate: Some("-----BEGIN CERTIFICATE-----\n".into()),
        fingerprint: vec!["5F"; 32].join(":"),
        sftp: Some(sftp),
    };
    let authority = axum::http::uri::Authority::from_static("files.example.org:8443");
    let place = Place::new(&authority, "Jörg@example.org", reach).unwrap();
    ConnectPage::new(frame("Connect this computer", "/connect"), system, true, place)
}

#[test]
fn every_page_renders() {
    let pages: Vec<(&str, String)> = vec![
        (
            "sign_in",
            SignInPage {
                frame: frame("Sign in", "/sign-in"),
                problem: Some("That name and password do not match.".into()),
                name: String::new(),
                back: "/".into(),
                fresh: true,
            }
            .render()
            .unwrap(),
        ),
        ("overview", overview().render().unwrap()),
        ("jobs", jobs().render().unwrap()),
        ("job", job().render().unwrap()),
        ("job_form", job_form().render().unwrap()),
        ("run", run().render().unwrap()),
        ("browse", browse().render().unwrap()),
        ("trash", trash().render().unwrap()),
        ("reliability", reliability::page().render().unwrap()),
        ("definitions", reliability::definitions().render().unwrap()),
        ("observations", reliability::observations().render().unwrap()),
        ("pairs", reliability::pairs().render().unwrap()),
        ("trash", trash().render().unwrap()),
        ("trends", reliability::trends_page().render().unwrap()),
        ("comparisons", comparisons::list().render().unwrap()),
        ("comparison", comparisons::one().render().unwrap()),
        ("doctor", doctor::list().render().unwrap()),
        ("diagnosis", doctor::diagnosis().render().unwrap()),
        ("incident", doctor::incident().render().unwrap()),
        ("endpoints", endpoints::page().render().unwrap()),
        ("alarm", doctor::alarm().render().unwrap()),
        ("surveys", surveys().render().unwrap()),
        ("survey", survey().render().unwrap()),
        ("audit", audit().render().unwrap()),
        ("connections", connections().render().unwrap()),
        ("accounts", accounts().render().unwrap()),
        ("account", account().render().unwrap()),
        ("own", own().render().unwrap()),
        ("app_password", app_password().render().unwrap()),
        ("shares", shares::list().render().unwrap()),
        ("share_new", shares::new().render().unwrap()),
        ("share_made", shares::made().render().unwrap()),
        ("shared_closed", shares::closed().render().unwrap()),
        ("shared_file", shares::file().render().unwrap()),
        ("shared_folder", shares::folder().render().unwrap()),
        ("shared_box", shares::drop_box().render().unwrap()),
        ("connect_windows", connect(System::Windows).render().unwrap()),
        ("connect_macos", connect(System::Mac).render().unwrap()),
        ("connect_linux", connect(System::Linux).render().unwrap()),
        ("connect_ios", connect(System::Iphone).render().unwrap()),
        ("connect_android", connect(System::Android).render().unwrap()),
        ("connect_other", connect(System::Other).render().unwrap()),
        (
            "problem",
            ProblemPage {
                frame: frame("There is no such page", "/x"),
                tone: Tone::Idle,
                text: "The address may be mistyped, or what was here is gone.".into(),
            }
            .render()
            .unwrap(),
        ),
    ];
    for (name, html) in &pages {
        assert!(html.contains("<title>") && html.contains("<main id=\"main\""), "{name}");
        assert!(!html.contains(" style=") && !html.contains("<style") && !html.contains(" onclick="), "{name}");
        // The reliability page holds its drawings and, for each, a table; it is squeezed to a tenth on its way.
        assert!(html.len() < 96_000, "{name} weighs {}", html.len());
        if let Some(folder) = std::env::var_os("CAUSEWAY_GALLERY") {
            std::fs::write(std::path::Path::new(&folder).join(format!("{name}.html")), html).unwrap();
        }
    }
}
