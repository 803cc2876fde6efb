//! How far a job's target is behind its source, and where its source is hot.

use jiff::Timestamp;

use crate::manners::{self, Finding};
use crate::mirror::Extent;
use crate::mirror::heat::{self, HotFolder};
use crate::mirror::lag::{self, Looks, Newest};
use crate::model::JobId;

use super::definition::Job;
use super::error::JobError;
use super::jobs::Jobs;
use super::run::store as runs;

/// So many hot folders are named.
const NAMED: u32 = 10;

/// Where a job stands.
#[derive(Debug, Clone)]
pub struct Standing {
    /// When its last complete looks began: everything that the source showed then is in the target.
    pub looks: Looks,
    /// The newest file that its last runs should copy and have not yet, or could not.
    pub newest: Option<Newest>,
    /// The folders that changed last.
    pub hot: Vec<HotFolder>,
}

impl Standing {
    /// In a sentence, as of `now`; none when no run has looked at everything.
    #[must_use]
    pub fn sentence(&self, now: Timestamp, show: impl Fn(Timestamp) -> String) -> Option<String> {
        let since = |at: Timestamp| format!("{} ({} ago)", show(at), ago(now, at));
        let looks = match (self.looks.whole, self.looks.hot) {
            (None, _) => return None,
            (Some(whole), Some(hot)) if hot > whole => {
                format!(
                    "everything that the source showed on {} is here, and of its hot folders on {}",
                    since(whole),
                    since(hot)
                )
            }
            (Some(whole), _) => format!("everything that the source showed on {} is here", since(whole)),
        };
        let Some(newest) = &self.newest else { return Some(looks) };
        let behind = format!("newest file not yet here: {}, {}", newest.path.display(), ago(now, newest.at));
        Some(if newest.files > 1 {
            format!("{looks}; {behind}, and {} more", newest.files - 1)
        } else {
            format!("{looks}; {behind}")
        })
    }
}

/// For people: 40 s, 12 min, 5 h, 3 days.
fn ago(now: Timestamp, at: Timestamp) -> String {
    let seconds = now.duration_since(at).as_secs().max(0);
    match seconds {
        ..=119 => format!("{seconds} s"),
        120..=7199 => format!("{} min", seconds / 60),
        7200..=172_799 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}

impl Jobs {
    /// How the server of a job's source bears to be asked, as far as runs have found out.
    ///
    /// # Errors
    /// What the store says.
    pub async fn manners(&self, job: &Job) -> Result<Vec<Finding>, JobError> {
        let known = manners::known(&self.db, &job.source.endpoint.server()).await?;
        Ok(known.map(|known| known.findings).unwrap_or_default())
    }

    /// Where a job stands.
    ///
    /// # Errors
    /// What the store says.
    pub async fn standing(&self, job: JobId) -> Result<Standing, JobError> {
        let since = self.now().saturating_sub(heat::HOT_FOR).unwrap_or(Timestamp::MIN);
        let mut newest: Option<Newest> = None;
        for extent in [Extent::Whole, Extent::Hot] {
            if let Some(run) = runs::last_real(self.db.read(), job, extent).await?
                && let Some(missing) = lag::store::newest_missing(&self.db, run.id).await?
                && newest.as_ref().is_none_or(|newest| newest.at < missing.at)
            {
                newest = Some(missing);
            }
        }
        Ok(Standing {
            looks: lag::store::looks(&self.db, job).await?,
            newest,
            hot: heat::store::hot(&self.db, job, since, NAMED).await?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::RelPath;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn said(whole: Option<i64>, hot: Option<i64>, newest: Option<(i64, u64)>) -> Option<String> {
        let newest =
            newest.map(|(second, files)| Newest { path: RelPath::new("in/a.csv").unwrap(), at: at(second), files });
        let looks = Looks { whole: whole.map(at), hot: hot.map(at) };
        let standing = Standing { looks, newest, hot: Vec::new() };
        standing.sentence(at(100_000), |at| format!("@{}", at.as_second()))
    }

    #[test]
    fn says_only_what_is_known() {
        assert_eq!(said(None, Some(99_960), None), None, "hot folders are not everything");
        assert_eq!(
            said(Some(90_000), None, None).unwrap(),
            "everything that the source showed on @90000 (2 h ago) is here"
        );
        assert_eq!(
            said(Some(90_000), Some(99_960), None).unwrap(),
            "everything that the source showed on @90000 (2 h ago) is here, and of its hot folders on @99960 (40 s ago)"
        );
        assert_eq!(
            said(Some(99_000), None, Some((99_960, 3))).unwrap(),
            "everything that the source showed on @99000 (16 min ago) is here; newest file not yet here: in/a.csv, 40 s, and 2 more"
        );
    }
}
