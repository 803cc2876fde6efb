//! The signed manifest of what a job's target holds, written while the run still holds its lease: nobody changes the
//! target's records meanwhile.

use std::collections::BTreeMap;

use crate::audit::{Actor, Event, append};
use crate::manifest::{FORMAT, Header, Kept, ManifestError, Manifests, Verdict, Written};
use crate::mirror::proof::store as proofs;
use crate::mirror::{Counts, Ended, Extent, Records, Summary};
use crate::model::{JobId, RelPath, RunId};
use crate::task;

use super::definition::Job;
use super::error::JobError;
use super::jobs::Jobs;
use super::run::Run;

/// Files read from the store at once.
const PAGE: u32 = 2000;

impl Jobs {
    /// The manifest that tells what the target held after `run`: its own, or the one of an earlier run that left the
    /// same records. None where there is none (any more).
    ///
    /// # Errors
    /// What the store or the folder says.
    pub async fn manifest_of(&self, run: &Run) -> Result<Option<Kept>, JobError> {
        let records = run.summary.as_ref().and_then(|summary| summary.records);
        last_manifest(self, run.job, run.id, records).await
    }

    /// All manifests that are kept, and the installation's public key.
    #[must_use]
    pub const fn manifests(&self) -> Option<&Manifests> {
        self.manifests.as_ref()
    }

    /// Writes the manifest of `run`, which has to be over, and the last of its job that changed anything.
    ///
    /// # Errors
    /// [`JobError::NoManifest`] when what the target held then is not known any more; what the store or the folder
    /// says.
    pub async fn write_manifest(&self, actor: &Actor, run: RunId) -> Result<Written, JobError> {
        let run = self.run(run).await?;
        let refuse = |why: &str| Err(JobError::NoManifest { run: run.id, why: why.to_owned() });
        let Some(manifests) = &self.manifests else {
            return refuse("no folder for manifests is known here");
        };
        let Some(summary) = run.summary.as_ref().filter(|_| run.state.is_over()) else {
            return refuse("it did not come to an end");
        };
        if summary.dry_run {
            return refuse("it was a dry run, which changes nothing");
        }
        if run.extent == Extent::Hot {
            return refuse("it looked only at folders in which something changed lately");
        }
        let job = self.get(run.job).await?;
        let Some((header, records)) = header(self, &job, &run, summary) else {
            return refuse(
                "it did not note what it was told and what the target held then, as an earlier version ran it",
            );
        };
        write(self, manifests, actor, header, records).await
    }
}

/// The last manifest of a job up to `run`, when it is the run's own, or of a run that left the same `records`.
async fn last_manifest(
    jobs: &Jobs,
    job: JobId,
    run: RunId,
    records: Option<Records>,
) -> Result<Option<Kept>, JobError> {
    let Some(manifests) = jobs.manifests.clone() else { return Ok(None) };
    let kept = task::blocking(move || manifests.list(Some(job))).await.map_err(lost)??;
    let Some(last) = kept.into_iter().rfind(|kept| kept.run <= run) else { return Ok(None) };
    if last.run == run {
        return Ok(Some(last));
    }
    let then = match jobs.run(last.run).await {
        Ok(earlier) => earlier.summary.and_then(|summary| summary.records),
        Err(JobError::NoRun(_)) => None,
        Err(error) => return Err(error),
    };
    Ok(Some(last).filter(|_| records.is_some() && records == then))
}

/// At the end of a run's work: writes its manifest, if it is `wanted` and anything changed since the last. That it could
/// not be written is a note in the summary: what was copied is there all the same.
pub(super) async fn after(jobs: &Jobs, run: &Run, wanted: bool, mut summary: Summary) -> Summary {
    // What hot folders brought is told by the manifest of the next run over the whole tree.
    let over = !matches!(summary.ended, Ended::Stopped) && run.extent == Extent::Whole;
    if let Some(manifests) = jobs.manifests.as_ref().filter(|_| wanted && over && !summary.dry_run)
        && let Err(error) = write_if_changed(jobs, manifests, run, &summary).await
    {
        let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
        tracing::error!(run.id = %run.id, error = %error, cause, "the manifest of a run was not written");
        let id = run.id;
        summary.notes.push(format!(
            "the manifest was not written ({error}{cause}): when that is cured, 'causeway manifest write {id}' writes it"
        ));
    }
    summary
}

async fn write_if_changed(jobs: &Jobs, manifests: &Manifests, run: &Run, summary: &Summary) -> Result<(), JobError> {
    if last_manifest(jobs, run.job, run.id, summary.records).await?.is_some_and(|last| last.run < run.id) {
        return Ok(());
    }
    let job = jobs.get(run.job).await?;
    // As it was claimed it does not know yet when it began.
    let run = jobs.run(run.id).await?;
    let Some((header, records)) = header(jobs, &job, &run, summary) else { return Ok(()) };
    write(jobs, manifests, &Actor::Job(run.job), header, records).await.map(drop)
}

/// Page by page: neither the files nor the text are ever in memory as a whole. Before the first page and behind the last
/// one the records have to be those that the run left: so they were in between.
async fn write(
    jobs: &Jobs,
    manifests: &Manifests,
    actor: &Actor,
    header: Header,
    records: Records,
) -> Result<Written, JobError> {
    let (job, run, manifests) = (header.job, header.run, manifests.clone());
    still_there(jobs, job, run, records).await?;
    let mut writer = task::blocking(move || manifests.begin(&header)).await.map_err(lost)??;
    let mut after = RelPath::root();
    loop {
        let page = proofs::entries(&jobs.db, job, &after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after = last.path.clone();
        let add = move || page.iter().try_for_each(|entry| writer.add(entry)).map(|()| writer);
        writer = task::blocking(add).await.map_err(lost)??;
    }
    still_there(jobs, job, run, records).await?;
    let written = task::blocking(move || writer.finish()).await.map_err(lost)??;
    let (totals, sha256, key) = (written.totals, written.sha256.clone(), written.key.to_string());
    let event = Event::ManifestWritten { job, run, files: totals.files, bytes: totals.bytes, sha256, key };
    let mut tx = jobs.db.write().await?;
    append(&mut tx, jobs.now(), actor, &event).await?;
    jobs.commit(tx).await?;
    Ok(written)
}

/// Refuses when the job's records are not those any more that `run` left.
async fn still_there(jobs: &Jobs, job: JobId, run: RunId, records: Records) -> Result<(), JobError> {
    if proofs::records(&jobs.db, job).await? == records {
        return Ok(());
    }
    let why = "a later run changed files: what the target held then is not known any more".to_owned();
    Err(JobError::NoManifest { run, why })
}

/// What the run was told and did, and the records that it left; none when it noted neither.
fn header(jobs: &Jobs, job: &Job, run: &Run, summary: &Summary) -> Option<(Header, Records)> {
    let (orders, records) = (summary.orders.as_ref()?, summary.records?);
    let now = jobs.now();
    let header = Header {
        format: FORMAT,
        by: concat!("causeway ", env!("CARGO_PKG_VERSION")).to_owned(),
        written: now,
        job: job.id,
        job_name: job.name.clone(),
        run: run.id,
        source: orders.source.clone(),
        target: orders.target.clone(),
        started: run.started,
        ended: run.ended.unwrap_or(now),
        verdict: match summary.ended {
            Ended::Finished if summary.complete => Verdict::Complete,
            Ended::Finished => Verdict::Incomplete,
            Ended::Stopped | Ended::GaveUp { .. } => Verdict::Broken,
        },
        verified: summary.verified,
        proof: orders.proof.to_string(),
        unchanged: unchanged(&summary.counts).to_owned(),
        counts: numbers(&summary.counts),
    };
    Some((header, records))
}

/// How the run knew that unchanged files were unchanged.
const fn unchanged(counts: &Counts) -> &'static str {
    match counts.files_rechecked {
        0 => "size-and-time",
        same if same >= counts.files_unchanged => "content",
        _ => "size-and-time, and the content of some",
    }
}

fn numbers(counts: &Counts) -> BTreeMap<String, u64> {
    let Ok(serde_json::Value::Object(fields)) = serde_json::to_value(counts) else { return BTreeMap::new() };
    fields.into_iter().filter_map(|(name, number)| Some((name, number.as_u64()?))).collect()
}

pub(super) fn lost(error: task::Lost) -> JobError {
    JobError::Manifest(ManifestError::File {
        path: std::path::PathBuf::from("manifests"),
        source: std::io::Error::other(error),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_is_claimed_only_where_all_unchanged_files_were_looked_at() {
        let told = |files_unchanged, files_rechecked, files_unseen| {
            unchanged(&Counts { files_unchanged, files_rechecked, files_unseen, ..Counts::default() })
        };
        assert_eq!(told(4, 4, 0), "content");
        assert_eq!(told(4, 0, 0), "size-and-time");
        assert_eq!(told(4, 2, 1), "size-and-time, and the content of some");
        // Those that were found to be other are none of the unchanged ones.
        assert_eq!(told(3, 1, 2), "size-and-time, and the content of some");
        assert_eq!(told(1, 0, 1), "size-and-time");
    }
}
