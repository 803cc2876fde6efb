//! `causeway doctor` against a real vsftpd behind a link with faults: it names the cause that is there, with its evidence,
//! and no cause where there is none.

use std::fs;
use std::process::Command;
use std::sync::Arc;

use causeway::diagnose::evidence::Fact;
use causeway::diagnose::{self, Limits, Order, Report};
use causeway::manners::Remedy;
use causeway::model::{Secret, SystemClock};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::support::ftpd::{Ftpd, Server, Tls};
use crate::support::link::Link;

/// 2 ms each way and 100 Mbit/s.
const SETTINGS: &str = "delay=2 rate=100";

fn link(options: &str) -> Link {
    let link = Link::up(SETTINGS, options);
    link.make_tree(12, 150_000);
    link
}

/// What was found first. Nothing is ever found without evidence that is there.
fn first(report: &Value) -> &Value {
    let seen = report["evidence"].as_array().unwrap();
    for found in report["findings"].as_array().unwrap() {
        let ids = found["evidence"].as_array().unwrap();
        assert!(!ids.is_empty(), "{found}");
        for id in ids {
            assert!(seen.iter().any(|one| one["id"] == *id), "{found}: no look {id}");
        }
    }
    &report["findings"][0]
}

fn assert_first<'a>(report: &'a Value, cause: &str) -> &'a Value {
    let found = first(report);
    assert_eq!(found["cause"], cause, "{report:#}");
    found
}

#[test]
fn doctor_names_no_cause_on_a_clean_server() {
    let link = link("");
    let (code, report) = link.doctor("--hold 6s");
    assert_eq!(report["findings"], serde_json::json!([]), "{report:#}");
    assert_eq!(code, 0);
}

/// A NAT that forgets after a time below the usual keepalive, and answers with a reset: the doctor finds its age, tries
/// keepalive, and the mirror after it uses that without being told.
#[test]
fn doctor_finds_the_age_of_a_nat_and_the_next_mirror_keeps_it_awake() {
    let link = Link::up("delay=10 rate=4", "");
    // The first file of a folder has half the size: 14 s of it.
    link.make_tree(1, 14_000_000);
    link.fault("idle ctl secs=6 action=rst");
    let mirror = || link.mirror("--connections 1 --deadlines stall=6,closing=6,command=10,connect=5");
    let (code, report) = link.doctor("--hold 14s");
    let found = assert_first(&report, "nat-ageing");
    assert_eq!((code, &found["confidence"]), (3, &"shown".into()), "{found:#}");
    let ages = report["evidence"].as_array().unwrap().iter().filter(|seen| {
        seen["fact"] == "held"
            && seen["keep"] == "nothing"
            && found["evidence"].as_array().unwrap().contains(&seen["id"])
    });
    for age in ages.map(|seen| (seen["seconds"].as_f64().unwrap(), seen["outcome"]["failed"].is_null())) {
        // Younger ones may have died later than the ladder knew; the gap that remains is what counts.
        assert!(if age.1 { age.0 < 6.5 } else { age.0 > 5.5 }, "{age:?}: {found:#}");
    }
    let sentence = found["sentence"].as_str().unwrap();
    let age: f64 = sentence.split("idle for ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
    assert!((age - 6.0).abs() <= 2.0, "{sentence}");
    assert_eq!(found["remedies"][0]["kind"], "keepalive", "{found:#}");
    assert!(!found["helped"].as_array().unwrap().is_empty(), "{found:#}");
    assert_captured(&report);
    let before = link.hits();
    assert!(before > 0);
    let run = mirror();
    assert_eq!(run.code, 0, "{}", run.words);
    assert!(run.seconds > 10.0, "it was over before the NAT forgot: {run:?}");
    link.assert_equal(&run);
    assert_eq!(link.hits(), before, "the NAT heard from the mirror in time: {}", link.stat());
}

/// The resets were seen, and tcpdump reads them from the file, with no byte of what was said.
fn assert_captured(report: &Value) {
    let seen = report["evidence"].as_array().unwrap().iter().find(|seen| seen["fact"] == "captured");
    let seen = seen.unwrap_or_else(|| panic!("no packet was seen: {report:#}"));
    let resets = seen["theirs"].as_u64().unwrap();
    assert!(resets > 0 && seen["packets"].as_u64().unwrap() > 50, "{seen:#}");
    let file = seen["kept"].as_str().unwrap();
    let read = |more: &[&str]| {
        let output = Command::new("tcpdump").args(["-n", "-r", file]).args(more).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().lines().count() as u64
    };
    assert_eq!(read(&[]), seen["packets"].as_u64().unwrap());
    assert_eq!(read(&["tcp[tcpflags] & tcp-rst != 0"]), resets + seen["ours"].as_u64().unwrap());
    let bytes = fs::read(file).unwrap();
    assert!(!bytes.windows(4).any(|part| part == b"NOOP" || part == b"USER" || part == b"PASS"), "only headers");
}

#[test]
fn doctor_finds_a_wrong_announced_address() {
    let link = link("pasv_address=192.168.77.5");
    let (code, report) = link.doctor("--quick");
    let found = assert_first(&report, "wrong-address");
    assert!(found["sentence"].as_str().unwrap().contains("192.168.77.5"), "{found:#}");
    assert!(found["there"].to_string().contains("pasv_address"), "{found:#}");
    assert_eq!(code, 3);
}

#[test]
fn doctor_finds_the_limit_of_connections_and_the_next_mirror_stays_below_it() {
    let link = link("max_clients=3");
    let (_, report) = link.doctor("--quick");
    let found = assert_first(&report, "limit");
    assert_eq!(found["remedies"][0], serde_json::json!({ "kind": "connections", "most": 2 }), "{found:#}");
    let before = link.stat()["ctl"]["opened"].as_u64().unwrap();
    let run = link.mirror("--connections 8");
    assert_eq!(run.code, 0, "{}", run.words);
    link.assert_equal(&run);
    let opened = link.stat()["ctl"]["opened"].as_u64().unwrap() - before;
    assert!(opened <= 3, "{opened} connections at a server that bears two beside a person");
}

#[test]
fn doctor_finds_a_path_mtu_hole() {
    let link = link("");
    link.fault("maxlen any size=1400");
    let (_, report) = link.doctor("--quick");
    let found = assert_first(&report, "mtu-hole");
    assert_eq!(found["remedies"][0]["kind"], "short-segments", "{found:#}");
    let run = link.mirror("--connections 2");
    assert_eq!(run.code, 0, "{}", run.words);
    link.assert_equal(&run);
}

#[test]
fn doctor_finds_closed_data_ports() {
    let link = link("port_enable=NO");
    link.fault("refuse data");
    let (_, report) = link.doctor("--quick");
    let found = assert_first(&report, "passive-closed");
    assert!(found["there"].to_string().contains("pasv_min_port"), "{found:#}");
}

#[test]
fn doctor_tells_a_timer_of_the_server_from_one_on_the_way() {
    let link = link("idle_session_timeout=6");
    let (_, report) = link.doctor("--hold 14s");
    let found = assert_first(&report, "idle-timer");
    assert!(found["there"].to_string().contains("idle_session_timeout"), "{found:#}");
}

/// Looks from this very process, at a server on this machine.
async fn look(ftpd: &Ftpd) -> Report {
    let limits = Limits { quick: true, ..Limits::default() };
    let order = Order { endpoint: ftpd.endpoint(), limits, upload: None, captures: None, clock: Arc::new(SystemClock) };
    diagnose::run(&order, &Arc::default(), &CancellationToken::new()).await.unwrap()
}

fn fill(ftpd: &Ftpd) {
    for (name, size) in [("small", 700), ("middle", 90_000), ("large", 5_000_000)] {
        fs::write(ftpd.root().join(name), vec![7; size]).unwrap();
    }
}

#[tokio::test]
async fn doctor_names_no_cause_on_any_clean_server() {
    for server in Server::ALL {
        for tls in [Tls::None, Tls::V12, Tls::V13] {
            let ftpd = Ftpd::start_tls(server, tls);
            fill(&ftpd);
            let report = look(&ftpd).await;
            assert!(report.findings.is_empty(), "{server:?} {tls:?}: {report:#?}");
            // It came to the end: the largest file was read.
            let large = report.evidence.iter().find_map(|seen| match &seen.fact {
                Fact::Moved(moved) if moved.what == "4 MiB" => Some(moved),
                _ => None,
            });
            let large = large.unwrap_or_else(|| panic!("{server:?} {tls:?}: {:#?}", report.evidence));
            assert!(large.is_whole() && large.resumed.is_some() == (tls != Tls::None), "{large:?}");
        }
    }
}

#[tokio::test]
async fn doctor_reads_the_limit_in_the_words_of_each_server() {
    for (server, setting) in [
        (Server::Vsftpd, &["max_per_ip=4"][..]),
        (Server::Proftpd, &["MaxClientsPerHost 4"]),
        (Server::PureFtpd, &["-C", "4"]),
    ] {
        let ftpd = Ftpd::start_with(server, Tls::None, setting);
        fill(&ftpd);
        let report = look(&ftpd).await;
        let found = report.findings.first().unwrap_or_else(|| panic!("{server:?}: {:#?}", report.evidence));
        assert_eq!(
            (&*found.cause, &found.remedies[..]),
            ("limit", &[Remedy::Connections { most: 3 }][..]),
            "{found:#?}"
        );
    }
}

#[tokio::test]
async fn doctor_does_not_say_a_refused_password_twice() {
    let ftpd = Ftpd::start(Server::Vsftpd);
    let mut endpoint = ftpd.endpoint();
    endpoint.password = Some(Secret::new("not-this-one"));
    let order =
        Order { endpoint, limits: Limits::default(), upload: None, captures: None, clock: Arc::new(SystemClock) };
    let report = diagnose::run(&order, &Arc::default(), &CancellationToken::new()).await.unwrap();
    assert_eq!(report.findings.first().map(|found| &*found.cause), Some("bad-login"), "{:#?}", report.evidence);
    let logins = report.evidence.iter().filter(|seen| matches!(seen.fact, Fact::LoggedIn { .. })).count();
    assert_eq!(logins, 1);
    assert!(!serde_json::to_string(&report).unwrap().contains("not-this-one"));
}
