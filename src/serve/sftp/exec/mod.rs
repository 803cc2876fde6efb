//! Commands that clients ask for by name. Nothing is run: what a few programs do is done here, over the same view and
//! within the same rights as SFTP; everything else gets one clear sentence.
//!
//! - `scp -t` and `scp -f`: the old copy protocol ([`scp`]), by which devices and clients before OpenSSH 9 send files.
//! - `md5sum`, `sha1sum`, `sha256sum`, `sha512sum`: how rclone compares ([`digest`]).
//!
//! A command runs in a task of its own. Either it takes what the client sends as fast as the disk does and never waits for
//! the client to read, or it expects a few bytes only and waits as it likes; so it never stands still over a client that
//! neither reads nor stops sending.

mod digest;
mod pipe;
mod scp;
mod words;

use std::io;

use bytes::Bytes;
use russh::ChannelId;
use russh::server::Handle;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

use self::pipe::{Feed, Gone, Input, Output, deliver};
use super::session::Ending;
use super::status;
use super::work::Context;
use crate::model::Algorithm;
use crate::task::{self, Lost, Tasks};

/// What a client can ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Command {
    /// Copies to the client.
    ScpFrom(scp::Options),
    /// Copies from the client.
    ScpTo(scp::Options),
    /// Digests of files, or of what is sent.
    Digest { algorithm: Algorithm, paths: Vec<Vec<u8>> },
}

impl Command {
    /// As a client means it that calls itself so (RFC 4253, section 4.2).
    pub(super) fn of(self, identification: &[u8]) -> Self {
        match self {
            Self::ScpTo(options) => Self::ScpTo(options.of(identification)),
            other => other,
        }
    }

    /// What `line` asks for.
    ///
    /// # Errors
    /// What to tell the client.
    pub(super) fn read(line: &[u8]) -> Result<Self, String> {
        let words = words::words(line).ok_or("the command ends within a quotation")?;
        let (name, arguments) = words.split_first().ok_or("there is no command")?;
        // Some clients say where their own lies.
        let name = name.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
        let algorithm = match name {
            b"scp" => return scp::Options::read(arguments),
            b"md5sum" => Algorithm::Md5,
            b"sha1sum" => Algorithm::Sha1,
            b"sha256sum" => Algorithm::Sha256,
            b"sha512sum" => Algorithm::Sha512,
            b"rsync" => {
                return Err("rsync is not offered here: use sftp, scp or rclone, which copy only what changed".into());
            }
            _ => return Err("no commands are run here, only files are served: use sftp or scp".into()),
        };
        let named = arguments.iter().filter(|word| !word.starts_with(b"-") || word.as_slice() == b"-");
        Ok(Self::Digest { algorithm, paths: named.cloned().collect() })
    }

    /// Does it take all that the client sends, rather than a word now and then?
    const fn takes_content(&self) -> bool {
        match self {
            Self::ScpFrom(_) => false,
            Self::ScpTo(_) => true,
            Self::Digest { paths, .. } => paths.is_empty(),
        }
    }

    async fn run(self, context: Context, input: Input, output: Output) -> Result<u32, Gone> {
        match self {
            Self::ScpFrom(options) => scp::source::run(options, &context, input, &output).await,
            Self::ScpTo(options) => scp::sink::run(options, &context, input, &output).await,
            Self::Digest { algorithm, paths } => digest::run(algorithm, paths, &context, input, &output).await,
        }
    }
}

/// Does file work off the async threads; what went wrong is said in words.
async fn work<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> Result<T, String> {
    in_words(task::blocking(work).await)
}

/// What went wrong is said in words.
fn in_words<T>(done: Result<io::Result<T>, Lost>) -> Result<T, String> {
    match done {
        Ok(done) => done.map_err(|error| status::text(&error)),
        Err(lost) => Err(lost.to_string()),
    }
}

/// A command on its channel. Dropping it gives the command up: its client has left.
#[derive(Debug)]
pub(super) struct Exec {
    /// Before the feed: whoever has left has not come to an end.
    _leaves: DropGuard,
    /// None after the client's last word.
    feed: Option<Feed>,
    takes_content: bool,
    words: JoinHandle<()>,
}

impl Exec {
    /// Begins it.
    pub(super) fn start(command: Command, context: Context, tasks: &Tasks, handle: Handle, channel: ChannelId) -> Self {
        let takes_content = command.takes_content();
        let ((feed, input), (output, said)) = (Input::new(), Output::new(takes_content));
        let ((ended, status), gone) = (oneshot::channel(), CancellationToken::new());
        let leaves = gone.clone().drop_guard();
        tasks.spawn("ssh command", async move {
            let done = tokio::select! {
                biased;
                () = gone.cancelled() => Err(Gone),
                done = command.run(context, input, output) => done,
            };
            // Nobody waits for the status of a command whose client has left.
            ended.send(done.unwrap_or(1)).ok();
        });
        let words = tasks.spawn("ssh command's words", deliver(said, status, handle, channel));
        Self { _leaves: leaves, feed: Some(feed), takes_content, words }
    }

    /// Takes what the channel brought. Waits only for file work.
    pub(super) async fn feed(&mut self, data: &[u8]) -> Result<(), Ending> {
        let Some(feed) = &self.feed else { return Ok(()) };
        let data = Bytes::copy_from_slice(data);
        if self.takes_content {
            // What comes behind the end of the command is nobody's.
            feed.send(data).await.ok();
            return Ok(());
        }
        match feed.try_send(data) {
            Ok(()) | Err(TrySendError::Closed(_)) => Ok(()),
            Err(TrySendError::Full(_)) => Err(Ending::Overflow),
        }
    }

    /// Has its last word been said?
    pub(super) fn is_over(&self) -> bool {
        self.words.is_finished()
    }

    /// The client sends no more; it waits for what the command says.
    pub(super) fn finish(&mut self) {
        self.feed = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_copy_and_no_digest_is_refused_in_one_sentence() {
        for (line, why) in [
            ("rsync --server -logDtpre.iLsfxC . /", "rsync is not offered"),
            ("echo ${ShellId}%ComSpec%", "no commands are run"),
            ("scp", "neither -t nor -f"),
            ("scp -t", "names no path"),
            ("scp -t 'a", "quotation"),
            ("", "no command"),
        ] {
            let refused = Command::read(line.as_bytes()).unwrap_err();
            assert!(refused.contains(why), "{line}: {refused}");
        }
        let digest = Command::read(b"md5sum a\\ b").unwrap();
        assert_eq!(digest, Command::Digest { algorithm: Algorithm::Md5, paths: vec![b"a b".to_vec()] });
        assert!(Command::read(b"sha1sum").unwrap().takes_content());
    }
}
