//! How a login went: judged and written down, in one transaction.

use jiff::Timestamp;
use sqlx::SqliteConnection;

use super::guess::Guesses;
use super::login::{Key, LoginContext, LoginError, Passed, Progress, Proofs};
use super::store::{self, AccountRow, Subject};
use super::{Accounts, Factors, Grant};
use crate::audit::{self, Actor, Event, LoginMethod, LoginRefusal};
use crate::db::DbError;

/// What the look at the store and the proofs gave.
pub(super) struct Attempt<'a> {
    pub(super) name: &'a str,
    pub(super) peer: String,
    pub(super) proofs: &'a Proofs<'a>,
    /// What was shown in a step before.
    pub(super) before: Option<&'a Passed>,
    /// May the rest be shown in another step?
    pub(super) in_steps: bool,
    pub(super) context: &'a LoginContext,
    /// The row as it was when the proofs were checked.
    pub(super) row: Option<AccountRow>,
    pub(super) refusal: Option<LoginRefusal>,
    pub(super) rehash: Option<String>,
    pub(super) key: Key,
}

/// What was counted when a login is settled.
struct Seen<'a> {
    /// Whose count a failure goes to.
    counted: Subject<'a>,
    on_account: Guesses,
    on_peer: Guesses,
}

impl Accounts {
    /// Writes down how it went, in one transaction, and looks once more: between the check and now the
    /// account or the address may have been locked by others, or the account changed.
    pub(super) async fn settle(&self, attempt: Attempt<'_>) -> Result<Progress, LoginError> {
        let now = self.clock.now();
        let mut tx = self.db.write().await?;
        let on_peer = store::guesses(&mut tx, Subject::Peer(&attempt.peer), now).await?;
        if let Some(until) = on_peer.lock(now) {
            return Err(LoginError::PeerLocked(until));
        }
        let row = store::by_name(&mut tx, attempt.name).await?;
        let counted = self.counted(&mut tx, row.as_ref(), (attempt.name, &attempt.peer), now).await?;
        let on_account = store::guesses(&mut tx, counted, now).await?;
        let seen = Seen { counted, on_account, on_peer };
        let locked = attempt.proofs.factors().is_guessable() && seen.on_account.lock(now).is_some();
        let same = |then: &AccountRow, row: &AccountRow| then.id == row.id && then.changed == row.changed;
        let judged = match (attempt.refusal, &attempt.row, row) {
            _ if locked => Err(LoginRefusal::Locked),
            (Some(refusal), _, _) => Err(refusal),
            (None, Some(then), Some(row)) if same(then, &row) => self.judge(&mut tx, &attempt, &row).await?,
            (None, _, _) => Err(LoginRefusal::Wrong),
        };
        let result = match judged {
            Ok(passed) => Ok(self.note_passed(&mut tx, &attempt, passed, (counted, now)).await?),
            Err(reason) => Err(self.note_failure(&mut tx, &attempt, reason, (&seen, now)).await?),
        };
        tx.commit().await?;
        result
    }

    /// Is what was shown, and is right so far, what the account requires? Checks the code, and uses it up.
    async fn judge(
        &self,
        tx: &mut SqliteConnection,
        attempt: &Attempt<'_>,
        row: &AccountRow,
    ) -> Result<Result<Passed, LoginRefusal>, DbError> {
        if row.disabled {
            return Ok(Err(LoginRefusal::Disabled));
        }
        let now = attempt.proofs.factors();
        let shown = attempt.before.map(Passed::factors).unwrap_or_default().with(now);
        let needed = row.required.needed(shown, self.has_second_factor(tx, row.id).await?);
        // A code that is not needed is let go; anything else that is not asked of the account opens nothing, nor does
        // a code that stands alone.
        let useless = now.without(needed).without(Factors::CODE);
        if !useless.is_empty() || shown.without(Factors::CODE).is_empty() {
            return Ok(Err(LoginRefusal::Method));
        }
        if let (Some(code), true) = (attempt.proofs.code, needed.code)
            && !self.use_code(tx, row.id, code).await?
        {
            return Ok(Err(LoginRefusal::WrongCode));
        }
        let missing = needed.without(shown);
        if !missing.is_empty() && !attempt.in_steps {
            return Ok(Err(LoginRefusal::Incomplete));
        }
        Ok(Ok(Passed::new(row, needed.without(missing), missing, attempt.key.clone())))
    }

    async fn note_passed(
        &self,
        tx: &mut SqliteConnection,
        attempt: &Attempt<'_>,
        passed: Passed,
        (counted, now): (Subject<'_>, Timestamp),
    ) -> Result<Progress, DbError> {
        let row = store::by_name(tx, attempt.name).await?.ok_or(DbError::Missing)?;
        if let Some(rehash) = &attempt.rehash {
            store::rehash(tx, row.id, rehash).await?;
        }
        let (account, door, peer) = (row.name.clone(), attempt.context.door, attempt.context.peer.to_string());
        if !passed.missing().is_empty() {
            let event = Event::LoginPartial { account, door, peer, method: attempt.proofs.method() };
            audit::append(tx, now, &Actor::System, &event).await?;
            return Ok(Progress::Partly(passed));
        }
        // Only now: whoever knows a part of it must not clear the count of guesses at the rest.
        if passed.factors().is_guessable() {
            store::forget_guesses(tx, counted).await?;
        }
        store::note_login(tx, row.id, passed.key().fingerprint.as_deref(), now).await?;
        store::note_address(tx, row.id, &attempt.peer, (self.lately(now), now)).await?;
        let seen = passed.key().certificate.clone();
        let certificate = seen.as_ref().map(|seen| seen.shown());
        let certified = |method| if certificate.is_some() { LoginMethod::Certificate } else { method };
        let methods = passed.factors().methods();
        let mut methods = methods.map(|method| if method == LoginMethod::Key { certified(method) } else { method });
        let method = methods.next().unwrap_or(LoginMethod::Password);
        let with = methods.collect();
        let event = Event::LoginSucceeded { account, door, peer, method, with, certificate, app_password: None };
        let grant = Grant::of(&row).certified(seen);
        audit::append(tx, now, &grant.actor(), &event).await?;
        Ok(Progress::In(grant))
    }

    async fn note_failure(
        &self,
        tx: &mut SqliteConnection,
        attempt: &Attempt<'_>,
        reason: LoginRefusal,
        (seen, now): (&Seen<'_>, Timestamp),
    ) -> Result<LoginError, DbError> {
        let event = Event::LoginFailed {
            account: attempt.name.to_owned(),
            door: attempt.context.door,
            peer: attempt.context.peer.to_string(),
            method: attempt.proofs.method(),
            reason,
            certificate: attempt.key.certificate.as_ref().map(|seen| seen.shown()),
            app_password: None,
        };
        audit::append(tx, now, &Actor::System, &event).await?;
        if reason == LoginRefusal::Incomplete {
            // No guess: what was shown is right, and the owner's program may go on trying.
            return Ok(LoginError::Incomplete);
        }
        if !attempt.proofs.factors().is_guessable() {
            return Ok(LoginError::Refused);
        }
        let limits = &self.settings.limits;
        self.count_peer(tx, &attempt.peer, (&seen.on_peer, now)).await?;
        if let Some(until) = seen.on_account.lock(now) {
            return Ok(LoginError::Locked(until));
        }
        let after = seen.on_account.after_failure(now, limits.account_failures, limits);
        store::put_guesses(tx, seen.counted, &after).await?;
        if let Some(until) = after.lock(now) {
            let peer = match seen.counted {
                Subject::Known(_, peer) => Some(peer.to_owned()),
                Subject::Account(_) | Subject::Peer(_) | Subject::Link(_) => None,
            };
            let event = Event::AccountLocked { account: attempt.name.to_owned(), peer, until };
            audit::append(tx, now, &Actor::System, &event).await?;
        }
        Ok(LoginError::Refused)
    }

    /// Counts one more failure from an address, which had `seen` before.
    pub(super) async fn count_peer(
        &self,
        tx: &mut SqliteConnection,
        peer: &str,
        (seen, now): (&Guesses, Timestamp),
    ) -> Result<(), DbError> {
        let limits = &self.settings.limits;
        let after = seen.after_failure(now, limits.peer_failures, limits);
        store::put_guesses(tx, Subject::Peer(peer), &after).await?;
        store::bound_guesses(tx, now).await?;
        if let Some(until) = after.lock(now) {
            let event = Event::PeerLocked { peer: peer.to_owned(), until };
            audit::append(tx, now, &Actor::System, &event).await?;
        }
        Ok(())
    }
}
