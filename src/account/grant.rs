//! The proof that a login passed.

use std::io;
use std::sync::Arc;

use jiff::Timestamp;

use super::AppPassword;
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
    /// What it may see and do.
    scope: Arc<Scope>,
    /// What the account may, and `folder`, where `scope` begins below that: an app password may be narrower. Its folder is
    /// looked for from the account's home on, so that no link leads out of there.
    whole: Arc<Scope>,
    folder: RelPath,
    admin: bool,
    changed: Timestamp,
    certificate: Option<Arc<Seen>>,
    app_password: Option<i64>,
}

impl Grant {
    pub(super) fn of(row: &AccountRow) -> Self {
        let whole = Arc::new(row.scope.clone());
        Self {
            id: row.id,
            name: row.name.as_str().into(),
            scope: Arc::clone(&whole),
            whole,
            folder: RelPath::root(),
            admin: row.admin,
            changed: row.changed,
            certificate: None,
            app_password: None,
        }
    }

    /// It was given for this certificate.
    pub(super) fn certified(self, certificate: Option<Arc<Seen>>) -> Self {
        Self { certificate, ..self }
    }

    /// It was given for this app password, which may be narrower than the account and administers nothing.
    pub(super) fn by_app_password(self, id: i64, shown: &AppPassword) -> Self {
        let folder = shown.folder.clone();
        let mut scope = Scope::clone(&self.whole);
        scope.home = scope.home.concat(&folder);
        scope.access = scope.access.min(shown.access);
        Self { scope: Arc::new(scope), folder, admin: false, app_password: Some(id), ..self }
    }

    pub(super) fn app_password(&self) -> Option<i64> {
        self.app_password
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

    /// Is it for a folder below the account's home, which is not made when it is missing?
    #[must_use]
    pub fn is_narrowed(&self) -> bool {
        !self.folder.is_root()
    }

    /// Who to write into the audit log.
    #[must_use]
    pub fn actor(&self) -> Actor {
        Actor::Account(self.name.to_string())
    }

    /// What it may see of `tree`; makes the account's home folder when it is missing, and no folder below. Blocks.
    ///
    /// # Errors
    /// What the file system says.
    pub fn view(&self, tree: &Arc<Tree>) -> io::Result<View> {
        tree.view(&self.whole)?.narrowed(&self.folder, self.scope.access)
    }

    /// A path of the account's view as the audit log names it: from the root of the tree.
    #[must_use]
    pub fn in_tree(&self, path: &RelPath) -> RelPath {
        path.names().fold(self.scope.home.clone(), |whole, name| whole.join(&name))
    }
}
