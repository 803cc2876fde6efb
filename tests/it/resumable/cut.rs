//! Requests that break off: what came is kept, no more and no less is told.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{announce, content, offset, send};
use crate::support::https::{Https, head};
use crate::support::tls::tls;

/// Begins a PATCH of all that is left and sends only `bytes` of it.
async fn begin(
    door: &Https,
    at: &str,
    offset: usize,
    left: usize,
    bytes: &[u8],
) -> tokio_rustls::client::TlsStream<tokio::net::TcpStream> {
    let mut stream = tls(door).await;
    let head = head("PATCH", at)
        + "Tus-Resumable: 1.0.0\r\nContent-Type: application/offset+octet-stream\r\n"
        + &format!("Upload-Offset: {offset}\r\nContent-Length: {left}\r\n\r\n");
    stream.write_all(&[head.as_bytes(), bytes].concat()).await.unwrap();
    stream.flush().await.unwrap();
    stream
}

/// Where the upload stands once nobody writes it: the door hears of a lost connection a moment later.
async fn settled(door: &Https, at: &str) -> usize {
    for _ in 0..600 {
        let stands = offset(door, at).unwrap();
        if send(door, at, stands, b"", &[]).0 == 204 {
            return stands;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("somebody still writes it");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_is_cut_at_many_bytes_arrives_whole() {
    let door = Https::start().await;
    let bytes = content(3_000_000);
    let at = announce(&door, bytes.len(), &[("filename", "f")]);
    let ends = [1, 2, 3, 65_535, 65_536, 500_000, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 2_500_000, 2_999_999];
    let (mut stands, mut cuts) = (0, 0);
    for end in ends {
        // A connection that is reset may lose what is on its way: then it is cut again.
        while stands < end {
            let mut stream = begin(&door, &at, stands, bytes.len() - stands, &bytes[stands..end]).await;
            if cuts % 2 == 0 {
                stream.shutdown().await.unwrap();
            }
            drop(stream);
            cuts += 1;
            stands = settled(&door, &at).await;
            assert!(stands <= end && !door.root.join("f").exists(), "cut at {end}, and it stands at {stands}");
        }
    }
    assert!(cuts >= ends.len());
    assert_eq!(send(&door, &at, stands, &bytes[stands..], &[]), (204, Some(bytes.len())));
    assert!(std::fs::read(door.root.join("f")).unwrap() == bytes);
    assert!(door.leftovers().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_writers_the_second_is_refused() {
    let door = Https::start().await;
    let bytes = content(3_000_000);
    let at = announce(&door, bytes.len(), &[("filename", "f")]);
    let mut first = begin(&door, &at, 0, bytes.len(), &bytes[..2_000_000]).await;
    // The first has it as soon as something of it is in the part.
    let is_taken = || {
        let part = door.leftovers().pop().unwrap();
        std::fs::metadata(door.root.join(part)).unwrap().len() > 0
    };
    for _ in 0..1000 {
        if is_taken() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(send(&door, &at, 0, b"abc", &[]).0, 423);
    assert_eq!(door.status(&["-X", "DELETE", "-H", super::TUS], &at), 423);
    first.write_all(&bytes[2_000_000..]).await.unwrap();
    let mut said = [0; 12];
    first.read_exact(&mut said).await.unwrap();
    assert_eq!(&said, b"HTTP/1.1 204");
    assert!(std::fs::read(door.root.join("f")).unwrap() == bytes);
}
