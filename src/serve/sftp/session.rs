//! One SFTP channel: the greeting, then packets into the lane.

use std::sync::Arc;

use bytes::Bytes;
use russh::ChannelId;
use russh::server::Handle;
use tokio::task::JoinHandle;

use super::dialect::Dialect;
use super::work::{Context, Direct, Lane, Outbox, Wire, send};
use crate::net::sftp::{Frames, Malformed, Packet, Reply, Request};
use crate::task::Tasks;

/// Why a channel must end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Ending {
    /// A damaged packet.
    #[error("protocol error: {0}")]
    Malformed(#[from] Malformed),
    /// A client that asks and never reads.
    #[error("too many answers are waiting to be read")]
    Overflow,
}

/// A channel of an SSH connection. Waits while the client's window is closed.
pub(super) struct SshWire {
    pub(super) handle: Handle,
    pub(super) channel: ChannelId,
}

impl Wire for SshWire {
    async fn send(&mut self, packets: Bytes) -> bool {
        self.handle.data(self.channel, packets).await.is_ok()
    }

    /// As a program ends: exit status, end of file, close. On a channel that is closed already these do nothing.
    async fn end(&mut self) -> bool {
        self.handle.exit_status_request(self.channel, 0).await.is_ok()
            && self.handle.eof(self.channel).await.is_ok()
            && self.handle.close(self.channel).await.is_ok()
    }
}

/// One channel on which SFTP is spoken.
#[derive(Debug)]
pub(super) struct SftpChannel {
    frames: Frames,
    greeted: bool,
    dialect: Dialect,
    lane: Arc<Lane>,
    outbox: Arc<Outbox>,
    answers: JoinHandle<()>,
}

impl SftpChannel {
    /// Starts the channel's sender.
    pub(super) fn start(context: Context, dialect: Dialect, tasks: &Tasks, wire: impl Wire) -> Self {
        let outbox = Arc::new(Outbox::default());
        let lane = Lane::new((context, dialect), Arc::clone(&outbox), tasks.clone());
        let answers = tasks.spawn("sftp answers", send(Arc::clone(&outbox), wire));
        Self { frames: Frames::default(), greeted: false, dialect, lane, outbox, answers }
    }

    /// Takes what the channel brought. Waits only for file work. What is answered at once is left in `direct`.
    pub(super) async fn feed(&mut self, data: &[u8], direct: &mut Direct) -> Result<(), Ending> {
        self.frames.feed(data);
        while let Some(frame) = self.frames.take()? {
            let Packet { id, request } = Packet::read(frame)?;
            let packet = Packet { id, request: self.dialect.right(request) };
            if self.outbox.overflown() {
                return Err(Ending::Overflow);
            }
            match (&packet.request, self.greeted) {
                (Request::Init, false) => {
                    self.greeted = true;
                    self.outbox.reply(0, &Reply::Version);
                }
                (Request::Init, true) | (_, false) => return Err(Malformed::Init.into()),
                (_, true) => self.lane.submit(packet, direct).await,
            }
        }
        Ok(())
    }

    /// Has its last answer been sent?
    pub(super) fn is_over(&self) -> bool {
        self.answers.is_finished()
    }

    /// Waits until its last answer has been sent.
    pub(super) async fn over(&mut self) {
        if (&mut self.answers).await.is_err() {
            tracing::debug!("the sender of a channel was stopped");
        }
    }

    /// The client will ask no more, but waits for the answers to what it asked.
    pub(super) fn finish(&self) {
        self.lane.close();
    }
}

impl Drop for SftpChannel {
    /// The client has left. What was asked in full is still done; files without a CLOSE vanish.
    fn drop(&mut self) {
        self.lane.leave();
    }
}
