//! `causeway stress` against real servers.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::causeway::{Causeway, command, run};
use crate::support::ftpd::{Ftpd, PASSWORD, Server, Tls};

/// Runs it with these words, and returns its exit code and report.
fn stress(folder: &Path, url: &str, password: &str, words: &str) -> (i32, Value) {
    let mut stress = command(folder);
    stress.args(["stress", url, "--json"]).args(words.split_whitespace()).env("CAUSEWAY_SOURCE_PASSWORD", password);
    let (code, stdout, stderr) = run(&mut stress);
    let report = serde_json::from_str(&stdout).unwrap_or_else(|error| panic!("{error}: {code} {stdout}{stderr}"));
    (code, report)
}

/// The row of one kind of arrivals; all of its arrivals are accounted for.
fn row<'a>(report: &'a Value, act: &str) -> &'a Value {
    let row = report["acts"].as_array().unwrap().iter().find(|row| row["act"] == act);
    let row = row.unwrap_or_else(|| panic!("no {act}: {report:#}"));
    let count = |name: &str| row[name].as_u64().unwrap();
    assert_eq!(count("arrived"), count("answered") + count("failed") + count("unanswered"), "{row}");
    row
}

/// Nothing failed, and nothing was lost.
fn assert_borne(report: &Value, connections: u32, acts: &[&str]) {
    for act in acts {
        let row = row(report, act);
        assert!(row["arrived"].as_u64().unwrap() > 0, "{row}");
        assert_eq!(row["answered"], row["arrived"], "{report:#}");
    }
    assert_eq!(row(report, "open")["answered"], connections, "{report:#}");
    assert_eq!((&report["peak"], &report["lost"]), (&connections.into(), &0.into()), "{report:#}");
    assert_eq!(report["troubles"], serde_json::json!([]), "{report:#}");
}

#[test]
fn stress_finds_the_knee_of_vsftpd_and_says_its_words() {
    let ftpd = Ftpd::start_with(Server::Vsftpd, Tls::None, &["max_clients=5"]);
    fs::write(ftpd.root().join("file"), vec![7; 20_000]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("load.html");
    let words = format!(
        "--connections 12 --moving 50% --rate 1 --every 2s --ramp 5s --duration 8s --report {}",
        page.display()
    );
    let (code, report) = stress(folder.path(), &ftpd.url(), PASSWORD, &words);
    assert_eq!(code, 3, "{report:#}");
    assert_eq!(
        (&report["knee"]["connections"], &report["knee"]["by"]),
        (&5.into(), &"connections".into()),
        "{report:#}"
    );
    assert_eq!(report["limit"]["limit"], "told", "{report:#}");
    let sentence = report["limit"]["sentence"].as_str().unwrap();
    assert!(sentence.contains("There are too many connected users, please try later"), "{sentence}");
    for act in ["open", "light", "download"] {
        row(&report, act);
    }
    // The page has the numbers of the JSON, and needs nothing else.
    let page = fs::read_to_string(page).unwrap();
    for row in report["acts"].as_array().unwrap() {
        for name in ["arrived", "answered", "failed", "unanswered"] {
            assert!(page.contains(&format!("<td>{}</td>", row[name])), "{name} of {row}: {page}");
        }
    }
    assert!(page.contains("please try later") && page.contains("Borne: 5 connections"), "{page}");
    assert!(!page.contains("<script") && !page.contains(PASSWORD), "{page}");
}

/// A server that takes as many connections as are made here.
fn wide() -> Causeway {
    let causeway = Causeway::serve();
    causeway.account("anna", PASSWORD, &[]);
    for number in 0..3 {
        fs::write(causeway.tree().join(format!("file-{number}")), vec![7; 40_000]).unwrap();
    }
    fs::create_dir(causeway.tree().join("box")).unwrap();
    causeway
}

fn fifty(causeway: &Causeway, url: &str) -> Value {
    let words = format!(
        "--insecure --connections 50 --moving 40% --rate 20 --every 2s --ramp 6s --duration 12s --upload box --size 30KiB --pid {}",
        causeway.pid()
    );
    let (_, report) = stress(causeway.folder(), url, PASSWORD, &words);
    assert_borne(&report, 50, &["light", "download", "upload"]);
    assert!(report["server"]["memory"][1].as_u64().unwrap() > 1 << 20, "{report:#}");
    assert_eq!(fs::read_dir(causeway.tree().join("box")).unwrap().count(), 0, "what was written is removed");
    report
}

#[test]
fn stress_of_our_own_sftp_loses_no_arrival() {
    let causeway = wide();
    fifty(&causeway, &format!("sftp://anna@127.0.0.1:{}/", causeway.sftp.port()));
}

#[test]
fn stress_of_our_own_webdav_loses_no_arrival() {
    let causeway = wide();
    fifty(&causeway, &format!("https://anna@127.0.0.1:{}/dav/", causeway.https.port()));
}

#[test]
fn stress_of_ftp_over_tls_is_borne() {
    let ftpd = Ftpd::start_tls(Server::Vsftpd, Tls::V12);
    fs::write(ftpd.root().join("file"), vec![7; 20_000]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let words =
        "--insecure --connections 5 --moving 40% --rate 2 --every 1s --ramp 2s --duration 6s --upload . --size 9KiB";
    let (_, report) = stress(folder.path(), &ftpd.url(), PASSWORD, words);
    assert_borne(&report, 5, &["light", "download", "upload"]);
    assert_eq!(fs::read_dir(ftpd.root()).unwrap().count(), 1, "what was written is removed");
}

#[test]
fn stress_refuses_another_machine() {
    let folder = tempfile::tempdir().unwrap();
    let mut foreign = command(folder.path());
    foreign.args(["stress", "ftp://192.0.2.7/", "--connections", "1"]);
    let (code, stdout, stderr) = run(&mut foreign);
    assert_eq!((code, &*stdout), (1, ""), "{stderr}");
    assert!(stderr.contains("--i-own-this-host"), "{stderr}");
}

#[test]
fn stress_ends_in_good_order_at_ctrl_c_and_tells_what_it_saw() {
    let ftpd = Ftpd::start(Server::Vsftpd);
    fs::write(ftpd.root().join("file"), "hello").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut stress = command(folder.path());
    stress.args(["stress", &ftpd.url(), "--connections", "3", "--duration", "10m", "--ramp", "0s", "--every", "1s"]);
    stress.env("CAUSEWAY_SOURCE_PASSWORD", PASSWORD).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = stress.spawn().unwrap();
    // It has begun when the server has somebody inside.
    while connections_to(ftpd.address()) < 3 {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let done = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&done.stdout);
    assert!(said.contains("stopped before its end") && said.contains("connection with login"), "{said}");
    assert!(matches!(done.status.code(), Some(0 | 3)), "{done:?}");
}

/// Established connections to a port of this machine (proc(5), `/proc/net/tcp`), each seen from its client.
fn connections_to(server: SocketAddr) -> usize {
    let port = format!(":{:04X}", server.port());
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(|path| fs::read_to_string(path).unwrap_or_default());
    let lines = tables.iter().flat_map(|table| table.lines());
    lines
        .filter(|line| {
            let fields: Vec<_> = line.split_whitespace().collect();
            fields.get(2).is_some_and(|peer| peer.ends_with(&port)) && fields.get(3) == Some(&"01")
        })
        .count()
}
