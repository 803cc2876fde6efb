//! The manifest of a run: what its page says of it, and the file itself.

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse as _, Response};

use crate::drive::FileBody;
use crate::job::Run;
use crate::manifest::Kept;
use crate::model::RunId;
use crate::task;
use crate::tree::file;
use crate::web::problem::Problem;
use crate::web::show;
use crate::web::state::WebState;

/// What a run proved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProofShown {
    /// "12 files by stream-hash"; empty when it proved nothing.
    pub methods: String,
    pub manifest: Option<ManifestShown>,
}

/// The manifest that tells what the target held after the run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestShown {
    /// Whose it is.
    pub said: String,
    pub href: String,
    pub size: String,
    /// The installation's public key.
    pub key: String,
}

impl ProofShown {
    /// None where there is nothing to say: the run is under way, or proved nothing and has no manifest.
    pub(super) async fn of(state: &WebState, run: &Run) -> Result<Option<Self>, Problem> {
        let Some(summary) = run.summary.as_ref().filter(|summary| run.state.is_over() && !summary.dry_run) else {
            return Ok(None);
        };
        let one = |(how, count): (&String, &u64)| format!("{} by {how}", show::plural(*count, "file", "files"));
        let methods = summary.proofs.iter().map(one).collect::<Vec<_>>().join(", ");
        let manifest = match state.jobs.manifest_of(run).await? {
            Some(kept) => Some(shown(state, run, &kept).await?),
            None => None,
        };
        let silent = methods.is_empty() && manifest.is_none();
        Ok((!silent).then_some(Self { methods, manifest }))
    }
}

async fn shown(state: &WebState, run: &Run, kept: &Kept) -> Result<ManifestShown, Problem> {
    let said = if kept.run == run.id {
        "The signed manifest names every file that the target was known to hold after this run, and how each was proven.".to_owned()
    } else {
        format!(
            "Nothing changed since run {}: its signed manifest still names every file that the target is known to hold.",
            kept.run
        )
    };
    let key = match state.jobs.manifests().cloned() {
        Some(manifests) => task::blocking(move || manifests.key()).await?.map_err(crate::job::JobError::from)?,
        None => return Err(Problem::Missing),
    };
    let key = key.public().to_string();
    Ok(ManifestShown { said, href: format!("/runs/{}/manifest", run.id), size: show::bytes(kept.size), key })
}

/// `GET /runs/{id}/manifest`: the file, to be saved.
pub(in crate::web) async fn download(State(state): State<WebState>, Path(id): Path<i64>) -> Result<Response, Problem> {
    let run = state.jobs.run(RunId(id)).await?;
    let kept = state.jobs.manifest_of(&run).await?.ok_or(Problem::Missing)?;
    let name = kept.file_name();
    let reader = task::blocking(move || file::open(&kept.path)).await??;
    let length = reader.len();
    let about = [
        (header::CONTENT_TYPE, "application/jsonl; charset=utf-8".to_owned()),
        (header::CONTENT_LENGTH, length.to_string()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
        (header::CACHE_CONTROL, "private, no-cache".to_owned()),
    ];
    Ok((about, Body::new(FileBody::whole(reader))).into_response())
}
