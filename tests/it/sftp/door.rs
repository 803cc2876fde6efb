//! A door of its own for each test: a tree, accounts, a port.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use causeway::account::{Accounts, HashCost, NewAccount, Settings as AccountSettings};
use causeway::audit::{Actor, AuditLog};
use causeway::db::{Db, Vault};
use causeway::model::{Access, Clock, RelPath, Scope, Secret, SystemClock};
use causeway::presence::Presence;
use causeway::reliability::{Observation, Recorder};
use causeway::serve::sftp::{self, Settings};
use causeway::task::Tasks;
use causeway::tree::Tree;

pub const PASSWORD: &str = "correct horse battery";

/// Runs until dropped.
pub struct Fixture {
    runtime: Option<tokio::runtime::Runtime>,
    dir: tempfile::TempDir,
    pub address: SocketAddr,
    pub tasks: Tasks,
    pub accounts: Accounts,
    pub presence: Presence,
    pub db: Db,
    pub observations: tokio::sync::mpsc::Receiver<Observation>,
}

impl Fixture {
    pub fn new() -> Self {
        Self::with(&Settings::default())
    }

    pub fn with(settings: &Settings) -> Self {
        Self::at(settings, Arc::new(SystemClock))
    }

    /// Its accounts and its log go by `clock`.
    pub fn at(settings: &Settings, clock: Arc<dyn Clock>) -> Self {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("tree")).unwrap();
        let settings = Settings { listen: "127.0.0.1:0".parse().unwrap(), ..settings.clone() };
        let tasks = Tasks::new();
        let (recorder, observations) = Recorder::channel(100_000);
        let presence = Presence::default();
        let (address, accounts, db) = runtime.block_on(async {
            let db = Db::open(&dir.path().join("store.db")).await.unwrap();
            let vault = Arc::new(Vault::new(&[7; 32]).unwrap());
            let settings_of_accounts = AccountSettings { hash: HashCost::CHEAP, ..AccountSettings::default() };
            let accounts = Accounts::with(db.clone(), vault, clock.clone(), settings_of_accounts);
            for (name, home, access) in [
                ("anna", "", Access::ReadWrite),
                ("reader", "", Access::ReadOnly),
                ("bert", "home/bert", Access::ReadWrite),
            ] {
                let scope = Scope::of(RelPath::new(home).unwrap(), access);
                let password = Some(Secret::new(PASSWORD));
                let new = NewAccount { name: name.to_owned(), password, scope, admin: false };
                accounts.create(&Actor::System, &new).await.unwrap();
            }
            let listener = sftp::bind(&settings, dir.path()).await.unwrap();
            let address = listener.address();
            let door = sftp::Door {
                tree: Tree::open(&dir.path().join("tree")).unwrap(),
                accounts: accounts.clone(),
                audit: AuditLog::new(db.clone(), clock.clone()),
                recorder,
                clock,
                presence: presence.clone(),
                counters: causeway::net::Counters::default(),
            };
            sftp::serve(listener, door, &tasks).unwrap();
            (address, accounts, db)
        });
        Self { runtime: Some(runtime), dir, address, tasks, accounts, presence, db, observations }
    }

    pub fn runtime(&self) -> &tokio::runtime::Runtime {
        self.runtime.as_ref().unwrap()
    }

    /// A path in the served tree.
    pub fn served(&self, path: impl AsRef<Path>) -> PathBuf {
        self.dir.path().join("tree").join(path)
    }

    /// A path beside it, for the client's own files.
    pub fn local(&self, path: impl AsRef<Path>) -> PathBuf {
        let folder = self.dir.path().join("local");
        std::fs::create_dir_all(&folder).unwrap();
        folder.join(path)
    }

    /// Runs OpenSSH's `sftp` with a batch.
    pub fn sftp(&self, user: &str, arguments: &[&str], batch: &str) -> Output {
        let mut command = Command::new("sshpass");
        command.args(["-p", PASSWORD, "sftp", "-q", "-oStrictHostKeyChecking=no", "-oUserKnownHostsFile=/dev/null"]);
        command.args(["-oPubkeyAuthentication=no", "-oBatchMode=no", "-oLogLevel=ERROR", "-b", "-"]);
        command.args(arguments);
        command.args([&format!("-oPort={}", self.address.port()), &format!("{user}@127.0.0.1")]);
        run(command, Some(batch), Duration::from_secs(120))
    }

    /// Runs lftp with a script.
    pub fn lftp(&self, script: &str) -> Output {
        let port = self.address.port();
        let script = format!(
            "set sftp:connect-program \"ssh -a -x -oStrictHostKeyChecking=no -oUserKnownHostsFile=/dev/null -oLogLevel=ERROR\"; \
             set net:max-retries 1; set net:timeout 20; set cmd:fail-exit true; \
             open -u anna,'{PASSWORD}' sftp://127.0.0.1:{port}; {script}; bye"
        );
        let mut command = Command::new("lftp");
        command.args(["--norc", "-c", &script]);
        run(command, None, Duration::from_secs(120))
    }

    /// Runs rclone with a remote `door:`.
    pub fn rclone(&self, arguments: &[&str]) -> Output {
        let shown = Command::new("rclone").args(["obscure", PASSWORD]).output().unwrap();
        let password = String::from_utf8(shown.stdout).unwrap().trim().to_owned();
        let mut command = Command::new("rclone");
        command.env("RCLONE_CONFIG", "/dev/null").env("RCLONE_CONFIG_DOOR_TYPE", "sftp");
        command.env("RCLONE_CONFIG_DOOR_HOST", "127.0.0.1").env("RCLONE_CONFIG_DOOR_USER", "anna");
        command.env("RCLONE_CONFIG_DOOR_PORT", self.address.port().to_string());
        command.env("RCLONE_CONFIG_DOOR_PASS", password);
        command.args(["--retries", "1", "--low-level-retries", "1", "--contimeout", "10s"]).args(arguments);
        run(command, None, Duration::from_secs(120))
    }

    /// Runs a Python program with `t` (a paramiko transport) and `s` (its SFTP client) at hand.
    pub fn paramiko(&self, program: &str) -> Output {
        let head = format!(
            "import paramiko, os, sys, socket\n\
             t = paramiko.Transport(('127.0.0.1', {}))\n\
             t.connect(username='anna', password='{PASSWORD}')\n\
             s = paramiko.SFTPClient.from_transport(t)\n",
            self.address.port()
        );
        let mut command = Command::new("python3");
        command.args(["-c", &format!("{head}{program}\nt.close()\n")]);
        run(command, None, Duration::from_secs(180))
    }

    /// Names in a served folder, Causeway's own too.
    pub fn names(&self, path: &str) -> Vec<String> {
        let mut names: Vec<_> = std::fs::read_dir(self.served(path))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    /// Waits until `test` holds.
    pub fn eventually(&self, what: &str, mut test: impl FnMut() -> bool) {
        let end = Instant::now() + Duration::from_secs(10);
        while !test() {
            assert!(Instant::now() < end, "not in time: {what}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            self.tasks.stop();
            runtime.shutdown_timeout(Duration::from_secs(5));
        }
    }
}

/// Runs a program to its end, or fails loudly.
pub fn run(mut command: Command, input: Option<&str>, limit: Duration) -> Output {
    use std::io::Write;
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command.stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() });
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    if let Some(input) = input {
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    }
    let pid = child.id();
    let (done, wait) = std::sync::mpsc::channel();
    std::thread::spawn(move || done.send(child.wait_with_output()));
    match wait.recv_timeout(limit) {
        Ok(output) => output.unwrap(),
        Err(_) => {
            let _ = Command::new("kill").args(["-9", &pid.to_string()]).status();
            panic!("it hangs: {command:?}");
        }
    }
}

/// The standard output of a program that must succeed.
#[track_caller]
pub fn good(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{:?}\n{}\n{}", output.status, text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

/// What a program that must fail said.
#[track_caller]
pub fn bad(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(!output.status.success(), "it should have failed\n{}", text(&output.stdout));
    text(&output.stdout) + &text(&output.stderr)
}

/// Bytes that do not repeat soon.
pub fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}
