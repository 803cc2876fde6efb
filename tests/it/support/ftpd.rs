//! Real FTP servers (vsftpd, proftpd, pure-ftpd) on a free loopback port, each over a folder of its own.
//! They serve as the system user `daemon`, so an unreadable folder is unreadable although tests run as root.
#![allow(dead_code, reason = "each test file uses a part of the fixtures")]

use std::fs;
use std::io::Read as _;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use causeway::model::{Endpoint, Protocol, Secret};
use tempfile::TempDir;

use super::process;

/// The account that every server knows.
pub const USER: &str = "anna";
/// Its password.
pub const PASSWORD: &str = "open-sesame";
/// SHA-512 crypt of [`PASSWORD`].
const HASH: &str = "$6$causeway$OawXRgFtxbNRyz7eH.zi9zL5ovFyX.dossVBJyInMEgEfuqcNEo98nLIxUXI0.5wOn3I0V1U7u3Du79jhsKbA.";
/// `daemon`: the user that the servers serve as.
const UID: u32 = 1;

/// Which program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Server {
    Vsftpd,
    Proftpd,
    PureFtpd,
}

impl Server {
    pub const ALL: [Self; 3] = [Self::Vsftpd, Self::Proftpd, Self::PureFtpd];
}

/// Which TLS the server insists on, on both channels (AUTH TLS). vsftpd and proftpd then also insist on
/// session reuse for data connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tls {
    None,
    V12,
    V13,
}

/// A running server; ended when dropped.
pub struct Ftpd {
    pub server: Server,
    pub tls: Tls,
    /// TLS from the first byte instead of AUTH TLS.
    implicit: bool,
    pub port: u16,
    child: Option<Child>,
    dir: TempDir,
    extra: Vec<String>,
    /// The zone of its clock, as TZ has it; from the next start on.
    pub zone: Option<String>,
}

impl Ftpd {
    /// In the clear, with an empty folder.
    pub fn start(server: Server) -> Self {
        Self::start_with(server, Tls::None, &[])
    }

    /// With TLS required on both channels.
    pub fn start_tls(server: Server, tls: Tls) -> Self {
        Self::start_with(server, tls, &[])
    }

    /// With TLS from the first byte, as port 990 has it. Debian's pure-ftpd is built without it.
    pub fn start_implicit(server: Server, tls: Tls) -> Self {
        let extra: &[&str] = match server {
            Server::Vsftpd => &["implicit_ssl=YES"],
            Server::Proftpd => &["TLSOptions UseImplicitSSL"],
            Server::PureFtpd => panic!("pure-ftpd has no implicit TLS"),
        };
        Self::start_as(server, tls, true, extra)
    }

    /// With more lines for the configuration file (vsftpd, proftpd) or more arguments (pure-ftpd).
    pub fn start_with(server: Server, tls: Tls, extra: &[&str]) -> Self {
        Self::start_as(server, tls, false, extra)
    }

    fn start_as(server: Server, tls: Tls, implicit: bool, extra: &[&str]) -> Self {
        peers();
        let dir = tempfile::Builder::new().prefix("causeway-ftpd-").tempdir().unwrap();
        open_up(dir.path());
        for folder in ["root", "empty", "state"] {
            fs::create_dir(dir.path().join(folder)).unwrap();
            open_up(&dir.path().join(folder));
        }
        chown(dir.path().join("root"), Some(UID), Some(UID)).unwrap();
        if tls != Tls::None {
            certificate(dir.path(), tls);
        }
        let extra = extra.iter().map(|line| (*line).to_owned()).collect();
        let mut ftpd = Self { server, tls, implicit, port: 0, child: None, dir, extra, zone: None };
        for _ in 0..5 {
            ftpd.port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            if ftpd.launch() {
                return ftpd;
            }
        }
        panic!("{server:?} does not answer; its words: {}", ftpd.words());
    }

    /// The folder that it serves.
    pub fn root(&self) -> PathBuf {
        self.dir.path().join("root")
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    /// The login folder of the account, certificate accepted by its pin.
    pub fn endpoint(&self) -> Endpoint {
        let mut endpoint = Endpoint::parse(&self.url()).unwrap();
        endpoint.password = Some(Secret::new(PASSWORD));
        if self.tls != Tls::None {
            endpoint.protocol = if self.implicit { Protocol::Ftps } else { Protocol::FtpTls };
            endpoint.options.ca_file = Some(self.certificate_file().to_str().unwrap().to_owned());
        }
        endpoint
    }

    /// The same as a URL, without the password.
    pub fn url(&self) -> String {
        let scheme = match (self.tls, self.implicit) {
            (Tls::None, _) => "ftp",
            (_, false) => "ftp+tls",
            (_, true) => "ftps",
        };
        format!("{scheme}://{USER}@localhost:{}/", self.port)
    }

    /// The self-signed certificate, PEM.
    pub fn certificate_file(&self) -> PathBuf {
        self.dir.path().join("cert.pem")
    }

    /// Gives the whole served folder to the serving user, so that clients may change it.
    pub fn own(&self) {
        own(&self.root());
    }

    /// Ends the server; sessions that are still open go on where the program lets them.
    pub fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let pid = rustix::process::Pid::from_child(&child);
            // vsftpd's sessions leave the group of their server, and would go on serving.
            let sessions = process::below(child.id());
            let _ = rustix::process::kill_process_group(pid, rustix::process::Signal::TERM);
            process::kill(&sessions);
            let end = Instant::now() + Duration::from_secs(5);
            while child.try_wait().unwrap().is_none() && Instant::now() < end {
                std::thread::sleep(Duration::from_millis(20));
            }
            let _ = rustix::process::kill_process_group(pid, rustix::process::Signal::KILL);
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Starts it again on the same port with the same folder.
    pub fn start_again(&mut self) {
        self.stop();
        let end = Instant::now() + Duration::from_secs(10);
        while !self.launch() {
            assert!(Instant::now() < end, "{:?} does not come back: {}", self.server, self.words());
        }
    }

    fn launch(&mut self) -> bool {
        let mut command = self.command();
        let log = fs::File::create(self.dir.path().join("words")).unwrap();
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).process_group(0);
        if self.tls == Tls::V12 || self.tls == Tls::V13 {
            command.env("OPENSSL_CONF", self.dir.path().join("openssl.cnf"));
        }
        command.envs(self.zone.iter().map(|zone| ("TZ", zone)));
        self.child = Some(command.spawn().unwrap());
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
            if let Ok(mut stream) = TcpStream::connect(self.address()) {
                if self.implicit {
                    return true;
                }
                stream.set_read_timeout(Some(Duration::from_secs(3))).unwrap();
                let mut greeting = [0; 3];
                if stream.read_exact(&mut greeting).is_ok() && &greeting == b"220" {
                    return true;
                }
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        false
    }

    fn words(&self) -> String {
        ["words", "state/log"].map(|f| fs::read_to_string(self.dir.path().join(f)).unwrap_or_default()).join("\n")
    }

    fn command(&self) -> Command {
        match self.server {
            Server::Vsftpd => self.vsftpd(),
            Server::Proftpd => self.proftpd(),
            Server::PureFtpd => self.pure_ftpd(),
        }
    }

    fn vsftpd(&self) -> Command {
        let dir = self.dir.path().display();
        let mut conf = format!(
            "listen=YES\nlisten_ipv6=NO\nlisten_address=127.0.0.1\nlisten_port={}\nbackground=NO\n\
             anonymous_enable=NO\nlocal_enable=YES\nguest_enable=YES\nguest_username=daemon\n\
             virtual_use_local_privs=YES\npam_service_name=causeway-peers\nlocal_root={dir}/root\n\
             chroot_local_user=YES\nallow_writeable_chroot=YES\nsecure_chroot_dir={dir}/empty\n\
             write_enable=YES\nlocal_umask=022\nseccomp_sandbox=NO\nisolate=NO\nisolate_network=NO\n\
             use_localtime=NO\nxferlog_enable=NO\nnopriv_user=nobody\nmdtm_write=YES\n",
            self.port
        );
        if self.tls != Tls::None {
            conf += &format!(
                "ssl_enable=YES\nrsa_cert_file={dir}/both.pem\nrequire_ssl_reuse=YES\nssl_ciphers=HIGH\n\
                 force_local_logins_ssl=YES\nforce_local_data_ssl=YES\n"
            );
        }
        let mut command = Command::new(peers().join("usr/sbin/vsftpd"));
        command.arg(self.conf(&conf));
        command
    }

    fn proftpd(&self) -> Command {
        let dir = self.dir.path().display();
        let users = self.dir.path().join("users");
        private(&users, &format!("{USER}:{HASH}:{UID}:{UID}::{dir}/root:/bin/false\n"));
        let modules = peers().join("usr/lib/proftpd");
        let mut conf = format!(
            "ServerName legacy\nServerType standalone\nDefaultAddress 127.0.0.1\nPort {}\nSocketBindTight on\n\
             UseIPv6 off\nUseReverseDNS off\nModulePath {}\nLoadModule mod_tls.c\nAuthOrder mod_auth_file.c\n\
             AuthUserFile {}\nRequireValidShell off\nUser daemon\nGroup daemon\nPidFile {dir}/state/pid\n\
             ScoreboardFile {dir}/state/score\nDelayEngine off\nWtmpLog off\n\
             SystemLog {dir}/state/log\nDefaultRoot ~\nAllowOverwrite on\nAllowStoreRestart on\n\
             AllowRetrieveRestart on\nUmask 022\n",
            self.port,
            modules.display(),
            users.display(),
        );
        // The first one counts.
        if !self.extra.iter().any(|line| line.starts_with("TransferLog")) {
            conf += "TransferLog none\n";
        }
        if self.tls != Tls::None {
            let version = if self.tls == Tls::V12 { "TLSv1.2" } else { "TLSv1.3" };
            conf += &format!(
                "TLSEngine on\nTLSRequired on\nTLSProtocol {version}\nTLSLog {dir}/state/log\n\
                 TLSECCertificateFile {dir}/cert.pem\nTLSECCertificateKeyFile {dir}/key.pem\n"
            );
        }
        let mut command = Command::new(peers().join("usr/sbin/proftpd"));
        command.arg("-n").arg("-c").arg(self.conf(&conf));
        command
    }

    fn pure_ftpd(&self) -> Command {
        let dir = self.dir.path().display();
        let users = self.dir.path().join("users");
        private(&users, &format!("{USER}:{HASH}:{UID}:{UID}::{dir}/root/./::::::::::::\n"));
        let database = self.dir.path().join("users.pdb");
        let made = Command::new(peers().join("usr/bin/pure-pw"))
            .args(["mkdb", database.to_str().unwrap(), "-f", users.to_str().unwrap()])
            .status()
            .unwrap();
        assert!(made.success(), "pure-pw made no database");
        let mut command = Command::new(peers().join("usr/sbin/pure-ftpd"));
        command.args(["-A", "-H", "-E", "-u", "1", "-S", &format!("127.0.0.1,{}", self.port)]);
        command.args(["-l", &format!("puredb:{}", database.display()), "-g", &format!("{dir}/state/pid")]);
        if self.tls != Tls::None {
            command.args(["-Y", "3", "-2", &format!("{dir}/both.pem")]);
        }
        command.args(&self.extra);
        command
    }

    fn conf(&self, text: &str) -> PathBuf {
        let path = self.dir.path().join("server.conf");
        private(&path, &format!("{text}{}\n", self.extra.join("\n")));
        path
    }
}

impl Drop for Ftpd {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Where `tests/peers` put the programs; runs it when it was not run yet.
pub fn peers() -> &'static Path {
    static PEERS: OnceLock<PathBuf> = OnceLock::new();
    PEERS.get_or_init(|| {
        let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
        let ready = tests.join(".cache/peers/complete").exists() && Path::new("/etc/pam.d/causeway-peers").exists();
        if !ready {
            let done = Command::new(tests.join("peers")).status().unwrap();
            assert!(done.success(), "tests/peers failed: run it by hand and see what is missing");
        }
        tests.join(".cache/peers")
    })
}

fn certificate(dir: &Path, tls: Tls) {
    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    let (cert, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    private(&dir.join("cert.pem"), &cert);
    private(&dir.join("key.pem"), &key);
    private(&dir.join("both.pem"), &format!("{key}{cert}"));
    let version = if tls == Tls::V12 { "TLSv1.2" } else { "TLSv1.3" };
    let conf = format!(
        "openssl_conf = all\n[all]\nssl_conf = ssl\n[ssl]\nsystem_default = system\n[system]\n\
         MinProtocol = {version}\nMaxProtocol = {version}\n"
    );
    fs::write(dir.join("openssl.cnf"), conf).unwrap();
}

fn private(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

fn open_up(path: &Path) {
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

fn own(path: &Path) {
    std::os::unix::fs::lchown(path, Some(UID), Some(UID)).unwrap();
    if path.symlink_metadata().unwrap().is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            own(&entry.unwrap().path());
        }
    }
}
