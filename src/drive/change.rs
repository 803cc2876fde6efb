//! Changes of names.

use std::io;

use super::{Guest, Terms, Unfinished};
use crate::audit::Event;
use crate::model::RelPath;
use crate::task;
use crate::tree::Replace;

/// Gives `from` the name `to`, which must be free, if the terms hold. It is done, and written down, also when nobody
/// waits for it any more.
///
/// # Errors
/// What the terms say; [`io::ErrorKind::AlreadyExists`], and others of [`crate::tree::View::rename`].
pub async fn rename(guest: &Guest, from: &RelPath, to: &RelPath, terms: Terms) -> Result<(), Unfinished> {
    let (guest, from, to) = (guest.clone(), from.clone(), to.clone());
    let tasks = guest.books.tasks.clone();
    let done = tasks.spawn("change of a name", async move {
        let (view, old, new) = (guest.view.clone(), from.clone(), to.clone());
        let renamed = task::blocking(move || {
            let holds = || terms.hold(None).map_err(Unfinished::from);
            view.rename_if(&old, &new, Replace::No, holds)
        });
        renamed.await.map_err(io::Error::other)??;
        let (account, from, to) = (guest.account.clone(), guest.whole(&from), guest.whole(&to));
        guest.record(Event::DoorRenamed { door: guest.door, account, from, to }).await;
        Ok::<_, Unfinished>(())
    });
    done.await.unwrap_or_else(|lost| Err(io::Error::other(lost).into()))
}
