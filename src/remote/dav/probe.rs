//! What a server really does, tried once on files of our own: does it keep times, and by which of the ways that there
//! are; does a MOVE replace what it must not; does it tell hashes. What servers say of themselves is not asked for.

use std::sync::atomic::Ordering::Relaxed;

use bytes::Bytes;
use data_encoding::HEXLOWER;
use http::HeaderValue;
use jiff::Timestamp;

use super::digests;
use super::entry::of_http;
use super::exchange::{Ask, ask};
use super::learned::TimeProperty;
use super::server::Server;
use crate::model::{Algorithm, Fault, FaultKind, Name, Phase, RelPath};

/// Times that no clock shows.
const BY_PUT: i64 = 1_000_000_001;
const BY_PROPERTY: i64 = 1_100_000_001;

/// Tries it, in the root of the endpoint, and leaves nothing there.
///
/// # Errors
/// The server's no to the first file: nothing can be written there.
pub(super) async fn run(server: &Server) -> Result<(), Fault> {
    let mut random = [0; 6];
    let _any_name_will_do = crate::random::fill(&mut random).is_ok();
    let name = |which: &str| {
        Name::new(format!(".causeway-probe-{}-{which}", HEXLOWER.encode(&random)))
            .map(|name| RelPath::root().join(&name))
            .map_err(|error| Fault::new(Phase::Open, FaultKind::BadName, error.to_string()))
    };
    let (one, other) = (name("a")?, name("b")?);
    let tried = trials(server, &one, &other).await;
    for path in [&one, &other] {
        match server.delete(path, false).await {
            Err(fault) if fault.kind != FaultKind::Missing => {
                tracing::info!(fault = %fault, "a file that was only a test could not be removed");
            }
            _ => {}
        }
    }
    let learned = server.learned();
    tracing::info!(
        endpoint = %server.pool.shared.endpoint, put_sets_time = learned.put_sets_time.load(Relaxed),
        property = ?learned.time_property(), safe = learned.move_is_safe.load(Relaxed),
        sha256 = learned.tells_sha256.load(Relaxed), "tried what the server keeps"
    );
    tried
}

async fn trials(server: &Server, one: &RelPath, other: &RelPath) -> Result<(), Fault> {
    put(server, one).await?;
    // What the server says to it ("X-OC-Mtime: accepted") some forget to say, and others say for nothing.
    let shows = |at| async move { Ok::<_, Fault>(time(server, one).await? == Some(at)) };
    let (learned, by_put) = (server.learned(), shows(BY_PUT).await?);
    learned.put_sets_time.store(by_put, Relaxed);
    // Where the time comes with the file, only the property that shows it is believed in: rclone takes another one, and
    // has forgotten it minutes later.
    let properties = TimeProperty::ALL.iter().filter(|property| !by_put || **property == TimeProperty::Live);
    for (at, property) in (BY_PROPERTY..).zip(properties) {
        let mtime = of_http(Timestamp::from_second(at).unwrap_or_default());
        // Some say yes and keep nothing: what the server shows afterwards counts.
        let said = server.set_time(one, (*property, mtime), false).await;
        if said.is_ok() && shows(at).await? {
            learned.set_time_property(*property);
            break;
        }
    }
    put(server, other).await?;
    let refused = matches!(server.rename(one, other, false).await, Err(fault) if fault.kind == FaultKind::Exists);
    learned.move_is_safe.store(refused, Relaxed);
    digests::of(server, other, Algorithm::ALL).await.map(drop)
}

/// Writes a small file that brings its time.
async fn put(server: &Server, path: &RelPath) -> Result<(), Fault> {
    let what = "writing a file into the folder, to see whether that works";
    let order = Ask::new("PUT", server.names.file(path), Phase::Open, what, server.within())
        .with("x-oc-mtime", HeaderValue::from(BY_PUT))
        .with("content-type", HeaderValue::from_static("application/octet-stream"));
    let answer = ask(&server.pool, &Ask { body: Bytes::from_static(b"causeway"), ..order }).await?;
    match answer.done().await {
        Err(fault) if fault.evidence.code == Some(423) => Err(server.locked(path, fault).await),
        done => done,
    }
}

async fn time(server: &Server, path: &RelPath) -> Result<Option<i64>, Fault> {
    Ok(server.stat(path).await?.and_then(|entry| entry.mtime).map(|mtime| mtime.at.as_second()))
}
