//! Which names a target takes for one: found by a try, since neither a protocol nor a file system's name tells it.

use data_encoding::HEXLOWER;

use super::Remote;
use crate::model::{Fault, FaultKind, Folds, NameError, Phase, RelPath};

/// Makes a file of our own in the root, looks for it by other names, and removes it.
///
/// # Errors
/// The target's.
pub async fn probe(remote: &dyn Remote) -> Result<Folds, Fault> {
    let mut random = [0; 6];
    crate::random::fill(&mut random)
        .map_err(|_| Fault::new(Phase::Open, FaultKind::Io, "the machine gives no random numbers"))?;
    let at = |tail: &str| {
        let bad = |error: NameError| Fault::new(Phase::Open, FaultKind::BadName, error.to_string());
        RelPath::new(format!(".causeway-probe-{}-{tail}", HEXLOWER.encode(&random))).map_err(bad)
    };
    // "é" is one code point here, and two there.
    let own = at("café")?;
    remote.write(&own, 0).await?.finish().await?;
    let looks = async {
        let case = remote.stat(&at("CAFÉ")?).await?.is_some();
        let normalization = remote.stat(&at("cafe\u{301}")?).await?.is_some();
        Ok(Folds { case, normalization })
    };
    let found = looks.await;
    remote.remove_file(&own).await?;
    found
}
