//! The signed manifest of what a job's target holds, written while the run still holds its lease: nobody changes the
//! target's records meanwhile.

use std::collections::BTreeMap;

use crate::audit::{Actor, Event, append};
use crate::manifest::{FORMAT, Header, Kept, ManifestError, Manifests, Verdict, Written};
use crate::mirror::proof::store as proofs;
use crate::mirror::{Counts, Ended, Extent, Policy, Summary};
use crate::model::{JobId, RelPath, RunId};
use crate::task;

use super::definition::Job;
use super::error::JobError;
use super::jobs::Jobs;
use super::run::{Run, RunFilter};

/// Files read from the store at once.
const PAGE: u32 = 2000;
/// Runs read from the store at once.
const RUNS: u32 = 500;

impl Jobs {
    /// The manifest that tells what the target held after `run`: its own, or the one of an earlier run since which
    /// nothing changed. None where there is none (any more).
    ///
    /// # Errors
    /// What the store or the folder says.
    pub async fn manifest_of(&self, run: &Run) -> Result<Option<Kept>, JobError> {
        let Some(manifests) = self.manifests.clone() else { return Ok(None) };
        let (job, id) = (run.job, run.id);
        let kept = task::blocking(move || manifests.list(Some(job))).await.map_err(lost)??;
        let Some(last) = kept.into_iter().rfind(|kept| kept.run <= id) else { return Ok(None) };
        let stands = last.run == id || !changed(self, job, last.run, Some(id)).await?;
        Ok(stands.then_some(last))
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
        let refuse = |why: String| Err(JobError::NoManifest { run: run.id, why });
        let Some(manifests) = &self.manifests else {
            return refuse("no folder for manifests is known here".to_owned());
        };
        let Some(summary) = run.summary.as_ref().filter(|_| run.state.is_over()) else {
            return refuse("it did not come to an end".to_owned());
        };
        if summary.dry_run {
            return refuse("it was a dry run, which changes nothing".to_owned());
        }
        if changed(self, run.job, run.id, None).await? {
            return refuse("a later run changed files: what the target held then is not known any more".to_owned());
        }
        let job = self.get(run.job).await?;
        let header = header(self, &job, &run, &job.policy, summary);
        write(self, manifests, actor, header).await
    }
}

/// At the end of a run's work: writes its manifest, if the policy wants one and anything changed since the last. That
/// it could not be written is a note in the summary: what was copied is there all the same.
pub(super) async fn after(jobs: &Jobs, run: &Run, policy: &Policy, mut summary: Summary) -> Summary {
    // What hot folders brought is told by the manifest of the next run over the whole tree.
    let over = !matches!(summary.ended, Ended::Stopped) && run.extent == Extent::Whole;
    if let Some(manifests) = jobs.manifests.as_ref().filter(|_| policy.manifest && over && !summary.dry_run)
        && let Err(error) = write_if_changed(jobs, manifests, run, policy, &summary).await
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

async fn write_if_changed(
    jobs: &Jobs,
    manifests: &Manifests,
    run: &Run,
    policy: &Policy,
    summary: &Summary,
) -> Result<(), JobError> {
    if !proofs::changed_files(&jobs.db, run.id).await? && jobs.manifest_of(run).await?.is_some() {
        return Ok(());
    }
    let job = jobs.get(run.job).await?;
    // As it was claimed it does not know yet when it began.
    let run = jobs.run(run.id).await?;
    write(jobs, manifests, &Actor::Job(run.job), header(jobs, &job, &run, policy, summary)).await.map(drop)
}

/// Page by page: neither the files nor the text are ever in memory as a whole.
async fn write(jobs: &Jobs, manifests: &Manifests, actor: &Actor, header: Header) -> Result<Written, JobError> {
    let (job, run, manifests) = (header.job, header.run, manifests.clone());
    let mut writer = task::blocking(move || manifests.begin(&header)).await.map_err(lost)??;
    let mut after = RelPath::root();
    loop {
        let page = proofs::entries(&jobs.db, job, &after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after = last.path.clone();
        let add = move || page.iter().try_for_each(|entry| writer.add(entry)).map(|()| writer);
        writer = task::blocking(add).await.map_err(lost)??;
    }
    let written = task::blocking(move || writer.finish()).await.map_err(lost)??;
    let (totals, sha256, key) = (written.totals, written.sha256.clone(), written.key.to_string());
    let event = Event::ManifestWritten { job, run, files: totals.files, bytes: totals.bytes, sha256, key };
    let mut tx = jobs.db.write().await?;
    append(&mut tx, jobs.now(), actor, &event).await?;
    jobs.commit(tx).await?;
    Ok(written)
}

fn header(jobs: &Jobs, job: &Job, run: &Run, policy: &Policy, summary: &Summary) -> Header {
    let now = jobs.now();
    Header {
        format: FORMAT,
        by: concat!("causeway ", env!("CARGO_PKG_VERSION")).to_owned(),
        written: now,
        job: job.id,
        job_name: job.name.clone(),
        run: run.id,
        source: job.source.endpoint.url(),
        target: job.target.endpoint.url(),
        started: run.started,
        ended: run.ended.unwrap_or(now),
        verdict: match summary.ended {
            Ended::Finished if summary.complete => Verdict::Complete,
            Ended::Finished => Verdict::Incomplete,
            Ended::Stopped | Ended::GaveUp { .. } => Verdict::Broken,
        },
        verified: summary.verified,
        proof: policy.proof.to_string(),
        unchanged: unchanged(&summary.counts).to_owned(),
        counts: numbers(&summary.counts),
    }
}

/// How the run knew that unchanged files were unchanged.
const fn unchanged(counts: &Counts) -> &'static str {
    match counts.files_rechecked {
        0 => "size-and-time",
        looked if looked >= counts.files_unchanged => "content",
        _ => "size-and-time, and the content of some",
    }
}

fn numbers(counts: &Counts) -> BTreeMap<String, u64> {
    let Ok(serde_json::Value::Object(fields)) = serde_json::to_value(counts) else { return BTreeMap::new() };
    fields.into_iter().filter_map(|(name, number)| Some((name, number.as_u64()?))).collect()
}

/// Did a run of the job behind `after`, up to `until`, change what a manifest tells, or is one about to?
async fn changed(jobs: &Jobs, job: JobId, after: RunId, until: Option<RunId>) -> Result<bool, JobError> {
    let mut before = until.map(|run| RunId(run.0.saturating_add(1)));
    loop {
        let page = jobs.runs(&RunFilter { job: Some(job), before, limit: RUNS, ..RunFilter::default() }).await?;
        for run in page.iter().filter(|run| run.id > after) {
            let under_way = until.is_none() && run.state.is_held();
            if under_way || proofs::changed_files(&jobs.db, run.id).await? {
                return Ok(true);
            }
        }
        match page.last() {
            Some(last) if last.id > after => before = Some(last.id),
            _ => return Ok(false),
        }
    }
}

pub(super) fn lost(error: task::Lost) -> JobError {
    JobError::Manifest(ManifestError::File {
        path: std::path::PathBuf::from("manifests"),
        source: std::io::Error::other(error),
    })
}
