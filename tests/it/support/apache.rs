//! Apache with mod_dav on a free loopback port, over a folder of its own, as an ordinary process. It serves as the system
//! user `daemon`.
#![allow(dead_code, reason = "each test file uses a part of the fixture")]

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use causeway::model::{Endpoint, Secret};
use md5::Digest as _;
use tempfile::TempDir;

use super::process;

/// The account that it knows,
pub const USER: &str = "anna";
/// and its password.
pub const PASSWORD: &str = "open-sesame";
/// SHA-512 crypt of [`PASSWORD`].
const HASH: &str = "$6$causeway$OawXRgFtxbNRyz7eH.zi9zL5ovFyX.dossVBJyInMEgEfuqcNEo98nLIxUXI0.5wOn3I0V1U7u3Du79jhsKbA.";
const REALM: &str = "the files";
/// `daemon`.
const UID: u32 = 1;
const MODULES: &[&str] = &[
    "mpm_event",
    "authn_core",
    "authn_file",
    "authz_core",
    "authz_user",
    "auth_basic",
    "auth_digest",
    "dav",
    "dav_fs",
    "dir",
    "http2",
    "reqtimeout",
    "rewrite",
    "socache_shmcb",
    "ssl",
];

/// How it lets people in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// By Basic, in the clear.
    Basic,
    /// By Digest, in the clear.
    Digest,
    /// By Basic inside TLS, with HTTP/2.
    Tls,
}

/// A running server; ended when dropped.
pub struct Apache {
    pub port: u16,
    door: Door,
    child: Option<Child>,
    dir: TempDir,
    extra: Vec<String>,
}

impl Apache {
    pub fn start(door: Door) -> Self {
        Self::start_with(door, &[])
    }

    /// With more lines of configuration for the folder.
    pub fn start_with(door: Door, extra: &[&str]) -> Self {
        let dir = tempfile::Builder::new().prefix("causeway-apache-").tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        for folder in ["root", "root/files", "state"] {
            fs::create_dir(dir.path().join(folder)).unwrap();
            chown(dir.path().join(folder), Some(UID), Some(UID)).unwrap();
        }
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        fs::write(dir.path().join("cert.pem"), made.cert.pem()).unwrap();
        fs::write(dir.path().join("key.pem"), made.signing_key.serialize_pem()).unwrap();
        fs::write(dir.path().join("basic"), format!("{USER}:{HASH}\n")).unwrap();
        let secret = md5::Md5::digest(format!("{USER}:{REALM}:{PASSWORD}").as_bytes());
        let secret = data_encoding::HEXLOWER.encode(&secret);
        fs::write(dir.path().join("digest"), format!("{USER}:{REALM}:{secret}\n")).unwrap();
        let extra = extra.iter().map(|line| (*line).to_owned()).collect();
        let mut apache = Self { port: 0, door, child: None, dir, extra };
        for _ in 0..5 {
            apache.port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            if apache.launch() {
                return apache;
            }
        }
        panic!("Apache does not answer; its words: {}", apache.words());
    }

    /// The folder that tests use.
    pub fn root(&self) -> PathBuf {
        self.dir.path().join("root/files")
    }

    /// The folder as a URL, without the password.
    pub fn url(&self) -> String {
        let scheme = if self.door == Door::Tls { "davs" } else { "dav" };
        format!("{scheme}://{USER}@localhost:{}/files", self.port)
    }

    /// The self-signed certificate, PEM.
    pub fn certificate_file(&self) -> PathBuf {
        self.dir.path().join("cert.pem")
    }

    /// The folder, certificate trusted.
    pub fn endpoint(&self) -> Endpoint {
        let mut endpoint = Endpoint::parse(&self.url()).unwrap();
        endpoint.password = Some(Secret::new(PASSWORD));
        if self.door == Door::Tls {
            endpoint.options.ca_file = Some(self.certificate_file().to_str().unwrap().to_owned());
        }
        endpoint
    }

    /// Gives the folder to the server.
    pub fn own(&self) {
        own(&self.root());
    }

    /// What it said.
    pub fn words(&self) -> String {
        ["words", "log"].map(|name| fs::read_to_string(self.dir.path().join(name)).unwrap_or_default()).join("\n")
    }

    /// What was asked of it, one line each. It writes a line when it is done with an answer: some follow a moment later.
    pub fn asked(&self) -> String {
        let read = || fs::read_to_string(self.dir.path().join("asked")).unwrap_or_default();
        let mut asked = read();
        loop {
            std::thread::sleep(Duration::from_millis(100));
            let more = read();
            if more == asked {
                return asked;
            }
            asked = more;
        }
    }

    fn conf(&self) -> String {
        let dir = self.dir.path().display();
        let mut conf = format!(
            "ServerRoot {dir}\nServerName localhost\nPidFile {dir}/pid\nErrorLog {dir}/log\nMutex posixsem\n\
             User daemon\nGroup daemon\nListen 127.0.0.1:{}\nStartServers 1\nThreadsPerChild 32\nMaxRequestWorkers 32\n\
             ServerLimit 1\n",
            self.port
        );
        for module in MODULES {
            conf += &format!("LoadModule {module}_module /usr/lib/apache2/modules/mod_{module}.so\n");
        }
        conf += &format!(
            "LogFormat \"%H %m %U%q %>s\" short\nCustomLog {dir}/asked short\nDocumentRoot {dir}/root\n\
             DavLockDB {dir}/state/lock\nAuthDigestShmemSize 65536\n"
        );
        if self.door == Door::Tls {
            conf += &format!(
                "SSLEngine on\nSSLCertificateFile {dir}/cert.pem\nSSLCertificateKeyFile {dir}/key.pem\n\
                 Protocols h2 http/1.1\n"
            );
        }
        let (kind, file) = if self.door == Door::Digest { ("Digest", "digest") } else { ("Basic", "basic") };
        conf + &format!(
            "<Directory {dir}/root>\nDav On\nLimitRequestBody 0\nAuthType {kind}\nAuthName \"{REALM}\"\n\
             AuthUserFile {dir}/{file}\n{}Require valid-user\n{}\n</Directory>\n",
            if kind == "Digest" { "AuthDigestProvider file\n" } else { "" },
            self.extra.join("\n")
        )
    }

    fn launch(&mut self) -> bool {
        let conf = self.dir.path().join("conf");
        fs::write(&conf, self.conf()).unwrap();
        let words = fs::File::create(self.dir.path().join("words")).unwrap();
        let mut command = Command::new("/usr/sbin/apache2");
        command.args(["-D", "FOREGROUND", "-f", conf.to_str().unwrap()]).process_group(0);
        command.stdin(Stdio::null()).stdout(words.try_clone().unwrap()).stderr(words);
        self.child = Some(command.spawn().unwrap());
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

    /// Ends it and its workers.
    pub fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let workers = process::below(child.id());
            let _ = child.kill();
            process::kill(&workers);
            let _ = child.wait();
        }
    }
}

impl Drop for Apache {
    fn drop(&mut self) {
        self.stop();
    }
}

fn own(path: &Path) {
    std::os::unix::fs::lchown(path, Some(UID), Some(UID)).unwrap();
    if path.symlink_metadata().unwrap().is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            own(&entry.unwrap().path());
        }
    }
}
