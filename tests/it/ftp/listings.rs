//! Listings as odd servers give them, played by the scripted server.

use causeway::model::{EntryKind, FaultKind};
use causeway::remote::{Completeness, Doubt};

use super::{enter, path, try_content, try_listing};
use crate::support::scripted::{Act, Script, data, say};

fn one() -> Script {
    Script::new().file("/a", "content of a")
}

/// A listing command that answers with this text.
fn text(bytes: impl AsRef<[u8]>) -> Vec<Act> {
    vec![say("150 now\r\n"), data(bytes), Act::EndData, say("226 done\r\n")]
}

fn doubts(completeness: Completeness) -> Vec<Doubt> {
    match completeness {
        Completeness::Doubtful { doubts } => doubts,
        Completeness::Proven { how } => panic!("proven: {how}"),
    }
}

#[tokio::test]
async fn features_come_unindented_and_lie() {
    // MLSD is promised and not there.
    let server = one()
        .on("FEAT", [say("211-Features\nMLST type*;size*;\nSIZE\nUTF8\n211 End\n")])
        .on("MLSD", [say("500 unknown command\r\n")])
        .on("MLST", [say("500 unknown command\r\n")])
        .start()
        .await;
    let remote = enter(&server).await;
    for _ in 0..2 {
        let (found, completeness) = try_listing(&*remote, "").await.unwrap();
        assert!(found.len() == 1 && completeness.is_proven(), "{completeness:?}");
    }
    assert_eq!((server.count("MLSD"), server.count("LIST -a")), (1, 2), "the probe is remembered");
    assert_eq!(remote.stat(&path("a")).await.unwrap().unwrap().size, Some(12));

    // FEAT is not there, MLSD is.
    let server = one().on("FEAT", [say("500 what\r\n")]).start().await;
    let remote = enter(&server).await;
    let (found, completeness) = try_listing(&*remote, "").await.unwrap();
    assert!(found.len() == 1 && completeness.is_proven(), "{completeness:?}");
    assert_eq!((server.count("MLSD"), server.count("LIST")), (1, 0));
}

#[tokio::test]
async fn a_dos_listing_is_read() {
    let dos =
        "11-23-26  07:08PM       <DIR>          My Folder\r\n11-23-2026  12:05AM                 1234 a b.txt\r\n";
    let server = one().on("MLSD", [say("502 no\r\n")]).on("LIST", text(dos)).start().await;
    let remote = enter(&server).await;
    let (found, _) = try_listing(&*remote, "").await.unwrap();
    let found = found.iter().map(|e| (e.name.as_bytes(), e.kind.clone(), e.size)).collect::<Vec<_>>();
    assert_eq!(found, [(&b"My Folder"[..], EntryKind::Dir, None), (b"a b.txt", EntryKind::File, Some(1234))]);
}

#[tokio::test]
async fn a_server_that_takes_options_for_names_is_asked_without() {
    for refusal in [vec![say("550 -a: No such file or directory\r\n")], vec![say("450 -a: no such file\r\n")], text("")]
    {
        let server = one().on("MLSD", [say("502 no\r\n")]).on("LIST -a", refusal.clone()).start().await;
        let remote = enter(&server).await;
        let (found, completeness) = try_listing(&*remote, "").await.unwrap();
        assert_eq!(found.len(), 1, "{refusal:?}");
        // Dot files may be hidden.
        assert!(matches!(doubts(completeness)[..], [Doubt::WeakCommand { .. }]), "{refusal:?}");
    }
}

#[tokio::test]
async fn names_alone_are_the_last_resort() {
    let server = one().file("/d/x", "").on("MLSD", [say("500 what\r\n")]).on("LIST", [say("502 no\r\n")]).start().await;
    let remote = enter(&server).await;
    let (found, completeness) = try_listing(&*remote, "").await.unwrap();
    assert_eq!(found.iter().map(|e| e.name.as_bytes()).collect::<Vec<_>>(), [b"a", b"d"]);
    assert!(found.iter().all(|e| e.kind == EntryKind::Unknown && e.size.is_none()));
    assert!(matches!(doubts(completeness)[..], [Doubt::WeakCommand { .. }]));
    assert_eq!(try_listing(&*remote, "").await.unwrap().0.len(), 2);
    assert_eq!((server.count("MLSD"), server.count("LIST"), server.count("NLST")), (1, 2, 2));
}

#[tokio::test]
async fn no_listing_command_at_all_is_a_fault() {
    let no = || [say("502 no\r\n")];
    let server = one().on("MLSD", no()).on("LIST", no()).on("NLST", no()).start().await;
    let remote = enter(&server).await;
    assert_eq!(try_listing(&*remote, "").await.unwrap_err().kind, FaultKind::Unsupported);
}

#[tokio::test]
async fn lines_that_are_not_understood_are_counted_and_shown() {
    let lines =
        "-rw-r--r-- 1 a b 1 May  6  2024 good\r\nls: reading directory: Input/output error\r\n?? what is this\r\n";
    let server = one().on("MLSD", [say("502 no\r\n")]).on("LIST", text(lines)).start().await;
    let remote = enter(&server).await;
    let (found, completeness) = try_listing(&*remote, "").await.unwrap();
    assert_eq!(found.len(), 1);
    let doubts = doubts(completeness);
    assert!(matches!(&doubts[0], Doubt::Unparsed { count: 2, first } if first.contains("Input/output")), "{doubts:?}");

    let server = one().on("MLSD", text("type=file;size=1; good\r\nno facts here\r\n")).start().await;
    let (_, completeness) = try_listing(&*enter(&server).await, "").await.unwrap();
    let Completeness::Doubtful { doubts } = completeness else { panic!("believed") };
    assert!(matches!(doubts[..], [Doubt::Unparsed { count: 1, .. }]), "{doubts:?}");
}

#[tokio::test]
async fn names_that_lead_elsewhere_are_refused_and_reported() {
    let lines = b"type=file;size=1; good\r\ntype=file;size=1; ../../etc/passwd\r\ntype=file;size=1; /etc/shadow\r\n\
        type=file;size=1; a\rb\r\ntype=file;size=1; a\0b\r\ntype=dir; x/y\r\n";
    let server = one().on("MLSD", text(lines)).start().await;
    let (found, completeness) = try_listing(&*enter(&server).await, "").await.unwrap();
    assert_eq!(found.iter().map(|e| e.name.as_bytes()).collect::<Vec<_>>(), [b"good"]);
    let doubts = doubts(completeness);
    assert!(matches!(&doubts[..], [Doubt::BadNames { count: 5, first }] if first.contains("passwd")), "{doubts:?}");
}

#[tokio::test]
async fn a_closing_word_that_admits_gaps_is_believed() {
    for closing in ["226 Output truncated to 2000 matches\r\n", "226 Transfer done (but failed to open directory).\r\n"]
    {
        let acts = [say("150 now\r\n"), data("type=file;size=1; a\r\n"), Act::EndData, say(closing)];
        let server = one().on("MLSD", acts).start().await;
        let (_, completeness) = try_listing(&*enter(&server).await, "").await.unwrap();
        assert!(matches!(doubts(completeness)[..], [Doubt::ClosingReply { .. }]), "{closing}");
    }
}

#[tokio::test]
async fn a_listing_that_breaks_is_a_fault_and_never_short() {
    let begin = [say("150 now\r\n"), data("type=file;size=1; a\r\n"), Act::Pause(std::time::Duration::from_millis(50))];
    for end in [
        vec![Act::ResetData],
        vec![Act::EndData, say("426 aborted\r\n")],
        vec![Act::EndData, say("451 local error\r\n")],
        vec![Act::EndData, Act::Close],
        vec![Act::EndData, say("421 Too many connections\r\n"), Act::Close],
    ] {
        let server = one().on("MLSD", [begin.to_vec(), end.clone()].concat()).start().await;
        try_listing(&*enter(&server).await, "").await.expect_err(&format!("{end:?}"));
    }
}

#[tokio::test]
async fn an_empty_listing_must_be_confirmed() {
    // CWD works, MLSD shows nothing, and LIST -a does not even show the folder itself.
    let server = Script::new().dir("/d").on("MLSD", text("")).on("LIST", text("")).start().await;
    let remote = enter(&server).await;
    let (_, completeness) = try_listing(&*remote, "d").await.unwrap();
    assert!(doubts(completeness).contains(&Doubt::UnconfirmedEmpty));
    let server = Script::new().dir("/d").start().await;
    let (found, completeness) = try_listing(&*enter(&server).await, "d").await.unwrap();
    assert!(found.is_empty() && completeness.is_proven(), "{completeness:?}");
}

/// The folder itself was shown and then the connection ended without the farewell of TLS: what came behind is not known.
#[tokio::test]
async fn a_confirmation_that_was_cut_inside_tls_proves_nothing() {
    let dots = "drwxr-xr-x 2 a b 4096 May  6  2024 .\r\ndrwxr-xr-x 2 a b 4096 May  6  2024 ..\r\n";
    for (end, proven) in [(Act::EndData, true), (Act::CutData, false)] {
        let list = [say("150 now\r\n"), data(dots), end, say("226 done\r\n")];
        let script = Script::new().file("/d/a", "").tls(&rustls::version::TLS13).on("MLSD", text("")).on("LIST", list);
        let server = script.start().await;
        let (found, completeness) = try_listing(&*enter(&server).await, "d").await.unwrap();
        assert!(found.is_empty() && completeness.is_proven() == proven, "{completeness:?}");
        if !proven {
            assert_eq!(doubts(completeness), [Doubt::Unsealed]);
        }
    }
}

#[tokio::test]
async fn a_confirmation_that_breaks_is_a_fault_and_no_answer() {
    for end in [vec![Act::Reset], vec![Act::Close], vec![say("425 Can't open data connection\r\n")]] {
        let server = Script::new().dir("/d").once("LIST", end.clone()).start().await;
        let remote = enter(&server).await;
        try_listing(&*remote, "d").await.expect_err(&format!("{end:?}"));
        assert!(try_listing(&*remote, "d").await.unwrap().1.is_proven(), "{end:?}");
    }
}

#[tokio::test]
async fn a_path_is_never_an_argument_of_a_listing() {
    let server = Script::new().file("/br[1]/x y/f", "here").start().await;
    let remote = enter(&server).await;
    let (found, _) = try_listing(&*remote, "br[1]/x y").await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(try_content(&*remote, "br[1]/x y/f", 0).await.unwrap(), b"here");
    assert!(server.heard().contains(&b"CWD /br[1]/x y".to_vec()));
    assert_eq!(server.count("MLSD"), server.heard().iter().filter(|line| *line == b"MLSD").count());
}

#[tokio::test]
async fn only_a_proven_listing_without_the_name_says_that_nothing_is_there() {
    let no = || [say("550 No such file or directory\r\n")];
    // Said to be missing, and listed all the same: the listing is believed.
    let server = one().on("MLST /a", no()).on("SIZE /a", no()).start().await;
    let remote = enter(&server).await;
    assert_eq!(remote.stat(&path("a")).await.unwrap().unwrap().size, Some(12));
    assert!(remote.stat(&path("b")).await.unwrap().is_none());
    // A folder that may not be entered is no proof about what is in it.
    let server = one().file("/d/x", "x").on("MLST /d", no()).on("CWD /d", no()).start().await;
    let remote = enter(&server).await;
    assert_eq!(remote.stat(&path("d/y")).await.unwrap_err().kind, FaultKind::Missing);
    assert!(remote.stat(&path("e/y")).await.unwrap().is_none());
    // Names that NLST does not show may be there.
    let unknown = || [say("500 unknown command\r\n")];
    let server = one().on("FEAT", unknown()).on("MLSD", unknown()).on("MLST", unknown()).on("LIST", unknown());
    let server = server.start().await;
    let remote = enter(&server).await;
    assert_eq!(remote.stat(&path("b")).await.unwrap_err().kind, FaultKind::Incomplete);
}

/// A server with LIST and nothing else to look by, and `count` files in one folder.
fn bare(count: usize) -> Script {
    let bare =
        ["SIZE", "MDTM", "MLST", "MLSD"].into_iter().fold(Script::new(), |s, verb| s.on(verb, [say("502 no\r\n")]));
    let bare = bare.on("FEAT", [say("211-Features\r\n REST STREAM\r\n211 End\r\n")]);
    (0..count).fold(bare, |script, n| script.file(format!("/d/{n:02}"), format!("content {n}")))
}

#[tokio::test]
async fn one_listing_answers_all_who_wait_for_it() {
    let server = bare(50).start().await;
    let remote = enter(&server).await;
    // What is learned about the server at first is learned before the count begins.
    assert!(remote.stat(&path("d/00")).await.unwrap().is_some());
    let before = server.count("LIST");
    let looks = (0..60).map(|n| {
        let remote = &remote;
        async move { remote.stat(&path(format!("d/{n:02}"))).await.unwrap() }
    });
    let seen = futures_util::future::join_all(looks).await;
    for (n, entry) in seen.into_iter().enumerate() {
        let size = (n < 50).then(|| format!("content {n}").len() as u64);
        assert_eq!(entry.and_then(|entry| entry.size), size, "file {n}");
    }
    // As many as there are sessions may ask alone at first; all who wait by then share.
    let listed = server.count("LIST") - before;
    assert!(listed <= 12, "{listed} listings for 60 looks");
    // Nothing is remembered: a look after that is a listing of its own.
    assert!(remote.stat(&path("d/00")).await.unwrap().is_some());
    assert_eq!(server.count("LIST"), before + listed + 1);
}
