//! How many files the process may have open.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::config::Config;

/// Database, logs, listeners, certificates and jobs.
const OWN: u64 = 256;
/// A connection of a door, with a file and its folder, and a copy under way.
const PER_CONNECTION: u64 = 4;

/// Lets the process open as many files as the system allows it: the usual soft limit of 1024 is less than what
/// the doors may admit. Says so when even that is too few.
pub(super) fn raise(config: &Config) {
    let limits = getrlimit(Resource::Nofile);
    if limits.current != limits.maximum
        && let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limits.maximum, ..limits })
    {
        tracing::warn!(io.error = %error, "the number of open files cannot be raised");
    }
    let allowed = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let wanted = wanted(config);
    if allowed < wanted {
        tracing::warn!(
            allowed,
            wanted,
            "the system allows too few open files for the connections that may come: raise it (LimitNOFILE, ulimit -n) \
             or lower limits.connections"
        );
    }
}

fn wanted(config: &Config) -> u64 {
    let doors = u64::from(config.https.listen.is_some()) + u64::from(config.sftp.listen.is_some());
    let connections = u64::try_from(config.limits.connections).unwrap_or(u64::MAX);
    OWN.saturating_add(doors.saturating_mul(connections).saturating_mul(PER_CONNECTION))
}
