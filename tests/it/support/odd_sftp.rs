//! An SFTP server that keeps to the draft and to nothing else: it answers out of order, gives less than was asked for,
//! renames over what is there, knows no extension and no permission bits, and asks for the password by a question.
#![allow(dead_code, reason = "each test file uses a part of the oddities")]

use std::borrow::Cow;
use std::collections::HashMap;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use bytes::{BufMut, Bytes, BytesMut};
use causeway::model::{Endpoint, Secret};
use causeway::net::sftp::{Attributes, Extension, Frames, Packet, Reply, Request, data_header};
use russh::keys::PrivateKey;
use russh::keys::ssh_key::private::Ed25519Keypair;
use russh::server::{
    Auth, ChannelOpenHandle, Config, Handle, Handler, Msg, Response, Session, VerifiedPublicKey, run_stream,
};
use russh::{Channel, ChannelId, MethodKind, MethodSet, SshId};
use russh_sftp::protocol::{OpenFlags, StatusCode};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

/// What it does otherwise than OpenSSH.
#[derive(Debug, Clone, Copy, Default)]
pub struct Odd {
    /// Answers come in batches, the last first.
    pub shuffles: bool,
    /// No READ gives more bytes than this; 0 = as many as asked for.
    pub short: usize,
    /// RENAME replaces.
    pub replaces: bool,
    /// SETSTAT of permission bits is not supported.
    pub modeless: bool,
    /// The password is asked for by keyboard-interactive only.
    pub asks: bool,
    /// So many bytes were written: from then on WRITE says that it failed.
    pub full_after: Option<u64>,
    /// It falls silent at the first READ.
    pub mute: bool,
    /// It greets as OpenSSH does,
    pub poses: bool,
    /// and announces what OpenSSH announces.
    pub announces: bool,
    /// Keys are taken and are not enough: this is asked for besides.
    pub second: Option<MethodKind>,
    /// What is asked in place of "Password: ", and whether the answer is shown.
    pub question: Option<(&'static str, bool)>,
    /// READDIR never comes to an end and names only these.
    pub names_only: Option<&'static [&'static str]>,
    /// READ gives no byte and no end.
    pub hollow: bool,
    /// Behind the login folder and the root, every answer is of a kind that this decides.
    pub babbles: Option<u64>,
}

/// The password of everybody.
pub const PASSWORD: &str = "open-sesame";

/// A running server.
pub struct OddSftp {
    pub port: u16,
    dir: tempfile::TempDir,
    /// Every password that was tried.
    pub tried: Arc<Mutex<Vec<String>>>,
    task: tokio::task::JoinHandle<()>,
}

impl OddSftp {
    pub async fn start(odd: Odd) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let methods = match odd {
            Odd { second: Some(_), .. } => MethodKind::PublicKey,
            Odd { asks: true, .. } => MethodKind::KeyboardInteractive,
            _ => MethodKind::Password,
        };
        let greeting = if odd.poses { "SSH-2.0-OpenSSH_9.9" } else { "SSH-2.0-Odd_1" };
        let config = Arc::new(Config {
            server_id: SshId::Standard(Cow::Borrowed(greeting)),
            methods: MethodSet::from(&[methods][..]),
            keys: vec![PrivateKey::from(Ed25519Keypair::from_seed(&[7; 32]))],
            auth_rejection_time: Duration::ZERO,
            auth_rejection_time_initial: Some(Duration::ZERO),
            ..Config::default()
        });
        let tried = Arc::new(Mutex::new(Vec::new()));
        let (root, seen) = (dir.path().to_path_buf(), Arc::clone(&tried));
        let task = tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let handler = Peer { odd, root: root.clone(), tried: Arc::clone(&seen), held: None, orders: None };
                let config = Arc::clone(&config);
                tokio::spawn(async move {
                    if let Ok(session) = run_stream(config, socket, handler).await {
                        let _ = session.await;
                    }
                });
            }
        });
        Self { port, dir, tried, task }
    }

    pub fn root(&self) -> &Path {
        self.dir.path()
    }

    pub fn endpoint(&self) -> Endpoint {
        let mut endpoint = Endpoint::parse(&format!("sftp://anna@127.0.0.1:{}/", self.port)).unwrap();
        endpoint.password = Some(Secret::new(PASSWORD));
        endpoint.options.insecure = true;
        endpoint
    }
}

impl Drop for OddSftp {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Peer {
    odd: Odd,
    root: PathBuf,
    tried: Arc<Mutex<Vec<String>>>,
    held: Option<Channel<Msg>>,
    orders: Option<mpsc::Sender<Bytes>>,
}

impl Peer {
    fn judge(&self, password: &str) -> Auth {
        self.tried.lock().unwrap().push(password.to_owned());
        if password == PASSWORD { Auth::Accept } else { Auth::reject() }
    }
}

impl Handler for Peer {
    type Error = russh::Error;

    async fn auth_password(&mut self, _: &str, password: &str) -> Result<Auth, Self::Error> {
        // russh asks also for methods that were not offered.
        if self.odd.asks { Ok(Auth::reject()) } else { Ok(self.judge(password)) }
    }

    async fn auth_publickey(&mut self, _: &str, _: VerifiedPublicKey<'_>) -> Result<Auth, Self::Error> {
        let Some(method) = self.odd.second else { return Ok(Auth::reject()) };
        Ok(Auth::Reject { proceed_with_methods: Some(MethodSet::from(&[method][..])), partial_success: true })
    }

    async fn auth_keyboard_interactive<'a>(
        &'a mut self,
        _: &str,
        _: &str,
        response: Option<Response<'a>>,
    ) -> Result<Auth, Self::Error> {
        let Some(mut response) = response else {
            let (question, is_shown) = self.odd.question.unwrap_or(("Password: ", false));
            return Ok(Auth::Partial {
                name: Cow::Borrowed(""),
                instructions: Cow::Borrowed(""),
                prompts: Cow::Owned(vec![(Cow::Borrowed(question), is_shown)]),
            });
        };
        let said = response.next().map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
        Ok(self.judge(&said))
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Self::Error> {
        self.held = Some(channel);
        reply.accept().await;
        Ok(())
    }

    async fn subsystem_request(&mut self, id: ChannelId, _: &str, session: &mut Session) -> Result<(), Self::Error> {
        let (orders, queue) = mpsc::channel(10_000);
        self.orders = Some(orders);
        self.held = None;
        let disk = Disk { odd: self.odd, root: self.root.clone(), open: HashMap::new(), next: 0, written: 0, asked: 0 };
        tokio::spawn(serve(disk, queue, session.handle(), id));
        session.channel_success(id)
    }

    async fn data(&mut self, _: ChannelId, data: &[u8], _: &mut Session) -> Result<(), Self::Error> {
        if let Some(orders) = &self.orders {
            let _ = orders.send(Bytes::copy_from_slice(data)).await;
        }
        Ok(())
    }
}

async fn serve(mut disk: Disk, mut queue: mpsc::Receiver<Bytes>, handle: Handle, channel: ChannelId) {
    let mut frames = Frames::default();
    let mut ready: Vec<Bytes> = Vec::new();
    loop {
        let more = if ready.is_empty() {
            queue.recv().await
        } else {
            // Whoever has more on its way gets the last answer first.
            match tokio::time::timeout(Duration::from_millis(3), queue.recv()).await {
                Ok(more) => more,
                Err(_) => Some(Bytes::new()),
            }
        };
        let Some(data) = more else { return };
        let quiet = data.is_empty();
        frames.feed(&data);
        while let Some(frame) = frames.take().unwrap() {
            if let Some(answer) = disk.answer(Packet::read(frame).unwrap()) {
                ready.push(answer);
            }
        }
        if quiet || ready.len() >= 8 || !disk.odd.shuffles {
            if disk.odd.shuffles {
                ready.reverse();
            }
            for answer in ready.drain(..) {
                if handle.data(channel, answer).await.is_err() {
                    return;
                }
            }
        }
    }
}

enum Open {
    File(fs::File),
    Dir(Vec<(Bytes, Attributes)>),
}

struct Disk {
    odd: Odd,
    root: PathBuf,
    open: HashMap<Vec<u8>, Open>,
    next: u32,
    written: u64,
    asked: u64,
}

/// What OpenSSH's own program announces, less `limits@openssh.com`.
const ANNOUNCED: [&str; 4] =
    ["posix-rename@openssh.com", "hardlink@openssh.com", "fstatvfs@openssh.com", "fsync@openssh.com"];

fn string(out: &mut BytesMut, bytes: &[u8]) {
    out.put_u32(bytes.len() as u32);
    out.put_slice(bytes);
}

fn version(announces: bool, out: &mut BytesMut) {
    let mut body = BytesMut::from(&[2, 0, 0, 0, 3][..]);
    for name in ANNOUNCED.iter().filter(|_| announces) {
        string(&mut body, name.as_bytes());
        string(&mut body, b"1");
    }
    string(out, &body);
}

/// An answer of some kind to `id`: a well-formed one, or one that only looks like it.
fn babble(seed: u64, id: u32, out: &mut BytesMut) {
    let chance = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(23);
    let few = (chance >> 8) as usize % 5;
    match chance % 9 {
        0 => status(StatusCode::Eof).write(id, out),
        1 => status(StatusCode::Failure).write(id, out),
        2 => Reply::Handle { slot: id }.write(id, out),
        3 => {
            let (size, permissions) = (Some(chance), Some(0o100_644));
            Reply::Attributes(Attributes { size, permissions, ..Attributes::default() }).write(id, out);
        }
        4 => {
            let name = |n| Bytes::from(format!("{n}"));
            let lines = (0..few).map(|n| Reply::line(name(n), Bytes::new(), Attributes::default())).collect();
            Reply::Names(lines).write(id, out);
        }
        5 => {
            out.put_slice(&data_header(id, few as u32));
            out.put_slice(&[7; 5][..few]);
        }
        6 => Reply::ok().write(id, out),
        7 => Reply::Numbers(vec![chance; few]).write(id, out),
        _ => {
            // A kind that exists, and a body that does not fit.
            let mut body = BytesMut::from(&[(101 + chance % 5) as u8][..]);
            body.put_u32(id);
            body.put_u64(chance);
            string(out, &body);
        }
    }
}

fn status(code: StatusCode) -> Reply {
    Reply::Status { code, text: String::new() }
}

fn failed(error: &std::io::Error) -> Reply {
    status(match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => StatusCode::NoSuchFile,
        ErrorKind::PermissionDenied => StatusCode::PermissionDenied,
        _ => StatusCode::Failure,
    })
}

fn at(seconds: u32) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds.into())
}

fn attributes(meta: &fs::Metadata) -> Attributes {
    let mtime = u32::try_from(meta.mtime()).unwrap();
    Attributes { size: Some(meta.len()), owner: None, permissions: Some(meta.mode()), times: Some((mtime, mtime)) }
}

impl Disk {
    fn at(&self, path: &[u8]) -> PathBuf {
        let path = path.strip_prefix(b"/").unwrap_or(path);
        if matches!(path, b"" | b".") { self.root.clone() } else { self.root.join(std::ffi::OsStr::from_bytes(path)) }
    }

    fn keep(&mut self, open: Open) -> Reply {
        self.next += 1;
        self.open.insert(self.next.to_be_bytes().to_vec(), open);
        Reply::Handle { slot: self.next }
    }

    fn answer(&mut self, packet: Packet) -> Option<Bytes> {
        let Packet { id, request } = packet;
        let mut out = BytesMut::new();
        self.asked += 1;
        match request {
            Request::Init => version(self.odd.announces, &mut out),
            // These let it in.
            request @ (Request::Realpath { .. } | Request::Stat { .. }) => {
                self.perform(request).unwrap_or_else(|error| failed(&error)).write(id, &mut out);
            }
            _ if self.odd.babbles.is_some() => {
                babble(self.odd.babbles.unwrap_or_default().wrapping_add(self.asked), id, &mut out);
            }
            Request::Read { .. } if self.odd.hollow => out.put_slice(&data_header(id, 0)),
            Request::Read { .. } if self.odd.mute => return None,
            Request::Read { handle, offset, length } => {
                let most = if self.odd.short == 0 { usize::MAX } else { self.odd.short };
                let mut buffer = vec![0; (length as usize).min(most)];
                let Some(Open::File(file)) = self.open.get(&handle.to_vec()) else { panic!("READ of no file") };
                match file.read_at(&mut buffer, offset).unwrap() {
                    0 => status(StatusCode::Eof).write(id, &mut out),
                    got => {
                        out.put_slice(&data_header(id, got as u32));
                        out.put_slice(&buffer[..got]);
                    }
                }
            }
            request => self.perform(request).unwrap_or_else(|error| failed(&error)).write(id, &mut out),
        }
        Some(out.freeze())
    }

    fn perform(&mut self, request: Request) -> std::io::Result<Reply> {
        Ok(match request {
            Request::Realpath { .. } => Reply::path(Bytes::from_static(b"/")),
            Request::Stat { path } => Reply::Attributes(attributes(&fs::metadata(self.at(&path))?)),
            Request::Lstat { path } => Reply::Attributes(attributes(&fs::symlink_metadata(self.at(&path))?)),
            Request::Open { path, flags, .. } => {
                let mut options = fs::File::options();
                options.read(true).write(flags.contains(OpenFlags::WRITE));
                match flags.contains(OpenFlags::EXCLUDE) {
                    true => options.create_new(true),
                    false => options.create(flags.contains(OpenFlags::CREATE)),
                };
                let file = options.open(self.at(&path))?;
                self.keep(Open::File(file))
            }
            Request::Close { handle } => {
                assert!(self.open.remove(&handle.to_vec()).is_some(), "CLOSE of what is not open");
                Reply::ok()
            }
            Request::Write { handle, offset, data } => {
                self.written += data.len() as u64;
                if self.odd.full_after.is_some_and(|most| self.written > most) {
                    return Ok(status(StatusCode::Failure));
                }
                let Some(Open::File(file)) = self.open.get(&handle.to_vec()) else { panic!("WRITE to no file") };
                file.write_all_at(&data, offset)?;
                Reply::ok()
            }
            Request::Fstat { handle } => {
                let Some(Open::File(file)) = self.open.get(&handle.to_vec()) else { panic!("FSTAT of no file") };
                Reply::Attributes(attributes(&file.metadata()?))
            }
            Request::Fsetstat { handle, attributes } => {
                let Some(Open::File(file)) = self.open.get(&handle.to_vec()) else { panic!("FSETSTAT of no file") };
                if self.odd.modeless && attributes.permissions.is_some() {
                    return Ok(status(StatusCode::OpUnsupported));
                }
                attributes.size.map(|size| file.set_len(size)).transpose()?;
                attributes.times.map(|(_, mtime)| file.set_modified(at(mtime))).transpose()?;
                Reply::ok()
            }
            Request::Extended(Extension::Fsync { .. }) if self.odd.announces => Reply::ok(),
            Request::Setstat { attributes, .. } if self.odd.modeless && attributes.permissions.is_some() => {
                status(StatusCode::OpUnsupported)
            }
            Request::Setstat { path, attributes } => {
                let path = self.at(&path);
                if let Some(mode) = attributes.permissions {
                    fs::set_permissions(&path, fs::Permissions::from_mode(mode))?;
                }
                if let Some((_, mtime)) = attributes.times {
                    fs::File::open(&path)?.set_modified(at(mtime))?;
                }
                Reply::ok()
            }
            Request::Opendir { path } => {
                let mut names = Vec::new();
                for entry in fs::read_dir(self.at(&path))? {
                    let entry = entry?;
                    let name = Bytes::copy_from_slice(entry.file_name().as_bytes());
                    names.push((name, attributes(&fs::symlink_metadata(entry.path())?)));
                }
                self.keep(Open::Dir(names))
            }
            Request::Readdir { .. } if self.odd.names_only.is_some() => {
                let names = self.odd.names_only.unwrap_or_default();
                let line = |name: &&'static str| Reply::line(Bytes::from(*name), Bytes::new(), Attributes::default());
                Reply::Names(names.iter().map(line).collect())
            }
            Request::Readdir { handle } => {
                let Some(Open::Dir(names)) = self.open.get_mut(&handle.to_vec()) else {
                    panic!("READDIR of no folder")
                };
                let some = names.split_off(names.len().saturating_sub(7));
                let lines: Vec<_> =
                    some.into_iter().map(|(name, attributes)| Reply::line(name, Bytes::new(), attributes)).collect();
                if lines.is_empty() { status(StatusCode::Eof) } else { Reply::Names(lines) }
            }
            Request::Remove { path } => fs::remove_file(self.at(&path)).map(|()| Reply::ok())?,
            Request::Mkdir { path, .. } => fs::create_dir(self.at(&path)).map(|()| Reply::ok())?,
            Request::Rmdir { path } => fs::remove_dir(self.at(&path)).map(|()| Reply::ok())?,
            Request::Rename { from, to } => {
                assert!(self.odd.replaces, "this server was not told how to rename");
                fs::rename(self.at(&from), self.at(&to)).map(|()| Reply::ok())?
            }
            _ => status(StatusCode::OpUnsupported),
        })
    }
}
