//! One session of the scripted server: commands in, acts out.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::tcp::OwnedWriteHalf;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};

use super::{Act, Stage, begins, usual};

/// How long a client may take to come to a data port.
const COME: Duration = Duration::from_secs(10);

/// What one session knows.
pub(super) struct Session<'a> {
    pub stage: &'a Stage,
    pub cwd: Vec<u8>,
    pub rest: usize,
    /// Gone after a reset.
    out: Option<OwnedWriteHalf>,
    listener: Option<TcpListener>,
    /// Where the client wants to be called (EPRT).
    pub caller: Option<SocketAddr>,
    pub port: u16,
    stream: Option<TcpStream>,
    kept: Vec<TcpStream>,
}

/// Until the client leaves or the script ends the session.
pub(super) async fn play(control: TcpStream, stage: &Stage) {
    control.set_nodelay(true).unwrap();
    let (input, out) = control.into_split();
    let mut input = BufReader::new(input);
    let mut session = Session {
        stage,
        cwd: b"/".to_vec(),
        rest: 0,
        out: Some(out),
        listener: None,
        caller: None,
        port: 0,
        stream: None,
        kept: Vec::new(),
    };
    let mut line = Vec::new();
    while let Ok(true) = session.act(&line).await {
        line.clear();
        match input.read_until(b'\n', &mut line).await {
            Ok(0) | Err(_) => break,
            Ok(_) => {}
        }
        while line.last().is_some_and(|b| matches!(b, b'\r' | b'\n')) {
            line.pop();
        }
        stage.heard.lock().unwrap().push(line.clone());
    }
}

impl Session<'_> {
    async fn act(&mut self, line: &[u8]) -> io::Result<bool> {
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
                        self.kept.push(TcpStream::connect(caller).await?);
                    }
                }
                Act::EndData => self.end_data().await?,
                Act::ResetData => reset(self.data().await?),
                Act::KeepData => {
                    let stream = self.data().await?;
                    self.kept.push(stream);
                }
                Act::Usual => {
                    if !usual::answer(self, line).await? {
                        return Ok(false);
                    }
                }
                Act::Close => return Ok(false),
                Act::Reset => {
                    if let Some(out) = self.out.take() {
                        SockRef::from(out.as_ref()).set_linger(Some(Duration::ZERO))?;
                        // Dropped it would say FIN first.
                        out.forget();
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

    fn control(&mut self) -> io::Result<&mut OwnedWriteHalf> {
        self.out.as_mut().ok_or_else(|| io::ErrorKind::NotConnected.into())
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
        self.control()?.write_all(&told).await
    }

    pub async fn listen(&mut self) -> io::Result<()> {
        (self.stream, self.caller) = (None, None);
        let ip = self.control()?.local_addr()?.ip();
        let listener = TcpListener::bind(SocketAddr::new(ip, 0)).await?;
        self.port = listener.local_addr()?.port();
        self.listener = Some(listener);
        Ok(())
    }

    /// The data connection, accepted when it was not.
    async fn data(&mut self) -> io::Result<TcpStream> {
        if let Some(stream) = self.stream.take() {
            return Ok(stream);
        }
        if let Some(caller) = self.caller.take() {
            return timeout(COME, TcpStream::connect(caller)).await?;
        }
        let listener = self.listener.take().ok_or(io::ErrorKind::NotConnected)?;
        let (stream, _) = timeout(COME, listener.accept()).await??;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    pub async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut stream = self.data().await?;
        stream.write_all(bytes).await?;
        self.stream = Some(stream);
        Ok(())
    }

    pub async fn end_data(&mut self) -> io::Result<()> {
        self.data().await?.shutdown().await
    }

    /// Everything that the client sends.
    pub async fn take(&mut self) -> io::Result<Vec<u8>> {
        let mut all = Vec::new();
        self.data().await?.read_to_end(&mut all).await?;
        Ok(all)
    }
}

/// Without linger, closing is a reset.
fn reset(stream: TcpStream) {
    SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
    drop(stream);
}
