//! What is in an archive and what is not, and how it ends when something goes wrong.

use std::os::unix::fs::symlink;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use causeway::drive::Junk;
use causeway::net::Refusal;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{fetched, logged, python, run, said};
use crate::support::https::{ARCHIVES, Https, PASSWORD, head};
use crate::support::tls::tls;

const NAMES: &str = "import sys, zipfile\nprint(*sorted(zipfile.ZipFile(sys.argv[1]).namelist()), sep='\\n')";

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_holds_what_the_account_may_see() {
    let door = Https::start().await;
    std::fs::create_dir_all(door.root.join("bob/inside")).unwrap();
    std::fs::create_dir_all(door.root.join("other/secret")).unwrap();
    for file in ["bob/a", "bob/inside/b", "other/secret/s"] {
        std::fs::write(door.root.join(file), file).unwrap();
    }
    let bob = door.root.join("bob");
    // Out of his part, out of the tree, nowhere, round in a circle, and to what is his.
    symlink("../other", bob.join("up")).unwrap();
    symlink("/etc", bob.join("etc")).unwrap();
    symlink("/etc/passwd", bob.join("inside/passwd")).unwrap();
    symlink("nowhere", bob.join("dangling")).unwrap();
    symlink("..", bob.join("inside/circle")).unwrap();
    symlink("a", bob.join("link to a")).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        bob.join("pipe"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o600),
        0,
    )
    .unwrap();
    let zip = fetched(&door, "bob", "/files/?zip", "bob.zip");
    assert_eq!(python(NAMES, &zip), "a\ninside/\ninside/b\nlink to a\n");
    let (head, _) = door.exchange(&["-I"], "/files/bob/?zip");
    assert!(head.contains("filename=\"bob.zip\"") && head.contains("content-type: application/zip"), "{head}");
    assert!(head.contains("no-store"), "{head}");
    // Who sees the whole tree sees what the link leads to.
    let all = python(NAMES, &fetched(&door, "reader", "/files/bob/?zip", "all.zip"));
    assert!(all.contains("bob/up/secret/s\n") && !all.contains("passwd") && !all.contains("etc/"), "{all}");
    // A choice of names.
    let chosen = |account: &str, data: &[&str], path: &str| {
        let file = door.data().join("chosen");
        let data: Vec<_> = data.iter().flat_map(|name| ["--data-urlencode", name]).collect();
        let args = [&["-o", file.to_str().unwrap(), "-w", "%{http_code}"], &data[..]].concat();
        let status = String::from_utf8(door.curl_as(account, &args, path).stdout).unwrap();
        (status, file)
    };
    let (status, file) = chosen("bob", &["name=a", "name=inside"], "/files/?tar.zst");
    assert_eq!(status, "200");
    assert_eq!(said("tar", &["--zstd", "-tf", file.to_str().unwrap()], door.data()), "a\ninside/\ninside/b\n");
    let refusals = [
        ("?zip", &["name=.."][..], "400"),
        ("?zip", &["name=../other"], "400"),
        ("?zip", &["other=a"], "400"),
        ("", &["name=a"], "400"),
        ("?rar", &["name=a"], "400"),
        ("?zip", &["name=missing"], "404"),
        ("?zip", &["name=up"], "403"),
        ("?zip", &["name=pipe"], "403"),
        ("missing/?zip", &["name=a"], "404"),
    ];
    for (query, names, status) in refusals {
        assert_eq!(chosen("bob", names, &format!("/files/{query}")).0, status, "{query} {names:?}");
    }
    assert_eq!(door.status(&["-u", "bob:wrong password"], "/files/?zip"), 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn junk_that_no_listing_shows_is_in_no_archive() {
    let door = Https::start().await;
    std::fs::create_dir(door.root.join("t")).unwrap();
    for name in ["a", "._a", ".DS_Store"] {
        std::fs::write(door.root.join("t").join(name), "x").unwrap();
    }
    assert_eq!(python(NAMES, &fetched(&door, "anna", "/files/t/?zip", "a")), "t/\nt/.DS_Store\nt/._a\nt/a\n");
    let door = door.restart_with(Junk::Hide).await;
    assert_eq!(python(NAMES, &fetched(&door, "anna", "/files/t/?zip", "b")), "t/\nt/a\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_shrinks_cuts_the_archive() {
    let door = Https::start().await;
    std::fs::create_dir(door.root.join("t")).unwrap();
    let file = std::fs::File::create(door.root.join("t/f.jpg")).unwrap();
    for (version, query) in [("--http1.1", "?zip"), ("--http2", "?zip"), ("--http1.1", "?tar.zst")] {
        // What zstd makes small would be here before it shrinks.
        file.set_len(if query == "?zip" { 256 << 20 } else { 64 << 30 }).unwrap();
        let there = door.data().join("cut");
        let mut curl = Command::new("curl")
            .args(["-sSk", "--max-time", "60", version, "-u", &format!("anna:{PASSWORD}"), "-o"])
            .arg(&there)
            .args(["--limit-rate", "20M", &door.url(&format!("/files/t/{query}"))])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let began = Instant::now();
        while std::fs::metadata(&there).map_or(0, |m| m.len()) < 16_384 {
            assert!(began.elapsed() < Duration::from_secs(30), "nothing comes");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        file.set_len(1000).unwrap();
        let status = curl.wait().unwrap();
        assert!(!status.success(), "{version} {query}: a client must not take a short archive for a whole one");
        let whole = if query == "?zip" {
            run("unzip", &["-tqq", there.to_str().unwrap()], door.data())
        } else {
            run("zstd", &["-tq", there.to_str().unwrap()], door.data())
        };
        assert!(!whole.status.success(), "nor does a program");
        std::fs::remove_file(&there).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_stops_ends_the_walk() {
    let door = Https::start().await;
    std::fs::create_dir(door.root.join("t")).unwrap();
    for number in 0..200_u32 {
        std::fs::File::create(door.root.join(format!("t/{number}.jpg"))).unwrap().set_len(8 << 20).unwrap();
    }
    let mut curl = Command::new("curl")
        .args(["-sSk", "--limit-rate", "1M", "-u", &format!("anna:{PASSWORD}"), "-o", "/dev/null"])
        .arg(door.url("/files/t/?zip"))
        .spawn()
        .unwrap();
    let began = Instant::now();
    let opened = || {
        let links = std::fs::read_dir("/proc/self/fd").unwrap().flatten();
        links.filter(|fd| std::fs::read_link(fd.path()).is_ok_and(|to| to.starts_with(door.root.join("t")))).count()
    };
    while opened() == 0 {
        assert!(began.elapsed() < Duration::from_secs(30), "the walk does not begin");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    curl.kill().unwrap();
    curl.wait().unwrap();
    let began = Instant::now();
    while logged(&door).await.is_empty() || opened() > 0 {
        assert!(began.elapsed() < Duration::from_secs(60), "the walk goes on without a client");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let log = logged(&door).await;
    let [(format, entries, size, whole)] = &log[..] else { panic!("{log:?}") };
    assert!(format == "zip" && *entries < 200 && *size < 200 * (8 << 20) && !whole, "{log:?}");
    // One that is taken whole is in the log with all of it.
    std::fs::write(door.root.join("f"), "x").unwrap();
    std::fs::remove_dir_all(door.root.join("t")).unwrap();
    let tar = fetched(&door, "anna", "/files/?tar.zst", "whole");
    let began = Instant::now();
    while logged(&door).await.len() < 2 {
        assert!(began.elapsed() < Duration::from_secs(30), "no line in the log");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let size = std::fs::metadata(tar).unwrap().len();
    assert_eq!(logged(&door).await[1], ("tar.zst".to_owned(), 1, size, true));
}

#[tokio::test(flavor = "multi_thread")]
async fn only_so_many_are_made_at_once() {
    let door = Https::start().await;
    std::fs::create_dir(door.root.join("large")).unwrap();
    std::fs::create_dir(door.root.join("small")).unwrap();
    // Of a kind that is stored as it is.
    std::fs::File::create(door.root.join("large/a.jpg")).unwrap().set_len(256 << 20).unwrap();
    let mut held = Vec::new();
    for _ in 0..ARCHIVES {
        let mut stream = tls(&door).await;
        stream.write_all(format!("{}\r\n", head("GET", "/files/large/?zip")).as_bytes()).await.unwrap();
        let mut said = [0; 12];
        stream.read_exact(&mut said).await.unwrap();
        assert_eq!(&said, b"HTTP/1.1 200");
        held.push(stream);
    }
    let (said, body) = door.exchange(&[], "/files/small/?zip");
    assert!(said.contains(" 503") && said.contains("retry-after: 10"), "{said}");
    assert!(String::from_utf8_lossy(&body).contains("limits.archives"));
    assert_eq!(door.status(&["-I"], "/files/small/?zip"), 200, "to look at it takes no place");
    assert_eq!(door.counters.count(Refusal::Archives), 1);
    held.pop();
    let begin = Instant::now();
    while door.status(&[], "/files/small/?zip") != 200 {
        assert!(begin.elapsed() < Duration::from_secs(30), "a place is given back");
    }
}
