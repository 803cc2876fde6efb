//! A listing and files of growing size, read as a copy reads them, by SFTP or WebDAV; and the end of one from its middle.

use tokio::time::{Instant, timeout};

use super::transfer::{SIZES, fitting};
use crate::diagnose::bench::Bench;
use crate::diagnose::evidence::{Fact, Moved, Outcome, Way};
use crate::model::{EntryKind, Fault, FaultKind, Phase, RelPath};
use crate::remote::{Completeness, Remote};

/// So many folders are looked into for files that are large enough.
const FOLDERS: usize = 5;
/// So many names of each are read.
const MOST: u64 = 20_000;

pub(super) async fn look(bench: &Bench) {
    let Some(remote) = bench.kept() else { return bench.leave_out("logging in does not work") };
    list(bench, &*remote).await;
    for (what, size) in SIZES {
        let files = bench.known().files;
        let Some((path, whole)) = fitting(&files, size) else {
            bench.leave_out(format!("{what}: there is no such file"));
            continue;
        };
        if bench.bytes_left() < size {
            bench.leave_out(format!("{what}: the budget of bytes is used up"));
            continue;
        }
        let moved = read(bench, &*remote, (what, path), (whole, size), 0).await;
        let broken = !moved.outcome.is_well();
        bench.see(String::from_utf8_lossy(path), Fact::Moved(moved));
        if broken {
            return;
        }
    }
    from_the_middle(bench, &*remote).await;
}

/// Broken transfers are gone on with: does that work?
async fn from_the_middle(bench: &Bench, remote: &dyn Remote) {
    let files = bench.known().files;
    let Some((path, whole)) = fitting(&files, 64 << 10) else { return };
    let middle = whole / 2;
    let rest = (whole - middle).min(4 << 20);
    if bench.bytes_left() < rest {
        return;
    }
    let moved = read(bench, remote, ("from its middle", path), (whole - middle, rest), middle).await;
    bench.see(String::from_utf8_lossy(path), Fact::Moved(moved));
}

async fn list(bench: &Bench, remote: &dyn Remote) {
    let mut folders = vec![RelPath::root()];
    let mut at = 0;
    while let Some(folder) = folders.get(at).cloned().filter(|_| at < FOLDERS) {
        at += 1;
        let begun = Instant::now();
        let against = format!("{} in /{}", bench.server(), folder.display());
        match timeout(bench.deadlines().listing, one_folder(bench, remote, &folder, &mut folders)).await {
            Ok(Ok((entries, admits))) => {
                bench.see(against, Fact::Listed { entries, unparsed: 0, undecodable: 0, admits });
            }
            Ok(Err(fault)) => {
                let outcome = Outcome::of(&fault, begun.elapsed());
                bench.see(against, Fact::Told { command: "a listing".to_owned(), outcome });
                return;
            }
            Err(_) => return bench.leave_out("the listing did not end in time"),
        }
        if bench.known().files.iter().any(|(_, size)| *size >= 4 << 20) {
            return;
        }
    }
}

/// How many names, and what the listing admits not to hold.
async fn one_folder(
    bench: &Bench,
    remote: &dyn Remote,
    folder: &RelPath,
    folders: &mut Vec<RelPath>,
) -> Result<(u64, Option<String>), Fault> {
    let mut lister = remote.list(folder).await?;
    let mut count = 0;
    while let Some(batch) = lister.next().await? {
        for entry in batch {
            count += 1;
            let path = folder.join(&entry.name);
            match entry.kind {
                EntryKind::Dir if folders.len() < 64 => folders.push(path),
                EntryKind::File => {
                    if let Some(size) = entry.size {
                        bench.learn(|known| known.files.push((path.as_bytes().to_vec(), size)));
                    }
                }
                _ => {}
            }
        }
        if count > MOST {
            return Ok((count, None));
        }
    }
    let doubts = match lister.finish().await? {
        Completeness::Proven { .. } => None,
        Completeness::Doubtful { doubts } => {
            Some(doubts.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
        }
    };
    Ok((count, doubts))
}

/// Reads `wanted` bytes at most of those that are left of a file from `offset` on.
async fn read(
    bench: &Bench,
    remote: &dyn Remote,
    (what, path): (&str, &[u8]),
    (left, wanted): (u64, u64),
    offset: u64,
) -> Moved {
    let (begun, wanted) = (Instant::now(), wanted.min(left));
    let mut bytes = 0;
    let taken = async {
        let path =
            RelPath::new(path).map_err(|error| Fault::new(Phase::Open, FaultKind::BadName, error.to_string()))?;
        let mut source = remote.read(&path, offset, Some(offset + left)).await?;
        while let Some(piece) = source.next().await? {
            bytes += piece.len() as u64;
            if bytes >= wanted && wanted < left {
                source.stop().await;
                return Ok(());
            }
        }
        source.finish().await.map(drop)
    };
    let outcome = match timeout(bench.limits.time, taken).await {
        Ok(Ok(())) => Outcome::well(begun.elapsed()),
        Ok(Err(fault)) => Outcome::of(&fault, begun.elapsed()),
        Err(_) => Outcome { failed: Some(FaultKind::Stalled), ..Outcome::well(begun.elapsed()) },
    };
    bench.spend(bytes);
    Moved {
        what: what.to_owned(),
        way: Way::Untold,
        wanted: Some(wanted),
        bytes,
        segment: None,
        resumed: None,
        farewell: None,
        outcome,
        closing: None,
    }
}
