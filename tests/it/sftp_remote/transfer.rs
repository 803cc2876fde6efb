//! Moving bytes and names: pipelined, in any order, in pieces, and over connections that break.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use causeway::model::{EntryKind, Fault, FaultKind, Mtime, Phase, Precision, Retry, TimeSource};
use causeway::reliability::{Direction, End, Party, Recorder, What};
use causeway::remote::{Completeness, Context, Doubt, Remote, contract, open};

use super::{context, path};
use crate::sftp::door::noise;
use crate::support::odd_sftp::{Odd, OddSftp};
use crate::support::sshd::Sshd;

async fn put(remote: &dyn Remote, name: &str, data: &Bytes) -> Result<u64, Fault> {
    let mut sink = remote.write(&path(name), 0).await?;
    for at in (0..data.len()).step_by(100_000) {
        sink.write(data.slice(at..data.len().min(at + 100_000))).await?;
    }
    sink.finish().await
}

async fn get(remote: &dyn Remote, name: &str, offset: u64) -> Result<Vec<u8>, Fault> {
    let mut source = remote.read(&path(name), offset, None).await?;
    let mut all = Vec::new();
    while let Some(bytes) = source.next().await? {
        all.extend_from_slice(&bytes);
    }
    source.finish().await?;
    Ok(all)
}

/// Answers out of order, half of what was asked for, no extension: the draft is enough.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_keeps_to_the_draft_only_keeps_the_contract() {
    for odd in [
        Odd { replaces: true, ..Odd::default() },
        Odd { replaces: true, shuffles: true, short: 5000, ..Odd::default() },
        Odd { replaces: true, shuffles: true, modeless: true, ..Odd::default() },
    ] {
        let server = OddSftp::start(odd).await;
        let remote: Arc<dyn Remote> = open(&server.endpoint(), &context()).await.unwrap();
        let kept = tokio::time::timeout(Duration::from_secs(60), contract::check(&remote, true)).await;
        kept.unwrap_or_else(|_| panic!("{odd:?}: it hangs")).unwrap_or_else(|broken| panic!("{odd:?}: {broken}"));
        let data = Bytes::from(noise(3_000_000));
        assert_eq!(put(&*remote, "big", &data).await.unwrap(), 3_000_000);
        assert!(fs::read(server.root().join("big")).unwrap() == data, "{odd:?}");
        assert!(get(&*remote, "big", 1_234_567).await.unwrap() == data[1_234_567..], "{odd:?}");
        remote.set_attributes(&path("big"), None, Some(0o640)).await.unwrap();
        assert_eq!(remote.capabilities().set_mode, !odd.modeless);
        remote.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_big_file_goes_both_ways_and_is_recorded() {
    const SIZE: usize = 96 << 20;
    let sshd = Sshd::start();
    let (recorder, mut seen) = Recorder::channel(100);
    let context = Context { recorder, ..context() };
    let remote = open(&sshd.endpoint(), &context).await.unwrap();
    let data = Bytes::from(noise(SIZE));
    let begin = Instant::now();
    assert_eq!(put(&*remote, "big", &data).await.unwrap(), SIZE as u64);
    let up = begin.elapsed();
    assert!(fs::read(sshd.root().join("big")).unwrap() == data);
    let begin = Instant::now();
    assert!(get(&*remote, "big", 0).await.unwrap() == data);
    let rate = |took: Duration| SIZE as f64 / took.as_secs_f64() / 1048576.0;
    println!("up {:.0} MiB/s, down {:.0} MiB/s (debug build)", rate(up), rate(begin.elapsed()));
    remote.close().await;
    let mut whats = Vec::new();
    while whats.len() < 3 {
        let next = tokio::time::timeout(Duration::from_secs(10), seen.recv()).await.expect("three observations");
        let one = next.unwrap();
        let (detail, moves) = (&one.detail, matches!(one.what, What::Transfer { .. }));
        assert_eq!((detail.encrypted, detail.file.is_some()), (Some(true), moves), "{one:?}");
        let tcp = detail.tcp.unwrap();
        assert!(tcp.min_rtt > Duration::ZERO && tcp.sent.max(tcp.received) > SIZE as u64, "{one:?}");
        if !moves {
            assert_eq!((detail.payload, one.ended_by()), (Some(2 * SIZE as u64), Some(Party::Us)), "{one:?}");
            assert!(detail.wire > detail.payload && detail.round_trips >= Some(5), "{one:?}");
        }
        whats.push(one.what);
    }
    let moved = |way| {
        let is = |what: &What| matches!(what, What::Transfer { direction, bytes, end: End::Clean, .. } if *direction == way && *bytes == SIZE as u64);
        whats.iter().any(is)
    };
    assert!(moved(Direction::Upload) && moved(Direction::Download), "{whats:?}");
    let connection = whats.iter().find_map(|what| match what {
        What::Connection { setup: Some(_), phases, end: End::Clean, .. } => Some(phases.clone()),
        _ => None,
    });
    let phases: Vec<_> =
        connection.unwrap_or_else(|| panic!("{whats:?}")).into_iter().map(|(phase, _)| phase).collect();
    assert_eq!(phases, [Phase::Resolve, Phase::Connect, Phase::Banner, Phase::Tls, Phase::Login, Phase::Command]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listing_tells_links_and_what_it_cannot_know() {
    let sshd = Sshd::start();
    let root = sshd.root();
    fs::create_dir(root.join("sub")).unwrap();
    fs::write(root.join("file"), "hello").unwrap();
    symlink("file", root.join("link")).unwrap();
    symlink("/etc", root.join("out")).unwrap();
    for name in ["empty", "closed", "blind"] {
        fs::create_dir(root.join(name)).unwrap();
    }
    fs::write(root.join("blind/hidden"), "x").unwrap();
    for n in 0..1234 {
        fs::write(root.join("sub").join(format!("{n}")), "").unwrap();
    }
    sshd.own();
    fs::set_permissions(root.join("closed"), fs::Permissions::from_mode(0o311)).unwrap();
    fs::set_permissions(root.join("blind"), fs::Permissions::from_mode(0o444)).unwrap();
    let remote = open(&sshd.endpoint(), &context()).await.unwrap();
    let listed = async |dir: &str| {
        let mut lister = remote.list(&path(dir)).await?;
        let mut all = Vec::new();
        while let Some(mut some) = lister.next().await? {
            all.append(&mut some);
        }
        all.sort_by(|a, b| a.name.cmp(&b.name));
        Ok::<_, Fault>((all, lister.finish().await?))
    };
    let (entries, whole) = listed("").await.unwrap();
    assert!(whole.is_proven());
    let kinds: Vec<_> = entries.iter().map(|e| (e.name.display().into_owned(), e.kind.clone())).collect();
    let link = |to: &str| EntryKind::Symlink(Some(to.as_bytes().to_vec()));
    for (name, kind) in
        [("file", EntryKind::File), ("link", link("file")), ("out", link("/etc")), ("sub", EntryKind::Dir)]
    {
        assert!(kinds.contains(&(name.to_owned(), kind)), "{name}: {kinds:?}");
    }
    assert_eq!(remote.stat(&path("link")).await.unwrap().unwrap().kind, link("file"));
    // A link is never followed, neither to read nor to write.
    assert_eq!(get(&*remote, "link", 0).await.unwrap_err().kind, FaultKind::Unsupported);
    assert_eq!(put(&*remote, "link", &Bytes::from_static(b"lost")).await.unwrap_err().kind, FaultKind::Exists);
    assert_eq!(fs::read(root.join("file")).unwrap(), b"hello");
    let (sub, whole) = listed("sub").await.unwrap();
    assert!(sub.len() == 1234 && whole.is_proven());
    let (empty, whole) = listed("empty").await.unwrap();
    assert!(empty.is_empty() && whole.is_proven());
    assert_eq!(listed("closed").await.unwrap_err().kind, FaultKind::Permission);
    // OpenSSH lists nothing where it may not look at anything, and calls that the end.
    let (none, whole) = listed("blind").await.unwrap();
    assert!(none.is_empty());
    assert_eq!(whole, Completeness::Doubtful { doubts: vec![Doubt::UnconfirmedEmpty] });
    remote.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_connection_is_a_fault_and_the_next_one_goes_on() {
    let sshd = Sshd::start();
    let remote = open(&sshd.endpoint(), &context()).await.unwrap();
    let data = Bytes::from(noise(40 << 20));
    let mut sink = remote.write(&path("part"), 0).await.unwrap();
    sink.write(data.slice(..20 << 20)).await.unwrap();
    // Progress is made durable and told while bytes flow.
    let end = Instant::now() + Duration::from_secs(30);
    let mut at = 20 << 20;
    while sink.confirmed() == 0 {
        assert!(Instant::now() < end, "nothing was confirmed");
        tokio::time::sleep(Duration::from_millis(100)).await;
        sink.write(data.slice(at..at + 1000)).await.unwrap();
        at += 1000;
    }
    let confirmed = sink.confirmed();
    assert!(sshd.kill_sessions() > 0);
    let fault = loop {
        match sink.write(data.slice(at..at + 100_000)).await {
            Ok(()) => at += 100_000,
            Err(fault) => break fault,
        }
    };
    assert!(matches!(fault.kind, FaultKind::Reset | FaultKind::ClosedEarly), "{fault:?}");
    assert_eq!((fault.phase, fault.retry), (Phase::Transfer, Retry::Now), "{fault:?}");
    assert!(sink.confirmed() >= confirmed && sink.confirmed() <= at as u64);
    let confirmed = sink.confirmed();
    drop(sink);
    let mut sink = remote.write(&path("part"), confirmed).await.unwrap();
    sink.write(data.slice(usize::try_from(confirmed).unwrap()..)).await.unwrap();
    assert_eq!(sink.finish().await.unwrap(), data.len() as u64);
    assert!(fs::read(sshd.root().join("part")).unwrap() == data);
    let mut source = remote.read(&path("part"), 0, None).await.unwrap();
    source.next().await.unwrap();
    sshd.kill_sessions();
    let fault = loop {
        match source.next().await {
            Ok(Some(_)) => {}
            Ok(None) => panic!("the end of a file whose connection was lost"),
            Err(fault) => break fault,
        }
    };
    assert!(matches!(fault.kind, FaultKind::Reset | FaultKind::ClosedEarly) && fault.phase == Phase::Transfer);
    assert!(fault.evidence.bytes.is_some_and(|bytes| bytes > 0), "{fault:?}");
    remote.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_falls_silent_is_left() {
    let server = OddSftp::start(Odd { mute: true, ..Odd::default() }).await;
    fs::write(server.root().join("a"), "hello").unwrap();
    let mut endpoint = server.endpoint();
    endpoint.options.deadlines.stall = Duration::from_millis(500);
    let remote = open(&endpoint, &context()).await.unwrap();
    let begin = Instant::now();
    let fault = get(&*remote, "a", 0).await.unwrap_err();
    assert_eq!((fault.phase, fault.kind, fault.retry), (Phase::Transfer, FaultKind::Stalled, Retry::Now), "{fault:?}");
    assert!(begin.elapsed() < Duration::from_secs(5));
    // The session is thrown away; the next question has one of its own.
    assert!(remote.stat(&path("a")).await.unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_fails_is_said_and_nothing_behind_it_counts() {
    let server = OddSftp::start(Odd { full_after: Some(1_000_000), shuffles: true, ..Odd::default() }).await;
    let remote = open(&server.endpoint(), &context()).await.unwrap();
    let mut sink = remote.write(&path("a"), 0).await.unwrap();
    let data = Bytes::from(noise(100_000));
    let mut failed = None;
    for _ in 0..100 {
        if let Err(fault) = sink.write(data.clone()).await {
            failed = Some(fault);
            break;
        }
    }
    let fault = failed.expect("a write must fail");
    assert_eq!((fault.phase, fault.kind), (Phase::Transfer, FaultKind::Io), "{fault:?}");
    assert!(sink.confirmed() <= 1_000_000, "{}", sink.confirmed());
    assert!(sink.finish().await.is_err());
    remote.close().await;
}

/// More connections than one only when one is busy, and never more than were allowed.
#[tokio::test(flavor = "multi_thread")]
async fn connections_are_opened_when_they_are_of_use() {
    let sshd = Sshd::start();
    let mut endpoint = sshd.endpoint();
    endpoint.options.connections = Some(3);
    let remote = open(&endpoint, &context()).await.unwrap();
    for n in 0..20 {
        put(&*remote, &format!("small-{n}"), &Bytes::from_static(b"x")).await.unwrap();
    }
    assert_eq!(sshd.sessions(), 1);
    let data = Bytes::from(noise(8 << 20));
    let many = (0..12).map(|n| {
        let (remote, data) = (&remote, &data);
        async move { put(&**remote, &format!("big-{n}"), data).await.unwrap() }
    });
    let one_by_one = async {
        let mut most = 0;
        for _ in 0..40 {
            most = most.max(sshd.sessions());
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        most
    };
    let (_, most) = tokio::join!(futures_util::future::join_all(many), one_by_one);
    assert!((2..=3).contains(&most), "{most} connections");
    remote.close().await;
}

/// Whoever opens the door is not who speaks SFTP behind it: a server that greets as OpenSSH and replaces what is there.
#[tokio::test(flavor = "multi_thread")]
async fn a_greeting_is_no_promise_about_renames() {
    let server = OddSftp::start(Odd { poses: true, replaces: true, ..Odd::default() }).await;
    let remote: Arc<dyn Remote> = open(&server.endpoint(), &context()).await.unwrap();
    put(&*remote, "new", &Bytes::from_static(b"new")).await.unwrap();
    put(&*remote, "old", &Bytes::from_static(b"old")).await.unwrap();
    assert_eq!(remote.rename(&path("new"), &path("old")).await.unwrap_err().kind, FaultKind::Exists);
    assert_eq!(fs::read(server.root().join("old")).unwrap(), b"old");
    remote.close().await;
}

/// It looks like OpenSSH in every way, and its file system has no permission bits.
#[tokio::test(flavor = "multi_thread")]
async fn modes_that_a_server_does_not_keep_cost_no_file() {
    let odd = Odd { poses: true, announces: true, modeless: true, ..Odd::default() };
    let server = OddSftp::start(odd).await;
    let remote: Arc<dyn Remote> = open(&server.endpoint(), &context()).await.unwrap();
    assert!(remote.capabilities().set_mode, "nobody knows yet");
    let at = jiff::Timestamp::from_second(1_234_567_890).unwrap();
    let mtime = Mtime { at, precision: Precision::Second, source: TimeSource::FileSystem };
    for name in ["first", "second"] {
        let mut sink = remote.write(&path(name), 0).await.unwrap();
        sink.write(Bytes::from_static(b"hello")).await.unwrap();
        assert!(sink.stamp(Some(mtime), Some(0o640)));
        assert_eq!(sink.finish().await.unwrap(), 5, "{name}");
        let set = fs::metadata(server.root().join(name)).unwrap().modified().unwrap();
        assert_eq!(set.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs(), 1_234_567_890, "{name}");
        assert!(!remote.capabilities().set_mode, "it was told by {name}");
    }
    remote.close().await;
}

async fn in_time<T>(what: &str, work: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), work).await.unwrap_or_else(|_| panic!("{what}: it hangs"))
}

async fn list(remote: &dyn Remote) -> Result<usize, Fault> {
    let mut lister = remote.list(&path("")).await?;
    let mut seen = 0;
    while let Some(some) = lister.next().await? {
        seen += some.len();
    }
    lister.finish().await?;
    Ok(seen)
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_bring_nothing_are_a_fault_and_no_loop() {
    for names in [&[][..], &[".", ".."]] {
        let server = OddSftp::start(Odd { names_only: Some(names), hollow: true, ..Odd::default() }).await;
        fs::write(server.root().join("a"), "hello").unwrap();
        let remote = open(&server.endpoint(), &context()).await.unwrap();
        let fault = in_time("a listing", list(&*remote)).await.unwrap_err();
        assert_eq!((fault.phase, fault.kind), (Phase::List, FaultKind::Protocol), "{fault}");
        let fault = in_time("a reading", get(&*remote, "a", 0)).await.unwrap_err();
        assert_eq!((fault.phase, fault.kind), (Phase::Transfer, FaultKind::Protocol), "{fault}");
        remote.close().await;
    }
}

/// Answers of every kind to every question: each work ends, well or badly.
#[tokio::test(flavor = "multi_thread")]
async fn whatever_a_server_answers_every_work_ends() {
    for seed in 0..60 {
        let server = OddSftp::start(Odd { babbles: Some(seed * 1000), ..Odd::default() }).await;
        let what = format!("seed {seed}");
        in_time(&what, async {
            let remote = open(&server.endpoint(), &context()).await.unwrap();
            let data = Bytes::from_static(b"hello");
            for _ in 0..3 {
                drop(list(&*remote).await);
                drop(get(&*remote, "a", 0).await);
                drop(put(&*remote, "b", &data).await);
                drop(remote.stat(&path("c")).await);
                drop(remote.rename(&path("d"), &path("e")).await);
                drop(remote.make_dir(&path("f")).await);
            }
            remote.close().await;
        })
        .await;
    }
}
