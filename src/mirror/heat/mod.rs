//! Which folders of a source are hot. Every run notes where something came, changed or went; between the runs that look
//! at the whole tree, these folders can be looked at alone, every minute if need be, so that what partners upload is here
//! soon and the old server is not asked for a million names that never change.
//!
//! A run over hot folders copies what it finds new there. It deletes nothing: a deletion takes two runs that saw the whole.

pub mod store;

use std::collections::{BTreeMap, HashSet};

use futures_util::StreamExt as _;
use futures_util::stream;
use jiff::{SignedDuration, Timestamp};

use super::engine::{Broken, Engine};
use super::links;
use super::policy::Links;
use super::scan::store::Side;
use crate::model::{EntryKind, FaultKind, ItemId, RelPath};

pub use store::HotFolder;

/// What a run looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Extent {
    /// The whole tree.
    #[default]
    Whole,
    /// The folders in which something changed lately, and what is new in them.
    Hot,
}

impl Extent {
    /// Every value, in order.
    pub const ALL: &'static [Self] = &[Self::Whole, Self::Hot];

    /// The stable word for the store.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Whole => "whole",
            Self::Hot => "hot",
        }
    }
}

impl std::str::FromStr for Extent {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.iter().copied().find(|extent| extent.as_str() == text).ok_or(())
    }
}

/// A folder is hot for so long after the last change in it.
pub const HOT_FOR: SignedDuration = SignedDuration::from_hours(72);
/// So many folders are looked at, those that changed last.
pub const MOST_HOT: u32 = 1000;

/// Published items that are read from the journal at once.
const PAGE: i64 = 5000;

/// A directory: its path in the target and its own.
pub(super) type Dir = (RelPath, RelPath);

/// Where both scans of a run begin.
pub(super) struct Seeds {
    pub source: Vec<Dir>,
    pub target: Vec<Dir>,
    /// More folders are hot than are looked at.
    pub more: bool,
}

impl Seeds {
    fn whole() -> Self {
        let root = vec![(RelPath::root(), RelPath::root())];
        Self { source: root.clone(), target: root, more: false }
    }
}

/// Where the scans begin: at the root, or at each hot folder.
pub(super) async fn seeds(engine: &Engine) -> Result<Seeds, Broken> {
    if engine.order.extent == Extent::Whole {
        return Ok(Seeds::whole());
    }
    let since = engine.order.clock.now().saturating_sub(HOT_FOR).unwrap_or(Timestamp::MIN);
    let mut hot = store::hot(&engine.order.db, engine.order.job, since, MOST_HOT.saturating_add(1)).await?;
    let most = usize::try_from(MOST_HOT).unwrap_or(usize::MAX);
    let more = hot.len() > most;
    hot.truncate(most);
    let wanted = |folder: &HotFolder| folder.path.is_root() || !engine.filter.leaves_out_anywhere(&folder.path, true);
    let source: Vec<Dir> = hot.into_iter().filter(wanted).map(|folder| (folder.target, folder.path)).collect();
    let source =
        if engine.order.policy.links == Links::Follow { links::come_to(engine, source).await? } else { source };
    let target = folders_of_target(engine, &source).await?;
    Ok(Seeds { source, target, more })
}

/// Those of the hot folders that the target has.
async fn folders_of_target(engine: &Engine, source: &[Dir]) -> Result<Vec<Dir>, Broken> {
    let remote = engine.remote(Side::Target);
    let folders: Vec<_> = source.iter().map(|(target, _)| target.clone()).collect();
    let looks = folders.into_iter().map(|folder| {
        let remote = &remote;
        async move {
            let look = engine.persist(|| async { Ok(remote.stat(&folder).await) }).await?;
            Ok::<_, Broken>((folder, look))
        }
    });
    let mut looks = stream::iter(looks).buffer_unordered(usize::from(engine.width(Side::Target)));
    let mut there = Vec::new();
    while let Some(look) = looks.next().await {
        let (folder, look) = look?;
        match look {
            Ok(Some(entry)) if entry.kind == EntryKind::Dir => there.push((folder.clone(), folder)),
            Ok(_) => {}
            Err(fault) if fault.kind == FaultKind::Missing => {}
            // Listing it shows what is wrong with it, and is reported.
            Err(_) => there.push((folder.clone(), folder)),
        }
    }
    Ok(there)
}

/// Those of `dirs` that wait for a run over the whole tree: a run over hot folders goes only into those in its folders
/// that nobody has seen before.
pub(super) async fn cold(engine: &Engine, dirs: &[Dir]) -> Result<HashSet<RelPath>, Broken> {
    if engine.order.extent == Extent::Whole || dirs.is_empty() {
        return Ok(HashSet::new());
    }
    let targets: Vec<_> = dirs.iter().map(|(target, _)| target).collect();
    Ok(store::known(&engine.order.db, engine.order.job, &targets).await?)
}

/// Notes where this run found something changed. As long as no run has seen all of a tree, what is copied was not changed
/// just now: its folders are as warm as their newest file.
pub(super) async fn note(engine: &Engine) -> Result<(), Broken> {
    let (db, job, run) = (&engine.order.db, engine.order.job, engine.order.run);
    engine.journal.flush().await?;
    let now = engine.order.clock.now();
    let since = now.saturating_sub(HOT_FOR).unwrap_or(Timestamp::MIN);
    let first = super::lag::store::looks(db, job).await?.whole.is_none();
    let mut after = ItemId(0);
    loop {
        engine.check_stop()?;
        let page = store::changes(db, run, after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = last.item;
        let mut folders = BTreeMap::<RelPath, HotFolder>::new();
        for change in page {
            let at = if first { change.file_time } else { Some(now) };
            let Some(at) = at.map(|at| at.min(now)).filter(|at| *at >= since) else { continue };
            let (Some(path), Some(target)) = (change.path.parent(), change.target.parent()) else { continue };
            let folder = folders.entry(path.clone()).or_insert(HotFolder { path, target, changes: 0, at });
            folder.changes += 1;
            folder.at = folder.at.max(at);
        }
        let folders: Vec<_> = folders.into_values().collect();
        store::warm(db, job, &folders).await?;
    }
}
