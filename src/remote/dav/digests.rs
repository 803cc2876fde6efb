//! Asking for a file's hash without fetching the file: HEAD with the wish for one, and the property of ownCloud and
//! Nextcloud.

use std::sync::atomic::Ordering::Relaxed;

use super::checksum::{best, of_headers, of_property, wish};
use super::exchange::{Ask, ask};
use super::server::{Server, shown};
use crate::model::{Algorithm, Checksum, Fault, Phase, RelPath};

/// The first of `wanted` that the server tells of the file `path`; learns on the way what it tells at all.
///
/// # Errors
/// [`crate::model::FaultKind::Missing`] when nothing is there, and the faults of the connection.
pub(super) async fn of(server: &Server, path: &RelPath, wanted: &[Algorithm]) -> Result<Option<Checksum>, Fault> {
    let learned = server.learned();
    if learned.tells_nothing.load(Relaxed) {
        return Ok(None);
    }
    let what = format!("asking for the hash of {}", shown(path));
    // A server that hashes now has to read the file first.
    let within = server.pool.shared.deadlines().listing;
    let mut question = Ask::new("HEAD", server.names.file(path), Phase::Verify, &what, within);
    question.headers.extend(wish());
    let answer = ask(&server.pool, &question).await?;
    if answer.status != 200 {
        return Err(answer.refusal().await);
    }
    let mut told = of_headers(&answer.headers);
    answer.body.drain().await;
    if told.is_empty() {
        told = server.checksums(path, &what).await?.as_deref().map(of_property).unwrap_or_default();
    }
    if told.is_empty() && !learned.tells_checksums.load(Relaxed) {
        learned.tells_nothing.store(true, Relaxed);
    }
    for one in &told {
        learned.tells_checksums.store(true, Relaxed);
        if one.algorithm() == Algorithm::Sha256 {
            learned.tells_sha256.store(true, Relaxed);
        }
    }
    Ok(best(&told, wanted))
}
