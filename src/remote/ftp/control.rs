//! The control connection: commands out, replies in, each with a deadline. RFC 959 sections 2.3 and 5.3.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::{sleep_until, timeout};

use super::fault;
use super::flight::Flight;
use super::reply::{Reply, ReplyReader};
use crate::model::{Deadlines, Fault, FaultKind, Phase, Secret};
use crate::net::{Stream, Tally, TlsClient};

/// How long a multi-line reply must be silent before another code may end it.
const QUIET: Duration = Duration::from_secs(2);

/// A piece of a reply.
#[derive(Debug)]
pub enum Piece {
    /// Lines inside it.
    Lines(Vec<Vec<u8>>),
    /// Its end, with the lines that no piece before had.
    End(Reply),
}

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

    /// The stream below, for what is no command: a hello made by hand.
    #[must_use]
    pub fn into_stream(self) -> Stream {
        self.stream
    }

    /// Since when the server was silent.
    #[must_use]
    pub fn idle(&self) -> Duration {
        self.heard.elapsed()
    }

    /// What is known of the connection.
    #[must_use]
    pub fn tally(&self) -> Arc<Tally> {
        self.stream.tally()
    }

    /// Is it inside TLS?
    #[must_use]
    pub const fn is_tls(&self) -> bool {
        self.stream.is_tls()
    }

    /// TLS version and cipher suite; none in the clear.
    #[must_use]
    pub fn security(&self) -> Option<(String, String)> {
        self.stream.security()
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
        self.answer(phase).await
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
        self.put(phase, verb, &[line]).await
    }

    /// Writes all commands of a flight at once. Their replies are then read one by one, in order, with
    /// [`Control::answer`].
    ///
    /// # Errors
    /// The connection's failure.
    pub async fn launch(&mut self, phase: Phase, flight: &Flight) -> Result<(), Fault> {
        self.put(phase, "commands", flight.lines()).await
    }

    /// The reply to one command of a flight. None of them is ever answered by 225 or 226: such a one is the second
    /// closing reply of a server that says everything twice.
    ///
    /// # Errors
    /// When the connection fails, or the replies do not match the commands.
    pub async fn answer(&mut self, phase: Phase) -> Result<Reply, Fault> {
        for _ in 0..3 {
            let reply = self.reply(phase, self.deadlines.command).await?;
            if !matches!(reply.code, 225 | 226) {
                return Ok(reply);
            }
            tracing::debug!(ftp.reply = reply.code, "skipped a stray reply");
        }
        Err(Fault::new(phase, FaultKind::Protocol, "the server's replies do not match the commands"))
    }

    /// Inside TLS every line is a record of its own, outside all lines are one write.
    async fn put(&mut self, phase: Phase, what: &str, lines: &[Vec<u8>]) -> Result<(), Fault> {
        let joined = [lines.concat()];
        let writes = if self.is_tls() { lines } else { &joined[..] };
        let written = timeout(self.deadlines.command, async {
            for bytes in writes {
                self.stream.write_all(bytes).await?;
            }
            self.stream.flush().await
        });
        match written.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => {
                // The reason often waits unread: "421 Timeout." before the reset.
                let said = self.drain(phase).err();
                let broken = Fault::io(phase, &format!("lost the server while sending {what}"), &error);
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
        loop {
            if let Some(reply) = self.pop() {
                tracing::trace!(ftp.reply = reply.code, text = %reply.text(), "reply");
                return Ok(reply);
            }
            if let Some(reply) = self.hear(phase, end).await? {
                return Ok(reply);
            }
        }
    }

    /// Waits for the next piece of a reply: lines inside it as they come, then its end with what is left of them.
    ///
    /// # Errors
    /// As [`Control::reply`]; `within` counts anew with every piece.
    pub async fn piece(&mut self, phase: Phase, within: Duration) -> Result<Piece, Fault> {
        let end = tokio::time::Instant::now() + within;
        loop {
            if let Some(reply) = self.pop() {
                return Ok(Piece::End(reply));
            }
            let lines = self.reader.take_lines();
            if !lines.is_empty() {
                return Ok(Piece::Lines(lines));
            }
            if let Some(reply) = self.hear(phase, end).await? {
                return Ok(Piece::End(reply));
            }
        }
    }

    /// Takes in what the server says next. A reply only when it fell silent inside one that could be over.
    async fn hear(&mut self, phase: Phase, end: tokio::time::Instant) -> Result<Option<Reply>, Fault> {
        let mut buffer = [0_u8; 4096];
        let quiet = tokio::time::Instant::now() + QUIET;
        let got = tokio::select! {
            got = self.stream.read(&mut buffer) => got,
            () = sleep_until(quiet.min(end)) => {
                return match self.reader.give_up_waiting() {
                    None if tokio::time::Instant::now() >= end => Err(self.timed_out(phase, "answer")),
                    silent => Ok(silent),
                };
            }
        };
        match got {
            Ok(0) => Err(self.closed(phase)),
            Ok(count) => self.take(phase, buffer.get(..count).unwrap_or_default()).map(|()| None),
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Err(self.closed(phase)),
            Err(error) => Err(Fault::io(phase, "lost the control connection", &error).idle(self.idle())),
        }
    }

    /// The code of the next reply, when it came already and is a no. It stays to be read. A connection that ended says
    /// nothing about a transfer that goes on: on the way it may have been forgotten for being idle.
    pub fn refusal(&mut self, phase: Phase) -> Option<u16> {
        if let Some(ended) = self.take_in(phase) {
            tracing::debug!(fault = %ended, "the control connection ended during a transfer");
        }
        self.reader.first().filter(|reply| reply.class() >= 4).map(|reply| reply.code)
    }

    /// Takes in what came, without waiting. What ended the connection, if it ended.
    fn take_in(&mut self, phase: Phase) -> Option<Fault> {
        let mut buffer = [0_u8; 4096];
        loop {
            match self.stream.read(&mut buffer).now_or_never()? {
                Ok(0) => return Some(self.closed(phase)),
                Ok(count) => {
                    if let Err(fault) = self.take(phase, buffer.get(..count).unwrap_or_default()) {
                        return Some(fault);
                    }
                }
                Err(error) => {
                    return Some(Fault::io(phase, "lost the control connection", &error).idle(self.idle()));
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
        let ended = self.take_in(phase);
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
pub(super) fn encode(phase: Phase, verb: &str, arg: Option<&[u8]>) -> Result<Vec<u8>, Fault> {
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
