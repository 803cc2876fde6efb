//! Who holds a lease: one process of one boot of one machine, recognisable when it is dead.
//!
//! A lease alone would make every restart wait until it runs out. The owner therefore names its
//! process so that another process on the same machine can see at once that it is gone: process
//! numbers are given again, but number and start time together are not (until the next boot, which
//! has another id). In another process namespace (a container) nothing can be told, and the lease
//! decides.

use std::fmt;
use std::str::FromStr;

use data_encoding::HEXLOWER;
use rustix::fs::{Mode, OFlags};

/// One process's claim to be somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// `/etc/machine-id`, or `-`.
    machine: String,
    /// This boot of the kernel, or `-`.
    boot: String,
    /// The process namespace, or `-`.
    namespace: String,
    /// Process number.
    pid: u32,
    /// When the process started, in ticks since the boot.
    started: u64,
    /// Tells two workers of one process apart.
    nonce: String,
}

/// What is known about an owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    /// It runs on this machine.
    Alive,
    /// It certainly does not run any more.
    Dead,
    /// It cannot be seen from here; its lease decides.
    Unknown,
}

impl Owner {
    /// This process, with a fresh nonce.
    #[must_use]
    pub fn of_this_process() -> Self {
        let pid = std::process::id();
        let mut nonce = [0_u8; 8];
        // A failing generator leaves zeros: pid and start time still tell processes apart.
        if crate::random::fill(&mut nonce).is_err() {
            tracing::warn!("the random generator failed; the worker's name is less unique");
        }
        Self {
            machine: word_in("/etc/machine-id"),
            boot: word_in("/proc/sys/kernel/random/boot_id"),
            namespace: namespace(),
            pid,
            started: started(pid).unwrap_or_default(),
            nonce: HEXLOWER.encode(&nonce),
        }
    }

    /// The process number.
    #[must_use]
    pub const fn pid(&self) -> u32 {
        self.pid
    }

    /// Does the process of this owner still run, as seen by `here`?
    #[must_use]
    pub fn life(&self, here: &Self) -> Life {
        self.life_with(here, started)
    }

    fn life_with(&self, here: &Self, started: impl Fn(u32) -> Option<u64>) -> Life {
        let known = |word: &str| !word.is_empty() && word != "-";
        if !known(&self.boot) || !known(&here.boot) {
            return Life::Unknown;
        }
        if self.boot != here.boot {
            // The same machine, booted again: nothing of before is left.
            let same_machine = known(&self.machine) && self.machine == here.machine;
            return if same_machine { Life::Dead } else { Life::Unknown };
        }
        if self.namespace != here.namespace || !known(&self.namespace) {
            return Life::Unknown;
        }
        if started(self.pid) == Some(self.started) { Life::Alive } else { Life::Dead }
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { machine, boot, namespace, pid, started, nonce } = self;
        write!(f, "{machine}/{boot}/{namespace}/{pid}/{started}/{nonce}")
    }
}

impl FromStr for Owner {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        let mut words = text.split('/').map(str::to_owned);
        let mut word = || words.next().ok_or(());
        Ok(Self {
            machine: word()?,
            boot: word()?,
            namespace: word()?,
            pid: word()?.parse().map_err(|_| ())?,
            started: word()?.parse().map_err(|_| ())?,
            nonce: word()?,
        })
    }
}

/// The first word of a small file; `-` when it cannot be read.
fn word_in(path: &str) -> String {
    kernel_text(path)
        .and_then(|text| text.split_whitespace().next().map(|w| w.replace('/', "_")))
        .unwrap_or_else(|| "-".to_owned())
}

fn namespace() -> String {
    rustix::fs::readlink("/proc/self/ns/pid", Vec::new())
        .ok()
        .and_then(|link| link.into_string().ok())
        .map_or_else(|| "-".to_owned(), |link| link.replace('/', "_"))
}

/// Field 22 of `/proc/<pid>/stat`, counted behind the command name, which may hold anything. None for
/// a process that is not there, or that is dead and only waits to be collected.
fn started(pid: u32) -> Option<u64> {
    parse_stat(&kernel_text(&format!("/proc/{pid}/stat"))?)
}

/// What the kernel says in one short read. These are no files of anybody's tree: they have no length.
fn kernel_text(path: &str) -> Option<String> {
    let file = rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK, Mode::empty()).ok()?;
    let mut bytes = [0_u8; 4096];
    let read = rustix::io::read(&file, &mut bytes).ok()?;
    Some(String::from_utf8_lossy(bytes.get(..read)?).into_owned())
}

fn parse_stat(stat: &str) -> Option<u64> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_whitespace();
    let state = fields.next()?;
    if matches!(state, "Z" | "X" | "x") {
        return None;
    }
    // State is field 3; 22 - 4 = 18 more are skipped.
    fields.nth(18)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_lives_and_a_dead_child_is_dead() {
        let here = Owner::of_this_process();
        assert_eq!(here.life(&Owner::of_this_process()), Life::Alive);
        assert_eq!(here.to_string().parse(), Ok(here.clone()));
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let theirs = Owner { pid: child.id(), started: started(child.id()).unwrap(), ..here.clone() };
        assert_eq!(theirs.life(&here), Life::Alive);
        child.kill().unwrap();
        // Dead, though not yet collected by its parent.
        let until = std::time::Instant::now() + std::time::Duration::from_secs(5);
        while theirs.life(&here) == Life::Alive && std::time::Instant::now() < until {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        assert_eq!(theirs.life(&here), Life::Dead);
        child.wait().unwrap();
        assert_eq!(theirs.life(&here), Life::Dead);
    }

    #[test]
    fn numbers_that_were_given_again_and_other_machines() {
        let here = Owner::of_this_process();
        let earlier = Owner { started: here.started.wrapping_sub(1), ..here.clone() };
        assert_eq!(earlier.life(&here), Life::Dead);
        let container = Owner { namespace: "pid:[1]".into(), ..here.clone() };
        assert_eq!(container.life(&here), Life::Unknown);
        let with = |machine: &str, boot: &str| Owner { machine: machine.into(), boot: boot.into(), ..here.clone() };
        assert_eq!(with("m", "b1").life(&with("m", "b2")), Life::Dead);
        assert_eq!(with("m", "b1").life(&with("n", "b2")), Life::Unknown);
        assert_eq!(with("-", "b1").life(&with("-", "b2")), Life::Unknown);
    }

    #[test]
    fn reads_stat_with_a_hostile_name() {
        let tail = "S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 777 20";
        assert_eq!(parse_stat(&format!("42 (a) b (c)) {tail}")), Some(777));
        assert_eq!(parse_stat(&format!("42 (x) {}", tail.replacen('S', "Z", 1))), None);
        assert_eq!(parse_stat("nothing"), None);
    }
}
