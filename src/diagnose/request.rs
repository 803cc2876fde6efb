//! Requests of HTTP/1.1 made by hand: what a client's own ways would hide is what they are to show.

use data_encoding::BASE64;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::{Instant, timeout};

use super::bench::Bench;
use super::evidence::{Fact, Outcome};
use super::talk::dial;
use crate::model::{Fault, FaultKind, Phase, Protocol};
use crate::net::{Probe, Stream};

/// The head of an answer is read so far.
const MOST: usize = 32 << 10;
/// What stands in a path as it is (RFC 3986, section 2.3).
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A request as it is sent.
#[derive(Debug, Default)]
pub(super) struct Request<'a> {
    pub(super) method: &'a str,
    /// The path, see [`target`].
    pub(super) target: &'a str,
    /// More headers, each with its line break. Without one about its length the body is empty.
    pub(super) headers: String,
    /// As it goes over the wire.
    pub(super) body: Vec<u8>,
}

/// A path as a request target, every byte that could mean something else quoted.
pub(super) fn target(path: &[u8], folder: bool) -> String {
    let path = percent_encode(path, PLAIN).to_string();
    let slash = if folder && !path.is_empty() && !path.ends_with('/') { "/" } else { "" };
    format!("/{}{slash}", path.trim_start_matches('/'))
}

/// Asks on a connection of its own, and writes down under the name `what` how it went. The head of the answer, if there was
/// one.
pub(super) async fn ask(bench: &Bench, what: &str, request: Request<'_>) -> Option<Head> {
    let begun = Instant::now();
    let asked = timeout(bench.deadlines().command, answer(bench, request)).await;
    let took = begun.elapsed();
    let silent = || Fault::new(Phase::Command, FaultKind::Timeout, "no answer");
    let (head, outcome) = match asked.unwrap_or_else(|_| Err(silent())) {
        Ok(head) => {
            let failed = match head.status {
                ..=399 => None,
                401 => Some(FaultKind::Auth),
                403 => Some(FaultKind::Permission),
                404 => Some(FaultKind::Missing),
                405 | 501 => Some(FaultKind::Unsupported),
                429 | 503 => Some(FaultKind::Limit),
                _ => Some(FaultKind::Protocol),
            };
            let outcome = Outcome { failed, ..Outcome::well(took).saying(head.status, &head.words) };
            (Some(head), outcome)
        }
        Err(fault) => (None, Outcome::of(&fault, took)),
    };
    let dav = head.as_ref().and_then(|head| head.dav.clone());
    bench.see(bench.server(), Fact::Asked { method: what.to_owned(), dav, outcome });
    head
}

/// The head of an answer, as far as it matters.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) status: u16,
    /// The reason, and headers that say who answers.
    pub(super) words: String,
    /// The compliance classes (RFC 4918, section 10.1).
    pub(super) dav: Option<String>,
    /// The lock that was granted (section 10.5).
    pub(super) lock: Option<String>,
}

async fn answer(bench: &Bench, request: Request<'_>) -> Result<Head, Fault> {
    let (socket, _) = dial(bench, Probe::default()).await?;
    let mut stream = match &bench.tls {
        Some(tls) if bench.endpoint.protocol == Protocol::Davs => {
            tls.fresh()?.offering(&["http/1.1"]).connect(socket, bench.deadlines().connect).await?
        }
        _ => Stream::plain(socket),
    };
    let endpoint = &bench.endpoint;
    let host = if endpoint.host.contains(':') { format!("[{}]", endpoint.host) } else { endpoint.host.clone() };
    // In the clear no password is said, and one that was refused is not said twice.
    let login = match &endpoint.password {
        Some(password) if endpoint.protocol == Protocol::Davs && !bench.known().barred => {
            let both = format!("{}:{}", endpoint.user, password.expose());
            format!("Authorization: Basic {}\r\n", BASE64.encode(both.as_bytes()))
        }
        _ => String::new(),
    };
    let Request { method, target, headers, body } = request;
    let empty = if body.is_empty() { "Content-Length: 0\r\n" } else { "" };
    let head = format!(
        "{method} {target} HTTP/1.1\r\nHost: {host}:{}\r\nUser-Agent: Causeway-doctor\r\n{login}{headers}{empty}\
         Connection: close\r\n\r\n",
        endpoint.port
    );
    let lost = |error: std::io::Error| Fault::io(Phase::Command, "lost the server", &error);
    stream.write_all(head.as_bytes()).await.map_err(lost)?;
    // Who refuses does not wait for all of it: the answer says more than that.
    let sent = async { stream.write_all(&body).await.and(stream.flush().await) }.await;
    let mut head = Vec::new();
    while !head.windows(4).any(|end| end == b"\r\n\r\n") && head.len() < MOST {
        match stream.read_buf(&mut head).await {
            Ok(0) => break,
            Ok(_) => {}
            Err(error) => {
                sent.map_err(lost)?;
                return Err(lost(error));
            }
        }
    }
    let not_http = || Fault::new(Phase::Command, FaultKind::Protocol, "what came is no HTTP");
    parse(&head).ok_or_else(not_http)
}

fn parse(head: &[u8]) -> Option<Head> {
    let text = String::from_utf8_lossy(head);
    let mut lines = text.split("\r\n");
    let (version, rest) = lines.next()?.split_once(' ')?;
    let (status, reason) = rest.split_at_checked(3)?;
    if !version.starts_with("HTTP/1.") {
        return None;
    }
    let (mut words, mut dav, mut lock) = (reason.trim().to_owned(), None::<String>, None);
    for (name, value) in lines.take_while(|line| !line.is_empty()).filter_map(|line| line.split_once(':')) {
        let (name, value) = (name.to_ascii_lowercase(), value.trim());
        match name.as_str() {
            "dav" => dav = Some(dav.map_or_else(|| value.to_owned(), |before| format!("{before}, {value}"))),
            "lock-token" => lock = Some(value.to_owned()),
            "server" | "allow" | "www-authenticate" | "location" | "retry-after" => {
                words.push_str(&format!("; {name}: {value}"));
            }
            _ => {}
        }
    }
    Some(Head { status: status.parse().ok()?, words, dav, lock })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_head_of_an_answer_is_read() {
        let head = parse(b"HTTP/1.1 200 OK\r\nDAV: 1, 2\r\nServer: x\r\nDav: 3\r\nLock-Token: <x:y>\r\n\r\nServer: no")
            .unwrap();
        assert_eq!((head.status, head.dav.as_deref(), head.lock.as_deref()), (200, Some("1, 2, 3"), Some("<x:y>")));
        assert_eq!(head.words, "OK; server: x");
        assert_eq!(parse(b"220 FTP\r\n\r\n"), None);
        assert_eq!(parse(b"HTTP/1.1 x\r\n\r\n"), None);
        assert_eq!(parse(b""), None);
    }

    #[test]
    fn a_target_is_a_path_and_nothing_else() {
        assert_eq!(target(b"", true), "/");
        assert_eq!(target("dav/a b?x#y/ü".as_bytes(), true), "/dav/a%20b%3Fx%23y/%C3%BC/");
        assert_eq!(target(b"/x\r\nHost: y", false), "/x%0D%0AHost%3A%20y");
    }
}
