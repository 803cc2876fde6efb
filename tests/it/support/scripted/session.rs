//! One session of the scripted server: commands in, acts out.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};

use super::wire::Wire;
use super::{Act, Manner, Stage, begins, usual};

/// How long a client may take to come to a data port.
const COME: Duration = Duration::from_secs(10);
/// A client that says nothing for so long waits for what is held back.
const QUIET: Duration = Duration::from_millis(20);

/// What one session knows.
pub(super) struct Session<'a> {
    pub stage: &'a Stage,
    pub cwd: Vec<u8>,
    pub rest: usize,
    /// Gone after a reset.
    control: Option<BufReader<Wire>>,
    manner: Manner,
    /// Replies that are held back.
    held: Vec<u8>,
    /// Data connections are to be inside TLS.
    pub private: bool,
    /// The file that is being given out.
    giving: Option<Vec<u8>>,
    listener: Option<TcpListener>,
    /// Where the client wants to be called (EPRT).
    pub caller: Option<SocketAddr>,
    pub port: u16,
    stream: Option<Wire>,
    kept: Vec<Wire>,
}

/// Until the client leaves or the script ends the session.
pub(super) async fn play(control: TcpStream, stage: &Stage) {
    control.set_nodelay(true).unwrap();
    let mut session = Session {
        stage,
        cwd: b"/".to_vec(),
        rest: 0,
        control: Some(BufReader::new(Wire::Plain(control))),
        manner: stage.manner,
        held: Vec::new(),
        private: false,
        giving: None,
        listener: None,
        caller: None,
        port: 0,
        stream: None,
        kept: Vec::new(),
    };
    let mut line = Vec::new();
    while let Ok(true) = session.act(&line).await {
        match session.hear().await {
            Ok(Some(heard)) => line = heard,
            Ok(None) | Err(_) => break,
        }
        stage.heard.lock().unwrap().push(line.clone());
        if session.control.as_ref().is_some_and(|control| !control.buffer().is_empty()) {
            stage.early.fetch_add(1, Ordering::SeqCst);
        }
    }
}

impl Session<'_> {
    async fn act(&mut self, line: &[u8]) -> io::Result<bool> {
        self.manner = self.stage.manner;
        self.giving = line.strip_prefix(b"RETR ").map(<[u8]>::to_vec);
        for act in self.acts(line) {
            match act {
                Act::Say(bytes) => self.say(&bytes).await?,
                Act::Pause(time) => sleep(time).await,
                Act::Listen => self.listen().await?,
                Act::Refuse => self.listener = None,
                Act::Data(bytes) => self.send(&bytes).await?,
                Act::CallAgain => {
                    if let Some(caller) = self.caller {
                        let first = self.data().await?;
                        self.stream = Some(first);
                        self.kept.push(Wire::Plain(TcpStream::connect(caller).await?));
                    }
                }
                Act::EndData => self.end_data().await?,
                Act::CutData => {
                    let stream = self.data().await?;
                    stream.cut()?;
                    self.kept.push(stream);
                }
                Act::AlertData => {
                    let mut stream = self.data().await?;
                    stream.alert().await?;
                    self.kept.push(stream);
                }
                Act::ResetData => self.data().await?.reset()?,
                Act::KeepData => {
                    let stream = self.data().await?;
                    self.kept.push(stream);
                }
                Act::Usual => {
                    if !usual::answer(self, line).await? {
                        return Ok(false);
                    }
                }
                Act::Status => self.say(&usual::status(self)).await?,
                Act::Speak(manner) => self.manner = manner,
                Act::Put(path, content) => drop(self.stage.files.lock().unwrap().insert(path, content)),
                Act::Alert => self.control()?.get_mut().alert().await?,
                Act::Close => return Ok(false),
                Act::Reset => {
                    if let Some(control) = self.control.take() {
                        control.into_inner().reset()?;
                    }
                    return Ok(false);
                }
                Act::Hang => std::future::pending().await,
            }
        }
        Ok(true)
    }

    /// The first rule for this line that is not used up.
    fn acts(&self, line: &[u8]) -> Vec<Act> {
        let mut rules = self.stage.rules.lock().unwrap();
        let fits = |cue: &[u8]| if cue.is_empty() { line.is_empty() } else { begins(line, cue) };
        match rules.iter_mut().find(|rule| rule.left > 0 && fits(&rule.cue)) {
            Some(rule) => {
                rule.left -= 1;
                rule.acts.clone()
            }
            None => vec![Act::Usual],
        }
    }

    fn control(&mut self) -> io::Result<&mut BufReader<Wire>> {
        self.control.as_mut().ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    /// The next command, without its end. `None`: the client left.
    async fn hear(&mut self) -> io::Result<Option<Vec<u8>>> {
        if !self.held.is_empty() && timeout(QUIET, self.control()?.fill_buf()).await.is_err() {
            self.release().await?;
        }
        let mut line = Vec::new();
        if self.control()?.read_until(b'\n', &mut line).await? == 0 {
            return Ok(None);
        }
        while line.last().is_some_and(|b| matches!(b, b'\r' | b'\n')) {
            line.pop();
        }
        Ok(Some(line))
    }

    pub async fn say(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut told = Vec::with_capacity(bytes.len());
        let mut rest = bytes;
        while let Some((byte, tail)) = rest.split_first() {
            match (byte, tail.first()) {
                (b'%', Some(b'P')) => told.extend(self.port.to_string().bytes()),
                (b'%', Some(b'H')) => told.extend(format!("{},{}", self.port >> 8, self.port & 255).bytes()),
                _ => {
                    told.push(*byte);
                    rest = tail;
                    continue;
                }
            }
            rest = &tail[1..];
        }
        if self.manner == Manner::Dripping {
            self.release().await?;
            for byte in told {
                self.put(&[byte]).await?;
                sleep(Duration::from_millis(1)).await;
            }
            return Ok(());
        }
        self.held.extend(told);
        if self.manner == Manner::Held { Ok(()) } else { self.release().await }
    }

    /// Says what is held back.
    async fn release(&mut self) -> io::Result<()> {
        let held = std::mem::take(&mut self.held);
        self.put(&held).await
    }

    async fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        let control = self.control()?;
        control.write_all(bytes).await?;
        control.flush().await
    }

    /// The control connection goes inside TLS.
    pub async fn secure(&mut self) -> io::Result<()> {
        self.release().await?;
        if let (Some(control), Some(tls)) = (self.control.take(), &self.stage.tls) {
            self.control = Some(BufReader::new(control.into_inner().secured(tls).await?));
        }
        Ok(())
    }

    pub async fn listen(&mut self) -> io::Result<()> {
        (self.stream, self.caller) = (None, None);
        let ip = self.control()?.get_ref().tcp().local_addr()?.ip();
        let listener = TcpListener::bind(SocketAddr::new(ip, 0)).await?;
        self.port = listener.local_addr()?.port();
        self.listener = Some(listener);
        Ok(())
    }

    /// The data connection, accepted when it was not. It goes inside TLS with its first byte.
    async fn data(&mut self) -> io::Result<Wire> {
        if let Some(stream) = self.stream.take() {
            return Ok(stream);
        }
        if let Some(caller) = self.caller.take() {
            return timeout(COME, TcpStream::connect(caller)).await?.map(Wire::Plain);
        }
        let listener = self.listener.take().ok_or(io::ErrorKind::NotConnected)?;
        let (stream, _) = timeout(COME, listener.accept()).await??;
        stream.set_nodelay(true)?;
        Ok(Wire::Plain(stream))
    }

    /// The data connection as it carries bytes.
    async fn sound_data(&mut self) -> io::Result<Wire> {
        let stream = self.data().await?;
        match &self.stage.tls {
            Some(tls) if self.private => stream.secured(tls).await,
            _ => Ok(stream),
        }
    }

    pub async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut stream = self.sound_data().await?;
        // To a client that listens no more nothing is given.
        if let Some(path) = &self.giving {
            *self.stage.given.lock().unwrap().entry(path.clone()).or_default() += bytes.len() as u64;
        }
        stream.write_all(bytes).await?;
        stream.flush().await?;
        self.stream = Some(stream);
        Ok(())
    }

    pub async fn end_data(&mut self) -> io::Result<()> {
        self.sound_data().await?.shutdown().await
    }

    /// Everything that the client sends.
    pub async fn take(&mut self) -> io::Result<Vec<u8>> {
        let mut all = Vec::new();
        self.sound_data().await?.read_to_end(&mut all).await?;
        Ok(all)
    }
}
