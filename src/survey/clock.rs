//! Does the server's clock show what it is believed to show? A few files are asked for their exact time.

use serde::{Deserialize, Serialize};

use crate::model::zone::{Learned, Pair, learn};
use crate::model::{Entry, EntryKind, Mtime, Precision, RelPath, ServerZone, TimeSource};
use crate::remote::Remote;
use crate::remote::faces::{Faces, exact};

/// So many files of each month are asked, and of those with a time to the second altogether.
const ASKED: usize = 3;
const COMPARED: usize = 8;

/// Files with a time to the minute, some of each month; and some with a time to the second.
#[derive(Debug)]
pub struct Sample {
    faces: Faces,
    exact: Vec<(RelPath, Mtime)>,
}

impl Default for Sample {
    fn default() -> Self {
        Self { faces: Faces::new(ASKED), exact: Vec::new() }
    }
}

/// What the exact times tell of the listing's clock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "clock", rename_all = "kebab-case")]
pub enum Verdict {
    /// It is of the zone that it was believed to be of.
    AsBelieved {
        /// Which.
        zone: ServerZone,
        /// Files that say so.
        files: usize,
        /// Of both summer and winter.
        whole_year: bool,
    },
    /// It is of another.
    Other {
        /// Which.
        zone: ServerZone,
        /// Files that say so.
        files: usize,
        /// Of both summer and winter.
        whole_year: bool,
        /// What it was believed to be of.
        believed: ServerZone,
    },
    /// The files disagree, or are too few.
    Unclear {
        /// What it was believed to be of.
        believed: ServerZone,
        /// Why it cannot be told.
        why: String,
    },
    /// The listing tells times to the second (MLSD, by its standard in UTC): so many agreed with the question for a
    /// single file, so many did not.
    Exact {
        /// Files of which both tell the same.
        agree: usize,
        /// Files of which they do not.
        differ: usize,
    },
    /// Nobody can tell.
    Silent,
}

impl Sample {
    /// Keeps the file at `path` if it may tell something that is not known well enough yet.
    pub fn add(&mut self, path: impl Fn() -> RelPath, entry: &Entry, zone: &ServerZone) {
        self.faces.add(&path, entry, zone);
        let told = |mtime: &Mtime| mtime.source == TimeSource::Mlsd && mtime.precision == Precision::Second;
        let mtime = entry.mtime.filter(|mtime| entry.kind == EntryKind::File && told(mtime));
        self.exact.extend(mtime.filter(|_| self.exact.len() < COMPARED).map(|mtime| (path(), mtime)));
    }

    /// What the exact times say about the server's clock, which was believed to be of `zone`. Asked one by one.
    pub async fn ask(&self, remote: &dyn Remote, zone: &ServerZone) -> Verdict {
        let pairs = self.faces.ask(remote, zone, 1).await;
        if pairs.is_empty() { Verdict::Silent } else { verdict(&learn(&pairs), &pairs, zone) }
    }

    /// Of listings that tell times to the second: does a question for a single file tell the same?
    pub async fn compare(&self, remote: &dyn Remote) -> Verdict {
        let (mut agree, mut differ) = (0, 0);
        for (path, listed) in &self.exact {
            match exact(remote, path).await {
                Some(told) if told.agrees(listed) => agree += 1,
                Some(_) => differ += 1,
                None => {}
            }
        }
        if agree + differ == 0 { Verdict::Silent } else { Verdict::Exact { agree, differ } }
    }
}

fn verdict(learned: &Learned, pairs: &[Pair], believed: &ServerZone) -> Verdict {
    match learned {
        Learned::Zone { zone, pairs: said, whole_year } => {
            let fits = pairs.iter().filter(|pair| {
                let apart = believed.face(pair.exact).duration_until(pair.face).as_secs();
                (-60..=60).contains(&apart)
            });
            let (files, whole_year) = (*said, *whole_year);
            if fits.count() >= files {
                Verdict::AsBelieved { zone: believed.clone(), files, whole_year }
            } else {
                Verdict::Other { zone: zone.clone(), files, whole_year, believed: believed.clone() }
            }
        }
        Learned::Doubt(why) => Verdict::Unclear { believed: believed.clone(), why: why.to_string() },
    }
}

impl Verdict {
    /// As a sentence; none when nobody can tell.
    #[must_use]
    pub fn sentence(&self) -> Option<String> {
        let season = |whole_year: &bool| if *whole_year { "" } else { ", of one season only" };
        Some(match self {
            Self::AsBelieved { zone, files, whole_year } => {
                format!("of zone {zone}, as the exact times of {files} files tell{}", season(whole_year))
            }
            Self::Other { zone, files, whole_year, believed } => format!(
                "not of zone {believed}; by the exact times of {files} files{} it is of zone {zone}: use --zone {zone}",
                season(whole_year)
            ),
            Self::Unclear { believed, why } => format!("not known to be of zone {believed}: {why}"),
            Self::Exact { agree, differ: 0 } => {
                format!("listings tell times to the second, and the times of {agree} single files agree with them")
            }
            Self::Exact { agree, differ } => format!(
                "listings tell times to the second, but of {} single files {differ} have another time when they are asked \
                 for",
                agree + differ
            ),
            Self::Silent => return None,
        })
    }
}
