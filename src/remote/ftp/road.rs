//! What the bytes of a file travel on: a data connection, which belongs to a control connection.

use std::sync::Arc;

use super::control::Control;
use crate::net::{Stream, Tally};
use crate::reliability::Detail;

/// The accounts of both.
#[derive(Debug)]
pub struct Road {
    control: Arc<Tally>,
    data: Arc<Tally>,
}

impl Road {
    /// Of a transfer that begins.
    #[must_use]
    pub fn new(control: &Control, data: &Stream) -> Self {
        Self { control: control.tally(), data: data.tally() }
    }

    /// What was seen of the data connection when `payload` bytes had gone over it; the control connection hears of it,
    /// because a login is paid for all the files that it moves.
    #[must_use]
    pub fn travelled(&self, payload: u64) -> Detail {
        let seen = Detail::of(&self.data);
        self.control.carried(payload, seen.wire.unwrap_or(0));
        Detail { round_trips: None, payload: None, ..seen }
    }
}
