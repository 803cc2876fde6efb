//! Data connections and transfers that go their own ways, played by the scripted server.

use std::time::Duration;

use causeway::model::{Deadlines, Endpoint, Fault, FaultKind, Phase, Retry};

use super::{calm, context, enter, open_with, path, try_content, try_listing};
use crate::support::scripted::{Act, Script, Scripted, data, pause, say};

fn short() -> Duration {
    Duration::from_millis(700)
}

fn one() -> Script {
    Script::new().file("/a", "content of a")
}

async fn read_with(server: &Scripted, deadlines: Deadlines) -> Result<Vec<u8>, Fault> {
    let remote = open_with(&server.endpoint(), &context(), deadlines).await.unwrap();
    try_content(&*remote, "a", 0).await
}

#[tokio::test]
async fn passive_addresses_come_in_many_shapes() {
    for (cue, reply) in [
        ("EPSV", "229 Extended (|||%P|)\r\n"),
        ("EPSV", "229 Extended (!!!%P!)\r\n"),
        ("EPSV", "229-Extended\r\n229 mode ok (###%P#).\r\n"),
        ("EPSV", "229 Entering Extended Passive Mode |||%P|\r\n"),
        ("EPSV", "229 ok (|1|10.1.2.3|%P|)\r\n"),
        ("PASV", "227 Entering Passive Mode (127,0,0,1,%H).\r\n"),
        ("PASV", "227 Entering Passive Mode 127,0,0,1,%H\r\n"),
        ("PASV", "227 =127,0,0,1,%H\r\n"),
        ("PASV", "227 Passive ( 127, 0 , 0, 1, %H )\r\n"),
        ("PASV", "227 Mode 2 it is (127,0,0,1,%H)\r\n"),
        // A server behind a router announces an address of its inner network: never used.
        ("PASV", "227 Entering Passive Mode (192,0,2,77,%H)\r\n"),
        ("PASV", "227 Entering Passive Mode (0,0,0,0,%H)\r\n"),
    ] {
        let script = one().on(cue, [Act::Listen, say(reply)]);
        let script = if cue == "PASV" { script.on("EPSV", [say("500 what\r\n")]) } else { script };
        let server = script.start().await;
        let remote = enter(&server).await;
        for _ in 0..2 {
            assert_eq!(try_content(&*remote, "a", 0).await.unwrap(), b"content of a", "{reply}");
        }
        // That EPSV does not work is remembered; what works is asked for ahead of the next transfer.
        assert_eq!(server.count("EPSV"), if cue == "PASV" { 1 } else { 3 }, "{reply}");
        assert_eq!(server.sessions(), 1, "{reply}");
    }
}

#[tokio::test]
async fn a_passive_answer_without_an_address_is_a_fault_and_no_guess() {
    for reply in ["227 Entering Passive Mode\r\n", "227 (127,0,0,1,300,1)\r\n", "227 (127,0,0,1,0,0)\r\n"] {
        let server = one().on("EPSV", [say("502 no\r\n")]).on("PASV", [say(reply)]).start().await;
        let fault = read_with(&server, calm()).await.unwrap_err();
        assert_eq!((fault.phase, fault.kind), (Phase::DataConnect, FaultKind::Protocol), "{reply}: {fault:?}");
    }
}

#[tokio::test]
async fn a_data_port_that_refuses_is_asked_for_again() {
    // EPSV's port is closed, PASV's is open.
    let server = one().on("EPSV", [Act::Listen, say("229 (|||%P|)\r\n"), Act::Refuse]).start().await;
    let remote = enter(&server).await;
    // The answer names the port before it is closed, so the first try may still get in.
    let _ = try_content(&*remote, "a", 0).await;
    let read = try_content(&*remote, "a", 0).await;
    if let Err(fault) = &read {
        assert!(matches!(fault.retry, Retry::Now | Retry::Later), "{fault:?}");
    }
    let closed = one().on("EPSV", [Act::Listen, Act::Refuse, say("229 (|||%P|)\r\n")]).start().await;
    let remote = enter(&closed).await;
    // One port that does not open may be a lost packet; three are a rule.
    for _ in 0..5 {
        assert_eq!(try_content(&*remote, "a", 0).await.unwrap(), b"content of a");
    }
    assert_eq!((closed.count("EPSV"), closed.count("PASV"), closed.sessions()), (3, 6, 1));

    let both = [Act::Listen, Act::Refuse, say("229 (|||%P|)\r\n")];
    let pasv = [Act::Listen, Act::Refuse, say("227 (127,0,0,1,%H)\r\n")];
    let server = one().times(2, "EPSV", both).times(2, "PASV", pasv).start().await;
    let remote = enter(&server).await;
    let fault = try_content(&*remote, "a", 0).await.unwrap_err();
    assert_eq!((fault.phase, fault.kind), (Phase::DataConnect, FaultKind::Refused), "{fault:?}");
    assert_ne!(fault.retry, Retry::Never);
}

#[tokio::test]
async fn the_server_cannot_open_its_data_connection() {
    let server = one().once("RETR", [say("425 Can't open data connection\r\n")]).start().await;
    let remote = enter(&server).await;
    let fault = try_content(&*remote, "a", 0).await.unwrap_err();
    assert_eq!((fault.kind, fault.retry), (FaultKind::Refused, Retry::Now), "{fault:?}");
    assert_eq!(try_content(&*remote, "a", 0).await.unwrap(), b"content of a");
}

#[tokio::test]
async fn the_closing_word_may_come_early_twice_or_alone() {
    let early =
        [say("150 now\r\n226 done already\r\n"), pause(50), data("content "), pause(50), data("of a"), Act::EndData];
    let alone = [say("226 done already\r\n"), data("content of a"), Act::EndData];
    let glued = [data("content of a"), Act::EndData, pause(50), say("150 now\r\n226 done\r\n226 done\r\n")];
    for acts in [early.to_vec(), alone.to_vec(), glued.to_vec()] {
        let server = one().on("RETR", acts).start().await;
        let remote = enter(&server).await;
        for _ in 0..3 {
            assert_eq!(try_content(&*remote, "a", 0).await.unwrap(), b"content of a");
        }
        assert_eq!(server.sessions(), 1);
    }
}

#[tokio::test]
async fn an_early_226_proves_nothing() {
    // 226 is said, then the data connection breaks off, orderly or not.
    for end in [Act::EndData, Act::ResetData] {
        let server = one().on("RETR", [say("150 now\r\n226 done\r\n"), data("content"), pause(50), end]).start().await;
        let read = read_with(&server, calm()).await;
        // A clean end is only as good as the size, which is compared one floor higher.
        if let Ok(content) = read {
            assert_eq!(content, b"content");
        } else {
            assert_eq!(read.unwrap_err().kind, FaultKind::Reset);
        }
    }
}

#[tokio::test]
async fn without_the_closing_word_the_size_decides() {
    let deadlines = Deadlines { closing: short(), ..calm() };
    for end in [Act::Hang, Act::Close, Act::Reset] {
        let whole =
            one().once("RETR", [say("150 now\r\n"), data("content of a"), Act::EndData, end.clone()]).start().await;
        assert_eq!(read_with(&whole, deadlines).await.unwrap(), b"content of a", "{end:?}");
        assert_eq!(whole.count("RETR"), 1, "nothing is sent again");
        assert_eq!(whole.count("SIZE"), 1);
        let cut = one().once("RETR", [say("150 now\r\n"), data("content"), Act::EndData, end.clone()]).start().await;
        let fault = read_with(&cut, deadlines).await.unwrap_err();
        assert_eq!(
            (fault.phase, fault.kind, fault.retry),
            (Phase::Finish, FaultKind::ClosedEarly, Retry::Now),
            "{fault:?}"
        );
        assert_eq!(fault.evidence.bytes, Some(7));
        // A server that does not tell sizes proves nothing.
        let mute = one().once("RETR", [say("150 now\r\n"), data("content of a"), Act::EndData, end]);
        let mute = mute.on("SIZE", [say("502 no\r\n")]).start().await;
        assert_eq!(read_with(&mute, deadlines).await.unwrap_err().kind, FaultKind::ClosedEarly);
    }
}

#[tokio::test]
async fn a_transfer_that_breaks_says_how_far_it_came() {
    for (end, kind) in [
        (vec![Act::ResetData, say("426 Connection closed; transfer aborted\r\n")], FaultKind::Reset),
        (vec![Act::EndData, say("426 Connection closed; transfer aborted\r\n")], FaultKind::ClosedEarly),
        (vec![Act::EndData, say("451 Read error\r\n")], FaultKind::Io),
        (vec![Act::EndData, say("421 Timeout\r\n"), Act::Close], FaultKind::ClosedEarly),
        (vec![Act::KeepData], FaultKind::Stalled),
    ] {
        let acts = [vec![say("150 now\r\n"), data("content"), pause(50)], end].concat();
        let server = one().once("RETR", acts).start().await;
        let remote = open_with(&server.endpoint(), &context(), Deadlines { stall: short(), ..calm() }).await.unwrap();
        let fault = try_content(&*remote, "a", 0).await.unwrap_err();
        assert_eq!((fault.kind, fault.evidence.bytes), (kind, Some(7)), "{fault:?}");
        assert_ne!(fault.retry, Retry::Never, "{fault:?}");
        // The session is not used again, and the next transfer works.
        assert_eq!(try_content(&*remote, "a", 0).await.unwrap(), b"content of a");
        assert_eq!(server.sessions(), 2);
    }
}

#[tokio::test]
async fn a_server_that_gave_up_is_heard_although_its_end_of_the_data_never_came() {
    let minutes = Deadlines { stall: Duration::from_secs(300), ..calm() };
    for (last, kind) in [
        (vec![say("426 Failure writing network stream.\r\n")], FaultKind::ClosedEarly),
        (vec![say("451 Read error\r\n")], FaultKind::Io),
    ] {
        let acts = [vec![say("150 now\r\n"), data("content"), Act::KeepData], last].concat();
        let server = one().once("RETR", acts).start().await;
        let heard = tokio::time::timeout(Duration::from_secs(30), read_with(&server, minutes)).await;
        let fault = heard.expect("long before its deadline").unwrap_err();
        assert_eq!((fault.kind, fault.evidence.bytes), (kind, Some(7)), "{fault:?}");
    }
}

#[tokio::test]
async fn a_data_connection_that_never_speaks_ends_at_its_deadline() {
    let deadlines = Deadlines { stall: short(), listing: short(), ..calm() };
    let server = one().on("RETR", [say("150 now\r\n"), Act::KeepData]).on("MLSD", [say("150 now\r\n")]).start().await;
    let remote = open_with(&server.endpoint(), &context(), deadlines).await.unwrap();
    let fault = try_content(&*remote, "a", 0).await.unwrap_err();
    assert_eq!(
        (fault.phase, fault.kind, fault.evidence.bytes),
        (Phase::Transfer, FaultKind::Stalled, Some(0)),
        "{fault:?}"
    );
    // The port was opened, nobody ever served it.
    let fault = try_listing(&*remote, "").await.unwrap_err();
    assert_eq!((fault.phase, fault.kind), (Phase::List, FaultKind::Stalled), "{fault:?}");
}

#[tokio::test]
async fn an_empty_file_may_have_no_data_connection_at_all() {
    let server = Script::new().file("/a", "").on("RETR", [Act::Refuse, say("226 nothing to send\r\n")]).start().await;
    assert!(read_with(&server, calm()).await.unwrap().is_empty());
}

#[tokio::test]
async fn restart_is_asked_for_directly_before_its_file() {
    let server = one().start().await;
    let remote = enter(&server).await;
    assert_eq!(try_content(&*remote, "a", 8).await.unwrap(), b"of a");
    assert_eq!(try_content(&*remote, "a", 0).await.unwrap(), b"content of a");
    let heard = server.heard();
    let rest = heard.iter().position(|line| line == b"REST 8").unwrap();
    assert_eq!(heard[rest + 1], b"RETR /a");

    // The file is refused after REST: the session is not used again, it would begin the next file there.
    let server = one().once("RETR", [say("450 busy\r\n")]).start().await;
    let remote = enter(&server).await;
    try_content(&*remote, "a", 8).await.unwrap_err();
    assert_eq!(try_content(&*remote, "a", 0).await.unwrap(), b"content of a");
    assert_eq!(server.sessions(), 2);
}

#[tokio::test]
async fn a_server_that_refuses_restart_is_believed_and_not_asked_again() {
    for reply in ["502 not implemented\r\n", "500 what\r\n", "501 not here\r\n", "504 no\r\n"] {
        let server = one().on("REST", [say(reply)]).start().await;
        let remote = enter(&server).await;
        assert!(remote.capabilities().resume_read);
        let fault = try_content(&*remote, "a", 8).await.unwrap_err();
        assert_eq!(fault.retry, Retry::Now, "{reply}: {fault:?}");
        assert!(!remote.capabilities().resume_read, "{reply}");
        assert_eq!(try_content(&*remote, "a", 0).await.unwrap(), b"content of a");
    }
}

#[tokio::test]
async fn written_bytes_are_counted_and_a_refusal_is_heard() {
    let server = one()
        .once("STOR", [say("150 go on\r\n"), pause(100), Act::ResetData, say("552 quota exceeded\r\n")])
        .start()
        .await;
    let remote = enter(&server).await;
    let mut sink = remote.write(&path("b"), 0).await.unwrap();
    let chunk = bytes::Bytes::from(vec![1_u8; 1 << 20]);
    let fault = loop {
        if let Err(fault) = sink.write(chunk.clone()).await {
            break fault;
        }
    };
    assert_eq!(fault.kind, FaultKind::DiskFull, "{fault:?}");
}

#[tokio::test]
async fn the_announced_address_is_used_only_when_told_so() {
    let server = one().on("EPSV", [say("500 what\r\n")]);
    let server = server.on("PASV", [Act::Listen, say("227 (127,99,99,99,%H)\r\n")]).start().await;
    let mut endpoint: Endpoint = server.endpoint();
    endpoint.options.trust_pasv_address = true;
    let remote = open_with(&endpoint, &context(), Deadlines { connect: short(), ..calm() }).await.unwrap();
    let fault = try_content(&*remote, "a", 0).await.unwrap_err();
    assert_eq!(fault.phase, Phase::DataConnect, "{fault:?}");
    assert!(fault.message.contains("127.99.99.99"), "{fault}");
}
