//! Brings a lab up, and takes it down.

use std::fs::{self, File};
use std::io::Write as _;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::mpsc::sync_channel;

use crate::congestion::{Allowance, WANTED};
use crate::control::{self, FOLDER};
use crate::link::{Link, Wakes};
use crate::namespace::{self, Plan};
use crate::rule::Side;
use crate::shape::Shape;
use crate::sys;

/// Questions that may wait; who asks one more waits himself.
const ASKS: usize = 16;

/// Everything that `up` can be told.
#[derive(Debug)]
struct Settings {
    plan: Plan,
    shape: Shape,
    control_ports: Vec<u16>,
    seed: u64,
    /// End with standard input.
    leashed: bool,
}

impl Settings {
    fn parse(lab: &str, words: &[&str]) -> Result<Self, String> {
        let plan = Plan { lab: lab.to_owned(), mtu: 1500, congestion: None };
        let mut settings =
            Self { plan, shape: Shape::default(), control_ports: vec![21, 990], seed: 1, leashed: false };
        for word in words {
            let wrong = |_| format!("{word}: not a number in range");
            match word.split_once('=') {
                Some(("mtu", value)) => settings.plan.mtu = value.parse().map_err(wrong)?,
                Some(("seed", value)) => settings.seed = value.parse().map_err(wrong)?,
                Some(("cc", value)) => settings.plan.congestion = Some(value.to_owned()),
                Some(("ports", value)) => {
                    settings.control_ports =
                        value.split(',').map(str::parse).collect::<Result<_, _>>().map_err(wrong)?;
                }
                Some(("until", "eof")) => settings.leashed = true,
                _ => settings.shape.set(word)?,
            }
        }
        Ok(settings)
    }
}

/// The lab's names, and what still runs under them: taken away when it ends however it ends. Without a link nobody
/// would ever tell those processes that their peers are gone.
struct Names<'a>(&'a str);

impl Drop for Names<'_> {
    fn drop(&mut self) {
        for side in Side::BOTH {
            // There may be no such end, and a name that cannot be emptied is still taken away.
            namespace::kill(self.0, side).ok();
        }
        namespace::forget(self.0);
        fs::remove_file(control::socket(self.0)).ok();
    }
}

/// Brings a lab up and carries its packets until it is told to end.
///
/// # Errors
/// A sentence.
pub fn up(lab: &str, words: &[&str]) -> Result<(), String> {
    let settings = Settings::parse(lab, words)?;
    if control::ask(lab, "stat").is_ok() {
        return Err(format!("{lab} is up already"));
    }
    let told = |what: &'static str| move |error: std::io::Error| format!("{what}: {error}");
    // Before the first thread: signals are taken from all of them.
    let signals = sys::end_signals().map_err(told("signals"))?;
    fs::create_dir_all(FOLDER).map_err(told(FOLDER))?;
    // One of this name that was killed left its own.
    drop(Names(lab));
    let names = Names(lab);
    let ends = {
        let wanted = settings.plan.congestion.as_deref().unwrap_or(WANTED);
        let _allowed = Allowance::get(wanted, &control::socket(".congestion"));
        [namespace::make(&settings.plan, Side::Client)?, namespace::make(&settings.plan, Side::Server)?]
    };
    let congestion = ends.each_ref().map(|end| end.congestion.clone()).join(" and ");
    let listener = UnixListener::bind(control::socket(lab)).map_err(told("control socket"))?;
    let (wake, asked) = UnixStream::pair().map_err(told("wake-up"))?;
    asked.set_nonblocking(true).map_err(told("wake-up"))?;
    let (asks, questions) = sync_channel(ASKS);
    let answering = std::thread::spawn(move || control::serve(&listener, &asks, wake));
    let (leash, _held) = leash(settings.leashed).map_err(told("standard input"))?;
    sys::wake_precisely();
    // Whoever waits for this line may read no further: that it cannot be said is no reason to end.
    writeln!(std::io::stdout(), "{lab} is up, congestion control {congestion}").ok();
    let mut link = Link::new(ends, settings.shape, settings.control_ports, settings.seed);
    link.run(&questions, &Wakes { asked, signals, leash }).map_err(told("link"))?;
    drop(names);
    // With the socket gone nobody asks any more; the last answer may still be on its way.
    drop(questions);
    if answering.is_finished() {
        answering.join().ok();
    } else {
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    Ok(())
}

/// What ends the link by becoming readable: standard input at its end, or a pipe whose other end is held here.
fn leash(to_input: bool) -> std::io::Result<(File, Option<OwnedFd>)> {
    if to_input {
        return Ok((File::from(std::io::stdin().as_fd().try_clone_to_owned()?), None));
    }
    let (reader, writer) = std::io::pipe()?;
    Ok((File::from(OwnedFd::from(reader)), Some(OwnedFd::from(writer))))
}

/// Ends a lab, or clears away what a killed one left.
pub fn down(lab: &str) {
    if control::ask(lab, "quit").is_err() {
        drop(Names(lab));
    }
}

/// Can this be part of a file name and of an interface's?
pub fn is_name(lab: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    !lab.is_empty() && lab.len() < 32 && lab.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_read() {
        let words = ["delay=10", "mtu=1400", "cc=reno", "ports=21,2121", "seed=9", "until=eof"];
        let settings = Settings::parse("lab", &words).unwrap();
        assert_eq!((settings.plan.mtu, settings.seed, settings.leashed), (1400, 9, true));
        assert_eq!(settings.control_ports, [21, 2121]);
        assert_eq!(settings.plan.congestion.as_deref(), Some("reno"));
        for word in ["mtu=70000", "ports=21,x", "until=never", "rate", "seed=-1"] {
            assert!(Settings::parse("lab", &[word]).is_err(), "{word}");
        }
    }

    #[test]
    fn names_stay_below_their_folders() {
        assert!(is_name("bench-1_a"));
        for name in ["", "../x", "a b", "a/b", &"x".repeat(32)] {
            assert!(!is_name(name), "{name:?}");
        }
    }
}
