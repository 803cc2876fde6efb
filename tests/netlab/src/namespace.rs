//! Named network namespaces, where `ip netns` would look for them, and the TUN device in each.

use std::fs::{self, File};
use std::io;
use std::net::Ipv4Addr;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::congestion;
use crate::rule::Side;
use crate::sys::{self, Interface};

/// Where names of namespaces are.
const NAMES: &str = "/run/netns";
/// How long processes may take to be gone after they were killed.
const GONE: Duration = Duration::from_secs(5);

/// What one end of the lab is made with.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The lab's name.
    pub lab: String,
    /// Of the device, in bytes.
    pub mtu: u16,
    /// Congestion control asked for by name; [`congestion::WANTED`] is only tried.
    pub congestion: Option<String>,
}

/// One end, made.
#[derive(Debug)]
pub struct End {
    /// What its namespace sends comes out here, what goes in is received there.
    pub device: File,
    /// The congestion control that its connections use.
    pub congestion: String,
}

fn path(lab: &str, side: Side) -> PathBuf {
    let end = match side {
        Side::Client => "c",
        Side::Server => "s",
    };
    PathBuf::from(format!("{NAMES}/{lab}-{end}"))
}

fn address(side: Side) -> Ipv4Addr {
    match side {
        Side::Client => Ipv4Addr::new(10, 9, 0, 1),
        Side::Server => Ipv4Addr::new(10, 9, 0, 2),
    }
}

/// Makes one end.
///
/// # Errors
/// A sentence: which end, and the kernel's reason.
pub fn make(plan: &Plan, side: Side) -> Result<End, String> {
    let name = path(&plan.lab, side);
    let told = |error: io::Error| {
        let hint = if error.kind() == io::ErrorKind::PermissionDenied { " (root is needed)" } else { "" };
        format!("{}: {error}{hint}", name.display())
    };
    // A namespace is a thread's: this one ends with its work, and leaves the process where it is.
    let built = std::thread::scope(|scope| scope.spawn(|| build(plan, side).map_err(told)).join());
    built.map_err(|_| format!("{}: the thread that makes it ended", name.display()))?
}

fn build(plan: &Plan, side: Side) -> io::Result<End> {
    fs::create_dir_all(NAMES)?;
    sys::new_namespace(&path(&plan.lab, side))?;
    Interface::new("lo")?.start()?;
    let device = sys::tun("tun0")?;
    let interface = Interface::new("tun0")?;
    interface.set_address(address(side))?;
    interface.set_mtu(plan.mtu)?;
    interface.start()?;
    let wanted = plan.congestion.as_deref();
    congestion::choose(wanted.unwrap_or(congestion::WANTED), wanted.is_some()).map_err(io::Error::other)?;
    // A lab uses ports fast, and no run may learn from the one before it.
    for (setting, value) in [("tcp_no_metrics_save", "1"), ("ip_local_port_range", "10000 65000")] {
        fs::write(format!("/proc/sys/net/ipv4/{setting}"), value).ok();
    }
    Ok(End { device, congestion: congestion::chosen() })
}

/// Ends all processes of one end at once, as a power cut does, and waits until they are gone. Servers give their
/// sessions process groups of their own, so nobody else could tell which belong together.
///
/// # Errors
/// A sentence: there is no such end, or something does not go.
pub fn kill(lab: &str, side: Side) -> Result<(), String> {
    let name = path(lab, side);
    let identity = |file: PathBuf| fs::metadata(file).map(|found| (found.dev(), found.ino()));
    let wanted = identity(name.clone()).map_err(|error| format!("{}: {error}: is the lab up?", name.display()))?;
    let inside = |process: &u32| identity(format!("/proc/{process}/ns/net").into()).is_ok_and(|found| found == wanted);
    let begin = Instant::now();
    // Again until none is found: one may have started another in the meantime.
    loop {
        let processes: Vec<u32> = processes().filter(inside).collect();
        if processes.is_empty() {
            return Ok(());
        }
        if begin.elapsed() > GONE {
            return Err(format!("{}: {} processes do not end", name.display(), processes.len()));
        }
        processes.into_iter().for_each(sys::kill);
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// All processes but this one. One that ended and was not waited for has no namespace any more.
fn processes() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbers = entries.filter_map(|entry| entry.file_name().to_str().and_then(|name| name.parse().ok()));
    numbers.filter(|number| *number != std::process::id())
}

/// Takes the names of both ends away.
pub fn forget(lab: &str) {
    Side::BOTH.iter().for_each(|side| sys::forget_namespace(&path(lab, *side)));
}

/// Becomes a command in one of the lab's namespaces. Returns only when that fails.
pub fn become_command(lab: &str, side: Side, command: &str, arguments: &[String]) -> String {
    let name = path(lab, side);
    match sys::enter_namespace(&name) {
        Err(error) => format!("{}: {error}: is the lab up?", name.display()),
        Ok(()) => format!("{command}: {}", Command::new(command).args(arguments).exec()),
    }
}
