//! Uploads that are cut, at many of their bytes and in every way.

use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http_body::Frame;
use http_body_util::StreamBody;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::support::https::{Https, PASSWORD, head};
use crate::support::tls::tls;

const OLD: &str = "the old content";
/// More than one block of those that the door writes.
const NEW: usize = 1_300_000;

/// Where to cut: at the first and the last bytes, around the ends of the door's blocks, and in between.
fn offsets(length: usize) -> Vec<usize> {
    let mut all: Vec<usize> = (0..40).map(|n| length * n / 40).collect();
    all.extend([1, 2, 3, 65_535, 65_536, (1 << 20) - 1, 1 << 20, (1 << 20) + 1]);
    all.extend((1..12).map(|back| length - back));
    all.sort_unstable();
    all.dedup();
    all
}

/// A body in chunks, with its framing.
fn chunked(body: &[u8]) -> Vec<u8> {
    let mut framed = Vec::new();
    for chunk in body.chunks(70_000) {
        framed.extend(format!("{:x}\r\n", chunk.len()).into_bytes());
        framed.extend(chunk);
        framed.extend(b"\r\n");
    }
    framed.extend(b"0\r\n\r\n");
    framed
}

/// Sends the head and as much of the body, and says goodbye if that is all; what the door says until it hangs up.
async fn send(door: &Https, head: &str, body: &[u8], goodbye: bool) -> String {
    let mut stream = tls(door).await;
    let mut said = Vec::new();
    let exchange = async {
        // The door may have hung up before it has everything.
        let _sent = stream.write_all(&[head.as_bytes(), body].concat()).await.is_ok();
        let _goodbye = !goodbye || stream.shutdown().await.is_ok();
        let _with_or_without_goodbye = stream.read_to_end(&mut said).await;
    };
    tokio::time::timeout(Duration::from_secs(60), exchange).await.expect("the door hangs up");
    String::from_utf8_lossy(&said).into_owned()
}

async fn until_tidy(door: &Https) {
    for _ in 0..1000 {
        if door.leftovers().is_empty() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{:?}", door.leftovers());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_put_that_is_cut_at_any_byte_leaves_what_was_there() {
    let door = Https::start().await;
    let text = |name: &str| std::fs::read(door.root.join(name)).ok();
    let new = vec![b'n'; NEW];
    let mut cuts = 0;
    for mount in ["/dav", "/files"] {
        let forms = [
            (format!("Content-Length: {NEW}\r\n\r\n"), new.clone()),
            ("Transfer-Encoding: chunked\r\n\r\n".to_owned(), chunked(&new)),
        ];
        for (form, body) in forms {
            std::fs::write(door.root.join("old"), OLD).unwrap();
            for offset in offsets(body.len()) {
                let name = if cuts % 4 == 3 { "new" } else { "old" };
                let head = head("PUT", &format!("{mount}/{name}")) + &form;
                let said = send(&door, &head, &body[..offset], true).await;
                assert!(!said.contains("HTTP/1.1 2"), "{mount} {form} cut at {offset}: {said}");
                assert_eq!(text("old").as_deref(), Some(OLD.as_bytes()), "{mount} {form} cut at {offset}");
                assert_eq!(text("new"), None, "{mount} {form} cut at {offset}");
                cuts += 1;
            }
            until_tidy(&door).await;
            let head = head("PUT", &format!("{mount}/old")) + "Connection: close\r\n" + &form;
            let said = send(&door, &head, &body, false).await;
            assert!(said.starts_with("HTTP/1.1 204"), "and with all of it: {said}");
            assert_eq!(text("old"), Some(new.clone()));
        }
    }
    println!("cut {cuts} times");
    assert!(cuts > 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_reset_leaves_what_was_there() {
    let door = Https::start().await;
    std::fs::write(door.root.join("old"), OLD).unwrap();
    let io = TokioIo::new(tls(&door).await);
    let (mut client, connection) = http2::handshake(TokioExecutor::new(), io).await.unwrap();
    tokio::spawn(connection);
    let auth = format!("Basic {}", data_encoding::BASE64.encode(format!("anna:{PASSWORD}").as_bytes()));
    let root = door.root.clone();
    let is_under_way = move || {
        let names = std::fs::read_dir(&root).unwrap().map(|entry| entry.unwrap().file_name());
        names.into_iter().any(|name| name.to_string_lossy().starts_with(".causeway-upload-"))
    };
    let mut resets = 0;
    for mount in ["/dav", "/files"] {
        for offset in offsets(NEW).into_iter().chain([NEW]).step_by(3) {
            for announced in [true, false] {
                let sent = Frame::data(Bytes::from(vec![b'n'; offset]));
                let under_way = is_under_way.clone();
                // The bytes, and once the door has begun with them, the reset.
                let body = stream::unfold(Some(sent), move |sent| {
                    let under_way = under_way.clone();
                    async move {
                        if let Some(sent) = sent {
                            return Some((Ok(sent), None));
                        }
                        while !under_way() {
                            tokio::time::sleep(Duration::from_millis(2)).await;
                        }
                        Some((Err(std::io::Error::other("the client has changed its mind")), None))
                    }
                });
                let mut request = http::Request::put(door.url(&format!("{mount}/old"))).header("authorization", &auth);
                if announced {
                    request = request.header("content-length", NEW + 1);
                }
                let request = request.body(StreamBody::new(Box::pin(body))).unwrap();
                client.ready().await.unwrap();
                let answer = tokio::time::timeout(Duration::from_secs(60), client.send_request(request)).await;
                assert!(answer.expect("the request ends").is_err(), "{mount} reset at {offset}");
                until_tidy(&door).await;
                let text = std::fs::read_to_string(door.root.join("old")).unwrap();
                assert_eq!(text, OLD, "{mount} reset at {offset}");
                resets += 1;
            }
        }
    }
    println!("reset {resets} times");
    assert!(resets > 60);
}
