//! One SFTP channel: the greeting, then packets into the lane.

use std::sync::Arc;

use russh::ChannelId;
use russh::server::Handle;
use tokio::task::JoinHandle;

use super::work::{Context, Direct, Lane, Outbox, send};
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

/// One channel on which SFTP is spoken.
#[derive(Debug)]
pub(super) struct SftpChannel {
    frames: Frames,
    greeted: bool,
    lane: Arc<Lane>,
    outbox: Arc<Outbox>,
    answers: JoinHandle<()>,
}

impl SftpChannel {
    /// Starts the channel's sender.
    pub(super) fn start(context: Context, tasks: &Tasks, handle: Handle, channel: ChannelId) -> Self {
        let outbox = Arc::new(Outbox::default());
        let lane = Lane::new(context, Arc::clone(&outbox), tasks.clone());
        let answers = tasks.spawn("sftp answers", send(Arc::clone(&outbox), handle, channel));
        Self { frames: Frames::default(), greeted: false, lane, outbox, answers }
    }

    /// Takes what the channel brought. Waits only for file work. What is answered at once is left in `direct`.
    pub(super) async fn feed(&mut self, data: &[u8], direct: &mut Direct) -> Result<(), Ending> {
        self.frames.feed(data);
        while let Some(frame) = self.frames.take()? {
            let packet = Packet::read(frame)?;
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
