//! pyftpdlib, whose EPSV ends a transfer that is under way: the ladder must not send one ahead.

use super::*;
use crate::support::pyftpdlib::Pyftpdlib;

#[tokio::test(flavor = "multi_thread")]
async fn pyftpdlib_is_mirrored_without_a_command_too_early() {
    let (lab, server) = (Lab::new().await, Pyftpdlib::start());
    make_tree(&server.root(), 10, 20);
    twice(&lab, &server.endpoint(), &server.root(), 201).await;
    fs::write(server.root().join("big.bin"), vec![7; 3_000_000]).unwrap();
    let changed = lab.mirror(&server.endpoint(), 3, Policy { settle_seconds: 0, ..Policy::default() }).await;
    assert!(changed.complete && changed.verified, "{changed:?}");
    assert_eq!((changed.counts.files_published, changed.counts.files_unchanged), (1, 200), "{changed:?}");
    assert_equal(&server.root(), &lab.target());
    // What it says of transfers that ended early.
    let words = server.words();
    assert!(words.contains("RETR") && words.contains("completed=1"), "{words}");
    let early = words.lines().filter(|line| line.contains("RETR") && line.contains("completed=0")).count();
    assert!(
        early <= 2,
        "probes only: {early} transfers broke off
{words}"
    );
}
