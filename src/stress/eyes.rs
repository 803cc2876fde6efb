//! What the clients themselves observe of their connections: ends that nobody wanted, and what TCP knew.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc::Receiver;

use crate::reliability::rollup::Histogram;
use crate::reliability::{Direction, End, Observation, What};

/// Added up over all connections of the run that have ended.
#[derive(Debug, Clone, Default)]
pub struct Sight {
    /// Connections that had been ready, as they ended.
    pub ended: u64,
    /// Of those: ended by something else than a goodbye.
    pub lost: u64,
    /// Segments that were sent again.
    pub retransmits: u64,
    /// Shortest round trips, in seconds.
    pub round_trips: Histogram,
    /// Sending waited so long for the other side's receive window.
    pub window_waits: Duration,
    /// The highest rate that arrived at the other side over one connection, bytes per second.
    pub delivery: u64,
    /// The highest rate of one download, bytes per second.
    pub download: f64,
}

/// Takes in what is observed until all clients have gone.
pub async fn watch(mut seen: Receiver<Observation>, sight: Arc<Mutex<Sight>>) {
    while let Some(observation) = seen.recv().await {
        sight.lock().unwrap_or_else(PoisonError::into_inner).take(&observation);
    }
}

impl Sight {
    fn take(&mut self, observation: &Observation) {
        match &observation.what {
            What::Connection { setup: Some(_), end, .. } => {
                self.ended += 1;
                self.lost += u64::from(matches!(end, End::Failed(..)));
                if let Some(tcp) = observation.detail.tcp {
                    self.round_trips.add(tcp.min_rtt.as_secs_f64());
                    self.retransmits += u64::from(tcp.retransmits);
                    self.window_waits += tcp.rwnd_limited;
                    self.delivery = self.delivery.max(tcp.delivery_rate);
                }
            }
            What::Transfer { direction: Direction::Download, bytes, duration, end: End::Clean }
                if *duration > Duration::from_millis(10) =>
            {
                self.download = self.download.max(super::number(*bytes) / duration.as_secs_f64());
            }
            _ => {}
        }
    }
}
