//! One connection of the run: opened at its moment, then asked at each of its arrivals.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::time::{sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::books::{Act, Books};
use super::plan::{Load, Part};
use crate::model::{Endpoint, Fault, FaultKind, Phase, RelPath};
use crate::remote::{self, Coming, Context, Remote};

/// A connection that could not be opened is not tried again before.
const PAUSE: Duration = Duration::from_secs(5);
/// How long a goodbye, or the removal of a file that was left, may take.
const GOODBYE: Duration = Duration::from_secs(5);

/// What all connections of a run have in common.
pub struct Shop {
    /// Where to.
    pub endpoint: Endpoint,
    /// With what.
    pub context: Context,
    /// How much, and when.
    pub load: Load,
    /// Where it is written down.
    pub books: Arc<Books>,
    /// What the light command asks for; the folder is listed where it holds nothing.
    pub mark: Option<RelPath>,
    /// Files that are read, in turn.
    pub files: Vec<RelPath>,
    /// The folder that is written to, and what.
    pub upload: Option<(RelPath, Bytes)>,
    /// Nothing arrives any more.
    pub stop: CancellationToken,
    /// Since when.
    pub ended: OnceLock<Instant>,
    /// Nothing is waited for any more.
    pub over: CancellationToken,
}

/// One of the connections.
pub struct Worker {
    shop: Arc<Shop>,
    number: u32,
    remote: Option<Arc<dyn Remote>>,
    /// Why there is none, and since when.
    refused: Option<(Instant, Fault)>,
    turn: usize,
    /// Written, and not yet removed.
    left: Option<RelPath>,
}

impl Worker {
    /// Connection `number` of the run.
    #[must_use]
    pub fn new(shop: Arc<Shop>, number: u32) -> Self {
        let turn = usize::try_from(number).unwrap_or(0);
        Self { shop, number, remote: None, refused: None, turn, left: None }
    }

    /// To the end of the run.
    pub async fn work(mut self) {
        let shop = Arc::clone(&self.shop);
        let (start, arrivals) = (shop.books.start(), shop.load.arrivals(self.number));
        let opens = start + shop.load.opens(self.number);
        if shop.due(opens).await {
            self.open(opens).await;
        }
        for at in arrivals {
            let due = start + at;
            if !shop.due(due).await {
                break;
            }
            self.arrive(due).await;
            self.turn = self.turn.wrapping_add(1);
        }
        // Held to the end, also when nothing more arrives.
        shop.stop.cancelled().await;
        self.leave().await;
    }

    fn act(&self) -> Act {
        let shop = &self.shop;
        match (shop.load.part(self.number), shop.files.is_empty(), &shop.upload) {
            (Part::Held, ..) | (_, true, None) => Act::Light,
            (Part::Moving, false, None) => Act::Download,
            (Part::Moving, true, Some(_)) => Act::Upload,
            (Part::Moving, false, Some(_)) if self.turn.is_multiple_of(2) => Act::Download,
            (Part::Moving, false, Some(_)) => Act::Upload,
        }
    }

    async fn arrive(&mut self, due: Instant) {
        let (shop, act) = (Arc::clone(&self.shop), self.act());
        if self.remote.is_none() {
            self.again().await;
        }
        let Some(remote) = self.remote.clone() else {
            match &self.refused {
                Some((_, fault)) => shop.books.failed(act, fault, false),
                None => shop.books.unanswered(act),
            }
            return;
        };
        let done = tokio::select! {
            biased;
            () = shop.over.cancelled() => None,
            done = self.act_on(&remote, act) => Some(done),
        };
        match done {
            Some(Ok(())) => shop.books.answered(act, due),
            Some(Err(fault)) if fault.kind == FaultKind::Cancelled => shop.books.unanswered(act),
            Some(Err(fault)) => {
                shop.books.failed(act, &fault, true);
                self.drop_connection().await;
            }
            None => shop.books.unanswered(act),
        }
    }

    /// Opens the connection again, if that was not tried a moment ago.
    async fn again(&mut self) {
        if self.refused.as_ref().is_none_or(|(when, _)| when.elapsed() >= PAUSE) && !self.shop.stop.is_cancelled() {
            self.open(Instant::now()).await;
        }
    }

    async fn open(&mut self, due: Instant) {
        let shop = Arc::clone(&self.shop);
        let opened = tokio::select! {
            opened = remote::open(&shop.endpoint, &shop.context) => opened,
            () = shop.over.cancelled() => return shop.books.unanswered(Act::Open),
        };
        match opened {
            Ok(remote) => {
                shop.books.answered(Act::Open, due);
                shop.books.opened();
                (self.remote, self.refused) = (Some(remote), None);
            }
            Err(fault) => {
                shop.books.failed(Act::Open, &fault, false);
                self.refused = Some((Instant::now(), fault));
            }
        }
    }

    async fn act_on(&mut self, remote: &Arc<dyn Remote>, act: Act) -> Result<(), Fault> {
        match act {
            Act::Open => Ok(()),
            Act::Light => self.light(remote.as_ref()).await,
            Act::Download => self.download(remote.as_ref()).await,
            Act::Upload => self.upload(remote.as_ref()).await,
        }
    }

    async fn light(&self, remote: &dyn Remote) -> Result<(), Fault> {
        if let Some(mark) = &self.shop.mark {
            return remote.stat(mark).await.map(|_| ());
        }
        let mut lister = remote.list(&RelPath::root()).await?;
        while lister.next().await?.is_some() {}
        lister.finish().await.map(|_| ())
    }

    async fn download(&self, remote: &dyn Remote) -> Result<(), Fault> {
        let Some(path) = self.shop.files.get(self.turn % self.shop.files.len().max(1)) else { return Ok(()) };
        let mut source = remote.read(path, 0, None).await?;
        while let Some(bytes) = source.next().await? {
            self.shop.move_bytes(bytes.len())?;
        }
        source.finish().await.map(|_| ())
    }

    async fn upload(&mut self, remote: &dyn Remote) -> Result<(), Fault> {
        let Some((folder, content)) = self.shop.upload.clone() else { return Ok(()) };
        let path = RelPath::new(format!("causeway-stress-{}-{}-{}", std::process::id(), self.number, self.turn));
        let path = path.map_err(|error| Fault::new(Phase::Open, FaultKind::BadName, error.to_string()))?;
        let path = folder.concat(&path);
        self.clear(remote).await?;
        let begun = Instant::now();
        self.shop.move_bytes(content.len())?;
        // From here on it may be there.
        self.left = Some(path.clone());
        let size = u64::try_from(content.len()).ok();
        let mut sink = remote.write_new(&path, Coming { size, mtime: None }).await?;
        sink.write(content).await?;
        sink.finish().await?;
        self.shop.books.sent(begun.elapsed());
        remote.remove_file(&path).await?;
        self.left = None;
        Ok(())
    }

    /// Removes what an upload that broke may have left: one file at most is ever there.
    async fn clear(&mut self, remote: &dyn Remote) -> Result<(), Fault> {
        let Some(left) = self.left.clone() else { return Ok(()) };
        match remote.remove_file(&left).await {
            Err(fault) if fault.kind != FaultKind::Missing => Err(fault),
            _ => {
                self.left = None;
                Ok(())
            }
        }
    }

    /// What broke is closed; the next arrival finds a new one.
    async fn drop_connection(&mut self) {
        if let Some(remote) = self.remote.take() {
            self.shop.books.closed();
            if timeout(GOODBYE, remote.close()).await.is_err() {
                tracing::debug!("a connection did not say goodbye in time");
            }
        }
    }

    /// Removes what was left, and ends the connection in good order.
    async fn leave(mut self) {
        if let Some(path) = self.left.take() {
            let remote = match self.remote.clone() {
                Some(remote) => Some(remote),
                None => timeout(GOODBYE, remote::open(&self.shop.endpoint, &self.shop.context))
                    .await
                    .ok()
                    .and_then(Result::ok),
            };
            let removed = match &remote {
                Some(remote) => timeout(GOODBYE, remote.remove_file(&path)).await.ok(),
                None => None,
            };
            match removed {
                Some(Ok(())) => {}
                Some(Err(fault)) if fault.kind == FaultKind::Missing => {}
                _ => {
                    tracing::warn!(file.path = %path.display(), "a file of this run could not be removed: remove it by hand");
                }
            }
        }
        self.drop_connection().await;
    }
}

impl Shop {
    /// Waits for a moment; false when the run ended before it. What was due before the end is due after it, too.
    async fn due(&self, at: Instant) -> bool {
        if let Some(ended) = self.ended.get() {
            return at <= *ended;
        }
        tokio::select! {
            biased;
            () = sleep_until(at.into()) => true,
            () = self.stop.cancelled() => false,
        }
    }

    /// Bytes of a file go over the way.
    fn move_bytes(&self, count: usize) -> Result<(), Fault> {
        let moved = self.books.moved(u64::try_from(count).unwrap_or(u64::MAX));
        if moved <= self.load.bytes {
            return Ok(());
        }
        self.stop.cancel();
        Err(Fault::new(Phase::Transfer, FaultKind::Cancelled, "the bytes of the run are spent"))
    }
}
