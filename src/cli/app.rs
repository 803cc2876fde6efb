//! `causeway account app …`: app passwords.

use jiff::SignedDuration;
use serde_json::json;

use crate::account::{Account, AppPassword, NewAppPassword};
use crate::app::{Store, operator};
use crate::model::{Access, RelPath};

use super::account::known;
use super::args::{AppAdd, AppVerb};
use super::{Failure, Out};

/// Does what was asked.
pub(super) async fn run(verb: AppVerb, store: &Store) -> Result<(), Failure> {
    match verb {
        AppVerb::List { name, format } => list(&known(store, &name).await?, store, &Out::new(format.json)),
        AppVerb::Add(args) => add(args, store).await,
        AppVerb::Remove { name, label } => {
            store.accounts.remove_app_password(&operator(), &name, &label).await?;
            Out::new(false).line(format!("the app password '{label}' of '{name}' opens nothing any more"))
        }
    }
}

async fn add(args: AppAdd, store: &Store) -> Result<(), Failure> {
    let out = Out::new(args.format.json);
    // A `..` that vanished would name another folder than the one that was meant.
    let inside = args.folder.strip_prefix('/').unwrap_or(&args.folder);
    let folder = RelPath::new(inside.strip_suffix('/').unwrap_or(inside))
        .map_err(|error| Failure::new(format!("--folder '{}' cannot be a folder: {error}", args.folder)))?;
    let access = if args.read_only { Access::ReadOnly } else { Access::ReadWrite };
    let lasts = args.days.map(|days| SignedDuration::from_hours(24 * i64::from(days)));
    let new = NewAppPassword { label: args.label, folder, access, lasts };
    let secret = store.accounts.add_app_password(&operator(), &args.name, &new).await?;
    if out.json() {
        return out.value(&json!({"name": args.name, "label": new.label, "password": secret.expose()}));
    }
    out.line(format!("'{}' has an app password for '{}'. It is not shown again:", args.name, new.label))?;
    out.line(format!("  name      {}", args.name))?;
    out.line(format!("  password  {}", secret.expose()))
}

fn list(account: &Account, store: &Store, out: &Out) -> Result<(), Failure> {
    let now = store.clock.now();
    if out.json() {
        let shown = account.app_passwords.iter().map(|app| {
            json!({
                "label": app.label, "folder": app.folder, "access": app.access, "made": app.made,
                "expires": app.expires, "last-used": app.last_used, "last-peer": app.last_peer,
            })
        });
        return out.value(&shown.collect::<Vec<_>>());
    }
    if account.app_passwords.is_empty() {
        return out.line(format!("no app password: make one with 'causeway account app add {} LABEL'", account.name));
    }
    let row = |app: &AppPassword| {
        let ends = match app.expires {
            None => "never".to_owned(),
            Some(end) if app.is_over(now) => format!("expired {end:.0}"),
            Some(end) => format!("{end:.0}"),
        };
        let used = match (app.last_used, &app.last_peer) {
            (Some(at), Some(peer)) => format!("{at:.0} from {peer}"),
            _ => "never".to_owned(),
        };
        let may = match app.access.min(account.scope.access) {
            Access::ReadOnly => "read",
            Access::ReadWrite => "read, write",
        };
        vec![app.label.clone(), format!("/{}", app.folder.display()), may.to_owned(), ends, used]
    };
    out.table(
        &["label", "folder", "may", "ends", "last used"],
        &account.app_passwords.iter().map(row).collect::<Vec<_>>(),
    )
}
