//! The program as people meet it: the real binary, its messages and its exit codes.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::causeway::{Causeway, binary, command, run};

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
        &["mirror"],
        &["job"],
        &["job", "add"],
        &["run"],
        &["account"],
        &["account", "key"],
        &["audit"],
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
fn serve_starts_drains_and_goes_on() {
    let mut served = Causeway::serve();
    let banner = served.stdout();
    assert!(banner.contains("The first account is 'admin'"), "{banner}");
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
