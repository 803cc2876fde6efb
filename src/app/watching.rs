//! What looks at observations by itself: incidents and early warning.

use std::sync::Arc;

use super::Store;
use crate::diagnose::{Alarms, Incidents, alarm, incident};
use crate::task::Tasks;

/// Both of them.
pub(super) struct Watching {
    pub(super) incidents: Incidents,
    pub(super) alarms: Alarms,
}

impl Watching {
    /// Over the observations of `store`, by the usual terms.
    pub(super) fn new(store: &Store) -> Self {
        let (db, clock) = (&store.db, &store.clock);
        Self {
            incidents: Incidents::new(db.clone(), Arc::clone(clock), incident::Terms::default()),
            alarms: Alarms::new(db.clone(), Arc::clone(clock), alarm::Terms::default()),
        }
    }

    /// From now on, until the house stops.
    pub(super) fn start(&self, tasks: &Tasks) {
        self.incidents.start(tasks);
        self.alarms.start(tasks);
    }
}
