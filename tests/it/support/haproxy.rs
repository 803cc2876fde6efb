//! HAProxy on a free loopback port, in front of a port of ours, as an ordinary process.
#![allow(dead_code, reason = "each test file uses a part of the fixture")]

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// A running proxy; ended when dropped.
pub struct HaProxy {
    pub port: u16,
    child: Option<Child>,
    dir: TempDir,
}

impl HaProxy {
    /// In front of `server`, with these words behind its address (such as `send-proxy-v2 check`).
    pub fn start(server: SocketAddr, words: &str) -> Self {
        let dir = tempfile::Builder::new().prefix("causeway-haproxy-").tempdir().unwrap();
        let mut proxy = Self { port: 0, child: None, dir };
        for _ in 0..5 {
            proxy.port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            if proxy.launch(server, words) {
                return proxy;
            }
        }
        panic!("HAProxy does not answer; its words: {}", proxy.words());
    }

    /// What it said.
    pub fn words(&self) -> String {
        fs::read_to_string(self.dir.path().join("words")).unwrap_or_default()
    }

    fn launch(&mut self, server: SocketAddr, words: &str) -> bool {
        let conf = self.dir.path().join("conf");
        let text = format!(
            "defaults\nmode tcp\ntimeout connect 10s\ntimeout client 1m\ntimeout server 1m\n\
             frontend outside\nbind 127.0.0.1:{}\ndefault_backend door\n\
             backend door\nserver door {server} {words}\n",
            self.port
        );
        fs::write(&conf, text).unwrap();
        let out = fs::File::create(self.dir.path().join("words")).unwrap();
        let program = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/.cache/peers/usr/sbin/haproxy");
        let mut command = Command::new(program);
        command.arg("-db").arg("-f").arg(&conf).stdin(Stdio::null());
        command.stdout(out.try_clone().unwrap()).stderr(out);
        self.child = Some(command.spawn().expect("tests/peers brings HAProxy"));
        let end = Instant::now() + Duration::from_secs(10);
        while Instant::now() < end && self.child.as_mut().unwrap().try_wait().unwrap().is_none() {
            if TcpStream::connect(("127.0.0.1", self.port)).is_ok() {
                return true;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        self.stop();
        false
    }

    fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Drop for HaProxy {
    fn drop(&mut self) {
        self.stop();
    }
}
