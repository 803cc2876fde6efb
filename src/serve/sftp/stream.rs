//! SFTP over any stream of bytes, for whoever has let its client in already: the request loop without SSH, as fuzzing
//! needs it.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, WriteHalf};
use tokio::sync::Mutex;

use super::dialect::Dialect;
use super::listener::Door;
use super::session::SftpChannel;
use super::work::{Context, Direct, Wire};
use crate::account::Grant;
use crate::presence::Moving;
use crate::task::{self, Spot, Tasks};

/// As much as one SSH packet brings.
const PIECE: usize = 32 << 10;

struct StreamWire<S>(Arc<Mutex<WriteHalf<S>>>);

impl<S: AsyncWrite + Send + 'static> Wire for StreamWire<S> {
    async fn send(&mut self, packets: Bytes) -> bool {
        self.0.lock().await.write_all(&packets).await.is_ok()
    }

    async fn end(&mut self) -> bool {
        self.0.lock().await.shutdown().await.is_ok()
    }
}

/// Answers what the holder of `grant` asks over `stream`, until the client ends it or breaks the protocol. What was
/// asked in full is still done after that; `tasks` knows when.
///
/// # Errors
/// Those of the account's folder and of reading; [`io::ErrorKind::InvalidData`] for a damaged packet and for a client that
/// asks without reading.
pub async fn converse<S>(door: &Door, grant: Grant, stream: S, tasks: &Tasks) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Send + 'static,
{
    let (spot, tree) = (Arc::<Spot>::default(), Arc::clone(&door.tree));
    spot.learn(task::blocking(move || tree.is_near()).await.map_err(io::Error::other)?);
    let context = Context::begin(door, grant, Moving::default(), spot).await?;
    let (mut from, to) = tokio::io::split(stream);
    let to = Arc::new(Mutex::new(to));
    let mut channel = SftpChannel::start(context, Dialect::default(), tasks, StreamWire(Arc::clone(&to)));
    let mut piece = vec![0; PIECE];
    loop {
        let got = from.read(&mut piece).await?;
        if got == 0 {
            channel.finish();
            channel.over().await;
            return Ok(());
        }
        let mut direct = Direct::new(true);
        let fed = channel.feed(piece.get(..got).unwrap_or_default(), &mut direct).await;
        if let Some(answers) = direct.into_bytes() {
            to.lock().await.write_all(&answers).await?;
        }
        fed.map_err(|ending| io::Error::new(io::ErrorKind::InvalidData, ending))?;
    }
}
