//! `causeway audit …`.

use std::path::Path;

use serde_json::json;

use crate::app::{Store, operator};
use crate::audit::{Checkpoint, Filter, Verification};
use crate::tree::file;

use super::args::{AuditVerb, Format};
use super::{Failure, Out, output};

/// Does what was asked.
pub(super) async fn run(verb: AuditVerb, store: &Store) -> Result<(), Failure> {
    match verb {
        AuditVerb::Verify { checkpoint, format } => verify(store, checkpoint.as_deref(), format).await,
        AuditVerb::List { last, action, format } => list(store, last, action, format).await,
        AuditVerb::Checkpoint { file } => write_checkpoint(store, &file).await,
        AuditVerb::Export => export(store).await,
    }
}

async fn verify(store: &Store, checkpoint: Option<&Path>, format: Format) -> Result<(), Failure> {
    let checkpoint = checkpoint.map(read_checkpoint).transpose()?;
    let found = store.audit.verify(checkpoint.as_ref()).await?;
    let verdict = if found.is_sound() { Ok(()) } else { Err(Failure::Said) };
    Failure::judge(verdict, tell(&found, format))
}

fn tell(found: &Verification, format: Format) -> Result<(), Failure> {
    let out = Out::new(format.json);
    let damages: Vec<String> = found.damages.iter().map(ToString::to_string).collect();
    if out.json() {
        out.value(&json!({
            "sound": found.is_sound(),
            "entries": found.entries,
            "anchored": found.anchored,
            "damaged": found.damaged,
            "damages": damages,
            "head": { "entries": found.head.seq, "sha256": found.head.hash_hex() },
        }))?;
    } else {
        for damage in &damages {
            out.line(damage)?;
        }
        if found.damaged > damages.len() as u64 {
            out.line(format!("… and {} more", found.damaged - damages.len() as u64))?;
        }
        let count = found.entries;
        if !found.is_sound() {
            out.line(format!("{count} entries, {} damaged: the record was changed", found.damaged))?;
        } else if count == 0 {
            out.line("0 entries: an empty log proves nothing")?;
        } else if found.anchored {
            out.line(format!("{count} entries, all sound, and the checkpoint agrees"))?;
        } else {
            out.line(format!(
                "{count} entries, all sound; whether any were cut off at the end only a checkpoint tells"
            ))?;
        }
    }
    Ok(())
}

fn read_checkpoint(path: &Path) -> Result<Checkpoint, Failure> {
    let bytes = file::read_small(path, 4096)
        .map_err(|error| Failure::new(format!("the checkpoint {} cannot be read: {error}", path.display())))?;
    Ok(String::from_utf8_lossy(&bytes).parse()?)
}

async fn list(store: &Store, last: u32, action: Option<String>, format: Format) -> Result<(), Failure> {
    let out = Out::new(format.json);
    let mut records = Vec::new();
    let mut before = None;
    // A page of the log holds at most a thousand entries.
    while records.len() < last as usize {
        let limit = last - u32::try_from(records.len()).unwrap_or(last);
        let filter = Filter { action: action.clone(), before, limit: limit.min(1000), ..Filter::default() };
        let page = store.audit.page(&filter).await?;
        let Some(oldest) = page.last() else { break };
        before = Some(oldest.seq);
        records.extend(page);
    }
    records.reverse();
    for record in &records {
        if out.json() {
            out.line(&record.entry)?;
        } else {
            let rest = details(&record.entry);
            out.line(format!(
                "{:>6}  {:.0}  {:<18} {:<18} {rest}",
                record.seq, record.at, record.actor, record.action
            ))?;
        }
    }
    Ok(())
}

/// The event's own fields, as `name=value`.
fn details(entry: &str) -> String {
    let Ok(value) = serde_json::from_str::<serde_json::Value>(entry) else { return entry.to_owned() };
    let Some(fields) = value.get("event").and_then(serde_json::Value::as_object) else { return entry.to_owned() };
    let shown: Vec<String> = fields
        .iter()
        .filter(|(name, _)| *name != "action")
        .map(|(name, value)| match value {
            serde_json::Value::String(text) => format!("{name}={}", text.escape_debug()),
            other => format!("{name}={other}"),
        })
        .collect();
    shown.join(" ")
}

async fn write_checkpoint(store: &Store, path: &Path) -> Result<(), Failure> {
    let head = store.audit.checkpoint(&operator(), path).await.map_err(|error| {
        let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
        Failure::new(format!("the checkpoint {} was not written: {error}{cause}", path.display()))
    })?;
    Out::new(false).line(format!(
        "{} holds the head of {} entries: keep it where nobody who can change the log can write",
        path.display(),
        head.seq
    ))
}

async fn export(store: &Store) -> Result<(), Failure> {
    store
        .audit
        .export(|line| {
            output::raw(line)?;
            output::raw(b"\n")
        })
        .await
        .map(|_| ())
}
