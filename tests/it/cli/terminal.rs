//! At a terminal: bars that go away again, and passwords that are typed and never shown. The terminal is a real one,
//! made by script(1).

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdout, Stdio};
use std::time::{Duration, Instant};

use super::causeway;
use crate::support::causeway::{binary, command};
use crate::support::sshd::Sshd;

struct Terminal {
    child: Child,
    screen: ChildStdout,
    seen: String,
}

impl Terminal {
    fn start(folder: &Path, arguments: &str) -> Self {
        let program = command(folder);
        let mut script = std::process::Command::new("script");
        for (name, value) in program.get_envs() {
            match value {
                Some(value) => script.env(name, value),
                None => script.env_remove(name),
            };
        }
        let line = format!("{} {arguments}", binary().display());
        script.args(["--quiet", "--return", "--command", &line, "/dev/null"]).current_dir(folder).env("TERM", "xterm");
        let mut child = script.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap();
        let screen = child.stdout.take().unwrap();
        Self { child, screen, seen: String::new() }
    }

    /// Waits until `text` is on the screen.
    fn until(&mut self, text: &str) {
        let end = Instant::now() + Duration::from_secs(60);
        while !self.seen.contains(text) {
            assert!(Instant::now() < end, "'{text}' did not come: {}", self.seen);
            let mut bytes = [0; 4096];
            let count = self.screen.read(&mut bytes).unwrap();
            assert!(count > 0, "'{text}' did not come: {}", self.seen);
            self.seen.push_str(&String::from_utf8_lossy(&bytes[..count]));
        }
    }

    /// Types what must not be seen: once the program has switched the echo off, a moment after its question.
    fn type_secret(&mut self, text: &str) {
        let end = Instant::now() + Duration::from_secs(60);
        let script = "stty -a -F /dev/$(ps -o tty= --ppid \"$0\" | head -n 1)";
        let quiet = || {
            let asked = std::process::Command::new("sh").args(["-c", script, &self.child.id().to_string()]).output();
            String::from_utf8_lossy(&asked.unwrap().stdout).contains(" -echo ")
        };
        while !quiet() {
            assert!(Instant::now() < end, "the echo stays on");
            std::thread::sleep(Duration::from_millis(10));
        }
        writeln!(self.child.stdin.as_mut().unwrap(), "{text}").unwrap();
    }

    /// Exit code and all that was on the screen.
    fn end(mut self) -> (i32, String) {
        let mut rest = Vec::new();
        self.screen.read_to_end(&mut rest).unwrap();
        self.seen.push_str(&String::from_utf8_lossy(&rest));
        (self.child.wait().unwrap().code().unwrap_or(-1), self.seen)
    }
}

#[test]
fn a_host_key_that_is_not_known_is_asked_about() {
    let (sshd, folder) = (Sshd::start(), tempfile::tempdir().unwrap());
    fs::create_dir(folder.path().join("source")).unwrap();
    fs::write(folder.path().join("source/a"), "hello").unwrap();
    let line = format!("mirror source {} --state state --target-identity {}", sshd.url(), sshd.file("key"));
    for (answer, code) in [("n", 1), ("y", 0)] {
        let mut terminal = Terminal::start(folder.path(), &line);
        terminal.until("[y/N] ");
        assert!(terminal.seen.contains(&sshd.pin()), "{}", terminal.seen);
        writeln!(terminal.child.stdin.as_mut().unwrap(), "{answer}").unwrap();
        let (ended, seen) = terminal.end();
        assert_eq!(ended, code, "{seen}");
        assert_eq!(sshd.root().join("a").exists(), code == 0, "{seen}");
    }
    let (ended, seen) = Terminal::start(folder.path(), &line).end();
    assert_eq!((ended, seen.contains("[y/N]")), (0, false), "it is remembered: {seen}");
}

#[test]
fn passwords_are_asked_for_and_never_shown() {
    let folder = tempfile::tempdir().unwrap();
    let mut terminal = Terminal::start(folder.path(), "account add anna");
    terminal.until("New password: ");
    terminal.type_secret("correct horse battery");
    terminal.until("Again: ");
    terminal.type_secret("correct horse battery");
    let (code, seen) = terminal.end();
    assert_eq!((code, seen.contains("horse")), (0, false), "{seen}");

    let mut terminal = Terminal::start(folder.path(), "account add ben");
    terminal.until("New password: ");
    terminal.type_secret("correct horse battery");
    terminal.until("Again: ");
    terminal.type_secret("correct horse butter");
    let (code, seen) = terminal.end();
    assert_eq!((code, seen.contains("differ")), (1, true), "{seen}");
    let (_, accounts, _) = causeway(folder.path(), &["account", "list"]);
    assert!(accounts.contains("anna") && !accounts.contains("ben"), "{accounts}");

    let mut terminal = Terminal::start(folder.path(), "job add nightly ftp://anna@old.example/ legacy");
    terminal.until("Password of anna at old.example: ");
    terminal.type_secret("hush-hush");
    let (code, seen) = terminal.end();
    assert_eq!((code, seen.contains("hush")), (0, false), "{seen}");
}

#[test]
fn progress_is_a_bar_on_a_terminal_and_lines_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("source")).unwrap();
    fs::write(folder.path().join("source/large"), vec![7; 800_000]).unwrap();
    let slow = ["mirror", "source", "plain", "--bandwidth", "100KiB", "--state", "state-plain"];
    let (lines, bar) = std::thread::scope(|scope| {
        let lines = scope.spawn(|| causeway(folder.path(), &slow));
        let bar = Terminal::start(folder.path(), "mirror source shown --bandwidth 100KiB --state state-shown").end();
        (lines.join().unwrap(), bar)
    });
    let (code, stdout, stderr) = lines;
    assert_eq!(code, 0, "{stdout}{stderr}");
    let told = stderr.lines().filter(|line| line.contains(" of ") && line.contains("copying")).count();
    assert!(told > 0 && !format!("{stdout}{stderr}").contains('\x1b'), "{stdout}{stderr}");
    let (code, seen) = bar;
    assert_eq!(code, 0, "{seen}");
    // Drawn again and again on one line, then wiped away before the summary.
    let drawn = seen.split('\r').filter(|part| part.contains("copying 0/1 files")).count();
    assert!(drawn > 5, "{drawn} times: {seen}");
    let after = seen.rsplit_once("files, ").unwrap().1;
    assert!(after.contains("\x1b[2K") || after.contains("\x1b[K"), "{after:?}");
    assert!(after.contains("everything is there and verified"), "{after:?}");
}
