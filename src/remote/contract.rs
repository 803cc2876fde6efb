//! What every implementation of [`Remote`] promises, as a suite that can be run against any of them.
//!
//! It works in folders of its own below the root that it is given, and says in words which promise was
//! broken.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;

use super::Remote;
use crate::model::{EntryKind, Fault, FaultKind, Mtime, Precision, RelPath, TimeSource};

/// A promise that was broken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{promise}: {found}")]
pub struct Broken {
    /// What should hold.
    pub promise: &'static str,
    /// What was found instead.
    pub found: String,
}

type Verdict = Result<(), Broken>;

fn hold(promise: &'static str, holds: bool, found: impl std::fmt::Debug) -> Verdict {
    if holds { Ok(()) } else { Err(Broken { promise, found: format!("{found:?}") }) }
}

fn works<T>(promise: &'static str, done: Result<T, Fault>) -> Result<T, Broken> {
    done.map_err(|fault| Broken { promise, found: format!("{:?} {}: {}", fault.phase, fault.kind, fault.message) })
}

fn path(bytes: impl AsRef<[u8]>) -> RelPath {
    RelPath::new(bytes).unwrap_or_default()
}

/// Runs the suite. The root must be writable and hold nothing named `contract*`. Names that are no UTF-8
/// are tried when `raw_names` says that the other side can keep them.
///
/// # Errors
/// The first promise that was broken.
pub async fn check(remote: &Arc<dyn Remote>, raw_names: bool) -> Verdict {
    missing_things(remote).await?;
    directories(remote).await?;
    whole_files(remote).await?;
    offsets(remote).await?;
    names(remote, raw_names).await?;
    attributes(remote).await?;
    renames(remote).await?;
    links(remote).await?;
    streaming(remote).await?;
    clean_up(remote).await
}

/// Writes a whole file.
async fn put(remote: &Arc<dyn Remote>, at: &RelPath, data: &[u8]) -> Result<u64, Fault> {
    let mut sink = remote.write(at, 0).await?;
    for chunk in data.chunks(100_000) {
        sink.write(Bytes::copy_from_slice(chunk)).await?;
    }
    sink.finish().await
}

/// Reads a file from `offset` on.
async fn get(remote: &Arc<dyn Remote>, at: &RelPath, offset: u64) -> Result<Vec<u8>, Fault> {
    let mut source = remote.read(at, offset, None).await?;
    let mut data = Vec::new();
    while let Some(bytes) = source.next().await? {
        data.extend_from_slice(&bytes);
    }
    source.finish().await?;
    Ok(data)
}

async fn list(remote: &Arc<dyn Remote>, dir: &RelPath) -> Result<(Vec<crate::model::Entry>, bool), Fault> {
    let mut lister = remote.list(dir).await?;
    let mut all = Vec::new();
    while let Some(mut entries) = lister.next().await? {
        all.append(&mut entries);
    }
    let proven = lister.finish().await?.is_proven();
    all.sort_by(|a, b| a.name.cmp(&b.name));
    Ok((all, proven))
}

async fn missing_things(remote: &Arc<dyn Remote>) -> Verdict {
    let nowhere = path("contract-nowhere");
    let stat = works("stat of a missing path is no fault", remote.stat(&nowhere).await)?;
    hold("stat of a missing path is None", stat.is_none(), stat)?;
    let below = works("stat below a missing path is no fault", remote.stat(&path("contract-nowhere/x")).await)?;
    hold("stat below a missing path is None", below.is_none(), below)?;
    let read = get(remote, &nowhere, 0).await;
    hold(
        "reading a missing file is a fault that says so",
        matches!(&read, Err(f) if f.kind == FaultKind::Missing),
        read,
    )?;
    let listed = list(remote, &nowhere).await;
    hold("listing a missing directory is a fault, not an empty listing", listed.is_err(), listed)
}

async fn directories(remote: &Arc<dyn Remote>) -> Verdict {
    let dir = path("contract");
    works("a directory can be made", remote.make_dir(&dir).await)?;
    works("making a directory that is there is fine", remote.make_dir(&dir).await)?;
    let (empty, proven) = works("an empty directory can be listed", list(remote, &dir).await)?;
    hold("an empty directory lists nothing", empty.is_empty(), &empty)?;
    hold("an empty directory is known to be complete", proven, proven)?;
    let orphan = remote.make_dir(&path("contract/no/child")).await;
    hold("a directory needs its parent", orphan.is_err(), orphan)?;
    let stat = works("stat of a directory", remote.stat(&dir).await)?;
    hold("stat tells a directory", stat.as_ref().is_some_and(|e| e.kind == EntryKind::Dir), stat)
}

fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|n| u8::try_from((n * 7 + n / 251) % 256).unwrap_or_default()).collect()
}

async fn whole_files(remote: &Arc<dyn Remote>) -> Verdict {
    for length in [0_usize, 1, 65_536, 300_001] {
        let (at, data) = (path(format!("contract/file-{length}")), pattern(length));
        let wrote = works("a file can be written", put(remote, &at, &data).await)?;
        hold("finish tells the length", wrote == data.len() as u64, wrote)?;
        let back = works("a file can be read", get(remote, &at, 0).await)?;
        hold("what is read is what was written", back == data, back.len())?;
        let stat = works("stat of a file", remote.stat(&at).await)?;
        hold("stat tells the size", stat.as_ref().is_some_and(|e| e.size == Some(data.len() as u64)), &stat)?;
        hold("stat tells a file", stat.as_ref().is_some_and(|e| e.kind == EntryKind::File), stat)?;
    }
    let at = path("contract/file-300001");
    works("a file can be written anew", put(remote, &at, b"short").await)?;
    let back = works("a file can be read", get(remote, &at, 0).await)?;
    hold("writing at offset 0 cuts what was there", back == b"short", back.len())
}

async fn offsets(remote: &Arc<dyn Remote>) -> Verdict {
    let (at, data) = (path("contract/offsets"), pattern(200_000));
    works("a file can be written", put(remote, &at, &data).await)?;
    if remote.capabilities().resume_read {
        let tail = works("reading may start at an offset", get(remote, &at, 150_000).await)?;
        hold("reading at an offset gives the rest", Some(tail.as_slice()) == data.get(150_000..), tail.len())?;
        let whole = works("an offset does not last", get(remote, &at, 0).await)?;
        hold("the next reading starts where it is told", whole == data, whole.len())?;
    }
    if remote.capabilities().resume_write {
        let mut sink = works("writing may start at an offset", remote.write(&at, 100_000).await)?;
        works("writing goes on", sink.write(Bytes::from_static(b"tail")).await)?;
        let length = works("writing ends", sink.finish().await)?;
        hold("finish tells the whole length", length == 100_004, length)?;
        let back = works("a file can be read", get(remote, &at, 0).await)?;
        hold(
            "writing at an offset keeps what is before and cuts what is behind",
            back.get(..100_000) == data.get(..100_000) && back.get(100_000..) == Some(b"tail".as_slice()),
            back.len(),
        )?;
        let beyond = remote.write(&at, 1_000_000).await.map(drop);
        hold("writing cannot start beyond the end", beyond.is_err(), beyond)?;
    }
    Ok(())
}

async fn names(remote: &Arc<dyn Remote>, raw: bool) -> Verdict {
    let dir = path("contract/names");
    works("a directory can be made", remote.make_dir(&dir).await)?;
    let mut wanted: Vec<Vec<u8>> = [
        "with blank",
        " leading",
        "-dash",
        "#hash",
        "per%20cent",
        "quote'\"",
        "br[1]",
        "star*",
        "Übung",
        "文件",
        ".hidden",
        "a;b=c",
    ]
    .iter()
    .map(|name| name.as_bytes().to_vec())
    .collect();
    if raw {
        wanted.push(vec![0xd6, 0xd0, 0xce, 0xc4]);
    }
    for name in &wanted {
        let at = path([b"contract/names/", name.as_slice()].concat());
        works("a file with an awkward name can be written", put(remote, &at, name).await)?;
        let back = works("a file with an awkward name can be read", get(remote, &at, 0).await)?;
        hold("the awkward name leads to its own file", &back == name, at)?;
    }
    let (entries, _) = works("a directory can be listed", list(remote, &dir).await)?;
    wanted.sort();
    let found: Vec<_> = entries.iter().map(|e| e.name.as_bytes().to_vec()).collect();
    hold(
        "a listing gives every name with its own bytes",
        found == wanted,
        entries.iter().map(|e| &e.name).collect::<Vec<_>>(),
    )?;
    let right = entries.iter().all(|e| e.kind == EntryKind::File && e.size == Some(e.name.as_bytes().len() as u64));
    hold("a listing tells kinds and sizes", right, &entries)
}

async fn attributes(remote: &Arc<dyn Remote>) -> Verdict {
    if !remote.capabilities().set_mtime {
        return Ok(());
    }
    let at = path("contract/times");
    works("a file can be written", put(remote, &at, b"x").await)?;
    let when = Timestamp::from_second(1_234_567_890).unwrap_or_default();
    let mtime = Mtime { at: when, precision: Precision::Second, source: TimeSource::FileSystem };
    works("a time can be set", remote.set_attributes(&at, Some(mtime), None).await)?;
    let stat = works("stat of a file", remote.stat(&at).await)?;
    hold(
        "the time that was set is told",
        stat.as_ref().and_then(|e| e.mtime).is_some_and(|m| m.at.as_second() == 1_234_567_890),
        stat,
    )
}

async fn renames(remote: &Arc<dyn Remote>) -> Verdict {
    let (from, to) = (path("contract/from"), path("contract/to"));
    works("a file can be written", put(remote, &from, b"new").await)?;
    works("a file can be written", put(remote, &to, b"old").await)?;
    let taken = remote.rename(&from, &to).await;
    hold("a name that is taken is said", matches!(&taken, Err(f) if f.kind == FaultKind::Exists), taken)?;
    let both = (works("a file can be read", get(remote, &from, 0).await)?, get(remote, &to, 0).await);
    hold("renaming never replaces", both == (b"new".to_vec(), Ok(b"old".to_vec())), both)?;
    exchanges(remote, &from, &to).await?;
    works("a file can be removed", remote.remove_file(&to).await)?;
    works("a file can be renamed to a free name", remote.rename(&from, &to).await)?;
    let back = works("a file can be read", get(remote, &to, 0).await)?;
    hold("renaming moves the content", back == b"new", back)?;
    let gone = works("stat of a missing path is no fault", remote.stat(&from).await)?;
    hold("the old name is gone", gone.is_none(), gone)?;
    works("a file can be removed", remote.remove_file(&to).await)?;
    let again = remote.remove_file(&to).await;
    hold("removing what is not there is a fault", again.is_err(), again)
}

/// Leaves both as they were.
async fn exchanges(remote: &Arc<dyn Remote>, from: &RelPath, to: &RelPath) -> Verdict {
    let nowhere = path("contract/nowhere");
    let missing = remote.exchange(from, &nowhere).await;
    hold("an exchange needs both", missing.is_err(), &missing)?;
    if !remote.capabilities().exchange {
        let unable = remote.exchange(from, to).await;
        let said = matches!(&unable, Err(f) if f.kind == FaultKind::Unsupported);
        return hold("who cannot exchange says so", said, unable);
    }
    hold("a missing side is said", matches!(&missing, Err(f) if f.kind == FaultKind::Missing), missing)?;
    for (first, second) in [("old", "new"), ("new", "old")] {
        works("two files can change places", remote.exchange(from, to).await)?;
        let one = works("a file can be read", get(remote, from, 0).await)?;
        let other = works("a file can be read", get(remote, to, 0).await)?;
        hold("an exchange moves both", one == first.as_bytes() && other == second.as_bytes(), (one, other))?;
    }
    Ok(())
}

async fn links(remote: &Arc<dyn Remote>) -> Verdict {
    let (dir, at) = (path("contract"), path("contract/link"));
    let made = remote.make_link(&at, b"names/../from").await;
    if !remote.capabilities().links {
        let said = matches!(&made, Err(f) if f.kind == FaultKind::Unsupported);
        return hold("who cannot make links says so", said, made);
    }
    works("a link can be made", made)?;
    let taken = remote.make_link(&at, b"other").await;
    hold("a link never replaces", matches!(&taken, Err(f) if f.kind == FaultKind::Exists), taken)?;
    let kind = EntryKind::Symlink(Some(b"names/../from".to_vec()));
    let stat = works("stat of a link", remote.stat(&at).await)?;
    hold("a link keeps its bytes", stat.as_ref().is_some_and(|e| e.kind == kind), stat)?;
    let names: BTreeSet<_> = [&at, &path("contract/nothing")].into_iter().filter_map(RelPath::name).collect();
    let found = works("names can be looked up", remote.look_up(&dir, &names).await)?;
    let only = found.len() == 1 && found.values().all(|entry| entry.kind == kind);
    hold("a look takes no link for what it leads to, and leaves out what is not there", only, found)?;
    works("a link can be removed", remote.remove_file(&at).await)
}

async fn streaming(remote: &Arc<dyn Remote>) -> Verdict {
    let dir = path("contract/many");
    works("a directory can be made", remote.make_dir(&dir).await)?;
    for n in 0..40 {
        works("a file can be written", put(remote, &path(format!("contract/many/{n:02}")), b"").await)?;
    }
    drop(works("a listing can be begun", remote.list(&dir).await)?);
    drop(works("a reading can be begun", remote.read(&path("contract/file-65536"), 0, None).await)?);
    let (entries, proven) = works("a listing works after an abandoned one", list(remote, &dir).await)?;
    hold("a listing names everything", entries.len() == 40, entries.len())?;
    hold("a listing that names everything is proven", proven, proven)?;
    let not_empty = remote.remove_dir(&dir).await;
    hold("a directory that is not empty is not removed", not_empty.is_err(), not_empty)
}

async fn clean_up(remote: &Arc<dyn Remote>) -> Verdict {
    for dir in ["contract/many", "contract/names", "contract"] {
        let dir = path(dir);
        let (entries, _) = works("a directory can be listed", list(remote, &dir).await)?;
        for entry in entries {
            works("a file can be removed", remote.remove_file(&dir.join(&entry.name)).await)?;
        }
        works("an empty directory can be removed", remote.remove_dir(&dir).await)?;
    }
    let gone = works("stat of a missing path is no fault", remote.stat(&path("contract")).await)?;
    hold("a removed directory is gone", gone.is_none(), gone)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Endpoint;
    use crate::reliability::Recorder;
    use crate::remote::memory::Memory;

    #[tokio::test]
    async fn memory_keeps_the_contract() {
        let remote: Arc<dyn Remote> = Arc::new(Memory::new());
        check(&remote, true).await.unwrap();
    }

    #[tokio::test]
    async fn a_local_folder_keeps_the_contract() {
        let folder = tempfile::tempdir().unwrap();
        let endpoint = Endpoint::local(folder.path().as_os_str().as_encoded_bytes());
        let ctx = crate::remote::Context {
            recorder: Recorder::discard(),
            manners: crate::manners::Manners::forgetful(),
            clock: Arc::new(crate::model::SystemClock),
            tasks: crate::task::Tasks::new(),
        };
        let remote = crate::remote::open(&endpoint, &ctx).await.unwrap();
        check(&remote, true).await.unwrap();
        let limited = crate::remote::layer::limited(remote, 1 << 30);
        check(&limited, true).await.unwrap();
    }
}
