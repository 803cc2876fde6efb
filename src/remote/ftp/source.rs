//! Reading a file: REST directly before RETR (RFC 3659 section 5), the closing reply as evidence.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use tokio::io::AsyncReadExt as _;
use tokio::time::timeout;

use super::pool::{Lease, Pool};
use super::session::{Data, end_data};
use crate::model::{Fault, FaultKind, Phase};
use crate::reliability::{Direction, End, What};
use crate::remote::Source;

/// What is asked of the socket at once.
const CHUNK: usize = 128 << 10;

/// A file being read.
pub struct FtpSource {
    lease: Option<Lease>,
    pool: Arc<Pool>,
    data: Option<Data>,
    path: Vec<u8>,
    offset: u64,
    received: u64,
    started: Instant,
    ended: bool,
    /// TLS ended without close_notify: anybody could have cut it.
    cut: bool,
}

impl FtpSource {
    /// Asks for the file from `offset` on.
    ///
    /// # Errors
    /// The server's no, or a lost connection.
    pub async fn open(pool: Arc<Pool>, path: Vec<u8>, offset: u64) -> Result<Self, Fault> {
        let mut lease = pool.lease_for_transfer().await?;
        let started = Instant::now();
        let within = pool.shared.deadlines().command;
        let opened = lease.session()?.transfer(&pool.shared, Phase::Open, "RETR", Some(&path), offset, within).await;
        match opened {
            Ok(data) => Ok(Self {
                lease: Some(lease),
                pool,
                data: Some(data),
                path,
                offset,
                received: 0,
                started,
                ended: false,
                cut: false,
            }),
            Err(fault) => {
                // An unused REST would poison the next transfer of this session.
                if offset == 0 {
                    lease.settle(&fault);
                }
                Err(fault)
            }
        }
    }

    fn record(&self, end: End) {
        self.pool.record(What::Transfer {
            direction: Direction::Download,
            bytes: self.received,
            duration: self.started.elapsed(),
            end,
        });
    }

    /// The data connection broke: the server's reply says why ("426 …", "451 …"), if it comes.
    async fn fail(&mut self, broken: Fault) -> Fault {
        self.data = None;
        let mut fault = broken;
        if let Some(mut lease) = self.lease.take() {
            if let Ok(session) = lease.session() {
                fault = session.reason(fault, "reading the file").await;
            }
            lease.settle(&Fault { phase: Phase::Finish, ..fault.clone() });
        }
        let fault = fault.bytes(self.received);
        self.record(End::Failed(fault.phase, fault.kind));
        fault
    }

    /// Without the closing reply, the size decides.
    async fn has_all(&self) -> Result<(), Fault> {
        let size = super::remote::size(&self.pool, &self.path).await?;
        let got = self.offset + self.received;
        match size {
            Some(size) if size == got => Ok(()),
            Some(size) => Err(Fault::new(
                Phase::Finish,
                FaultKind::ClosedEarly,
                format!("the transfer ended at byte {got} of {size} without a closing word"),
            )),
            None => Err(Fault::new(
                Phase::Finish,
                FaultKind::ClosedEarly,
                "the transfer ended without a closing word, and the server does not tell the size",
            )),
        }
    }
}

#[async_trait]
impl Source for FtpSource {
    async fn next(&mut self) -> Result<Option<Bytes>, Fault> {
        if self.ended {
            return Ok(None);
        }
        let Some(data) = self.data.as_mut() else { return Ok(None) };
        let mut buffer = BytesMut::with_capacity(CHUNK);
        let read = timeout(self.pool.shared.deadlines().stall, data.stream.read_buf(&mut buffer)).await;
        let empty_and_done = data.closing.is_some() && self.received == 0;
        match read {
            Ok(Ok(0)) => {
                self.ended = true;
                Ok(None)
            }
            Ok(Ok(count)) => {
                self.received += count as u64;
                Ok(Some(buffer.freeze()))
            }
            Ok(Err(error)) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                (self.ended, self.cut) = (true, true);
                Ok(None)
            }
            // Some servers say 226 for an empty file and never use the data connection.
            Ok(Err(_)) if empty_and_done => {
                self.ended = true;
                Ok(None)
            }
            Ok(Err(error)) => Err(self.fail(Fault::io(Phase::Transfer, "lost the data connection", &error)).await),
            Err(_) => {
                let why = format!("no byte came for {} s", self.pool.shared.deadlines().stall.as_secs());
                Err(self.fail(Fault::new(Phase::Transfer, FaultKind::Stalled, why)).await)
            }
        }
    }

    async fn finish(mut self: Box<Self>) -> Result<(), Fault> {
        let (Some(Data { mut stream, closing }), Some(mut lease)) = (self.data.take(), self.lease.take()) else {
            return Err(Fault::new(Phase::Finish, FaultKind::Cancelled, "the transfer had failed already"));
        };
        if !self.ended {
            return Err(Fault::new(Phase::Finish, FaultKind::Cancelled, "the file was not read to its end"));
        }
        if let Err(error) = end_data(&mut stream, Duration::from_secs(5)).await {
            tracing::trace!(error = %error, "ending the data connection");
        }
        drop(stream);
        let heard = match lease.session() {
            Ok(session) => session.closing(closing, "reading the file").await,
            Err(fault) => Err(fault),
        };
        let silent = |fault: &Fault| {
            fault.evidence.code.is_none()
                && matches!(fault.kind, FaultKind::Timeout | FaultKind::Reset | FaultKind::ClosedEarly)
        };
        let verdict = match heard {
            Ok(_) if !self.cut => {
                lease.give_back();
                Ok(())
            }
            Ok(_) => {
                lease.give_back();
                self.has_all().await
            }
            Err(fault) if silent(&fault) => {
                tracing::info!(fault = %fault, "no closing reply after the data: checking the size instead");
                lease.settle(&fault);
                self.has_all().await
            }
            Err(fault) => {
                lease.settle(&fault);
                Err(fault)
            }
        };
        let verdict = verdict.map_err(|fault| fault.bytes(self.received));
        self.record(verdict.as_ref().err().map_or(End::Clean, |fault| End::Failed(fault.phase, fault.kind)));
        verdict
    }
}
