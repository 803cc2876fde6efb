//! `causeway account …`.

use std::path::Path;

use serde_json::json;

use crate::account::{Account, AccountError, Change, NewAccount};
use crate::app::{Store, operator};
use crate::config::Environment;
use crate::model::{Access, Quota, RelPath, Scope, size};
use crate::tree::file;

use super::args::{AccountAdd, AccountChange, AccountVerb, Format, KeyVerb, Limit, TotpVerb};
use super::{Failure, Out, app, password};

/// A file of public keys is small.
const MAX_KEYS: usize = 1 << 20;

/// How often the first code of a second factor is asked for.
const TRIES: usize = 3;

/// Does what was asked.
pub(super) async fn run(verb: AccountVerb, store: &Store, environment: &Environment) -> Result<(), Failure> {
    let out = Out::new(false);
    let accounts = &store.accounts;
    match verb {
        AccountVerb::List(format) => list(store, format).await,
        AccountVerb::Add(args) => add(args, store, environment).await,
        AccountVerb::Change(args) => {
            let change = change(&args, store).await?;
            if change == Change::default() {
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
        AccountVerb::Totp(TotpVerb::On { name }) => second_factor(&name, store).await,
        AccountVerb::Totp(TotpVerb::Off { name }) => {
            store.accounts.remove_second_factor(&operator(), &name).await?;
            out.line(format!("'{name}' has no second factor any more"))
        }
        AccountVerb::App(verb) => app::run(verb, store).await,
    }
}

/// Shows the secret, and asks for the first code that the app makes of it.
async fn second_factor(name: &str, store: &Store) -> Result<(), Failure> {
    let out = Out::new(false);
    let shared = store.accounts.begin_second_factor(name).await?;
    out.line(format!(
        "'{name}' gets a second factor. Give one of these to an authenticator app; they are not shown again:"
    ))?;
    out.line(format!("  secret  {}", shared.base32.expose()))?;
    out.line(format!("  link    {}", shared.uri.expose()))?;
    for _ in 0..TRIES {
        out.line("The code that the app shows now:")?;
        let Some(code) = password::line()? else { break };
        match store.accounts.confirm_second_factor(&operator(), name, &code).await {
            Ok(()) => return out.line(format!("the second factor of '{name}' holds; its sessions have ended")),
            Err(error @ AccountError::WrongCode) => out.line(error.to_string())?,
            Err(error) => return Err(error.into()),
        }
    }
    Err(Failure::new(format!("no right code came: '{name}' has no second factor, begin again")))
}

pub(super) async fn known(store: &Store, name: &str) -> Result<Account, Failure> {
    let missing = || Failure::new(format!("there is no account '{name}': see 'causeway account list'"));
    store.accounts.get(name).await?.ok_or_else(missing)
}

fn as_json(account: &Account) -> serde_json::Value {
    json!({
        "name": account.name,
        "home": account.scope.home,
        "access": account.scope.access,
        "quota": account.scope.quota,
        "admin": account.admin,
        "disabled": account.disabled,
        "password": account.has_password,
        "second-factor": account.second_factor,
        "requires": account.required.to_string(),
        "keys": account.keys.iter().map(|key| &key.fingerprint).collect::<Vec<_>>(),
        "app-passwords": account.app_passwords.iter().map(|app| &app.label).collect::<Vec<_>>(),
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
    out.table(&["name", "home", "may", "quota", "by", "requires", "last login", "state"], &rows)
}

fn row(account: &Account) -> Vec<String> {
    let access = match account.scope.access {
        Access::ReadOnly => "read",
        Access::ReadWrite => "read, write",
    };
    let mut by = Vec::new();
    by.extend(account.has_password.then(|| "password".to_owned()));
    by.extend(account.second_factor.then(|| "code".to_owned()));
    by.extend((!account.keys.is_empty() || by.is_empty()).then(|| format!("{} key(s)", account.keys.len())));
    let apps = account.app_passwords.len();
    by.extend((apps > 0).then(|| format!("{apps} app password(s)")));
    let state = match (account.disabled, account.locked_until) {
        (true, _) => "off".to_owned(),
        (false, Some(until)) => format!("locked until {until:.0}"),
        (false, None) => "open".to_owned(),
    };
    vec![
        account.name.clone(),
        format!("/{}", account.scope.home.display()),
        format!("{access}{}", if account.admin { ", administer" } else { "" }),
        quota(account.scope.quota),
        by.join(", "),
        account.required.to_string(),
        account.last_login.map_or_else(|| "never".to_owned(), |at| format!("{at:.0}")),
        state,
    ]
}

fn quota(quota: Quota) -> String {
    let bytes = quota.bytes.map(size::exact);
    let files = quota.files.map(|files| format!("{files} files"));
    let limits: Vec<_> = [bytes, files].into_iter().flatten().collect();
    if limits.is_empty() { "none".to_owned() } else { limits.join(", ") }
}

fn home_folder(text: &str) -> Result<RelPath, Failure> {
    RelPath::lenient(text.as_bytes())
        .map_err(|error| Failure::new(format!("--home '{text}' cannot be a folder: {error}")))
}

async fn change(args: &AccountChange, store: &Store) -> Result<Change, Failure> {
    let either = |yes: bool, no: bool| if yes || no { Some(yes) } else { None };
    let access = match (args.read_only, args.read_write) {
        (true, _) => Some(Access::ReadOnly),
        (_, true) => Some(Access::ReadWrite),
        _ => None,
    };
    let quota = match (args.quota, args.quota_files) {
        (None, None) => None,
        (bytes, files) => {
            let now = known(store, &args.name).await?.scope.quota;
            let or = |limit: Option<Limit>, now| limit.map_or(now, |Limit(most)| most);
            Some(Quota { bytes: or(bytes, now.bytes), files: or(files, now.files) })
        }
    };
    Ok(Change {
        password: None,
        home: args.home.as_deref().map(home_folder).transpose()?,
        access,
        quota,
        admin: either(args.admin, args.no_admin),
        disabled: either(args.disable, args.enable),
        required: args.require,
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
    let scope = Scope { home, access, quota: Quota { bytes: args.quota, files: args.quota_files } };
    let new = NewAccount { name: args.name, password, scope, admin: args.admin };
    store.accounts.create(&operator(), &new).await?;
    out.line(format!("'{}' may come in, to /{}", new.name, new.scope.home.display()))?;
    if args.no_password {
        out.line(format!("it has no password: give it a key with 'causeway account key add {} FILE'", new.name))?;
    }
    Ok(())
}

/// The public keys of a file, at least one.
pub(super) fn public_keys(path: &Path) -> Result<Vec<String>, Failure> {
    let bytes = file::read_small(path, MAX_KEYS)
        .map_err(|error| Failure::new(format!("{} cannot be read: {error}", path.display())))?;
    let text =
        String::from_utf8(bytes).map_err(|_| Failure::new(format!("{} is no file of public keys", path.display())))?;
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let keys: Vec<_> = lines.map(str::to_owned).collect();
    if keys.is_empty() {
        return Err(Failure::new(format!("{} holds no public key", path.display())));
    }
    Ok(keys)
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
            for line in public_keys(&path)? {
                let fingerprint = store.accounts.add_key(&operator(), &name, &line).await?;
                Out::new(false).line(format!("'{name}' may come in with {fingerprint}"))?;
            }
            Ok(())
        }
        KeyVerb::Remove { name, fingerprint } => {
            store.accounts.remove_key(&operator(), &name, &fingerprint).await?;
            Out::new(false).line(format!("'{name}' may no longer come in with {fingerprint}"))
        }
    }
}
