//! What the HTTPS listener bears of those who have not logged in, and of those who keep it waiting.

use std::net::SocketAddr;
use std::time::Duration;

use axum::routing::post;
use causeway::model::SystemClock;
use causeway::net::AdmissionLimits;
use causeway::serve::http::{self, Settings};
use causeway::task::Tasks;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::client::TlsStream;

use crate::support::https::{Https, head};
use crate::support::tls::{tls, tls_over};

/// Everything that still comes, up to the end; the peer must end it.
async fn rest(stream: &mut (impl tokio::io::AsyncRead + Unpin)) -> String {
    let mut all = Vec::new();
    // Closed with or without a goodbye, but not left open.
    let ended = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut all)).await;
    assert!(ended.is_ok(), "left open after {}", String::from_utf8_lossy(&all));
    String::from_utf8_lossy(&all).into_owned()
}

/// Sends a byte now and then, until the peer has enough of it; returns what that said.
async fn dripped(stream: TlsStream<TcpStream>, head: &str) -> String {
    let (mut read, mut write) = tokio::io::split(stream);
    write.write_all(head.as_bytes()).await.unwrap();
    let drip = async {
        while write.write_all(b"x").await.is_ok() && write.flush().await.is_ok() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::select! {
        said = rest(&mut read) => said,
        () = async { drip.await; std::future::pending().await } => unreachable!(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_makes_no_progress_is_ended_and_leaves_nothing() {
    let door = Https::with(Settings { stall: Duration::from_secs(1), ..Settings::default() }).await;
    std::fs::write(door.root.join("old"), "old").unwrap();
    for (method, path) in [("PUT", "/dav/old"), ("PUT", "/files/old"), ("PROPFIND", "/dav/old"), ("LOCK", "/dav/old")] {
        let head = format!("{}Content-Length: 1000000\r\n\r\n", head(method, path));
        let mut silent = tls(&door).await;
        silent.write_all(head.as_bytes()).await.unwrap();
        let said = rest(&mut silent).await;
        assert!(said.starts_with("HTTP/1.1 408"), "{method} {path} in silence: {said}");
        let said = dripped(tls(&door).await, &head).await;
        assert!(said.starts_with("HTTP/1.1 408"), "{method} {path} by drops: {said}");
    }
    assert_eq!(door.leftovers(), Vec::<String>::new());
    assert_eq!(std::fs::read_to_string(door.root.join("old")).unwrap(), "old");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_strangers_form_has_one_time_and_one_size() {
    let data = tempfile::tempdir().unwrap();
    let settings = Settings {
        listen: "127.0.0.1:0".parse().unwrap(),
        strangers_body: Duration::from_secs(1),
        ..Settings::default()
    };
    let listener = http::bind(&settings, data.path(), std::sync::Arc::new(SystemClock)).await.unwrap();
    let (address, tasks) = (listener.address(), Tasks::new());
    let form = post(|body: bytes::Bytes| async move { body.len().to_string() });
    http::serve(listener, axum::Router::new().route("/form", form), &tasks);
    let connect = || async { tls_over(TcpStream::connect(address).await.unwrap(), data.path()).await };
    let head = |length: usize| {
        format!("POST /form HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n")
    };
    let said = dripped(connect().await, &head(1000)).await;
    assert!(said.starts_with("HTTP/1.1 400"), "{said}");
    for (length, status) in [(60_000, "HTTP/1.1 200"), (70_000, "HTTP/1.1 400")] {
        let mut stream = connect().await;
        stream.write_all(head(length).as_bytes()).await.unwrap();
        stream.write_all(&vec![b'x'; length]).await.unwrap();
        stream.flush().await.unwrap();
        let said = rest(&mut stream).await;
        assert!(said.starts_with(status), "{length}: {said}");
    }
    tasks.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_without_a_login_ends_and_one_with_it_stays() {
    let short = Duration::from_secs(1);
    let door = Https::with(Settings { login: short, strangers_body: short, ..Settings::default() }).await;
    let mut anna = tls(&door).await;
    let request = format!("{}\r\n", head("OPTIONS", "/dav/"));
    let mut answer = [0; 12];
    anna.write_all(request.as_bytes()).await.unwrap();
    anna.read_exact(&mut answer).await.unwrap();
    let mut stranger = tls(&door).await;
    stranger.write_all(b"OPTIONS /dav/ HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    assert!(rest(&mut stranger).await.starts_with("HTTP/1.1 401"));
    // By now anna has been here for longer.
    let more = format!("{}Connection: close\r\n\r\n", head("OPTIONS", "/dav/"));
    anna.write_all(more.as_bytes()).await.unwrap();
    let said = rest(&mut anna).await;
    assert!(said.contains("HTTP/1.1 200"), "{said}");
}

/// A connection from another address of this machine.
async fn knock(door: &Https, from: [u8; 4]) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::from((from, 0))).unwrap();
    socket.connect(SocketAddr::from(([127, 0, 0, 1], door.port))).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_strangers_does_not_lock_out_who_was_in_before() {
    let strangers = AdmissionLimits { total: 3, per_address: 2 };
    let door = Https::with(Settings { strangers, ..Settings::default() }).await;
    assert_eq!(door.status(&["-4"], "/dav/"), 200);
    let mut crowd = Vec::new();
    for from in [[127, 0, 0, 2], [127, 0, 0, 2], [127, 0, 0, 3]] {
        crowd.push(tls_over(knock(&door, from).await, door.data()).await);
    }
    for from in [[127, 0, 0, 2], [127, 0, 0, 4]] {
        assert_eq!(rest(&mut knock(&door, from).await).await, "", "the strangers' budget is used up");
    }
    assert_eq!(door.status(&["-4"], "/dav/"), 200);
    // A login gives the place back.
    let request = format!("{}\r\n", head("OPTIONS", "/dav/"));
    crowd[2].write_all(request.as_bytes()).await.unwrap();
    crowd[2].read_exact(&mut [0; 12]).await.unwrap();
    tls_over(knock(&door, [127, 0, 0, 4]).await, door.data()).await;
}
