//! What a process of this machine uses, as the kernel tells it (proc(5)).

use std::path::Path;
use std::time::Instant;

use serde::{Deserialize, Serialize};

use crate::tree::file;

/// No text of proc(5) that is read here is longer.
const LONGEST: usize = 16 << 10;
/// Ticks a second in what programs are told (`USER_HZ`): 100 on every Linux.
const TICKS: f64 = 100.0;

/// A look at a process.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Sample {
    /// Seconds from the start of the run.
    pub at: f64,
    /// Bytes that it has in memory (`VmRSS`).
    pub memory: u64,
    /// Descriptors that it has open; `None` where the kernel does not tell (before Linux 6.2, or somebody else's).
    pub descriptors: Option<u64>,
    /// Seconds that it has used the processor, in all.
    pub cpu: f64,
}

/// What is read of a process: another one by its number, or this one.
#[derive(Debug, Clone)]
pub struct Watched {
    folder: String,
}

impl Watched {
    /// The process `pid`.
    #[must_use]
    pub fn process(pid: u32) -> Self {
        Self { folder: format!("/proc/{pid}") }
    }

    /// This one.
    #[must_use]
    pub fn this() -> Self {
        Self { folder: "/proc/self".to_owned() }
    }

    /// How it is now; `None` when it is gone. Takes microseconds: nothing here waits for a disk.
    #[must_use]
    pub fn look(&self, start: Instant) -> Option<Sample> {
        let memory = field(&self.text("status")?, "VmRSS:")? * 1024;
        let stat = self.text("stat")?;
        // The name may hold anything: what follows the last bracket is fields 3 and on.
        let (_, fields) = stat.rsplit_once(')')?;
        let mut ticks = fields.split_whitespace().skip(11).take(2).filter_map(|word| word.parse::<u32>().ok());
        let cpu = (f64::from(ticks.next()?) + f64::from(ticks.next()?)) / TICKS;
        let listed = rustix::fs::stat(format!("{}/fd", self.folder)).ok();
        let descriptors = listed.and_then(|of| u64::try_from(of.st_size).ok()).filter(|count| *count > 0);
        Some(Sample { at: start.elapsed().as_secs_f64(), memory, descriptors, cpu })
    }

    /// The most descriptors that it may have open.
    #[must_use]
    pub fn most_descriptors(&self) -> Option<u64> {
        field(&self.text("limits")?, "Max open files")
    }

    fn text(&self, name: &str) -> Option<String> {
        let bytes = file::read_special(Path::new(&format!("{}/{name}", self.folder)), LONGEST).ok()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }
}

/// The bytes that a receive buffer of TCP may grow to here (`net.ipv4.tcp_rmem`, the third; tcp(7)).
#[must_use]
pub fn most_receive_buffer() -> Option<u64> {
    let bytes = file::read_special(Path::new("/proc/sys/net/ipv4/tcp_rmem"), LONGEST).ok()?;
    String::from_utf8_lossy(&bytes).split_whitespace().nth(2)?.parse().ok()
}

/// Processors that this process may use.
#[must_use]
pub fn processors() -> u32 {
    std::thread::available_parallelism().ok().and_then(|count| u32::try_from(count.get()).ok()).unwrap_or(1)
}

/// Lets this process have as many descriptors as it may have.
pub fn raise_descriptors() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum }) {
        tracing::debug!(%error, "the limit of descriptors stays as it is");
    }
}

/// The first number behind a name at the beginning of a line.
fn field(text: &str, name: &str) -> Option<u64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
    rest.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_seen() {
        let (start, watched) = (Instant::now(), Watched::this());
        let before = watched.look(start).unwrap();
        let busy = Instant::now();
        while busy.elapsed().as_millis() < 60 {
            std::hint::black_box(busy.elapsed());
        }
        let files: Vec<_> = (0..10).map(|_| std::net::UdpSocket::bind("127.0.0.1:0").unwrap()).collect();
        let after = watched.look(start).unwrap();
        assert!(before.memory > 1 << 20 && after.cpu > before.cpu && after.at > before.at, "{before:?} {after:?}");
        if let (Some(few), Some(more)) = (before.descriptors, after.descriptors) {
            assert!(more >= few + 10 - 3, "{few} {more}");
        }
        assert!(watched.most_descriptors().unwrap() >= 20);
        drop(files);
        assert_eq!(Watched::process(u32::MAX).look(start), None);
    }
}
