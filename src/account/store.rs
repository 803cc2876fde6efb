//! The accounts' tables.

use jiff::{SignedDuration, Timestamp};
use sqlx::SqliteConnection;

use super::guess::Guesses;
use super::{PublicKey, Required, StoredKey};
use crate::db::DbError;
use crate::model::{Access, AccountId, Quota, RelPath, Scope};

/// Names and addresses whose failures are remembered. A guesser who tries ever new names pushes out the
/// oldest, not the memory.
const MOST_GUESSES: i64 = 20_000;
/// Addresses that are remembered of one account.
const MOST_ADDRESSES: i64 = 64;
/// Failures older than this are of no use to anybody.
const FORGET: SignedDuration = SignedDuration::from_hours(24);

/// An account as it is stored.
#[derive(Debug, Clone)]
pub(super) struct AccountRow {
    pub(super) id: AccountId,
    pub(super) name: String,
    pub(super) password: Option<String>,
    pub(super) scope: Scope,
    pub(super) admin: bool,
    pub(super) disabled: bool,
    pub(super) required: Required,
    pub(super) created: Timestamp,
    pub(super) changed: Timestamp,
    pub(super) last_login: Option<Timestamp>,
}

/// In the order of [`accounts`].
type AccountColumns =
    (i64, String, Option<String>, Vec<u8>, String, Option<i64>, Option<i64>, bool, bool, String, i64, i64, Option<i64>);

/// The rows of accounts, and which and in what order.
macro_rules! accounts {
    ($which:literal) => {
        concat!(
            "SELECT id, name, password, home, access, quota_bytes, quota_files, admin, disabled, required, created, ",
            "changed, last_login FROM accounts ",
            $which
        )
    };
}

pub(super) fn time(micros: i64) -> Result<Timestamp, DbError> {
    Timestamp::from_microsecond(micros).map_err(|error| DbError::Value(error.to_string()))
}

fn access_word(access: Access) -> &'static str {
    match access {
        Access::ReadOnly => "read-only",
        Access::ReadWrite => "read-write",
    }
}

/// More than the column holds is more than any disk holds.
fn limit(most: Option<u64>) -> Option<i64> {
    most.map(|most| i64::try_from(most).unwrap_or(i64::MAX))
}

fn account(columns: AccountColumns) -> Result<AccountRow, DbError> {
    let (id, name, password, home, access, bytes, files, admin, disabled, required, created, changed, last_login) =
        columns;
    let home = RelPath::new(home).map_err(|error| DbError::Value(format!("home of account '{name}': {error}")))?;
    let access = match access.as_str() {
        "read-only" => Access::ReadOnly,
        "read-write" => Access::ReadWrite,
        other => return Err(DbError::Value(format!("access of account '{name}': {other}"))),
    };
    let number = |most: Option<i64>| most.and_then(|most| u64::try_from(most).ok());
    let quota = Quota { bytes: number(bytes), files: number(files) };
    let required =
        required.parse().map_err(|_| DbError::Value(format!("what account '{name}' requires: {required}")))?;
    Ok(AccountRow {
        id: AccountId(id),
        name,
        password,
        scope: Scope { home, access, quota },
        admin,
        disabled,
        required,
        created: time(created)?,
        changed: time(changed)?,
        last_login: last_login.map(time).transpose()?,
    })
}

pub(super) async fn by_name(conn: &mut SqliteConnection, name: &str) -> Result<Option<AccountRow>, DbError> {
    let sql = accounts!("WHERE name = ?");
    let row = sqlx::query_as::<_, AccountColumns>(sql).bind(name.to_owned()).fetch_optional(conn).await?;
    row.map(account).transpose()
}

pub(super) async fn by_id(conn: &mut SqliteConnection, id: AccountId) -> Result<Option<AccountRow>, DbError> {
    let sql = accounts!("WHERE id = ?");
    let row = sqlx::query_as::<_, AccountColumns>(sql).bind(id.0).fetch_optional(conn).await?;
    row.map(account).transpose()
}

pub(super) async fn all(conn: &mut SqliteConnection) -> Result<Vec<AccountRow>, DbError> {
    let sql = accounts!("ORDER BY name");
    let rows = sqlx::query_as::<_, AccountColumns>(sql).fetch_all(conn).await?;
    rows.into_iter().map(account).collect()
}

/// How many accounts can sign in and administer. The dashboard asks for a password; a key does not open it.
pub(super) async fn admins(conn: &mut SqliteConnection) -> Result<i64, DbError> {
    other_admins(conn, AccountId(0)).await
}

pub(super) async fn other_admins(conn: &mut SqliteConnection, id: AccountId) -> Result<i64, DbError> {
    let sql = "SELECT count(*) FROM accounts WHERE admin = 1 AND disabled = 0 AND password IS NOT NULL \
               AND instr(required, 'key') = 0 AND id <> ?";
    Ok(sqlx::query_scalar(sql).bind(id.0).fetch_one(conn).await?)
}

/// How many accounts there are and when they were changed, how many authorities and revocations, and when app passwords
/// were removed: it is another word after every change of them.
pub(super) async fn logins(conn: &mut SqliteConnection) -> Result<String, DbError> {
    // The remainder keeps the sum exact whatever their number.
    let sql = "SELECT (SELECT count(*) || ' ' || coalesce(sum(changed % 1000000007), 0) FROM accounts) || ' ' \
               || (SELECT count(*) || ' ' || coalesce(sum(added % 1000000007), 0) FROM certificate_authorities) || ' ' \
               || (SELECT count(*) FROM revoked_certificates) || ' ' \
               || (SELECT coalesce(sum(removed % 1000000007), 0) FROM app_passwords)";
    Ok(sqlx::query_scalar(sql).fetch_one(conn).await?)
}

/// Did anybody ever come in?
pub(super) async fn was_used(conn: &mut SqliteConnection) -> Result<bool, DbError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM accounts WHERE last_login IS NOT NULL)";
    Ok(sqlx::query_scalar(sql).fetch_one(conn).await?)
}

/// The name of an account as it is written, from one that was typed in other cases.
pub(super) async fn spelling(conn: &mut SqliteConnection, typed: &str) -> Result<Option<String>, DbError> {
    let sql = "SELECT name FROM accounts WHERE name = ?1 COLLATE NOCASE ORDER BY name = ?1 DESC, name LIMIT 1";
    Ok(sqlx::query_scalar(sql).bind(typed.to_owned()).fetch_optional(conn).await?)
}

/// An account came in from `peer`; addresses not seen since `since` and the oldest beyond a bound are forgotten.
pub(super) async fn note_address(
    conn: &mut SqliteConnection,
    id: AccountId,
    peer: &str,
    (since, now): (Timestamp, Timestamp),
) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO account_addresses (account, peer, seen) VALUES (?, ?, ?) \
         ON CONFLICT (account, peer) DO UPDATE SET seen = excluded.seen",
    )
    .bind(id.0)
    .bind(peer.to_owned())
    .bind(now.as_microsecond())
    .execute(&mut *conn)
    .await?;
    sqlx::query(
        "DELETE FROM account_addresses WHERE account = ?1 AND (seen < ?2 OR peer IN \
         (SELECT peer FROM account_addresses WHERE account = ?1 ORDER BY seen DESC LIMIT -1 OFFSET ?3))",
    )
    .bind(id.0)
    .bind(since.as_microsecond())
    .bind(MOST_ADDRESSES)
    .execute(conn)
    .await?;
    Ok(())
}

/// Did the account come in from `peer` since then?
pub(super) async fn knows_address(
    conn: &mut SqliteConnection,
    id: AccountId,
    peer: &str,
    since: Timestamp,
) -> Result<bool, DbError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM account_addresses WHERE account = ? AND peer = ? AND seen >= ?)";
    let known = sqlx::query_scalar(sql).bind(id.0).bind(peer.to_owned()).bind(since.as_microsecond());
    Ok(known.fetch_one(conn).await?)
}

pub(super) async fn insert(conn: &mut SqliteConnection, row: &AccountRow) -> Result<AccountId, DbError> {
    let done = sqlx::query(
        "INSERT INTO accounts (name, password, home, access, quota_bytes, quota_files, admin, disabled, created, changed) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(row.name.clone())
    .bind(row.password.clone())
    .bind(row.scope.home.as_bytes().to_vec())
    .bind(access_word(row.scope.access))
    .bind(limit(row.scope.quota.bytes))
    .bind(limit(row.scope.quota.files))
    .bind(row.admin)
    .bind(row.disabled)
    .bind(row.created.as_microsecond())
    .bind(row.changed.as_microsecond())
    .execute(conn)
    .await?;
    Ok(AccountId(done.last_insert_rowid()))
}

pub(super) async fn update(conn: &mut SqliteConnection, row: &AccountRow) -> Result<(), DbError> {
    sqlx::query(
        "UPDATE accounts SET password = ?, home = ?, access = ?, quota_bytes = ?, quota_files = ?, admin = ?, \
         disabled = ?, required = ?, changed = ? WHERE id = ?",
    )
    .bind(row.password.clone())
    .bind(row.scope.home.as_bytes().to_vec())
    .bind(access_word(row.scope.access))
    .bind(limit(row.scope.quota.bytes))
    .bind(limit(row.scope.quota.files))
    .bind(row.admin)
    .bind(row.disabled)
    .bind(row.required.to_string())
    .bind(row.changed.as_microsecond())
    .bind(row.id.0)
    .execute(conn)
    .await?;
    Ok(())
}

pub(super) async fn delete(conn: &mut SqliteConnection, id: AccountId) -> Result<(), DbError> {
    sqlx::query("DELETE FROM accounts WHERE id = ?").bind(id.0).execute(conn).await?;
    Ok(())
}

/// The password's hash at today's cost.
pub(super) async fn rehash(conn: &mut SqliteConnection, id: AccountId, hash: &str) -> Result<(), DbError> {
    sqlx::query("UPDATE accounts SET password = ? WHERE id = ?").bind(hash.to_owned()).bind(id.0).execute(conn).await?;
    Ok(())
}

/// After a login: when, and by which key.
pub(super) async fn note_login(
    conn: &mut SqliteConnection,
    id: AccountId,
    fingerprint: Option<&str>,
    now: Timestamp,
) -> Result<(), DbError> {
    let now = now.as_microsecond();
    sqlx::query("UPDATE accounts SET last_login = ? WHERE id = ?").bind(now).bind(id.0).execute(&mut *conn).await?;
    if let Some(fingerprint) = fingerprint {
        sqlx::query("UPDATE account_keys SET last_used = ? WHERE account = ? AND fingerprint = ?")
            .bind(now)
            .bind(id.0)
            .bind(fingerprint.to_owned())
            .execute(conn)
            .await?;
    }
    Ok(())
}

pub(super) async fn has_key(
    conn: &mut SqliteConnection,
    id: AccountId,
    fingerprint: &str,
    blob: &[u8],
) -> Result<bool, DbError> {
    let stored =
        sqlx::query_scalar::<_, Vec<u8>>("SELECT blob FROM account_keys WHERE account = ? AND fingerprint = ?")
            .bind(id.0)
            .bind(fingerprint.to_owned())
            .fetch_optional(conn)
            .await?;
    Ok(stored.is_some_and(|stored| stored == blob))
}

pub(super) async fn keys(conn: &mut SqliteConnection, id: AccountId) -> Result<Vec<StoredKey>, DbError> {
    let rows = sqlx::query_as::<_, (String, String, String, i64, Option<i64>)>(
        "SELECT fingerprint, algorithm, comment, added, last_used FROM account_keys WHERE account = ? ORDER BY added",
    )
    .bind(id.0)
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|(fingerprint, algorithm, comment, added, last_used)| {
            let last_used = last_used.map(time).transpose()?;
            Ok(StoredKey { fingerprint, algorithm, comment, added: time(added)?, last_used })
        })
        .collect()
}

pub(super) async fn add_key(
    conn: &mut SqliteConnection,
    id: AccountId,
    key: &PublicKey,
    now: Timestamp,
) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO account_keys (account, fingerprint, blob, algorithm, comment, added) VALUES (?, ?, ?, ?, ?, ?)",
    )
    .bind(id.0)
    .bind(key.fingerprint.clone())
    .bind(key.blob.clone())
    .bind(key.algorithm.clone())
    .bind(key.comment.clone())
    .bind(now.as_microsecond())
    .execute(conn)
    .await?;
    Ok(())
}

/// False when the account has no such key.
pub(super) async fn remove_key(conn: &mut SqliteConnection, id: AccountId, fingerprint: &str) -> Result<bool, DbError> {
    let done = sqlx::query("DELETE FROM account_keys WHERE account = ? AND fingerprint = ?")
        .bind(id.0)
        .bind(fingerprint.to_owned())
        .execute(conn)
        .await?;
    Ok(done.rows_affected() > 0)
}

/// Whose failures are counted.
#[derive(Debug, Clone, Copy)]
pub(super) enum Subject<'a> {
    /// An account, by name; it need not exist.
    Account(&'a str),
    /// An account, by name, from an address from which it came in lately.
    Known(&'a str, &'a str),
    /// An address, as `guess::peer_subject` writes it.
    Peer(&'a str),
    /// A link that an account lends, by its number.
    Link(i64),
}

impl Subject<'_> {
    fn columns(self) -> (&'static str, String) {
        match self {
            Self::Account(name) => ("account", name.to_owned()),
            Self::Known(name, peer) => ("known", format!("{name} {peer}")),
            Self::Peer(peer) => ("peer", peer.to_owned()),
            // No account has a name with a space in it.
            Self::Link(link) => ("account", format!("link {link}")),
        }
    }
}

pub(super) async fn guesses(
    conn: &mut SqliteConnection,
    subject: Subject<'_>,
    now: Timestamp,
) -> Result<Guesses, DbError> {
    let (kind, subject) = subject.columns();
    let row = sqlx::query_as::<_, (u32, i64, i64, Option<i64>)>(
        "SELECT failures, first, last, locked_until FROM guesses WHERE kind = ? AND subject = ?",
    )
    .bind(kind)
    .bind(subject)
    .fetch_optional(conn)
    .await?;
    match row {
        None => Ok(Guesses::none(now)),
        Some((failures, first, last, locked_until)) => Ok(Guesses {
            failures,
            first: time(first)?,
            last: time(last)?,
            locked_until: locked_until.map(time).transpose()?,
        }),
    }
}

pub(super) async fn put_guesses(
    conn: &mut SqliteConnection,
    subject: Subject<'_>,
    guesses: &Guesses,
) -> Result<(), DbError> {
    let (kind, subject) = subject.columns();
    sqlx::query(
        "INSERT INTO guesses (kind, subject, failures, first, last, locked_until) VALUES (?, ?, ?, ?, ?, ?) \
         ON CONFLICT (kind, subject) DO UPDATE SET failures = excluded.failures, first = excluded.first, \
         last = excluded.last, locked_until = excluded.locked_until",
    )
    .bind(kind)
    .bind(subject)
    .bind(guesses.failures)
    .bind(guesses.first.as_microsecond())
    .bind(guesses.last.as_microsecond())
    .bind(guesses.locked_until.map(Timestamp::as_microsecond))
    .execute(conn)
    .await?;
    Ok(())
}

/// False when nothing was counted.
pub(super) async fn forget_guesses(conn: &mut SqliteConnection, subject: Subject<'_>) -> Result<bool, DbError> {
    let (kind, subject) = subject.columns();
    let done = sqlx::query("DELETE FROM guesses WHERE kind = ? AND subject = ?")
        .bind(kind)
        .bind(subject)
        .execute(conn)
        .await?;
    Ok(done.rows_affected() > 0)
}

/// Failures on an account from all the addresses that it knows: the subjects that begin with the name and a space
/// (`!` comes after the space).
const OF_ACCOUNT: &str =
    "(kind = 'account' AND subject = ?1) OR (kind = 'known' AND subject >= ?1 || ' ' AND subject < ?1 || '!')";

/// Forgets every failure on an account. False when nothing was counted.
pub(super) async fn forget_account(conn: &mut SqliteConnection, name: &str) -> Result<bool, DbError> {
    let sql = sqlx::AssertSqlSafe(format!("DELETE FROM guesses WHERE {OF_ACCOUNT}"));
    Ok(sqlx::query(sql).bind(name.to_owned()).execute(conn).await?.rows_affected() > 0)
}

/// Until when an account is locked, from wherever it is longest.
pub(super) async fn locked_until(conn: &mut SqliteConnection, name: &str) -> Result<Option<Timestamp>, DbError> {
    let sql = sqlx::AssertSqlSafe(format!("SELECT max(locked_until) FROM guesses WHERE {OF_ACCOUNT}"));
    let until = sqlx::query_scalar::<_, Option<i64>>(sql).bind(name.to_owned()).fetch_one(conn).await?;
    until.map(time).transpose()
}

/// Keeps the table small: forgets old failures, and the oldest beyond the bound. Locks go last. What is beyond the
/// bound is cut well below it, so that a guesser with ever new names does not have the table sorted each time.
pub(super) async fn bound_guesses(conn: &mut SqliteConnection, now: Timestamp) -> Result<(), DbError> {
    let old = now.saturating_sub(FORGET).unwrap_or(Timestamp::MIN).as_microsecond();
    sqlx::query("DELETE FROM guesses WHERE last < ? AND coalesce(locked_until, 0) < ?")
        .bind(old)
        .bind(now.as_microsecond())
        .execute(&mut *conn)
        .await?;
    let counted: i64 = sqlx::query_scalar("SELECT count(*) FROM guesses").fetch_one(&mut *conn).await?;
    if counted <= MOST_GUESSES {
        return Ok(());
    }
    sqlx::query(
        "DELETE FROM guesses WHERE (kind, subject) IN (SELECT kind, subject FROM guesses \
         ORDER BY coalesce(locked_until, 0) DESC, last DESC LIMIT -1 OFFSET ?)",
    )
    .bind(MOST_GUESSES / 16 * 15)
    .execute(conn)
    .await?;
    Ok(())
}

/// A session as it is stored.
pub(super) struct SessionRow {
    pub(super) account: AccountId,
    pub(super) created: Timestamp,
    pub(super) used: Timestamp,
    pub(super) peer: String,
}

type SessionColumns = (i64, i64, i64, String);

fn session((account, created, used, peer): SessionColumns) -> Result<SessionRow, DbError> {
    Ok(SessionRow { account: AccountId(account), created: time(created)?, used: time(used)?, peer })
}

pub(super) async fn insert_session(
    conn: &mut SqliteConnection,
    token: &[u8; 32],
    row: &SessionRow,
) -> Result<(), DbError> {
    sqlx::query("INSERT INTO sessions (token, account, created, used, peer) VALUES (?, ?, ?, ?, ?)")
        .bind(token.to_vec())
        .bind(row.account.0)
        .bind(row.created.as_microsecond())
        .bind(row.used.as_microsecond())
        .bind(row.peer.clone())
        .execute(conn)
        .await?;
    Ok(())
}

pub(super) async fn find_session(conn: &mut SqliteConnection, token: &[u8; 32]) -> Result<Option<SessionRow>, DbError> {
    sqlx::query_as::<_, SessionColumns>("SELECT account, created, used, peer FROM sessions WHERE token = ?")
        .bind(token.to_vec())
        .fetch_optional(conn)
        .await?
        .map(session)
        .transpose()
}

pub(super) async fn sessions_of(conn: &mut SqliteConnection, id: AccountId) -> Result<Vec<SessionRow>, DbError> {
    let sql = "SELECT account, created, used, peer FROM sessions WHERE account = ? ORDER BY used DESC";
    let rows = sqlx::query_as::<_, SessionColumns>(sql).bind(id.0).fetch_all(conn).await?;
    rows.into_iter().map(session).collect()
}

pub(super) async fn touch_session(
    conn: &mut SqliteConnection,
    token: &[u8; 32],
    now: Timestamp,
) -> Result<(), DbError> {
    sqlx::query("UPDATE sessions SET used = ? WHERE token = ?")
        .bind(now.as_microsecond())
        .bind(token.to_vec())
        .execute(conn)
        .await?;
    Ok(())
}

/// False when there was none.
pub(super) async fn remove_session(conn: &mut SqliteConnection, token: &[u8; 32]) -> Result<bool, DbError> {
    let done = sqlx::query("DELETE FROM sessions WHERE token = ?").bind(token.to_vec()).execute(conn).await?;
    Ok(done.rows_affected() > 0)
}

pub(super) async fn remove_sessions(conn: &mut SqliteConnection, id: AccountId) -> Result<u64, DbError> {
    let done = sqlx::query("DELETE FROM sessions WHERE account = ?").bind(id.0).execute(conn).await?;
    Ok(done.rows_affected())
}

/// Removes what was not used since `idle` or was created before `absolute`.
pub(super) async fn expire_sessions(
    conn: &mut SqliteConnection,
    idle: Timestamp,
    absolute: Timestamp,
) -> Result<u64, DbError> {
    let done = sqlx::query("DELETE FROM sessions WHERE used < ? OR created < ?")
        .bind(idle.as_microsecond())
        .bind(absolute.as_microsecond())
        .execute(conn)
        .await?;
    Ok(done.rows_affected())
}
