//! Symbolic links of the source, by the policy: left out, followed inside the source's root, or made anew in the target.
//!
//! No server ever follows a link for us: each is resolved here, step by step, by looks that take no link for what it
//! leads to, and what is read is the path that came out. What leaves the root is refused.

mod recreate;
mod walk;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::stream::{self, StreamExt as _};

use recreate::check;
pub(super) use recreate::{in_the_way, make};

use self::walk::{Arrival, Next, Walk};
use super::engine::{Broken, Engine};
use super::heat::Dir;
use super::names::Naming;
use super::policy::Links as Policy;
use super::scan::store::Side;
use crate::model::{Entry, EntryKind, Fault, Name, RelPath};
use crate::remote::layer::Detours;

/// So many looks are remembered.
const MOST_LOOKS: usize = 50_000;

/// What is known of the source's links in this run.
#[derive(Debug, Clone, Default)]
pub(super) struct Links {
    /// Where those that were followed lead.
    pub detours: Detours,
    looks: Arc<Mutex<HashMap<RelPath, Option<Entry>>>>,
}

impl Links {
    fn look(&self, at: &RelPath) -> Option<Option<Entry>> {
        self.looks.lock().unwrap_or_else(PoisonError::into_inner).get(at).cloned()
    }

    fn remember(&self, dir: &RelPath, names: BTreeSet<Name>, mut found: BTreeMap<Name, Entry>) {
        let mut looks = self.looks.lock().unwrap_or_else(PoisonError::into_inner);
        if looks.len() + names.len() > MOST_LOOKS {
            looks.clear();
        }
        looks.extend(names.into_iter().map(|name| (dir.join(&name), found.remove(&name))));
    }
}

/// What became of a link that was followed.
#[derive(Debug)]
enum Followed {
    /// It stands for a file or folder: the entry has the link's name, and all else of what it leads to.
    To(Entry),
    /// It is not followed, or leads nowhere ([`crate::model::FaultKind::Missing`]).
    Not(Fault),
}

/// A link of a folder, and where it points when the listing told it.
pub(super) type Told = (Name, Option<Vec<u8>>);

/// What becomes of links of the folder `dir` by the policy: each as the plan is to see it, and why it is not to be
/// mirrored.
pub(super) async fn settle(
    engine: &Engine,
    dir: &Dir,
    naming: Naming,
    mut links: Vec<Told>,
) -> Result<Vec<(Entry, Option<Fault>)>, Broken> {
    let untold: BTreeSet<_> = links.iter().filter(|(_, to)| to.is_none()).map(|(name, _)| name.clone()).collect();
    let mut hidden = None;
    if !untold.is_empty() {
        match look_at(engine, &dir.1, &untold).await? {
            Ok(mut found) => {
                for (name, to) in links.iter_mut().filter(|(_, to)| to.is_none()) {
                    *to = found.remove(name).and_then(|entry| target_of(entry.kind));
                }
            }
            Err(fault) => hidden = Some(walk::unseen(&dir.1, &fault)),
        }
    }
    if engine.order.policy.links == Policy::Follow {
        let followed = follow(engine, dir, links).await?;
        return Ok(followed
            .into_iter()
            .map(|(name, followed)| match followed {
                Followed::To(entry) => (entry, None),
                Followed::Not(fault) => (link(name, None), Some(fault)),
            })
            .collect());
    }
    Ok(links
        .into_iter()
        .map(|(name, to)| {
            let why = check(&dir.1.join(&name), to.as_deref(), naming).err();
            let why = if to.is_none() { hidden.clone().or(why) } else { why };
            (link(name, to), why)
        })
        .collect())
}

fn target_of(kind: EntryKind) -> Option<Vec<u8>> {
    match kind {
        EntryKind::Symlink(target) => target,
        _ => None,
    }
}

/// Of a link nothing counts but where it points.
fn link(name: Name, to: Option<Vec<u8>>) -> Entry {
    Entry { name, kind: EntryKind::Symlink(to), size: None, mtime: None, mode: None, unique: None }
}

/// Follows links of the folder `dir`, whose targets are known; what stands for something else is remembered as such.
async fn follow(engine: &Engine, dir: &Dir, links: Vec<Told>) -> Result<Vec<(Name, Followed)>, Broken> {
    let detours = &engine.links.detours;
    let (root, folder) = (engine.order.source.root(), detours.real(&dir.1));
    let mut walks = Vec::with_capacity(links.len());
    let mut done = Vec::with_capacity(links.len());
    for (name, target) in links {
        match Walk::begin(&folder, target.as_deref(), root.clone()) {
            Ok(walk) => walks.push((name, walk)),
            Err(fault) => done.push((name, Followed::Not(fault))),
        }
    }
    let on_the_way = folders_to(engine, &dir.1);
    let arrived = arrive(engine, walks).await?;
    done.extend(arrived.into_iter().map(|(name, arrived)| {
        let followed = arrived.and_then(|arrival| {
            walk::refuse_loop(&arrival, &on_the_way)?;
            detours.add(dir.1.join(&name), arrival.at)?;
            Ok(Entry { name: name.clone(), ..arrival.entry })
        });
        (name, followed.map_or_else(Followed::Not, Followed::To))
    }));
    Ok(done)
}

/// What these names in the folder `dir` are, as the source tells it when it is asked.
async fn look_at(
    engine: &Engine,
    dir: &RelPath,
    names: &BTreeSet<Name>,
) -> Result<Result<BTreeMap<Name, Entry>, Fault>, Broken> {
    let source = engine.remote(Side::Source);
    engine.persist(|| async { Ok(source.look_up(dir, names).await) }).await
}

/// The folders, as they really lie, by which one comes to the folder `dir`, and `dir` itself.
fn folders_to(engine: &Engine, dir: &RelPath) -> Vec<RelPath> {
    let above = std::iter::successors(Some(dir.clone()), RelPath::parent);
    above.map(|at| engine.links.detours.real(&at)).collect()
}

/// Takes all steps of all walks, the looks of each round together: a folder is looked at once for all who ask.
async fn arrive(engine: &Engine, mut walks: Vec<(Name, Walk)>) -> Result<Vec<(Name, Result<Arrival, Fault>)>, Broken> {
    let mut done = Vec::with_capacity(walks.len());
    let mut failed = BTreeMap::<RelPath, Fault>::new();
    while !walks.is_empty() {
        let mut wanted = BTreeMap::<RelPath, BTreeSet<Name>>::new();
        let mut open = Vec::with_capacity(walks.len());
        for (name, mut walk) in walks {
            let next = loop {
                let next = walk.next();
                let Ok(Next::Look(folder, at)) = &next else { break next };
                match engine.links.look(&folder.join(at)) {
                    Some(seen) => walk.seen(seen),
                    None => break next,
                }
            };
            match next {
                Ok(Next::Arrived(arrival)) => done.push((name, Ok(arrival))),
                Ok(Next::Look(folder, at)) => match failed.get(&folder) {
                    Some(fault) => done.push((name, Err(walk::unseen(&folder, fault)))),
                    None => {
                        wanted.entry(folder).or_default().insert(at);
                        open.push((name, walk));
                    }
                },
                Err(fault) => done.push((name, Err(fault))),
            }
        }
        walks = open;
        failed.extend(look_up(engine, wanted).await?);
    }
    Ok(done)
}

/// Looks at names of several folders. Returns the folders that could not be looked at.
async fn look_up(engine: &Engine, wanted: BTreeMap<RelPath, BTreeSet<Name>>) -> Result<Vec<(RelPath, Fault)>, Broken> {
    let looks = wanted.into_iter().map(|(folder, names)| async move {
        let found = look_at(engine, &folder, &names).await?;
        Ok::<_, Broken>(match found {
            Ok(found) => {
                engine.links.remember(&folder, names, found);
                None
            }
            Err(fault) => Some((folder, fault)),
        })
    });
    let mut looks = stream::iter(looks).buffer_unordered(usize::from(engine.width(Side::Source)));
    let mut failed = Vec::new();
    while let Some(look) = looks.next().await {
        failed.extend(look?);
    }
    Ok(failed)
}

/// Those of the folders that are there, by whatever links they are come to: a run that does not begin at the root has
/// not seen those links.
pub(super) async fn come_to(engine: &Engine, dirs: Vec<Dir>) -> Result<Vec<Dir>, Broken> {
    let mut there = Vec::with_capacity(dirs.len());
    for dir in dirs {
        if find(engine, &dir.1).await? {
            there.push(dir);
        } else {
            tracing::info!(dir = %dir.1.display(), "no link leads there any more: the next run over the whole tree tells why");
        }
    }
    Ok(there)
}

/// Follows the links in `path`. False: one of them cannot be followed, or something is not there.
async fn find(engine: &Engine, path: &RelPath) -> Result<bool, Broken> {
    let mut at = RelPath::root();
    for name in path.names() {
        let dir = (at.clone(), at.clone());
        at = at.join(&name);
        if engine.links.detours.holds(&at) {
            continue;
        }
        let real = engine.links.detours.real(&at);
        let (Some(folder), Some(last)) = (real.parent(), real.name()) else { continue };
        if engine.links.look(&real).is_none() {
            look_up(engine, BTreeMap::from([(folder, BTreeSet::from([last]))])).await?;
        }
        let Some(Some(entry)) = engine.links.look(&real) else { return Ok(false) };
        if let EntryKind::Symlink(target) = entry.kind {
            let followed = follow(engine, &dir, vec![(name, target)]).await?;
            if !followed.iter().all(|(_, followed)| matches!(followed, Followed::To(_))) {
                return Ok(false);
            }
        }
    }
    Ok(true)
}
