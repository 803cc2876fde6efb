//! Taking turns at the names of a folder. A rename replaces whatever is under the name; whoever looks first and
//! renames then must know that nobody of this process came in between. The kernel has no such call.

use std::io;
use std::os::fd::AsFd;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::Stat;

/// So many folders can be changed at a time; two that share a turn only wait for each other.
const TURNS: usize = 64;

static ALL: [Mutex<()>; TURNS] = [const { Mutex::new(()) }; TURNS];

/// Until it is dropped, no name in the folder (or in both folders) is changed by anybody else of this process.
#[derive(Debug)]
pub(super) struct Turn {
    _first: Option<MutexGuard<'static, ()>>,
    _second: Option<MutexGuard<'static, ()>>,
}

/// Waits for the turn at the folder `dir`.
pub(super) fn at(dir: impl AsFd) -> io::Result<Turn> {
    Ok(Turn { _first: take(number(dir)?), _second: None })
}

/// Waits for the turn at both folders.
pub(super) fn at_both(one: impl AsFd, other: impl AsFd) -> io::Result<Turn> {
    let (one, other) = (number(one)?, number(other)?);
    // Always in the same order: two who want the same two never wait for each other.
    let second = if one == other { None } else { Some(one.max(other)) };
    Ok(Turn { _first: take(one.min(other)), _second: second.and_then(take) })
}

fn number(dir: impl AsFd) -> io::Result<usize> {
    let stat = Stat::of(dir)?;
    Ok(usize::try_from((stat.ino ^ stat.dev) % 64).unwrap_or(0))
}

fn take(number: usize) -> Option<MutexGuard<'static, ()>> {
    ALL.get(number).map(|turn| turn.lock().unwrap_or_else(PoisonError::into_inner))
}
