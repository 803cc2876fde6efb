//! `kill -9` of the serving process while a scheduled run copies: the next start takes the run up within
//! seconds, fetches no finished file again, and ends equal.

use std::time::{Duration, Instant};

use super::kill::{Kill, bytes_below, check_requests, fill, recorded, tree};
use crate::support::causeway::{Causeway, run};
use crate::support::ftpd::PASSWORD;

/// "Within seconds": from the start of the new process to the run being worked on again.
const SOON: Duration = Duration::from_secs(10);
const PATIENCE: Duration = Duration::from_secs(120);

/// The last run, as `run list --json` tells it.
fn last_run(served: &Causeway) -> serde_json::Value {
    let (code, stdout, stderr) = run(&mut served.command(&["run", "list", "--last", "1", "--json"]));
    assert_eq!(code, 0, "{stdout}{stderr}");
    serde_json::from_str::<serde_json::Value>(&stdout).unwrap()[0].clone()
}

fn wait_for(served: &Causeway, what: &str, patience: Duration, mut holds: impl FnMut() -> bool) -> Duration {
    let begin = Instant::now();
    while !holds() {
        assert!(begin.elapsed() < patience, "{what} not within {patience:?}: {}\n{}", last_run(served), served.log());
        std::thread::sleep(Duration::from_millis(50));
    }
    begin.elapsed()
}

#[test]
fn a_killed_server_takes_its_run_up_again() {
    let kept = tempfile::tempdir().unwrap();
    let (server, logs) = recorded(kept.path());
    fill(&server.root());
    server.own();
    let mut served = Causeway::serve();
    let mut add = served.command(&["job", "add", "nightly", &server.url(), "legacy", "--connections", "4"]);
    let (code, stdout, stderr) = run(add.env("CAUSEWAY_SOURCE_PASSWORD", PASSWORD));
    assert_eq!(code, 0, "{stdout}{stderr}");
    assert_eq!(run(&mut served.command(&["job", "run", "nightly"])).0, 0);

    let target = served.tree().join("legacy");
    let mut kills = Vec::new();
    let all = bytes_below(&server.root());
    // The big files come first: twice in the middle of four of them, once when they are there and small ones come.
    for (round, fifths) in [(1, 1), (2, 2), (3, 4)] {
        wait_for(&served, "bytes", PATIENCE, || bytes_below(&target) > all * fifths / 5);
        assert_eq!(last_run(&served)["state"], "running", "{}", last_run(&served));
        served.kill_nine();
        kills.push(Kill::look(&target, &logs));
        served.again();
        let soon = wait_for(&served, "the run again", SOON, || {
            let last = last_run(&served);
            last["state"] == "running" && last["claims"].as_u64() == Some(round + 1)
        });
        println!("kill {round}: taken up again after {soon:?}");
    }
    wait_for(&served, "the end", PATIENCE, || last_run(&served)["state"] == "done");

    let again = check_requests(&kills, &logs, 3);
    println!("{again} bytes of parts were asked for again");
    let (source, copy) = (tree(&server.root()), tree(&target));
    assert_eq!(source.keys().collect::<Vec<_>>(), copy.keys().collect::<Vec<_>>());
    assert!(source == copy, "contents or times differ");
    assert_eq!(served.stop(), 0, "{}", served.log());
    let (code, stdout, _) = run(&mut served.command(&["audit", "verify", "--checkpoint", "data/audit-checkpoint"]));
    assert_eq!(code, 0, "{stdout}");
}
