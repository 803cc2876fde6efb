//! Is a path that was listed gone by now? That a server says "not found" about a name is no proof: servers say it when
//! the name does not survive their character set, when access is denied, when the disk behind a folder is away. The only
//! proof is a new listing of its folder, complete beyond doubt, that no longer names it.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use futures_util::stream::{self, StreamExt as _};

use super::engine::{Broken, Engine};
use super::scan::store::Side;
use crate::model::{Fault, FaultKind, Name, Phase, RelPath, Retry};
use crate::remote::Remote;

/// Those of `paths` (in the naming of `side`) that are certainly gone. Every folder is listed once, however many of
/// its names are asked for.
///
/// # Errors
/// [`Broken`]: told to stop, or the side is out of reach.
pub(super) async fn gone(engine: &Engine, side: Side, paths: &[RelPath]) -> Result<HashSet<RelPath>, Broken> {
    let mut folders = BTreeMap::<RelPath, HashSet<Name>>::new();
    for path in paths {
        if let (Some(folder), Some(name)) = (path.parent(), path.name()) {
            folders.entry(folder).or_default().insert(name);
        }
    }
    let remote = engine.remote(side);
    let patience = Duration::from_secs(engine.order.policy.limits.listing_seconds.into());
    let looks = folders.into_iter().map(|(folder, names)| {
        let remote = &remote;
        async move {
            let look = engine.persist(|| async {
                let look = tokio::time::timeout(patience, missing(remote.as_ref(), &folder, &names)).await;
                Ok(look.unwrap_or_else(|_| Err(too_slow())))
            });
            let look = look.await?;
            let missing = look.unwrap_or_else(|fault| {
                tracing::debug!(folder = %folder.display(), fault = %fault, "a folder could not be looked at again");
                HashSet::new()
            });
            Ok::<_, Broken>(missing.iter().map(|name| folder.join(name)).collect::<Vec<_>>())
        }
    });
    let mut looks = stream::iter(looks).buffer_unordered(usize::from(engine.width(side)));
    let mut gone = HashSet::new();
    while let Some(missing) = looks.next().await {
        gone.extend(missing?);
    }
    Ok(gone)
}

/// A server that drips names without end proves nothing.
fn too_slow() -> Fault {
    Fault::new(Phase::List, FaultKind::Timeout, "the second listing of the folder did not end").retry(Retry::Never)
}

/// Those of `names` that `folder` certainly has no more.
async fn missing(remote: &dyn Remote, folder: &RelPath, names: &HashSet<Name>) -> Result<HashSet<Name>, Fault> {
    let mut lister = match remote.list(folder).await {
        Ok(lister) => lister,
        Err(fault) => return missing_with_folder(remote, folder, names, fault).await,
    };
    let mut left = names.clone();
    loop {
        match lister.next().await {
            Ok(Some(entries)) => {
                for entry in entries {
                    left.remove(&entry.name);
                }
            }
            Ok(None) => break,
            Err(fault) => return missing_with_folder(remote, folder, names, fault).await,
        }
    }
    if !lister.finish().await?.is_proven() {
        left.clear();
    }
    Ok(left)
}

/// The folder itself cannot be listed: its names are gone when the folder above proves that the folder is.
async fn missing_with_folder(
    remote: &dyn Remote,
    folder: &RelPath,
    names: &HashSet<Name>,
    fault: Fault,
) -> Result<HashSet<Name>, Fault> {
    let (Some(above), Some(name)) = (folder.parent(), folder.name()) else { return Err(fault) };
    if !may_be_gone(&fault) {
        return Err(fault);
    }
    let folder_too = Box::pin(missing(remote, &above, &HashSet::from([name]))).await?;
    Ok(if folder_too.is_empty() { HashSet::new() } else { names.clone() })
}

/// Could the fault mean that what was asked for is not there? Many servers say the same to what may not be entered.
pub(super) const fn may_be_gone(fault: &Fault) -> bool {
    matches!(fault.kind, FaultKind::Missing | FaultKind::Permission)
}
