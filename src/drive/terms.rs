//! What must hold when something takes a name.

use http::{HeaderMap, StatusCode};

use super::Guest;
use crate::model::RelPath;
use crate::tree::Stat;

/// What must hold when an upload takes its name; told what is under the name then (`None`: nothing). What it gives
/// is kept until the name is taken. Asked on a blocking thread.
pub struct Terms(Box<Ask>);

type Ask = dyn FnOnce(Option<&Stat>) -> Result<Box<dyn Send>, StatusCode> + Send + Sync;

impl Terms {
    /// These; an `Err` is the status to refuse the upload with.
    pub fn new<K: Send + 'static>(
        ask: impl FnOnce(Option<&Stat>) -> Result<K, StatusCode> + Send + Sync + 'static,
    ) -> Self {
        Self(Box::new(|now| ask(now).map(|kept| Box::new(kept) as Box<dyn Send>)))
    }

    /// Do they hold, with `now` under the name? What is given keeps it so until it is dropped. Blocks.
    ///
    /// # Errors
    /// The status to refuse with.
    pub fn hold(self, now: Option<&Stat>) -> Result<Box<dyn Send>, StatusCode> {
        (self.0)(now)
    }
}

impl std::fmt::Debug for Terms {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Terms")
    }
}

/// Knows what must hold for a change: preconditions, and the locks that others hold.
pub trait Claims: Send + Sync + 'static {
    /// The terms of a PUT (or MKCOL) with `headers` to `path`. For a PUT they are asked before the body, and again when
    /// it is complete.
    fn of_put(&self, guest: &Guest, path: &RelPath, headers: &HeaderMap) -> Terms;

    /// The terms of a DELETE with `headers` of `path`, with all that is in it.
    fn of_removal(&self, guest: &Guest, path: &RelPath, headers: &HeaderMap) -> Terms;

    /// The terms of a move of `from`, with all that is in it, to the free name `to`.
    fn of_move(&self, guest: &Guest, from: &RelPath, to: &RelPath) -> Terms;
}
