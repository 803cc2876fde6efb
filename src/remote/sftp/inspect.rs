//! What an SFTP server is and can do, for a report: the versions and extensions that it told when it was met, and how
//! long single questions take.

use std::time::Instant;

use super::pool::Pool;
use crate::model::Fault;
use crate::remote::{DotFiles, Encryption, Skill, Traits, micros};

/// So many times a question is asked, to know how long a round trip takes.
const QUESTIONS: usize = 9;
/// OPEN, READ and CLOSE: the attributes fly with the first.
const ROUND_TRIPS: f64 = 3.0;

/// `ask` is a question that costs one round trip.
pub(super) async fn traits<T, F>(pool: &Pool, ask: impl Fn() -> F) -> Traits
where
    F: Future<Output = Result<T, Fault>>,
{
    let mut round_trips = Vec::new();
    for _ in 0..QUESTIONS {
        let started = Instant::now();
        if ask().await.is_ok() {
            round_trips.push(micros(started.elapsed()));
        }
    }
    let Ok(connection) = pool.connection().await else { return Traits { round_trips, ..Traits::default() } };
    let (about, features) = (&connection.about, connection.features);
    let has = |name: &str, yes: bool, what: &str| {
        if yes {
            Skill::untried(name, Some(true), format!("announced; {what} is used when it is needed"))
        } else {
            Skill::untried(name, Some(false), "the server does not announce it")
        }
    };
    Traits {
        greeting: Some(about.software.clone()),
        announced: about.extensions.clone(),
        skills: vec![
            has("fsync@openssh.com", features.fsync, "writing through to the disk"),
            has("check-file", features.check_file, "the server's own hash"),
        ],
        encryption: match &about.agreed {
            Some(agreed) => {
                Encryption::Used { version: format!("SSH 2 ({})", agreed.kex), cipher: agreed.cipher.clone() }
            }
            None => Encryption::Unknown,
        },
        listing: Some("READDIR".to_owned()),
        dot_files: DotFiles::Shown,
        manner: Some("many requests on their way at once".to_owned()),
        round_trips_small: Some(ROUND_TRIPS),
        round_trips_large: Some(ROUND_TRIPS),
        round_trips,
        setup: Some(micros(about.setup)),
        connections: pool.connections(),
        ..Traits::default()
    }
}
