//! Writing a file: STOR, behind REST when it goes on (RFC 3659 section 5).

use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::FutureExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

use super::pool::{Lease, Pool};
use super::road::Road;
use super::transfer::{Data, Order, end_data};
use crate::model::{Fault, FaultKind, Phase};
use crate::reliability::{Detail, Direction, End, What};
use crate::remote::Sink;

/// A file being written.
pub struct FtpSink {
    lease: Option<Lease>,
    pool: Arc<Pool>,
    data: Option<Data>,
    path: Vec<u8>,
    offset: u64,
    sent: u64,
    started: Instant,
    /// What its bytes travel on.
    road: Road,
}

impl FtpSink {
    /// Opens the file for writing from `offset` on; FTP cannot cut a file, so one that is longer than
    /// `offset` is only accepted back by [`Sink::finish`] when its length is right then.
    ///
    /// # Errors
    /// The server's no; [`FaultKind::Mismatch`] when the file is shorter than `offset`.
    pub async fn open(pool: Arc<Pool>, path: Vec<u8>, offset: u64) -> Result<Self, Fault> {
        if offset > 0 {
            let size = super::remote::size(&pool, &path).await?;
            if size.is_none_or(|size| size < offset) {
                let why = format!("the file there is shorter than the {offset} bytes that were confirmed");
                return Err(Fault::new(Phase::Open, FaultKind::Mismatch, why));
            }
        }
        let mut lease = pool.lease_for_transfer().await?;
        let started = Instant::now();
        let within = pool.shared.deadlines().command;
        let order = Order { rest: offset, ..Order::plain(Phase::Open, "STOR", Some(&path), within) };
        match lease.session()?.transfer(&pool.shared, order).await {
            Ok(data) => {
                let road = Road::new(&lease.session()?.control, &data.stream);
                Ok(Self { lease: Some(lease), pool, data: Some(data), path, offset, sent: 0, started, road })
            }
            Err(fault) => {
                if offset == 0 {
                    lease.settle(&fault);
                } else {
                    lease.fail(&fault);
                }
                // No byte went, and it was an attempt at the file all the same.
                let (duration, end) = (started.elapsed(), End::by(Some(&fault)));
                let what = What::Transfer { direction: Direction::Upload, bytes: 0, duration, end };
                pool.record(what, Detail::failed(&fault).file(pool.file(&path)));
                Err(fault)
            }
        }
    }

    fn record(&self, fault: Option<&Fault>) {
        let (bytes, duration, end) = (self.sent, self.started.elapsed(), End::by(fault));
        let what = What::Transfer { direction: Direction::Upload, bytes, duration, end };
        self.pool.record(what, self.road.travelled(bytes).ended(fault).file(self.pool.file(&self.path)));
    }

    /// The data connection broke: the server's reply says why ("552 quota"), if it comes.
    async fn reason(&mut self, broken: Fault) -> Fault {
        self.data = None;
        let mut fault = broken;
        if let Some(mut lease) = self.lease.take()
            && let Ok(session) = lease.session()
        {
            let broken = session.reason(fault, "writing the file").await;
            fault = broken.transfer;
            lease.settle(&Fault { phase: Phase::Finish, ..broken.session });
        }
        let fault = fault.bytes(self.sent);
        self.record(Some(&fault));
        fault
    }
}

#[async_trait]
impl Sink for FtpSink {
    async fn write(&mut self, bytes: Bytes) -> Result<(), Fault> {
        let within = self.pool.shared.deadlines().stall;
        let Some(data) = self.data.as_mut() else {
            return Err(Fault::new(Phase::Transfer, FaultKind::Cancelled, "the transfer had failed already"));
        };
        let broken = match timeout(within, data.stream.write_all(&bytes)).await {
            Ok(Ok(())) => {
                self.sent += bytes.len() as u64;
                return Ok(());
            }
            Ok(Err(error)) => Fault::io(Phase::Transfer, "lost the data connection", &error),
            Err(_) => Fault::new(Phase::Transfer, FaultKind::Stalled, "the server stopped taking bytes"),
        };
        Err(self.reason(broken).await)
    }

    /// FTP confirms nothing before the end.
    fn confirmed(&self) -> u64 {
        self.offset
    }

    async fn finish(mut self: Box<Self>) -> Result<u64, Fault> {
        let (Some(Data { mut stream, closing, .. }), Some(mut lease)) = (self.data.take(), self.lease.take()) else {
            return Err(Fault::new(Phase::Finish, FaultKind::Cancelled, "the transfer had failed already"));
        };
        let within = self.pool.shared.deadlines().stall;
        // What the server sends on this connection are the TLS tickets for the next ones.
        let mut tickets = [0; 1024];
        while let Some(Ok(1..)) = stream.read(&mut tickets).now_or_never() {}
        let ended = end_data(&mut stream, within).await;
        let heard = match lease.session() {
            Ok(session) => session.closing(closing, "writing the file").await,
            Err(fault) => Err(fault),
        };
        while let Some(Ok(1..)) = stream.read(&mut tickets).now_or_never() {}
        drop(stream);
        let verdict = match (heard, ended) {
            (Ok(_), Ok(())) => {
                lease.give_back();
                Ok(())
            }
            (Err(fault), _) => {
                lease.settle(&fault);
                Err(fault)
            }
            (Ok(_), Err(error)) => Err(Fault::io(Phase::Finish, "ending the data connection", &error)),
        };
        let verdict = match verdict {
            Ok(()) => self.check().await,
            Err(fault) => Err(fault.bytes(self.sent)),
        };
        self.record(verdict.as_ref().err());
        verdict
    }
}

impl FtpSink {
    /// A 226 alone proves nothing.
    async fn check(&self) -> Result<u64, Fault> {
        let length = self.offset + self.sent;
        match super::remote::size(&self.pool, &self.path).await? {
            Some(size) if size != length => Err(Fault::new(
                Phase::Verify,
                FaultKind::Mismatch,
                format!("{length} bytes were written, the server has {size}"),
            )),
            _ => Ok(length),
        }
    }
}
