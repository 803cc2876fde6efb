//! Locks: they end in time, and hold again after a restart.

use std::time::Duration;

use super::lock;
use crate::support::https::Https;

#[tokio::test(flavor = "multi_thread")]
async fn locks_end_in_time_and_outlive_a_restart() {
    let door = Https::start().await;
    std::fs::write(door.root.join("short"), "x").unwrap();
    std::fs::write(door.root.join("long"), "x").unwrap();
    let _token = lock(&door, "Second-2", "/dav/short");
    let token = lock(&door, "Infinite", "/dav/long");
    assert_eq!(door.status(&["-X", "PUT", "-d", "y"], "/dav/short"), 423);
    // The files are the same for an account with another home.
    let door = door.restart().await;
    assert_eq!(door.status(&["-X", "PUT", "-d", "y"], "/dav/long"), 423);
    assert_eq!(door.status(&["-X", "DELETE"], "/dav/long"), 423);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(door.status(&["-X", "PUT", "-d", "y"], "/dav/short"), 204);
    let with = format!("If: (<{token}>)");
    assert_eq!(door.status(&["-X", "PUT", "-d", "y", "-H", &with], "/dav/long"), 204);
    let unlock = format!("Lock-Token: <{token}>");
    assert_eq!(door.status_as("reader", &["-X", "UNLOCK", "-H", &unlock], "/dav/long"), 403);
    assert_eq!(door.status(&["-X", "UNLOCK", "-H", &unlock], "/dav/long"), 204);
    // A token whose lock is gone is no longer true.
    assert_eq!(door.status(&["-X", "PUT", "-d", "z", "-H", &with], "/dav/long"), 412);
}
