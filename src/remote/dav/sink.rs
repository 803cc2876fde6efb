//! Writing a file: PUT (RFC 9110, section 9.3.4). A small file is sent at once, with its length and its time; of a large
//! one the bytes flow as they come. What broke off begins again: no server can be trusted to go on where another
//! request ended (RFC 9110, section 14.5).

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use http::HeaderValue;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::exchange::{Answer, Ask, ask, push, pushed};
use super::fault::silent;
use super::server::{Server, shown};
use super::upload::{Piece, Upload};
use crate::model::{Fault, FaultKind, Mtime, Phase, RelPath};
use crate::reliability::{Direction, End, What};
use crate::remote::{Coming, Sink};

/// A file up to this size is sent at once.
const SMALL: usize = 256 << 10;

/// An upload whose bytes flow.
struct Flow {
    pieces: mpsc::Sender<Piece>,
    answer: Pin<Box<dyn Future<Output = Result<Answer, Fault>> + Send>>,
}

/// The file in the making, on its server.
#[derive(Debug, Clone)]
struct Target {
    server: Arc<Server>,
    path: RelPath,
    what: String,
}

/// A file being written.
pub(super) struct DavSink {
    target: Target,
    coming: Coming,
    /// Small files, and the beginning of large ones.
    gathered: BytesMut,
    flow: Option<Flow>,
    written: u64,
    failed: bool,
    started: Instant,
}

impl Target {
    /// The request without its body. The deadline is that of its answer.
    fn order(&self, coming: Coming, phase: Phase) -> Ask<'_> {
        let within = self.server.pool.shared.deadlines().closing;
        let order = Ask::new("PUT", self.server.names.file(&self.path), phase, &self.what, within)
            .with("content-type", HeaderValue::from_static("application/octet-stream"));
        match coming.mtime.filter(|_| self.server.learned().put_sets_time.load(Ordering::Relaxed)) {
            Some(mtime) => order.with("x-oc-mtime", HeaderValue::from(mtime.at.as_second())),
            None => order,
        }
    }

    async fn accepted(&self, answer: Answer) -> Result<(), Fault> {
        match answer.status {
            200 | 201 | 204 => answer.done().await,
            _ => Err(self.blamed(answer.refusal().await).await),
        }
    }

    async fn blamed(&self, fault: Fault) -> Fault {
        if fault.evidence.code == Some(423) { self.server.locked(&self.path, fault).await } else { fault }
    }

    /// What the server has is asked for: its word on the upload is no proof.
    async fn check(&self, written: u64, wanted: Option<Mtime>) -> Result<(), Fault> {
        let there = self.server.stat(&self.path).await.map_err(|fault| Fault { phase: Phase::Finish, ..fault })?;
        let has = there.as_ref().and_then(|entry| entry.size);
        if has != Some(written) {
            let shown = has.map_or_else(|| "nothing".to_owned(), |has| has.to_string());
            let why = format!("{}: {written} bytes were written, the server has {shown}", self.what);
            return Err(Fault::new(Phase::Finish, FaultKind::Mismatch, why));
        }
        let told = there.and_then(|entry| entry.mtime);
        match (wanted, self.server.learned().time_property()) {
            (Some(wanted), Some(property)) if told.is_none_or(|told| !told.agrees(&wanted)) => {
                self.server.set_time(&self.path, (property, wanted), false).await
            }
            _ => Ok(()),
        }
    }

    fn silent(&self, phase: Phase, within: Duration) -> Fault {
        silent(phase, &self.what, within)
    }

    fn fault(&self, kind: FaultKind, why: &str) -> Fault {
        Fault::new(Phase::Transfer, kind, format!("{}: {why}", self.what))
    }
}

impl DavSink {
    pub(super) fn new(server: Arc<Server>, path: &RelPath, coming: Coming) -> Self {
        let what = format!("writing {}", shown(path));
        Self {
            target: Target { server, path: path.clone(), what },
            coming,
            gathered: BytesMut::new(),
            flow: None,
            written: 0,
            failed: false,
            started: Instant::now(),
        }
    }

    /// Begins to send.
    async fn begin(&mut self) -> Result<(), Fault> {
        let (pieces, body) = Upload::new(self.coming.size);
        let (target, coming) = (self.target.clone(), self.coming);
        let pool = Arc::clone(&target.server.pool);
        let sent = push(&pool, &target.order(coming, Phase::Open), body).await?;
        let answer = Box::pin(async move { pushed(&pool, &target.order(coming, Phase::Transfer), sent).await });
        self.flow = Some(Flow { pieces, answer });
        let gathered = self.gathered.split().freeze();
        self.bring(Piece::Data(gathered)).await
    }

    /// Hands a piece to the connection. An answer before the end can only be a refusal.
    async fn bring(&mut self, piece: Piece) -> Result<(), Fault> {
        let stall = self.target.server.pool.shared.deadlines().stall;
        let Some(flow) = &mut self.flow else { return Err(over()) };
        let sent = tokio::select! {
            biased;
            answer = &mut flow.answer => {
                return Err(self.early(answer).await);
            }
            sent = timeout(stall, flow.pieces.send(piece)) => sent,
        };
        match sent {
            Ok(Ok(())) => Ok(()),
            // Nobody takes more: the answer, or the connection, says why.
            Ok(Err(_)) => match timeout(stall, &mut flow.answer).await {
                Ok(answer) => Err(self.early(answer).await),
                Err(_) => Err(self.target.silent(Phase::Transfer, stall)),
            },
            Err(_) => Err(self.target.silent(Phase::Transfer, stall)),
        }
    }

    async fn early(&mut self, answer: Result<Answer, Fault>) -> Fault {
        self.flow = None;
        match answer {
            Err(fault) => fault,
            Ok(answer) if (200..300).contains(&answer.status) => {
                let why = "the server says that it has a file whose end was not sent yet";
                self.target.fault(FaultKind::Protocol, why)
            }
            Ok(answer) => self.target.blamed(answer.refusal().await).await,
        }
    }

    async fn take(&mut self, data: Bytes) -> Result<(), Fault> {
        self.written += data.len() as u64;
        if let Some(size) = self.coming.size.filter(|size| self.written > *size) {
            let why = format!("it has more than the {size} bytes that were announced");
            return Err(self.target.fault(FaultKind::Changed, &why));
        }
        if self.flow.is_some() {
            return self.bring(Piece::Data(data)).await;
        }
        self.gathered.extend_from_slice(&data);
        if self.gathered.len() > SMALL { self.begin().await } else { Ok(()) }
    }

    /// The end of the body, and the answer to it.
    async fn send(&mut self) -> Result<(), Fault> {
        if self.flow.is_none() {
            let order = self.target.order(self.coming, Phase::Transfer);
            let body = self.gathered.split().freeze();
            let answer = ask(&self.target.server.pool, &Ask { body, ..order }).await?;
            return self.target.accepted(answer).await;
        }
        if let Some(size) = self.coming.size.filter(|size| *size != self.written) {
            let why = format!("it has {} bytes, not the {size} that were announced", self.written);
            return Err(self.target.fault(FaultKind::Changed, &why));
        }
        // A body of a known length has ended with its last byte: nobody listens any more.
        if self.coming.size.is_none() {
            self.bring(Piece::End).await?;
        }
        let closing = self.target.server.pool.shared.deadlines().closing;
        let Some(flow) = &mut self.flow else { return Err(over()) };
        let answer = timeout(closing, &mut flow.answer).await;
        let answer = answer.map_err(|_| self.target.silent(Phase::Finish, closing))??;
        self.flow = None;
        self.target.accepted(answer).await
    }

    fn record(&self, fault: Option<&Fault>) {
        let (bytes, duration, end) = (self.written, self.started.elapsed(), End::by(fault));
        let what = What::Transfer { direction: Direction::Upload, bytes, duration, end };
        let shared = &self.target.server.pool.shared;
        shared.record(what, shared.moved(&self.target.path, fault));
    }

    fn fail(&mut self, fault: Fault) -> Fault {
        let fault = fault.bytes(self.written);
        self.record(Some(&fault));
        (self.failed, self.flow) = (true, None);
        fault
    }
}

fn over() -> Fault {
    Fault::new(Phase::Transfer, FaultKind::Cancelled, "the transfer had failed already")
}

#[async_trait]
impl Sink for DavSink {
    async fn write(&mut self, data: Bytes) -> Result<(), Fault> {
        if self.failed {
            return Err(over());
        }
        match self.take(data).await {
            Err(fault) => Err(self.fail(fault)),
            done => done,
        }
    }

    /// Nothing of an upload that breaks off can be gone on with.
    fn confirmed(&self) -> u64 {
        0
    }

    /// Permission bits are not known here.
    fn stamp(&mut self, mtime: Option<Mtime>, _mode: Option<u32>) -> bool {
        if !self.target.server.learned().keeps_times() {
            return false;
        }
        self.coming.mtime = mtime;
        true
    }

    async fn finish(mut self: Box<Self>) -> Result<u64, Fault> {
        if self.failed {
            return Err(over());
        }
        if let Err(fault) = self.send().await {
            return Err(self.fail(fault));
        }
        match self.target.check(self.written, self.coming.mtime).await {
            Ok(()) => {
                self.record(None);
                Ok(self.written)
            }
            Err(fault) => Err(self.fail(fault)),
        }
    }
}
