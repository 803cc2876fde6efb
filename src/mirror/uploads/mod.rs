//! Files that may still be being uploaded. FTP has no word for "complete": a file grows under its name, and when its
//! client pauses, its size and time stand still as those of a finished one do.
//!
//! Two things speak for an upload: a name that clients and servers give what is not complete yet ([`NAMES`]), and a folder
//! in which this job saw files change between two looks. Such a file is left for later until it was quiet for a while:
//! last written so long ago by the source's own clock, or seen unchanged so long, by this run or from one run to the
//! next. Nothing else waits. Names alone decide nothing: a `.tmp` that nobody writes to is data, and is copied.

pub(super) mod store;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ignore::gitignore::Gitignore;
use jiff::{SignedDuration, Timestamp};

use super::engine::{Broken, Engine};
use super::filter;
use super::heat::Extent;
use super::settle::{self, Clocks};
use super::{MirrorError, MirrorRun};
use crate::model::{Fingerprint, Precision, RelPath};

/// Names of uploads under way, as globs (in any case): of browsers and download managers, WinSCP (`.filepart`), rclone
/// (`.partial`), lftp and proftpd's `HiddenStores` (`.in.`), pure-ftpd's atomic uploads, Office's and editors' own.
pub const NAMES: &[&str] = &[
    "*.part",
    "*.partial",
    "*.filepart",
    "*.tmp",
    "*.temp",
    "*.incomplete",
    "*.crdownload",
    "*.download",
    "*.uploading",
    "*.upload",
    "*.ftpxfer",
    "*.!ut",
    "*~",
    "~*",
    ".in.*",
    ".pureftpd-upload.*",
];

/// The shortest and the longest time that a folder asks for: below, looks are too close to tell; above, a file is better
/// copied and looked at again by the next run.
const SHORTEST: Duration = Duration::from_secs(10);
const LONGEST: Duration = Duration::from_secs(600);

/// A folder in which nothing was seen to change for so long is one like others.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(30 * 24);
/// More folders than this are not remembered at once: those in which uploads were seen last.
const MOST_FOLDERS: i64 = 10_000;

/// What never comes to rest (a log that is written to all day) is not held for ever: in a folder for so many times as long
/// as its uploads took,
const MOST_SPANS: u32 = 12;
/// under a name of uploads for so long. Then it is copied as soon as it holds still for the copy.
const MOST_NAMED: Duration = Duration::from_secs(24 * 3600);

/// What a run knows of uploads.
#[derive(Debug, Clone)]
pub(super) struct Uploads {
    names: Gitignore,
    /// For how long a file with such a name has to be quiet. Zero: nothing is held.
    rest: Duration,
    folders: Arc<Mutex<HashMap<RelPath, Folder>>>,
}

/// How slow the uploads in a folder are.
#[derive(Debug, Clone, Copy)]
struct Folder {
    span: Duration,
    /// Seen by this run, and stored.
    fresh: bool,
}

/// What is asked of a file before it is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Quiet {
    /// To have been quiet for so long; zero for most files.
    pub time: Duration,
    /// It is held no longer than this in all.
    at_most: Duration,
}

impl Quiet {
    /// As of most files.
    const NOTHING: Self = Self { time: Duration::ZERO, at_most: Duration::ZERO };
}

impl Uploads {
    /// Reads what the job learned.
    pub(super) async fn new(order: &MirrorRun) -> Result<Self, MirrorError> {
        let policy = &order.policy.uploads;
        let rest = Duration::from_secs(policy.rest_seconds.into());
        let mut folders = HashMap::new();
        if !rest.is_zero() {
            let since = order.clock.now().saturating_sub(REMEMBERED).unwrap_or(Timestamp::MIN);
            for (path, span) in store::folders(&order.db, order.job, since, MOST_FOLDERS).await? {
                folders.insert(path, Folder { span, fresh: false });
            }
        }
        Ok(Self { names: filter::globs(&policy.names, true)?, rest, folders: Arc::new(Mutex::new(folders)) })
    }

    /// What is asked of the file at `path`, which shows this `version`. Most are older than all that is ever asked: their
    /// names need not be looked at.
    pub(super) fn quiet(&self, path: &RelPath, version: &Fingerprint, clocks: Clocks) -> Quiet {
        let is_old = settle::is_old(version, clocks, self.rest.max(LONGEST));
        if is_old { Quiet::NOTHING } else { self.asks(path) }
    }

    /// What is asked of a young file at `path`.
    pub(super) fn asks(&self, path: &RelPath) -> Quiet {
        let mut quiet = Quiet::NOTHING;
        if self.rest.is_zero() {
            return quiet;
        }
        let folder = path.parent().and_then(|folder| self.folders().get(&folder).copied());
        if let Some(Folder { span, .. }) = folder {
            quiet = Quiet { time: span, at_most: span * MOST_SPANS };
        }
        if self.names.matched(path.as_path(), false).is_ignore() {
            quiet = Quiet { time: quiet.time.max(self.rest), at_most: MOST_NAMED };
        }
        quiet
    }

    fn folders(&self) -> MutexGuard<'_, HashMap<RelPath, Folder>> {
        self.folders.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A file in `folder` was seen to change for `span`: how slow its uploads are now, when that is news. One that took
    /// uncommonly long counts a quarter less with every run that sees others.
    fn learn(&self, folder: &RelPath, span: Duration) -> Option<Duration> {
        let span = span.clamp(SHORTEST, LONGEST);
        let mut folders = self.folders();
        let learned = match folders.get(folder) {
            Some(known) if known.fresh && known.span >= span => return None,
            Some(known) if !known.fresh => span.max(known.span * 3 / 4),
            _ => span,
        };
        folders.insert(folder.clone(), Folder { span: learned, fresh: true });
        Some(learned)
    }
}

/// A file that was left, as the store remembers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Held {
    pub version: Fingerprint,
    /// This version has been seen since then,
    pub since: Timestamp,
    /// the file, in whatever version, was first held then,
    pub held: Timestamp,
    /// and looked at last then.
    pub looked: Timestamp,
}

/// What earlier runs say of a file of which `quiet` is asked and that has the version `now`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Before {
    /// This version was seen so long ago.
    pub seen: Duration,
    /// It was held long enough.
    pub enough: bool,
}

/// What earlier runs saw of the file at `path`, which has the version `now`.
pub(super) async fn before(engine: &Engine, path: &RelPath, now: &Fingerprint, quiet: Quiet) -> Result<Before, Broken> {
    let mut before = Before { seen: Duration::ZERO, enough: false };
    let (order, clock) = (&engine.order, engine.order.clock.now());
    let ago = |at: Timestamp| Duration::try_from(clock.duration_since(at)).unwrap_or_default();
    if let Some(held) = store::held(&order.db, order.job, path).await? {
        before.enough = ago(held.held) >= quiet.at_most;
        if held.version == *now {
            before.seen = ago(held.since);
        } else {
            changed(engine, path, &held.version, now, ago(held.looked)).await?;
        }
    }
    Ok(before)
}

/// The file at `path` was seen as `old`, and after `passed` as `new`.
pub(super) async fn changed(
    engine: &Engine,
    path: &RelPath,
    old: &Fingerprint,
    new: &Fingerprint,
    passed: Duration,
) -> Result<(), Broken> {
    match span(old, new, passed) {
        Some(span) => learn(engine, path, span).await,
        None => Ok(()),
    }
}

/// For how long a file was written to that was seen in two versions. The source's own times say it best. None: they are
/// told so differently that they may be one version.
fn span(old: &Fingerprint, new: &Fingerprint, passed: Duration) -> Option<Duration> {
    let grown = matches!((old.size, new.size), (Some(a), Some(b)) if a != b);
    let times = old.mtime.zip(new.mtime).filter(|(a, b)| (a.precision, a.source) == (b.precision, b.source));
    let later = times.map(|(a, b)| b.at.duration_since(a.at)).filter(|later| !later.is_zero());
    if !grown && later.is_none() {
        return None;
    }
    let exact = times.is_none_or(|(a, _)| a.precision <= Precision::Minute);
    let told = later.filter(|_| exact).and_then(|later| Duration::try_from(later).ok());
    Some(told.unwrap_or(passed))
}

/// Remembers that the file at `path` was written to for `span` while this job looked on.
pub(super) async fn learn(engine: &Engine, path: &RelPath, span: Duration) -> Result<(), Broken> {
    let (order, uploads) = (&engine.order, &engine.uploads);
    let Some(folder) = path.parent().filter(|_| !uploads.rest.is_zero()) else { return Ok(()) };
    if let Some(span) = uploads.learn(&folder, span) {
        tracing::info!(folder = %folder.display(), span.s = span.as_secs(), "files are uploaded slowly here");
        store::learn(&order.db, order.job, &folder, span, order.clock.now()).await?;
    }
    Ok(())
}

/// At the end of a run: forgets files that are not held any more, and folders that are like others again.
pub(super) async fn settle(engine: &Engine) -> Result<(), Broken> {
    let order = &engine.order;
    engine.journal.flush().await?;
    let since = order.clock.now().saturating_sub(REMEMBERED).unwrap_or(Timestamp::MIN);
    Ok(store::sweep(&order.db, order.job, order.run, order.extent == Extent::Whole, since).await?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mirror::policy;
    use crate::model::{Mtime, TimeSource};

    fn uploads() -> Uploads {
        let policy = policy::Uploads::default();
        let names = filter::globs(&policy.names, true).unwrap();
        Uploads { names, rest: Duration::from_secs(policy.rest_seconds.into()), folders: Arc::default() }
    }

    fn path(text: &str) -> RelPath {
        RelPath::new(text).unwrap()
    }

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn version(size: u64, second: i64, precision: Precision) -> Fingerprint {
        let mtime = Mtime { at: Timestamp::from_second(second).unwrap(), precision, source: TimeSource::List };
        Fingerprint { size: Some(size), mtime: Some(mtime), unique: None }
    }

    #[test]
    fn names_of_uploads_are_known_in_any_folder_and_case() {
        let uploads = uploads();
        for name in
            ["a.part", "d/B.FILEPART", "d/.in.report.csv.", ".pureftpd-upload.5f2b", "~$plan.docx", "x/plan.txt~"]
        {
            assert_eq!(uploads.asks(&path(name)).time, seconds(300), "{name}");
        }
        for name in ["a.txt", "party", "a.part.gz", "in.txt", "d.tmp/a.txt", ".htaccess"] {
            assert_eq!(uploads.asks(&path(name)).time, Duration::ZERO, "{name}");
        }
        let off = Uploads { rest: Duration::ZERO, ..uploads };
        assert_eq!(off.asks(&path("a.part")).time, Duration::ZERO);
    }

    #[test]
    fn a_folder_asks_for_as_long_as_its_uploads_took_and_others_for_nothing() {
        let uploads = uploads();
        assert_eq!(uploads.learn(&path("in"), seconds(40)), Some(seconds(40)));
        assert_eq!(uploads.learn(&path("in"), seconds(20)), None, "known already");
        assert_eq!(uploads.asks(&path("in/a.csv")), Quiet { time: seconds(40), at_most: seconds(480) });
        assert_eq!(uploads.asks(&path("in/old/a.csv")).time, Duration::ZERO);
        assert_eq!(uploads.asks(&path("in/a.part")), Quiet { time: seconds(300), at_most: MOST_NAMED });
        // The bounds.
        assert_eq!(uploads.learn(&path("x"), seconds(1)), Some(SHORTEST));
        assert_eq!(uploads.learn(&path("x"), seconds(100_000)), Some(LONGEST));
    }

    #[test]
    fn what_was_long_once_fades_with_every_run_that_sees_shorter_ones() {
        let uploads = uploads();
        let mut spans = Vec::new();
        uploads.folders().insert(path("in"), Folder { span: seconds(400), fresh: false });
        for _ in 0..3 {
            spans.push(uploads.learn(&path("in"), seconds(20)).unwrap().as_secs());
            uploads.folders().get_mut(&path("in")).unwrap().fresh = false;
        }
        assert_eq!(spans, [300, 225, 168]);
    }

    #[test]
    fn the_sources_own_times_say_for_how_long_a_file_was_written_to() {
        use Precision::{Day, Minute, Second};
        let old = version(5, 1_000_000, Second);
        let an_hour = seconds(3600);
        assert_eq!(span(&old, &version(9, 1_000_030, Second), an_hour), Some(seconds(30)));
        assert_eq!(span(&old, &version(5, 1_000_030, Second), an_hour), Some(seconds(30)));
        // Within a tick, or told to the day, only the looks are apart.
        let minute = version(5, 1_000_000, Minute);
        assert_eq!(span(&minute, &version(9, 1_000_000, Minute), seconds(7)), Some(seconds(7)));
        assert_eq!(span(&version(5, 0, Day), &version(5, 86_400, Day), seconds(7)), Some(seconds(7)));
        // One version, told in two ways.
        assert_eq!(span(&old, &version(5, 1_000_030, Minute), an_hour), None);
        assert_eq!(span(&old, &old, an_hour), None);
    }
}
