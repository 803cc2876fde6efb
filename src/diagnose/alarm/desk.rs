//! Shows the detectors what is new, again and again.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::store::{self, Turn, Watching};
use super::{Alarm, Ending, Place, Terms, Watched};
use crate::db::{Db, DbError};
use crate::model::{AlarmId, Clock};
use crate::reliability::alarm::{Change, SLOT, Sign, Slot};
use crate::reliability::rollup::KEEP_MINUTES;
use crate::reliability::{FAMILIES, Window, all_sources};
use crate::task::Tasks;

/// Slots that are kept as evidence: two hours.
const EVIDENCE: usize = 24;

/// All alarms. Clones share them.
#[derive(Debug, Clone)]
pub struct Alarms {
    db: Db,
    clock: Arc<dyn Clock>,
    terms: Terms,
}

impl Alarms {
    /// Those in `db`. None begins or ends before [`Alarms::start`].
    #[must_use]
    pub fn new(db: Db, clock: Arc<dyn Clock>, terms: Terms) -> Self {
        Self { db, clock, terms }
    }

    /// Watches from now on, until the house stops.
    pub fn start(&self, tasks: &Tasks) {
        let (alarms, stop) = (self.clone(), tasks.token());
        tasks.spawn("early warning", async move {
            let mut mark = None;
            loop {
                if let Err(error) = alarms.look(&mut mark).await {
                    tracing::warn!(%error, "early warning could not look at what is new");
                }
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = tokio::time::sleep(alarms.terms.beat) => {}
                }
            }
        });
    }

    /// One look at the slots that are over since `mark`; none: since what the store knows. What cannot be seen at one place
    /// keeps no other from being seen, and is tried again.
    pub(super) async fn look(&self, mark: &mut Option<Timestamp>) -> Result<(), DbError> {
        let now = self.clock.now();
        let looked = self.look_at_new(now, mark).await;
        let put_away = self.put_away(now).await;
        looked.and(put_away)
    }

    async fn look_at_new(&self, now: Timestamp, mark: &mut Option<Timestamp>) -> Result<(), DbError> {
        let to = begin(now.saturating_sub(signed(self.terms.grace)).unwrap_or(now))?;
        let known = match *mark {
            Some(known) => known,
            None => store::mark(self.db.read()).await?.unwrap_or(Timestamp::MIN),
        };
        // A slot is what a small step of the clock may lack; nothing is lost or seen twice then.
        let known = if known > to.saturating_add(SLOT).unwrap_or(to) {
            tracing::warn!(%known, "early warning has seen times that are still to come: the clock was put back");
            store::put_back(&self.db, to).await?;
            to
        } else {
            known
        };
        // What is older is there by the hour at best.
        let kept = now.saturating_sub(SignedDuration::from_hours(24 * KEEP_MINUTES)).unwrap_or(Timestamp::MIN);
        let oldest = begin(kept)?.saturating_add(SLOT).unwrap_or(now);
        let window = Window { from: known.max(oldest), to, role: None, endpoint: None };
        let mut outcome = Ok(());
        if window.from < window.to {
            for source in all_sources(&self.db, &window).await? {
                let Some(family) = FAMILIES.into_iter().find(|family| *family == source.family) else { continue };
                let place = Place { family, role: source.role, endpoint: source.endpoint };
                outcome = outcome.and(self.see(now, place, oldest, &window).await);
            }
        }
        if outcome.is_ok() {
            *mark = Some(to.max(known));
        }
        outcome
    }

    /// Shows the detectors of a place what they have not seen, and keeps what they know then.
    async fn see(&self, now: Timestamp, place: Place, oldest: Timestamp, window: &Window) -> Result<(), DbError> {
        let mut watching = store::watching(self.db.read(), &place).await?.unwrap_or_else(|| Watching::new(place));
        // Places may have been seen for longer or less long than the others: one after the other is kept.
        let from = if watching.until > window.to { window.from } else { watching.until.max(oldest) };
        let mut turns = if watching.anew { unknown(now) } else { Vec::new() };
        for slot in self.slots(&watching.place, (from, window.to)).await? {
            for change in watching.watch.see(&slot) {
                turns.push(match change {
                    Change::Began(alarm) => {
                        let mut evidence = self.slots(&watching.place, (alarm.since, alarm.at)).await?;
                        evidence.drain(..evidence.len().saturating_sub(EVIDENCE));
                        Turn::Began(alarm, evidence)
                    }
                    Change::Ended(sign, at) => Turn::Ended(sign, at, Ending::Normal),
                });
            }
        }
        watching.until = window.to;
        self.keep(now, &watching, &turns).await
    }

    async fn slots(&self, place: &Place, (from, to): (Timestamp, Timestamp)) -> Result<Vec<Slot>, DbError> {
        let window = Window { from, to, role: None, endpoint: None };
        Slot::read(&self.db, &window, (place.family, place.role, &place.endpoint)).await
    }

    async fn keep(&self, now: Timestamp, watching: &Watching, turns: &[Turn]) -> Result<(), DbError> {
        for (what, ended) in store::keep(&self.db, now, watching, turns).await? {
            if ended {
                tracing::info!(what, "an alarm ended");
            } else {
                tracing::warn!(what, "early warning: something changed for the worse");
            }
        }
        Ok(())
    }

    /// Ends the alarms of which nobody will know more, and those that have become what is usual.
    async fn put_away(&self, now: Timestamp) -> Result<(), DbError> {
        let mut outcome = Ok(());
        for alarm in store::all_open(self.db.read()).await? {
            outcome = outcome.and(self.put_one_away(now, &alarm).await);
        }
        outcome
    }

    async fn put_one_away(&self, now: Timestamp, alarm: &Alarm) -> Result<(), DbError> {
        let Some(mut watching) = store::watching(self.db.read(), &alarm.place).await? else { return Ok(()) };
        let turns = if watching.anew {
            unknown(now)
        } else if age(now, watching.until) >= self.terms.forgotten {
            watching.watch.calm(alarm.sign);
            vec![Turn::Ended(alarm.sign, now, Ending::Forgotten)]
        } else if age(now, alarm.noticed) >= self.terms.relearnt {
            watching.watch.relearn(alarm.sign);
            vec![Turn::Ended(alarm.sign, now, Ending::Relearnt)]
        } else {
            return Ok(());
        };
        self.keep(now, &watching, &turns).await
    }

    /// The last ones, those that go on first.
    ///
    /// # Errors
    /// The store's.
    pub async fn list(&self, most: u32) -> Result<Vec<Alarm>, DbError> {
        store::last(self.db.read(), most).await
    }

    /// Those that went on at any time between two times, the newest first.
    ///
    /// # Errors
    /// The store's.
    pub async fn within(&self, from: Timestamp, to: Timestamp) -> Result<Vec<Alarm>, DbError> {
        store::within(&self.db, from, to).await
    }

    /// One.
    ///
    /// # Errors
    /// [`DbError::Missing`]; the store's.
    pub async fn get(&self, id: AlarmId) -> Result<Alarm, DbError> {
        store::get(self.db.read(), id).await
    }

    /// Who was watched since a time.
    ///
    /// # Errors
    /// The store's.
    pub async fn watched(&self, since: Timestamp) -> Result<Vec<Watched>, DbError> {
        store::watched(self.db.read(), since).await
    }
}

/// What was usual is not known any more: whatever rang is over.
fn unknown(now: Timestamp) -> Vec<Turn> {
    Sign::ALL.into_iter().map(|sign| Turn::Ended(sign, now, Ending::Relearnt)).collect()
}

/// The beginning of the slot that a time lies in.
fn begin(at: Timestamp) -> Result<Timestamp, DbError> {
    let second = at.as_second();
    Timestamp::from_second(second - second.rem_euclid(SLOT.as_secs()))
        .map_err(|error| DbError::Value(error.to_string()))
}

fn signed(length: Duration) -> SignedDuration {
    SignedDuration::try_from(length).unwrap_or(SignedDuration::MAX)
}

fn age(now: Timestamp, at: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(at)).unwrap_or_default()
}
