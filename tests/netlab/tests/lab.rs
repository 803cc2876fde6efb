//! A whole lab: two namespaces, a link, and real connections over it. Needs root, Linux and python3.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test")]

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

const PROGRAM: &str = env!("CARGO_BIN_EXE_netlab");
const ALLOWED: &str = "/proc/sys/net/ipv4/tcp_allowed_congestion_control";

/// Answers each line with as many bytes as it asks for.
const SERVER: &str = r#"
import socket, threading
def serve(one):
    try:
        for line in one.makefile("rb"):
            one.sendall(b"x" * int(line))
    except OSError:
        pass
listener = socket.create_server(("10.9.0.2", 21))
print("ready", flush=True)
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
"#;

/// Says how long the connect and an answer of `size` bytes took in milliseconds, or the error.
const CLIENT: &str = r#"
import socket, sys, time
begin = time.monotonic()
try:
    one = socket.create_connection(("10.9.0.2", 21), timeout=3)
    connected = time.monotonic()
    one.sendall(sys.argv[1].encode() + b"\n")
    left = int(sys.argv[1])
    while left:
        got = one.recv(65536)
        if not got: sys.exit("end of file")
        left -= len(got)
    print((connected - begin) * 1000, (time.monotonic() - connected) * 1000)
except OSError as error:
    print(type(error).__name__)
"#;

struct Lab {
    name: String,
    link: Child,
    greeting: String,
    servers: Vec<(Child, BufReader<ChildStdout>)>,
}

impl Lab {
    fn up(name: &str, settings: &[&str]) -> Self {
        let name = format!("{name}-{}", std::process::id());
        let mut link = Command::new(PROGRAM)
            .args(["up", &name, "until=eof"])
            .args(settings)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut greeting = String::new();
        BufReader::new(link.stdout.as_mut().unwrap()).read_line(&mut greeting).unwrap();
        assert!(greeting.contains("is up"), "no lab: root is needed, and /dev/net/tun");
        let mut lab = Self { name, link, greeting, servers: Vec::new() };
        lab.serve();
        lab
    }

    fn serve(&mut self) {
        let command = self.command("s", SERVER, "0");
        let mut child = { command }.stdout(Stdio::piped()).spawn().unwrap();
        let mut words = BufReader::new(child.stdout.take().unwrap());
        words.read_line(&mut String::new()).unwrap();
        self.servers.push((child, words));
    }

    fn command(&self, side: &str, program: &str, argument: &str) -> Command {
        let mut command = Command::new(PROGRAM);
        command.args(["exec", &self.name, side, "python3", "-c", program, argument]);
        command
    }

    /// What a client says that asks for so many bytes.
    fn fetch(&self, size: &str) -> String {
        let output = self.command("c", CLIENT, size).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// The milliseconds of a client that came through.
    fn millis(&self, size: &str) -> (f64, f64) {
        let said = self.fetch(size);
        let (connect, answer) = said.split_once(' ').unwrap_or_else(|| panic!("{said}: {}", self.ask(&["stat"])));
        (connect.parse().unwrap(), answer.parse().unwrap())
    }

    fn ask(&self, words: &[&str]) -> String {
        let output = Command::new(PROGRAM).arg(words[0]).arg(&self.name).args(&words[1..]).output().unwrap();
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn names(&self) -> [String; 3] {
        ["/run/netns/X-c", "/run/netns/X-s", "/run/netlab/X.sock"].map(|path| path.replace('X', &self.name))
    }

    /// Lets the leash go and waits for the end, which is that of what runs in the lab, too.
    fn end(&mut self) {
        drop(self.link.stdin.take());
        for (mut server, _) in self.servers.drain(..) {
            assert!(!server.wait().unwrap().success(), "it was killed");
        }
        let begin = Instant::now();
        while self.link.try_wait().unwrap().is_none() {
            assert!(begin.elapsed() < Duration::from_secs(10), "the lab does not end");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        for (server, _) in &mut self.servers {
            server.kill().ok();
            server.wait().ok();
        }
        self.link.kill().ok();
        self.link.wait().ok();
        Command::new(PROGRAM).args(["down", &self.name]).status().ok();
    }
}

#[test]
fn a_link_delays_and_leaves_nothing_behind() {
    let before = std::fs::read_to_string(ALLOWED).unwrap();
    let mut lab = Lab::up("delay", &["delay=50"]);
    assert_eq!(std::fs::read_to_string(ALLOWED).unwrap(), before, "the machine's list is as it was");
    assert!(lab.greeting.contains("congestion control"), "{}", lab.greeting);
    let (connect, answer) = lab.millis("1");
    assert!(connect >= 100.0 && answer >= 100.0, "a round trip takes 100 ms: {connect}, {answer}");
    lab.ask(&["set", "delay=0"]);
    assert!(lab.millis("1").0 < 100.0, "a setting takes hold while it runs");
    let stat = lab.ask(&["stat"]);
    assert!(stat.contains(r#""ctl":{"opened":2,"#), "{stat}");
    let names = lab.names();
    assert!(names.iter().all(|name| Path::new(name).exists()));
    lab.end();
    let left: Vec<_> = names.iter().filter(|name| Path::new(name).exists()).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_rate_is_kept_and_loss_is_made_good_by_tcp() {
    let lab = Lab::up("rate", &["rate=16", "delay=1", "seed=5"]);
    // 500,000 bytes at 2 MB/s.
    let (_, millis) = lab.millis("500000");
    assert!(millis >= 230.0, "{millis}");
    lab.ask(&["set", "rate=0", "loss=2"]);
    lab.millis("500000");
    let stat = lab.ask(&["stat"]);
    assert!(
        !stat.contains(r#""lost":0,"overflow":0,"faulted":0},"rule_hits"#),
        "some of 350 packets were lost: {stat}"
    );
}

#[test]
fn faults_strike_and_are_cleared() {
    let lab = Lab::up("faults", &["delay=1"]);
    for (fault, seen) in [
        (&["rst", "ctl", "after=1"][..], "ConnectionResetError"),
        (&["refuse", "ctl"], "ConnectionRefusedError"),
        (&["drop", "any"], "TimeoutError"),
        (&["limit", "ctl", "max=0"], "TimeoutError"),
        (&["maxlen", "any", "size=1000"], "TimeoutError"),
    ] {
        lab.ask(&[&["fault"], fault].concat());
        assert_eq!(lab.fetch("100000"), seen, "{fault:?}");
        lab.ask(&["clear"]);
        lab.millis("100000");
    }
}

#[test]
fn all_of_one_end_are_killed_and_nobody_else() {
    let mut lab = Lab::up("kill", &[]);
    // Out of reach of its parent's group, as a server's session is.
    let session = "import os, time; os.setsid(); print('ready', flush=True); time.sleep(60)";
    let start = |lab: &Lab, side| {
        let mut child = { lab.command(side, session, "") }.stdout(Stdio::piped()).spawn().unwrap();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut String::new()).unwrap();
        child
    };
    let (mut here, mut there) = (start(&lab, "c"), start(&lab, "s"));
    lab.ask(&["kill", "s"]);
    assert!(!there.wait().unwrap().success());
    assert!(!lab.servers.pop().unwrap().0.wait().unwrap().success());
    assert!(here.try_wait().unwrap().is_none(), "the client's end lives on");
    lab.serve();
    lab.millis("1");
    lab.ask(&["kill", "c"]);
    assert!(!here.wait().unwrap().success());
}

#[test]
fn what_is_wrong_is_said() {
    let mut unknown = Command::new(PROGRAM).args(["stat", "no-such-lab"]).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = String::new();
    unknown.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(!unknown.wait().unwrap().success());
    assert!(said.contains("is the lab up?"), "{said}");
    let lab = Lab::up("wrong", &[]);
    let twice = Command::new(PROGRAM).args(["up", &lab.name]).output().unwrap();
    assert!(!twice.status.success());
    assert!(String::from_utf8_lossy(&twice.stderr).contains("up already"));
}
