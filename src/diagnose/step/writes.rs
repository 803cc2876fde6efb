//! An upload, where somebody named a folder for it; at a WebDAV server one whose length is not said beforehand, as macOS and
//! many programs send it (RFC 9112, section 7.1), and a lock (RFC 4918, section 9.10). What was written is removed again.

use data_encoding::HEXLOWER;
use tokio::time::{Instant, timeout};

use crate::diagnose::bench::Bench;
use crate::diagnose::evidence::{Fact, Outcome};
use crate::diagnose::request::{self, Request, target};
use crate::model::{Fault, FaultKind, Name, Phase, Protocol, RelPath};
use crate::remote::Remote;

/// Bytes of the file.
const SIZE: usize = 64 << 10;
/// As [`Fact::Asked`] names it, for the rules.
pub(in crate::diagnose) const CHUNKED: &str = "chunked PUT";
/// As [`Fact::Asked`] names it, for the rules: the same upload with its length, where the one without it failed.
pub(in crate::diagnose) const PUT: &str = "PUT";
/// As [`Fact::Asked`] names it, for the rules.
pub(in crate::diagnose) const LOCK: &str = "LOCK";
/// As [`Fact::Asked`] names it, for the rules.
pub(in crate::diagnose) const AGAINST_LOCK: &str = "PUT against the lock";

pub(super) async fn look(bench: &Bench) {
    let Some(folder) = bench.upload.clone() else {
        return bench.leave_out("uploads and locks are not tried: no folder was named for them");
    };
    let Some(remote) = bench.kept() else { return bench.leave_out("logging in does not work") };
    let mut chance = [0; 8];
    let name = crate::random::fill(&mut chance).map(|()| format!(".causeway-doctor-{}", HEXLOWER.encode(&chance)));
    let Some(name) = name.ok().and_then(|name| Name::new(name).ok()) else { return };
    let path = folder.join(&name);
    if bench.endpoint.protocol == Protocol::Sftp {
        let begun = Instant::now();
        let sent = timed(bench, send(&*remote, &path)).await;
        told(bench, "an upload", begun, sent);
    } else {
        let at = target(&bench.below(path.as_bytes()), false);
        chunked(bench, &*remote, &path, &at).await;
        lock(bench, &at).await;
    }
    let begun = Instant::now();
    match timed(bench, remote.remove_file(&path)).await {
        Err(fault) if fault.kind == FaultKind::Missing => {}
        removed => told(bench, "removing it", begun, removed),
    }
}

async fn timed<T>(bench: &Bench, work: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
    let late = |_| Fault::new(Phase::Command, FaultKind::Timeout, "no answer");
    timeout(bench.deadlines().command, work).await.map_err(late)?
}

fn told(bench: &Bench, command: &str, begun: Instant, done: Result<(), Fault>) {
    let outcome = match done {
        Ok(()) => Outcome::well(begun.elapsed()),
        Err(fault) => Outcome::of(&fault, begun.elapsed()),
    };
    bench.see(bench.server(), Fact::Told { command: command.to_owned(), outcome });
}

fn content() -> Vec<u8> {
    (0..=u8::MAX).cycle().take(SIZE).collect()
}

async fn send(remote: &dyn Remote, path: &RelPath) -> Result<(), Fault> {
    let mut sink = remote.write(path, 0).await?;
    sink.write(content().into()).await?;
    sink.finish().await?;
    is_whole(remote, path).await
}

/// Is all of it there?
async fn is_whole(remote: &dyn Remote, path: &RelPath) -> Result<(), Fault> {
    let mut reader = remote.read(path, 0, None).await?;
    let mut read = Vec::new();
    while let Some(bytes) = reader.next().await? {
        read.extend_from_slice(&bytes);
        if read.len() > SIZE {
            break;
        }
    }
    if read == content() {
        return Ok(());
    }
    let why = format!("{} bytes of {SIZE} that were sent can be read back, or others", read.len());
    Err(Fault::new(Phase::Verify, FaultKind::Mismatch, why))
}

async fn chunked(bench: &Bench, remote: &dyn Remote, path: &RelPath, at: &str) {
    let content = content();
    let mut body = Vec::with_capacity(SIZE + 64);
    for chunk in content.chunks(SIZE / 2) {
        body.extend(format!("{:x}\r\n", chunk.len()).into_bytes());
        body.extend(chunk);
        body.extend(b"\r\n");
    }
    body.extend(b"0\r\n\r\n");
    // As the Finder says beside it how long it will be.
    let headers = format!("Transfer-Encoding: chunked\r\nX-Expected-Entity-Length: {SIZE}\r\n");
    let head = request::ask(bench, CHUNKED, Request { method: "PUT", target: at, headers, body }).await;
    if head.is_some_and(|head| head.status < 300) {
        let begun = Instant::now();
        if let Err(fault) = timed(bench, is_whole(remote, path)).await {
            let outcome = Outcome::of(&fault, begun.elapsed());
            bench.see(bench.server(), Fact::Asked { method: CHUNKED.to_owned(), dav: None, outcome });
        }
    } else {
        // A lock of a name without a file is another thing.
        let headers = format!("Content-Length: {SIZE}\r\n");
        request::ask(bench, PUT, Request { method: "PUT", target: at, headers, body: content }).await;
    }
}

async fn lock(bench: &Bench, at: &str) {
    let body = b"<?xml version=\"1.0\" encoding=\"utf-8\"?><D:lockinfo xmlns:D=\"DAV:\"><D:lockscope><D:exclusive/>\
                 </D:lockscope><D:locktype><D:write/></D:locktype></D:lockinfo>"
        .to_vec();
    let headers = format!(
        "Depth: 0\r\nTimeout: Second-60\r\nContent-Type: application/xml\r\nContent-Length: {}\r\n",
        body.len()
    );
    let head = request::ask(bench, LOCK, Request { method: LOCK, target: at, headers, body }).await;
    let Some(token) = head.and_then(|head| head.lock) else { return };
    let headers = "Content-Length: 1\r\n".to_owned();
    request::ask(bench, AGAINST_LOCK, Request { method: "PUT", target: at, headers, body: b"x".to_vec() }).await;
    let headers = format!("Lock-Token: {token}\r\n");
    request::ask(bench, "UNLOCK", Request { method: "UNLOCK", target: at, headers, body: Vec::new() }).await;
}
