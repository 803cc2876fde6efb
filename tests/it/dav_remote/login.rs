//! Coming in.

use causeway::model::{FaultKind, Phase, Retry, Secret};
use causeway::remote::{contract, open, open_or_create};

use super::{context, path};
use crate::support::apache::{Apache, Door};
use crate::support::scripted_http::{Act, ScriptedHttp, answer};

#[tokio::test(flavor = "multi_thread")]
async fn digest_keeps_the_password_to_itself() {
    let apache = Apache::start(Door::Digest);
    let remote = open_or_create(&apache.endpoint(), &context()).await.unwrap();
    contract::check(&remote, true).await.unwrap();
    remote.close().await;
    let asked = apache.asked();
    assert_eq!(asked.lines().filter(|line| line.ends_with("401")).count(), 1, "one question for a login: {asked}");
}

/// Servers lock accounts after some wrong passwords: one was enough to know.
#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_sent_once() {
    for door in [Door::Basic, Door::Digest, Door::Tls] {
        let apache = Apache::start(door);
        let mut endpoint = apache.endpoint();
        endpoint.password = Some(Secret::new("wrong"));
        let Err(fault) = open(&endpoint, &context()).await else { panic!("{door:?}") };
        assert_eq!((fault.phase, fault.kind, fault.retry), (Phase::Login, FaultKind::Auth, Retry::Never), "{fault}");
        assert!(!fault.to_string().contains("wrong"), "{fault}");
        let asked = apache.asked();
        assert_eq!(asked.lines().count(), 2, "{door:?}: without a login, and with it: {asked}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_spoken_is_said() {
    let server = ScriptedHttp::start().await;
    server.on("PROPFIND", Act::Say(answer("401 Unauthorized", "WWW-Authenticate: Negotiate\r\n", "")));
    let Err(fault) = open(&server.endpoint(), &context()).await else { panic!("it came in") };
    assert!(fault.kind == FaultKind::Auth && fault.message.contains("asks for negotiate"), "{fault}");
    assert_eq!(server.heard().len(), 1, "no password went out");
    assert!(!server.heard()[0].to_ascii_lowercase().contains("authorization"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_nobody_knows_is_told_with_its_fingerprint() {
    let apache = Apache::start(Door::Tls);
    let mut endpoint = apache.endpoint();
    endpoint.options.ca_file = None;
    let Err(fault) = open(&endpoint, &context()).await else { panic!("it came in") };
    assert_eq!((fault.phase, fault.kind), (Phase::Tls, FaultKind::Tls));
    let pin = fault.message.split('"').nth(1).unwrap().to_owned();
    endpoint.options.pin = Some(pin);
    let remote = open(&endpoint, &context()).await.unwrap();
    assert!(remote.stat(&path("nothing")).await.unwrap().is_none());
    assert!(apache.asked().lines().all(|line| line.starts_with("HTTP/2.0 ")), "{}", apache.asked());
}

/// A new nonce every few requests is no refusal.
#[tokio::test(flavor = "multi_thread")]
async fn a_nonce_that_grew_old_is_renewed() {
    let apache = Apache::start_with(Door::Digest, &["AuthDigestNonceLifetime 1"]);
    let remote = open(&apache.endpoint(), &context()).await.unwrap();
    for _ in 0..3 {
        tokio::time::sleep(std::time::Duration::from_millis(1_300)).await;
        assert!(remote.stat(&path("nothing")).await.unwrap().is_none());
    }
    let refused = apache.asked().lines().filter(|line| line.ends_with("401")).count();
    assert!(refused >= 3, "the nonce never grew old: {}", apache.asked());
}
