//! Closing replies that are missing, come early, come twice, or come alone.

use std::collections::BTreeMap;

use super::places::{DONE, OPEN, big, root, small};
use super::{Cell, HALF, OVERLAP, modern, play, tree};
use crate::support::scripted::{Act, data, pause, say};

/// A transfer of `all`, of which `part` comes where it breaks: each way in which its closing reply may come.
fn ways(all: &[u8], part: &[u8]) -> Vec<(&'static str, Vec<Act>)> {
    let (open, done, end) = (say(OPEN), say(DONE), Act::EndData);
    let whole = || data(all);
    let early = say([OPEN, DONE].concat());
    vec![
        ("missing", vec![open.clone(), whole(), end.clone()]),
        ("early", vec![early.clone(), pause(50), whole(), end.clone()]),
        ("with the opening one", vec![whole(), end.clone(), early.clone()]),
        ("alone", vec![whole(), end.clone(), done.clone()]),
        ("doubled", vec![open.clone(), whole(), end.clone(), say([DONE, DONE].concat())]),
        ("doubled, later", vec![open.clone(), whole(), end.clone(), done.clone(), pause(50), done]),
        (
            "cut, then about what came behind",
            vec![open, data(part), pause(100), end.clone(), say("500 Unknown command\r\n")],
        ),
        ("early, then cut", vec![early.clone(), data(part), pause(100), end]),
        ("early, then RST", vec![early, data(part), pause(100), Act::ResetData]),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_closing_replies() {
    let (big, small, (first, rest)) = (big(), small(), root());
    let all = [first.as_slice(), rest.as_slice()].concat();
    let transfers = [
        ("a file", "RETR /big", big.as_slice(), &big[..HALF], Some(("/big", OVERLAP))),
        ("a small file", "RETR /d/b.bin", &small, &small[..2_000], Some(("/d/b.bin", 2_000))),
        ("a listing", "MLSD", &all, &first, None),
    ];
    let mut cells = Vec::new();
    for (place, cue, all, part, broken) in transfers {
        for (harm, acts) in ways(all, part) {
            let cut = harm.contains("then");
            // In the clear, nothing tells a listing that was cut before a clean word from a whole one.
            if cue == "MLSD" && harm == "early, then cut" {
                continue;
            }
            let again = BTreeMap::from_iter(broken.filter(|_| cut));
            cells.push(Cell { place, harm, script: modern().once(cue, acts), again, tree });
        }
    }
    play("Closing replies", cells).await;
}
