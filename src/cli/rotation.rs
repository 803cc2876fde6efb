//! `causeway host-key …`: the keys by which clients know the SFTP door, and how they are changed.

use serde_json::json;

use crate::app::{Store, operator};
use crate::audit::Event;
use crate::serve::sftp::{HostKey, HostKeyError, Rotation};
use crate::task;

use super::args::{HostKeyList, HostKeyVerb};
use super::{Failure, Out, with_causes};

/// Does what was asked.
pub(super) async fn run(verb: HostKeyVerb, store: &Store) -> Result<(), Failure> {
    let rotation = Rotation::of(&store.folder);
    let out = Out::new(false);
    match verb {
        HostKeyVerb::List(asked) => {
            let both = off(rotation, |rotation| Ok((rotation.used()?, rotation.next()?))).await?;
            list(&asked, both)
        }
        HostKeyVerb::Prepare => {
            for key in off(rotation, Rotation::prepare).await? {
                out.line(format!("{} ({}) is the next", key.fingerprint, key.algorithm))?;
            }
            out.line("tell your clients of them, then 'causeway host-key change'")
        }
        HostKeyVerb::Change => {
            let changed = off(rotation, Rotation::change).await?;
            if changed.is_empty() {
                return Err(Failure::new("no keys are prepared: make them with 'causeway host-key prepare'"));
            }
            for key in changed {
                let event = Event::HostKeyChanged { fingerprint: key.fingerprint.clone() };
                store.audit.record(&operator(), &event).await?;
                out.line(format!("{} ({}) is shown from the next start on", key.fingerprint, key.algorithm))?;
            }
            Ok(())
        }
    }
}

async fn off<T: Send + 'static>(
    rotation: Rotation,
    work: impl FnOnce(&Rotation) -> Result<T, HostKeyError> + Send + 'static,
) -> Result<T, Failure> {
    let done = task::blocking(move || work(&rotation)).await.map_err(|lost| Failure::new(lost.to_string()))?;
    done.map_err(|error| Failure::new(with_causes(&error)))
}

fn list(asked: &HostKeyList, (used, next): (Vec<HostKey>, Vec<HostKey>)) -> Result<(), Failure> {
    let out = Out::new(asked.format.json);
    let keys = || used.iter().map(|key| ("used", key)).chain(next.iter().map(|key| ("next", key)));
    if let Some(host) = &asked.known_hosts {
        return keys().try_for_each(|(_, key)| out.line(format!("{host} {}", key.public)));
    }
    if out.json() {
        let shown = keys().map(|(state, key)| {
            json!({"state": state, "algorithm": key.algorithm, "fingerprint": key.fingerprint, "public": key.public})
        });
        return out.value(&shown.collect::<Vec<_>>());
    }
    let rows: Vec<Vec<String>> =
        keys().map(|(state, key)| vec![state.to_owned(), key.algorithm.clone(), key.fingerprint.clone()]).collect();
    out.table(&["state", "kind", "fingerprint"], &rows)
}
