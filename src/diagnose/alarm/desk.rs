//! Shows the detectors what is new, again and again.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::store::{self, Turn, Watching};
use super::{Alarm, Ending, Place, Terms, Watched};
use crate::db::{Db, DbError};
use crate::model::{AlarmId, Clock};
use crate::reliability::alarm::{Change, SLOT, Slot};
use crate::reliability::rollup::KEEP_MINUTES;
use crate::reliability::{FAMILIES, Window, sources};
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

    /// One look at the slots that are over since `mark`; none: since what the store knows.
    pub(super) async fn look(&self, mark: &mut Option<Timestamp>) -> Result<(), DbError> {
        let now = self.clock.now();
        let known = match *mark {
            Some(known) => known,
            None => store::mark(self.db.read()).await?.unwrap_or(Timestamp::MIN),
        };
        // What is older is there by the hour at best.
        let kept = now.saturating_sub(SignedDuration::from_hours(24 * KEEP_MINUTES)).unwrap_or(Timestamp::MIN);
        let from = known.max(begin(kept)?.saturating_add(SLOT).unwrap_or(now));
        let to = begin(now.saturating_sub(signed(self.terms.grace)).unwrap_or(now))?;
        if from < to {
            let window = Window { from, to, role: None, endpoint: None };
            let mut seen = Vec::new();
            for source in sources(&self.db, &window).await? {
                let Some(family) = FAMILIES.into_iter().find(|family| *family == source.family) else { continue };
                seen.push(self.see(Place { family, role: source.role, endpoint: source.endpoint }, &window).await?);
            }
            self.keep(now, seen).await?;
        }
        *mark = Some(to.max(known));
        self.put_away(now).await
    }

    /// Shows the detectors of a place what they have not seen.
    async fn see(&self, place: Place, window: &Window) -> Result<(Watching, Vec<Turn>), DbError> {
        let mut watching = store::watching(self.db.read(), &place).await?.unwrap_or_else(|| Watching::new(place));
        let from = watching.until.max(window.from);
        let slots = self.slots(&watching.place, (from, window.to)).await?;
        let mut turns = Vec::new();
        for slot in slots {
            for change in watching.watch.see(&slot) {
                turns.push(match change {
                    Change::Began(alarm) => {
                        let end = slot.at.saturating_add(SLOT).unwrap_or(slot.at);
                        let mut evidence = self.slots(&watching.place, (alarm.since, end)).await?;
                        evidence.drain(..evidence.len().saturating_sub(EVIDENCE));
                        Turn::Began(alarm, evidence)
                    }
                    Change::Ended(sign) => Turn::Ended(sign, Ending::Normal),
                });
            }
        }
        watching.until = window.to;
        Ok((watching, turns))
    }

    async fn slots(&self, place: &Place, (from, to): (Timestamp, Timestamp)) -> Result<Vec<Slot>, DbError> {
        let window = Window { from, to, role: None, endpoint: None };
        Slot::read(&self.db, &window, (place.family, place.role, &place.endpoint)).await
    }

    async fn keep(&self, now: Timestamp, seen: Vec<(Watching, Vec<Turn>)>) -> Result<(), DbError> {
        if seen.is_empty() {
            return Ok(());
        }
        for (what, turned) in store::keep(&self.db, now, &seen).await? {
            if turned {
                tracing::info!(what, "an alarm ended");
            } else {
                tracing::warn!(what, "early warning: something changed for the worse");
            }
        }
        Ok(())
    }

    /// Ends the alarms of which nobody will know more, and those that have become what is usual.
    async fn put_away(&self, now: Timestamp) -> Result<(), DbError> {
        for alarm in store::all_open(self.db.read()).await? {
            let Some(mut watching) = store::watching(self.db.read(), &alarm.place).await? else { continue };
            let ending = if age(now, watching.until) >= self.terms.forgotten {
                watching.watch.calm(alarm.sign);
                Ending::Forgotten
            } else if age(now, alarm.noticed) >= self.terms.relearnt {
                watching.watch.relearn(alarm.sign);
                Ending::Relearnt
            } else {
                continue;
            };
            self.keep(now, vec![(watching, vec![Turn::Ended(alarm.sign, ending)])]).await?;
        }
        Ok(())
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
