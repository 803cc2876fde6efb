//! The control socket: one line in, one line out.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Duration;

use crate::link::Link;

/// Where sockets and the lock are.
pub const FOLDER: &str = "/run/netlab";
/// The longest line that is read.
const LINE: u64 = 4096;
/// How long one who connected may take to say or hear a line.
const PATIENCE: Duration = Duration::from_secs(5);

/// A question on its way to the link.
#[derive(Debug)]
pub struct Ask {
    /// What was said.
    pub line: String,
    /// Where the answer goes.
    pub answer: SyncSender<String>,
}

/// What came of a question.
#[derive(Debug)]
pub enum Outcome {
    /// Done, nothing to say.
    Done,
    /// The answer.
    Report(String),
    /// It was wrong, and why.
    Wrong(String),
    /// The lab is to end.
    End,
}

impl Outcome {
    /// As it is sent.
    pub fn into_line(self) -> String {
        match self {
            Self::Done | Self::End => "ok".into(),
            Self::Report(line) => line,
            Self::Wrong(why) => format!("error: {why}"),
        }
    }
}

/// The socket of a lab.
pub fn socket(lab: &str) -> PathBuf {
    Path::new(FOLDER).join(format!("{lab}.sock"))
}

/// Passes lines on to the link for as long as the process lives. `wake` gets a byte for each.
pub fn serve(listener: &UnixListener, asks: &SyncSender<Ask>, mut wake: UnixStream) {
    for stream in listener.incoming().flatten() {
        // One who asked and went away takes nothing from the next one.
        if let Ok(Passed::LinkIsGone) = pass_on(&stream, asks, &mut wake) {
            return;
        }
    }
}

enum Passed {
    Answered,
    LinkIsGone,
}

/// One question and its answer.
fn pass_on(stream: &UnixStream, asks: &SyncSender<Ask>, wake: &mut UnixStream) -> io::Result<Passed> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut line = String::new();
    BufReader::new(stream).take(LINE).read_line(&mut line)?;
    let (answer, heard) = sync_channel(1);
    if asks.send(Ask { line: line.trim().to_owned(), answer }).is_err() || wake.write_all(b"?").is_err() {
        return Ok(Passed::LinkIsGone);
    }
    let Ok(text) = heard.recv() else { return Ok(Passed::LinkIsGone) };
    let mut writer = stream;
    writeln!(writer, "{text}")?;
    Ok(Passed::Answered)
}

/// Asks a lab that is up.
///
/// # Errors
/// A sentence: it is not up, or says no.
pub fn ask(lab: &str, line: &str) -> Result<String, String> {
    let answer = || -> io::Result<String> {
        let mut stream = UnixStream::connect(socket(lab))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        writeln!(stream, "{line}")?;
        let mut text = String::new();
        BufReader::new(stream).read_line(&mut text)?;
        Ok(text.trim_end().to_owned())
    };
    let text = answer().map_err(|error| format!("{lab}: {error}: is the lab up?"))?;
    match text.strip_prefix("error: ") {
        Some(why) => Err(why.to_owned()),
        None => Ok(text),
    }
}

/// Does what a line says.
pub fn handle(link: &mut Link, line: &str) -> Outcome {
    let words: Vec<&str> = line.split_whitespace().collect();
    let done = match words.split_first() {
        Some((&"set", words)) => link.set(words),
        Some((&"fault", words)) => link.fault(words),
        Some((&"clear", [])) => {
            link.clear();
            Ok(())
        }
        Some((&"stat", [])) => return Outcome::Report(link.report()),
        Some((&"stat", ["reset"])) => {
            let report = link.report();
            link.reset_counters();
            return Outcome::Report(report);
        }
        Some((&"quit", [])) => return Outcome::End,
        _ => Err(format!("{line}: not understood")),
    };
    done.map_or_else(Outcome::Wrong, |()| Outcome::Done)
}
