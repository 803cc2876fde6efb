//! Does the server's clock show what it is believed to show? A few files are asked for their exact time.

use crate::model::zone::{Learned, Pair, learn};
use crate::model::{Entry, EntryKind, Mtime, Name, Precision, RelPath, ServerZone, TimeSource};
use crate::remote::Remote;

/// So many files of each season are asked.
const ASKED: usize = 8;
/// After so many answers without an exact time no more are asked.
const VAIN: usize = 3;

/// Files with a time to the minute, some of each season.
#[derive(Debug, Default)]
pub struct Sample {
    seasons: [Vec<(Name, Mtime)>; 4],
}

impl Sample {
    /// Keeps the entry if it may tell something that is not known well enough yet.
    pub fn add(&mut self, entry: &Entry, zone: &ServerZone) {
        let Some(mtime) = entry.mtime.filter(|mtime| is_listed(mtime) && entry.kind == EntryKind::File) else { return };
        let season = usize::try_from(zone.face(mtime.at).month() % 12 / 3).unwrap_or_default();
        if let Some(files) = self.seasons.get_mut(season).filter(|files| files.len() < ASKED) {
            files.push((entry.name.clone(), mtime));
        }
    }

    /// A sentence about the server's clock, which was believed to be of `zone`; none when nobody can tell.
    pub async fn ask(&self, remote: &dyn Remote, zone: &ServerZone) -> Option<String> {
        let (mut pairs, mut vain) = (Vec::new(), 0);
        for (name, listed) in self.seasons.iter().flatten() {
            if vain >= VAIN && pairs.is_empty() {
                return None;
            }
            let told = remote.stat(&RelPath::root().join(name)).await.ok().flatten().and_then(|entry| entry.mtime);
            match told.filter(|told| matches!(told.source, TimeSource::Mdtm | TimeSource::Mlsd)) {
                Some(told) => pairs.push(Pair { face: zone.face(listed.at), exact: told.at }),
                None => vain += 1,
            }
        }
        if pairs.is_empty() { None } else { Some(sentence(&learn(&pairs), &pairs, zone)) }
    }
}

const fn is_listed(mtime: &Mtime) -> bool {
    matches!(mtime.source, TimeSource::List) && matches!(mtime.precision, Precision::Minute)
}

fn sentence(learned: &Learned, pairs: &[Pair], believed: &ServerZone) -> String {
    match learned {
        Learned::Zone { zone, pairs: said, whole_year } => {
            let season = if *whole_year { "" } else { ", of one season only" };
            let fits = pairs.iter().filter(|pair| {
                let apart = believed.face(pair.exact).duration_until(pair.face).as_secs();
                (-60..=60).contains(&apart)
            });
            if fits.count() >= *said {
                format!("clock: of zone {believed}, as the exact times of {said} files tell{season}")
            } else {
                format!(
                    "clock: not of zone {believed}; by the exact times of {said} files{season} it is of zone {zone}: use \
                     --zone {zone}"
                )
            }
        }
        Learned::Doubt(why) => format!("clock: not known to be of zone {believed}: {why}"),
    }
}
