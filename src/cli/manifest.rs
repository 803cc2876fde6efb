//! `causeway manifest …`.

use std::path::PathBuf;

use serde_json::json;

use crate::app::{Store, operator};
use crate::manifest::{self, Change, Check, Diff, Finding, ManifestError, PublicKey, Sealed, Verified, Written};
use crate::model::RunId;
use crate::task;
use crate::tree::file;

use super::args::{KeptVerb, ManifestDiff, ManifestStore, ManifestVerify};
use super::job::{find, jobs};
use super::summary::files;
use super::{Failure, Out, output, with_causes};

/// A public key is a line.
const MAX_KEY: usize = 4096;

impl From<ManifestError> for Failure {
    fn from(error: ManifestError) -> Self {
        Self::Unbelievable(with_causes(&error))
    }
}

/// What needs the store.
pub(super) async fn run(verb: KeptVerb, store: &Store) -> Result<(), Failure> {
    match verb {
        KeptVerb::Key(args) => key(store, &args).await,
        KeptVerb::List { job, store: args } => list(store, job.as_deref(), &args).await,
        KeptVerb::Write { run, store: args } => {
            let written = jobs(store).write_manifest(&operator(), RunId(run)).await?;
            told(&Out::new(args.format.json), &written)
        }
    }
}

/// File work; everything in it blocks, and nothing else waits for it.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Failure> + Send + 'static) -> Result<T, Failure> {
    task::blocking(work).await.map_err(|lost| Failure::new(lost.to_string()))?
}

/// Checks a manifest, and a tree against it.
pub(super) async fn verify(args: ManifestVerify) -> Result<(), Failure> {
    blocking(move || check(&args)).await
}

/// Compares two manifests.
pub(super) async fn diff(args: ManifestDiff) -> Result<(), Failure> {
    blocking(move || compare(&args)).await
}

async fn key(store: &Store, args: &ManifestStore) -> Result<(), Failure> {
    let out = Out::new(args.format.json);
    let manifests = manifest::Manifests::new(&store.folder);
    let key = blocking(move || Ok(manifests.key()?)).await?;
    let public = key.public().to_string();
    if out.json() { out.value(&json!({ "key": public })) } else { out.line(public) }
}

async fn list(store: &Store, job: Option<&str>, args: &ManifestStore) -> Result<(), Failure> {
    let out = Out::new(args.format.json);
    let job = match job {
        Some(named) => Some(find(&jobs(store), named).await?.id),
        None => None,
    };
    let manifests = manifest::Manifests::new(&store.folder);
    let kept = blocking(move || Ok(manifests.list(job)?)).await?;
    if out.json() {
        let all: Vec<_> = kept
            .iter()
            .map(|one| {
                let file = one.path.to_string_lossy();
                json!({ "job": one.job, "run": one.run, "file": file, "bytes": one.size, "written": one.written })
            })
            .collect();
        return out.value(&all);
    }
    if kept.is_empty() {
        return out.line("no manifests yet: a run that changes something writes one");
    }
    let row = |one: &manifest::Kept| {
        let written = format!("{:.0}", one.written);
        let file = one.path.display().to_string();
        vec![one.run.to_string(), one.job.to_string(), written, output::bytes(one.size), file]
    };
    out.table(&["run", "job", "written", "size", "file"], &kept.iter().map(row).collect::<Vec<_>>())
}

fn told(out: &Out, written: &Written) -> Result<(), Failure> {
    let Written { path, totals, sha256, key } = written;
    if out.json() {
        let file = path.to_string_lossy();
        let value = json!({ "file": file, "files": totals.files, "bytes": totals.bytes, "sha256": sha256, "key": key.to_string() });
        return out.value(&value);
    }
    out.line(format!("{}: {}, {}", path.display(), files(totals.files), output::bytes(totals.bytes)))?;
    out.line(format!("signed by {key}"))
}

/// The key itself, or a file that holds it.
fn wanted(key: Option<&str>) -> Result<Option<PublicKey>, Failure> {
    let Some(text) = key else { return Ok(None) };
    if let Ok(key) = text.parse() {
        return Ok(Some(key));
    }
    let path = PathBuf::from(text);
    let bytes = file::read_small(&path, MAX_KEY).map_err(|source| ManifestError::File { path, source })?;
    Ok(Some(String::from_utf8_lossy(&bytes).parse::<PublicKey>()?))
}

fn check(args: &ManifestVerify) -> Result<(), Failure> {
    let out = Out::new(args.format.json);
    let key = wanted(args.key.as_deref())?;
    let sealed = Sealed::open(&args.file, key.as_ref())?;
    let verified = sealed.verified();
    if !out.json() {
        introduce(&out, verified, key.is_some())?;
    }
    let Some(tree) = &args.tree else {
        return if out.json() { out.line(as_json(verified, key.is_some(), None)) } else { Ok(()) };
    };
    let mut told = Ok(());
    let counts = manifest::check::<Failure>(&sealed, tree, |finding| {
        // Nobody reading any more does not make the verdict better.
        if told.is_ok() {
            told = out.line(if out.json() { json_line(finding) } else { finding_line(finding) });
        }
        Ok(())
    })?;
    let told = told.and_then(|()| match out.json() {
        true => out.line(as_json(verified, key.is_some(), Some(&counts))),
        false => out.line(sum(&counts)),
    });
    Failure::judge(if counts.is_clean() { Ok(()) } else { Err(Failure::Said) }, told)
}

fn introduce(out: &Out, verified: &Verified, known: bool) -> Result<(), Failure> {
    let (header, totals) = (&verified.header, verified.totals);
    let verdict = serde_json::to_value(header.verdict).ok();
    let verdict = verdict.as_ref().and_then(|word| word.as_str()).unwrap_or_default();
    out.line(format!("run {} of '{}', {verdict}, written {:.0}", header.run, header.job_name, header.written))?;
    out.line(format!("{} → {}", header.source, header.target))?;
    out.line(format!("{}, {}, proof wanted: {}", files(totals.files), output::bytes(totals.bytes), header.proof))?;
    out.line(format!("the signature is right: {}", verified.key))?;
    if known {
        return Ok(());
    }
    out.line(
        "whose key that is, only --key can tell: compare it with 'causeway manifest key' on the machine that signed",
    )
}

fn as_json(verified: &Verified, known: bool, counts: Option<&Check>) -> String {
    json!({
        "signature": "right",
        "key": verified.key.to_string(),
        "key-was-given": known,
        "sha256": verified.sha256,
        "header": verified.header,
        "total": verified.totals,
        "tree": counts,
    })
    .to_string()
}

fn json_line<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

fn finding_line(finding: &Finding) -> String {
    let path = finding.path().display();
    match finding {
        Finding::Missing { .. } => format!("missing: {path}"),
        Finding::Extra { .. } => format!("extra: {path}"),
        Finding::Different { what, .. } => format!("different: {path}: {what}"),
        Finding::Unreadable { why, .. } if path.is_empty() => format!("cannot be read: the tree itself: {why}"),
        Finding::Unreadable { why, .. } => format!("cannot be read: {path}: {why}"),
    }
}

fn sum(counts: &Check) -> String {
    let mut parts = vec![format!("{} as the manifest says", files(counts.equal))];
    for (count, what) in [
        (counts.only_size, "have the right size, and no known content"),
        (counts.missing, "missing"),
        (counts.extra, "extra"),
        (counts.different, "different"),
        (counts.unreadable, "cannot be read"),
    ] {
        if count > 0 {
            parts.push(format!("{count} {what}"));
        }
    }
    parts.join(", ")
}

fn compare(args: &ManifestDiff) -> Result<(), Failure> {
    let out = Out::new(args.format.json);
    let key = wanted(args.key.as_deref())?;
    // Nothing is said on the word of a manifest that cannot be believed.
    let of = |path: &PathBuf| {
        Sealed::open(path, key.as_ref())
            .map_err(|error| Failure::Unbelievable(format!("{}: {}", path.display(), with_causes(&error))))
    };
    let (before, after) = (of(&args.before)?, of(&args.after)?);
    let mut told = Ok(());
    let counts = manifest::diff::<Failure>(&before, &after, |change| {
        if told.is_ok() {
            told = out.line(if out.json() { json_line(change) } else { change_line(change) });
        }
        Ok(())
    })?;
    let (before, after) = (before.verified(), after.verified());
    let told = told.and_then(|()| match out.json() {
        true => out.line(
            json!({ "before": before.header.run, "after": after.header.run, "same-key": before.key == after.key, "counts": counts })
                .to_string(),
        ),
        false => {
            if before.key != after.key {
                out.line(format!("signed by two keys: {} and {}", before.key, after.key))?;
            }
            out.line(difference(&counts))
        }
    });
    Failure::judge(if counts.is_empty() { Ok(()) } else { Err(Failure::Said) }, told)
}

fn change_line(change: &Change) -> String {
    let bytes = |size: &Option<u64>| size.map_or_else(|| "size unknown".to_owned(), output::bytes);
    match change {
        Change::Added { path, size } => format!("+ {} ({})", path.display(), bytes(size)),
        Change::Removed { path, size } => format!("- {} ({})", path.display(), bytes(size)),
        Change::Changed { path, before, after } if before == after => {
            format!("~ {} (other content, {})", path.display(), bytes(after))
        }
        Change::Changed { path, before, after } => {
            format!("~ {} ({} → {})", path.display(), bytes(before), bytes(after))
        }
        Change::Time { path } => format!("t {}", path.display()),
    }
}

fn difference(counts: &Diff) -> String {
    let unsure = match counts.unsure {
        0 => String::new(),
        count => format!(" ({count} of them by size and time only)"),
    };
    format!(
        "{} added, {} removed, {} changed, {} with another time only, {} the same{unsure}",
        counts.added, counts.removed, counts.changed, counts.time, counts.same
    )
}
