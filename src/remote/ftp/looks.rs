//! Looks at single names that only the listing of their folder can answer: one listing for all who wait for it.
//!
//! A look is answered by a listing that *began after it was asked for*, never by an older one: the mirror asks
//! after a file was read whether it is still the same, and yesterday's truth is no answer. Listings of one folder
//! follow each other; each answers everybody who asked before it began. So n files that are copied side by side
//! cost about n divided by how many wait at once, instead of n.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::oneshot;

use crate::model::{Entry, Fault, Name, RelPath};

/// What a look shows.
pub type Seen = Result<Option<Entry>, Fault>;

/// Folders that are being looked at, by path.
#[derive(Debug, Default)]
pub struct Looks(Mutex<HashMap<RelPath, Weak<Folder>>>);

#[derive(Debug, Default)]
struct Folder {
    /// Held by the one whose listing is under way.
    turn: tokio::sync::Mutex<()>,
    asked: Mutex<Vec<Asked>>,
}

/// Somebody who waits for the next listing.
#[derive(Debug)]
pub struct Asked {
    /// What about.
    pub name: Name,
    answer: oneshot::Sender<Seen>,
}

impl Asked {
    /// Answers. Whoever asked may have been stopped.
    pub fn answer(self, seen: Seen) {
        self.answer.send(seen).ok();
    }
}

impl Looks {
    /// What `name` in `folder` is, by `list`, which has to answer everybody whom it is given. Whoever's turn it
    /// is does it for all.
    pub async fn at<F>(&self, folder: &RelPath, name: &Name, list: impl Fn(Vec<Asked>) -> F) -> Seen
    where
        F: Future<Output = ()>,
    {
        let shared = self.folder(folder);
        loop {
            let (answer, mut heard) = oneshot::channel();
            shared.asked.lock().unwrap_or_else(PoisonError::into_inner).push(Asked { name: name.clone(), answer });
            let _turn = shared.turn.lock().await;
            // The listing before may have answered, or its owner was stopped in the middle of it.
            match heard.try_recv() {
                Ok(seen) => return seen,
                Err(oneshot::error::TryRecvError::Closed) => continue,
                Err(oneshot::error::TryRecvError::Empty) => {}
            }
            let all = std::mem::take(&mut *shared.asked.lock().unwrap_or_else(PoisonError::into_inner));
            list(all).await;
            if let Ok(seen) = heard.try_recv() {
                return seen;
            }
        }
    }

    fn folder(&self, path: &RelPath) -> Arc<Folder> {
        let mut folders = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(folder) = folders.get(path).and_then(Weak::upgrade) {
            return folder;
        }
        folders.retain(|_, folder| folder.strong_count() > 0);
        let folder = Arc::new(Folder::default());
        folders.insert(path.clone(), Arc::downgrade(&folder));
        folder
    }
}
