//! `kill -9` of the service: an offset that was told, and every one that is told later, is on the disk.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::{BYTES, TUS, content, header, metadata, status};
use crate::support::causeway::Causeway;

const PASSWORD: &str = "correct horse battery";

/// A request by `anna`, with curl.
fn curl(served: &Causeway, args: &[&str], path: &str) -> Command {
    let mut curl = Command::new("curl");
    curl.args(["-sSk", "-i", "--max-time", "60", "-u", &format!("anna:{PASSWORD}"), "-H", TUS]).args(args);
    curl.arg(format!("https://localhost:{}{path}", served.https.port()));
    curl
}

/// The head of its answer.
fn ask(served: &Causeway, args: &[&str], path: &str) -> String {
    let output = curl(served, args, path).output().unwrap();
    String::from_utf8_lossy(&output.stdout).to_ascii_lowercase()
}

/// Bytes of the only part in `folder`.
fn in_part(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let mut parts = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(".causeway-upload-"));
    parts.next().map_or(0, |part| part.metadata().unwrap().len())
}

#[test]
fn an_offset_is_never_above_what_is_on_the_disk() {
    let mut served = Causeway::serve();
    served.account("anna", PASSWORD, &[]);
    let bytes = content(12_000_000);
    let local = served.folder().join("local");
    let (length, named) = (format!("Upload-Length: {}", bytes.len()), metadata(&[("filename", "f")]));
    let head = ask(&served, &["-X", "POST", "-H", &length, "-H", &named], "/files/.tus/");
    let at = header(&head, "location").unwrap().to_owned();
    let tree = served.tree();
    let stands = |served: &Causeway| {
        let head = ask(served, &["-I"], &at);
        assert_eq!(status(&head), 200, "{head}");
        header(&head, "upload-offset").unwrap().parse::<usize>().unwrap()
    };
    let (mut told, mut kills) = (0, 0);
    while told < bytes.len() {
        // One request that comes to its end, whose offset is a promise,
        let end = (told + 1_000_000).min(bytes.len());
        std::fs::write(&local, &bytes[told..end]).unwrap();
        let (from, body) = (format!("Upload-Offset: {told}"), format!("@{}", local.display()));
        let patch = ["-X", "PATCH", "-H", BYTES, "-H", &from, "--data-binary", &body];
        let head = ask(&served, &patch, &at);
        assert_eq!(status(&head), 204, "{head}");
        told = header(&head, "upload-offset").unwrap().parse().unwrap();
        assert_eq!(told, end);
        if told == bytes.len() {
            break;
        }
        // and one that the end of the service falls into: after some of its bytes are in the part, or at once.
        std::fs::write(&local, &bytes[told..]).unwrap();
        let from = format!("Upload-Offset: {told}");
        let patch = ["-X", "PATCH", "-H", BYTES, "-H", &from, "--limit-rate", "6M", "--data-binary", &body];
        let mut sending = curl(&served, &patch, &at);
        let mut sending = sending.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let begin = Instant::now();
        let is_awaited = kills % 3 > 0 && bytes.len() - told > 2_000_000;
        while is_awaited && in_part(&tree) <= told as u64 && begin.elapsed() < Duration::from_secs(20) {
            std::thread::sleep(Duration::from_millis(5));
        }
        served.kill_nine();
        sending.wait().unwrap();
        kills += 1;
        served.again();
        let now = stands(&served);
        if tree.join("f").exists() {
            // The last bytes were faster than the end of the service.
            assert_eq!(now, bytes.len());
            break;
        }
        assert!(now >= told, "{now} is less than the {told} that were promised");
        assert!(now as u64 <= in_part(&tree), "{now} is more than the part has: {}", in_part(&tree));
        told = now;
    }
    assert!(kills >= 8, "it was killed {kills} times");
    assert!(std::fs::read(tree.join("f")).unwrap() == bytes);
    // The name was taken, and the store has not heard of it: the file is known by its inode.
    served.kill_nine();
    let sql = "UPDATE resumable SET done = 0, confirmed = 5";
    let store = served.data().join("causeway.db");
    let python = format!("import sqlite3; c = sqlite3.connect({store:?}); c.execute({sql:?}); c.commit()");
    assert!(Command::new("python3").args(["-c", &python]).status().unwrap().success());
    served.again();
    assert_eq!(stands(&served), bytes.len());
}
