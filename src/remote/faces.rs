//! Files by which the clock of a server's listings can be told: what it shows for them, and the exact time on request.

use futures_util::StreamExt;

use crate::model::zone::{FEWEST, Pair};
use crate::model::{Entry, EntryKind, Mtime, Precision, RelPath, ServerZone, TimeSource};

use super::Remote;

/// After so many answers without an exact time no more are asked.
const VAIN: usize = 3;

/// Files with a time to the minute, some of each month.
#[derive(Debug)]
pub struct Faces {
    most: usize,
    months: [Vec<(RelPath, Mtime)>; 12],
}

/// So many of a month tell the zone by themselves.
const ENOUGH: usize = FEWEST;

impl Default for Faces {
    fn default() -> Self {
        Self::new(ENOUGH)
    }
}

impl Faces {
    /// None yet, and never more than `most` of a month.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self { most, months: Default::default() }
    }

    /// Keeps the file at `path`, which a clock of `zone` lists, if more of its month are wanted.
    pub fn add(&mut self, path: impl FnOnce() -> RelPath, entry: &Entry, zone: &ServerZone) {
        let told = |mtime: &Mtime| mtime.source == TimeSource::List && mtime.precision == Precision::Minute;
        let Some(mtime) = entry.mtime.filter(|mtime| entry.kind == EntryKind::File && told(mtime)) else { return };
        if self.months.iter().all(|files| files.len() >= self.most) {
            return;
        }
        let month = Pair { face: zone.face(mtime.at), exact: mtime.at }.month();
        if let Some(files) = self.months.get_mut(month).filter(|files| files.len() < self.most) {
            files.push((path(), mtime));
        }
    }

    /// Of which months there are files.
    #[must_use]
    pub fn months(&self) -> [bool; 12] {
        self.months.each_ref().map(|files| !files.is_empty())
    }

    /// Asks for their exact times, `at_once` at a time; those of which none is told are left out.
    pub async fn ask(&self, remote: &dyn Remote, zone: &ServerZone, at_once: usize) -> Vec<Pair> {
        let files: Vec<_> = self.months.iter().flatten().cloned().collect();
        let asked = files.into_iter().map(|(path, listed)| async move {
            exact(remote, &path).await.map(|told| Pair { face: zone.face(listed.at), exact: told.at })
        });
        let mut answers = futures_util::stream::iter(asked).buffered(at_once.max(1));
        let (mut pairs, mut vain) = (Vec::new(), 0);
        while let Some(answer) = answers.next().await {
            match answer {
                Some(pair) => pairs.push(pair),
                None => vain += 1,
            }
            if vain >= VAIN && pairs.is_empty() {
                break;
            }
        }
        pairs
    }
}

/// The time of a single file, where the server tells that exactly.
pub async fn exact(remote: &dyn Remote, path: &RelPath) -> Option<Mtime> {
    let told = remote.stat(path).await.ok().flatten().and_then(|entry| entry.mtime);
    told.filter(|told| matches!(told.source, TimeSource::Mdtm | TimeSource::Mlsd))
}
