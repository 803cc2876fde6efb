//! What a command reads from its client and says to it.

use bytes::{Buf, Bytes};
use russh::ChannelId;
use russh::server::Handle;
use tokio::sync::{mpsc, oneshot};

/// Pieces of up to 64 KiB that wait for a command.
const WAITING: usize = 64;
/// Pieces of up to 256 KiB that wait for a client who is sent content,
const UNREAD: usize = 8;
/// and words that wait for one who sends it.
const UNREAD_WORDS: usize = 64;
/// The longest line of a command's protocol: a path and some numbers.
const LINE: usize = 8 << 10;

/// The client left, or does not read what it asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Gone;

/// Where the session puts what the client sends.
pub(super) type Feed = mpsc::Sender<Bytes>;

/// What the client sends.
#[derive(Debug)]
pub(super) struct Input {
    pieces: mpsc::Receiver<Bytes>,
    rest: Bytes,
}

impl Input {
    /// Both ends.
    pub(super) fn new() -> (Feed, Self) {
        let (feed, pieces) = mpsc::channel(WAITING);
        (feed, Self { pieces, rest: Bytes::new() })
    }

    /// The next bytes, up to `most`; `None` at the end.
    pub(super) async fn piece(&mut self, most: usize) -> Option<Bytes> {
        while self.rest.is_empty() {
            self.rest = self.pieces.recv().await?;
        }
        Some(self.rest.split_to(self.rest.len().min(most)))
    }

    /// The next byte; `None` at the end.
    pub(super) async fn byte(&mut self) -> Option<u8> {
        self.piece(1).await.map(|mut one| one.get_u8())
    }

    /// The next line without its end; `None` at the end, and for one that is cut or longer than any path.
    pub(super) async fn line(&mut self) -> Option<Vec<u8>> {
        let mut line = Vec::new();
        loop {
            match self.byte().await? {
                b'\n' => return Some(line),
                byte => line.push(byte),
            }
            if line.len() > LINE {
                return None;
            }
        }
    }
}

/// What is said to the client.
#[derive(Debug)]
pub(super) enum Said {
    /// On its standard output.
    Out(Bytes),
    /// On its error stream.
    Error(Bytes),
}

/// Says things to the client. Clones say it to the same.
#[derive(Debug, Clone)]
pub(super) struct Output(mpsc::Sender<Said>);

impl Output {
    /// Both ends, for a client who sends content, or is sent it.
    pub(super) fn new(sends: bool) -> (Self, mpsc::Receiver<Said>) {
        let (said, hears) = mpsc::channel(if sends { UNREAD_WORDS } else { UNREAD });
        (Self(said), hears)
    }

    /// Waits while the client does not read. Only for who does not make the session wait meanwhile.
    pub(super) async fn say(&self, bytes: impl Into<Bytes>) -> Result<(), Gone> {
        self.0.send(Said::Out(bytes.into())).await.map_err(|_| Gone)
    }

    /// As [`Output::say`], on the error stream.
    pub(super) async fn complain(&self, text: &str) -> Result<(), Gone> {
        self.0.send(Said::Error(format!("{text}\n").into())).await.map_err(|_| Gone)
    }

    /// Never waits: a client that leaves so much unread is given up.
    pub(super) fn answer(&self, bytes: impl Into<Bytes>) -> Result<(), Gone> {
        self.0.try_send(Said::Out(bytes.into())).map_err(|_| Gone)
    }
}

/// Hands everything to the session, then ends the channel as a program does: exit status, end of file, close.
pub(super) async fn deliver(
    mut said: mpsc::Receiver<Said>,
    status: oneshot::Receiver<u32>,
    handle: Handle,
    channel: ChannelId,
) {
    while let Some(said) = said.recv().await {
        let taken = match said {
            Said::Out(bytes) => handle.data(channel, bytes).await.is_ok(),
            Said::Error(bytes) => handle.extended_data(channel, 1, bytes).await.is_ok(),
        };
        if !taken {
            break;
        }
    }
    drop(said);
    let status = status.await.unwrap_or(1);
    let ended = handle.exit_status_request(channel, status).await.is_ok()
        && handle.eof(channel).await.is_ok()
        && handle.close(channel).await.is_ok();
    tracing::trace!(ended, status, "a command has ended");
}
