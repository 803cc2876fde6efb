//! Files on their way, by real servers.

use bytes::Bytes;
use causeway::model::{Mtime, Precision, TimeSource};
use causeway::remote::{Coming, open, open_or_create};

use super::{context, door_endpoint, path};
use crate::sftp::door::noise;
use crate::support::apache::{Apache, Door};
use crate::support::https::Https;

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
