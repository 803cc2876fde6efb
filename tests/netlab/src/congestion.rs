//! Which congestion control the lab's connections use.
//!
//! A measured link wants the one that most of the world's servers use, cubic, whatever this machine's default is: bbr
//! takes no notice of loss and would make the lossy link another link. The kernel lets a namespace choose only what
//! `net.ipv4.tcp_allowed_congestion_control` of the machine names, so that list is made longer for the moment of the
//! choice and put back before the lab is used; connections of a namespace whose choice is made need it no more.

use std::fs;
use std::path::Path;

use crate::sys;

/// What is wanted unless told otherwise.
pub const WANTED: &str = "cubic";
/// Where a namespace's choice is read and made.
const CHOICE: &str = "/proc/sys/net/ipv4/tcp_congestion_control";
const ALLOWED: &str = "/proc/sys/net/ipv4/tcp_allowed_congestion_control";

/// The machine's list, longer until this is dropped.
#[derive(Debug)]
pub struct Allowance {
    before: Option<String>,
    /// Two labs that come up at once must not take each other's list for the machine's.
    _lock: Option<fs::File>,
}

impl Allowance {
    /// Allows `name` where this process may. Where it may not, the choice itself will say so.
    pub fn get(name: &str, lock: &Path) -> Self {
        let lock = sys::lock(lock).ok();
        let before = fs::read_to_string(ALLOWED).ok().filter(|list| !list.split_whitespace().any(|one| one == name));
        let before = before.filter(|list| fs::write(ALLOWED, format!("{} {name}", list.trim())).is_ok());
        Self { before, _lock: lock }
    }
}

impl Drop for Allowance {
    fn drop(&mut self) {
        if let Some(Err(error)) = self.before.as_ref().map(|before| fs::write(ALLOWED, before.trim())) {
            eprintln!("{ALLOWED} could not be put back to {:?}: {error}", self.before);
        }
    }
}

/// Makes the choice of the thread's namespace. `strict`: it was asked for by name, so another one will not do.
///
/// # Errors
/// A sentence, when `strict`.
pub fn choose(name: &str, strict: bool) -> Result<(), String> {
    match fs::write(CHOICE, name) {
        Err(error) if strict => Err(format!("congestion control {name} is not to be had here: {error}")),
        _ => Ok(()),
    }
}

/// What connections of the thread's namespace use.
pub fn chosen() -> String {
    fs::read_to_string(CHOICE).map_or_else(|_| "unknown".into(), |text| text.trim().to_owned())
}
