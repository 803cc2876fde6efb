//! The demo's own visitors: real clients that fetch one file again and again over FTP, SFTP and WebDAV,
//! one protocol after the other, so that the reliability page has something to compare. They come over
//! the loopback, and [`REMARK`] stands on the page: such figures say nothing about a real network.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use data_encoding::BASE64;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::account::{AccountError, NewAccount, readable_password};
use crate::app::{Service, Store};
use crate::audit::Actor;
use crate::model::{Access, Endpoint, Fault, FaultKind, Phase, Protocol, RelPath, Scope, Secret};
use crate::net::{TlsClient, Trust};
use crate::reliability::{Direction, End, Observation, Role, What};
use crate::remote::{self, Context};
use crate::task::blocking;
use crate::tree::file;

/// Said on the reliability page of a demo.
pub(super) const REMARK: &str = "This is a demo. The traffic goes over the loopback of this machine, most of it comes \
                                 from the demo's own visitors, which fetch one file 120 times over each protocol, and \
                                 the old FTP server is slowed down on purpose. The figures show how the page works; \
                                 they say nothing about a real network.";
/// Whose account they use.
const VISITOR: &str = "visitor";
/// How often each protocol is used: enough for every rate (100), and few enough to be over soon.
const ROUNDS: usize = 120;
/// Between two rounds.
const PAUSE: Duration = Duration::from_millis(200);
/// Each step of a visit.
const PATIENCE: Duration = Duration::from_secs(20);
/// What they fetch, below the old server's root and below the account's folder: 71 kB.
const FILE: &str = "outbound/catalogue/images/0010 readme.txt";
/// The folder that the job copies the old server's root to.
const HOME: &str = "legacy";

/// What a visit needs.
pub(super) struct Visitors {
    context: Context,
    ftp: Endpoint,
    sftp: Option<SocketAddr>,
    https: SocketAddr,
    tls: TlsClient,
    key: Arc<russh::keys::PrivateKey>,
    host_keys: Vec<String>,
    password: Secret,
}

/// Makes the visitors' account when it is missing, and gives it a new password and a key: nobody else is
/// to use it. Returns both.
pub(super) async fn account(store: &Store) -> Result<(Secret, PathBuf), super::DemoError> {
    let (folder, password) = (store.folder.join("clients"), readable_password()?);
    let path = folder.join("visitor_ed25519");
    let home = RelPath::new(HOME).map_err(io::Error::other)?;
    let new = NewAccount {
        name: VISITOR.to_owned(),
        password: Some(password.clone()),
        scope: Scope::of(home, Access::ReadOnly),
        admin: false,
    };
    match store.accounts.create(&Actor::System, &new).await {
        Ok(_) => {
            let key = super::ssh_key(&path)?;
            store.accounts.add_key(&Actor::System, VISITOR, &key).await?;
        }
        Err(AccountError::Exists(_)) => store.accounts.set_password(&Actor::System, VISITOR, &password).await?,
        Err(error) => return Err(error.into()),
    }
    Ok((password, path))
}

/// Sends them off once the file is there.
pub(super) fn start(
    service: &Service,
    ftp: Endpoint,
    (password, key): (Secret, PathBuf),
) -> Result<(), super::DemoError> {
    let (Some(https), Some(certificate)) = (service.https(), service.certificate()) else { return Ok(()) };
    let roots = file::read_small(&certificate.file, 64 * 1024)?;
    let text = file::read_small(&key, 16 * 1024)?;
    let key = russh::keys::PrivateKey::from_openssh(&text).map_err(io::Error::other)?;
    let trust = Trust { extra_roots: Some(roots), ..Trust::default() };
    let visitors = Visitors {
        context: service.context(),
        ftp,
        sftp: service.sftp(),
        https,
        tls: TlsClient::new("localhost", &trust).map_err(io::Error::other)?,
        key: Arc::new(key),
        host_keys: service.host_keys().iter().map(|key| key.public.clone()).collect(),
        password,
    };
    let (tasks, view) = (service.tasks().clone(), service.tree().view(&Scope::whole())?);
    let there = RelPath::new(format!("{HOME}/{FILE}")).map_err(io::Error::other)?;
    service.tasks().spawn("demo: visitors", async move {
        let mut rounds = 0;
        while rounds < ROUNDS {
            tokio::select! {
                () = tasks.stopped() => return,
                () = tokio::time::sleep(PAUSE) => {}
            }
            let (view, there) = (view.clone(), there.clone());
            if matches!(blocking(move || view.stat(&there).is_ok()).await, Ok(true)) {
                tokio::select! {
                    () = tasks.stopped() => return,
                    () = visitors.round() => rounds += 1,
                }
            }
        }
    });
    Ok(())
}

impl Visitors {
    /// One visit over each protocol. Our FTP client records what it does by itself; the others are
    /// recorded here, and once more by the doors, as any client is.
    async fn round(&self) {
        if let Err(fault) = self.over_ftp().await {
            tracing::debug!(%fault, "a visit over FTP failed");
        }
        if let Some(at) = self.sftp {
            let mut visit = Visit::begin();
            let result = within(self.over_sftp(at, &mut visit)).await;
            self.record(Protocol::Sftp, at, &visit, &result);
        }
        let mut visit = Visit::begin();
        let result = within(self.over_dav(&mut visit)).await;
        self.record(Protocol::Davs, self.https, &visit, &result);
    }

    async fn over_ftp(&self) -> Result<(), Fault> {
        let path =
            RelPath::new(FILE).map_err(|error| Fault::new(Phase::Open, FaultKind::BadName, error.to_string()))?;
        let remote = remote::open(&self.ftp, &self.context).await?;
        let fetched = async {
            let mut source = remote.read(&path, 0, None).await?;
            while source.next().await?.is_some() {}
            source.finish().await.map(drop)
        }
        .await;
        remote.close().await;
        fetched
    }

    async fn over_sftp(&self, at: SocketAddr, visit: &mut Visit) -> io::Result<()> {
        let known = Known(self.host_keys.clone());
        let stream = TcpStream::connect(at).await?;
        stream.set_nodelay(true)?;
        let config = Arc::new(russh::client::Config::default());
        let mut session = russh::client::connect_stream(config, stream, known).await.map_err(io::Error::other)?;
        let key = russh::keys::PrivateKeyWithHashAlg::new(Arc::clone(&self.key), None);
        let login = session.authenticate_publickey(VISITOR, key).await.map_err(io::Error::other)?;
        if !login.success() {
            return Err(io::Error::other("the door refused the demo's visitor"));
        }
        let channel = session.channel_open_session().await.map_err(io::Error::other)?;
        channel.request_subsystem(true, "sftp").await.map_err(io::Error::other)?;
        let sftp = russh_sftp::client::SftpSession::new(channel.into_stream()).await.map_err(io::Error::other)?;
        visit.ready();
        let bytes = sftp.read(FILE).await.map_err(io::Error::other)?;
        visit.moved(bytes.len());
        sftp.close().await.map_err(io::Error::other)?;
        session.disconnect(russh::Disconnect::ByApplication, "", "").await.map_err(io::Error::other)
    }

    /// GET over HTTP/1.1 (RFC 9112). Ready is the first status: the door has looked at the login.
    async fn over_dav(&self, visit: &mut Visit) -> io::Result<()> {
        let stream = TcpStream::connect(self.https).await?;
        stream.set_nodelay(true)?;
        let mut stream = self.tls.connect(stream, PATIENCE).await.map_err(io::Error::other)?;
        let login = BASE64.encode(format!("{VISITOR}:{}", self.password.expose()).as_bytes());
        let ask = |method: &str, path: &str, end: &str| {
            format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic {login}\r\n{end}\r\n")
        };
        stream.write_all(ask("OPTIONS", "/dav/", "").as_bytes()).await?;
        stream.flush().await?;
        let (status, _) = head(&mut stream).await?;
        if status >= 400 {
            return Err(io::Error::other(format!("the door answered {status}")));
        }
        visit.ready();
        let path = format!("/dav/{}", FILE.replace(' ', "%20"));
        stream.write_all(ask("GET", &path, "Connection: close\r\n").as_bytes()).await?;
        stream.flush().await?;
        let (status, length) = head(&mut stream).await?;
        let mut body = Vec::new();
        stream.read_to_end(&mut body).await?;
        if status != 200 || body.len() != length {
            return Err(io::Error::other(format!("the door answered {status} with {} of {length} bytes", body.len())));
        }
        visit.moved(body.len());
        Ok(())
    }

    fn record(&self, protocol: Protocol, at: SocketAddr, visit: &Visit, result: &io::Result<()>) {
        if let Err(error) = result {
            tracing::debug!(%error, protocol = protocol.scheme(), "a visit failed");
        }
        let failed = End::Failed(
            if visit.setup.is_some() { Phase::Transfer } else { Phase::Connect },
            if result.as_ref().is_err_and(|e: &io::Error| e.kind() == io::ErrorKind::TimedOut) {
                FaultKind::Timeout
            } else {
                FaultKind::Protocol
            },
        );
        let end = if result.is_ok() { End::Clean } else { failed };
        let seen = |what| Observation {
            at: self.context.clock.now(),
            protocol,
            role: Role::Client,
            endpoint: format!("{at} (demo visitor)"),
            what,
        };
        let held = visit.setup.map_or(Duration::ZERO, |setup| visit.began.elapsed().saturating_sub(setup));
        let connection = What::Connection { setup: visit.setup, phases: Vec::new(), held, end };
        self.context.recorder.record(seen(connection));
        if let Some((bytes, duration)) = visit.moved {
            let what = What::Transfer { direction: Direction::Download, bytes, duration, end };
            self.context.recorder.record(seen(what));
        }
    }
}

/// The times of one visit.
struct Visit {
    began: Instant,
    setup: Option<Duration>,
    moved: Option<(u64, Duration)>,
}

impl Visit {
    fn begin() -> Self {
        Self { began: Instant::now(), setup: None, moved: None }
    }

    fn ready(&mut self) {
        self.setup = Some(self.began.elapsed());
        // Until it says otherwise, the transfer that follows has brought nothing.
        self.moved = Some((0, Duration::ZERO));
    }

    fn moved(&mut self, bytes: usize) {
        let since = self.began.elapsed().saturating_sub(self.setup.unwrap_or_default());
        self.moved = Some((u64::try_from(bytes).unwrap_or(u64::MAX), since));
    }
}

async fn within(visit: impl Future<Output = io::Result<()>>) -> io::Result<()> {
    match tokio::time::timeout(PATIENCE, visit).await {
        Ok(result) => result,
        Err(_) => Err(io::ErrorKind::TimedOut.into()),
    }
}

/// Status and length of an answer, read up to its body byte by byte.
async fn head(stream: &mut (impl tokio::io::AsyncRead + Unpin)) -> io::Result<(u16, usize)> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() > 16 * 1024 {
            return Err(io::Error::other("an answer without an end"));
        }
        head.push(stream.read_u8().await?);
    }
    let text = String::from_utf8_lossy(&head).to_ascii_lowercase();
    let status = text.split_whitespace().nth(1).and_then(|word| word.parse().ok()).unwrap_or(0);
    let length = text.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
    Ok((status, length.unwrap_or(0)))
}

/// Accepts the door's own host keys and no other.
struct Known(Vec<String>);

impl russh::client::Handler for Known {
    type Error = russh::Error;

    async fn check_server_key(&mut self, shown: &russh::keys::PublicKeyOrCertificate) -> Result<bool, Self::Error> {
        let russh::keys::PublicKeyOrCertificate::PublicKey { key, .. } = shown else { return Ok(false) };
        let Ok(shown) = key.to_openssh() else { return Ok(false) };
        let key = |line: &str| line.split_whitespace().take(2).map(str::to_owned).collect::<Vec<_>>();
        Ok(self.0.iter().any(|known| key(known) == key(&shown)))
    }
}
