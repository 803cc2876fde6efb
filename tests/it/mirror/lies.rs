//! Servers that list a name and then say that it is not there.

use super::*;

const GONE: &str = "550 No such file or directory\r\n";

fn tree() -> Script {
    let files = (0..5).map(|n| format!("/a/{n}")).chain(["/b/x".into(), "/y".into()]);
    files.fold(Script::new(), |server, file| server.file(file, "content"))
}

#[tokio::test]
async fn a_folder_that_is_listed_and_said_to_be_missing_loses_nothing() {
    let lab = Lab::new().await;
    let honest = tree().start().await;
    assert!(lab.mirror(&honest.endpoint(), 1, deleting()).await.complete);
    let denied = ["CWD /a", "MLST /a", "SIZE /a"].into_iter().fold(tree(), |server, cue| server.on(cue, [say(GONE)]));
    let denied = denied.start().await;
    for number in 2..5 {
        let summary = lab.mirror(&denied.endpoint(), number, deleting()).await;
        assert_eq!(summary.counts.files_trashed, 0, "{summary:?}");
        assert!(!summary.complete && summary.unsure[0].path.display() == "a", "{summary:?}");
        assert_eq!(fs::read_dir(lab.target().join("a")).unwrap().count(), 5, "{summary:?}");
    }
}

#[tokio::test]
async fn a_folder_that_went_away_while_it_was_listed_is_not_missing() {
    let with_ghost = "type=dir;modify=20240506070809; ghost\r\ntype=file;size=7;modify=20240506070809; y\r\n";
    let acts = [say("150 here it comes\r\n"), data(with_ghost), Act::EndData, say("226 done\r\n")];
    let server = Script::new().file("/y", "content").once("MLSD", acts).start().await;
    let lab = Lab::new().await;
    let summary = lab.mirror(&server.endpoint(), 1, deleting()).await;
    assert!(summary.complete, "{summary:?}");
    assert!(!lab.target().join("ghost").exists());
}

#[tokio::test]
async fn a_file_that_is_listed_and_said_to_be_missing_is_reported() {
    let server = tree().on("RETR /a/3", [say("550 The system cannot find the file specified.\r\n")]).start().await;
    let lab = Lab::new().await;
    for number in 1..3 {
        let summary = lab.mirror(&server.endpoint(), number, Policy::default()).await;
        assert!(!summary.complete && summary.counts.files_vanished == 0, "{summary:?}");
        assert_eq!(summary.missing[0].path.display(), "a/3", "{summary:?}");
        assert!(summary.missing[0].fault.message.contains("character set"), "{summary:?}");
    }
    assert!(!lab.target().join("a/3").exists());
}

#[tokio::test]
async fn files_that_went_away_are_named_and_cost_one_listing() {
    let ghosts: String = (0..40).map(|n| format!("type=file;size=7;modify=20240506070809; ghost-{n:02}\r\n")).collect();
    let acts = [say("150 here it comes\r\n"), data(ghosts), Act::EndData, say("226 done\r\n")];
    let server = Script::new().file("/y", "content").once("MLSD", acts).start().await;
    let lab = Lab::new().await;
    let summary = lab.mirror(&server.endpoint(), 1, Policy::default()).await;
    assert!(summary.complete && summary.counts.files_vanished == 40, "{summary:?}");
    assert!(summary.notes.iter().any(|note| note.contains("ghost-00") && note.contains("more")), "{summary:?}");
    assert_eq!(server.count("MLSD"), 2, "one listing, and one more for all of them");
}
