//! Are two listings of a folder the same? Compared without keeping their names.

use crate::model::{Entry, Fault, Multiset};
use crate::remote::{Completeness, Doubt, Lister};

/// The names of a listing.
#[derive(Debug, Clone, Default)]
pub(super) struct Names(Multiset);

impl Names {
    pub(super) fn add(&mut self, entries: &[Entry]) {
        entries.iter().for_each(|entry| self.0.add(entry.name.as_bytes()));
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
    let mut second = Names(first.0.another());
    while let Some(entries) = again.next().await? {
        second.add(&entries);
    }
    again.finish().await?;
    if second.0.is(&first.0) {
        return Ok(listed);
    }
    let differs = Doubt::Differs { first: first.0.count(), second: second.0.count() };
    Ok(listed.doubted(differs))
}
