//! Small files over connections that the server opens: what wins that rung, what loses it, and what is owed meanwhile.

use std::sync::Arc;
use std::time::Duration;

use causeway::model::{Entry, Fault, FaultKind};
use causeway::remote::{Remote, Source};

use super::{calm, context, open_with, path};
use crate::support::scripted::{Act, Script, Scripted, data, pause, say};

/// So many small files come by chains before the server is asked to connect to us.
const PROVEN: usize = 16;

fn script() -> Script {
    Script::new().file("/a", "content of a").file("/b", "content of b").file("/c", "content of c")
}

/// One connection, and nothing read yet.
async fn enter(server: &Scripted) -> Arc<dyn Remote> {
    let mut endpoint = server.endpoint();
    endpoint.options.connections = Some(1);
    // On one machine it is not done unasked.
    endpoint.options.active = Some(true);
    open_with(&endpoint, &context(), calm()).await.unwrap()
}

async fn open(remote: &dyn Remote, name: &str) -> Result<Box<dyn Source>, Fault> {
    remote.read(&path(name), 0, Some(12)).await
}

/// All bytes of an open file, but not its end.
async fn bytes(source: &mut Box<dyn Source>) -> Result<Vec<u8>, Fault> {
    let mut all = Vec::new();
    while let Some(some) = source.next().await? {
        all.extend_from_slice(&some);
    }
    Ok(all)
}

async fn read(remote: &dyn Remote, name: &str) -> Result<Option<Entry>, Fault> {
    let mut source = open(remote, name).await?;
    assert_eq!(bytes(&mut source).await?, format!("content of {name}").into_bytes());
    source.finish().await
}

/// As many files as it takes until the next is a probe.
async fn up_to_the_probe(remote: &dyn Remote) {
    for _ in 0..PROVEN {
        read(remote, "a").await.unwrap();
    }
}

#[tokio::test]
async fn small_files_come_over_connections_that_the_server_opens() {
    let server = script().start().await;
    let remote = enter(&server).await;
    up_to_the_probe(&*remote).await;
    assert_eq!(server.count("EPRT"), 0);
    let asked = server.count("EPSV");
    for name in ["a", "b", "c", "a", "b"] {
        let after = read(&*remote, name).await.unwrap();
        assert_eq!(after.and_then(|entry| entry.size), Some(12), "looked at afterwards");
    }
    assert_eq!((server.count("EPRT"), server.count("EPSV"), server.sessions()), (5, asked, 1));
    // What is big or begins in the middle is asked for as before.
    let mut source = remote.read(&path("b"), 8, None).await.unwrap();
    assert_eq!(bytes(&mut source).await.unwrap(), b"of b");
    source.finish().await.unwrap();
    // A port that was asked for before the calls is no longer open: one is asked for now, and one for what may come.
    assert_eq!((server.count("EPRT"), server.count("EPSV"), server.sessions()), (5, asked + 2, 1));
}

#[tokio::test]
async fn a_server_on_this_machine_or_that_may_not_call_is_not_asked_to() {
    for choice in [None, Some(false)] {
        let server = script().start().await;
        let mut endpoint = server.endpoint();
        (endpoint.options.connections, endpoint.options.active) = (Some(1), choice);
        let remote = open_with(&endpoint, &context(), calm()).await.unwrap();
        up_to_the_probe(&*remote).await;
        read(&*remote, "b").await.unwrap();
        assert_eq!(server.count("EPRT"), 0, "{choice:?}");
    }
}

#[tokio::test]
async fn the_next_file_is_asked_for_before_the_last_word_about_this_one() {
    let slow = [say("150 now\r\n"), data("content of b"), Act::EndData, pause(200), say("226 done\r\n")];
    let server = script().on("RETR /b", slow).start().await;
    let remote = enter(&server).await;
    up_to_the_probe(&*remote).await;
    read(&*remote, "a").await.unwrap();
    let mut first = open(&*remote, "b").await.unwrap();
    assert_eq!(bytes(&mut first).await.unwrap(), b"content of b");
    assert!(first.is_off_the_road());
    // Begun, and never looked at again until the second is here: the only connection brings it all the same.
    let mut first = Box::pin(first.finish());
    assert!(futures_util::poll!(&mut first).is_pending());
    let mut second = open(&*remote, "c").await.unwrap();
    assert_eq!(bytes(&mut second).await.unwrap(), b"content of c");
    assert_eq!(first.await.unwrap().and_then(|entry| entry.size), Some(12));
    assert_eq!(second.finish().await.unwrap().and_then(|entry| entry.size), Some(12));
    // A command of its own waits for its turn, too.
    let mut third = open(&*remote, "b").await.unwrap();
    bytes(&mut third).await.unwrap();
    let mut third = Box::pin(third.finish());
    assert!(futures_util::poll!(&mut third).is_pending());
    assert_eq!(remote.stat(&path("c")).await.unwrap().and_then(|entry| entry.size), Some(12));
    assert!(third.await.unwrap().is_some());
    assert_eq!(server.sessions(), 1);
}

#[tokio::test]
async fn a_server_that_does_not_call_back_is_not_asked_again() {
    let refused = script().on("EPRT", [say("500 Illegal PORT command\r\n")]).start().await;
    let unreached = script().times(PROVEN, "RETR", [Act::Usual]).once("RETR", [say("425 cannot connect\r\n")]);
    let unreached = unreached.start().await;
    // A firewall: the server tries for a minute, and nobody says anything.
    let silent = script().times(PROVEN, "RETR", [Act::Usual]).once("RETR", [Act::Hang]).start().await;
    for server in [refused, unreached, silent] {
        let remote = enter(&server).await;
        up_to_the_probe(&*remote).await;
        // The file comes all the same, by another session.
        for _ in 0..=PROVEN {
            read(&*remote, "b").await.unwrap();
        }
        assert_eq!((server.count("EPRT"), server.sessions()), (1, 2));
    }
}

#[tokio::test]
async fn a_probe_that_ends_otherwise_says_nothing_about_the_server() {
    let server = script().times(PROVEN, "RETR", [Act::Usual]).once("RETR", [say("550 gone\r\n")]).start().await;
    let remote = enter(&server).await;
    up_to_the_probe(&*remote).await;
    assert!(read(&*remote, "b").await.is_err());
    for _ in 0..3 {
        read(&*remote, "b").await.unwrap();
    }
    assert_eq!(server.count("EPRT"), 4);
}

#[tokio::test]
async fn a_bad_last_word_reaches_the_file_that_it_is_about() {
    let broken = [say("150 now\r\n"), data("content of b"), Act::EndData, pause(100), say("451 disk error\r\n")];
    let server = script().once("RETR /b", broken).start().await;
    let remote = enter(&server).await;
    up_to_the_probe(&*remote).await;
    read(&*remote, "a").await.unwrap();
    let mut first = open(&*remote, "b").await.unwrap();
    bytes(&mut first).await.unwrap();
    let mut first = Box::pin(first.finish());
    assert!(futures_util::poll!(&mut first).is_pending());
    // The next one lost its session to it, and comes by another.
    let mut second = open(&*remote, "c").await.unwrap();
    assert_eq!(bytes(&mut second).await.unwrap(), b"content of c");
    second.finish().await.unwrap();
    let said = first.await.unwrap_err();
    assert!(said.evidence.code == Some(451) && said.to_string().contains("disk error"), "{said:?}");
    // Never again in that way, and nothing else is lost.
    let asked = server.count("EPRT");
    for name in ["b", "c"] {
        read(&*remote, name).await.unwrap();
    }
    assert_eq!(server.count("EPRT"), asked);
}

#[tokio::test]
async fn an_empty_file_needs_nobody_to_call() {
    let empty = [say("226 it is empty\r\n")];
    let server = script().file("/nothing", "").on("RETR /nothing", empty).start().await;
    let remote = enter(&server).await;
    up_to_the_probe(&*remote).await;
    read(&*remote, "a").await.unwrap();
    let asked = server.count("EPRT");
    let mut source = remote.read(&path("nothing"), 0, Some(0)).await.unwrap();
    assert_eq!(bytes(&mut source).await.unwrap(), b"");
    source.finish().await.unwrap();
    read(&*remote, "a").await.unwrap();
    assert_eq!(server.count("EPRT"), asked + 1, "the empty one was asked for as before, the next is called for");
}

#[tokio::test]
async fn a_second_caller_from_the_servers_address_spoils_the_bytes() {
    let twice = [say("150 now\r\n"), Act::CallAgain, data("content of b"), Act::EndData, say("226 done\r\n")];
    let server = script().on("RETR /b", twice).start().await;
    let remote = enter(&server).await;
    up_to_the_probe(&*remote).await;
    read(&*remote, "a").await.unwrap();
    assert_eq!(read(&*remote, "b").await.unwrap_err().kind, FaultKind::Changed);
    read(&*remote, "c").await.unwrap();
    assert_eq!(server.count("EPRT"), 2, "never again");
}

#[tokio::test]
async fn without_a_last_word_the_size_decides() {
    let silent = [say("150 now\r\n"), data("content of b"), Act::EndData, pause(50), Act::Close];
    let server = script().once("RETR /b", silent.clone()).file("/d", "more than came").once("RETR /d", silent);
    let server = server.start().await;
    let remote = enter(&server).await;
    up_to_the_probe(&*remote).await;
    read(&*remote, "a").await.unwrap();
    read(&*remote, "b").await.unwrap();
    let mut short = open(&*remote, "d").await.unwrap();
    bytes(&mut short).await.unwrap();
    let fault = tokio::time::timeout(Duration::from_secs(20), short.finish()).await.unwrap().unwrap_err();
    assert_eq!(fault.kind, FaultKind::ClosedEarly, "{fault:?}");
}
