//! `causeway ls`: saved listings of every kind, standard input, zones and character sets, and the real servers.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::Value;

use crate::support::causeway::{command, run};
use crate::support::ftpd::{Ftpd, PASSWORD, Server};

const NOW: &str = "2026-11-23T12:00:00Z";

fn fixtures() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/listings");
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "txt"))
        .collect();
    files.sort();
    files
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn ls(arguments: &[&str]) -> (i32, String, String) {
    let folder = tempfile::tempdir().unwrap();
    let ended = run(command(folder.path()).arg("ls").args(arguments).env("CAUSEWAY_SOURCE_PASSWORD", PASSWORD));
    assert!(!folder.path().join("data").exists(), "looking must not make anything");
    ended
}

fn piped(listing: &[u8], arguments: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let mut child = command(folder.path())
        .arg("ls")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Beside the reading: the answer is longer than a pipe.
    let (mut stdin, listing) = (child.stdin.take().unwrap(), listing.to_vec());
    let writer = std::thread::spawn(move || stdin.write_all(&listing).unwrap());
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn every_line_of_every_kind_is_read_as_expected() {
    let (mut read, mut formats) = (0, BTreeSet::new());
    for file in fixtures() {
        let form: &[&str] = if file.ends_with("nlst.txt") { &["--as", "nlst"] } else { &[] };
        let path = file.to_str().unwrap();
        let (code, stdout, stderr) = ls(&[&["--file", path, "--now", NOW, "--json"], form].concat());
        assert_eq!(code, 0, "{path}: {stderr}");
        let expected = lines(&fs::read_to_string(file.with_extension("jsonl")).unwrap());
        let found = lines(&stdout);
        for (found, expected) in found.iter().zip(&expected) {
            assert_eq!(found, expected, "{path}");
            formats.extend(found["format"].as_str().map(str::to_owned));
        }
        assert_eq!(found.len(), expected.len(), "{path}");
        let doubtful = expected.iter().any(|line| line.get("unparsed_hex").is_some());
        assert_eq!(stderr.contains("not known to be complete"), doubtful, "{path}: {stderr}");
        read += found.len();
    }
    assert!(read >= 250, "{read} lines");
    assert_eq!(formats.len(), 22, "{formats:?}");
}

#[test]
fn a_zone_a_character_set_and_the_present_are_taken() {
    let listing = b"-rw-r--r-- 1 a b 1 Jul  1 12:00 \xd6\xd0\xce\xc4\n-rw-r--r-- 1 a b 2 Jan  1 12:00 w\n\
                    -rw-r--r-- 1 a b 3 Mar 31  2019 day\n";
    let rows = lines(&piped(listing, &["-", "--json", "--zone", "Europe/Berlin", "--charset", "gbk", "--now", NOW]));
    assert_eq!((&rows[0]["name"], &rows[0]["name_hex"]), (&"中文".into(), &"d6d0cec4".into()));
    let times: Vec<_> = rows.iter().map(|row| (row["mtime"].clone(), row["mtime_precision"].clone())).collect();
    assert_eq!(
        times,
        [
            ("2026-07-01T10:00:00Z".into(), "m".into()),
            ("2026-01-01T11:00:00Z".into(), "m".into()),
            ("2019-03-30T23:00:00Z".into(), "d".into())
        ]
    );
    let rows = lines(&piped(listing, &["--file", "-", "--json", "--zone", "-300", "--now", "2019-04-01T00:00:00Z"]));
    assert_eq!((&rows[0]["name"], &rows[0]["mtime"]), (&"\\xd6\\xd0\\xce\\xc4".into(), &"2018-07-01T17:00:00Z".into()));

    // For people: the server's own clock, the verdict at the end.
    let table = piped(listing, &["-", "--zone", "Europe/Berlin", "--now", NOW]);
    assert!(table.contains("2019-03-31 ") && table.contains("2026-07-01 12:00 "), "{table}");
    assert!(table.ends_with("\ncomplete: every line of the saved listing was understood\n"), "{table}");
}

/// Names in a character set, as `ls -l` shows them.
fn listing_in(charset: &'static encoding_rs::Encoding, names: &[&str]) -> Vec<u8> {
    let mut listing = Vec::new();
    for name in names {
        listing.extend_from_slice(b"-rw-r--r-- 1 a b 1 Nov  2 10:59 ");
        listing.extend_from_slice(&charset.encode(name).0);
        listing.push(b'\n');
    }
    listing
}

#[test]
fn the_character_set_is_found_out_and_previewed() {
    let names = ["财务报表2024.xls", "会议纪要.doc", "照片", "合同扫描件.pdf"];
    let mut listing = listing_in(encoding_rs::GBK, &names);
    listing.extend(listing_in(encoding_rs::UTF_8, &["中文 in UTF-8"]));
    listing.extend_from_slice(b"surprise\n");
    let rows = lines(&piped(&listing, &["-", "--json", "--charset", "auto", "--now", NOW]));
    let shown: Vec<_> = rows.iter().filter_map(|row| row["name"].as_str()).collect();
    assert_eq!(shown, [&names[..], &["中文 in UTF-8"]].concat());
    assert!(rows[5].get("unparsed_hex").is_some(), "in the order of the listing: {rows:?}");
    let table = piped(&listing, &["-", "--charset", "auto", "--now", NOW]);
    assert!(
        table.contains("names: GBK (4 of 4 names fit, 8 of 8 parts of them agree); 1 other names are UTF-8"),
        "{table}"
    );
    // One name is not enough to be sure; the bytes stay what they are, and a person may say better.
    let one = listing_in(encoding_rs::SHIFT_JIS, &["写真"]);
    let table = piped(&one, &["-", "--charset", "auto", "--now", NOW]);
    assert!(table.contains("not sure: name the right one with --charset"), "{table}");
    let rows = lines(&piped(&one, &["-", "--json", "--charset", "shift_jis", "--now", NOW]));
    assert_eq!((&rows[0]["name"], &rows[0]["name_hex"]), (&"写真".into(), &"8eca905e".into()));
    let table = piped(&listing_in(encoding_rs::UTF_8, &["中文名"]), &["-", "--charset", "auto", "--now", NOW]);
    assert!(table.contains("\nnames: UTF-8\n"), "{table}");
}

#[test]
fn a_saved_listing_is_read_to_its_last_byte() {
    // Without a line end; and many times what votes, with a late surprise.
    let rows = lines(&piped(b"-rw-r--r-- 1 a b 1 Nov  2 10:59 x", &["-", "--json", "--now", NOW]));
    assert_eq!(rows.len(), 1);
    let mut long = String::new();
    for n in 0..20_000 {
        long.push_str(&format!("-rw-r--r--   1 anna staff {n} Nov  2 10:59 file {n}\r\n"));
    }
    long.push_str("surprise\r\n");
    let rows = lines(&piped(long.as_bytes(), &["-", "--json", "--now", NOW]));
    assert_eq!((rows.len(), &rows[19_999]["size"]), (20_001, &19_999.into()));
    assert_eq!(rows[20_000]["unparsed_hex"], "7375727072697365");
}

#[test]
fn what_cannot_be_is_said() {
    for (arguments, said) in [
        (&["--file", "there/is/none"][..], "there/is/none"),
        (&["-", "--as", "klingon"], "mvs-pds"),
        (&["-", "--zone", "Europe/Nowhere"], "Europe/Berlin"),
        (&["-", "--now", "yesterday"], "2024-05-06T07:08:09Z"),
        (&["-", "--charset", "klingon"], "shift_jis"),
        (&["/", "--as", "unix"], "--file"),
        (&["/there/is/none"], "/there/is/none"),
        (&[], "URL"),
    ] {
        let (code, _, stderr) = ls(arguments);
        assert!(code != 0 && stderr.contains(said), "{arguments:?}: {stderr}");
    }
}

#[test]
fn the_servers_and_this_machine_are_listed_live() {
    for server in Server::ALL {
        let ftpd = Ftpd::start(server);
        fs::create_dir(ftpd.root().join("folder")).unwrap();
        fs::write(ftpd.root().join("\u{e9}t\u{e9}"), "12345").unwrap();
        std::os::unix::fs::symlink("folder", ftpd.root().join("link")).unwrap();
        ftpd.own();
        let format = if server == Server::Vsftpd { "unix" } else { "mlsd" };
        for (url, format) in [(ftpd.url(), format), (ftpd.root().display().to_string(), "local")] {
            let (code, stdout, stderr) = ls(&[&url, "--json"]);
            assert_eq!(code, 0, "{server:?}: {stderr}");
            let rows = lines(&stdout);
            let one = |name: &str| {
                rows.iter()
                    .find(|row| row["name"] == name)
                    .unwrap_or_else(|| panic!("{server:?}: no {name} in {stdout}"))
            };
            assert_eq!((&one("été")["type"], &one("été")["size"]), (&"file".into(), &5.into()), "{server:?}");
            assert_eq!((&one("folder")["type"], &one("folder")["size"]), (&"dir".into(), &Value::Null), "{server:?}");
            assert!(rows.iter().all(|row| row["format"] == format), "{server:?}: {stdout}");
            if format != "mlsd" {
                assert_eq!((&one("link")["type"], &one("link")["target"]), (&"symlink".into(), &"folder".into()));
            }
        }
        let (_, stdout, _) = ls(&[&ftpd.url()]);
        assert!(stdout.contains("\ncomplete: "), "{server:?}: {stdout}");
    }
}

#[test]
fn the_clock_of_the_listing_is_checked_against_exact_times() {
    let ftpd = Ftpd::start(Server::Vsftpd);
    let now = std::time::SystemTime::now();
    for days in 1..=10 {
        let file = fs::File::create(ftpd.root().join(format!("{days} days old"))).unwrap();
        file.set_modified(now - std::time::Duration::from_secs(days * 86_400)).unwrap();
    }
    ftpd.own();
    let (_, stdout, _) = ls(&[&ftpd.url()]);
    assert!(stdout.contains("\nclock: of zone UTC, as the exact times of "), "{stdout}");
    let (_, stdout, _) = ls(&[&ftpd.url(), "--zone", "-90"]);
    assert!(stdout.contains("\nclock: not of zone -90; by the exact times of "), "{stdout}");
    assert!(stdout.contains("it is of zone UTC: use --zone UTC\n"), "{stdout}");
}
