//! How much does a server bear? A load that is fixed beforehand goes to it, and what came of every arrival is told: how
//! long it took from its intended moment, what failed, where the knee is and what limits it, and whether the server's
//! memory grows meanwhile.
//!
//! [`plan`] says what arrives when, [`work`] does it, [`books`] counts it once; [`knee`], [`limit`], [`slope`] and
//! [`window`] conclude from what was counted, and never look. Load goes to this machine only, or to a host of which
//! somebody said that it is theirs: [`host`].

pub mod books;
mod eyes;
mod host;
pub mod knee;
pub mod limit;
mod page;
pub mod plan;
pub mod process;
pub mod report;
pub mod slope;
mod watch;
pub mod window;
mod work;

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio_util::sync::CancellationToken;

pub use books::{Act, Books};
pub use page::render as render_page;
pub use plan::Load;
pub use report::Report;

use eyes::Sight;
use limit::Signs;
use watch::{Sample, Watched};
use work::{Shop, Worker};

use crate::manners::Manners;
use crate::model::{Clock, Endpoint, EntryKind, Fault, FaultKind, Phase, Protocol, RelPath};
use crate::reliability::Recorder;
use crate::remote::{self, Context};
use crate::task::Tasks;

/// What is under way at the end of the time may go on for so long.
const FINISH: Duration = Duration::from_secs(10);
/// And goodbyes may take so long after that.
const GOODBYE: Duration = Duration::from_secs(30);
/// Observations that may wait.
const OBSERVED: usize = 8192;
/// Files that are read in turn.
const MOST_FILES: usize = 64;
/// Entries that are looked through for them.
const MOST_ENTRIES: usize = 10_000;
/// Looks at a process that are kept.
const MOST_SAMPLES: u32 = 2_000;

/// What is to be done.
#[derive(Debug, Clone)]
pub struct Order {
    /// A server.
    pub endpoint: Endpoint,
    /// How much, how often, how long.
    pub load: Load,
    /// The folder for uploads, below that of the endpoint, and the bytes of each; none: nothing is written.
    pub upload: Option<(RelPath, usize)>,
    /// Larger files are not read.
    pub largest: u64,
    /// The server's process, when it runs on this machine.
    pub pid: Option<u32>,
    /// Somebody said that the host is theirs.
    pub own_host: bool,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// Counts as numbers to reckon with.
fn number(count: u64) -> f64 {
    let high = u32::try_from(count >> 32).unwrap_or(u32::MAX);
    let low = u32::try_from(count & u64::from(u32::MAX)).unwrap_or(u32::MAX);
    f64::from(high) * 4_294_967_296.0 + f64::from(low)
}

/// Sends the load, until its time is over or `stop`. What fails on the way is what the report is about. `tell` is handed the
/// books when it begins, to be looked into meanwhile.
///
/// # Errors
/// That the host is not one to send load to, or that not even a first connection could be had.
pub async fn run(order: &Order, tell: impl FnOnce(Arc<Books>), stop: &CancellationToken) -> Result<Report, Fault> {
    if order.endpoint.protocol == Protocol::Local {
        return Err(Fault::new(Phase::Connect, FaultKind::Unsupported, "a folder is no server: name its address"));
    }
    if !order.own_host {
        host::refuse_foreign(&order.endpoint).await?;
    }
    watch::raise_descriptors();
    let mut endpoint = order.endpoint.clone();
    endpoint.options.connections = Some(1);
    let tasks = Tasks::new();
    let (recorder, seen) = Recorder::channel(OBSERVED);
    let manners = Manners::forgetful();
    let context = Context { recorder, manners, clock: Arc::clone(&order.clock), tasks: tasks.child() };
    let found = tokio::select! {
        found = look_around(&endpoint, &context, order) => found?,
        () = stop.cancelled() => return Err(Fault::new(Phase::Connect, FaultKind::Cancelled, "stopped before it began")),
    };
    let upload = order.upload.as_ref().map(|(folder, size)| content(*size).map(|content| (folder.clone(), content)));
    let (started, end, over) = (order.clock.now(), CancellationToken::new(), CancellationToken::new());
    let shop = Arc::new(Shop {
        endpoint,
        context,
        load: order.load,
        books: Arc::new(Books::new(order.load.time)),
        mark: found.mark,
        files: found.files,
        upload: upload.transpose()?,
        stop: end.clone(),
        ended: OnceLock::new(),
        over: over.clone(),
    });
    tell(Arc::clone(&shop.books));
    let sight = Arc::new(Mutex::new(Sight::default()));
    let watching = tasks.spawn("stress: observations", eyes::watch(seen, Arc::clone(&sight)));
    let samples = tasks.spawn("stress: processes", follow(order.pid, Arc::clone(&shop.books), end.clone()));
    let crew = Tasks::new();
    for number in 0..order.load.connections {
        crew.spawn("stress: connection", Worker::new(Arc::clone(&shop), number).work());
    }
    let stopped = tokio::select! {
        () = tokio::time::sleep_until((shop.books.start() + order.load.time).into()) => false,
        () = end.cancelled() => false,
        () = stop.cancelled() => true,
    };
    let seconds = shop.books.start().elapsed().as_secs_f64();
    shop.ended.get_or_init(Instant::now);
    end.cancel();
    if tokio::time::timeout(FINISH, crew.ended()).await.is_err() {
        over.cancel();
        if tokio::time::timeout(GOODBYE, crew.ended()).await.is_err() {
            tracing::warn!("some connections did not end in time");
        }
    }
    let (server, own) = samples.await.unwrap_or_default();
    let ledger = shop.books.ledger();
    let spent = ledger.bytes > order.load.bytes;
    let window = shop.books.window().as_secs_f64();
    drop(shop);
    // The clients' last observations come when their connections are gone.
    if tokio::time::timeout(FINISH, watching).await.is_err() {
        tracing::debug!("some observations came too late");
    }
    if !tasks.drain(FINISH).await {
        tracing::debug!("something did not end in time");
    }
    let sight = sight.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let signs = Signs { server, own, window, processors: watch::processors(), ..Signs::default() };
    let server_descriptors = order.pid.and_then(|pid| Watched::process(pid).most_descriptors());
    let seen = report::Seen { started, seconds, stopped, spent, sight, buffer: watch::most_receive_buffer() };
    Ok(report::write(order, &ledger, Signs { server_descriptors, ..signs }, &seen))
}

/// What there is to be asked for.
struct Found {
    mark: Option<RelPath>,
    files: Vec<RelPath>,
}

/// One connection, closed again: what is wrong with the address or the password shows here, before there is any load.
async fn look_around(endpoint: &Endpoint, context: &Context, order: &Order) -> Result<Found, Fault> {
    let remote = remote::open(endpoint, context).await?;
    let (mut found, mut entries) = (Found { mark: None, files: Vec::new() }, 0);
    let mut lister = remote.list(&RelPath::root()).await?;
    while let Some(batch) = lister.next().await? {
        entries += batch.len();
        for entry in batch {
            let path = RelPath::root().join(&entry.name);
            let fits = entry.size.is_some_and(|size| size <= order.largest);
            if entry.kind == EntryKind::File && fits && found.files.len() < MOST_FILES {
                found.files.push(path.clone());
            }
            found.mark.get_or_insert(path);
        }
        if entries > MOST_ENTRIES {
            break;
        }
    }
    drop(lister);
    remote.close().await;
    if found.files.is_empty() && order.upload.is_none() && order.load.movers() > 0 {
        let why = format!(
            "there is no file of {} bytes or less in that folder to read: name one that has some, or let files be written \
             with --upload, or say --moving 0",
            order.largest
        );
        return Err(Fault::new(Phase::List, FaultKind::Missing, why));
    }
    // A file stays what it is; a folder may be a place where others write.
    found.mark = found.files.first().cloned().or(found.mark);
    Ok(found)
}

/// Bytes that no compression makes less of.
fn content(size: usize) -> Result<Bytes, Fault> {
    let mut content = vec![0; size];
    crate::random::fill(&mut content).map_err(|error| Fault::new(Phase::Open, FaultKind::Io, error.to_string()))?;
    Ok(Bytes::from(content))
}

/// Looks at the server's process and at this one until the end.
async fn follow(pid: Option<u32>, books: Arc<Books>, end: CancellationToken) -> (Vec<Sample>, Vec<Sample>) {
    let (server, this) = (pid.map(Watched::process), Watched::this());
    let (mut theirs, mut ours) = (Vec::new(), Vec::new());
    let every = (books.window() * books::WINDOWS / MOST_SAMPLES).max(Duration::from_secs(1));
    let mut next = Instant::now();
    loop {
        theirs.extend(server.as_ref().and_then(|server| server.look(books.start())));
        ours.extend(this.look(books.start()));
        next += every;
        tokio::select! {
            () = tokio::time::sleep_until(next.into()) => {}
            () = end.cancelled() => return (theirs, ours),
        }
    }
}
