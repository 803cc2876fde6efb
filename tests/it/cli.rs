//! The program as people meet it: the real binary, its messages and its exit codes.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::causeway::{Causeway, binary, command, run};
use crate::support::ftpd::{self, Ftpd, Server};

mod account;
mod ls;
mod manifest;
mod manners;
mod patience;
mod survey;
mod terminal;

fn causeway(folder: &Path, arguments: &[&str]) -> (i32, String, String) {
    run(command(folder).args(arguments))
}

/// The README's blocks of shell lines that begin with `causeway`.
fn readme_commands() -> Vec<String> {
    let readme = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let mut in_block = false;
    let mut commands = Vec::new();
    for line in readme.lines() {
        if line.starts_with("```") {
            in_block = !in_block && line == "```sh";
        } else if in_block && line.starts_with("causeway ") {
            commands.push(line.split("  #").next().unwrap().trim().to_owned());
        }
    }
    commands
}

#[test]
fn every_command_has_help_with_its_options() {
    let folder = tempfile::tempdir().unwrap();
    for verb in [
        &[][..],
        &["demo"],
        &["serve"],
        &["ls"],
        &["mirror"],
        &["job"],
        &["job", "add"],
        &["run"],
        &["account"],
        &["account", "key"],
        &["account", "totp"],
        &["ca"],
        &["ca", "revoke"],
        &["host-key"],
        &["host-key", "list"],
        &["audit"],
        &["manifest"],
        &["manifest", "verify"],
        &["manifest", "diff"],
        &["audit", "verify"],
        &["check"],
    ] {
        let (code, stdout, stderr) = causeway(folder.path(), &[verb, &["--help"]].concat());
        assert_eq!(code, 0, "{verb:?}: {stderr}");
        assert!(stdout.contains("Usage:"), "{verb:?}: {stdout}");
    }
    let (code, _, stderr) = causeway(folder.path(), &["mirrror"]);
    assert_eq!(code, 2);
    assert!(stderr.contains("mirror"), "{stderr}");
    assert!(!folder.path().join("data").exists(), "help must not make anything");
}

#[test]
fn the_readme_uses_options_that_exist() {
    let commands = readme_commands();
    assert!(commands.len() >= 8, "the README's commands were not found: {commands:?}");
    let folder = tempfile::tempdir().unwrap();
    for line in commands {
        // With --help behind it, clap accepts the words before it only as far as they are known to it.
        let line = line.split(" > ").next().unwrap();
        let path = format!("{}:/usr/bin:/bin", binary().parent().unwrap().display());
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("{line} --help")]).env("PATH", path).current_dir(folder.path());
        let (code, stdout, stderr) = run(&mut shell);
        assert_eq!(code, 0, "{line}: {stderr}");
        for option in line.split_whitespace().filter(|word| word.starts_with("--")) {
            assert!(stdout.contains(option), "{line}: {option} is not in\n{stdout}");
        }
    }
}

#[test]
fn a_broken_configuration_is_told_whole() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("causeway.toml"), "[https]\nlissen = \"x\"\n[sftp]\nlisten = \"nowhere\"\n").unwrap();
    for verb in ["serve", "check"] {
        let (code, stdout, stderr) = causeway(folder.path(), &[verb]);
        let said = format!("{stdout}{stderr}");
        assert_eq!(code, 1, "{said}");
        assert!(said.contains("causeway.toml:2: 'https.lissen' is not a setting"), "{said}");
        assert!(said.contains("did you mean 'https.listen'?"), "{said}");
        assert!(said.contains("causeway.toml:4: sftp.listen: 'nowhere' is not an address and a port"), "{said}");
    }
    let (code, stdout, _) = causeway(folder.path(), &["check", "--json"]);
    assert_eq!(code, 1);
    let json: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(json["problems"].as_array().unwrap().len(), 2);
    let (code, _, stderr) = causeway(folder.path(), &["check", "--config", "nothing.toml"]);
    assert_eq!(code, 1, "{stderr}");
}

#[test]
fn the_example_configuration_is_accepted() {
    let folder = tempfile::tempdir().unwrap();
    let (code, example, _) = causeway(folder.path(), &["check", "--example"]);
    assert_eq!(code, 0);
    fs::write(folder.path().join("causeway.toml"), example).unwrap();
    let (code, stdout, stderr) = causeway(folder.path(), &["check"]);
    assert_eq!(code, 0, "{stdout}{stderr}");
    assert!(stdout.contains("no problems"), "{stdout}");
}

#[test]
fn a_port_in_use_is_said_and_nothing_is_left_running() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for door in ["CAUSEWAY_HTTPS_LISTEN", "CAUSEWAY_SFTP_LISTEN"] {
        let folder = tempfile::tempdir().unwrap();
        let mut serve = command(folder.path());
        serve.env("CAUSEWAY_HTTPS_LISTEN", "127.0.0.1:0").env("CAUSEWAY_SFTP_LISTEN", "127.0.0.1:0");
        let (code, _, stderr) = run(serve.arg("serve").env(door, &address));
        assert_eq!(code, 1);
        assert!(stderr.contains(&format!("{address} is in use by another program")), "{stderr}");
        // And the first admin's password is not lost: the start that works makes the account and says it.
        let mut served = Causeway::start(folder.path(), &["serve"]);
        assert_eq!(served.stop(), 0);
        assert!(served.stdout().contains("The first account is 'admin', its password "), "{}", served.stdout());
    }
}

#[test]
fn a_damaged_database_is_said_and_kept() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(causeway(folder.path(), &["account", "list"]).0, 0);
    let database = folder.path().join("data/causeway.db");
    let rubbish = b"not a database, but long enough to look like the beginning of something".repeat(40);
    fs::write(&database, &rubbish).unwrap();
    // What the write-ahead log still holds, SQLite mends by itself.
    for name in ["causeway.db-wal", "causeway.db-shm"] {
        fs::remove_file(folder.path().join("data").join(name)).ok();
    }
    let (code, _, stderr) = causeway(folder.path(), &["job", "list"]);
    assert_eq!(code, 1);
    assert!(stderr.contains("damaged") && stderr.contains("backup"), "{stderr}");
    assert_eq!(fs::read(&database).unwrap(), rubbish);
}

/// A single command does not read gigabytes first; the service and `check` do.
#[test]
fn damage_deep_inside_is_found_by_the_service_and_by_check() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(causeway(folder.path(), &["account", "list"]).0, 0);
    assert_eq!(causeway(folder.path(), &["check"]).0, 0);
    let database = folder.path().join("data/causeway.db");
    let sql = |text: &str| String::from_utf8(Command::new("sqlite3").arg(&database).arg(text).output().unwrap().stdout);
    let page: usize =
        sql("SELECT rootpage FROM sqlite_master WHERE name = 'observations_at'").unwrap().trim().parse().unwrap();
    let size: usize = sql("PRAGMA page_size").unwrap().trim().parse().unwrap();
    let mut bytes = fs::read(&database).unwrap();
    bytes[(page - 1) * size..page * size].fill(0xff);
    fs::write(&database, &bytes).unwrap();
    let (code, _, stderr) = causeway(folder.path(), &["account", "list"]);
    assert_eq!(code, 0, "{stderr}");
    let (code, stdout, _) = causeway(folder.path(), &["check"]);
    assert!(code == 1 && stdout.contains("is damaged") && stdout.contains("backup"), "{stdout}");
    let mut serve = command(folder.path());
    serve.env("CAUSEWAY_HTTPS_LISTEN", "127.0.0.1:0").env("CAUSEWAY_SFTP_LISTEN", "127.0.0.1:0");
    let (code, _, stderr) = run(serve.arg("serve"));
    assert!(code == 1 && stderr.contains("is damaged") && stderr.contains("backup"), "{stderr}");
}

#[test]
fn an_unusable_data_folder_is_said() {
    let folder = tempfile::tempdir().unwrap();
    // A file where the folder should be: root passes every permission, but not this.
    fs::write(folder.path().join("data"), "x").unwrap();
    let (code, stdout, stderr) = causeway(folder.path(), &["serve"]);
    assert_eq!(code, 1, "{stdout}{stderr}");
    assert!(stderr.contains("is not a folder"), "{stderr}");
    let mut below = command(folder.path());
    let (code, _, stderr) = run(below.args(["account", "list"]).env("CAUSEWAY_DATA", "/proc/nothing/here"));
    assert_eq!(code, 1);
    assert!(stderr.contains("/proc/nothing/here") && stderr.contains("CAUSEWAY_DATA"), "{stderr}");
}

#[test]
fn a_closed_pipe_is_a_quiet_end() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(run(command(folder.path()).args(["account", "list"])).0, 0);
    for number in 0..40 {
        let mut add = command(folder.path());
        add.args(["account", "add", &format!("user{number}"), "--no-password"]);
        assert_eq!(run(&mut add).0, 0);
    }
    let mut export = command(folder.path());
    let mut child = export.args(["audit", "export"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(output.stderr.is_empty(), "{output:?}");
}

#[test]
fn a_verdict_does_not_depend_on_a_reader() {
    let folder = tempfile::tempdir().unwrap();
    let unread = |arguments: &[&str]| {
        let mut command = command(folder.path());
        let mut child = command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        drop(child.stdout.take());
        child.wait().unwrap().code()
    };
    for name in ["anna", "ben"] {
        assert_eq!(causeway(folder.path(), &["account", "add", name, "--no-password"]).0, 0);
    }
    assert_eq!(unread(&["audit", "verify"]), Some(0));
    let sql = |text: &str| {
        let database = folder.path().join("data/causeway.db");
        let output = Command::new("sqlite3").arg(database).arg(text).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    for name in sql("SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'audit'").lines() {
        sql(&format!("DROP TRIGGER {name}"));
    }
    sql("UPDATE audit SET entry = replace(entry, 'anna', 'anne')");
    assert_eq!(unread(&["audit", "verify"]), Some(1));
    assert_eq!(unread(&["mirror", "nowhere", "other"]), Some(1));
}

#[test]
fn a_log_that_is_not_there_is_not_sound() {
    let folder = tempfile::tempdir().unwrap();
    for verb in [&["audit", "verify"][..], &["audit", "export"], &["audit", "list"], &["run", "list"]] {
        let (code, stdout, stderr) = causeway(folder.path(), verb);
        assert_eq!((code, stderr.contains("there is no store in")), (1, true), "{verb:?}: {stdout}{stderr}");
    }
    assert!(!folder.path().join("data").exists(), "nothing was made");
}

#[test]
fn an_account_can_be_changed() {
    let folder = tempfile::tempdir().unwrap();
    let mut add = command(folder.path());
    add.args(["account", "add", "anna", "--admin"]).env("CAUSEWAY_PASSWORD", "correct horse battery");
    assert_eq!(run(&mut add).0, 0);
    assert_eq!(causeway(folder.path(), &["account", "add", "ben", "--no-password"]).0, 0);
    let (code, _, stderr) = causeway(folder.path(), &["account", "change", "anna", "--no-admin"]);
    assert_eq!((code, stderr.contains("last admin")), (1, true), "{stderr}");
    let more = ["account", "change", "ben", "--admin", "--read-only", "--home", "a/b", "--disable"];
    assert_eq!(causeway(folder.path(), &more).0, 0);
    let (_, stdout, _) = causeway(folder.path(), &["account", "list", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!((&json[1]["admin"], &json[1]["disabled"]), (&true.into(), &true.into()), "{stdout}");
    assert_eq!((&json[1]["home"], &json[1]["access"]), (&"a/b".into(), &"read-only".into()), "{stdout}");
    assert_eq!(causeway(folder.path(), &["account", "change", "ben"]).0, 1, "nothing to change");
    for (locked, code) in [("anna", 0), ("192.0.2.7", 0), ("2001:db8::1", 0), ("nobody", 1)] {
        assert_eq!(causeway(folder.path(), &["account", "unlock", locked]).0, code, "{locked}");
    }
}

#[test]
fn accounts_live_through_the_command_line() {
    let folder = tempfile::tempdir().unwrap();
    let with = |arguments: &[&str], password: &str| {
        run(command(folder.path()).args(arguments).env("CAUSEWAY_PASSWORD", password))
    };
    assert_eq!(with(&["account", "add", "anna", "--home", "partners/anna"], "correct horse battery").0, 0);
    let (code, _, stderr) = with(&["account", "add", "anna"], "correct horse battery");
    assert_eq!((code, stderr.contains("already")), (1, true), "{stderr}");
    let (code, _, stderr) = with(&["account", "add", "ben"], "short");
    assert_eq!(code, 1, "{stderr}");
    let (_, _, stderr) = causeway(folder.path(), &["account", "add", "ben"]);
    assert!(stderr.contains("CAUSEWAY_PASSWORD"), "without a terminal it says where from: {stderr}");
    let (_, stdout, _) = causeway(folder.path(), &["account", "list", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(json[0]["name"], "anna");
    assert_eq!(json[0]["home"], "partners/anna");
    let (code, stdout, _) = causeway(folder.path(), &["audit", "verify", "--json"]);
    assert_eq!(code, 0, "{stdout}");
    let mode = |name: &str| fs::metadata(folder.path().join("data").join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("."), mode("causeway.key")), (0o700, 0o600));
    let (_, log, _) = causeway(folder.path(), &["audit", "export"]);
    assert!(!log.contains("correct horse"));
}

/// From the file, from the environment and from the URL, against a server that asks for it; the file wins.
#[test]
fn a_password_comes_from_where_it_is_told() {
    let server = Ftpd::start(Server::Vsftpd);
    fs::write(server.root().join("a"), "hello").unwrap();
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("right"), format!("{}\nmore\n", ftpd::PASSWORD)).unwrap();
    fs::write(folder.path().join("empty"), "\n").unwrap();
    let url = server.url();
    let inline = url.replacen('@', &format!(":{}@", ftpd::PASSWORD), 1);
    let wrong = url.replacen('@', ":wrong-horse@", 1);
    for (target, source, more, variable, code) in [
        ("file", &url, &["--password-file", "right"][..], Some("wrong-horse"), 0),
        ("variable", &wrong, &[], Some(ftpd::PASSWORD), 0),
        ("url", &inline, &[], None, 0),
        ("none", &url, &[], None, 1),
        ("wrong", &wrong, &[], None, 1),
        ("empty", &url, &["--password-file", "empty"], None, 1),
        ("missing", &url, &["--password-file", "nowhere"], None, 1),
    ] {
        let mut mirror = command(folder.path());
        mirror.args(["mirror", source, target, "--state", "state", "--patience", "1s"]).args(more);
        if let Some(password) = variable {
            mirror.env("CAUSEWAY_SOURCE_PASSWORD", password);
        }
        let (got, stdout, stderr) = run(&mut mirror);
        assert_eq!(got, code, "{target}: {stdout}{stderr}");
        assert_eq!(folder.path().join(target).join("a").exists(), code == 0, "{target}");
        let said = format!("{stdout}{stderr}");
        assert!(!said.contains(ftpd::PASSWORD) && !said.contains("wrong-horse"), "{target}: {said}");
    }
}

#[test]
fn a_job_shows_what_was_set() {
    let folder = tempfile::tempdir().unwrap();
    let add = |name: &str, more: &[&str]| {
        let job = ["job", "add", name, "ftp://old.example/", "legacy", "--exclude", "*.tmp", "--charset", "gbk"];
        causeway(folder.path(), &[&job, more].concat())
    };
    assert_eq!(add("slow", &["--deadlines", "listing=1200, connect=5"]).0, 0);
    let (_, stdout, _) = causeway(folder.path(), &["job", "show", "slow"]);
    for setting in ["  charset: gbk\n", "  deadlines: connect=5,listing=1200\n", "  exclude: [\"*.tmp\"]\n"] {
        assert!(stdout.contains(setting), "{stdout}");
    }
    assert!(!stdout.contains("patience"), "what comes as usual is not said: {stdout}");
    let (_, stdout, _) = causeway(folder.path(), &["job", "show", "slow", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(json["options"]["deadlines"], "connect=5,listing=1200", "{stdout}");
    let (code, _, stderr) = add("wrong", &["--deadlines", "patience=1"]);
    assert_eq!((code, stderr.contains("there are connect, banner")), (2, true), "{stderr}");
}

#[test]
fn mirror_tells_with_its_exit_code() {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("source");
    fs::create_dir_all(source.join("a/b")).unwrap();
    fs::write(source.join("a/b/über 100% #1.txt"), "hello").unwrap();
    fs::write(source.join("empty"), "").unwrap();
    let (code, stdout, stderr) = causeway(folder.path(), &["mirror", "source", "target"]);
    assert_eq!(code, 0, "{stdout}{stderr}");
    assert!(stdout.contains("everything is there and verified"), "{stdout}");
    assert_eq!(fs::read(folder.path().join("target/a/b/über 100% #1.txt")).unwrap(), b"hello");
    let (code, stdout, _) = causeway(folder.path(), &["mirror", "source", "target", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!((code, &json["state"]), (0, &serde_json::json!("done")));
    let (code, stdout, stderr) = causeway(folder.path(), &["mirror", "nowhere", "other"]);
    assert_eq!(code, 1, "{stdout}{stderr}");
    assert!(!folder.path().join("other").exists() || fs::read_dir(folder.path().join("other")).unwrap().count() == 0);
    let (code, _, stderr) = causeway(folder.path(), &["mirror", "gopher://x/", "target"]);
    assert_eq!((code, stderr.contains("not a protocol")), (1, true), "{stderr}");
    let address = { TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap() };
    let begin = Instant::now();
    let url = format!("ftp://anna:hush-hush@{address}/");
    let (code, stdout, stderr) = causeway(folder.path(), &["mirror", "--patience", "1s", &url, "target2"]);
    assert_eq!(code, 1, "{stdout}{stderr}");
    assert!(stderr.contains("list of processes") && stderr.contains("the source cannot be opened"), "{stderr}");
    assert!(!format!("{stdout}{}", stderr.replace("password", "")).contains("hush-hush"), "{stderr}");
    assert!(begin.elapsed() < Duration::from_secs(60));
}

#[test]
fn a_dry_run_prints_the_plan_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (source, target) = (folder.path().join("source"), folder.path().join("target"));
    fs::create_dir_all(source.join("new/deep")).unwrap();
    fs::write(source.join("new/deep/über.txt"), "hello").unwrap();
    fs::write(source.join("same.txt"), "same").unwrap();
    let first = ["mirror", "source", "target", "--exclude", "new"];
    assert_eq!(causeway(folder.path(), &first).0, 0);
    fs::write(source.join("same.txt"), "changed").unwrap();
    let (code, stdout, stderr) = causeway(folder.path(), &["mirror", "source", "target", "--dry-run"]);
    assert_eq!(code, 0, "{stdout}{stderr}");
    for line in ["make-dir new", "make-dir new/deep", "copy     new/deep/über.txt (5 B)", "replace  same.txt (7 B)"] {
        assert!(stdout.lines().any(|said| said == line), "'{line}' is not in\n{stdout}");
    }
    assert!(stdout.contains("dry run: nothing was changed"), "{stdout}");
    assert_eq!(fs::read(target.join("same.txt")).unwrap(), b"same");
    assert!(!target.join("new").exists());

    let (code, stdout, stderr) = causeway(folder.path(), &["mirror", "source", "other", "--dry-run", "--json"]);
    assert_eq!(code, 0, "{stdout}{stderr}");
    let lines: Vec<serde_json::Value> = stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let (end, steps) = lines.split_last().unwrap();
    let mut planned: Vec<_> = steps.iter().map(|step| (step["action"].as_str().unwrap(), &step["size"])).collect();
    planned.sort_by_key(|(action, size)| (*action, size.as_u64()));
    let (none, five, seven) = (serde_json::Value::Null, 5.into(), 7.into());
    assert_eq!(planned, [("copy", &five), ("copy", &seven), ("make-dir", &none), ("make-dir", &none)]);
    assert_eq!((&end["state"], &end["summary"]["dry_run"]), (&"done".into(), &true.into()), "{end}");
    assert!(!folder.path().join("other").exists(), "a dry run makes not even the target's folder");
}

/// Runs a script of shell lines in `folder`, where it may mount what nobody else sees.
pub fn with_mounts(folder: &Path, script: &str) -> (i32, String, String) {
    let mut shell = command(folder);
    let path = format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", binary().parent().unwrap().display());
    let mut unshare = Command::new("unshare");
    unshare.args(["--map-root-user", "--mount", "sh", "-ec", script]).env("PATH", path).current_dir(folder);
    for (name, value) in shell.stdin(Stdio::null()).get_envs() {
        match value {
            Some(value) => unshare.env(name, value),
            None => unshare.env_remove(name),
        };
    }
    run(unshare.stdin(Stdio::null()))
}

#[test]
fn a_full_disk_is_said_with_what_to_do_and_gone_on_with() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("source/deep")).unwrap();
    fs::create_dir(folder.path().join("target")).unwrap();
    fs::write(folder.path().join("source/deep/big.bin"), vec![7; 6 << 20]).unwrap();
    fs::write(folder.path().join("source/small.txt"), "small").unwrap();
    let script = r"
        mount -t tmpfs -o size=3m none target
        mirror='causeway mirror source target --state state --patience 3s'
        echo == full; if $mirror; then echo 'it went well?'; fi
        echo == there; find target -type f ! -name '.causeway-*'
        echo == missing; causeway run show 1 --missing --state state
        mount -o remount,size=64m target
        echo == again; $mirror
        echo == check; cmp source/deep/big.bin target/deep/big.bin && echo equal
    ";
    let begin = Instant::now();
    let (code, stdout, stderr) = with_mounts(folder.path(), script);
    let said = format!("{stdout}{stderr}");
    assert_eq!(code, 0, "{said}");
    let part = |name: &str| {
        let rest = stdout.split_once(&format!("== {name}\n")).unwrap().1;
        rest.split_once("== ").map_or(rest, |(part, _)| part)
    };
    let full = part("full");
    assert!(full.contains("gave up: transfer: a file in deep: No space left on device"), "{said}");
    assert!(full.contains("make room on its disk") && !said.contains(".causeway-part"), "{said}");
    assert!(stderr.contains("the same command"), "{said}");
    assert!(full.contains("more, listed by: causeway run show 1 --missing --state"), "{said}");
    assert!(!part("there").contains("big.bin"), "no half file has its name: {said}");
    assert!(part("missing").contains("missing: deep/big.bin: transfer: a file in deep: No space left"), "{said}");
    assert!(part("again").contains("everything is there and verified"), "{said}");
    assert!(part("check").contains("equal"), "{said}");
    assert!(begin.elapsed() < Duration::from_secs(60), "{:?}", begin.elapsed());
}

#[test]
fn a_target_that_may_not_be_written_is_said_at_once() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("source")).unwrap();
    fs::create_dir(folder.path().join("target")).unwrap();
    for number in 0..300 {
        fs::write(folder.path().join(format!("source/{number}")), "x").unwrap();
    }
    let script = "mount -t tmpfs -o ro none target; exec causeway mirror source target --state state";
    let begin = Instant::now();
    let (code, stdout, stderr) = with_mounts(folder.path(), script);
    assert_eq!(code, 1, "{stdout}{stderr}");
    assert!(begin.elapsed() < Duration::from_secs(10), "it took {:?}", begin.elapsed());
    let target = folder.path().join("target");
    assert!(stderr.contains(target.to_str().unwrap()) && stderr.contains("cannot be written"), "{stderr}");
    assert!(stderr.contains("Read-only file system") && stderr.contains("mount it for writing"), "{stderr}");
    assert!(!stdout.contains("missing:") && !stderr.contains(".causeway-part"), "{stdout}{stderr}");
}

#[test]
fn every_missing_path_can_be_listed() {
    const ALL: usize = 1130;
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("source")).unwrap();
    for number in 0..ALL {
        fs::write(folder.path().join(format!("source/f{number:04}")), "x").unwrap();
        // A folder lies where the file is to be.
        fs::create_dir_all(folder.path().join(format!("target/f{number:04}"))).unwrap();
    }
    let (code, stdout, stderr) = causeway(folder.path(), &["mirror", "source", "target", "--state", "my state"]);
    assert_eq!(code, 1, "{stdout}{stderr}");
    assert_eq!(stdout.matches("missing: ").count(), 20, "{stdout}");
    let hint = stdout.lines().find(|line| line.contains(" more, listed by: ")).unwrap();
    assert!(hint.starts_with(&format!("… and {} more", ALL - 20)), "{hint}");
    // What it tells to type is typed, somewhere else.
    let told = hint.split_once("listed by: ").unwrap().1;
    let path = format!("{}:/usr/bin:/bin", binary().parent().unwrap().display());
    let typed = |more: &str| {
        let mut shell = Command::new("sh");
        run(shell.args(["-c", &format!("{told} {more}")]).env("PATH", path.as_str()).current_dir("/"))
    };
    let (code, stdout, stderr) = typed("");
    assert_eq!(code, 0, "{stdout}{stderr}");
    let missing: std::collections::BTreeSet<_> = stdout.lines().filter(|line| line.starts_with("missing: f")).collect();
    assert_eq!(missing.len(), ALL);
    assert!(missing.iter().all(|line| line.contains("move it away")), "{:?}", missing.first());
    let (code, stdout, stderr) = typed("--json");
    assert_eq!(code, 0, "{stderr}");
    let lines: Vec<serde_json::Value> = stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let (end, items) = lines.split_last().unwrap();
    assert_eq!((items.len(), &end["state"]), (ALL, &"incomplete".into()));
    assert!(items.iter().all(|item| item["state"] == "failed" && item["fault"]["kind"] == "exists"), "{}", items[0]);
}

#[test]
fn serve_starts_drains_and_goes_on() {
    let mut served = Causeway::serve();
    let banner = served.until_printed("its SHA-256 fingerprint is ");
    assert!(banner.contains("The first account is 'admin'"), "{banner}");
    let mut openssl = Command::new("openssl");
    openssl.args(["x509", "-noout", "-fingerprint", "-sha256", "-in"]).arg(served.certificate());
    let print = run(&mut openssl).1;
    let print = print.trim().split_once('=').unwrap().1.to_owned();
    assert!(banner.contains(&format!("its SHA-256 fingerprint is {print}")), "{print}: {banner}");
    let health = |served: &Causeway| {
        let mut curl = Command::new("curl");
        curl.args(["-sS", "--max-time", "10", "--cacert"]).arg(served.certificate());
        curl.arg(format!("https://localhost:{}/healthz", served.https.port()));
        run(&mut curl)
    };
    let (code, stdout, stderr) = health(&served);
    assert_eq!((code, stdout.as_str()), (0, "ok\n"), "{stderr}");
    let (code, _, stderr) = run(&mut served.command(&["serve"]));
    assert_eq!((code, stderr.contains("already")), (1, true), "a second server over one folder: {stderr}");
    assert_eq!(served.stop(), 0, "{}", served.log());
    served.again();
    assert_eq!(served.stdout(), banner, "the password is printed once");
    served.kill_nine();
    served.again();
    assert_eq!(health(&served).0, 0);
    assert_eq!(served.stop(), 0, "{}", served.log());
    let (code, stdout, _) = run(&mut served.command(&["audit", "verify", "--checkpoint", "data/audit-checkpoint"]));
    assert_eq!(code, 0, "{stdout}");
    assert!(stdout.contains("the checkpoint agrees"), "{stdout}");
}

#[test]
fn a_tree_that_is_gone_is_not_made_again() {
    let mut served = Causeway::serve();
    assert_eq!(served.stop(), 0, "{}", served.log());
    let tree = served.folder().join(served.tree());
    fs::rename(&tree, served.folder().join("unmounted")).unwrap();
    let (code, _, stderr) = run(&mut served.command(&["serve"]));
    assert_eq!((code, stderr.contains("tree") && stderr.contains("cannot be used")), (1, true), "{stderr}");
    assert!(!tree.exists());
}

#[test]
fn a_flipped_bit_in_the_audit_log_is_found() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["anna", "ben", "cleo"] {
        assert_eq!(causeway(folder.path(), &["account", "add", name, "--no-password"]).0, 0);
    }
    assert_eq!(causeway(folder.path(), &["audit", "checkpoint", "kept.txt"]).0, 0);
    let sql = |text: &str| {
        let database = folder.path().join("data/causeway.db");
        let status = Command::new("sqlite3").arg(database).arg(text).status().unwrap();
        assert!(status.success());
    };
    assert_eq!(causeway(folder.path(), &["audit", "verify", "--checkpoint", "kept.txt"]).0, 0);
    let triggers = "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'audit'";
    let names = Command::new("sqlite3").arg(folder.path().join("data/causeway.db")).arg(triggers).output().unwrap();
    for name in String::from_utf8(names.stdout).unwrap().lines() {
        sql(&format!("DROP TRIGGER {name}"));
    }
    sql("UPDATE audit SET entry = replace(entry, 'ben', 'bem') WHERE seq = 2");
    let (code, stdout, _) = causeway(folder.path(), &["audit", "verify"]);
    assert_eq!(code, 1, "{stdout}");
    assert!(stdout.contains("entry 2 was changed"), "{stdout}");
}

#[test]
fn the_compose_file_is_yaml_with_what_it_promises() {
    let script = "import sys, yaml, json; print(json.dumps(yaml.safe_load(open(sys.argv[1]))))";
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docker-compose.yml");
    let output = Command::new("python3").args(["-c", script, path]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let services = &json["services"];
    assert!(services["causeway"]["healthcheck"]["test"].to_string().contains("/healthz"));
    assert!(services["causeway"]["build"]["dockerfile_inline"].as_str().unwrap().starts_with("FROM rust:"));
    assert_eq!(services["legacy"]["profiles"][0], "try");
    for volume in ["data", "tree"] {
        assert!(json["volumes"].get(volume).is_some());
    }
}

#[test]
fn links_are_followed_and_names_that_windows_cannot_hold_are_listed() {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("source");
    fs::create_dir(&source).unwrap();
    fs::write(source.join("12:30"), "half past").unwrap();
    std::os::unix::fs::symlink("12:30", source.join("latest")).unwrap();
    let options = ["--links", "follow", "--names", "portable", "--state", "state"];
    let (code, stdout, stderr) = causeway(folder.path(), &[&["mirror", "source", "target"], &options[..]].concat());
    assert_eq!(code, 0, "{stdout}{stderr}");
    for name in ["12%3A30", "latest"] {
        assert_eq!(fs::read_to_string(folder.path().join("target").join(name)).unwrap(), "half past");
    }
    assert!(format!("{stdout}{stderr}").contains("run show 1 --mapped"), "{stdout}{stderr}");
    let show = ["run", "show", "1", "--mapped", "--state", "state"];
    let (code, stdout, stderr) = causeway(folder.path(), &show);
    assert_eq!((code, stdout.trim()), (0, "12:30 → 12%3A30"), "{stderr}");
    let (code, stdout, _) = causeway(folder.path(), &[&show[..], &["--json"]].concat());
    assert_eq!((code, stdout.trim()), (0, r#"{"source":"12:30","target":"12%3A30"}"#));
    let (code, _, stderr) = causeway(folder.path(), &["mirror", "source", "target", "--links", "chase"]);
    assert!(code == 2 && stderr.contains("skip, follow, recreate"), "{stderr}");
}
