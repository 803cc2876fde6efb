//! `causeway demo` as a newcomer meets it: the printed lines are run as they are printed.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::causeway::{Causeway, run};
use crate::support::skip::not_run;

/// What it printed since byte `from`, once the block is whole.
fn printed(demo: &Causeway, from: usize) -> String {
    let begin = Instant::now();
    loop {
        let text = demo.stdout()[from..].to_owned();
        if text.contains("  WebDAV ") && text.ends_with("\n\n") {
            return text;
        }
        assert!(begin.elapsed() < Duration::from_secs(30), "nothing to paste:\n{text}\n{}", demo.log());
        std::thread::sleep(Duration::from_millis(30));
    }
}

/// The printed line with this label.
fn line(block: &str, label: &str) -> String {
    let found = block.lines().rev().find_map(|line| line.trim().strip_prefix(label)?.strip_prefix("  "));
    found.unwrap_or_else(|| panic!("no line '{label}' in\n{block}")).trim().to_owned()
}

fn shell(folder: &Path, line: &str, input: &str) -> String {
    let mut child = Command::new("timeout")
        .args(["60", "sh", "-c", line])
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{line}\n{text}");
    text
}

/// Waits until both jobs have a run that is done, and returns how many runs there are.
fn wait_for_jobs(demo: &Causeway) -> usize {
    let begin = Instant::now();
    loop {
        let (code, stdout, stderr) = run(&mut demo.command(&["job", "list", "--json"]));
        assert_eq!(code, 0, "{stderr}");
        let jobs: serde_json::Value = serde_json::from_str(&stdout).unwrap();
        let jobs = jobs.as_array().unwrap();
        assert_eq!(jobs.len(), 2, "{stdout}");
        if jobs.iter().all(|job| job["last"]["state"] == "done") {
            return jobs.len();
        }
        assert!(
            begin.elapsed() < Duration::from_secs(150),
            "the demo's jobs do not end well:\n{stdout}\n{}",
            demo.log()
        );
        std::thread::sleep(Duration::from_millis(500));
    }
}

fn files(folder: &Path, prefix: &Path, found: &mut Vec<std::path::PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = prefix.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() { files(&entry.path(), &name, found) } else { found.push(name) }
    }
}

#[test]
fn heavy_the_demo_does_what_it_prints() {
    let mut demo = Causeway::demo();
    let block = printed(&demo, 0);
    wait_for_jobs(&demo);

    // Byte for byte, with times; today's orders still arrive.
    let (legacy, served) = (demo.data().join("legacy-ftp"), demo.tree().join("legacy"));
    let mut all = Vec::new();
    files(&legacy, Path::new(""), &mut all);
    all.retain(|path| !path.starts_with("beijing") && !path.starts_with("inbound/orders/today"));
    assert!(all.len() > 250, "{}", all.len());
    for path in &all {
        let (old, new) = (legacy.join(path), served.join(path));
        assert!(fs::read(&old).unwrap() == fs::read(&new).unwrap(), "{path:?} differs");
        let second = |path: &Path| fs::metadata(path).unwrap().modified().unwrap();
        assert_eq!(second(&old), second(&new), "{path:?} has another time");
    }
    let mut beijing: Vec<_> =
        fs::read_dir(demo.tree().join("beijing")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    beijing.sort();
    assert_eq!(beijing, ["合同.txt", "报表 2024.txt"], "GBK names became UTF-8");

    // The lines, as they are printed.
    let text = shell(demo.folder(), &line(&block, "sftp"), "ls legacy/awkward\nput stderr inbox.txt\nbye\n");
    assert!(text.contains("Übergröße.txt") || text.contains("100% sure.txt"), "{text}");
    shell(demo.folder(), &line(&block, "curl"), "");
    let size = fs::metadata(demo.folder().join("warehouse-full.dump")).unwrap().len();
    assert_eq!(size, 64 << 20);
    let text = shell(demo.folder(), &line(&block, "rclone"), "");
    assert!(text.contains("backup/") && text.contains("partners/"), "{text}");
    let login = line(&block, "Login");
    let password = login.split_whitespace().last().unwrap().to_owned();
    mount(&demo, &line(&block, "WebDAV"));

    // A second start goes on: the same login, no jobs made twice.
    assert_eq!(demo.stop(), 0, "{}", demo.log());
    let before = demo.stdout().len();
    demo.again();
    assert!(printed(&demo, before).contains(&password), "the same login again");
    wait_for_jobs(&demo);
    assert_eq!(demo.stop(), 0, "{}", demo.log());
    let (code, stdout, _) = run(&mut demo.command(&["audit", "verify", "--checkpoint", "data/audit-checkpoint"]));
    assert_eq!(code, 0, "{stdout}");
}

/// Mounts as printed, elsewhere than /mnt, when this machine can mount at all.
fn mount(demo: &Causeway, line: &str) {
    if !Path::new("/dev/fuse").exists() {
        not_run("the demo's WebDAV mount", "no /dev/fuse");
        return;
    }
    let point = demo.folder().join("mnt");
    fs::create_dir(&point).unwrap();
    let line = line.replace(" /mnt", &format!(" {}", point.display()));
    shell(demo.folder(), &line, "");
    let seen = fs::metadata(point.join("legacy/awkward"));
    let read = fs::read(point.join("legacy/awkward/what?.txt"));
    let written = fs::write(point.join("from the mount.txt"), "hello");
    let status = Command::new("umount").arg(&point).status().unwrap();
    assert!(status.success());
    assert!(seen.unwrap().is_dir());
    assert_eq!(read.unwrap().len(), 700);
    written.unwrap();
    assert_eq!(fs::read(demo.tree().join("from the mount.txt")).unwrap(), b"hello");
}
