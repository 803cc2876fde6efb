//! Odd replies on the control connection, played by the scripted server.

use std::time::{Duration, Instant};

use causeway::model::{Deadlines, FaultKind, Phase, Retry};

use super::{calm, context, enter, open_with, path, refused, try_content, try_listing};
use crate::support::scripted::{Act, Script, pause, say};

fn short() -> Duration {
    Duration::from_millis(700)
}

fn one() -> Script {
    Script::new().file("/a", "content of a")
}

#[tokio::test]
async fn a_greeting_that_waits_in_pieces_and_looks_like_replies_inside() {
    let greeting = [
        say("120 ready in a moment\r\n"),
        pause(50),
        say("220-welcome\n230 users were here\n220-421 is a number\n  220 indented\n22"),
        pause(50),
        say("0 go"),
        pause(50),
        say(" on\n"),
    ];
    let server = one().on("", greeting).start().await;
    let remote = enter(&server).await;
    assert_eq!(try_content(&*remote, "a", 0).await.unwrap(), b"content of a");
    assert_eq!(server.sessions(), 1);
}

#[tokio::test]
async fn a_login_may_be_superfluous_or_need_what_we_do_not_have() {
    for (cue, reply) in
        [("PASS", "202 superfluous\r\n"), ("USER", "230 no password here\r\n"), ("USER", "232 known\r\n")]
    {
        let server = one().on(cue, [say(reply)]).start().await;
        enter(&server).await;
        assert_eq!(server.count("PASS"), usize::from(cue == "PASS"), "{reply}");
    }
    for cue in ["USER", "PASS"] {
        let server = one().on(cue, [say("332 need account for login\r\n")]).start().await;
        let fault = refused(&server, calm()).await;
        assert_eq!((fault.kind, fault.retry), (FaultKind::Auth, Retry::Never), "{fault:?}");
        assert!(fault.message.contains("ACCT"), "{fault}");
        assert_eq!(server.count("ACCT"), 0);
    }
}

#[tokio::test]
async fn replies_come_with_bare_line_feeds_and_telnet_marks() {
    let server = one()
        .on("TYPE", [say("200 ok\n")])
        .on("SIZE", [say(b"\xff\xfb\x01213 12\n")])
        .on(
            "RETR",
            [
                say("150-opening\n 226 is how it will end\n150 now\n"),
                Act::Data(b"content of a".to_vec()),
                Act::EndData,
                say("226-\n426 bytes saved\n226 done\n"),
            ],
        )
        .start()
        .await;
    let remote = enter(&server).await;
    assert_eq!(try_content(&*remote, "a", 0).await.unwrap(), b"content of a");
    assert_eq!(server.sessions(), 1);
}

#[tokio::test]
async fn stray_and_doubled_replies_shift_nothing() {
    let retr = [
        say("150 now\r\n"),
        Act::Data(b"content of a".to_vec()),
        Act::EndData,
        say("226 done\r\n226 done\r\n"),
        pause(30),
        say("226 done, really\r\n"),
    ];
    let server = one().file("/b", "b").once("RETR", retr).start().await;
    let remote = enter(&server).await;
    assert_eq!(try_content(&*remote, "a", 0).await.unwrap(), b"content of a");
    assert_eq!(remote.stat(&path("a")).await.unwrap().unwrap().size, Some(12));
    assert_eq!(try_content(&*remote, "b", 0).await.unwrap(), b"b");
    assert_eq!(try_listing(&*remote, "").await.unwrap().0.len(), 2);
    assert_eq!(server.sessions(), 1, "the session was in order all the time");
}

#[tokio::test]
async fn a_session_whose_replies_are_out_of_step_is_left() {
    // The answer to CWD comes twice, and the second one late: every later answer would belong to the
    // command before.
    let server = Script::new()
        .file("/d/a", "aa")
        .file("/d/b", "bbbb")
        .once("FEAT", [say("502 no\r\n")])
        .once("SIZE /d/a", [say("250 directory changed\r\n"), pause(30), Act::Usual])
        .start()
        .await;
    let remote = enter(&server).await;
    let first = remote.stat(&path("d/a")).await;
    assert!(first.as_ref().is_err_and(|f| f.kind == FaultKind::Protocol), "{first:?}");
    assert_eq!(remote.stat(&path("d/b")).await.unwrap().unwrap().size, Some(4));
    assert_eq!(remote.stat(&path("d/a")).await.unwrap().unwrap().size, Some(2));
    assert_eq!(server.sessions(), 2);
}

#[tokio::test]
async fn a_limit_is_told_in_many_words_and_never_taken_for_a_bad_password() {
    for (cue, reply) in [
        ("", "421 There are too many connections from your internet address.\r\n"),
        ("", "421 50 users (the maximum) are already logged in, sorry\r\n"),
        ("", "530 Server is full, no more connections\r\n"),
        ("USER", "530 Sorry, the maximum number of clients (3) for this user are already connected.\r\n"),
        ("PASS", "530 No more sessions for you\r\n"),
        ("PASS", "421 Too many users logged in\r\n"),
        ("PASS", "550 Too many clients\r\n"),
    ] {
        let server = one().once(cue, [say(reply), Act::Close]).start().await;
        let fault = refused(&server, calm()).await;
        assert_eq!((fault.kind, fault.retry), (FaultKind::Limit, Retry::Later), "{reply}: {fault:?}");
        // Nothing was learned against the password: the next try logs in.
        enter(&server).await;
    }
}

#[tokio::test]
async fn a_limit_met_in_a_transfer_lowers_what_is_used() {
    for reply in [
        "425 Too many connections, try again later\r\n",
        "426 Too many connections\r\n",
        "421 Too many connections (8) from this IP\r\n",
        "550 No more connections allowed for this user\r\n",
    ] {
        let server = one().once("RETR", [say(reply), Act::Close]).start().await;
        let remote = enter(&server).await;
        let before = remote.capabilities().parallel;
        let fault = remote.read(&path("a"), 0, None).await.err().expect("read");
        assert_eq!((fault.kind, fault.retry), (FaultKind::Limit, Retry::Later), "{reply}: {fault:?}");
        assert!(remote.capabilities().parallel < before, "{reply}");
        assert_eq!(try_content(&*remote, "a", 0).await.unwrap(), b"content of a");
    }
}

#[tokio::test]
async fn a_wrong_password_is_said_once() {
    let server = one().on("PASS", [say("530 Login incorrect.\r\n")]).start().await;
    let fault = refused(&server, calm()).await;
    assert_eq!((fault.kind, fault.retry), (FaultKind::Auth, Retry::Never), "{fault:?}");
    assert_eq!(server.count("PASS"), 1);

    // It was right, and was changed while we were there: also then one try, not one for each connection.
    let server = one().once("PASS", [say("230 welcome\r\n")]).on("PASS", [say("530 Login incorrect.\r\n")]);
    let server = server.on("RETR", [say("150 now\r\n"), Act::Close]).start().await;
    let remote = enter(&server).await;
    for _ in 0..5 {
        try_content(&*remote, "a", 0).await.unwrap_err();
    }
    let fault = try_content(&*remote, "a", 0).await.unwrap_err();
    assert_eq!((fault.kind, fault.retry), (FaultKind::Auth, Retry::Never), "{fault:?}");
    assert_eq!(server.count("PASS"), 2);
}

#[tokio::test]
async fn a_farewell_between_two_commands_costs_a_new_session_only() {
    let server =
        one().once("TYPE", [Act::Usual, pause(20), say("421 Idle too long, bye\r\n"), Act::Close]).start().await;
    let remote = enter(&server).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(try_content(&*remote, "a", 0).await.unwrap(), b"content of a");
    assert_eq!(server.sessions(), 2);
}

#[tokio::test]
async fn a_farewell_as_an_answer_is_tried_again() {
    for cue in ["EPSV", "MLST", "RETR", "SIZE"] {
        let server = one().once(cue, [say("421 Service shutting down\r\n"), Act::Close]).start().await;
        let remote = enter(&server).await;
        if let Err(fault) = try_content(&*remote, "a", 0).await {
            assert_eq!((fault.kind, fault.retry), (FaultKind::ClosedEarly, Retry::Now), "{cue}: {fault:?}");
        }
        if let Err(fault) = remote.stat(&path("a")).await {
            assert_eq!((fault.kind, fault.retry), (FaultKind::ClosedEarly, Retry::Now), "{cue}: {fault:?}");
        }
        assert_eq!(try_content(&*remote, "a", 0).await.unwrap(), b"content of a", "{cue}");
    }
}

#[tokio::test]
async fn silence_ends_at_its_deadline() {
    let started = Instant::now();
    let server = one().on("", [Act::Hang]).start().await;
    let fault = refused(&server, Deadlines { banner: short(), ..calm() }).await;
    assert_eq!((fault.phase, fault.kind), (Phase::Banner, FaultKind::Timeout), "{fault:?}");

    let server = one().on("PWD", [say("257-\"/\" or\r\n"), Act::Hang]).start().await;
    let fault = refused(&server, Deadlines { command: short(), ..calm() }).await;
    assert_eq!((fault.phase, fault.kind, fault.retry), (Phase::Command, FaultKind::Timeout, Retry::Now), "{fault:?}");

    // After a missed answer the session is left: the answer may still come, and would be taken for the next.
    let server = one().once("MLST", [pause(1000), Act::Usual]).start().await;
    let deadlines = Deadlines { command: short(), ..calm() };
    let remote = open_with(&server.endpoint(), &context(), deadlines).await.unwrap();
    assert_eq!(remote.stat(&path("a")).await.unwrap_err().kind, FaultKind::Timeout);
    assert_eq!(remote.stat(&path("a")).await.unwrap().unwrap().size, Some(12));
    assert_eq!(server.sessions(), 2);
    assert!(started.elapsed() < Duration::from_secs(8));
}

#[tokio::test]
async fn what_is_no_ftp_is_refused_without_reading_it_all() {
    for greeting in
        [b"SSH-2.0-OpenSSH_9.2\r\n".to_vec(), vec![b'x'; 300_000], [b"220-".to_vec(), vec![b'x'; 300_000]].concat()]
    {
        let server = one().on("", [Act::Say(greeting), Act::Hang]).start().await;
        let fault = refused(&server, calm()).await;
        assert_eq!((fault.phase, fault.kind), (Phase::Banner, FaultKind::Protocol), "{fault:?}");
        assert!(fault.message.len() < 300, "{fault}");
    }
    // Lines that are short, but without end.
    let endless = "220-again\r\n".repeat(200_000);
    let server = one().on("", [say(endless), Act::Hang]).start().await;
    assert_eq!(refused(&server, calm()).await.kind, FaultKind::Protocol);
}

#[tokio::test]
async fn bytes_of_names_are_doubled_where_telnet_would_eat_them() {
    let server = Script::new().file(b"/y\xff\xffz\xff", "odd").file(b"/\xd6\xd0\xce\xc4", "gbk").start().await;
    let remote = enter(&server).await;
    let name = causeway::model::RelPath::new(b"y\xff\xffz\xff").unwrap();
    let mut source = remote.read(&name, 0, None).await.unwrap();
    assert_eq!(source.next().await.unwrap().unwrap().as_ref(), b"odd");
    assert!(server.heard().contains(&b"RETR /y\xff\xff\xff\xffz\xff\xff".to_vec()));
    let (found, completeness) = try_listing(&*remote, "").await.unwrap();
    assert!(completeness.is_proven() && found.iter().any(|e| e.name.as_bytes() == b"\xd6\xd0\xce\xc4"), "{found:?}");
}

#[tokio::test]
async fn a_password_that_the_server_repeats_is_not_shown() {
    let server = one().on("PASS", [say("500 'PASS open-sesame': command not understood\r\n")]).start().await;
    let fault = refused(&server, calm()).await;
    let told = format!("{fault} {fault:?}");
    assert!(!told.contains("open-sesame") && told.contains("500"), "{told}");
}
