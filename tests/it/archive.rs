//! Folders as archives at `/files/`, unpacked by the programs that people have.

mod bounds;
mod programs;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::support::https::Https;

/// Fetches `path` as `account` into a new file beside the tree.
fn fetched(door: &Https, account: &str, path: &str, name: &str) -> PathBuf {
    let file = door.data().join(name);
    let output = door.curl_as(account, &["-f", "--max-time", "280", "-o", file.to_str().unwrap()], path);
    assert!(output.status.success(), "{path}: {}", String::from_utf8_lossy(&output.stderr));
    file
}

fn run(program: &str, args: &[&str], folder: &Path) -> Output {
    Command::new(program).args(args).current_dir(folder).output().unwrap()
}

/// Runs what must succeed; what it says.
fn said(program: &str, args: &[&str], folder: &Path) -> String {
    let output = run(program, args, folder);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{program} {args:?}: {text}{}", String::from_utf8_lossy(&output.stderr));
    text
}

/// What Python's `zipfile` says of an archive, whose path is in `sys.argv[1]`.
fn python(script: &str, archive: &Path) -> String {
    said("python3", &["-c", script, archive.to_str().unwrap()], Path::new("/"))
}

/// The archives in the log: format, entries, bytes, and whether all was taken.
async fn logged(door: &Https) -> Vec<(String, u64, u64, bool)> {
    let query = "SELECT entry FROM audit WHERE action = 'door-archived' ORDER BY seq";
    let rows: Vec<String> = sqlx::query_scalar(query).fetch_all(door.db.read()).await.unwrap();
    let row = |text: &String| {
        let event = serde_json::from_str::<serde_json::Value>(text).unwrap()["event"].take();
        let number = |key: &str| event[key].as_u64().unwrap();
        (event["format"].as_str().unwrap().to_owned(), number("entries"), number("size"), event["whole"] == true)
    };
    rows.iter().map(row).collect()
}
