//! The real binary: started on free ports in a folder of its own, waited for, ended, and its log looked
//! through for panics when it is dropped.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// How long a start may take on a busy machine.
const START: Duration = Duration::from_secs(60);

/// The program under test.
pub fn binary() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_causeway"))
}

/// A `causeway` command line with an environment of its own.
pub fn command(folder: &Path) -> Command {
    let mut command = Command::new(binary());
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("CAUSEWAY_")) {
        command.env_remove(name);
    }
    command.current_dir(folder).env("CAUSEWAY_DATA", folder.join("data")).stdin(Stdio::null());
    command
}

/// Runs a command to its end and says how it went.
pub fn run(command: &mut Command) -> (i32, String, String) {
    let Output { status, stdout, stderr } = command.output().expect("the program starts");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    let (stdout, stderr) = (text(stdout), text(stderr));
    assert!(!stderr.contains("panicked at"), "{stderr}");
    (status.code().unwrap_or(-1), stdout, stderr)
}

/// A running `causeway serve` or `causeway demo`.
pub struct Causeway {
    child: Option<Child>,
    folder: PathBuf,
    kept: Option<tempfile::TempDir>,
    verb: Vec<String>,
    /// Where the dashboard, WebDAV and downloads are.
    pub https: SocketAddr,
    /// Where SFTP is.
    pub sftp: SocketAddr,
}

impl Causeway {
    /// `causeway serve` in a new folder.
    pub fn serve() -> Self {
        let kept = tempfile::tempdir().unwrap();
        let mut started = Self::start(kept.path(), &["serve"]);
        started.kept = Some(kept);
        started
    }

    /// `causeway demo` in a new folder.
    pub fn demo() -> Self {
        let kept = tempfile::tempdir().unwrap();
        let mut started = Self::start(kept.path(), &["demo"]);
        started.kept = Some(kept);
        started
    }

    /// Any verb that serves, in a folder that may have been used before.
    pub fn start(folder: &Path, verb: &[&str]) -> Self {
        let mut causeway = Self {
            child: None,
            folder: folder.to_path_buf(),
            kept: None,
            verb: verb.iter().map(|&word| word.to_owned()).collect(),
            https: SocketAddr::from(([127, 0, 0, 1], 0)),
            sftp: SocketAddr::from(([127, 0, 0, 1], 0)),
        };
        causeway.again();
        causeway
    }

    /// Starts it again in the same folder, after [`Causeway::stop`] or [`Causeway::kill_nine`].
    pub fn again(&mut self) {
        assert!(self.child.is_none(), "it is running");
        let open = |name: &str| File::options().create(true).append(true).open(self.folder.join(name)).unwrap();
        let child = command(&self.folder)
            .args(&self.verb)
            .env("CAUSEWAY_HTTPS_LISTEN", "127.0.0.1:0")
            .env("CAUSEWAY_SFTP_LISTEN", "127.0.0.1:0")
            .stdout(open("stdout"))
            .stderr(open("stderr"))
            .spawn()
            .expect("the program starts");
        let pid = child.id();
        self.child = Some(child);
        let begin = Instant::now();
        loop {
            if let Some((https, sftp)) = self.announced(pid) {
                (self.https, self.sftp) = (https, sftp);
                return;
            }
            let ended = self.child.as_mut().unwrap().try_wait().unwrap();
            assert!(ended.is_none(), "it ended at once ({ended:?}):\n{}", self.log());
            assert!(begin.elapsed() < START, "it is not up after {START:?}:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(30));
        }
    }

    /// The addresses that process `pid` wrote into its data folder once it accepted connections.
    fn announced(&self, pid: u32) -> Option<(SocketAddr, SocketAddr)> {
        let text = std::fs::read_to_string(self.data().join("running.json")).ok()?;
        let json: serde_json::Value = serde_json::from_str(&text).ok()?;
        if json["pid"] != pid {
            return None;
        }
        let address = |name: &str| json[name].as_str().and_then(|text| text.parse().ok());
        Some((address("https")?, address("sftp")?))
    }

    /// The folder it runs in; its data folder is `data` below it.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Database, keys and certificates.
    pub fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// The served tree.
    pub fn tree(&self) -> PathBuf {
        self.data().join("tree")
    }

    /// The certificate to trust.
    pub fn certificate(&self) -> PathBuf {
        self.data().join("tls").join("certificate.pem")
    }

    /// What it printed.
    pub fn stdout(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(self.folder.join("stdout")).unwrap_or_default()).into_owned()
    }

    /// What it printed, once `text` is in it: it takes connections a moment before it prints.
    pub fn until_printed(&self, text: &str) -> String {
        let begin = Instant::now();
        while !self.stdout().contains(text) {
            assert!(begin.elapsed() < START, "'{text}' is not printed: {}", self.stdout());
            std::thread::sleep(Duration::from_millis(10));
        }
        self.stdout()
    }

    /// What it logged.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(self.folder.join("stderr")).unwrap_or_default()).into_owned()
    }

    /// Another command over the same data.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = command(&self.folder);
        command.args(arguments);
        command
    }

    /// Makes an account over the command line.
    pub fn account(&self, name: &str, password: &str, more: &[&str]) {
        let mut add = self.command(&["account", "add", name]);
        let (code, stdout, stderr) = run(add.args(more).env("CAUSEWAY_PASSWORD", password));
        assert_eq!(code, 0, "{stdout}{stderr}");
    }

    /// Number of the process.
    pub fn pid(&self) -> u32 {
        self.child.as_ref().map_or(0, Child::id)
    }

    /// Sends SIGTERM, waits, and returns the exit code.
    pub fn stop(&mut self) -> i32 {
        let Some(mut child) = self.child.take() else { return 0 };
        let status = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
        assert!(status.success());
        let begin = Instant::now();
        loop {
            if let Some(status) = child.try_wait().unwrap() {
                return status.code().unwrap_or(-1);
            }
            if begin.elapsed() > Duration::from_secs(45) {
                child.kill().unwrap();
                child.wait().unwrap();
                panic!("it did not end within 45 s of SIGTERM:\n{}", self.log());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Sends SIGKILL and waits for the end.
    pub fn kill_nine(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
}

impl Drop for Causeway {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // A test that fails must not wait for a graceful end.
            child.kill().ok();
            child.wait().ok();
        }
        let Ok(log) = File::open(self.folder.join("stderr")) else { return };
        let panicked = BufReader::new(log).lines().map_while(Result::ok).find(|line| line.contains("panicked at"));
        if !std::thread::panicking() {
            assert!(panicked.is_none(), "the program panicked: {panicked:?}");
        }
        if let Some(kept) = self.kept.take().filter(|_| std::thread::panicking()) {
            println!("kept for a look: {}", kept.keep().display());
        }
    }
}
