//! Five minutes of an endpoint.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::db::{Db, DbError};
use crate::reliability::estimate::number;
use crate::reliability::rollup::{self, Measure};
use crate::reliability::stat::{Sample, connections, moved, resets};
use crate::reliability::{Role, Window};

/// How long a slot is.
pub const SLOT: SignedDuration = SignedDuration::from_mins(5);

/// What happened in it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Slot {
    /// When it began.
    pub at: Timestamp,
    /// The mean of the logarithms of the set-up times in seconds; none when nothing connected.
    pub setup: Option<f64>,
    /// Attempts at connections and transfers that failed by the path, the server or the protocol.
    pub failed: u64,
    /// All that count.
    pub tried: u64,
    /// Connections that were reset.
    pub resets: u64,
    /// Connections that stood.
    pub connections: u64,
    /// Connections that became ready: so many set-up times were measured.
    pub ready: u64,
}

impl Slot {
    /// From what was seen in it.
    #[must_use]
    pub fn of(at: Timestamp, sample: &Sample) -> Self {
        let ((ready, refused), (clean, broken)) = (connections(sample), moved(sample));
        let (resets, stood) = resets(sample);
        let setup = sample.measured(Measure::Setup).mean_logarithm();
        Self {
            at,
            setup,
            failed: refused + broken,
            tried: ready + refused + clean + broken,
            resets,
            connections: stood,
            ready,
        }
    }

    /// The slots of an endpoint in a window; those in which nothing happened are left out. A window that begins before the
    /// roll-ups of minutes do ([`rollup::KEEP_MINUTES`]) has a slot for each hour there.
    ///
    /// # Errors
    /// What the store says.
    pub async fn read(
        db: &Db,
        window: &Window,
        (family, role, endpoint): (&str, Role, &str),
    ) -> Result<Vec<Self>, DbError> {
        let window = window.clone().of(role).at(endpoint);
        let width = i64::try_from(SLOT.as_micros()).unwrap_or(i64::MAX);
        let slices = rollup::slices(db, family, &window, width).await?;
        let slot = |(at, digest)| {
            let at = Timestamp::from_microsecond(at).map_err(|error| DbError::Value(error.to_string()))?;
            Ok(Self::of(at, &Sample::of(digest)))
        };
        slices.into_iter().map(slot).collect()
    }

    /// When a slot is over that began at a time.
    #[must_use]
    pub fn end(at: Timestamp) -> Timestamp {
        at.saturating_add(SLOT).unwrap_or(at)
    }

    /// The share of failures.
    #[must_use]
    pub fn share(part: u64, of: u64) -> f64 {
        if of == 0 { 0.0 } else { number(part) / number(of) }
    }
}
