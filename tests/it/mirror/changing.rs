//! Files of an FTP server that become shorter, longer or something else while they are looked at.

use super::*;
use crate::ftp::bytes;

/// Names and kinds below the target, sorted; the program's own are left out.
fn names(lab: &Lab, dir: &str) -> Vec<String> {
    let entries = fs::read_dir(lab.target().join(dir)).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.filter(|name| !name.starts_with(".causeway-")).collect();
    names.sort();
    names
}

fn put(path: &str, content: &[u8]) -> Act {
    Act::Put(path.into(), content.to_vec())
}

const DONE: &str = "226 done\r\n";

fn open() -> Act {
    say("150 here it comes\r\n")
}

#[tokio::test]
async fn a_file_that_shrinks_while_it_is_read_arrives_as_it_is_then() {
    let (before, after) = (bytes(200_000, 1), bytes(90_000, 2));
    // The server had its old beginning in hand, or goes on with what is there now.
    for sent in [before[..120_000].to_vec(), [&before[..50_000], &after[50_000..]].concat()] {
        let acts = [open(), data(&sent[..50_000]), put("/x", &after), data(&sent[50_000..]), Act::EndData, say(DONE)];
        let server = Script::new().file("/x", &before).file("/y", "y").once("RETR /x", acts).start().await;
        let lab = Lab::new().await;
        let summary = lab.mirror(&server.endpoint(), 1, Policy::default()).await;
        assert!(summary.complete && summary.counts.retries > 0, "{summary:?}");
        assert!(fs::read(lab.target().join("x")).unwrap() == after, "{summary:?}");
        assert_eq!(names(&lab, ""), ["x", "y"]);
    }
}

#[tokio::test]
async fn a_file_that_grows_while_it_is_read_arrives_as_it_is_then() {
    let (before, after) = (bytes(90_000, 1), bytes(200_000, 1));
    // As far as it had come, or all that there is by then.
    for sent in [&before, &after] {
        let acts = [open(), data(&sent[..50_000]), put("/x", &after), data(&sent[50_000..]), Act::EndData, say(DONE)];
        let server = Script::new().file("/x", &before).file("/y", "y").once("RETR /x", acts).start().await;
        let lab = Lab::new().await;
        let summary = lab.mirror(&server.endpoint(), 1, Policy::default()).await;
        assert!(summary.complete && summary.counts.retries > 0, "{summary:?}");
        assert!(fs::read(lab.target().join("x")).unwrap() == after, "{summary:?}");
    }
}

/// It grows faster than it is read: no version of it is ever whole.
#[tokio::test]
async fn a_file_that_never_stands_still_is_reported_and_not_published() {
    let mut script = Script::new().file("/x", bytes(10_000, 1)).file("/y", "y");
    for n in 1..=12 {
        let (sent, now) = (bytes(10_000 * n, 1), bytes(10_000 * (n + 1), 1));
        script = script.once("RETR /x", [open(), put("/x", &now), data(sent), Act::EndData, say(DONE)]);
    }
    let (server, lab) = (script.start().await, Lab::new().await);
    let policy = Policy { attempts: 3, ..Policy::default() };
    let summary = lab.mirror(&server.endpoint(), 1, policy).await;
    assert!(!summary.complete && summary.missing.len() == 1, "{summary:?}");
    let missing = &summary.missing[0];
    assert_eq!((missing.path.display().as_ref(), missing.fault.kind), ("x", FaultKind::Changed), "{summary:?}");
    assert_eq!(names(&lab, ""), ["y"]);
}

fn root_with_file_x() -> Vec<Act> {
    let lines = "type=file;size=7;modify=20240506070809; x\r\ntype=file;size=1;modify=20240506070809; y\r\n";
    vec![open(), data(lines), Act::EndData, say(DONE)]
}

#[tokio::test]
async fn a_file_that_becomes_a_folder_before_it_is_read_is_reported_and_then_mirrored() {
    for refusal in ["550 x: not a plain file.\r\n", "550 Failed to open file.\r\n", "550 x: Is a directory\r\n"] {
        let server = Script::new().file("/x/inner", "inside").file("/y", "y").once("MLSD", root_with_file_x());
        let server = server.on("RETR /x/inner", [Act::Usual]).on("RETR /x", [say(refusal)]);
        let (server, lab) = (server.start().await, Lab::new().await);
        let summary = lab.mirror(&server.endpoint(), 1, Policy::default()).await;
        assert!(!summary.complete && summary.missing[0].path.display() == "x", "{refusal}: {summary:?}");
        assert_eq!(names(&lab, ""), ["y"], "{refusal}");
        let summary = lab.mirror(&server.endpoint(), 2, Policy::default()).await;
        assert!(summary.complete, "{refusal}: {summary:?}");
        assert_eq!(fs::read(lab.target().join("x/inner")).unwrap(), b"inside", "{refusal}");
    }
}

/// The file was mirrored before. It is not lost, and whoever has to move it away is told, in every run.
#[tokio::test]
async fn a_mirrored_file_that_became_a_folder_is_kept_and_reported() {
    let before = Script::new().file("/x", "content").file("/y", "y").start().await;
    let after = Script::new().file("/x/inner", "inside").file("/y", "y").start().await;
    let lab = Lab::new().await;
    assert!(lab.mirror(&before.endpoint(), 1, Policy::default()).await.complete);
    for number in 2..4 {
        let summary = lab.mirror(&after.endpoint(), number, Policy { attempts: 1, ..deleting() }).await;
        let named: Vec<_> = summary.missing.iter().map(|item| item.path.display().into_owned()).collect();
        assert!(!summary.complete && named == ["x", "x/inner"], "{summary:?}");
        assert!(summary.missing[0].fault.message.contains("move it away"), "{summary:?}");
        assert_eq!(fs::read(lab.target().join("x")).unwrap(), b"content");
    }
    fs::rename(lab.target().join("x"), lab.folder.path().join("aside")).unwrap();
    assert!(lab.mirror(&after.endpoint(), 4, deleting()).await.complete);
    assert_eq!(fs::read(lab.target().join("x/inner")).unwrap(), b"inside");
}
