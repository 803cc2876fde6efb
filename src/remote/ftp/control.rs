//! The control connection: commands out, replies in, each with a deadline. RFC 959 sections 2.3 and 5.3.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::{sleep_until, timeout};

use super::fault;
use super::reply::{Reply, ReplyReader};
use crate::model::{Deadlines, Fault, FaultKind, Phase, Secret};
use crate::net::{Stream, TlsClient};

/// How long a multi-line reply must be silent before another code may end it.
const QUIET: Duration = Duration::from_secs(2);

/// One control connection.
#[derive(Debug)]
pub struct Control {
    stream: Stream,
    reader: ReplyReader,
    /// Deadlines of this endpoint.
    pub deadlines: Deadlines,
    /// The server's address: data connections go there.
    pub peer: SocketAddr,
    heard: Instant,
    /// Never shown, whoever says it: some servers repeat the command that they refuse.
    secret: Option<Secret>,
}

impl Control {
    /// Over a connected stream, before the greeting.
    #[must_use]
    pub fn new(stream: Stream, peer: SocketAddr, deadlines: Deadlines) -> Self {
        Self { stream, reader: ReplyReader::default(), deadlines, peer, heard: Instant::now(), secret: None }
    }

    /// Keeps the password out of whatever the server says from now on.
    pub fn hush(&mut self, secret: &Secret) {
        self.secret = Some(secret.clone()).filter(|secret| !secret.expose().is_empty());
    }

    /// The next reply that is there, without the password.
    fn pop(&mut self) -> Option<Reply> {
        let reply = self.reader.pop()?;
        Some(match &self.secret {
            // What is granted is data (sizes, names) and stays as it is.
            Some(secret) if reply.class() >= 4 => reply.without(secret.expose().as_bytes()),
            _ => reply,
        })
    }

    /// Since when the server was silent.
    #[must_use]
    pub fn idle(&self) -> Duration {
        self.heard.elapsed()
    }

    /// Is it inside TLS?
    #[must_use]
    pub const fn is_tls(&self) -> bool {
        self.stream.is_tls()
    }

    /// After AUTH TLS: the handshake. Bytes that came before it could have been put there by anybody.
    ///
    /// # Errors
    /// A fault of [`Phase::Tls`].
    pub async fn start_tls(self, tls: &TlsClient) -> Result<Self, Fault> {
        let Self { stream, reader, deadlines, peer, .. } = self;
        if !reader.is_clean() {
            let why = "the server sent text between AUTH TLS and the handshake: the connection may be tampered with";
            return Err(Fault::new(Phase::Tls, FaultKind::Tls, why));
        }
        let plain = stream
            .into_plain()
            .ok_or_else(|| Fault::new(Phase::Tls, FaultKind::Protocol, "TLS was started already"))?;
        Ok(Self::new(tls.connect(plain, deadlines.connect).await?, peer, deadlines))
    }

    /// Sends a command and waits for its reply. 4yz and 5yz are replies, not errors, here.
    ///
    /// # Errors
    /// When the connection fails, or the name cannot be sent.
    pub async fn ask(&mut self, phase: Phase, verb: &str, arg: Option<&[u8]>) -> Result<Reply, Fault> {
        self.drain(phase)?;
        self.send(phase, verb, arg).await?;
        for _ in 0..3 {
            let reply = self.reply(phase, self.deadlines.command).await?;
            // The second 226 of a server that says everything twice.
            if !matches!(reply.code, 225 | 226) {
                return Ok(reply);
            }
            tracing::debug!(ftp.reply = reply.code, "skipped a stray reply");
        }
        Err(Fault::new(phase, FaultKind::Protocol, "the server's replies do not match the commands"))
    }

    /// As [`Control::ask`], for what takes the server as long as a listing may.
    ///
    /// # Errors
    /// As [`Control::ask`].
    pub async fn ask_long(&mut self, phase: Phase, verb: &str, arg: &[u8]) -> Result<Reply, Fault> {
        self.drain(phase)?;
        self.send(phase, verb, Some(arg)).await?;
        self.reply(phase, self.deadlines.listing).await
    }

    /// Sends a command that must be answered by 2yz.
    ///
    /// # Errors
    /// As [`Control::ask`], and what any other reply means.
    pub async fn expect(&mut self, phase: Phase, verb: &str, arg: Option<&[u8]>) -> Result<Reply, Fault> {
        let reply = self.ask(phase, verb, arg).await?;
        if reply.class() == 2 { Ok(reply) } else { Err(fault::of_reply(phase, &doing(verb, arg), &reply)) }
    }

    /// Writes one command line.
    ///
    /// # Errors
    /// [`FaultKind::BadName`] for line breaks and NUL, or the connection's failure.
    pub async fn send(&mut self, phase: Phase, verb: &str, arg: Option<&[u8]>) -> Result<(), Fault> {
        let line = encode(phase, verb, arg)?;
        let written = timeout(self.deadlines.command, async {
            self.stream.write_all(&line).await?;
            self.stream.flush().await
        });
        match written.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => {
                // The reason often waits unread: "421 Timeout." before the reset.
                let said = self.drain(phase).err();
                let broken = Fault::io(phase, &format!("lost the server while sending {verb}"), &error);
                Err(said.unwrap_or(broken).idle(self.idle()))
            }
            Err(_) => Err(self.timed_out(phase, "take the command")),
        }
    }

    /// Waits for the next reply.
    ///
    /// # Errors
    /// Time-out, loss of the connection, or something that is not FTP.
    pub async fn reply(&mut self, phase: Phase, within: Duration) -> Result<Reply, Fault> {
        let end = tokio::time::Instant::now() + within;
        let mut buffer = [0_u8; 4096];
        loop {
            if let Some(reply) = self.pop() {
                tracing::trace!(ftp.reply = reply.code, text = %reply.text(), "reply");
                return Ok(reply);
            }
            let quiet = tokio::time::Instant::now() + QUIET;
            let got = tokio::select! {
                got = self.stream.read(&mut buffer) => got,
                () = sleep_until(quiet.min(end)) => {
                    if let Some(reply) = self.reader.give_up_waiting() {
                        return Ok(reply);
                    }
                    if tokio::time::Instant::now() >= end {
                        return Err(self.timed_out(phase, "answer"));
                    }
                    continue;
                }
            };
            match got {
                Ok(0) => return Err(self.closed(phase)),
                Ok(count) => self.take(phase, buffer.get(..count).unwrap_or_default())?,
                Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Err(self.closed(phase)),
                Err(error) => {
                    return Err(Fault::io(phase, "lost the control connection", &error).idle(self.idle()));
                }
            }
        }
    }

    /// Reads what came unasked before the next command: doubled replies are dropped, a farewell (421) or
    /// an end of the connection is a fault.
    ///
    /// # Errors
    /// When the server has left.
    pub fn drain(&mut self, phase: Phase) -> Result<(), Fault> {
        let mut buffer = [0_u8; 4096];
        let ended = loop {
            match self.stream.read(&mut buffer).now_or_never() {
                None => break None,
                Some(Ok(0)) => break Some(self.closed(phase)),
                Some(Ok(count)) => self.take(phase, buffer.get(..count).unwrap_or_default())?,
                Some(Err(error)) => {
                    break Some(Fault::io(phase, "lost the idle control connection", &error).idle(self.idle()));
                }
            }
        };
        while let Some(stray) = self.pop() {
            tracing::debug!(ftp.reply = stray.code, text = %stray.text(), "stray reply");
            if stray.code == 421 {
                return Err(fault::of_reply(phase, "the server ended the session", &stray).idle(self.idle()));
            }
        }
        ended.map_or(Ok(()), Err)
    }

    /// Leaves politely, without waiting long.
    pub async fn quit(mut self) {
        let farewell = async {
            self.send(Phase::Close, "QUIT", None).await?;
            self.reply(Phase::Close, Duration::from_secs(1)).await
        };
        if let Ok(Err(fault)) | Err(fault) = timeout(Duration::from_secs(2), farewell)
            .await
            .map_err(|_| Fault::new(Phase::Close, FaultKind::Timeout, "no farewell"))
        {
            tracing::trace!(fault = %fault, "left without a farewell");
        }
        if let Ok(Err(error)) = timeout(Duration::from_secs(1), self.stream.shutdown()).await {
            tracing::trace!(error = %error, "closing");
        }
    }

    fn take(&mut self, phase: Phase, bytes: &[u8]) -> Result<(), Fault> {
        self.heard = Instant::now();
        self.reader.push(bytes).map_err(|e| Fault::new(phase, FaultKind::Protocol, e.to_string()))
    }

    fn closed(&self, phase: Phase) -> Fault {
        Fault::new(phase, FaultKind::ClosedEarly, "the server closed the control connection").idle(self.idle())
    }

    fn timed_out(&self, phase: Phase, what: &str) -> Fault {
        Fault::new(phase, FaultKind::Timeout, format!("the server does not {what} in time")).idle(self.idle())
    }
}

/// What was tried, for messages. Arguments of PASS and ACCT are secrets.
fn doing(verb: &str, arg: Option<&[u8]>) -> String {
    match arg {
        Some(arg) if !matches!(verb, "PASS" | "ACCT") => format!("{verb} {}", String::from_utf8_lossy(arg)),
        _ => verb.to_owned(),
    }
}

/// One command line: IAC doubled (RFC 854), nothing that would end the line early.
fn encode(phase: Phase, verb: &str, arg: Option<&[u8]>) -> Result<Vec<u8>, Fault> {
    let mut line = Vec::with_capacity(verb.len() + arg.map_or(0, <[u8]>::len) + 4);
    line.extend_from_slice(verb.as_bytes());
    if let Some(arg) = arg {
        line.push(b' ');
        for byte in arg {
            match byte {
                b'\r' | b'\n' | 0 => {
                    let why = "a name with a line break or NUL cannot be sent over FTP: rename it on the server";
                    return Err(Fault::new(phase, FaultKind::BadName, why));
                }
                255 => line.extend_from_slice(&[255, 255]),
                byte => line.push(*byte),
            }
        }
    }
    line.extend_from_slice(b"\r\n");
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_one_line() {
        assert_eq!(encode(Phase::Open, "RETR", Some(b"a\xffb")).unwrap(), b"RETR a\xff\xffb\r\n");
        for bad in [&b"a\r\nDELE b"[..], b"a\nb", b"a\0b"] {
            assert_eq!(encode(Phase::Open, "RETR", Some(bad)).unwrap_err().kind, FaultKind::BadName);
        }
    }

    #[test]
    fn secrets_are_not_told() {
        assert_eq!(doing("PASS", Some(b"hush")), "PASS");
    }
}
