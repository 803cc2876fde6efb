//! Files on their way, by real servers.

use std::time::Instant;

use bytes::Bytes;
use causeway::model::{Algorithm, DigestAlgorithm, Endpoint, FaultKind, Mtime, Phase, Precision, Protocol, TimeSource};
use causeway::reliability::{Direction, End, Party, Recorder, What};
use causeway::remote::{Coming, Context, open, open_or_create, read_digest};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{context, door_endpoint, path};
use crate::mirror::million::peak;
use crate::sftp::door::noise;
use crate::support::apache::{Apache, Door};
use crate::support::https::Https;
use crate::support::scripted_http::response;

/// Many at once share one connection, and what each asks for comes back to it.
#[tokio::test(flavor = "multi_thread")]
async fn many_files_share_one_connection() {
    let apache = Apache::start(Door::Tls);
    for n in 0..60 {
        std::fs::write(apache.root().join(format!("{n}")), noise(n * 5_000)).unwrap();
    }
    apache.own();
    let remote = open(&apache.endpoint(), &context()).await.unwrap();
    let reads = (0..60).map(|n| {
        let remote = &remote;
        async move {
            let mut source = remote.read(&path(format!("{n}")), 0, None).await.unwrap();
            let mut all = Vec::new();
            while let Some(bytes) = source.next().await.unwrap() {
                all.extend_from_slice(&bytes);
            }
            source.finish().await.unwrap();
            assert!(all == noise(n * 5_000), "{n}");
        }
    });
    futures_util::future::join_all(reads).await;
    assert!(remote.capabilities().parallel >= 32);
}

/// Our own door tells the SHA-256 of a file without sending it; Apache tells nothing, and is asked once.
#[tokio::test(flavor = "multi_thread")]
async fn a_hash_is_told_without_the_file() {
    let (door, apache) = (Https::start().await, Apache::start(Door::Basic));
    let remote = open_or_create(&door_endpoint(&door), &context()).await.unwrap();
    assert!(remote.capabilities().digest && remote.capabilities().checksum);
    for size in [0, 5, 40_000_000] {
        std::fs::write(door.root.join("f"), noise(size)).unwrap();
        let told = remote.digest(&path("f")).await.unwrap().unwrap();
        assert_eq!(told, read_digest(&*remote, &path("f"), DigestAlgorithm::Sha256).await.unwrap());
    }
    assert_eq!(remote.digest(&path("nothing")).await.unwrap_err().kind, FaultKind::Missing);
    assert_eq!(remote.checksum(&path("f"), &[Algorithm::Md5]).await.unwrap(), None);
    std::fs::write(apache.root().join("f"), "x").unwrap();
    // A source finds it out on some file of its tree.
    for (endpoint, tells) in [(door_endpoint(&door), true), (apache.endpoint(), false)] {
        let source = open(&endpoint, &context()).await.unwrap();
        assert!(!source.capabilities().checksum);
        assert_eq!(source.checksum(&path(""), Algorithm::ALL).await.unwrap(), None);
        assert_eq!(source.capabilities().checksum, tells);
        assert_eq!(source.digest(&path("f")).await.unwrap().is_some(), tells);
    }
    assert_eq!(apache.asked().lines().filter(|line| line.contains("HEAD")).count(), 1);
}

/// Every connection and every transfer is seen by the statistics.
#[tokio::test(flavor = "multi_thread")]
async fn what_happens_is_recorded() {
    let apache = Apache::start(Door::Tls);
    let (recorder, mut seen) = Recorder::channel(100);
    let context = Context { recorder, ..context() };
    let remote = open(&apache.endpoint(), &context).await.unwrap();
    let mut sink = remote.write(&path("f"), 0).await.unwrap();
    sink.write(Bytes::from(noise(1_000_000))).await.unwrap();
    sink.finish().await.unwrap();
    let mut source = remote.read(&path("f"), 0, None).await.unwrap();
    while source.next().await.unwrap().is_some() {}
    source.finish().await.unwrap();
    assert!(remote.read(&path("missing"), 0, None).await.is_err());
    remote.close().await;
    drop((remote, context));
    let mut all = Vec::new();
    while let Some(one) = seen.recv().await {
        assert_eq!(
            (one.protocol, one.endpoint.as_str()),
            (Protocol::Davs, format!("localhost:{}", apache.port).as_str())
        );
        let moves = matches!(one.what, What::Transfer { .. });
        assert_eq!((one.detail.encrypted, one.detail.file.is_some()), (Some(true), moves), "{one:?}");
        if !moves {
            let tcp = one.detail.tcp.unwrap();
            assert!(tcp.sent > 1_000_000 && tcp.received > 1_000_000, "{one:?}");
            assert!(one.detail.post_quantum.is_some() && one.detail.round_trips >= Some(2), "{one:?}");
        }
        all.push(one.what);
    }
    let [
        What::Transfer { direction: Direction::Upload, bytes: 1_000_000, end: End::Clean, .. },
        What::Transfer { direction: Direction::Download, bytes: 1_000_000, end: End::Clean, .. },
        What::Connection { setup: Some(_), phases, end: End::Clean, .. },
    ] = all.as_slice()
    else {
        panic!("{all:?}")
    };
    let phases: Vec<_> = phases.iter().map(|(phase, _)| *phase).collect();
    assert_eq!(phases, [Phase::Resolve, Phase::Connect, Phase::Tls]);
    // Who is not there is seen as well.
    let (recorder, mut seen) = Recorder::channel(100);
    let mut nowhere = apache.endpoint();
    drop(apache);
    nowhere.host = "127.0.0.1".into();
    nowhere.options.ca_file = None;
    let Err(fault) = open(&nowhere, &Context { recorder, ..super::context() }).await else { panic!("it came in") };
    assert_eq!((fault.phase, fault.kind), (Phase::Connect, FaultKind::Refused));
    let one = seen.recv().await.unwrap();
    assert_eq!((one.detail.errno, one.ended_by()), (Some(111), Some(Party::Them)));
    assert!(matches!(
        one.what,
        What::Connection { setup: None, end: End::Failed(Phase::Connect, FaultKind::Refused), .. }
    ));
}

/// As the mirror does it: the time is known beforehand, and it is there with the file.
#[tokio::test(flavor = "multi_thread")]
async fn a_time_comes_with_the_file() {
    let door = Https::start().await;
    let remote = open_or_create(&door_endpoint(&door), &context()).await.unwrap();
    let at = jiff::Timestamp::from_second(1_234_567_890).unwrap();
    let mtime = Some(Mtime { at, precision: Precision::Second, source: TimeSource::Mlsd });
    for (name, size) in [("small", 1_000), ("large", 3_000_000)] {
        for coming in [Coming { size: Some(size as u64), mtime }, Coming::default()] {
            let mut sink = remote.write_new(&path(name), coming).await.unwrap();
            for chunk in noise(size).chunks(100_000) {
                sink.write(Bytes::copy_from_slice(chunk)).await.unwrap();
            }
            assert!(sink.stamp(mtime, Some(0o644)));
            assert_eq!(sink.finish().await.unwrap(), size as u64);
            let there = std::fs::metadata(door.root.join(name)).unwrap();
            let told = there.modified().unwrap().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
            assert_eq!((told, there.len()), (1_234_567_890, size as u64), "{name} {coming:?}");
        }
    }
}

/// Names in a folder that is listed as it comes.
const MANY: usize = 300_000;

/// Answers one question about a folder, then one about what is in it.
async fn large_folder(listener: tokio::net::TcpListener) {
    for deep in [false, true] {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut head = vec![0; 16 << 10];
        let mut got = 0;
        while !String::from_utf8_lossy(&head[..got]).contains("</propfind>") {
            got += socket.read(&mut head[got..]).await.unwrap();
        }
        let begin = "HTTP/1.1 207 Multi-Status\r\nConnection: close\r\n\r\n<D:multistatus xmlns:D=\"DAV:\">";
        socket.write_all((begin.to_owned() + &response("/d/", None)).as_bytes()).await.unwrap();
        for page in 0..if deep { MANY / 1_000 } else { 0 } {
            let text: String =
                (0..1_000).map(|n| response(&format!("/d/file%20{}", page * 1_000 + n), Some((1, n)))).collect();
            socket.write_all(text.as_bytes()).await.unwrap();
        }
        socket.write_all(b"</D:multistatus>").await.unwrap();
        socket.shutdown().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn heavy_a_large_listing_costs_bounded_memory() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = Endpoint::parse(&format!("dav://{}/d", listener.local_addr().unwrap())).unwrap();
    let server = tokio::spawn(large_folder(listener));
    let remote = open(&endpoint, &context()).await.unwrap();
    let (before, began, mut count) = (peak(), Instant::now(), 0);
    let mut lister = remote.list(&path("")).await.unwrap();
    while let Some(batch) = lister.next().await.unwrap() {
        assert!(batch.len() <= 1_000, "{}", batch.len());
        count += batch.len();
    }
    assert!(lister.finish().await.unwrap().is_proven());
    let grown = peak() - before;
    println!("{count} names in {:?}, {} KiB of memory more", began.elapsed(), grown >> 10);
    assert_eq!(count, MANY);
    assert!(grown < 16 << 20, "{grown}");
    server.await.unwrap();
}
