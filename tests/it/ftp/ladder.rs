//! Commands that run ahead of replies: what wins a rung, and what loses it.

use std::sync::Arc;

use causeway::model::{FaultKind, RelPath};
use causeway::remote::{Remote, Step};

use super::{calm, context, enter, open_with, path, try_content, try_listing};
use crate::support::scripted::{Act, Script, Scripted, data, say};

/// Without MLST: SIZE, MDTM and LIST, as vsftpd has them.
fn plain() -> Script {
    let features = "211-Features\r\n EPSV\r\n MDTM\r\n REST STREAM\r\n SIZE\r\n211 End\r\n";
    Script::new().file("/a", "content of a").file("/b", "content of b").on("FEAT", [say(features)])
}

fn line(mark: char, name: &str) -> String {
    format!("{mark}rwxr-xr-x 1 0 0 12 May 06 2024 {name}\r\n")
}

/// A folder by LIST or STAT: itself, its parent, and these.
fn lines(entries: &str) -> String {
    line('d', ".") + &line('d', "..") + entries
}

fn list(entries: &str) -> Vec<Act> {
    vec![say("150 now\r\n"), data(lines(entries)), Act::EndData, say("226 done\r\n")]
}

fn stat(entries: &str) -> Vec<Act> {
    vec![say(format!("213-Status follows:\r\n{}213 End of status\r\n", lines(entries)))]
}

/// Two folders in the root, of which STAT was shown to list as LIST does.
async fn trusted(folders: impl Into<Vec<Act>>) -> (Scripted, Arc<dyn Remote>) {
    let root = line('d', "one") + &line('d', "two");
    let script = plain().dir("/one").dir("/two").on("LIST", list(&root)).once("STAT", stat(&root));
    let server = script.on("STAT", folders).start().await;
    let remote = enter(&server).await;
    let (found, _) = try_listing(&*remote, "").await.unwrap();
    assert_eq!(found.len(), 2);
    (server, remote)
}

/// What reading both folders together comes to: for each `Some(names)` that counts, or `None`; fewer where it broke off.
async fn together(remote: &dyn Remote) -> Vec<Option<usize>> {
    let mut listing = remote.list_together(&[path("one"), path("two")]).await.unwrap().expect("not trusted");
    let (mut ends, mut names) = (Vec::new(), 0);
    loop {
        match listing.next().await {
            Ok(Some(Step::Entries(entries))) => names += entries.len(),
            Ok(Some(Step::Whole(listed))) => {
                assert!(listed.is_proven());
                ends.push(Some(std::mem::take(&mut names)));
            }
            Ok(Some(Step::Unclear)) => {
                names = 0;
                ends.push(None);
            }
            Ok(None) | Err(_) => return ends,
        }
    }
}

#[tokio::test]
async fn folders_are_read_together_over_one_connection_that_stays() {
    let (server, remote) = trusted(stat(&(line('-', "a") + &line('-', "b")))).await;
    for _ in 0..3 {
        assert_eq!(together(&*remote).await, [Some(2), Some(2)]);
    }
    assert_eq!((server.sessions(), server.count("LIST")), (1, 1));
}

#[tokio::test]
async fn an_end_that_a_name_wrote_is_no_end() {
    // The name "x\n213 y", in the middle and at the end of its folder.
    let name = line('-', "x") + "213 y\r\n";
    for entries in [name.clone() + &line('-', "hidden"), name] {
        let (_server, remote) = trusted(stat(&entries)).await;
        assert!(together(&*remote).await.iter().all(Option::is_none), "{entries:?}");
    }
}

#[tokio::test]
async fn a_folder_that_cannot_be_entered_shows_nothing_of_another() {
    let root = line('d', "one") + &line('d', "two");
    let script = plain().dir("/two").on("LIST", list(&root)).once("STAT", stat(&root));
    let server = script.on("STAT", stat(&line('-', "a"))).start().await;
    let remote = enter(&server).await;
    try_listing(&*remote, "").await.unwrap();
    assert_eq!(together(&*remote).await, [None, Some(1)]);
}

#[tokio::test]
async fn more_entries_than_were_ever_compared_are_unclear() {
    let many: String = (0..300).map(|n| line('-', &format!("f{n}"))).collect();
    let (_server, remote) = trusted(stat(&many)).await;
    assert_eq!(together(&*remote).await, [None, None]);
}

#[tokio::test]
async fn stat_that_shows_another_folder_than_list_is_not_trusted() {
    let server =
        plain().dir("/one").dir("/two").on("LIST", list(&line('d', "one"))).on("STAT", stat(&line('d', "two")));
    let server = server.start().await;
    let remote = enter(&server).await;
    try_listing(&*remote, "").await.unwrap();
    assert!(remote.list_together(&[path("one"), path("two")]).await.unwrap().is_none());
}

#[tokio::test]
async fn a_server_that_hangs_up_on_stat_is_listed_all_the_same() {
    let server = plain().on("LIST", list(&line('-', "a"))).on("STAT", [Act::Close]).start().await;
    let remote = enter(&server).await;
    let _ = try_listing(&*remote, "").await;
    for _ in 0..2 {
        assert_eq!(try_listing(&*remote, "").await.unwrap().0.len(), 1);
    }
    assert_eq!(server.count("STAT"), 1);
}

#[tokio::test]
async fn batches_that_are_answered_in_another_order_are_given_up() {
    let features = "211-Features\r\n SIZE\r\n211 End\r\n";
    let script = Script::new().file("/a", "content of a").once("FEAT", []);
    let server = script.once("PWD", [say(format!("257 \"/\"\r\n{features}"))]).start().await;
    let remote = enter(&server).await;
    assert_eq!(try_content(&*remote, "a", 0).await.unwrap(), b"content of a");
    // The session that surprised us is not used again.
    assert_eq!(server.sessions(), 2);
    assert!(!remote.capabilities().read_tells, "commands still run ahead");
}

#[tokio::test]
async fn a_login_that_came_too_fast_is_made_again_slowly() {
    let script = plain().once("PASS", [Act::Usual]).once("PASS", [say("530 Please authenticate\r\n230 welcome\r\n")]);
    let server = script.start().await;
    let remote = enter(&server).await;
    // Two files at once want two sessions.
    let first = remote.read(&path("a"), 0, None).await.unwrap();
    assert_eq!(try_content(&*remote, "b", 0).await.unwrap(), b"content of b");
    drop(first);
    assert_eq!((server.count("PASS"), server.sessions()), (3, 3));
}

#[tokio::test]
async fn a_file_that_is_refused_costs_no_login() {
    let server = plain().on("RETR", [say("550 Permission denied\r\n")]).start().await;
    let remote = enter(&server).await;
    for _ in 0..3 {
        assert_eq!(try_content(&*remote, "a", 0).await.unwrap_err().kind, FaultKind::Permission);
    }
    assert_eq!(server.sessions(), 1);
}

#[tokio::test]
async fn answers_that_nobody_heard_are_never_taken_for_those_to_later_questions() {
    let server = plain().once("RETR", [say("550 Permission denied\r\n")]).start().await;
    let remote = enter(&server).await;
    // So small that the questions behind it fly with it.
    let read = |name: &'static str| {
        let remote = Arc::clone(&remote);
        async move { remote.read(&path(name), 0, Some(12)).await }
    };
    assert!(read("a").await.is_err());
    let mut source = read("b").await.unwrap();
    assert_eq!(&source.next().await.unwrap().unwrap()[..], b"content of b");
    assert!(source.next().await.unwrap().is_none());
    assert_eq!(source.finish().await.unwrap().and_then(|entry| entry.size), Some(12));
    assert_eq!(server.sessions(), 2);
}

#[tokio::test]
async fn a_server_that_does_not_bear_questions_behind_a_transfer_is_asked_later() {
    let broken = [say("150 now\r\n"), data("content of a"), Act::EndData, say("426 too hasty\r\n")];
    let server = plain().times(4, "RETR", broken).start().await;
    let remote = enter(&server).await;
    for _ in 0..4 {
        assert!(try_content(&*remote, "a", 0).await.is_err());
    }
    assert!(!remote.capabilities().read_tells, "questions still follow transfers");
    let before = server.heard().len();
    assert_eq!(try_content(&*remote, "a", 0).await.unwrap(), b"content of a");
    let last = server.heard().split_off(before).pop().unwrap();
    assert_eq!(last, b"RETR /a");
    assert_eq!(remote.stat(&RelPath::new("a").unwrap()).await.unwrap().unwrap().size, Some(12));
}

#[tokio::test]
async fn connections_are_opened_ahead_as_far_as_the_server_bears_them() {
    let greeting = [say("220 welcome\r\n")];
    for bears in [4, 2] {
        let full = [say("421 Too many connections (2) from this IP\r\n"), Act::Close];
        let script = plain().times(bears, "", greeting.clone()).on("", full);
        let server = script.start().await;
        let mut endpoint = server.endpoint();
        endpoint.options.connections = Some(4);
        let remote = open_with(&endpoint, &context(), calm()).await.unwrap();
        assert_eq!(server.sessions(), 1);
        remote.warm(4).await;
        assert_eq!(server.sessions(), 4, "{bears}");
        // They are used, and what was refused hinders nobody; nobody asks for more where somebody was turned away.
        remote.warm(4).await;
        try_listing(&*remote, "").await.unwrap();
        assert_eq!(server.sessions(), 4, "{bears}");
    }
}
