//! The proof that a login passed.

use std::io;
use std::sync::Arc;

use jiff::Timestamp;

use super::certificate::Seen;
use super::store::AccountRow;
use crate::audit::Actor;
use crate::model::{AccountId, RelPath, Scope};
use crate::tree::{Tree, View};

/// Somebody came in. Made only by a login of [`Accounts`](super::Accounts) or from a session that began
/// with one.
#[derive(Debug, Clone)]
pub struct Grant {
    id: AccountId,
    name: Arc<str>,
    scope: Arc<Scope>,
    admin: bool,
    changed: Timestamp,
    certificate: Option<Arc<Seen>>,
}

impl Grant {
    pub(super) fn of(row: &AccountRow) -> Self {
        Self {
            id: row.id,
            name: row.name.as_str().into(),
            scope: Arc::new(row.scope.clone()),
            admin: row.admin,
            changed: row.changed,
            certificate: None,
        }
    }

    /// It was given for this certificate.
    pub(super) fn certified(self, certificate: Option<Arc<Seen>>) -> Self {
        Self { certificate, ..self }
    }

    pub(super) fn certificate(&self) -> Option<&Seen> {
        self.certificate.as_deref()
    }

    /// Is it good for nothing but the SFTP subsystem, as its certificate says?
    #[must_use]
    pub fn is_sftp_only(&self) -> bool {
        self.certificate.as_ref().is_some_and(|seen| seen.sftp_only)
    }

    pub(super) fn changed(&self) -> Timestamp {
        self.changed
    }

    /// The account.
    #[must_use]
    pub fn id(&self) -> AccountId {
        self.id
    }

    /// The account's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// May it administer Causeway?
    #[must_use]
    pub fn is_admin(&self) -> bool {
        self.admin
    }

    /// The folder and what may be done in it.
    #[must_use]
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// Who to write into the audit log.
    #[must_use]
    pub fn actor(&self) -> Actor {
        Actor::Account(self.name.to_string())
    }

    /// What the account may see of `tree`; makes its home folder when it is missing. Blocks.
    ///
    /// # Errors
    /// What the file system says.
    pub fn view(&self, tree: &Arc<Tree>) -> io::Result<View> {
        tree.view(&self.scope)
    }

    /// A path of the account's view as the audit log names it: from the root of the tree.
    #[must_use]
    pub fn in_tree(&self, path: &RelPath) -> RelPath {
        path.names().fold(self.scope.home.clone(), |whole, name| whole.join(&name))
    }
}
