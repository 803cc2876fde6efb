//! `causeway survey`: whole surveys of the real servers, and the logs that those servers write.

use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::causeway::{command, run};
use crate::support::ftpd::{Ftpd, PASSWORD, Server, Tls};

fn survey(arguments: &[&str]) -> (i32, String, String) {
    let folder = tempfile::tempdir().unwrap();
    let ended = run(command(folder.path()).arg("survey").args(arguments).env("CAUSEWAY_SOURCE_PASSWORD", PASSWORD));
    assert!(!folder.path().join("data").exists(), "looking must not make anything");
    ended
}

fn report(arguments: &[&str], code: i32) -> Value {
    let (ended, stdout, stderr) = survey(&[arguments, &["--json"]].concat());
    assert_eq!(ended, code, "{stderr}{stdout}");
    serde_json::from_str(&stdout).unwrap()
}

/// A tree with something of everything.
fn furnish(root: &Path) {
    for folder in ["in/2026", "pub/deep/er", "closed"] {
        fs::create_dir_all(root.join(folder)).unwrap();
    }
    for n in 0..30 {
        fs::write(root.join(format!("in/2026/{n}.csv")), vec![b'x'; 100 * (n + 1)]).unwrap();
    }
    fs::write(root.join("pub/large.iso"), vec![b'y'; 1_500_000]).unwrap();
    for name in ["Report.doc", "report.doc", "aux.txt", ".profile", "end."] {
        fs::write(root.join("pub/deep").join(name), name).unwrap();
    }
    let gbk = std::ffi::OsStr::from_bytes(b"\xb1\xa8\xb1\xed.xls");
    fs::write(root.join("pub").join(gbk), "x").unwrap();
    std::os::unix::fs::symlink("../../../etc/passwd", root.join("pub/out")).unwrap();
}

fn skill<'a>(report: &'a Value, name: &str) -> &'a Value {
    report["server"]["skills"].as_array().unwrap().iter().find(|skill| skill["name"] == name).unwrap()
}

fn troubles(report: &Value, trouble: &str) -> u64 {
    let all = report["names"]["troubled"].as_array().unwrap();
    all.iter().find(|one| one["trouble"] == trouble).map_or(0, |one| one["count"].as_u64().unwrap())
}

#[test]
fn the_servers_are_surveyed() {
    for server in Server::ALL {
        let ftpd = Ftpd::start(server);
        furnish(&ftpd.root());
        ftpd.own();
        let report = report(&[&ftpd.url()], 0);
        let census = &report["census"];
        assert_eq!((&census["files"], &census["folders"]), (&37.into(), &7.into()), "{server:?}: {census:#}");
        assert_eq!(census["bytes"], 46_500 + 1_500_000 + 10 + 10 + 7 + 8 + 4 + 1, "{server:?}");
        assert_eq!(census["dotted"], 1, "{server:?}");
        // MLSD of the others tells what a link leads to, and nothing of one that leads nowhere.
        if server == Server::Vsftpd {
            assert_eq!((&census["links"], &census["links-out"]), (&1.into(), &1.into()), "{server:?}");
        }
        assert_eq!(census["largest-files"][0]["path"], "pub/large.iso", "{server:?}");
        for (trouble, count) in [("case", 1), ("windows-device", 1), ("windows-end", 1), ("not-utf8", 1)] {
            assert_eq!(troubles(&report, trouble), count, "{server:?}: {trouble}");
        }
        // Proven by use, whatever FEAT says.
        for name in ["SIZE", "MDTM", "REST", "EPSV"] {
            assert_eq!(skill(&report, name)["proven"]["proven"], "works", "{server:?}: {:#}", report["server"]);
        }
        let mlsd = if server == Server::Vsftpd { "untried" } else { "works" };
        assert_eq!(skill(&report, "MLSD")["proven"]["proven"], mlsd, "{server:?}");
        assert_eq!(report["server"]["dot-files"], "hidden", "{server:?}: a plain LIST, whatever MLSD shows");
        assert_eq!(report["server"]["encryption"]["encryption"], "refused", "{server:?}");
        let model = &report["estimate"]["model"];
        assert!(model["round-trip"].as_f64().unwrap() > 0.0 && model["timed-files"].as_u64().unwrap() > 5);
        assert!(model["goodput-one"].as_f64().unwrap() > 1e6, "{model}");
        assert_eq!(report["estimate"]["forecasts"].as_array().unwrap().len(), 5);
    }
}

#[test]
fn what_cannot_be_read_ends_with_three_and_is_told() {
    let ftpd = Ftpd::start(Server::Proftpd);
    furnish(&ftpd.root());
    ftpd.own();
    fs::set_permissions(ftpd.root().join("closed"), fs::Permissions::from_mode(0o311)).unwrap();
    let (code, stdout, _) = survey(&[&ftpd.url()]);
    assert_eq!(code, 3, "{stdout}");
    assert!(stdout.contains("this is a part only") && stdout.contains("closed: "), "{stdout}");
    assert!(stdout.contains("will not come along") && stdout.contains("how long a mirror would take"), "{stdout}");
    let report = report(&[&ftpd.url(), "--max-entries", "2"], 3);
    assert_eq!(report["stopped"]["why"]["reason"], "entries", "{:#}", report["stopped"]);
    let (code, _, stderr) = survey(&["ftp://nobody@127.0.0.1:1/"]);
    assert!(code == 1 && stderr.contains("127.0.0.1"), "{stderr}");
}

#[test]
fn encryption_is_told_with_its_cipher() {
    let ftpd = Ftpd::start_tls(Server::Proftpd, Tls::V13);
    furnish(&ftpd.root());
    ftpd.own();
    let certificate = ftpd.certificate_file();
    let report = report(&[&ftpd.url(), "--ca-file", certificate.to_str().unwrap()], 0);
    let encryption = &report["server"]["encryption"];
    assert_eq!((&encryption["encryption"], &encryption["version"]), (&"used".into(), &"TLS 1.3".into()));
    assert!(encryption["cipher"].as_str().unwrap().starts_with("TLS13_"), "{encryption}");
    // In the clear it would have been offered, and refuses the login.
    let plain = ftpd.url().replace("ftp+tls", "ftp");
    let (code, _, stderr) = survey(&[&plain]);
    assert_eq!(code, 1, "{stderr}");
}

/// A file that a server writes a moment later.
fn written(path: &Path, has: &str) -> String {
    let end = Instant::now() + Duration::from_secs(10);
    loop {
        let text = fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
        if text.contains(has) {
            return text;
        }
        assert!(Instant::now() < end, "{} never holds '{has}': {text}", path.display());
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Fetches one file and brings one.
fn use_server(ftpd: &Ftpd) {
    let curl = |arguments: &[&str]| {
        let user = format!("{}:{PASSWORD}", crate::support::ftpd::USER);
        let done = std::process::Command::new("curl").args(["-sS", "-u", &user]).args(arguments).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    };
    let here = format!("ftp://127.0.0.1:{}/", ftpd.port);
    curl(&["-o", "/dev/null", &format!("{here}pub/large.iso")]);
    curl(&["-T", "Cargo.toml", &format!("{here}in/brought%20along.toml")]);
    let wrong = ["-sS", "-u", "anna:wrong", &here];
    assert!(!std::process::Command::new("curl").args(wrong).output().unwrap().status.success());
}

#[test]
fn the_logs_that_real_servers_write_are_read() {
    let logs = tempfile::tempdir().unwrap();
    // proftpd writes no log into a folder that everybody may write to.
    fs::set_permissions(logs.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let at = |name: &str| logs.path().join(name).to_str().unwrap().to_owned();
    let brought = fs::metadata("Cargo.toml").unwrap().len();
    let vsftpd = [
        "xferlog_enable=YES".to_owned(),
        "dual_log_enable=YES".to_owned(),
        format!("vsftpd_log_file={}", at("vsftpd.log")),
        format!("xferlog_file={}", at("xferlog")),
    ];
    let proftpd = [format!("TransferLog {}", at("proftpd-xferlog")), format!("ExtendedLog {} ALL", at("extended"))];
    let clf = ["-O".to_owned(), format!("clf:{}", at("clf"))];
    let w3c = ["-O".to_owned(), format!("w3c:{}", at("w3c"))];
    for (server, extra, files) in [
        (Server::Vsftpd, &vsftpd[..], &["vsftpd.log", "xferlog"][..]),
        (Server::Proftpd, &proftpd, &["proftpd-xferlog", "extended"]),
        (Server::PureFtpd, &clf, &["clf"]),
        (Server::PureFtpd, &w3c, &["w3c"]),
    ] {
        let extra: Vec<_> = extra.iter().map(String::as_str).collect();
        let ftpd = Ftpd::start_with(server, Tls::None, &extra);
        furnish(&ftpd.root());
        ftpd.own();
        use_server(&ftpd);
        for file in files {
            let path = at(file);
            let text = written(Path::new(&path), "brought");
            let report = report(&[ftpd.root().to_str().unwrap(), "--log", &path], 0);
            let usage = &report["usage"];
            assert_eq!(usage["odd"], 0, "{file}: {text}\n{usage:#}");
            assert_eq!((&usage["downloads"], &usage["bytes-down"]), (&1.into(), &1_500_000.into()), "{file}: {text}");
            assert_eq!((&usage["uploads"], &usage["bytes-up"]), (&1.into(), &brought.into()), "{file}: {text}");
            assert_eq!(usage["top-users"][0]["name"], "anna", "{file}: {text}");
            assert_eq!(usage["top-addresses"][0]["name"], "127.0.0.1", "{file}: {text}");
            assert!(usage["fetched"][0]["path"].as_str().unwrap().ends_with("large.iso"), "{file}: {usage:#}");
            if matches!(*file, "vsftpd.log" | "extended") {
                assert_eq!((&usage["logins"], &usage["refused"]), (&2.into(), &1.into()), "{file}: {text}");
            }
        }
    }
    let (code, _, stderr) = survey(&["/", "--log", "there/is/none"]);
    assert!(code == 1 && stderr.contains("there/is/none"), "{stderr}");
}
