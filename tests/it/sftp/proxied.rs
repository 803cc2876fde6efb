//! Behind a proxy that says in a PROXY header whose connection it passes on: HAProxy, and headers made by hand.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Command, Output};
use std::sync::Arc;
use std::time::{Duration, Instant};

use causeway::audit::{AuditLog, Event, Filter};
use causeway::model::SystemClock;
use causeway::net::AdmissionLimits;
use causeway::reliability::What;
use causeway::serve::sftp::Settings;

use super::door::{Fixture, PASSWORD, bad, good, run};
use crate::support::haproxy::HaProxy;

/// A door that trusts these proxies.
fn door(proxies: &[&str]) -> Fixture {
    door_for(1, proxies)
}

/// With so many connections of one address.
fn door_for(per_address: usize, proxies: &[&str]) -> Fixture {
    let proxies = proxies.iter().map(|proxy| proxy.parse().unwrap()).collect();
    let limits = AdmissionLimits { total: 100, per_address };
    Fixture::with(&Settings { proxies, connections: limits, strangers: limits, ..Settings::default() })
}

/// OpenSSH's `sftp` from 127.0.0.2, to another port of this machine.
fn sftp(port: u16, password: &str) -> Output {
    let mut command = Command::new("sshpass");
    command.args(["-p", password, "sftp", "-q", "-oStrictHostKeyChecking=no", "-oUserKnownHostsFile=/dev/null"]);
    command.args(["-oPubkeyAuthentication=no", "-oBatchMode=no", "-oBindAddress=127.0.0.2", "-b", "-"]);
    // One question only: the client, whom sshpass leaves at a second one, sometimes answers it with nothing as it goes.
    command.args(["-oPreferredAuthentications=password", "-oNumberOfPasswordPrompts=1"]);
    command.args([&format!("-oPort={port}"), "anna@127.0.0.1"]);
    run(command, Some("pwd\n"), Duration::from_secs(60))
}

/// A header of version 2 with the command PROXY, over TCP.
fn header(source: [u8; 4]) -> Vec<u8> {
    let block = [&source[..], &[198, 51, 100, 1], &[0xc3, 0x50, 0, 22]].concat();
    [&b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c"[..], &block].concat()
}

/// Connects and sends these bytes; returns the connection and the greeting, empty when the door hangs up.
fn greeted(f: &Fixture, bytes: &[u8]) -> (TcpStream, String) {
    let mut socket = TcpStream::connect(f.address).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    socket.write_all(bytes).unwrap();
    let (mut said, mut byte) = (Vec::new(), [0]);
    while matches!(socket.read(&mut byte), Ok(1)) && byte != *b"\n" {
        said.push(byte[0]);
    }
    (socket, String::from_utf8(said).unwrap().trim().to_owned())
}

fn peers(f: &Fixture) -> Vec<String> {
    let log = AuditLog::new(f.db.clone(), Arc::new(SystemClock));
    let page = f.runtime().block_on(log.page(&Filter::default())).unwrap();
    let peer = |event| match event {
        Event::LoginSucceeded { peer, .. } | Event::LoginFailed { peer, .. } => Some(peer),
        _ => None,
    };
    page.into_iter().filter_map(|record| peer(record.event?)).collect()
}

#[test]
fn the_address_that_haproxy_tells_is_the_clients() {
    // One login may begin before the door has seen the last one leave.
    let f = door_for(4, &["127.0.0.1"]);
    for words in ["send-proxy-v2 check inter 100ms", "send-proxy"] {
        let proxy = HaProxy::start(f.address, words);
        good(&sftp(proxy.port, PASSWORD));
        bad(&sftp(proxy.port, "wrong"));
        assert!(!proxy.words().contains("DOWN"), "its own look is answered: {}", proxy.words());
    }
    let peers = peers(&f);
    assert_eq!(peers.len(), 4, "{peers:?}");
    assert!(peers.iter().all(|peer| peer.starts_with("127.0.0.2:")), "{peers:?}");
}

#[test]
fn limits_are_those_of_the_address_behind_the_proxy() {
    let f = door(&["127.0.0.0/8"]);
    let (one, said) = greeted(&f, &header([192, 0, 2, 1]));
    assert_eq!(said, "SSH-2.0-Causeway");
    assert_eq!(greeted(&f, &header([192, 0, 2, 1])).1, "", "it has its share");
    assert_eq!(greeted(&f, &header([192, 0, 2, 2])).1, "SSH-2.0-Causeway");
    drop(one);
    f.eventually("the place is free", || !greeted(&f, &header([192, 0, 2, 1])).1.is_empty());
}

#[test]
fn a_proxy_must_say_whose_connection_it_is() {
    let f = door(&["127.0.0.1"]);
    let damaged = [&b"\r\n\r\n\0\r\nQUIT\n\x31\x11\0\x0c"[..], &[0; 12]].concat();
    for bytes in [&b"SSH-2.0-Client\r\n"[..], b"PROXY TCP4 1 2 3 4\r\n", &damaged] {
        assert_eq!(greeted(&f, bytes).1, "", "{bytes:?}");
    }
    let begin = Instant::now();
    assert_eq!(greeted(&f, b"PROXY TCP4 ").1, "", "half a header");
    assert!(begin.elapsed() < Duration::from_secs(25), "it was not waited for as long as for a login");
    good(&sftp(f.address.port(), PASSWORD));
}

#[test]
fn from_others_no_header_is_read() {
    for proxies in [&[][..], &["10.0.0.0/8", "127.0.0.9", "::1"]] {
        let f = door(proxies);
        let proxy = HaProxy::start(f.address, "send-proxy-v2");
        bad(&sftp(proxy.port, PASSWORD));
        assert!(peers(&f).is_empty());
        good(&f.sftp("anna", &[], "pwd\n"));
    }
}

#[test]
fn a_proxy_that_only_looks_is_answered_and_not_counted() {
    let mut f = door(&["127.0.0.1"]);
    let (mut look, said) = greeted(&f, b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0");
    assert_eq!(said, "SSH-2.0-Causeway");
    look.write_all(b"no ssh\r\n").unwrap();
    let mut rest = Vec::new();
    let _ = look.read_to_end(&mut rest);
    let proxy = HaProxy::start(f.address, "send-proxy-v2");
    good(&sftp(proxy.port, PASSWORD));
    let mut setups = Vec::new();
    let end = Instant::now() + Duration::from_secs(10);
    while !setups.contains(&true) && Instant::now() < end {
        while let Ok(seen) = f.observations.try_recv() {
            if let What::Connection { setup, .. } = seen.what {
                setups.push(setup.is_some());
            }
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    // HAProxy::start connects once to see that it listens, and leaves; the login is the last.
    assert!(setups.ends_with(&[true]) && setups.len() <= 2, "{setups:?}");
}
