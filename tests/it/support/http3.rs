//! A client of HTTP/3 that is none of ours: aioquic, run by `http3.py`, where it says what it can.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use super::https::PASSWORD;

/// The client, while it runs.
pub struct Client {
    pub child: Child,
    said: BufReader<std::process::ChildStdout>,
}

impl Client {
    /// Starts it; `plan` is what the script reads.
    pub fn start(port: u16, plan: &Value) -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/support/http3.py");
        let mut child = Command::new("python3")
            .args([script, &port.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        writeln!(child.stdin.as_mut().unwrap(), "{plan}").unwrap();
        let said = BufReader::new(child.stdout.take().unwrap());
        Self { child, said }
    }

    /// What happens next; nothing at the end.
    fn next(&mut self) -> Option<Value> {
        let mut line = String::new();
        self.said.read_line(&mut line).unwrap();
        (!line.is_empty()).then(|| serde_json::from_str(&line).unwrap())
    }

    /// What happens next under this name.
    pub fn until(&mut self, name: &str) -> Value {
        loop {
            let said = self.next().unwrap_or_else(|| panic!("the client ended before '{name}'"));
            if said.get(name).is_some() {
                return said;
            }
        }
    }

    /// All that happens until the end.
    pub fn rest(mut self) -> Vec<Value> {
        std::iter::from_fn(|| self.next()).collect()
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _gone = self.child.wait();
    }
}

/// A request by `anna`.
pub fn request(method: &str, path: &str) -> Value {
    let auth = data_encoding::BASE64.encode(format!("anna:{PASSWORD}").as_bytes());
    json!({ "method": method, "path": path, "headers": { "authorization": format!("Basic {auth}") } })
}

/// The same with something more, such as `/headers/range`.
pub fn with(mut request: Value, pointer: &str, value: impl Into<Value>) -> Value {
    let (of, name) = pointer.rsplit_once('/').unwrap();
    request.pointer_mut(of).unwrap()[name] = value.into();
    request
}

/// The answers to some requests, made at once.
pub async fn ask(port: u16, requests: Vec<Value>) -> Vec<Value> {
    let plan = json!({ "requests": requests });
    let all = tokio::task::spawn_blocking(move || Client::start(port, &plan).rest()).await.unwrap();
    let mut answers: Vec<_> = all.into_iter().filter(|said| said.get("number").is_some()).collect();
    answers.sort_by_key(|answer| answer["number"].as_u64());
    answers
}
