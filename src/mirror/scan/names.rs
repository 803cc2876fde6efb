//! Are two listings of a folder the same? Compared without keeping their names.

use std::hash::{BuildHasher as _, RandomState};

use crate::model::{Entry, Fault};
use crate::remote::{Completeness, Doubt, Lister};

/// How many names there were, and a sum over them that does not depend on their order.
#[derive(Debug, Clone, Default)]
pub(super) struct Names {
    hasher: RandomState,
    count: u64,
    sum: u64,
}

impl Names {
    pub(super) fn add(&mut self, entries: &[Entry]) {
        for entry in entries {
            self.count += 1;
            self.sum = self.sum.wrapping_add(self.hasher.hash_one(entry.name.as_bytes()));
        }
    }

    /// With the same secret of the sums, and nothing counted yet.
    const fn another(self) -> Self {
        Self { hasher: self.hasher, count: 0, sum: 0 }
    }
}

/// Could somebody have cut the listing at a place where nothing shows it? Then a second one may.
pub(super) fn may_be_cut(listed: &Completeness) -> bool {
    match listed {
        Completeness::Proven { .. } => false,
        Completeness::Doubtful { doubts } => {
            doubts.iter().any(|doubt| matches!(doubt, Doubt::RoundCount { .. } | Doubt::Unsealed))
        }
    }
}

/// Reads the folder a second time and adds to `listed` the doubt that it shows, if any.
///
/// # Errors
/// The fault of the second listing.
pub(super) async fn compare(
    mut again: Box<dyn Lister>,
    first: Names,
    listed: Completeness,
) -> Result<Completeness, Fault> {
    let (count, sum) = (first.count, first.sum);
    let mut second = first.another();
    while let Some(entries) = again.next().await? {
        second.add(&entries);
    }
    again.finish().await?;
    if (second.count, second.sum) == (count, sum) {
        return Ok(listed);
    }
    let differs = Doubt::Differs { first: count, second: second.count };
    Ok(match listed {
        Completeness::Proven { .. } => Completeness::Doubtful { doubts: vec![differs] },
        Completeness::Doubtful { doubts } => {
            Completeness::Doubtful { doubts: doubts.into_iter().chain([differs]).collect() }
        }
    })
}
