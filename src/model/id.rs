//! Row identities, one type each so that they cannot be mixed up.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub i64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )*};
}

ids! {
    /// An account that may log in.
    AccountId;
    /// A stored endpoint.
    EndpointId;
    /// A migration job.
    JobId;
    /// One execution of a job.
    RunId;
    /// One path in a run.
    ItemId;
    /// A survey that was started on the dashboard.
    SurveyId;
    /// A set of endpoints that are compared.
    SetId;
    /// A diagnosis that was started on the dashboard.
    DiagnosisId;
    /// A change for the worse that early warning noticed.
    AlarmId;
    /// A cluster of like faults.
    IncidentId;
}
