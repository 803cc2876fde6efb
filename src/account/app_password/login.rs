//! Coming in with an app password.
//!
//! It is looked up again when something has changed about logins, and every minute, so that its use is known; the
//! requests between that, and their entries in the log, are spared. One that is known and was removed or has expired is no guess: a lost device that goes
//! on trying locks nobody out, and the log has it by its label. One that nobody knows is counted for its address alone.
//! The right one is let in from an address that is locked out, too: it was not found by trying.

use jiff::{SignedDuration, Timestamp};
use sqlx::SqliteConnection;

use super::super::request::REMEMBER;
use super::secret;
use super::store::{self, Row};
use crate::account::guess::peer_subject;
use crate::account::login::short;
use crate::account::store::{AccountRow, Subject, by_id, guesses, note_login};
use crate::account::{Accounts, Grant, LoginContext, LoginError};
use crate::audit::{self, Actor, Event, LoginMethod, LoginRefusal};
use crate::db::DbError;
use crate::model::{Door, Secret};

/// The store learns about use at most this often: a request is not worth a write.
const TOUCH: SignedDuration = SignedDuration::from_mins(1);
/// The log learns at most this often that one is shown in vain: a device does not stop to try.
const REFUSALS: SignedDuration = SignedDuration::from_mins(10);

/// What came with a request.
struct Shown<'a> {
    /// The name beside it; a bearer token stands alone.
    name: Option<&'a str>,
    secret: &'a Secret,
    context: &'a LoginContext,
}

/// The app password that it is.
struct Found {
    app: Row,
    account: AccountRow,
}

/// What is to be said to it.
enum Verdict {
    /// There is none, or it is another account's.
    Unknown,
    /// There is one, and it opens nothing here.
    Refused(Found, LoginRefusal),
    /// It opens the door.
    Right(Found),
}

const fn opens(door: Door) -> bool {
    match door {
        Door::Dav | Door::Files => true,
        Door::Sftp | Door::Web | Door::Share | Door::Cli => false,
    }
}

impl Found {
    fn refusal(&self, door: Door, now: Timestamp) -> Option<LoginRefusal> {
        if self.app.removed {
            Some(LoginRefusal::AppPasswordRemoved)
        } else if self.app.about.is_over(now) {
            Some(LoginRefusal::AppPasswordExpired)
        } else if self.account.disabled {
            Some(LoginRefusal::Disabled)
        } else if !opens(door) {
            Some(LoginRefusal::Method)
        } else {
            None
        }
    }

    fn grant(&self) -> Grant {
        Grant::of(&self.account).by_app_password(self.app.id, &self.app.about)
    }

    /// When it has to be looked up again: its use is to be written down, or it ends.
    fn until(&self, now: Timestamp) -> Timestamp {
        let used = self.app.about.last_used.filter(|_| !is_old(self.app.about.last_used, TOUCH, now)).unwrap_or(now);
        let next = used.checked_add(TOUCH).unwrap_or(now);
        self.app.about.expires.map_or(next, |end| next.min(end))
    }
}

impl Shown<'_> {
    async fn judge(&self, conn: &mut SqliteConnection, now: Timestamp) -> Result<Verdict, DbError> {
        let Some(app) = store::find(conn, &secret::hash(self.secret)).await? else { return Ok(Verdict::Unknown) };
        let Some(account) = by_id(conn, app.account).await? else { return Ok(Verdict::Unknown) };
        if self.name.is_some_and(|name| name != account.name) {
            return Ok(Verdict::Unknown);
        }
        let found = Found { app, account };
        Ok(match found.refusal(self.context.door, now) {
            None => Verdict::Right(found),
            Some(reason) => Verdict::Refused(found, reason),
        })
    }

    fn failed(&self, account: String, reason: LoginRefusal, label: Option<String>) -> Event {
        let (door, peer) = (self.context.door, self.context.peer.to_string());
        let method = LoginMethod::AppPassword;
        Event::LoginFailed { account, door, peer, method, reason, certificate: None, app_password: label }
    }
}

fn is_old(last: Option<Timestamp>, span: SignedDuration, now: Timestamp) -> bool {
    last.is_none_or(|last| now.duration_since(last) >= span)
}

impl Accounts {
    /// Lets in one request that shows an app password: the grant, and until when no other request needs to ask.
    pub(in crate::account) async fn login_app_password(
        &self,
        name: Option<&str>,
        secret: &Secret,
        context: &LoginContext,
    ) -> Result<(Grant, Timestamp), LoginError> {
        let now = self.clock.now();
        let shown = Shown { name, secret, context };
        let peer = peer_subject(context.peer.ip());
        let mut conn = self.db.read().acquire().await?;
        // Mostly there is nothing to write down.
        match shown.judge(&mut conn, now).await? {
            Verdict::Right(found) if self.is_logged(&shown, &found, now) => {
                drop(conn);
                self.touch(&found, context, now).await;
                return Ok((found.grant(), found.until(now)));
            }
            Verdict::Refused(found, _) if !is_old(found.app.refused, REFUSALS, now) => return Err(LoginError::Refused),
            Verdict::Right(_) | Verdict::Refused(..) => {}
            Verdict::Unknown => {
                if let Some(until) = guesses(&mut conn, Subject::Peer(&peer), now).await?.lock(now) {
                    return Err(LoginError::PeerLocked(until));
                }
            }
        }
        drop(conn);
        let mut tx = self.db.write().await?;
        // Once more: it may have been removed, or noted, meanwhile.
        let result = match shown.judge(&mut tx, now).await? {
            Verdict::Right(found) => Ok((self.note_right(&mut tx, &shown, &found, now).await?, found.until(now))),
            Verdict::Refused(found, reason) => Err(note_refused(&mut tx, &shown, (found, reason), now).await?),
            Verdict::Unknown => Err(self.note_unknown(&mut tx, &shown, &peer, now).await?),
        };
        tx.commit().await?;
        if let (Ok((grant, _)), Ok(until)) = (&result, now.checked_add(REMEMBER)) {
            let tag = self.remembered.tag(grant.name(), secret, context);
            self.remembered.put(tag, (grant.id(), grant.changed()), until);
        }
        result
    }

    /// Writes down the use of one whose login is in the log; when that fails, nobody is turned away for it.
    async fn touch(&self, found: &Found, context: &LoginContext, now: Timestamp) {
        if !is_old(found.app.about.last_used, TOUCH, now) {
            return;
        }
        let noted = async {
            let mut conn = self.db.statement().await?;
            store::note_used(&mut conn, found.app.id, context.peer.ip().to_string(), now).await
        };
        if let Err(error) = noted.await {
            let account = found.account.name.as_str();
            tracing::warn!(account.name = account, db.error = %error, "the use of an app password was not written down");
        }
    }

    /// Does the log have it that this one came in at this door from this address, a moment ago?
    fn is_logged(&self, shown: &Shown<'_>, found: &Found, now: Timestamp) -> bool {
        let tag = self.remembered.tag(&found.account.name, shown.secret, shown.context);
        self.remembered.find(tag, now).is_some_and(|proof| proof.is_of(&found.account))
    }

    async fn note_right(
        &self,
        tx: &mut SqliteConnection,
        shown: &Shown<'_>,
        found: &Found,
        now: Timestamp,
    ) -> Result<Grant, DbError> {
        let grant = found.grant();
        store::note_used(tx, found.app.id, shown.context.peer.ip().to_string(), now).await?;
        if !self.is_logged(shown, found, now) {
            note_login(tx, found.account.id, None, now).await?;
            let event = Event::LoginSucceeded {
                account: grant.name().to_owned(),
                door: shown.context.door,
                peer: shown.context.peer.to_string(),
                method: LoginMethod::AppPassword,
                with: Vec::new(),
                certificate: None,
                app_password: Some(found.app.about.label.clone()),
            };
            audit::append(tx, now, &grant.actor(), &event).await?;
        }
        Ok(grant)
    }

    async fn note_unknown(
        &self,
        tx: &mut SqliteConnection,
        shown: &Shown<'_>,
        peer: &str,
        now: Timestamp,
    ) -> Result<LoginError, DbError> {
        let seen = guesses(tx, Subject::Peer(peer), now).await?;
        if let Some(until) = seen.lock(now) {
            return Ok(LoginError::PeerLocked(until));
        }
        let name = shown.name.map(short).unwrap_or_default().to_owned();
        audit::append(tx, now, &Actor::System, &shown.failed(name, LoginRefusal::Wrong, None)).await?;
        self.count_peer(tx, peer, (&seen, now)).await?;
        Ok(LoginError::Refused)
    }
}

async fn note_refused(
    tx: &mut SqliteConnection,
    shown: &Shown<'_>,
    (found, reason): (Found, LoginRefusal),
    now: Timestamp,
) -> Result<LoginError, DbError> {
    if is_old(found.app.refused, REFUSALS, now) {
        store::note_refused(tx, found.app.id, now).await?;
        let event = shown.failed(found.account.name, reason, Some(found.app.about.label));
        audit::append(tx, now, &Actor::System, &event).await?;
    }
    Ok(LoginError::Refused)
}
