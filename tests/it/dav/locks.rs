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

/// davfs2 renames onto a file that it has locked, and goes on with that lock.
#[tokio::test(flavor = "multi_thread")]
async fn what_takes_the_place_of_something_locked_is_under_its_lock() {
    let door = Https::start().await;
    for method in ["MOVE", "COPY"] {
        std::fs::write(door.root.join("new"), "new").unwrap();
        std::fs::write(door.root.join("old"), "old").unwrap();
        let token = lock(&door, "Second-600", "/dav/old");
        let destination = format!("Destination: {}", door.url("/dav/old"));
        let onto = ["-X", method, "-H", &destination];
        assert_eq!(door.status(&onto, "/dav/new"), 423, "{method}");
        let tagged = format!("If: <{}> (<{token}>)", door.url("/dav/old"));
        assert_eq!(door.status(&[&onto[..], &["-H", &tagged]].concat(), "/dav/new"), 204, "{method}");
        assert_eq!(std::fs::read_to_string(door.root.join("old")).unwrap(), "new");
        assert_eq!(door.status(&["-X", "PUT", "-d", "other's"], "/dav/old"), 423, "{method}");
        assert_eq!(door.status(&["-X", "PUT", "-d", "own", "-H", &tagged], "/dav/old"), 204, "{method}");
        let unlock = format!("Lock-Token: <{token}>");
        assert_eq!(door.status(&["-X", "UNLOCK", "-H", &unlock], "/dav/old"), 204, "{method}");
    }
    // The lock of what is moved away stays nowhere.
    std::fs::write(door.root.join("away"), "away").unwrap();
    let token = lock(&door, "Second-600", "/dav/away");
    let (destination, held) = (format!("Destination: {}", door.url("/dav/old")), format!("If: (<{token}>)"));
    assert_eq!(door.status(&["-X", "MOVE", "-H", &destination, "-H", &held], "/dav/away"), 204);
    for name in ["/dav/old", "/dav/away"] {
        assert!([201, 204].contains(&door.status(&["-X", "PUT", "-d", "free"], name)), "{name}");
    }
}
