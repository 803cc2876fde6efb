//! Listings that may have been cut where nothing shows it, and listings without an end.

use causeway::mirror::Limits;
use causeway::remote::Doubt;

use super::*;

fn crowd(count: usize) -> Script {
    (0..count).fold(Script::new(), |server, n| server.file(format!("/{n:04}.tmp"), "x"))
}

/// Only the listing counts here.
fn without_tmp() -> Policy {
    Policy { exclude: vec!["*.tmp".into()], ..Policy::default() }
}

#[tokio::test]
async fn a_round_number_that_a_second_listing_does_not_confirm_is_incomplete() {
    let first: String = (0..1000).map(|n| format!("type=file;size=1;modify=20240506070809; {n:04}.tmp\r\n")).collect();
    let cut = [say("150 here it comes\r\n"), data(first), Act::EndData, say("226 done\r\n")];
    let server = crowd(1200).once("MLSD", cut).start().await;
    let lab = Lab::new().await;
    let summary = lab.mirror(&server.endpoint(), 1, without_tmp()).await;
    assert!(!summary.complete, "{summary:?}");
    assert!(summary.unsure[0].doubts.contains(&Doubt::Differs { first: 1000, second: 1200 }), "{summary:?}");
    assert_eq!(server.sessions(), 2, "another session is asked");
}

#[tokio::test]
async fn a_round_number_that_a_second_listing_confirms_is_complete() {
    let server = crowd(1000).start().await;
    let lab = Lab::new().await;
    let summary = lab.mirror(&server.endpoint(), 1, without_tmp()).await;
    assert!(summary.complete && summary.notes.iter().any(|note| note.contains("round number")), "{summary:?}");
    assert_eq!(server.count("MLSD"), 2);
}

#[tokio::test]
async fn a_listing_that_drips_without_an_end_is_given_up() {
    let line = |n: usize| format!("type=file;size=1;modify=20240506070809; {n:04}.tmp\r\n");
    let drip = (0..200).flat_map(|n| [data(line(n)), pause(200)]);
    let acts: Vec<_> = [say("150 here it comes\r\n")].into_iter().chain(drip).collect();
    let server = Script::new().file("/d/x", "x").file("/y", "y").once("MLSD", [Act::Usual]).on("MLSD", acts);
    let server = server.start().await;
    let lab = Lab::new().await;
    let policy = Policy { limits: Limits { listing_seconds: 3, ..Limits::default() }, ..without_tmp() };
    let summary = lab.mirror(&server.endpoint(), 1, policy).await;
    assert_eq!(summary.unsure[0].path.display(), "d", "{summary:?}");
    assert!(summary.unsure[0].fault.as_ref().unwrap().message.contains("limits.listing-seconds"), "{summary:?}");
    assert_eq!(fs::read(lab.target().join("y")).unwrap(), b"y");
}

#[tokio::test]
async fn a_second_look_that_drips_proves_nothing() {
    let line = |name: &str| format!("type=file;size=1;modify=20240506070809; {name}\r\n");
    let ghost = [say("150 here it comes\r\n"), data(line("ghost")), Act::EndData, say("226 done\r\n")];
    let drip = (0..20).flat_map(|n| [data(line(&format!("{n}"))), pause(500)]);
    let acts = [say("150 here it comes\r\n")].into_iter().chain(drip).chain([Act::EndData, say("226 done\r\n")]);
    let server = Script::new().once("MLSD", ghost).on("MLSD", acts.collect::<Vec<_>>()).start().await;
    let lab = Lab::new().await;
    let policy = Policy { limits: Limits { listing_seconds: 3, ..Limits::default() }, ..Policy::default() };
    let summary = lab.mirror(&server.endpoint(), 1, policy).await;
    assert_eq!((summary.counts.files_vanished, summary.counts.files_failed), (0, 1), "{summary:?}");
}
