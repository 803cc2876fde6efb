//! The comparison from real observations: OpenSSH's `sftp`, `curl` over WebDAV and a mirror from vsftpd
//! against the running program, then the page and its numbers.

use std::fmt::Write as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::site::Curl;
use crate::support::causeway::{Causeway, run};
use crate::support::ftpd::{self, Ftpd, Server, Tls};

const PASSWORD: &str = "correct horse battery";
/// Sessions of each door: enough for the median set-up time (20), too few for its 95th percentile (72).
const SESSIONS: usize = 24;
/// Files over FTP: enough for an error rate (100 attempts).
const FILES: usize = 110;

/// The cells of a row of `/api/reliability`, by family and side.
fn cell<'a>(told: &'a serde_json::Value, key: &str, family: &str, role: &str) -> &'a serde_json::Value {
    let row = told["rows"].as_array().unwrap().iter().find(|row| row["key"] == key).unwrap();
    let cells = row["cells"].as_array().unwrap();
    cells
        .iter()
        .find(|c| c["family"] == family && c["role"] == role)
        .unwrap_or_else(|| panic!("{family} {role}: {row}"))
}

#[test]
fn the_comparison_is_made_of_real_traffic() {
    let server = Ftpd::start_with(Server::Vsftpd, Tls::None, &[]);
    for number in 0..FILES {
        std::fs::write(server.root().join(format!("file {number}.bin")), vec![b'x'; 70_000]).unwrap();
    }
    let causeway = Causeway::serve();
    causeway.account("boss", PASSWORD, &["--admin"]);
    let mut add = causeway.command(&["job", "add", "mirror", &server.url(), "mirrored", "--connections", "4"]);
    let (code, _, stderr) = run(add.env("CAUSEWAY_SOURCE_PASSWORD", ftpd::PASSWORD));
    assert_eq!(code, 0, "{stderr}");
    let (code, _, stderr) = run(&mut causeway.command(&["job", "run", "mirror"]));
    assert_eq!(code, 0, "{stderr}");
    std::fs::write(causeway.tree().join("served.bin"), vec![b'y'; 100_000]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    for number in 0..SESSIONS {
        sftp(&causeway, &folder.path().join(number.to_string()));
        dav(&causeway);
    }
    let base = format!("https://localhost:{}", causeway.https.port());
    let curl = Curl::signed_in_at(&base, "boss", PASSWORD);
    let begun = Instant::now();
    let told = loop {
        let told: serde_json::Value = serde_json::from_str(&curl.get("/api/reliability?window=hour").body).unwrap();
        let there = |key, family, role| {
            let row = told["rows"].as_array().unwrap().iter().find(|row| row["key"] == key).unwrap();
            row["cells"].as_array().unwrap().iter().any(|c| c["family"] == family && c["role"] == role)
        };
        let all =
            there("resets", "FTP", "client") && there("resets", "SFTP", "door") && there("resets", "WebDAV", "door");
        let n = |key, family, role| cell(&told, key, family, role)["n"].as_u64().unwrap();
        if all
            && n("transfer-errors", "FTP", "client") >= FILES as u64
            && n("setup-median", "SFTP", "door") >= SESSIONS as u64
            && n("setup-median", "WebDAV", "door") >= SESSIONS as u64
        {
            break told;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "{told}\n{}", causeway.log());
        std::thread::sleep(Duration::from_millis(300));
    };
    // The doors: each session is one connection, neither more nor less, and nothing of the dashboard.
    for family in ["SFTP", "WebDAV"] {
        let median = cell(&told, "setup-median", family, "door");
        assert_eq!(median["n"], SESSIONS, "{family}: {median}");
        let figure = |name: &str| median[name].as_f64().unwrap();
        assert!(figure("low") <= figure("value") && figure("value") <= figure("high"), "{median}");
        assert!(figure("low") > 0.0 && figure("high") < 30.0, "{median}");
        let p95 = cell(&told, "setup-p95", family, "door");
        assert!(p95["enough"] == false && p95["value"].is_null() && p95["n"] == SESSIONS, "{p95}");
        let speed = cell(&told, "throughput", family, "door");
        assert!(speed["n"] == SESSIONS && speed["value"].as_f64().unwrap() > 0.0, "{family}: {speed}");
    }
    // Our client: every file is an attempt that went well.
    let errors = cell(&told, "transfer-errors", "FTP", "client");
    assert_eq!((errors["n"].as_u64(), errors["events"].as_u64()), (Some(FILES as u64), Some(0)), "{errors}");
    assert_eq!(errors["value"], 0.0);
    // Wilson of 0 in 110: z² / (n + z²).
    assert!((errors["high"].as_f64().unwrap() - 3.841_458_8 / 113.841_458_8).abs() < 1e-6, "{errors}");
    assert!(cell(&told, "throughput", "FTP", "client")["enough"] == true);
    let held = cell(&told, "hold-time", "FTP", "client");
    assert!(held["enough"] == false && held["events"] == 0, "{held}");
    page(&curl, &server);
}

/// What a person reads.
fn page(curl: &Curl<'_>, server: &Ftpd) {
    let page = curl.get("/reliability?window=hour").body;
    for (said, times) in [("our client", 2), ("our door", 4), (" from 20 ready connections", 1), ("lower is better", 4)]
    {
        assert!(page.matches(said).count() >= times, "{said}: {page}");
    }
    assert!(page.contains(&format!("n = {SESSIONS}, shown from 72 ready connections")), "{page}");
    assert!(page.contains("with 0 of the 30 lost connections it needs") && page.contains("not enough data yet"));
    assert!(page.contains("<span class=\"value\">0 %</span>") && page.contains("0 to 3.37 · n = 110"), "{page}");
    assert!(!page.contains("0.0000"), "{page}");
    // One side, one endpoint.
    let doors = curl.get("/reliability?window=hour&role=door").body;
    assert!(!doors.contains(">our client</span>"), "{doors}");
    let endpoint = format!("localhost%3A{}", server.address().port());
    let one = curl.get(&format!("/reliability?window=hour&endpoint={endpoint}")).body;
    assert!(one.contains("Show every endpoint") && one.contains("n = 110"), "{one}");
    assert!(!one.contains(&format!("n = {SESSIONS},")), "{one}");
}

/// One session of OpenSSH's client that fetches a file.
fn sftp(causeway: &Causeway, to: &std::path::Path) {
    let mut batch = String::new();
    writeln!(batch, "get served.bin {}", to.display()).unwrap();
    let script = to.with_extension("batch");
    std::fs::write(&script, batch).unwrap();
    let status = Command::new("sshpass")
        .args(["-p", PASSWORD, "sftp", "-q", "-oStrictHostKeyChecking=no", "-oUserKnownHostsFile=/dev/null"])
        .args(["-oPubkeyAuthentication=no", "-oBatchMode=no", "-oLogLevel=ERROR", "-b"])
        .arg(&script)
        .args([&format!("-oPort={}", causeway.sftp.port()), "boss@127.0.0.1"])
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success());
    assert_eq!(std::fs::read(to).unwrap().len(), 100_000);
}

/// One WebDAV connection that fetches a file.
fn dav(causeway: &Causeway) {
    let output = Command::new("curl")
        .args(["-s", "--fail", "--max-time", "20", "-u", &format!("boss:{PASSWORD}"), "--cacert"])
        .arg(causeway.certificate())
        .arg(format!("https://localhost:{}/dav/served.bin", causeway.https.port()))
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(output.stdout.len(), 100_000);
}
