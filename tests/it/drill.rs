//! `causeway drill` against real servers.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::support::causeway::{command, run};
use crate::support::ftpd::{Ftpd, PASSWORD, Server, Tls};
use crate::support::sshd::Sshd;

/// So short that a connection that is dead without a word is noticed soon.
const DEADLINES: &str = "connect=3,banner=3,command=3,stall=3,closing=3,listing=5";

fn causeway(folder: &Path, words: &[&str]) -> (i32, String, String) {
    run(command(folder).args(words))
}

/// Files of many sizes, of which the copy takes some seconds.
fn fill(root: &Path) {
    fs::create_dir_all(root.join("deep/er")).unwrap();
    for number in 0..24_u32 {
        let folder = ["", "deep", "deep/er"][(number % 3) as usize];
        let length = 1000 + 9_973 * number as usize;
        fs::write(root.join(folder).join(format!("file {number}")), vec![number as u8 + 1; length]).unwrap();
    }
    // Too large for the sample.
    fs::write(root.join("large"), vec![1; 5_000_000]).unwrap();
}

/// Adds a job, drills it, and returns what came of each exercise; nothing is left behind.
fn drilled(folder: &Path, job: &[&str], only: &str) -> BTreeMap<String, Value> {
    let add = [&["job", "add", "old", job[0], "target", "--deadlines", DEADLINES][..], &job[1..]].concat();
    let (code, stdout, stderr) = causeway(folder, &add);
    assert_eq!(code, 0, "{stdout}{stderr}");
    let page = folder.join("drill.html");
    let drill = ["drill", "old", "--json", "--only", only, "--max-bytes", "4MiB", "--report", page.to_str().unwrap()];
    let (code, stdout, stderr) = causeway(folder, &drill);
    let report: Value = serde_json::from_str(&stdout).unwrap_or_else(|error| panic!("{error}: {stdout}{stderr}"));
    assert_eq!(code, 0, "{report:#}{stderr}");
    assert_eq!(report["files"], 24, "{report:#}");
    let exercises = report["exercises"].as_array().unwrap();
    for done in exercises {
        assert_eq!(
            (&done["lost"], &done["strange"], &done["skipped"]),
            (&0.into(), &0.into(), &Value::Null),
            "{done:#}"
        );
        assert!(done["resumed"].as_f64().is_some() && done["seconds"].as_f64().unwrap() > 2.0, "{done:#}");
    }
    let names: Vec<_> = exercises.iter().map(|done| done["exercise"].as_str().unwrap().to_owned()).collect();
    assert_eq!(names.join(","), only);
    assert!(!folder.join("target").exists(), "the job's own target is not touched");
    let left = fs::read_dir(folder.join("data")).unwrap().map(|entry| entry.unwrap().file_name());
    assert_eq!(left.filter(|name| name.to_string_lossy().starts_with("drill")).count(), 0);
    assert!(fs::read_to_string(page).unwrap().contains(&format!("Nothing lost in {0} of {0} exercises", names.len())));
    let (_, log, _) = causeway(folder, &["audit", "list", "--json"]);
    assert_eq!(log.matches("job-drilled").count(), names.len(), "{log}");
    assert!(!log.contains(PASSWORD));
    names.into_iter().zip(exercises.iter().cloned()).collect()
}

fn noticed(done: &Value) -> f64 {
    done["noticed"].as_f64().unwrap_or_else(|| panic!("it was not noticed: {done:#}"))
}

#[test]
fn what_breaks_on_the_way_to_vsftpd_behind_tls_loses_nothing() {
    let ftpd = Ftpd::start_with(Server::Vsftpd, Tls::V13, &[]);
    fill(&ftpd.root());
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("word"), PASSWORD).unwrap();
    let (url, ca) = (ftpd.url(), ftpd.certificate_file());
    let job = [url.as_str(), "--password-file", "word", "--ca-file", ca.to_str().unwrap()];
    let done = drilled(folder.path(), &job, "reset,half-open,refusals,disk-full,killed");
    assert!(noticed(&done["reset"]) < 3.0, "no deadline was needed: {:#}", done["reset"]);
    // By a deadline of 3 s, unless the server says on the other connection that this one is gone.
    let half_open = noticed(&done["half-open"]);
    assert!(half_open < 30.0, "{half_open}");
    noticed(&done["refusals"]);
    noticed(&done["disk-full"]);
    noticed(&done["killed"]);
    let said = done["disk-full"]["said"].as_str().unwrap();
    assert!(said.contains("no space left"), "{said}");
    assert!(
        done["disk-full"]["resumed"].as_f64().unwrap() >= 4.9,
        "not before there was room: {:#}",
        done["disk-full"]
    );
}

#[test]
fn what_breaks_on_the_way_to_openssh_loses_nothing() {
    let sshd = Sshd::start();
    fill(&sshd.root());
    sshd.own();
    let folder = tempfile::tempdir().unwrap();
    let (url, key, pin) = (sshd.url(), sshd.file("key"), sshd.pin());
    let job = [url.as_str(), "--identity", &key, "--pin", &pin];
    let done = drilled(folder.path(), &job, "stall,black-hole,slow,database-locked");
    assert!(noticed(&done["black-hole"]) > 2.5, "{:#}", done["black-hole"]);
    assert!(done["black-hole"]["resumed"].as_f64().unwrap() >= 15.0, "{:#}", done["black-hole"]);
    assert!(done["database-locked"]["resumed"].as_f64().unwrap() >= 4.9, "{:#}", done["database-locked"]);
    // What takes four seconds otherwise.
    for long in ["stall", "slow"] {
        assert!(done[long]["seconds"].as_f64().unwrap() >= 9.0, "{:#}", done[long]);
    }
    // The moment can be chosen, and one that does not come is no exercise that was passed.
    for (at, passed) in [("1", true), ("1GiB", false)] {
        let drill = ["drill", "old", "--json", "--only", "reset", "--max-bytes", "1MiB", "--at", at];
        let (code, stdout, stderr) = causeway(folder.path(), &drill);
        let done = &serde_json::from_str::<Value>(&stdout).unwrap()["exercises"][0];
        assert_eq!(
            (code, done["skipped"].is_null(), &done["lost"]),
            (i32::from(!passed), passed, &0.into()),
            "{stderr}"
        );
    }
}

#[test]
fn a_drill_says_what_it_cannot_do() {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("source");
    fs::create_dir(&source).unwrap();
    let add = ["job", "add", "here", source.to_str().unwrap(), "target"];
    assert_eq!(causeway(folder.path(), &add).0, 0);
    for (words, said) in [
        (&["drill", "nobody"][..], "nobody"),
        (&["drill", "here"], "no file with something in it"),
        (&["drill", "here", "--only", "earthquake"], "write one of reset, stall"),
    ] {
        let (code, stdout, stderr) = causeway(folder.path(), words);
        assert!(code != 0 && stderr.contains(said), "{code} {stdout}{stderr}");
    }
    fs::write(source.join("file"), vec![7; 100_000]).unwrap();
    // There is no connection to break, and a drill that was not done is not passed.
    let (code, stdout, stderr) = causeway(folder.path(), &["drill", "here", "--only", "reset,killed"]);
    assert_eq!(code, 1, "{stdout}{stderr}");
    assert!(stdout.contains("not done: the source is a folder of this machine"), "{stdout}");
    assert!(stdout.contains("Nothing lost in 1 of 2 exercises; 1 were not done."), "{stdout}");
}
