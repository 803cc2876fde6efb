//! Servers that do not do what they should.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use causeway::model::{EntryKind, Fault, FaultKind, Phase, Retry};
use causeway::remote::{Coming, Remote, open, open_or_create};

use super::{context, path};
use crate::sftp::door::noise;
use crate::support::scripted_http::{Act, ScriptedHttp, answer, multistatus, response};

async fn opened(server: &ScriptedHttp) -> Arc<dyn Remote> {
    open(&server.endpoint(), &context()).await.unwrap()
}

async fn put(remote: &Arc<dyn Remote>, name: &str, data: &[u8]) -> Result<u64, Fault> {
    let coming = Coming { size: Some(data.len() as u64), mtime: None };
    let mut sink = remote.write_new(&path(name), coming).await?;
    for chunk in data.chunks(50_000) {
        sink.write(Bytes::copy_from_slice(chunk)).await?;
    }
    sink.finish().await
}

async fn get(remote: &Arc<dyn Remote>, name: &str, offset: u64) -> Result<Vec<u8>, Fault> {
    let mut source = remote.read(&path(name), offset, None).await?;
    let mut all = Vec::new();
    while let Some(bytes) = source.next().await? {
        all.extend_from_slice(&bytes);
    }
    source.finish().await?;
    Ok(all)
}

async fn list(remote: &Arc<dyn Remote>) -> Result<(usize, bool), Fault> {
    let mut lister = remote.list(&path("")).await?;
    let mut count = 0;
    while let Some(batch) = lister.next().await? {
        count += batch.len();
    }
    Ok((count, lister.finish().await?.is_proven()))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_listing_is_a_fault() {
    let server = ScriptedHttp::start().await;
    for n in 0..50 {
        server.put(&format!("file {n}").replace(' ', "%20"), b"x");
    }
    let remote = opened(&server).await;
    assert_eq!(list(&remote).await.unwrap(), (50, true));
    let all: String = (0..50).map(|n| response(&format!("/d/file%20{n}"), Some((1, 1)))).collect();
    let whole = multistatus(&(response("/d/", None) + &all));
    let text = String::from_utf8(whole).unwrap();
    let (_, body) = text.split_once("\r\n\r\n").unwrap();
    // Without a length, the end of the connection is the end of the answer.
    let unsized_head = "HTTP/1.1 207 Multi-Status\r\nConnection: close\r\n\r\n";
    for length in [0, 30, body.len() / 2, body.len() - 5] {
        let cut = format!("{unsized_head}{}", &body[..length]);
        server.once("PROPFIND", Act::SayAndClose(cut.into_bytes()));
        let fault = list(&remote).await.unwrap_err();
        assert_eq!(
            (fault.phase, fault.kind, fault.retry),
            (Phase::List, FaultKind::ClosedEarly, Retry::Now),
            "{fault}"
        );
    }
    server.once("PROPFIND", Act::SayAndClose(format!("{unsized_head}{body}").into_bytes()));
    assert_eq!(list(&remote).await.unwrap(), (50, true));
    // With one, hyper knows that bytes are missing.
    server.once("PROPFIND", Act::SayAndClose(text.as_bytes()[..text.len() - 20].to_vec()));
    let fault = list(&remote).await.unwrap_err();
    assert!(matches!(fault.kind, FaultKind::ClosedEarly) && fault.retry == Retry::Now, "{fault:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listing_that_leads_elsewhere_is_refused() {
    let server = ScriptedHttp::start().await;
    let remote = opened(&server).await;
    for href in ["/etc/passwd", "/d/../x", "/d/a/b", "https://other/e/x", "/"] {
        server.once("PROPFIND", Act::Say(multistatus(&(response("/d/", None) + &response(href, Some((1, 1)))))));
        let fault = list(&remote).await.unwrap_err();
        assert!(fault.kind == FaultKind::Protocol && fault.message.contains("does not lie there"), "{fault}");
    }
    // Without the folder itself nothing confirms that this is all of it.
    server.once("PROPFIND", Act::Say(multistatus(&response("/d/a", Some((1, 1))))));
    assert_eq!(list(&remote).await.unwrap(), (1, false));
    server.once("PROPFIND", Act::Say(multistatus("")));
    assert_eq!(list(&remote).await.unwrap(), (0, false));
    let cut = "<D:response><D:href>/d/</D:href><D:status>HTTP/1.1 507 Insufficient Storage</D:status></D:response>";
    server.once("PROPFIND", Act::Say(multistatus(&(response("/d/a", Some((1, 1))) + cut))));
    assert_eq!(list(&remote).await.unwrap(), (1, false));
    server.once("PROPFIND", Act::Say(answer("200 OK", "Content-Type: text/html\r\n", "<h1>Index of /d</h1>")));
    assert_eq!(list(&remote).await.unwrap_err().kind, FaultKind::Unsupported);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_upload_begins_again_and_leaves_nothing() {
    let server = ScriptedHttp::start().await;
    let remote = opened(&server).await;
    let data = noise(3_000_000);
    server.once("PUT", Act::Drop(1_000_000));
    let fault = put(&remote, "a", &data).await.unwrap_err();
    assert!(matches!(fault.kind, FaultKind::Reset | FaultKind::ClosedEarly), "{fault:?}");
    assert_eq!((fault.phase, fault.retry), (Phase::Transfer, Retry::Now));
    assert_eq!(server.content("a"), None);
    assert_eq!(put(&remote, "a", &data).await.unwrap(), data.len() as u64);
    assert_eq!(server.content("a").unwrap(), data);
    // Whoever gives up in the middle leaves nothing that looks whole, with and without a length.
    for size in [Some(3_000_000), None] {
        let mut sink = remote.write_new(&path("b"), Coming { size, mtime: None }).await.unwrap();
        sink.write(Bytes::copy_from_slice(&data[..2_000_000])).await.unwrap();
        drop(sink);
    }
    assert_eq!(remote.write(&path("a"), 5).await.err().map(|fault| fault.kind), Some(FaultKind::Unsupported));
    assert_eq!(put(&remote, "c", b"small").await.unwrap(), 5);
    assert_eq!((server.content("b"), server.content("c").unwrap()), (None, b"small".to_vec()));
}

/// Without a length the body comes in chunks.
#[tokio::test(flavor = "multi_thread")]
async fn an_upload_of_unknown_length_arrives() {
    let server = ScriptedHttp::start().await;
    let remote = opened(&server).await;
    let data = noise(2_000_000);
    let mut sink = remote.write(&path("a"), 0).await.unwrap();
    for chunk in data.chunks(60_000) {
        sink.write(Bytes::copy_from_slice(chunk)).await.unwrap();
    }
    assert_eq!(sink.finish().await.unwrap(), data.len() as u64);
    assert_eq!(server.content("a").unwrap(), data);
    assert!(server.heard().iter().any(|head| head.to_ascii_lowercase().contains("transfer-encoding: chunked")));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_servers_word_on_an_upload_is_no_proof() {
    let server = ScriptedHttp::start().await;
    let remote = opened(&server).await;
    server.once("PUT", Act::Say(answer("201 Created", "", "")));
    let fault = put(&remote, "a", b"never kept").await.unwrap_err();
    assert_eq!((fault.phase, fault.kind), (Phase::Finish, FaultKind::Mismatch), "{fault}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_is_respected_and_its_holder_named() {
    let server = ScriptedHttp::start().await;
    server.put("a", b"theirs");
    let remote = opened(&server).await;
    let locks = "<D:response><D:href>/d/a</D:href><D:propstat><D:prop><D:lockdiscovery><D:activelock><D:owner>Berta \
        in the office</D:owner><D:locktoken><D:href>urn:uuid:1</D:href></D:locktoken></D:activelock>\
        </D:lockdiscovery></D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response>";
    let data = noise(2_000_000);
    for size in [10, data.len()] {
        server.once("PUT", Act::Interrupt(5, answer("423 Locked", "", "")));
        server.once("PROPFIND /d/a ", Act::Say(multistatus(locks)));
        let fault = put(&remote, "a", &data[..size]).await.unwrap_err();
        assert_eq!((fault.kind, fault.retry), (FaultKind::Permission, Retry::Later), "{fault}");
        assert!(fault.message.contains("holds a lock") && fault.message.contains("Berta in the office"), "{fault}");
        assert!(!fault.message.contains("urn:uuid"), "{fault}");
    }
    server.once("DELETE", Act::Say(answer("423 Locked", "", "")));
    let fault = remote.remove_file(&path("a")).await.unwrap_err();
    assert_eq!((fault.kind, fault.retry), (FaultKind::Permission, Retry::Later), "{fault}");
    assert_eq!(server.content("a").unwrap(), b"theirs");
    let tried: Vec<_> =
        server.heard().into_iter().filter(|head| head.starts_with("LOCK") || head.starts_with("UNLOCK")).collect();
    assert!(tried.is_empty(), "{tried:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_server_is_said_in_the_middle_of_an_upload() {
    let server = ScriptedHttp::start().await;
    let remote = opened(&server).await;
    let full = answer("507 Insufficient Storage", "Content-Type: text/plain\r\n", "the quota of anna is used up\n");
    for (size, after) in [(20_000_000, 700_000), (100, 100)] {
        server.once("PUT", Act::Interrupt(after, full.clone()));
        let fault = put(&remote, "a", &noise(size)).await.unwrap_err();
        assert_eq!((fault.kind, fault.retry), (FaultKind::DiskFull, Retry::Later), "{fault}");
        assert!(fault.message.contains("the quota of anna is used up"), "{fault}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_wants_to_be_left_alone_is() {
    let server = ScriptedHttp::start().await;
    let remote = opened(&server).await;
    server.once("PROPFIND", Act::Say(answer("429 Too Many Requests", "Retry-After: 2\r\n", "")));
    let fault = remote.stat(&path("a")).await.unwrap_err();
    assert_eq!((fault.kind, fault.retry), (FaultKind::Limit, Retry::Later), "{fault}");
    assert!(fault.message.contains("2 s"), "{fault}");
    let began = Instant::now();
    assert!(remote.stat(&path("a")).await.unwrap().is_none());
    assert!(began.elapsed() > Duration::from_millis(1_800), "{:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resumed_reading_never_gets_another_version() {
    let server = ScriptedHttp::start().await;
    let (old, new) = (noise(400_000), vec![b'n'; 400_000]);
    server.put("a", &old);
    let remote = opened(&server).await;
    let mut source = remote.read(&path("a"), 0, None).await.unwrap();
    let opened = source.opened().unwrap().clone();
    assert_eq!((opened.size, opened.unique.as_deref()), (Some(400_000), Some("v1")));
    source.next().await.unwrap().unwrap();
    drop(source);
    assert_eq!(get(&remote, "a", 300_000).await.unwrap(), old[300_000..]);
    // Begun once more, and replaced meanwhile: by 412, and by a server that does not know If-Match.
    for forgetful in [false, true] {
        server.put("a", &old);
        drop(remote.read(&path("a"), 0, None).await.unwrap());
        server.put("a", &new);
        if forgetful {
            let head = "HTTP/1.1 206 Partial\r\nETag: \"v99\"\r\nContent-Range: bytes 300000-399999/400000\r\n\
                Content-Length: 100000\r\n\r\n";
            server.once("GET", Act::Say([head.as_bytes(), &new[300_000..]].concat()));
        }
        let fault = get(&remote, "a", 300_000).await.unwrap_err();
        assert_eq!((fault.kind, fault.retry), (FaultKind::Changed, Retry::Later), "{fault}");
    }
    // From the start it is another version, and that is fine.
    assert_eq!(get(&remote, "a", 0).await.unwrap(), new);
    assert_eq!(get(&remote, "a", 400_000).await.unwrap(), b"", "just behind the end nothing is left");
    assert_eq!(get(&remote, "a", 400_001).await.unwrap_err().kind, FaultKind::Mismatch);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_ranges_gives_the_right_bytes_all_the_same() {
    let server = ScriptedHttp::start().await;
    let data = noise(300_000);
    let remote = opened(&server).await;
    assert!(remote.capabilities().resume_read);
    let whole = [format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", data.len()).as_bytes(), &data].concat();
    server.once("GET", Act::Say(whole));
    assert_eq!(get(&remote, "a", 250_000).await.unwrap(), data[250_000..]);
    assert!(!remote.capabilities().resume_read, "it is known now");
    // Other bytes than were asked for are refused.
    server.once("GET", Act::Say(answer("206 Partial", "Content-Range: bytes 0-2/10\r\n", "abc")));
    assert_eq!(get(&remote, "a", 7).await.unwrap_err().kind, FaultKind::Protocol);
    server.once("GET", Act::SayAndClose(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort".to_vec()));
    let fault = get(&remote, "a", 0).await.unwrap_err();
    assert_eq!((fault.kind, fault.retry), (FaultKind::ClosedEarly, Retry::Now), "{fault:?}");
}

/// A server may close a connection that waits for its next request whenever it likes.
#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_was_closed_meanwhile_is_no_failure() {
    let server = ScriptedHttp::start().await;
    server.put("a", b"content");
    let remote = opened(&server).await;
    for _ in 0..3 {
        server.once("GET", Act::Drop(0));
        assert_eq!(get(&remote, "a", 0).await.unwrap(), b"content");
    }
    assert_eq!(server.count("GET"), 6);
    // A fresh one that breaks is a fault.
    server.times(2, "GET", Act::Drop(0));
    assert_eq!(get(&remote, "a", 0).await.unwrap_err().kind, FaultKind::ClosedEarly);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_server_keeps_is_tried_and_not_believed() {
    let server = ScriptedHttp::start().await;
    // Says yes to everything: to a time with a PUT, to a PROPPATCH, to a MOVE onto what is there.
    server.once("PUT", Act::Say(answer("201 Created", "X-OC-Mtime: accepted\r\n", "")));
    let fine = "<D:response><D:href>/d/x</D:href><D:propstat><D:prop><D:getlastmodified/></D:prop>\
        <D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response>";
    server.on("PROPPATCH", Act::Say(multistatus(fine)));
    server.once("MOVE", Act::Say(answer("204 No Content", "", "")));
    let remote = open_or_create(&server.endpoint(), &context()).await.unwrap();
    assert!(!remote.capabilities().set_mtime && !remote.capabilities().digest);
    assert_eq!(server.count("PROPPATCH"), 3, "each way was tried");
    server.put("a", b"new");
    server.put("b", b"old");
    let before = server.count("MOVE");
    let fault = remote.rename(&path("a"), &path("b")).await.unwrap_err();
    assert_eq!((fault.kind, server.count("MOVE")), (FaultKind::Exists, before), "it looked first");
    assert_eq!((server.content("a").unwrap(), server.content("b").unwrap()), (b"new".to_vec(), b"old".to_vec()));
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_a_proxy_the_destination_is_a_path() {
    let server = ScriptedHttp::start().await;
    server.put("a", b"x");
    let remote = opened(&server).await;
    server.once("MOVE", Act::Say(answer("502 Bad Gateway", "", "")));
    remote.rename(&path("a"), &path("b")).await.unwrap();
    let moves: Vec<_> = server.heard().into_iter().filter(|head| head.starts_with("MOVE")).collect();
    let destinations = moves.iter().map(|head| {
        head.to_ascii_lowercase().split("destination: ").nth(1).unwrap().split("\r\n").next().unwrap().to_owned()
    });
    let destinations: Vec<_> = destinations.collect();
    assert!(destinations[0].starts_with("http://127.0.0.1:") && destinations[1] == "/d/b", "{destinations:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_without_its_slash_is_found() {
    let server = ScriptedHttp::start().await;
    let remote = opened(&server).await;
    let to = answer("301 Moved Permanently", "Location: https://outside.example/d/sub/\r\n", "");
    server.once("PROPFIND /d/sub ", Act::Say(to));
    server.once("PROPFIND /d/sub/ ", Act::Say(multistatus(&response("/d/sub/", None))));
    assert_eq!(remote.stat(&path("sub")).await.unwrap().unwrap().kind, EntryKind::Dir);
    let away = answer("302 Found", "Location: https://login.example/?secret=1\r\n", "");
    server.once("PROPFIND", Act::Say(away));
    let fault = remote.stat(&path("x")).await.unwrap_err();
    assert!(fault.kind == FaultKind::Unsupported && fault.message.contains("https://login.example/"), "{fault}");
    assert!(!fault.message.contains("secret"), "{fault}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_server_is_given_up() {
    let server = ScriptedHttp::start().await;
    server.put("a", b"x");
    let mut endpoint = server.endpoint();
    endpoint.options.deadlines = "command=1,listing=1,stall=1,closing=1".parse().unwrap();
    let remote = open(&endpoint, &context()).await.unwrap();
    server.on("PROPFIND", Act::Hang);
    server.on("PUT", Act::Hang);
    assert_eq!(remote.stat(&path("a")).await.unwrap_err().kind, FaultKind::Timeout);
    let fault = list(&remote).await.unwrap_err();
    assert_eq!((fault.phase, fault.kind), (Phase::List, FaultKind::Timeout));
    // Nobody takes the bytes: they stop moving as soon as all buffers are full.
    let fault = put(&remote, "b", &noise(30_000_000)).await.unwrap_err();
    assert_eq!((fault.phase, fault.kind, fault.retry), (Phase::Transfer, FaultKind::Stalled, Retry::Now), "{fault}");
}
