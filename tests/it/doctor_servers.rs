//! The doctor at SFTP and WebDAV servers that nobody here wrote: in good order, and with one thing wrong.

use std::fs;
use std::sync::Arc;

use causeway::diagnose::evidence::Fact;
use causeway::diagnose::{self, Limits, Order, Report};
use causeway::model::{Endpoint, RelPath, Secret, SystemClock};
use tokio_util::sync::CancellationToken;

use crate::support::apache::{Apache, Door};
use crate::support::sshd::Sshd;

async fn look(endpoint: Endpoint) -> Report {
    look_and_write(endpoint, None).await
}

async fn look_and_write(endpoint: Endpoint, upload: Option<RelPath>) -> Report {
    let limits = Limits { quick: true, ..Limits::default() };
    let order = Order { endpoint, limits, upload, captures: None, clock: Arc::new(SystemClock) };
    let report = diagnose::run(&order, &Arc::default(), &CancellationToken::new()).await.unwrap();
    let seen = |id: &usize| report.evidence.iter().any(|seen| seen.id == *id);
    assert!(report.findings.iter().all(|found| !found.evidence.is_empty() && found.evidence.iter().all(seen)));
    report
}

fn fill(root: &std::path::Path) {
    fs::create_dir_all(root.join("below")).unwrap();
    for (name, size) in [("small", 700), ("below/middle", 90_000), ("below/large", 5_000_000)] {
        fs::write(root.join(name), vec![7; size]).unwrap();
    }
}

fn assert_first(report: &Report, cause: &str) {
    assert_eq!(report.findings.first().map(|found| &*found.cause), Some(cause), "{report:#?}");
}

/// The files were read, the largest whole and one from its middle.
fn assert_read(report: &Report) {
    for what in ["4 MiB", "from its middle"] {
        let moved = report.evidence.iter().find_map(|seen| match &seen.fact {
            Fact::Moved(moved) if moved.what == what => Some(moved),
            _ => None,
        });
        assert!(moved.unwrap_or_else(|| panic!("{what}: {report:#?}")).is_whole(), "{moved:?}");
    }
}

#[tokio::test]
async fn doctor_names_no_cause_at_openssh_in_good_order() {
    let sshd = Sshd::start();
    fill(&sshd.root());
    let report = look(sshd.endpoint()).await;
    assert!(report.findings.is_empty(), "{report:#?}");
    assert_read(&report);
    let offered = report.evidence.iter().any(|seen| {
        matches!(&seen.fact, Fact::Algorithms { kex, .. } if kex.iter().any(|name| name.starts_with("curve25519")))
    });
    assert!(offered, "{report:#?}");
}

#[tokio::test]
async fn doctor_finds_what_openssh_drops_before_the_login() {
    let sshd = Sshd::start_with(&["MaxStartups 3:100:3"]);
    let report = look(sshd.endpoint()).await;
    assert_first(&report, "strangers-refused");
    let found = &report.findings[0];
    assert!(found.sentence.contains("bears 3 connections"), "{found:#?}");
    assert!(found.there.iter().any(|advice| advice.setting.contains("MaxStartups")), "{found:#?}");
}

#[tokio::test]
async fn doctor_finds_an_old_openssh_a_changed_host_key_and_a_refused_password() {
    let old = Sshd::start_with(&["KexAlgorithms diffie-hellman-group14-sha1"]);
    assert_first(&look(old.endpoint()).await, "old-ssh");
    let mut sshd = Sshd::start();
    let mut endpoint = sshd.endpoint();
    sshd.stop();
    sshd.change_host_key();
    sshd.start_again();
    assert_first(&look(endpoint.clone()).await, "changed-host-key");
    endpoint.options.pin = Some(sshd.pin());
    endpoint.options.key_file = None;
    endpoint.password = Some(Secret::new("not-this-one"));
    let report = look(endpoint).await;
    assert_first(&report, "bad-login");
    assert!(!serde_json::to_string(&report).unwrap().contains("not-this-one"));
}

#[tokio::test]
async fn doctor_names_no_cause_at_apache_in_good_order_and_finds_what_is_missing() {
    let apache = Apache::start(Door::Tls);
    fill(&apache.root());
    let report = look(apache.endpoint()).await;
    assert!(report.findings.is_empty(), "{report:#?}");
    assert_read(&report);
    let classes = report
        .evidence
        .iter()
        .any(|seen| matches!(&seen.fact, Fact::Asked { dav: Some(dav), .. } if dav.contains('2')));
    assert!(classes, "{report:#?}");
    let mut elsewhere = apache.endpoint();
    elsewhere.root.extend(b"/not/there");
    assert_first(&look(elsewhere).await, "no-webdav");
    let mut wrong = apache.endpoint();
    wrong.password = Some(Secret::new("not-this-one"));
    assert_first(&look(wrong).await, "bad-login");
    let mut stranger = apache.endpoint();
    stranger.options.ca_file = None;
    assert_first(&look(stranger).await, "certificate");
}

/// What was asked by hand, and the status.
fn asked(report: &Report, what: &str) -> Vec<u32> {
    let codes = report.evidence.iter().filter_map(|seen| match &seen.fact {
        Fact::Asked { method, outcome, .. } if method == what => outcome.code,
        _ => None,
    });
    codes.collect()
}

#[tokio::test]
async fn doctor_tries_uploads_and_locks_where_it_may_and_leaves_nothing() {
    let names = |root: &std::path::Path| fs::read_dir(root).unwrap().count();
    let apache = Apache::start(Door::Tls);
    fs::create_dir(apache.root().join("in")).unwrap();
    apache.own();
    let folder = RelPath::new("in").unwrap();
    let report = look_and_write(apache.endpoint(), Some(folder.clone())).await;
    assert!(report.findings.is_empty(), "{report:#?}");
    assert_eq!(asked(&report, "chunked PUT"), [201], "{report:#?}");
    assert_eq!((asked(&report, "LOCK"), asked(&report, "PUT against the lock")), (vec![200], vec![423]), "{report:#?}");
    assert_eq!(names(&apache.root().join("in")), 0, "{report:#?}");
    // A server, or what stands before it, that wants to know the length.
    let rule = ["Options FollowSymLinks", "RewriteEngine On", "RewriteCond %{HTTP:Transfer-Encoding} chunked"];
    let odd = Apache::start_with(Door::Tls, &[&rule[..], &["RewriteRule ^ - [R=411,L]"]].concat());
    let report = look_and_write(odd.endpoint(), Some(RelPath::root())).await;
    assert_first(&report, "no-chunked");
    assert_eq!(names(&odd.root()), 0, "{report:#?}");

    let sshd = Sshd::start();
    fs::create_dir(sshd.root().join("in")).unwrap();
    sshd.own();
    let report = look_and_write(sshd.endpoint(), Some(folder)).await;
    let sent = report.evidence.iter().find_map(|seen| match &seen.fact {
        Fact::Told { command, outcome } if command == "an upload" => Some(outcome),
        _ => None,
    });
    assert!(sent.unwrap_or_else(|| panic!("{report:#?}")).is_well() && report.findings.is_empty(), "{report:#?}");
    assert_eq!(names(&sshd.root().join("in")), 0, "{report:#?}");
}
