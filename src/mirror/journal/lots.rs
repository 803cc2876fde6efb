//! Many small changes of different items as few statements: each statement is a journey to the database's thread and
//! back, which costs more than the row that it brings.
//!
//! Changes of one item keep their order, those of different items do not mind each other. So a batch is cut into
//! *lots*: within one, every item goes through its steps at most once and in the order of their ranks, and the lot can
//! be stored step by step instead of item by item.

pub(super) mod store;

use std::collections::HashMap;

use super::{Attempt, Change, FileRow};
use crate::audit::Event;
use crate::mirror::marks::Prefix;
use crate::mirror::words::Action;
use crate::model::{Digest, ItemId, Proof, RelPath};

/// Changes that are stored together, by step.
#[derive(Debug, Default)]
pub(super) struct Lot {
    pub started: Vec<(ItemId, RelPath, Option<Prefix>)>,
    pub confirmed: Vec<(ItemId, Option<Prefix>)>,
    pub verified: Vec<(ItemId, Digest, u64, Proof)>,
    pub published: Vec<Published>,
    pub events: Vec<Event>,
    reached: HashMap<ItemId, u8>,
}

/// An item under its name.
#[derive(Debug)]
pub(super) struct Published {
    pub item: ItemId,
    pub action: Action,
    pub attempt: Option<Attempt>,
    pub file: Box<FileRow>,
}

impl Lot {
    /// Takes a change, or gives it back when it has to come after everything that is in here.
    pub(super) fn take(&mut self, change: Change) -> Result<(), Box<Change>> {
        let (item, rank) = match &change {
            Change::Started { item, .. } => (*item, 1),
            Change::Confirmed { item, .. } => (*item, 2),
            Change::Verified { item, .. } => (*item, 3),
            Change::Published { item, .. } => (*item, 4),
            _ => return Err(Box::new(change)),
        };
        if self.reached.get(&item).is_some_and(|reached| *reached >= rank) {
            return Err(Box::new(change));
        }
        self.reached.insert(item, rank);
        match change {
            Change::Started { item, part, confirmed } => self.started.push((item, part, confirmed)),
            Change::Confirmed { item, confirmed } => self.confirmed.push((item, confirmed)),
            Change::Verified { item, digest, size, proof } => self.verified.push((item, digest, size, proof)),
            Change::Published { item, action, attempt, file, mut events } => {
                self.published.push(Published { item, action, attempt, file });
                self.events.append(&mut events);
            }
            other => return Err(Box::new(other)),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::DigestAlgorithm;

    fn confirmed(item: i64, length: u64) -> Change {
        Change::Confirmed {
            item: ItemId(item),
            confirmed: Some(Prefix { length, digest: Digest::new(DigestAlgorithm::Sha256, [0; 32]) }),
        }
    }

    fn started(item: i64) -> Change {
        Change::Started { item: ItemId(item), part: RelPath::root(), confirmed: None }
    }

    #[test]
    fn an_item_never_goes_back_within_a_lot() {
        let mut lot = Lot::default();
        for change in [started(1), started(2), confirmed(1, 5), confirmed(2, 6)] {
            lot.take(change).unwrap();
        }
        // Neither the same step twice nor an earlier one: what was said later must win.
        assert!(lot.take(confirmed(1, 7)).is_err());
        assert!(lot.take(started(2)).is_err());
        assert!(lot.take(Change::Replacing { item: ItemId(3) }).is_err());
        lot.take(started(3)).unwrap();
        assert_eq!((lot.started.len(), lot.confirmed.len()), (3, 2));
    }
}
