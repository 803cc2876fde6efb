//! `tests/bench/mirror` still does what README says: a tiny run of it with every tool. Its copies are looked at, its times
//! never.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::support::causeway::binary;
use crate::support::ftpd::peers;

/// Runs it with these words over trees of a few files, and returns what it wrote.
fn bench(out: &Path, words: &str) -> (Value, String) {
    peers();
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    let done = Command::new(top.join("tests/bench/mirror"))
        .arg("--causeway")
        .arg(binary())
        .arg("--out")
        .arg(out)
        .args(words.split_whitespace())
        .current_dir(out)
        .output()
        .unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success(), "{said}");
    let result = serde_json::from_slice(&fs::read(out.join("result.json")).unwrap()).unwrap();
    let page = fs::read_to_string(out.join("index.html")).unwrap();
    assert!(page.contains("<table") && page.ends_with("</html>\n"), "{page}");
    assert!(!page.contains("http://") && !page.contains("https://"), "the page needs nothing from elsewhere");
    (result, said)
}

fn words<'a>(row: &'a Value, key: &str) -> &'a str {
    row[key].as_str().unwrap()
}

#[test]
fn bench_compares_every_tool_s_copy() {
    let out = tempfile::tempdir().unwrap();
    let options = "--scale 0.003 --repeat 1 --tree SMALL,BIG,HUGE --link loopback --connections 2,default";
    let (result, said) = bench(out.path(), options);
    let rows = result["rows"].as_array().unwrap();
    for tool in ["causeway", "lftp", "rclone", "wget"] {
        for tree in ["SMALL", "BIG"] {
            for phase in ["first", "again"] {
                let mut found = rows
                    .iter()
                    .filter(|row| (words(row, "tool"), words(row, "tree"), words(row, "phase")) == (tool, tree, phase));
                let count = found.clone().count();
                assert_eq!(count, if tool == "wget" { 1 } else { 2 }, "{tool}, {tree}, {phase}: {said}");
                assert!(found.all(|row| words(row, "copy").starts_with("equal")), "{said}");
            }
        }
    }
    assert_eq!(rows.iter().filter(|row| row["phase"] == "plan").count(), 6, "{said}");
    assert_eq!(result["killed"]["copy"], "equal", "{said}");
    let targets = result["targets"].as_array().unwrap();
    let judged = targets.iter().filter(|target| words(target, "state") != "not measured");
    // Four of SMALL, one of BIG and one of HUGE are about the loopback interface.
    assert_eq!(judged.count(), 6, "{targets:?}");
}

#[test]
fn bench_compares_encryption_with_its_cipher() {
    let out = tempfile::tempdir().unwrap();
    let options =
        "--scale 0.003 --repeat 1 --tree BIG --link loopback,loopbacktls --connections 2 --tools causeway,lftp";
    let (result, said) = bench(out.path(), options);
    for tool in ["causeway", "lftp"] {
        let mut rows = result["rows"].as_array().unwrap().iter().filter(|row| words(row, "tool") == tool);
        assert!(rows.all(|row| words(row, "copy").starts_with("equal")), "{said}");
    }
    let suites: Vec<_> = result["rows"].as_array().unwrap().iter().map(|row| &row["measured"]["suite"]).collect();
    assert_eq!(suites.iter().filter(|suite| suite.is_null()).count(), suites.len() / 2, "in the clear: {suites:?}");
    let target = result["targets"].as_array().unwrap().iter().find(|target| target["metric"] == "cipher").unwrap();
    assert!(target["measured"].is_number() && words(target, "state").starts_with("shrunken"), "{target} {said}");
}

/// Root and /dev/net/tun are needed, as for all tests with a link.
#[test]
fn bench_strikes_every_tool_with_a_fault() {
    let out = tempfile::tempdir().unwrap();
    let (result, said) = bench(out.path(), "--faults limit --scale 0.03 --limit 15");
    let rows = result["faults"].as_array().unwrap();
    assert_eq!(rows.len(), 2, "one without a fault, one with: {said}");
    for tool in ["causeway", "lftp", "rclone", "wget"] {
        assert!(words(&rows[0]["tools"][tool], "state").starts_with("equal"), "{said}");
    }
    assert_eq!(words(&rows[1]["tools"]["causeway"], "verdict"), "ok", "{said}");
}
