//! Uploads: whole or not at all, and only if what was asked for holds.

use std::process::Command;
use std::time::Duration;

use super::lock;
use crate::support::https::{Https, head};
use crate::support::skip::not_run;
use crate::support::tls::tls;

#[tokio::test(flavor = "multi_thread")]
async fn readers_see_whole_files_while_others_overwrite_and_move() {
    let door = Https::start().await;
    let (a, b) = (vec![b'a'; 400_000], vec![b'b'; 300_000]);
    std::fs::write(door.root.join("f"), &a).unwrap();
    let inputs = tempfile::tempdir().unwrap();
    std::fs::write(inputs.path().join("a"), &a).unwrap();
    std::fs::write(inputs.path().join("b"), &b).unwrap();
    let writers = std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for round in 0..15 {
                let from = inputs.path().join(if round % 2 == 0 { "b" } else { "a" });
                let from = from.to_str().unwrap();
                assert!(matches!(door.status(&["-T", from], "/dav/f"), 201 | 204));
                assert!(matches!(door.status(&["-T", from], "/dav/other"), 201 | 204));
                let to = format!("Destination: {}", door.url("/dav/f"));
                assert_eq!(door.status(&["-X", "MOVE", "-H", &to], "/dav/other"), 204);
            }
        });
        let mut read = 0;
        while !writer.is_finished() {
            let body = door.curl(&["-f"], "/dav/f").stdout;
            assert!(body == a || body == b, "torn: {} bytes", body.len());
            read += 1;
        }
        writer.join().unwrap();
        read
    });
    println!("{writers} whole reads while it was overwritten");
    assert!(writers > 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_507_and_changes_nothing() {
    let door = Https::start().await;
    let small = door.root.join("small");
    std::fs::create_dir(&small).unwrap();
    let mount = Command::new("mount").args(["-t", "tmpfs", "-o", "size=2m", "none", small.to_str().unwrap()]).output();
    if !mount.is_ok_and(|output| output.status.success()) {
        not_run("a full disk under WebDAV", "no right to mount a small file system");
        return;
    }
    std::fs::write(small.join("f"), "old").unwrap();
    let local = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(local.path(), vec![1; 8 << 20]).unwrap();
    let from = local.path().to_str().unwrap();
    let statuses: Vec<u16> =
        ["/dav/small/f", "/files/small/f", "/dav/small/g"].map(|path| door.status(&["-T", from], path)).to_vec();
    let (old, names) = (std::fs::read(small.join("f")).unwrap(), std::fs::read_dir(&small).unwrap().count());
    assert!(Command::new("umount").arg(&small).status().unwrap().success());
    assert_eq!(statuses, [507, 507, 507]);
    assert_eq!((old.as_slice(), names), (&b"old"[..], 1));
}

/// A PUT that waits in the middle of its body for `meanwhile`; returns its status.
async fn interrupted_put(door: &Https, path: &str, header: &str, meanwhile: impl FnOnce()) -> u16 {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut stream = tls(door).await;
    let header = if header.is_empty() { String::new() } else { format!("{header}\r\n") };
    let head = format!("{}{header}Connection: close\r\nContent-Length: 4\r\n\r\nsl", head("PUT", path));
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.flush().await.unwrap();
    // From here on the request has been looked at: its part lies beside the name.
    for _ in 0..500 {
        if !door.leftovers().is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    meanwhile();
    stream.write_all(b"ow").await.unwrap();
    let mut answer = Vec::new();
    let _with_or_without_goodbye = stream.read_to_end(&mut answer).await;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_else(|| panic!("no answer: {answer}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_put_asks_for_must_hold_when_it_takes_the_name() {
    let door = Https::start().await;
    let text = |name: &str| std::fs::read_to_string(door.root.join(name)).ok();
    let tag = |path: &str| {
        let (head, _) = door.exchange(&["-I"], path);
        head.split("etag: ").nth(1).unwrap().split('\r').next().unwrap().to_owned()
    };
    for (mount, form) in [("/dav", "If-Match: TAG"), ("/files", "If-Match: TAG"), ("/dav", "If: ([TAG])")] {
        std::fs::write(door.root.join("f"), "old").unwrap();
        let path = format!("{mount}/f");
        let header = form.replace("TAG", &tag(&path));
        let other = || assert_eq!(door.status(&["-X", "PUT", "-d", "theirs"], &path), 204);
        assert_eq!(interrupted_put(&door, &path, &header, other).await, 412, "{header}");
        assert_eq!(text("f").as_deref(), Some("theirs"), "{header}");
        let header = form.replace("TAG", &tag(&path));
        assert_eq!(interrupted_put(&door, &path, &header, || {}).await, 204, "{header}");
        assert_eq!(text("f").as_deref(), Some("slow"), "{header}");
        for (number, header) in
            ["If-None-Match: *", "If-Unmodified-Since: Sun, 06 Nov 1994 08:49:37 GMT"].iter().enumerate()
        {
            let name = format!("new{number}");
            std::fs::write(door.root.join("made"), "made").unwrap();
            let made = || std::fs::rename(door.root.join("made"), door.root.join(&name)).unwrap();
            if number == 1 {
                let long_ago = std::time::UNIX_EPOCH + Duration::from_secs(700_000_000);
                std::fs::write(door.root.join(&name), "older").unwrap();
                let file = std::fs::File::options().write(true).open(door.root.join(&name)).unwrap();
                file.set_modified(long_ago).unwrap();
            }
            assert_eq!(interrupted_put(&door, &format!("{mount}/{name}"), header, made).await, 412, "{mount} {header}");
            assert_eq!(text(&name).as_deref(), Some("made"), "{mount} {header}");
            std::fs::remove_file(door.root.join(&name)).unwrap();
        }
    }
    let other = || assert_eq!(door.status(&["-X", "PUT", "-d", "theirs"], "/dav/f"), 204);
    assert_eq!(interrupted_put(&door, "/dav/f", "", other).await, 204, "who asks for nothing comes last");
    assert_eq!(text("f").as_deref(), Some("slow"));
    assert_eq!(door.leftovers(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_that_is_taken_during_a_put_keeps_the_file() {
    let door = Https::start().await;
    std::fs::write(door.root.join("f"), "old").unwrap();
    let text = || std::fs::read_to_string(door.root.join("f")).unwrap();
    let mut token = String::new();
    let status = interrupted_put(&door, "/dav/f", "", || token = lock(&door, "Infinite", "/dav/f")).await;
    assert_eq!((status, text().as_str()), (423, "old"));
    assert_eq!(door.status(&["-X", "PUT", "-d", "y"], "/files/f"), 423, "it holds at the other door, too");
    let unlock = |token: &str| {
        let header = format!("Lock-Token: <{token}>");
        assert_eq!(door.status(&["-X", "UNLOCK", "-H", &header], "/dav/f"), 204);
    };
    let with = format!("If: (<{token}>)");
    assert_eq!(interrupted_put(&door, "/dav/f", &with, || {}).await, 204, "the one who holds the lock may");
    assert_eq!(text(), "slow");
    std::fs::write(door.root.join("f"), "old").unwrap();
    let lost = || {
        unlock(&token);
        lock(&door, "Infinite", "/dav/f");
    };
    assert_eq!(interrupted_put(&door, "/dav/f", &with, lost).await, 412, "its lock has ended");
    assert_eq!(text(), "old");
    let during = || drop(lock(&door, "Infinite", "/dav/new"));
    assert_eq!(interrupted_put(&door, "/files/new", "", during).await, 423);
    assert_eq!(std::fs::read_to_string(door.root.join("new")).unwrap(), "", "the empty file of the lock");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_put_as_the_finder_sends_it_has_the_length_that_it_announces() {
    let door = Https::start().await;
    let text = |name: &str| std::fs::read_to_string(door.root.join(name)).ok();
    for mount in ["/dav", "/files"] {
        std::fs::write(door.root.join("f"), "old").unwrap();
        let put = |announced: u64, body: &str| {
            let length = format!("X-Expected-Entity-Length: {announced}");
            let finder = ["-X", "PUT", "--http1.1", "-H", "Transfer-Encoding: chunked", "-H", &length, "-d", body];
            door.status(&finder, &format!("{mount}/f"))
        };
        // What was cut off, and what was added, on the way.
        for (announced, body) in [(8, "newer"), (1, "newer"), (4, "newer")] {
            assert_eq!(put(announced, body), 400, "{mount}: {announced} {body}");
            assert_eq!(text("f").as_deref(), Some("old"), "{mount}: {announced} {body}");
        }
        assert_eq!(put(5, "newer"), 204);
        assert_eq!(text("f").as_deref(), Some("newer"));
    }
    assert_eq!(door.leftovers(), Vec::<String>::new());
}
