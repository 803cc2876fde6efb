//! A client that sends whatever it is told to, through OpenSSH's `ssh -s sftp`.

use std::io::{Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use super::door::{Fixture, PASSWORD};
pub use super::packet::{Field, request};
use crate::support::process;

/// Raw bytes in, whole packets out.
pub struct Raw {
    child: Child,
    input: Option<ChildStdin>,
    packets: Receiver<Vec<u8>>,
    frozen: Vec<u32>,
}

impl Raw {
    pub fn new(f: &Fixture, user: &str) -> Self {
        Self::ahead(f, user, 100_000)
    }

    /// Reads at most `packets` that nobody has asked for yet; the others stay in the pipe, and behind that in the
    /// channel, until its window is closed.
    pub fn ahead(f: &Fixture, user: &str, packets: usize) -> Self {
        let mut command = Command::new("sshpass");
        command.args(["-p", PASSWORD, "ssh", "-oStrictHostKeyChecking=no", "-oUserKnownHostsFile=/dev/null"]);
        command.args(["-oPubkeyAuthentication=no", "-oLogLevel=ERROR", &format!("-oPort={}", f.address.port())]);
        command.args(["-s", &format!("{user}@127.0.0.1"), "sftp"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (input, mut output) = (child.stdin.take(), child.stdout.take().unwrap());
        let (send, packets) = std::sync::mpsc::sync_channel(packets);
        std::thread::spawn(move || {
            let mut length = [0; 4];
            while output.read_exact(&mut length).is_ok() {
                let mut packet = vec![0; u32::from_be_bytes(length) as usize];
                if output.read_exact(&mut packet).is_err() || send.send(packet).is_err() {
                    return;
                }
            }
        });
        Self { child, input, packets, frozen: Vec::new() }
    }

    pub fn greeted(f: &Fixture, user: &str) -> Self {
        let mut raw = Self::new(f, user);
        raw.greet(3);
        raw
    }

    /// Offers `version` and takes the door's; returns what it announces.
    pub fn greet(&mut self, version: u8) -> Vec<u8> {
        self.send(&[1, 0, 0, 0, version]);
        let packet = self.packet();
        assert_eq!(packet[..5], [2, 0, 0, 0, 3]);
        packet[5..].to_vec()
    }

    pub fn bytes(&mut self, bytes: &[u8]) {
        let input = self.input.as_mut().unwrap();
        input.write_all(bytes).unwrap();
        input.flush().unwrap();
    }

    pub fn send(&mut self, body: &[u8]) {
        self.bytes(&(body.len() as u32).to_be_bytes());
        self.bytes(body);
    }

    /// From now on the client neither reads nor answers, but its connection stays.
    pub fn freeze(&mut self) {
        self.frozen = process::below(self.child.id());
        process::stop(&self.frozen);
    }

    /// Nothing more will be sent.
    pub fn finish(&mut self) {
        drop(self.input.take());
    }

    pub fn packet(&self) -> Vec<u8> {
        self.packets.recv_timeout(Duration::from_secs(20)).expect("no answer")
    }

    /// Sends one request and returns type and body of the answer, whose number must be right.
    pub fn ask(&mut self, kind: u8, id: u32, fields: &[Field<'_>]) -> (u8, Vec<u8>) {
        self.send(&request(kind, id, fields));
        let packet = self.packet();
        assert_eq!(packet[1..5], id.to_be_bytes(), "the answer bears another number");
        (packet[0], packet[5..].to_vec())
    }

    /// The code of a STATUS answer.
    pub fn status(&mut self, kind: u8, id: u32, fields: &[Field<'_>]) -> u32 {
        let (kind, body) = self.ask(kind, id, fields);
        assert_eq!(kind, 101, "not a STATUS: {body:?}");
        u32::from_be_bytes(body[..4].try_into().unwrap())
    }

    /// A handle of an OPEN or OPENDIR.
    pub fn handle(&mut self, kind: u8, id: u32, fields: &[Field<'_>]) -> Vec<u8> {
        let (kind, body) = self.ask(kind, id, fields);
        assert_eq!(kind, 102, "not a HANDLE: {}", String::from_utf8_lossy(&body));
        body[4..].to_vec()
    }

    /// The channel must end; returns what stood on its error stream.
    pub fn ended(mut self) -> String {
        loop {
            match self.packets.recv_timeout(Duration::from_secs(20)) {
                Ok(_) => {}
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("the channel did not end"),
            }
        }
        let mut said = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        said
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        drop(self.input.take());
        process::kill(&self.frozen);
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
