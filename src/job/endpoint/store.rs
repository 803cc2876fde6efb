//! SQL of endpoints.

use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection, SqlitePool};

use crate::audit::{Actor, Event, append};
use crate::db::{DbError, Vault, WriteTx};
use crate::model::{Endpoint, EndpointId, EndpointOptions, Secret};
use crate::remote::same_pin;

use super::{EndpointRef, NewEndpoint, StoredEndpoint, checked_name, same_login};
use crate::job::JobError;
use crate::job::stored::{json, moment, text};

/// The columns of an endpoint with `prefix`, for queries that join it.
pub(in crate::job) fn read(row: &SqliteRow, prefix: &str) -> Result<StoredEndpoint, DbError> {
    let column = |name: &str| format!("{prefix}{name}");
    let url: String = row.try_get(column("url").as_str())?;
    let mut endpoint = Endpoint::parse(&url).map_err(|e| DbError::Value(format!("endpoint '{url}': {e}")))?;
    endpoint.options = json::<EndpointOptions>(row, &column("options"))?;
    Ok(StoredEndpoint {
        id: EndpointId(row.try_get(column("id").as_str())?),
        name: row.try_get(column("name").as_str())?,
        endpoint,
        has_password: row.try_get::<i64, _>(column("has_password").as_str())? != 0,
        ad_hoc: row.try_get::<i64, _>(column("ad_hoc").as_str())? != 0,
        created: moment(row, &column("created"))?,
        changed: moment(row, &column("changed"))?,
    })
}

macro_rules! select {
    ($tail:literal) => {
        concat!(
            "SELECT id, name, url, options, password IS NOT NULL AS has_password, ad_hoc, created, changed ",
            "FROM endpoints ",
            $tail
        )
    };
}

/// Those made by people, by name.
pub(in crate::job) async fn all(pool: &SqlitePool) -> Result<Vec<StoredEndpoint>, DbError> {
    let rows = sqlx::query(select!("WHERE ad_hoc = 0 ORDER BY name")).fetch_all(pool).await?;
    rows.iter().map(|row| read(row, "")).collect()
}

/// The host key that endpoints on the same server have pinned. What is remembered for the very same address counts
/// before all others; what was removed, and pairs whose job is gone, count for nothing.
///
/// # Errors
/// [`JobError::PinsDiffer`] names the endpoints that remember different keys.
pub(in crate::job) async fn known_pin(pool: &SqlitePool, like: &Endpoint) -> Result<Option<String>, JobError> {
    let rows = sqlx::query(select!(
        "WHERE url LIKE 'sftp://%' AND (ad_hoc = 0 OR EXISTS \
         (SELECT 1 FROM jobs WHERE endpoints.id IN (jobs.source, jobs.target) AND jobs.removed IS NULL)) ORDER BY id"
    ))
    .fetch_all(pool)
    .await?;
    let mut known = Vec::new();
    for row in rows {
        let StoredEndpoint { name, endpoint, .. } = read(&row, "")?;
        let is_there = endpoint.port == like.port && endpoint.host.eq_ignore_ascii_case(&like.host);
        if let Some(pin) = endpoint.options.pin.clone().filter(|_| is_there) {
            known.push((endpoint.url() == like.url(), name, pin));
        }
    }
    if known.iter().any(|(same, ..)| *same) {
        known.retain(|(same, ..)| *same);
    }
    let Some((_, _, first)) = known.first() else { return Ok(None) };
    if known.iter().all(|(_, _, pin)| same_pin(pin, first)) {
        return Ok(Some(first.clone()));
    }
    let pins = known.iter().map(|(_, name, pin)| format!("{pin} by '{name}'")).collect::<Vec<_>>().join(", ");
    Err(JobError::PinsDiffer { server: format!("{}:{}", like.host, like.port), pins })
}

pub(in crate::job) async fn get(conn: &mut SqliteConnection, id: EndpointId) -> Result<StoredEndpoint, JobError> {
    let row = sqlx::query(select!("WHERE id = ?")).bind(id.0).fetch_optional(conn).await?;
    Ok(read(&row.ok_or(JobError::NoEndpoint(id))?, "")?)
}

/// The endpoint ready to be opened, its password unsealed.
pub(in crate::job) async fn unsealed(
    conn: &mut SqliteConnection,
    vault: &Vault,
    id: EndpointId,
) -> Result<Endpoint, JobError> {
    let mut endpoint = get(&mut *conn, id).await?.endpoint;
    let sealed: Option<Vec<u8>> =
        sqlx::query_scalar("SELECT password FROM endpoints WHERE id = ?").bind(id.0).fetch_one(conn).await?;
    endpoint.password = sealed.map(|sealed| vault.open(&context(id), &sealed)).transpose()?;
    Ok(endpoint)
}

fn context(id: EndpointId) -> String {
    format!("endpoints/{id}/password")
}

/// Who changes something, and with what.
#[derive(Clone, Copy)]
pub(in crate::job) struct Change<'a> {
    pub(in crate::job) actor: &'a Actor,
    pub(in crate::job) now: Timestamp,
    pub(in crate::job) vault: &'a Vault,
}

/// Stores a new endpoint. The password of an ad-hoc one is never stored.
pub(in crate::job) async fn create(
    tx: &mut WriteTx,
    by: Change<'_>,
    new: &NewEndpoint,
    ad_hoc: bool,
) -> Result<EndpointId, JobError> {
    let url = new.endpoint.url();
    let name = match &new.name {
        Some(name) => checked_name("endpoint", name)?,
        None => free_name(tx, url.clone()).await?,
    };
    let id = sqlx::query(
        "INSERT INTO endpoints (name, url, options, ad_hoc, created, changed) VALUES (?1, ?2, ?3, ?4, ?5, ?5)",
    )
    .bind(&name)
    .bind(&url)
    .bind(text(&new.endpoint.options)?)
    .bind(i64::from(ad_hoc))
    .bind(by.now.as_microsecond())
    .execute(&mut **tx)
    .await
    .map_err(|error| taken(error.into(), &name))?
    .last_insert_rowid();
    let id = EndpointId(id);
    if let Some(password) = new.endpoint.password.as_ref().filter(|_| !ad_hoc) {
        seal(tx, by.vault, id, password).await?;
    }
    append(tx, by.now, by.actor, &Event::EndpointCreated { endpoint: id, url }).await?;
    Ok(id)
}

/// Changes an endpoint; the sealed password stays only with its login.
pub(in crate::job) async fn update(
    tx: &mut WriteTx,
    by: Change<'_>,
    id: EndpointId,
    new: &NewEndpoint,
) -> Result<(), JobError> {
    let old = get(&mut *tx, id).await?;
    let url = new.endpoint.url();
    let name = new.name.as_deref().map(|name| checked_name("endpoint", name)).transpose()?;
    let name = name.unwrap_or_else(|| if old.name == old.endpoint.url() { url.clone() } else { old.name.clone() });
    let mut changed = Vec::new();
    let mut note = |what: &str, differs: bool| {
        if differs {
            changed.push(what.to_owned());
        }
    };
    let drops_password = old.has_password && !same_login(&old.endpoint, &new.endpoint);
    note("name", name != old.name);
    note("url", url != old.endpoint.url());
    note("options", new.endpoint.options != old.endpoint.options);
    note("password", new.endpoint.password.is_some() || drops_password);
    if changed.is_empty() {
        return Ok(());
    }
    sqlx::query("UPDATE endpoints SET name = ?, url = ?, options = ?, changed = ? WHERE id = ?")
        .bind(&name)
        .bind(&url)
        .bind(text(&new.endpoint.options)?)
        .bind(by.now.as_microsecond())
        .bind(id.0)
        .execute(&mut **tx)
        .await
        .map_err(|error| taken(error.into(), &name))?;
    match &new.endpoint.password {
        Some(password) => seal(tx, by.vault, id, password).await?,
        None if drops_password => {
            sqlx::query("UPDATE endpoints SET password = NULL WHERE id = ?").bind(id.0).execute(&mut **tx).await?;
        }
        None => {}
    }
    append(tx, by.now, by.actor, &Event::EndpointChanged { endpoint: id, url, changed }).await?;
    Ok(())
}

/// The id behind a job's reference; `own` is what the job uses until now. An endpoint that other jobs use is
/// never changed: what one job is told about trust and passwords holds for that job alone.
pub(in crate::job) async fn resolve(
    tx: &mut WriteTx,
    by: Change<'_>,
    reference: &EndpointRef,
    own: Option<EndpointId>,
) -> Result<EndpointId, JobError> {
    let new = match reference {
        EndpointRef::Stored(id) => return Ok(get(&mut *tx, *id).await?.id),
        EndpointRef::Inline(new) => new,
    };
    if let Some(own) = own
        && users(tx, own).await? <= 1
    {
        update(tx, by, own, new).await?;
        return Ok(own);
    }
    for id in with_url(tx, new, false).await? {
        if says_the_same(tx, by.vault, id, new).await? {
            return Ok(id);
        }
        if users(tx, id).await? == 0 {
            update(tx, by, id, new).await?;
            return Ok(id);
        }
    }
    let mut new = new.clone();
    if let Some(own) = own
        && new.endpoint.password.is_none()
    {
        let old = unsealed(&mut *tx, by.vault, own).await?;
        new.endpoint.password = old.password.clone().filter(|_| same_login(&old, &new.endpoint));
    }
    create(tx, by, &new, false).await
}

/// The id of the endpoint of a one-shot mirror, made or brought up to date: every call brings all of it along. One
/// that trusts anybody this once says nothing about whom to trust the next time.
pub(in crate::job) async fn resolve_ad_hoc(
    tx: &mut WriteTx,
    by: Change<'_>,
    endpoint: &Endpoint,
) -> Result<EndpointId, JobError> {
    let mut new = NewEndpoint::unnamed(Endpoint { password: None, ..endpoint.clone() });
    match with_url(tx, &new, true).await?.first() {
        Some(id) => {
            let options = &mut new.endpoint.options;
            if options.insecure && options.pin.is_none() {
                let known = get(&mut *tx, *id).await?.endpoint.options;
                (options.insecure, options.pin) = (known.insecure, known.pin);
            }
            update(tx, by, *id, &new).await?;
            Ok(*id)
        }
        None => create(tx, by, &new, true).await,
    }
}

async fn with_url(tx: &mut WriteTx, new: &NewEndpoint, ad_hoc: bool) -> Result<Vec<EndpointId>, DbError> {
    let found: Vec<i64> = sqlx::query_scalar("SELECT id FROM endpoints WHERE url = ? AND ad_hoc = ? ORDER BY id")
        .bind(new.endpoint.url())
        .bind(i64::from(ad_hoc))
        .fetch_all(&mut **tx)
        .await?;
    Ok(found.into_iter().map(EndpointId).collect())
}

/// How many jobs that were not removed use it.
async fn users(tx: &mut WriteTx, id: EndpointId) -> Result<i64, DbError> {
    let count = "SELECT count(*) FROM jobs WHERE ?1 IN (source, target) AND removed IS NULL";
    Ok(sqlx::query_scalar(count).bind(id.0).fetch_one(&mut **tx).await?)
}

/// Would `new` change nothing about the stored endpoint? Without a password it asks for the stored one.
async fn says_the_same(tx: &mut WriteTx, vault: &Vault, id: EndpointId, new: &NewEndpoint) -> Result<bool, JobError> {
    let stored = unsealed(&mut *tx, vault, id).await?;
    let password = new.endpoint.password.as_ref();
    Ok(stored.options == new.endpoint.options && (password.is_none() || password == stored.password.as_ref()))
}

/// `name`, with a number when somebody has it.
async fn free_name(tx: &mut WriteTx, name: String) -> Result<String, DbError> {
    let mut free = name.clone();
    for number in 2.. {
        let taken: Option<i64> =
            sqlx::query_scalar("SELECT 1 FROM endpoints WHERE name = ?").bind(&free).fetch_optional(&mut **tx).await?;
        if taken.is_none() {
            break;
        }
        free = format!("{name} ({number})");
    }
    Ok(free)
}

/// Removes an endpoint that no job uses.
pub(in crate::job) async fn remove(tx: &mut WriteTx, by: Change<'_>, id: EndpointId) -> Result<(), JobError> {
    let old = get(&mut *tx, id).await?;
    let jobs: Vec<String> =
        sqlx::query_scalar("SELECT name FROM jobs WHERE ?1 IN (source, target) AND removed IS NULL ORDER BY name")
            .bind(id.0)
            .fetch_all(&mut **tx)
            .await?;
    if !jobs.is_empty() {
        return Err(JobError::EndpointInUse { name: old.name, jobs: jobs.join(", ") });
    }
    let history: i64 = sqlx::query_scalar("SELECT count(*) FROM jobs WHERE ?1 IN (source, target)")
        .bind(id.0)
        .fetch_one(&mut **tx)
        .await?;
    // The history of removed jobs still shows where they went: then only the secret and the name go.
    let query = if history == 0 {
        sqlx::query("DELETE FROM endpoints WHERE id = ?")
    } else {
        sqlx::query(
            "UPDATE endpoints SET password = NULL, ad_hoc = 1, name = name || ' (removed ' || id || ')' WHERE id = ?",
        )
    };
    query.bind(id.0).execute(&mut **tx).await?;
    append(tx, by.now, by.actor, &Event::EndpointRemoved { endpoint: id, url: old.endpoint.url() }).await?;
    Ok(())
}

async fn seal(tx: &mut WriteTx, vault: &Vault, id: EndpointId, password: &Secret) -> Result<(), JobError> {
    let sealed = vault.seal(&context(id), password)?;
    sqlx::query("UPDATE endpoints SET password = ? WHERE id = ?").bind(sealed).bind(id.0).execute(&mut **tx).await?;
    Ok(())
}

fn taken(error: DbError, name: &str) -> JobError {
    match error {
        DbError::Exists(_) => JobError::EndpointNameTaken(name.to_owned()),
        other => JobError::Db(other),
    }
}
