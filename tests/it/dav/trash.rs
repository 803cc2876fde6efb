//! DELETE moves into the trash: whole, in one step, and for a time.

use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use causeway::audit::AuditLog;
use causeway::drive::Trash;
use causeway::model::{Clock as _, ManualClock};
use causeway::tree::Tree;

use super::lock;
use crate::support::causeway::Causeway;
use crate::support::https::Https;

/// What lies in the trash, by its batch.
fn batches(root: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(root.join(".causeway-trash")).into_iter().flatten();
    let mut found: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    found.sort();
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_is_deleted_whole_by_both_doors() {
    let door = Https::start().await;
    for mount in ["/dav", "/files"] {
        std::fs::create_dir_all(door.root.join("d/deep")).unwrap();
        std::fs::write(door.root.join("d/deep/f"), mount).unwrap();
        assert_eq!(door.status_as("reader", &["-X", "DELETE"], &format!("{mount}/d")), 403);
        let token = lock(&door, "Second-60", "/dav/d/deep/f");
        assert_eq!(door.status(&["-X", "DELETE"], &format!("{mount}/d")), 423);
        assert!(door.root.join("d/deep/f").exists(), "what somebody holds stays");
        assert_eq!(door.status(&["-X", "UNLOCK", "-H", &format!("Lock-Token: <{token}>")], "/dav/d/deep/f"), 204);
        assert_eq!(door.status(&["-X", "DELETE", "-H", "If-Match: \"other\""], &format!("{mount}/d/deep/f")), 412);
        assert_eq!(door.status(&["-X", "DELETE"], &format!("{mount}/d/")), 204);
        assert!(!door.root.join("d").exists());
        let last = batches(&door.root).pop().unwrap();
        assert_eq!(std::fs::read(last.join("d/deep/f")).unwrap(), mount.as_bytes());
        assert_eq!(door.status(&["-X", "DELETE"], &format!("{mount}/d")), 404);
    }
    assert_eq!(door.status(&["-X", "DELETE"], "/files/"), 403);
    assert_eq!(door.status(&[], "/files/.causeway-trash/"), 403, "nobody looks into it from outside");
    let count = sqlx::query_scalar::<_, i64>("SELECT count(*) FROM audit WHERE action = 'door-trashed'");
    assert_eq!(count.fetch_one(door.db.read()).await.unwrap(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_delete_at_once_one_does() {
    let door = Https::start().await;
    std::fs::create_dir_all(door.root.join("d/deep")).unwrap();
    std::fs::write(door.root.join("d/deep/f"), "f").unwrap();
    let mut said = std::thread::scope(|scope| {
        let door = &door;
        let delete = |mount: &'static str| scope.spawn(move || door.status(&["-X", "DELETE"], &format!("{mount}/d")));
        let all: Vec<_> = ["/files", "/dav"].into_iter().cycle().take(8).map(delete).collect();
        all.into_iter().map(|one| one.join().unwrap()).collect::<Vec<_>>()
    });
    said.sort_unstable();
    assert_eq!(said, [204, 404, 404, 404, 404, 404, 404, 404]);
    let [batch] = batches(&door.root).try_into().unwrap();
    assert_eq!(std::fs::read(batch.join("d/deep/f")).unwrap(), b"f");
    let rows = sqlx::query_scalar::<_, i64>("SELECT count(*) FROM trashed").fetch_one(door.db.read());
    assert_eq!(rows.await.unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn names_are_bytes_links_are_links_and_nobody_sees_the_trash() {
    let door = Https::start().await;
    let name = std::ffi::OsStr::from_bytes(b"odd\xe9");
    std::fs::write(door.root.join(name), "coffee").unwrap();
    std::fs::write(door.root.join("target"), "stays").unwrap();
    std::os::unix::fs::symlink("target", door.root.join("link")).unwrap();
    assert_eq!(door.status(&["-X", "DELETE"], "/files/odd%E9"), 204);
    assert_eq!(door.status(&["-X", "DELETE"], "/dav/link"), 204);
    assert_eq!(std::fs::read(door.root.join("target")).unwrap(), b"stays");
    let at = |name: &std::ffi::OsStr| {
        batches(&door.root).into_iter().map(|batch| batch.join(name)).find(|at| at.is_symlink() || at.exists())
    };
    assert_eq!(std::fs::read(at(name).unwrap()).unwrap(), b"coffee");
    assert!(at("link".as_ref()).unwrap().is_symlink());
    let infinity = ["-X", "PROPFIND", "-H", "Depth: infinity"];
    for (args, path) in [(infinity.as_slice(), "/dav/"), (&[], "/files/"), (&[], "/files/?zip")] {
        let seen = String::from_utf8_lossy(&door.curl(args, path).stdout).into_owned();
        assert!(seen.contains("target") && !seen.contains("causeway-trash") && !seen.contains("odd"), "{path}: {seen}");
    }
    let into = ["-X", "MOVE", "-H", &format!("Destination: {}", door.url("/dav/.causeway-trash/t"))];
    assert_eq!(door.status(&into, "/dav/target"), 409, "there is no such folder");
    assert_ne!(door.status(&["-T", "/dev/null"], "/files/.causeway-trash/t"), 201);
    assert!(!door.root.join(".causeway-trash/t").exists() && door.root.join("target").exists());
}

#[test]
fn without_a_trash_only_what_is_empty_is_deleted_and_at_once() {
    const PASSWORD: &str = "correct horse battery";
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("c.toml"), "[files]\ntrash = \"off\"\n").unwrap();
    let served = Causeway::start(folder.path(), &["--config", "c.toml", "serve"]);
    served.account("anna", PASSWORD, &[]);
    std::fs::create_dir(served.tree().join("d")).unwrap();
    std::fs::write(served.tree().join("d/f"), "f").unwrap();
    let delete = |path: &str| {
        let output = Command::new("curl")
            .args(["-sk", "--max-time", "20", "-u", &format!("anna:{PASSWORD}"), "-X", "DELETE", "-w", "%{http_code}"])
            .args(["-o", "/dev/null", &format!("https://localhost:{}/files/{path}", served.https.port())])
            .output();
        String::from_utf8(output.unwrap().stdout).unwrap()
    };
    assert_eq!(delete("d"), "409");
    assert_eq!(std::fs::read(served.tree().join("d/f")).unwrap(), b"f");
    assert_eq!([delete("d/f"), delete("d"), delete("d")], ["204", "204", "404"]);
    assert_eq!(batches(&served.tree()), Vec::<PathBuf>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_trash_is_emptied_when_its_time_is_over() {
    let door = Https::start().await;
    let clock = std::sync::Arc::new(ManualClock::new(jiff::Timestamp::now()));
    std::fs::create_dir(door.root.join("d")).unwrap();
    std::fs::write(door.root.join("d/f"), "f").unwrap();
    assert_eq!(door.status(&["-X", "DELETE"], "/dav/d"), 204);
    let keep = Duration::from_secs(30 * 24 * 3600);
    let trash = Trash::new(door.db.clone(), Tree::open(&door.root).unwrap(), Some(keep));
    let audit = AuditLog::new(door.db.clone(), clock.clone());
    trash.sweep(&audit, clock.now()).await.unwrap();
    assert!(batches(&door.root)[0].join("d/f").exists());
    clock.advance(jiff::SignedDuration::from_hours(30 * 24 + 1));
    trash.sweep(&audit, clock.now()).await.unwrap();
    assert_eq!(batches(&door.root), Vec::<PathBuf>::new());
    let count = |sql: &'static str| sqlx::query_scalar::<_, i64>(sql).fetch_one(door.db.read());
    assert_eq!(count("SELECT count(*) FROM trashed").await.unwrap(), 0);
    assert_eq!(count("SELECT count(*) FROM audit WHERE action = 'trash-emptied'").await.unwrap(), 1);
}

#[test]
fn after_a_kill_nine_it_is_in_its_place_or_in_the_trash() {
    const PASSWORD: &str = "correct horse battery";
    let mut served = Causeway::serve();
    served.account("anna", PASSWORD, &[]);
    let tree = served.tree();
    for round in 0..12_u64 {
        let name = format!("d{round}");
        std::fs::create_dir_all(tree.join(&name).join("deep")).unwrap();
        std::fs::write(tree.join(&name).join("deep/f"), "whole").unwrap();
        let mut deleting = Command::new("curl")
            .args(["-sk", "--max-time", "20", "-u", &format!("anna:{PASSWORD}"), "-X", "DELETE"])
            .arg(format!("https://localhost:{}/files/{name}", served.https.port()))
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        // Some before it, some after it, some in between.
        std::thread::sleep(Duration::from_millis(round * 6));
        served.kill_nine();
        deleting.wait().unwrap();
        served.again();
        let aside = batches(&tree).into_iter().map(|batch| batch.join(&name)).find(|at| at.exists());
        let lies = if tree.join(&name).exists() { Some(tree.join(&name)) } else { aside.clone() };
        let lies = lies.unwrap_or_else(|| panic!("round {round}: it is nowhere"));
        assert_eq!(std::fs::read(lies.join("deep/f")).unwrap(), b"whole", "round {round}");
        assert!(aside.is_none() || !tree.join(&name).exists(), "round {round}: it is in one place");
    }
}
