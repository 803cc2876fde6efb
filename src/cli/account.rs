//! `causeway account …`.

use serde_json::json;

use crate::account::{Account, Change, NewAccount};
use crate::app::{Store, operator};
use crate::config::Environment;
use crate::model::{Access, RelPath, Scope};
use crate::tree::file;

use super::args::{AccountAdd, AccountChange, AccountVerb, Format, KeyVerb};
use super::{Failure, Out, password};

/// A file of public keys is small.
const MAX_KEYS: usize = 1 << 20;

/// Does what was asked.
pub(super) async fn run(verb: AccountVerb, store: &Store, environment: &Environment) -> Result<(), Failure> {
    let out = Out::new(false);
    let accounts = &store.accounts;
    match verb {
        AccountVerb::List(format) => list(store, format).await,
        AccountVerb::Add(args) => add(args, store, environment).await,
        AccountVerb::Change(args) => {
            let change = change(&args)?;
            if matches!(change, Change { password: None, home: None, access: None, admin: None, disabled: None }) {
                return Err(Failure::new("nothing to change: see 'causeway account change --help'"));
            }
            accounts.change(&operator(), &args.name, &change).await?;
            out.line(format!("'{}' is changed", args.name))
        }
        AccountVerb::Passwd(args) => {
            known(store, &args.name).await?;
            let new = password::choose(args.password_file.as_deref(), environment.password())?;
            accounts.set_password(&operator(), &args.name, &new).await?;
            out.line(format!("'{}' has a new password; its sessions have ended", args.name))
        }
        AccountVerb::Unlock { name } => {
            match (accounts.get(&name).await?, name.parse()) {
                (None, Ok(address)) => accounts.unlock_peer(&operator(), address).await?,
                _ => accounts.unlock(&operator(), &known(store, &name).await?.name).await?,
            }
            out.line(format!("'{name}' may try again"))
        }
        AccountVerb::Remove(args) => {
            accounts.remove(&operator(), &args.name).await?;
            out.line(format!("'{}' is gone; its files are where they were", args.name))
        }
        AccountVerb::Key(verb) => key(verb, store).await,
    }
}

async fn known(store: &Store, name: &str) -> Result<Account, Failure> {
    let missing = || Failure::new(format!("there is no account '{name}': see 'causeway account list'"));
    store.accounts.get(name).await?.ok_or_else(missing)
}

fn as_json(account: &Account) -> serde_json::Value {
    json!({
        "name": account.name,
        "home": account.scope.home,
        "access": account.scope.access,
        "admin": account.admin,
        "disabled": account.disabled,
        "password": account.has_password,
        "keys": account.keys.iter().map(|key| &key.fingerprint).collect::<Vec<_>>(),
        "created": account.created,
        "last-login": account.last_login,
        "locked-until": account.locked_until,
    })
}

async fn list(store: &Store, format: Format) -> Result<(), Failure> {
    let out = Out::new(format.json);
    let accounts = store.accounts.list().await?;
    if out.json() {
        return out.value(&accounts.iter().map(as_json).collect::<Vec<_>>());
    }
    if accounts.is_empty() {
        return out.line("no accounts yet: make one with 'causeway account add NAME'");
    }
    let rows: Vec<Vec<String>> = accounts.iter().map(row).collect();
    out.table(&["name", "home", "may", "by", "last login", "state"], &rows)
}

fn row(account: &Account) -> Vec<String> {
    let access = match account.scope.access {
        Access::ReadOnly => "read",
        Access::ReadWrite => "read, write",
    };
    let by = match (account.has_password, account.keys.len()) {
        (true, 0) => "password".to_owned(),
        (true, keys) => format!("password, {keys} key(s)"),
        (false, keys) => format!("{keys} key(s)"),
    };
    let state = match (account.disabled, account.locked_until) {
        (true, _) => "off".to_owned(),
        (false, Some(until)) => format!("locked until {until:.0}"),
        (false, None) => "open".to_owned(),
    };
    vec![
        account.name.clone(),
        format!("/{}", account.scope.home.display()),
        format!("{access}{}", if account.admin { ", administer" } else { "" }),
        by,
        account.last_login.map_or_else(|| "never".to_owned(), |at| format!("{at:.0}")),
        state,
    ]
}

fn home_folder(text: &str) -> Result<RelPath, Failure> {
    RelPath::lenient(text.as_bytes())
        .map_err(|error| Failure::new(format!("--home '{text}' cannot be a folder: {error}")))
}

fn change(args: &AccountChange) -> Result<Change, Failure> {
    let either = |yes: bool, no: bool| if yes || no { Some(yes) } else { None };
    let access = match (args.read_only, args.read_write) {
        (true, _) => Some(Access::ReadOnly),
        (_, true) => Some(Access::ReadWrite),
        _ => None,
    };
    Ok(Change {
        password: None,
        home: args.home.as_deref().map(home_folder).transpose()?,
        access,
        admin: either(args.admin, args.no_admin),
        disabled: either(args.disable, args.enable),
    })
}

async fn add(args: AccountAdd, store: &Store, environment: &Environment) -> Result<(), Failure> {
    let out = Out::new(false);
    let home = home_folder(&args.home)?;
    let access = if args.read_only { Access::ReadOnly } else { Access::ReadWrite };
    // The name is looked at before the question for the password.
    crate::account::check_name(&args.name).map_err(|error| Failure::new(error.to_string()))?;
    if store.accounts.get(&args.name).await?.is_some() {
        return Err(Failure::new(format!("there is an account '{}' already", args.name)));
    }
    let password = match args.no_password {
        true => None,
        false => Some(password::choose(args.password_file.as_deref(), environment.password())?),
    };
    let new = NewAccount { name: args.name, password, scope: Scope { home, access }, admin: args.admin };
    store.accounts.create(&operator(), &new).await?;
    out.line(format!("'{}' may come in, to /{}", new.name, new.scope.home.display()))?;
    if args.no_password {
        out.line(format!("it has no password: give it a key with 'causeway account key add {} FILE'", new.name))?;
    }
    Ok(())
}

async fn key(verb: KeyVerb, store: &Store) -> Result<(), Failure> {
    match verb {
        KeyVerb::List { name, format } => {
            let out = Out::new(format.json);
            let account = known(store, &name).await?;
            if out.json() {
                let keys = account.keys.iter().map(
                    |key| json!({"fingerprint": key.fingerprint, "algorithm": key.algorithm, "comment": key.comment, "last-used": key.last_used}),
                );
                return out.value(&keys.collect::<Vec<_>>());
            }
            let rows: Vec<Vec<String>> = account
                .keys
                .iter()
                .map(|key| vec![key.fingerprint.clone(), key.algorithm.clone(), key.comment.clone()])
                .collect();
            out.table(&["fingerprint", "kind", "comment"], &rows)
        }
        KeyVerb::Add { name, file: path } => {
            let bytes = file::read_small(&path, MAX_KEYS)
                .map_err(|error| Failure::new(format!("{} cannot be read: {error}", path.display())))?;
            let text = String::from_utf8(bytes)
                .map_err(|_| Failure::new(format!("{} is no file of public keys", path.display())))?;
            let mut added = 0;
            for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
                let fingerprint = store.accounts.add_key(&operator(), &name, line).await?;
                Out::new(false).line(format!("'{name}' may come in with {fingerprint}"))?;
                added += 1;
            }
            if added == 0 {
                return Err(Failure::new(format!("{} holds no public key", path.display())));
            }
            Ok(())
        }
        KeyVerb::Remove { name, fingerprint } => {
            store.accounts.remove_key(&operator(), &name, &fingerprint).await?;
            Out::new(false).line(format!("'{name}' may no longer come in with {fingerprint}"))
        }
    }
}
