//! An HTTP/1.1 server that plays what a test says. What no rule speaks about is answered by a small WebDAV folder in
//! memory: so each test writes down only what is odd.
#![allow(dead_code, reason = "each test file uses a part of the stage directions")]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use causeway::model::{Endpoint, Secret};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// What happens at a request.
#[derive(Debug, Clone)]
pub enum Act {
    /// Raw bytes in place of the usual answer, then on to the next request.
    Say(Vec<u8>),
    /// Raw bytes, then the connection ends.
    SayAndClose(Vec<u8>),
    /// So many bytes of the body are read, then raw bytes are said, and the connection is shut down in good order.
    Interrupt(usize, Vec<u8>),
    /// The connection is dropped in the middle of the body, after so many bytes.
    Drop(usize),
    /// Nothing more is ever said.
    Hang,
    /// The usual answer, after the file `.0` got the content `.1`.
    Put(&'static str, &'static [u8]),
}

/// An answer with a body.
pub fn answer(status: &str, headers: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

#[derive(Debug)]
struct Rule {
    /// The beginning of the request line.
    cue: String,
    left: usize,
    act: Act,
}

#[derive(Debug, Default)]
struct Stage {
    rules: Mutex<Vec<Rule>>,
    /// Path → version and content.
    files: Mutex<BTreeMap<String, (u64, Vec<u8>)>>,
    heard: Mutex<Vec<String>>,
    versions: Mutex<u64>,
}

/// A running server; ended when dropped.
pub struct ScriptedHttp {
    address: SocketAddr,
    stage: Arc<Stage>,
    _work: JoinSet<()>,
}

impl ScriptedHttp {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stage = Arc::new(Stage::default());
        let shared = Arc::clone(&stage);
        let mut work = JoinSet::new();
        work.spawn(async move {
            let mut sessions = JoinSet::new();
            loop {
                tokio::select! {
                    Ok((socket, _)) = listener.accept() => {
                        let stage = Arc::clone(&shared);
                        sessions.spawn(async move { play(socket, &stage).await; });
                    }
                    Some(_) = sessions.join_next() => {}
                }
            }
        });
        Self { address, stage, _work: work }
    }

    /// Its folder `/d/`.
    pub fn endpoint(&self) -> Endpoint {
        let mut endpoint = Endpoint::parse(&format!("dav://anna@{}/d", self.address)).unwrap();
        endpoint.password = Some(Secret::new("open-sesame"));
        endpoint
    }

    /// A file, by its path below `/d/`.
    pub fn put(&self, path: &str, content: &[u8]) {
        self.stage.put(&format!("/d/{path}"), content.to_vec());
    }

    /// What is in a file.
    pub fn content(&self, path: &str) -> Option<Vec<u8>> {
        self.stage.files.lock().unwrap().get(&format!("/d/{path}")).map(|(_, content)| content.clone())
    }

    /// What happens at every request whose first line begins like this.
    pub fn on(&self, cue: &str, act: Act) {
        self.times(usize::MAX, cue, act);
    }

    /// What happens at the first of them.
    pub fn once(&self, cue: &str, act: Act) {
        self.times(1, cue, act);
    }

    pub fn times(&self, left: usize, cue: &str, act: Act) {
        self.stage.rules.lock().unwrap().push(Rule { cue: cue.to_owned(), left, act });
    }

    /// Heads of all requests.
    pub fn heard(&self) -> Vec<String> {
        self.stage.heard.lock().unwrap().clone()
    }

    /// How many requests began like this.
    pub fn count(&self, cue: &str) -> usize {
        self.heard().iter().filter(|head| head.starts_with(cue)).count()
    }
}

impl Stage {
    fn put(&self, path: &str, content: Vec<u8>) {
        let version = {
            let mut versions = self.versions.lock().unwrap();
            *versions += 1;
            *versions
        };
        self.files.lock().unwrap().insert(path.to_owned(), (version, content));
    }

    fn act(&self, head: &str) -> Option<Act> {
        let mut rules = self.rules.lock().unwrap();
        let rule = rules.iter_mut().find(|rule| rule.left > 0 && head.starts_with(&rule.cue))?;
        rule.left -= 1;
        Some(rule.act.clone())
    }
}

async fn play(socket: TcpStream, stage: &Stage) -> Option<()> {
    let mut stream = BufReader::new(socket);
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if stream.read_line(&mut head).await.ok()? == 0 {
                return None;
            }
        }
        stage.heard.lock().unwrap().push(head.clone());
        match stage.act(&head) {
            None => {
                let body = body(&mut stream, &head, usize::MAX).await?;
                let usual = usual(stage, &head, body);
                stream.get_mut().write_all(&usual).await.ok()?;
            }
            Some(Act::Put(path, content)) => {
                stage.put(&format!("/d/{path}"), content.to_vec());
                let body = body(&mut stream, &head, usize::MAX).await?;
                let usual = usual(stage, &head, body);
                stream.get_mut().write_all(&usual).await.ok()?;
            }
            Some(Act::Say(bytes)) => {
                body(&mut stream, &head, usize::MAX).await?;
                stream.get_mut().write_all(&bytes).await.ok()?;
            }
            Some(Act::SayAndClose(bytes)) => {
                body(&mut stream, &head, usize::MAX).await?;
                stream.get_mut().write_all(&bytes).await.ok()?;
                stream.get_mut().shutdown().await.ok()?;
                return None;
            }
            Some(Act::Interrupt(after, bytes)) => {
                body(&mut stream, &head, after).await?;
                stream.get_mut().write_all(&bytes).await.ok()?;
                stream.get_mut().shutdown().await.ok()?;
                // Read on, so that no reset overtakes the answer.
                let mut rest = Vec::new();
                let _until_the_end = stream.read_to_end(&mut rest).await;
                return None;
            }
            Some(Act::Drop(after)) => {
                body(&mut stream, &head, after).await?;
                return None;
            }
            Some(Act::Hang) => std::future::pending().await,
        }
    }
}

/// The body of a request, or the first bytes of it; `None` when it breaks off.
async fn body(stream: &mut BufReader<TcpStream>, head: &str, most: usize) -> Option<Vec<u8>> {
    let lower = head.to_ascii_lowercase();
    let mut all = Vec::new();
    if lower.contains("transfer-encoding: chunked") {
        while all.len() < most {
            let mut line = String::new();
            stream.read_line(&mut line).await.ok()?;
            let length = usize::from_str_radix(line.trim(), 16).ok()?;
            let mut chunk = vec![0; length + 2];
            stream.read_exact(&mut chunk).await.ok()?;
            all.extend_from_slice(&chunk[..length]);
            if length == 0 {
                break;
            }
        }
    } else if let Some(length) = lower.split("content-length: ").nth(1) {
        let length: usize = length.split("\r\n").next()?.parse().ok()?;
        all = vec![0; length.min(most)];
        stream.read_exact(&mut all).await.ok()?;
    }
    Some(all)
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let line = head.lines().find(|line| line.to_ascii_lowercase().starts_with(&format!("{name}:")))?;
    Some(line.split_once(':')?.1.trim())
}

const TIME: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

/// What a proper server without times says.
fn usual(stage: &Stage, head: &str, body: Vec<u8>) -> Vec<u8> {
    let mut words = head.split(' ');
    let (method, path) = (words.next().unwrap(), words.next().unwrap().to_owned());
    let there = stage.files.lock().unwrap().get(&path).cloned();
    match method {
        "PROPFIND" => propfind(stage, &path, header(head, "depth") == Some("1")),
        "PUT" => {
            stage.put(&path, body);
            answer("201 Created", "", "")
        }
        "DELETE" if there.is_some() => {
            stage.files.lock().unwrap().remove(&path);
            answer("200 OK", "", "")
        }
        "MOVE" if there.is_some() => {
            let to = header(head, "destination").unwrap();
            let to = to.split_once("/d/").map(|(_, name)| format!("/d/{name}")).unwrap();
            let mut files = stage.files.lock().unwrap();
            if files.contains_key(&to) && header(head, "overwrite") == Some("F") {
                return answer("412 Precondition Failed", "", "");
            }
            let moved = files.remove(&path).unwrap();
            files.insert(to, moved);
            answer("201 Created", "", "")
        }
        "GET" | "HEAD" => match there {
            Some((version, content)) => get(head, version, &content, method == "HEAD"),
            None => answer("404 Not Found", "", ""),
        },
        "PROPPATCH" | "MKCOL" => answer("403 Forbidden", "", ""),
        _ => answer("404 Not Found", "", ""),
    }
}

fn get(head: &str, version: u64, content: &[u8], only_head: bool) -> Vec<u8> {
    let tag = format!("\"v{version}\"");
    if header(head, "if-match").is_some_and(|wanted| wanted != tag) {
        return answer("412 Precondition Failed", "", "");
    }
    let from: Option<usize> =
        header(head, "range").and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok());
    let shared = format!("ETag: {tag}\r\nLast-Modified: {TIME}\r\n");
    let (line, range, bytes) = match from {
        Some(from) if from < content.len() => {
            let range = format!("Content-Range: bytes {from}-{}/{}\r\n", content.len() - 1, content.len());
            ("206 Partial Content", range, &content[from..])
        }
        Some(_) => return answer("416 Range", &format!("Content-Range: bytes */{}\r\n", content.len()), ""),
        None => ("200 OK", String::new(), content),
    };
    let mut all = format!("HTTP/1.1 {line}\r\n{shared}{range}Content-Length: {}\r\n\r\n", bytes.len()).into_bytes();
    if !only_head {
        all.extend_from_slice(bytes);
    }
    all
}

/// A `response` of a file or, without a size, of a folder.
pub fn response(href: &str, file: Option<(u64, usize)>) -> String {
    let what = match file {
        Some((version, size)) => format!(
            "<D:resourcetype/><D:getcontentlength>{size}</D:getcontentlength><D:getetag>\"v{version}\"</D:getetag>"
        ),
        None => "<D:resourcetype><D:collection/></D:resourcetype>".to_owned(),
    };
    format!(
        "<D:response><D:href>{href}</D:href><D:propstat><D:prop>{what}<D:getlastmodified>{TIME}</D:getlastmodified>\
         </D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response>"
    )
}

/// A 207 with these responses.
pub fn multistatus(responses: &str) -> Vec<u8> {
    let xml = "Content-Type: application/xml\r\n";
    answer("207 Multi-Status", xml, &format!("<D:multistatus xmlns:D=\"DAV:\">{responses}</D:multistatus>"))
}

fn propfind(stage: &Stage, path: &str, deep: bool) -> Vec<u8> {
    let files = stage.files.lock().unwrap();
    if let Some((version, content)) = files.get(path) {
        return multistatus(&response(path, Some((*version, content.len()))));
    }
    if path.trim_end_matches('/') != "/d" {
        return answer("404 Not Found", "", "");
    }
    let mut all = response("/d/", None);
    if deep {
        all.extend(files.iter().map(|(path, (version, content))| response(path, Some((*version, content.len())))));
    }
    multistatus(&all)
}
