//! netlab: two network namespaces joined by a link in user space, for kernels without netem.
//!
//! The link has a delay, jitter, loss by chance, a rate with a finite queue, and faults: forged resets, black holes,
//! refused and limited connections, NATs that forget, path-MTU holes. README.md beside `src` tells how it is used.
//!
//! A packet's way: a namespace sends it into its TUN device, [`link`] reads it there, [`flow`] judges it by the rules of
//! [`rule`], [`way`] holds it for as long as [`shape`] says, and the other device gets it. One thread does all of
//! that; another one listens at the socket of [`control`].

mod congestion;
mod control;
mod flow;
mod lab;
mod link;
mod namespace;
mod packet;
mod random;
mod rule;
mod shape;
mod sys;
mod tally;
mod way;

use std::io::Write as _;
use std::process::ExitCode;

use rule::Side;

const USAGE: &str = "\
usage: netlab up LAB [delay=MS] [jitter=MS] [loss=PERCENT] [rate=MBIT] [queue=KIB] [mtu=BYTES]
                     [cc=NAME] [ports=21,990] [seed=N] [until=eof]
       netlab exec LAB c|s COMMAND [ARGUMENT]...   run it in the client's or the server's namespace
       netlab kill LAB c|s                         end all processes there at once
       netlab set LAB KEY=VALUE...                 change delay, jitter, loss, rate or queue
       netlab fault LAB KIND CLASS [OPTION]...
              KIND    rst | drop | refuse | maxlen size=BYTES | idle secs=SECONDS | limit max=FLOWS
              CLASS   any | ctl | data | PORT
              OPTION  after=BYTES count=FLOWS every=SECONDS for=SECONDS from=c|s action=rst|drop
       netlab clear LAB                            remove all faults
       netlab stat LAB [reset]                     counters, as JSON on one line
       netlab down LAB
The client's end is 10.9.0.1 (namespace LAB-c), the server's 10.9.0.2 (LAB-s).";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(text) => {
            if !text.is_empty() {
                writeln!(std::io::stdout(), "{text}").ok();
            }
            ExitCode::SUCCESS
        }
        Err(error) => {
            writeln!(std::io::stderr(), "{error}").ok();
            ExitCode::FAILURE
        }
    }
}

/// What stands behind `exec LAB SIDE COMMAND`.
fn behind(arguments: &[String]) -> &[String] {
    arguments.get(4..).unwrap_or_default()
}

/// Does what the command line says; what is to be printed, or a sentence about what went wrong.
fn run(arguments: &[String]) -> Result<String, String> {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (verb, lab, rest) = match words.as_slice() {
        ["--help" | "help"] => return Ok(USAGE.into()),
        [verb, lab, rest @ ..] if lab::is_name(lab) => (*verb, *lab, rest),
        _ => return Err(USAGE.into()),
    };
    match (verb, rest) {
        ("up", settings) => lab::up(lab, settings).map(|()| String::new()),
        ("exec", ["c", command, ..]) => Err(namespace::become_command(lab, Side::Client, command, behind(arguments))),
        ("exec", ["s", command, ..]) => Err(namespace::become_command(lab, Side::Server, command, behind(arguments))),
        ("kill", ["c"]) => namespace::kill(lab, Side::Client).map(|()| String::new()),
        ("kill", ["s"]) => namespace::kill(lab, Side::Server).map(|()| String::new()),
        ("set" | "fault" | "clear" | "stat", words) => {
            let answer = control::ask(lab, &format!("{verb} {}", words.join(" ")))?;
            Ok(if answer == "ok" { String::new() } else { answer })
        }
        ("down", []) => {
            lab::down(lab);
            Ok(String::new())
        }
        _ => Err(USAGE.into()),
    }
}
