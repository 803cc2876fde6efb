//! OpenSSH's server on a free loopback port, over a folder of its own. Clients log in as the system user
//! `causeway-peer`, so that what this user may not do is refused although tests run as root.
#![allow(dead_code, reason = "each test file uses a part of the fixtures")]

use std::fs;
use std::io::Read as _;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use causeway::model::Endpoint;
use tempfile::TempDir;

use super::process;

/// The system user.
pub const USER: &str = "causeway-peer";
/// Its password.
pub const PASSWORD: &str = "open-sesame";
/// Opens `locked_key`.
pub const PASSPHRASE: &str = "swordfish";

/// A running server; ended when dropped.
pub struct Sshd {
    pub port: u16,
    child: Option<Child>,
    dir: TempDir,
    extra: Vec<String>,
}

impl Sshd {
    /// Lets the user in by key and by password.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// With lines before those of the configuration: the first of a kind counts.
    pub fn start_with(extra: &[&str]) -> Self {
        account();
        let dir = tempfile::Builder::new().prefix("causeway-sshd-").tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        fs::create_dir(dir.path().join("root")).unwrap();
        fs::create_dir_all("/run/sshd").unwrap();
        keygen(&dir.path().join("host"), "ed25519", "");
        keygen(&dir.path().join("key"), "ed25519", "");
        keygen(&dir.path().join("rsa_key"), "rsa", "");
        keygen(&dir.path().join("locked_key"), "ed25519", PASSPHRASE);
        let keys = ["key", "rsa_key", "locked_key"]
            .map(|key| fs::read_to_string(dir.path().join(key).with_extension("pub")).unwrap());
        fs::write(dir.path().join("authorized"), keys.concat()).unwrap();
        let extra = extra.iter().map(|line| (*line).to_owned()).collect();
        let mut sshd = Self { port: 0, child: None, dir, extra };
        sshd.own();
        for _ in 0..5 {
            sshd.port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            if sshd.launch() {
                return sshd;
            }
        }
        panic!("sshd does not answer; its words: {}", sshd.words());
    }

    /// The folder that tests use.
    pub fn root(&self) -> PathBuf {
        self.dir.path().join("root")
    }

    /// A file of the fixture: `key`, `rsa_key`, `locked_key`.
    pub fn file(&self, name: &str) -> String {
        self.dir.path().join(name).to_str().unwrap().to_owned()
    }

    /// The SHA-256 of the host key, as people pin it.
    pub fn pin(&self) -> String {
        let shown = Command::new("ssh-keygen").args(["-lf", &self.file("host.pub")]).output().unwrap();
        String::from_utf8(shown.stdout).unwrap().split(' ').nth(1).unwrap().to_owned()
    }

    /// Another host key, for the next start.
    pub fn change_host_key(&self) {
        for name in ["host", "host.pub"] {
            fs::remove_file(self.file(name)).unwrap();
        }
        keygen(&self.dir.path().join("host"), "ed25519", "");
    }

    /// The folder as a URL.
    pub fn url(&self) -> String {
        format!("sftp://{USER}@127.0.0.1:{}/{}", self.port, self.root().display())
    }

    /// The folder, host key pinned, logging in by key.
    pub fn endpoint(&self) -> Endpoint {
        let mut endpoint = Endpoint::parse(&self.url()).unwrap();
        endpoint.options.pin = Some(self.pin());
        endpoint.options.key_file = Some(self.file("key"));
        endpoint
    }

    /// Gives the folder to the user.
    pub fn own(&self) {
        own(&self.root(), id("-u"), id("-g"));
    }

    /// Kills the processes of every session; the server itself goes on. Returns how many there were.
    pub fn kill_sessions(&self) -> usize {
        let sessions = process::below(self.child.as_ref().unwrap().id());
        process::kill(&sessions);
        sessions.len()
    }

    /// How many connections it carries.
    pub fn sessions(&self) -> usize {
        process::children(self.child.as_ref().unwrap().id())
    }

    /// Ends the server and its sessions.
    pub fn stop(&mut self) {
        if self.child.is_some() {
            self.kill_sessions();
        }
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Starts it again on the same port with the same folder.
    pub fn start_again(&mut self) {
        self.stop();
        let end = Instant::now() + Duration::from_secs(10);
        while !self.launch() {
            assert!(Instant::now() < end, "sshd does not come back: {}", self.words());
        }
    }

    fn launch(&mut self) -> bool {
        let dir = self.dir.path().display();
        // Of most words the first counts in this file, of MaxStartups the last.
        let conf = format!(
            "MaxStartups 100\n{}\nListenAddress 127.0.0.1\nPort {}\nHostKey {dir}/host\nPidFile none\nUsePAM no\nStrictModes no\n\
             AuthorizedKeysFile {dir}/authorized\nPasswordAuthentication yes\nPubkeyAuthentication yes\n\
             AllowUsers {USER}\nSubsystem sftp internal-sftp\nUseDNS no\nPrintMotd no\n",
            self.extra.join("\n"),
            self.port
        );
        fs::write(self.dir.path().join("conf"), conf).unwrap();
        let words = fs::File::create(self.dir.path().join("words")).unwrap();
        let mut command = Command::new("/usr/sbin/sshd");
        command.args(["-D", "-e", "-f", &self.file("conf")]);
        self.child = Some(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(words).spawn().unwrap());
        let answers = self.answers();
        if !answers {
            self.stop();
        }
        answers
    }

    fn answers(&mut self) -> bool {
        let end = Instant::now() + Duration::from_secs(10);
        while Instant::now() < end {
            if self.child.as_mut().unwrap().try_wait().unwrap().is_some() {
                return false;
            }
            if let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.port)) {
                stream.set_read_timeout(Some(Duration::from_secs(3))).unwrap();
                let mut greeting = [0; 4];
                return stream.read_exact(&mut greeting).is_ok() && &greeting == b"SSH-";
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        false
    }

    /// What it said.
    pub fn words(&self) -> String {
        fs::read_to_string(self.dir.path().join("words")).unwrap_or_default()
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The system user, made by `tests/peers` when it is not there.
fn account() {
    static ACCOUNT: OnceLock<()> = OnceLock::new();
    ACCOUNT.get_or_init(|| {
        if Command::new("id").arg(USER).output().unwrap().status.success() {
            return;
        }
        let done = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers")).status().unwrap();
        assert!(done.success(), "tests/peers failed: run it by hand and see what is missing");
    });
}

fn id(which: &str) -> u32 {
    let said = Command::new("id").args([which, USER]).output().unwrap();
    String::from_utf8(said.stdout).unwrap().trim().parse().unwrap()
}

fn keygen(path: &Path, kind: &str, passphrase: &str) {
    let path = path.to_str().unwrap();
    let made = Command::new("ssh-keygen").args(["-q", "-t", kind, "-N", passphrase, "-f", path]).status().unwrap();
    assert!(made.success(), "ssh-keygen made no {kind} key");
}

fn own(path: &Path, user: u32, group: u32) {
    std::os::unix::fs::lchown(path, Some(user), Some(group)).unwrap();
    if path.symlink_metadata().unwrap().is_dir() {
        chown(path, Some(user), Some(group)).unwrap();
        for entry in fs::read_dir(path).unwrap() {
            own(&entry.unwrap().path(), user, group);
        }
    }
}
