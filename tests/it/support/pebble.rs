//! Pebble, the ACME authority that Let's Encrypt tests clients with, and its DNS server, for which every name is this
//! machine.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::port::Port;

/// An authority, running or not.
pub struct Pebble {
    children: Vec<Child>,
    folder: tempfile::TempDir,
    authority: Port,
    management: Port,
    dns: Port,
    dns_management: Port,
}

fn program(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/.cache/peers/usr/bin").join(name)
}

impl Pebble {
    /// An authority that does not run yet. What the address of its directory and its own root are is known.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        std::fs::write(folder.path().join("own.pem"), made.cert.pem()).unwrap();
        std::fs::write(folder.path().join("own.key"), made.signing_key.serialize_pem()).unwrap();
        let [authority, management, dns, dns_management] = std::array::from_fn(|_| Port::reserve());
        Self { children: Vec::new(), folder, authority, management, dns, dns_management }
    }

    pub fn directory(&self) -> String {
        format!("https://localhost:{}/dir", self.authority.number())
    }

    /// Who vouches for its own server.
    pub fn root(&self) -> PathBuf {
        self.folder.path().join("own.pem")
    }

    /// Starts it; it will look for what shows names at these ports.
    pub fn start(&mut self, http: u16, tls: u16) {
        let at = |port: &Port| format!("127.0.0.1:{}", port.number());
        let config = serde_json::json!({ "pebble": {
            "listenAddress": at(&self.authority),
            "managementListenAddress": at(&self.management),
            "certificate": self.root(),
            "privateKey": self.folder.path().join("own.key"),
            "httpPort": http,
            "tlsPort": tls,
        }});
        std::fs::write(self.folder.path().join("config.json"), config.to_string()).unwrap();
        let quiet = |command: &mut Command| command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
        self.children = vec![
            quiet(
                Command::new(program("pebble-challtestsrv"))
                    .args(["-defaultIPv6", "", "-http01", "", "-https01", "", "-tlsalpn01", ""])
                    .args(["-dns01", &at(&self.dns), "-management", &at(&self.dns_management)])
                    .stderr(Stdio::null()),
            ),
            quiet(
                Command::new(program("pebble"))
                    .current_dir(self.folder.path())
                    .env("PEBBLE_VA_NOSLEEP", "1")
                    .args(["-config", "config.json", "-dnsserver", &at(&self.dns)])
                    .stderr(Stdio::null()),
            ),
        ];
        let begin = Instant::now();
        while std::net::TcpStream::connect(at(&self.authority)).is_err() {
            assert!(begin.elapsed() < Duration::from_secs(30), "pebble is not up");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Ends it; it forgets everything.
    pub fn stop(&mut self) {
        for mut child in self.children.drain(..) {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
}

impl Drop for Pebble {
    fn drop(&mut self) {
        self.stop();
    }
}
