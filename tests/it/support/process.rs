//! The processes of a peer: servers that fork give each session one of its own, in a group of its own at times.

use std::collections::BTreeMap;
use std::fs;

/// Every process that `top` started, or that one of those did.
pub fn below(top: u32) -> Vec<u32> {
    let parents = parents();
    let is_below = |mut pid: u32| {
        while let Some(parent) = parents.get(&pid) {
            if *parent == top {
                return true;
            }
            pid = *parent;
        }
        false
    };
    parents.keys().copied().filter(|pid| is_below(*pid)).collect()
}

/// How many processes `top` itself started.
pub fn children(top: u32) -> usize {
    parents().values().filter(|parent| **parent == top).count()
}

/// Kills these; who ended meanwhile is no matter.
pub fn kill(pids: &[u32]) {
    signal(pids, rustix::process::Signal::KILL);
}

/// Stops these where they are; who ended meanwhile is no matter.
pub fn stop(pids: &[u32]) {
    signal(pids, rustix::process::Signal::STOP);
}

fn signal(pids: &[u32], signal: rustix::process::Signal) {
    for pid in pids {
        let pid = rustix::process::Pid::from_raw(i32::try_from(*pid).unwrap()).unwrap();
        let _ = rustix::process::kill_process(pid, signal);
    }
}

/// Process → its parent.
fn parents() -> BTreeMap<u32, u32> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else { continue };
        let behind_name = stat.rsplit(") ").next().unwrap();
        if let Some(parent) = behind_name.split(' ').nth(1).and_then(|parent| parent.parse().ok()) {
            found.insert(pid, parent);
        }
    }
    found
}
