//! The legacy FTP server of the demo: libunftp over a folder, read-only, a little slow.
//!
//! libunftp carries names as text: it reads commands as lossy UTF-8 and writes MLSD the same way. A
//! GBK name would therefore arrive as replacement characters. So that such names can be shown as real
//! servers have them, this storage
//! * writes LIST and NLST itself, from the raw bytes;
//! * answers MLSD with "502 not implemented" for a folder that holds such a name (clients fall back to
//!   LIST, as with the many servers whose FEAT promises more than they do);
//! * finds the file that a lossily read command means by comparing lossy images, and refuses when two
//!   names of a folder have the same one.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use libunftp::ServerBuilder;
use libunftp::options::Shutdown;
use std::os::unix::ffi::OsStrExt;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use unftp_core::auth::{AuthenticationError, Authenticator, Credentials, DefaultUser, Principal};
use unftp_core::storage::{Error, ErrorKind, FEATURE_RESTART, Fileinfo, Metadata, Permissions, Result, StorageBackend};

use crate::model::{Clock, EntryKind, Name, RelPath, Secret};
use crate::task::{Tasks, blocking};
use crate::tree::{DirEntry, FileReader, Stat, View};

/// How slow an old server is: bytes a second of one transfer, and the wait before each.
const RATE: u64 = 6 << 20;
const LATENCY: Duration = Duration::from_millis(25);
const BLOCK: usize = 128 << 10;

/// Starts the server on `address` and leaves it to `tasks`.
///
/// # Errors
/// When libunftp does not accept its settings.
pub fn start(
    address: std::net::SocketAddr,
    view: &View,
    user: &'static str,
    password: Secret,
    clock: Arc<dyn Clock>,
    tasks: &Tasks,
) -> io::Result<()> {
    let storage = Storage { view: view.read_only(), clock };
    let stop = tasks.token();
    let server =
        ServerBuilder::with_authenticator(Box::new(move || storage.clone()), Arc::new(OneAccount { user, password }))
            .greeting("Legacy file server ready (Causeway demo)")
            .passive_host(libunftp::options::PassiveHost::FromConnection)
            .idle_session_timeout(120)
            .shutdown_indicator(async move {
                stop.cancelled().await;
                Shutdown::new().grace_period(Duration::from_secs(2))
            })
            .build()
            .map_err(io::Error::other)?;
    tasks.spawn("demo: legacy FTP", async move {
        if let Err(error) = server.listen(address.to_string()).await {
            tracing::debug!(%error, "the demo's legacy FTP server ended");
        }
    });
    Ok(())
}

#[derive(Debug)]
struct OneAccount {
    user: &'static str,
    password: Secret,
}

#[async_trait]
impl Authenticator for OneAccount {
    async fn authenticate(
        &self,
        username: &str,
        creds: &Credentials,
    ) -> std::result::Result<Principal, AuthenticationError> {
        match &creds.password {
            Some(given) if username == self.user && given == self.password.expose() => {
                Ok(Principal { username: username.to_owned() })
            }
            _ => Err(AuthenticationError::BadPassword),
        }
    }
}

#[derive(Debug, Clone)]
struct Storage {
    view: View,
    clock: Arc<dyn Clock>,
}

/// A stat in libunftp's terms.
#[derive(Debug, Clone)]
struct Facts(Stat);

impl Metadata for Facts {
    fn len(&self) -> u64 {
        self.0.size
    }
    fn is_dir(&self) -> bool {
        self.0.is_dir()
    }
    fn is_file(&self) -> bool {
        self.0.is_file()
    }
    fn is_symlink(&self) -> bool {
        matches!(self.0.kind, EntryKind::Symlink(_))
    }
    fn modified(&self) -> Result<SystemTime> {
        Ok(self.0.mtime.into())
    }
    fn gid(&self) -> u32 {
        self.0.gid
    }
    fn uid(&self) -> u32 {
        self.0.uid
    }
    fn permissions(&self) -> Permissions {
        Permissions(self.0.mode & 0o777)
    }
}

/// A name as it is written into a listing, and what it is.
type Line = (Vec<u8>, Stat);

/// The folder itself as `.`, as real servers show it (it proves that an empty folder was read), and what
/// is in it.
fn with_itself(view: &View, folder: &RelPath) -> io::Result<Vec<Line>> {
    let mut lines = vec![(b".".to_vec(), view.stat(folder)?)];
    lines.extend(entries(view, folder)?.into_iter().map(|entry| (entry.name.as_bytes().to_vec(), entry.stat)));
    Ok(lines)
}

fn entries(view: &View, folder: &RelPath) -> io::Result<Vec<DirEntry>> {
    view.read_dir(folder)?.collect()
}

/// The path that `asked` means: each component by its bytes, else by its lossy image when that is
/// unique in its folder.
fn resolve(view: &View, asked: &Path) -> io::Result<RelPath> {
    let asked = RelPath::lenient(asked.as_os_str().as_bytes()).map_err(io::Error::other)?;
    if !String::from_utf8_lossy(asked.as_bytes()).contains(char::REPLACEMENT_CHARACTER) {
        return Ok(asked);
    }
    asked.names().try_fold(RelPath::root(), |folder, name| {
        let image = String::from_utf8_lossy(name.as_bytes()).into_owned();
        let matching: Vec<Name> = entries(view, &folder)?
            .into_iter()
            .map(|entry| entry.name)
            .filter(|other| String::from_utf8_lossy(other.as_bytes()) == image)
            .collect();
        match matching.as_slice() {
            [one] => Ok(folder.join(one)),
            _ => Err(io::ErrorKind::NotFound.into()),
        }
    })
}

impl Storage {
    /// Runs file work on `path` off the async threads.
    async fn on<T: Send + 'static>(
        &self,
        path: &Path,
        work: impl FnOnce(&View, &RelPath) -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let (view, path) = (self.view.clone(), path.to_path_buf());
        blocking(move || work(&view, &resolve(&view, &path)?)).await.map_err(io::Error::other)?
    }

    async fn lines(&self, path: &Path, line: fn(&Line, Timestamp) -> Vec<u8>) -> io::Result<io::Cursor<Vec<u8>>> {
        let now = self.clock.now();
        let found = self.on(path, with_itself).await?;
        let mut text = Vec::new();
        for entry in &found {
            text.extend(line(entry, now));
            text.extend_from_slice(b"\r\n");
        }
        Ok(io::Cursor::new(text))
    }
}

/// One line as `ls -l` writes it: the year instead of the time for what is older than half a year.
fn long_line((name, stat): &Line, now: Timestamp) -> Vec<u8> {
    let at = stat.mtime.to_zoned(TimeZone::UTC);
    let age = now.duration_since(stat.mtime).as_hours();
    let time = if (0..182 * 24).contains(&age) { at.strftime("%b %e %H:%M") } else { at.strftime("%b %e  %Y") };
    let facts = Facts(stat.clone());
    let kind = if facts.is_dir() { 'd' } else { '-' };
    let mut line = format!("{kind}{} 1 ftp      ftp      {:>12} {time} ", facts.permissions(), stat.size).into_bytes();
    line.extend_from_slice(name);
    line
}

fn refused() -> Error {
    Error::new(ErrorKind::PermissionDenied, "this server is only read")
}

#[async_trait]
impl StorageBackend<DefaultUser> for Storage {
    type Metadata = Facts;

    fn supported_features(&self) -> u32 {
        FEATURE_RESTART
    }

    async fn metadata<P: AsRef<Path> + Send + std::fmt::Debug>(&self, _: &DefaultUser, path: P) -> Result<Facts> {
        Ok(Facts(self.on(path.as_ref(), View::stat).await?))
    }

    async fn list<P: AsRef<Path> + Send + std::fmt::Debug>(
        &self,
        _: &DefaultUser,
        path: P,
    ) -> Result<Vec<Fileinfo<PathBuf, Facts>>> {
        let found = self.on(path.as_ref(), with_itself).await?;
        if found.iter().any(|(name, _)| std::str::from_utf8(name).is_err()) {
            return Err(Error::from(ErrorKind::CommandNotImplemented));
        }
        Ok(found
            .into_iter()
            .map(|(name, stat)| Fileinfo { path: PathBuf::from(OsStr::from_bytes(&name)), metadata: Facts(stat) })
            .collect())
    }

    async fn list_fmt<P>(&self, _: &DefaultUser, path: P) -> Result<io::Cursor<Vec<u8>>>
    where
        P: AsRef<Path> + Send + std::fmt::Debug,
    {
        Ok(self.lines(path.as_ref(), long_line).await?)
    }

    async fn nlst<P>(&self, _: &DefaultUser, path: P) -> io::Result<io::Cursor<Vec<u8>>>
    where
        P: AsRef<Path> + Send + std::fmt::Debug,
    {
        self.lines(path.as_ref(), |(name, _), _| name.clone()).await
    }

    async fn get_into<'a, P, W: ?Sized>(
        &self,
        _: &DefaultUser,
        path: P,
        start_pos: u64,
        output: &'a mut W,
    ) -> Result<u64>
    where
        W: AsyncWrite + Unpin + Sync + Send,
        P: AsRef<Path> + Send + std::fmt::Debug,
    {
        tokio::time::sleep(LATENCY).await;
        let file = Arc::new(self.on(path.as_ref(), View::open_read).await?);
        let mut at = start_pos;
        loop {
            let block = read_block(Arc::clone(&file), at).await?;
            if block.is_empty() {
                return Ok(at.saturating_sub(start_pos));
            }
            output.write_all(&block).await?;
            at += block.len() as u64;
            let micros = 1_000_000 * block.len() as u64 / RATE;
            tokio::time::sleep(Duration::from_micros(micros)).await;
        }
    }

    async fn get<P: AsRef<Path> + Send + std::fmt::Debug>(
        &self,
        _: &DefaultUser,
        _path: P,
        _start_pos: u64,
    ) -> Result<Box<dyn AsyncRead + Send + Sync + Unpin>> {
        // Only SITE MD5 would come here, and it is not offered.
        Err(Error::from(ErrorKind::CommandNotImplemented))
    }

    async fn put<P: AsRef<Path> + Send + std::fmt::Debug, R: AsyncRead + Send + Sync + Unpin + 'static>(
        &self,
        _: &DefaultUser,
        _input: R,
        _path: P,
        _start_pos: u64,
    ) -> Result<u64> {
        Err(refused())
    }

    async fn del<P: AsRef<Path> + Send + std::fmt::Debug>(&self, _: &DefaultUser, _path: P) -> Result<()> {
        Err(refused())
    }

    async fn mkd<P: AsRef<Path> + Send + std::fmt::Debug>(&self, _: &DefaultUser, _path: P) -> Result<()> {
        Err(refused())
    }

    async fn rename<P: AsRef<Path> + Send + std::fmt::Debug>(&self, _: &DefaultUser, _from: P, _to: P) -> Result<()> {
        Err(refused())
    }

    async fn rmd<P: AsRef<Path> + Send + std::fmt::Debug>(&self, _: &DefaultUser, _path: P) -> Result<()> {
        Err(refused())
    }

    async fn cwd<P: AsRef<Path> + Send + std::fmt::Debug>(&self, _: &DefaultUser, path: P) -> Result<()> {
        let stat = self.on(path.as_ref(), View::stat_follow).await?;
        if stat.is_dir() { Ok(()) } else { Err(Error::from(ErrorKind::PermanentDirectoryNotAvailable)) }
    }
}

async fn read_block(file: Arc<FileReader>, at: u64) -> io::Result<Vec<u8>> {
    blocking(move || {
        let mut block = vec![0; BLOCK];
        let got = file.read_at(&mut block, at)?;
        block.truncate(got);
        Ok(block)
    })
    .await
    .map_err(io::Error::other)?
}
