//! What is on its way by a link into a drop box: it takes room before it has its name.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::{ShareError, Shares};

/// After so many bytes of one file the room is looked at again.
const LOOK: u64 = 1 << 20;

/// Bytes that are coming, by link. Clones share them.
#[derive(Debug, Clone, Default)]
pub(super) struct Coming(Arc<Mutex<BTreeMap<i64, u64>>>);

impl Coming {
    /// So many more by this link; how many there are then by all its senders.
    fn add(&self, link: i64, bytes: u64) -> u64 {
        let mut coming = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let all = coming.entry(link).or_default();
        *all = all.saturating_add(bytes);
        *all
    }

    fn remove(&self, link: i64, bytes: u64) {
        let mut coming = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(all) = coming.get_mut(&link) {
            *all = all.saturating_sub(bytes);
            if *all == 0 {
                coming.remove(&link);
            }
        }
    }
}

/// One file that comes by a link. What came of it is counted until it is booked or this is dropped.
#[derive(Debug)]
pub struct Arriving {
    shares: Shares,
    link: i64,
    bytes: u64,
    /// When there were so many the room was looked at last, and what was left for what has no name yet.
    looked: Option<(u64, Option<u64>)>,
}

impl Arriving {
    pub(super) fn new(shares: &Shares, link: i64) -> Self {
        Self { shares: shares.clone(), link, bytes: 0, looked: None }
    }

    /// So many bytes more have come; false when the box has no room for them beside all that is on its way.
    ///
    /// # Errors
    /// Those of [`Shares::room`].
    pub async fn grow(&mut self, bytes: u64) -> Result<bool, ShareError> {
        self.bytes = self.bytes.saturating_add(bytes);
        let all = self.shares.coming.add(self.link, bytes);
        let room = match self.looked {
            Some((at, room)) if self.bytes.saturating_sub(at) < LOOK => room,
            _ => {
                let room = self.shares.room(self.link).await?;
                self.looked = Some((self.bytes, room));
                room
            }
        };
        Ok(room.is_none_or(|room| all <= room))
    }

    /// All of it is there and about to get its name; false when the box has no room for it.
    ///
    /// # Errors
    /// What the store says.
    pub async fn book(mut self) -> Result<bool, ShareError> {
        let bytes = std::mem::take(&mut self.bytes);
        self.shares.coming.remove(self.link, bytes);
        self.shares.fill(self.link, bytes).await
    }
}

impl Drop for Arriving {
    fn drop(&mut self) {
        self.shares.coming.remove(self.link, self.bytes);
    }
}
