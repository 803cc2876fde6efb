//! An FTP server that plays what a test says. What no rule speaks about it does by itself, properly, over a
//! small tree in memory: so each test writes down only what is odd.
#![allow(dead_code, reason = "each test file uses a part of the stage directions")]

mod session;
mod usual;
mod wire;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use causeway::model::{Endpoint, Protocol, Secret};
use rustls::{ServerConfig, SupportedProtocolVersion};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// One thing to do.
#[derive(Debug, Clone)]
pub enum Act {
    /// Raw bytes on the control connection. `%P` stands for the data port, `%H` for the same in two numbers.
    Say(Vec<u8>),
    /// Nothing for a while.
    Pause(Duration),
    /// Opens a data port, as EPSV and PASV do.
    Listen,
    /// Closes the data port again: whoever connects is refused.
    Refuse,
    /// Bytes on the data connection, which is accepted first where that was not done.
    Data(Vec<u8>),
    /// Connects to where the client listens (EPRT) once more, and leaves that connection open.
    CallAgain,
    /// Ends the data connection in good order.
    EndData,
    /// Ends it with FIN alone: inside TLS, without a farewell.
    CutData,
    /// A fatal TLS alert on it; before its handshake one in the clear.
    AlertData,
    /// Resets it.
    ResetData,
    /// Leaves it open and never touches it again.
    KeepData,
    /// What the server does by itself.
    Usual,
    /// The usual listing of the current folder, over the control connection.
    Status,
    /// From here to the next command, replies leave in this manner.
    Speak(Manner),
    /// The file has this content from now on, and is made where it was not there.
    Put(Vec<u8>, Vec<u8>),
    /// A fatal TLS alert on the control connection; before its handshake one in the clear.
    Alert,
    /// Closes the control connection; inside TLS without a farewell.
    Close,
    /// Resets it.
    Reset,
    /// Says nothing more and leaves everything open.
    Hang,
}

/// How replies leave.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Manner {
    /// Each in one piece, at once.
    #[default]
    Whole,
    /// Byte by byte, each in a packet of its own.
    Dripping,
    /// Held back as long as commands or replies follow, then all in one piece.
    Held,
}

pub fn say(text: impl AsRef<[u8]>) -> Act {
    Act::Say(text.as_ref().to_vec())
}

pub fn data(bytes: impl AsRef<[u8]>) -> Act {
    Act::Data(bytes.as_ref().to_vec())
}

pub fn pause(millis: u64) -> Act {
    Act::Pause(Duration::from_millis(millis))
}

#[derive(Debug)]
struct Rule {
    /// A verb, or a verb with the beginning of its argument. Empty: the greeting.
    cue: Vec<u8>,
    left: usize,
    acts: Vec<Act>,
}

#[derive(Debug, Default)]
struct Stage {
    rules: Mutex<Vec<Rule>>,
    files: Mutex<BTreeMap<Vec<u8>, Vec<u8>>>,
    dirs: Vec<Vec<u8>>,
    manner: Manner,
    /// AUTH TLS is understood, and shows this certificate.
    tls: Option<Arc<ServerConfig>>,
    heard: Mutex<Vec<Vec<u8>>>,
    /// Commands that came before the answer to the one before them had left.
    early: AtomicUsize,
    /// Bytes that were given out of each file.
    given: Mutex<BTreeMap<Vec<u8>, u64>>,
    sessions: AtomicUsize,
    open: AtomicUsize,
    most: AtomicUsize,
}

/// A server in the making.
#[derive(Debug, Default)]
pub struct Script(Stage);

impl Script {
    /// A proper server over an empty tree.
    pub fn new() -> Self {
        Self::default()
    }

    /// A file, by its absolute path.
    pub fn file(self, path: impl AsRef<[u8]>, content: impl AsRef<[u8]>) -> Self {
        self.0.files.lock().unwrap().insert(path.as_ref().to_vec(), content.as_ref().to_vec());
        self
    }

    /// An empty folder, by its absolute path.
    pub fn dir(mut self, path: impl AsRef<[u8]>) -> Self {
        self.0.dirs.push(path.as_ref().to_vec());
        self
    }

    /// AUTH TLS is understood, in this version.
    pub fn tls(mut self, version: &'static SupportedProtocolVersion) -> Self {
        self.0.tls = Some(wire::certified(version));
        self
    }

    /// Every reply leaves in this manner.
    pub fn speaking(mut self, manner: Manner) -> Self {
        self.0.manner = manner;
        self
    }

    /// What happens at every `cue`: a verb, a verb with its argument, or nothing for the greeting.
    pub fn on(self, cue: impl AsRef<[u8]>, acts: impl Into<Vec<Act>>) -> Self {
        self.times(usize::MAX, cue, acts)
    }

    /// What happens at the first `cue`; then the next rule counts.
    pub fn once(self, cue: impl AsRef<[u8]>, acts: impl Into<Vec<Act>>) -> Self {
        self.times(1, cue, acts)
    }

    /// What happens at the first `left` cues.
    pub fn times(self, left: usize, cue: impl AsRef<[u8]>, acts: impl Into<Vec<Act>>) -> Self {
        self.0.rules.lock().unwrap().push(Rule { cue: cue.as_ref().to_vec(), left, acts: acts.into() });
        self
    }

    /// The curtain rises.
    pub async fn start(self) -> Scripted {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stage = Arc::new(self.0);
        let shared = Arc::clone(&stage);
        let mut work = JoinSet::new();
        work.spawn(async move {
            let mut sessions = JoinSet::new();
            loop {
                tokio::select! {
                    Ok((control, _)) = listener.accept() => {
                        shared.sessions.fetch_add(1, Ordering::SeqCst);
                        let open = shared.open.fetch_add(1, Ordering::SeqCst) + 1;
                        shared.most.fetch_max(open, Ordering::SeqCst);
                        let stage = Arc::clone(&shared);
                        sessions.spawn(async move {
                            session::play(control, &stage).await;
                            stage.open.fetch_sub(1, Ordering::SeqCst);
                        });
                    }
                    Some(_) = sessions.join_next() => {}
                }
            }
        });
        Scripted { address, stage, _work: work }
    }
}

/// A running server; ended when dropped.
#[derive(Debug)]
pub struct Scripted {
    address: SocketAddr,
    stage: Arc<Stage>,
    _work: JoinSet<()>,
}

impl Scripted {
    /// Its root.
    pub fn endpoint(&self) -> Endpoint {
        let mut endpoint = Endpoint::parse(&format!("ftp://anna@{}/", self.address)).unwrap();
        endpoint.password = Some(Secret::new("open-sesame"));
        if self.stage.tls.is_some() {
            endpoint.protocol = Protocol::FtpTls;
            endpoint.options.insecure = true;
        }
        endpoint
    }

    /// Every command line, in the order of their coming.
    pub fn heard(&self) -> Vec<Vec<u8>> {
        self.stage.heard.lock().unwrap().clone()
    }

    /// How often a line that begins like this came.
    pub fn count(&self, cue: impl AsRef<[u8]>) -> usize {
        self.heard().iter().filter(|line| begins(line, cue.as_ref())).count()
    }

    /// How many commands came together with the one before them.
    pub fn early(&self) -> usize {
        self.stage.early.load(Ordering::SeqCst)
    }

    /// How many control connections there were.
    pub fn sessions(&self) -> usize {
        self.stage.sessions.load(Ordering::SeqCst)
    }

    /// How many of them at once at most.
    pub fn most(&self) -> usize {
        self.stage.most.load(Ordering::SeqCst)
    }

    /// Cues that were to come so many times, and did not.
    pub fn unplayed(&self) -> Vec<String> {
        let rules = self.stage.rules.lock().unwrap();
        // Whatever is to happen every time has still to happen.
        let left = rules.iter().filter(|rule| (1..usize::MAX / 2).contains(&rule.left));
        left.map(|rule| String::from_utf8_lossy(&rule.cue).into_owned()).collect()
    }

    /// How many bytes of each file were given out, by its absolute path.
    pub fn given(&self) -> BTreeMap<Vec<u8>, u64> {
        self.stage.given.lock().unwrap().clone()
    }

    /// What is in a file now.
    pub fn content(&self, path: impl AsRef<[u8]>) -> Option<Vec<u8>> {
        self.stage.files.lock().unwrap().get(path.as_ref()).cloned()
    }
}

/// The verb, and so much of the argument as the cue has.
fn begins(line: &[u8], cue: &[u8]) -> bool {
    line.strip_prefix(cue).is_some_and(|rest| rest.is_empty() || rest.starts_with(b" ") || cue.contains(&b' '))
}
