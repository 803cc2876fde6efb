//! A glance at one file: what the server says of it in commands that need no data connection, so that it can fly
//! together with the transfer that it is about. MLST (RFC 3659 section 7) where there is one, else SIZE and MDTM
//! (sections 3 and 4).

use super::control::Control;
use super::fault;
use super::flight::Flight;
use super::listing::{parse_facts, parse_time};
use super::reply::Reply;
use crate::model::{Entry, EntryKind, Fault, FaultKind, Name, Phase, Retry, TimeSource};

/// The commands that make a glance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Glance {
    /// MLST: type, size and time.
    Facts,
    /// SIZE, then MDTM.
    Size,
}

impl Glance {
    /// Adds the commands about `path`.
    ///
    /// # Errors
    /// [`FaultKind::BadName`] for a name that no command line can hold.
    pub fn add(self, flight: &mut Flight, path: &[u8]) -> Result<(), Fault> {
        match self {
            Self::Facts => flight.add(Phase::Command, "MLST", Some(path)),
            Self::Size => {
                flight.add(Phase::Command, "SIZE", Some(path))?;
                flight.add(Phase::Command, "MDTM", Some(path))
            }
        }
    }

    /// Asks about `path`, whose name is `name`: `together` or one by one.
    ///
    /// # Errors
    /// As [`Glance::hear`].
    pub async fn ask(
        self,
        control: &mut Control,
        path: &[u8],
        name: &Name,
        together: bool,
    ) -> Result<Option<Entry>, Fault> {
        let mut flight = Flight::default();
        self.add(&mut flight, path)?;
        if together && flight.is_light() {
            control.drain(Phase::Command)?;
            control.launch(Phase::Command, &flight).await?;
            return self.hear(control, name).await;
        }
        match self {
            Self::Facts => {
                let reply = granted(control.ask(Phase::Command, "MLST", Some(path)).await?, "MLST", 250)?;
                Ok((reply.class() == 2).then(|| facts(&reply, name)).flatten())
            }
            Self::Size => {
                let size = granted(control.ask(Phase::Command, "SIZE", Some(path)).await?, "SIZE", 213)?;
                if size.class() != 2 {
                    return Ok(None);
                }
                let time = granted(control.ask(Phase::Command, "MDTM", Some(path)).await?, "MDTM", 213)?;
                sized(&size, &time, name)
            }
        }
    }

    /// Hears the answers. `None`: the server does not say that there is a file, which is no proof that there is none.
    ///
    /// # Errors
    /// The connection's failure, "not now" (4yz) about the time, and answers that belong to other commands.
    pub async fn hear(self, control: &mut Control, name: &Name) -> Result<Option<Entry>, Fault> {
        match self {
            Self::Facts => {
                let reply = granted(control.answer(Phase::Command).await?, "MLST", 250)?;
                Ok((reply.class() == 2).then(|| facts(&reply, name)).flatten())
            }
            Self::Size => {
                let size = control.answer(Phase::Command).await?;
                // Read before the first is judged: both were sent.
                let time = control.answer(Phase::Command).await?;
                sized(&granted(size, "SIZE", 213)?, &granted(time, "MDTM", 213)?, name)
            }
        }
    }
}

/// A yes with another code than `good` belongs to another command: the session is out of step, and nothing that it
/// says may be believed.
///
/// # Errors
/// [`FaultKind::Protocol`] for such a yes, and the server's farewell.
pub fn granted(reply: Reply, verb: &str, good: u16) -> Result<Reply, Fault> {
    if reply.code == 421 {
        return Err(fault::of_reply(Phase::Command, verb, &reply));
    }
    if reply.class() == 2 && reply.code != good || matches!(reply.class(), 1 | 3) {
        let why = format!("the server answers {verb} with {}, which belongs to another command", reply.code);
        let fault = Fault::new(Phase::Command, FaultKind::Protocol, why);
        return Err(fault.retry(Retry::Now).reply(u32::from(reply.code), &reply.text()));
    }
    Ok(reply)
}

/// The entry in the reply to MLST. proftpd calls a directory that is asked for by name "cdir".
fn facts(reply: &Reply, name: &Name) -> Option<Entry> {
    let lines = reply.lines.iter().filter(|line| line.contains(&b'='));
    let (raw, dots) = lines.filter_map(|line| parse_facts(line.trim_ascii_start())).next()?;
    let mut entry = raw.named(name.clone());
    if dots {
        entry.kind = EntryKind::Dir;
    }
    Some(entry)
}

/// The file that SIZE and MDTM tell of.
fn sized(size: &Reply, time: &Reply, name: &Name) -> Result<Option<Entry>, Fault> {
    let Some(size) = (size.class() == 2).then(|| size.last_text().trim().parse().ok()).flatten() else {
        return Ok(None);
    };
    if time.class() == 4 {
        // Not "has no time": for now it is not told.
        return Err(fault::of_reply(Phase::Command, "MDTM", time));
    }
    let mtime = (time.class() == 2).then(|| parse_time(&time.last_text(), TimeSource::Mdtm)).flatten();
    Ok(Some(Entry { name: name.clone(), kind: EntryKind::File, size: Some(size), mtime, mode: None, unique: None }))
}
