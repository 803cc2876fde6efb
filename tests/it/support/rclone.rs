//! `rclone serve` on a free loopback port, over a folder of its own.

use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use causeway::model::{Endpoint, Secret};
use tempfile::TempDir;

const PASSWORD: &str = "open-sesame";

/// What it speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speaks {
    WebDav,
    Sftp,
}

/// A running server; ended when dropped.
pub struct Rclone {
    pub port: u16,
    speaks: Speaks,
    child: Child,
    dir: TempDir,
}

impl Rclone {
    /// Over WebDAV, in the clear.
    pub fn start() -> Self {
        Self::start_speaking(Speaks::WebDav)
    }

    pub fn start_speaking(speaks: Speaks) -> Self {
        let dir = tempfile::Builder::new().prefix("causeway-rclone-").tempdir().unwrap();
        std::fs::create_dir(dir.path().join("root")).unwrap();
        for _ in 0..5 {
            let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let mut child = launch(dir.path(), speaks, port);
            let end = Instant::now() + Duration::from_secs(20);
            while Instant::now() < end && child.try_wait().unwrap().is_none() {
                if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                    return Self { port, speaks, child, dir };
                }
                std::thread::sleep(Duration::from_millis(50));
            }
            let _ = child.kill();
            let _ = child.wait();
        }
        panic!("rclone does not answer");
    }

    /// The folder that it serves.
    pub fn root(&self) -> PathBuf {
        self.dir.path().join("root")
    }

    /// The same as an endpoint.
    pub fn endpoint(&self) -> Endpoint {
        let scheme = match self.speaks {
            Speaks::WebDav => "dav",
            Speaks::Sftp => "sftp",
        };
        let mut endpoint = Endpoint::parse(&format!("{scheme}://anna@127.0.0.1:{}/", self.port)).unwrap();
        endpoint.password = Some(Secret::new(PASSWORD));
        endpoint.options.insecure = self.speaks == Speaks::Sftp;
        endpoint
    }
}

fn launch(dir: &Path, speaks: Speaks, port: u16) -> Child {
    let verb = match speaks {
        Speaks::WebDav => "webdav",
        Speaks::Sftp => "sftp",
    };
    // It must see soon what tests change behind its back.
    Command::new("rclone")
        .args(["serve", verb, dir.join("root").to_str().unwrap(), "--addr", &format!("127.0.0.1:{port}")])
        .args(["--user", "anna", "--dir-cache-time", "100ms", "--config", "/dev/null"])
        // Its host key is made there.
        .args(["--cache-dir", dir.join("cache").to_str().unwrap()])
        // Without its cache a file cannot be written a second time over SFTP, nor gone on with.
        .args(if speaks == Speaks::Sftp { &["--vfs-cache-mode", "writes"][..] } else { &[] })
        .env("RCLONE_PASS", PASSWORD)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

impl Drop for Rclone {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
