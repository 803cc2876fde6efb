//! FTP against servers that nobody here wrote, and against a scripted one that says odd things.

mod active;
mod data;
mod faults;
mod huge;
mod ladder;
mod listings;
mod manners;
mod observed;
mod replies;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use causeway::manners::Manners;
use causeway::model::{
    Deadlines, Endpoint, Entry, EntryKind, Fault, FaultKind, Mtime, Precision, RelPath, Retry, Secret, SystemClock,
    TimeSource,
};
use causeway::reliability::{End, Recorder, What};
use causeway::remote::{Completeness, Context, Doubt, Remote, open};
use causeway::task::Tasks;

use crate::support::ftpd::{Ftpd, Server, Tls};
use crate::support::scripted::Scripted;

pub fn context() -> Context {
    let (recorder, manners) = (Recorder::discard(), Manners::forgetful());
    Context { recorder, manners, clock: Arc::new(SystemClock), tasks: Tasks::new() }
}

fn path(text: impl AsRef<[u8]>) -> RelPath {
    RelPath::new(text).unwrap()
}

async fn listing(remote: &dyn Remote, dir: &str) -> (BTreeMap<Vec<u8>, Entry>, Completeness) {
    let mut lister = remote.list(&path(dir)).await.unwrap();
    let mut found = BTreeMap::new();
    while let Some(batch) = lister.next().await.unwrap() {
        found.extend(batch.into_iter().map(|entry| (entry.name.as_bytes().to_vec(), entry)));
    }
    (found, lister.finish().await.unwrap())
}

async fn content(remote: &dyn Remote, name: &RelPath, offset: u64) -> Vec<u8> {
    let mut source = remote.read(name, offset, None).await.unwrap();
    let mut all = Vec::new();
    while let Some(bytes) = source.next().await.unwrap() {
        all.extend_from_slice(&bytes);
    }
    source.finish().await.unwrap();
    all
}

/// Long enough for a busy machine, where the deadline is not what is tested.
fn calm() -> Deadlines {
    let long = Duration::from_secs(10);
    Deadlines { connect: long, banner: long, command: long, stall: long, closing: long, listing: long }
}

/// Opens an endpoint that has these deadlines.
async fn open_with(endpoint: &Endpoint, context: &Context, deadlines: Deadlines) -> Result<Arc<dyn Remote>, Fault> {
    let mut endpoint = endpoint.clone();
    endpoint.options.deadlines = deadlines;
    open(&endpoint, context).await
}

async fn enter(server: &Scripted) -> Arc<dyn Remote> {
    open_with(&server.endpoint(), &context(), calm()).await.unwrap()
}

async fn refused(server: &Scripted, deadlines: Deadlines) -> Fault {
    open_with(&server.endpoint(), &context(), deadlines).await.err().expect("opened")
}

/// Reads a whole file, up to the first fault.
async fn try_content(remote: &dyn Remote, name: &str, offset: u64) -> Result<Vec<u8>, Fault> {
    let mut source = remote.read(&path(name), offset, None).await?;
    let mut all = Vec::new();
    while let Some(bytes) = source.next().await? {
        all.extend_from_slice(&bytes);
    }
    source.finish().await.map(|_| all)
}

/// Reads a whole listing, up to the first fault.
async fn try_listing(remote: &dyn Remote, dir: &str) -> Result<(Vec<Entry>, Completeness), Fault> {
    let mut lister = remote.list(&path(dir)).await?;
    let mut all = Vec::new();
    while let Some(batch) = lister.next().await? {
        all.extend(batch);
    }
    Ok((all, lister.finish().await?))
}

/// Bytes that repeat nowhere soon.
pub fn bytes(count: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(2).wrapping_add(1);
    (0..count)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as u8
        })
        .collect()
}

async fn reads_and_writes(ftpd: Ftpd) {
    let (server, tls) = (ftpd.server, ftpd.tls);
    fs::create_dir(ftpd.root().join("a b")).unwrap();
    fs::create_dir(ftpd.root().join("empty")).unwrap();
    fs::write(ftpd.root().join(".hidden"), b"dot").unwrap();
    fs::write(ftpd.root().join("nothing"), b"").unwrap();
    let big = bytes(3_000_000, 7);
    fs::write(ftpd.root().join("a b/big"), &big).unwrap();
    for n in 0..24 {
        fs::write(ftpd.root().join(format!("a b/{n}")), bytes(1000 + n, n as u64)).unwrap();
    }
    ftpd.own();
    let remote = open(&ftpd.endpoint(), &context()).await.unwrap();

    let (found, completeness) = listing(&*remote, "").await;
    assert!(completeness.is_proven(), "{server:?} {tls:?}: {completeness:?}");
    assert_eq!(found.len(), 4, "{server:?} {tls:?}: {found:?}");
    assert_eq!(found[&b".hidden"[..]].size, Some(3));
    assert_eq!(found[&b"a b"[..]].kind, EntryKind::Dir);
    let (none, completeness) = listing(&*remote, "empty").await;
    assert!(none.is_empty() && completeness.is_proven(), "{server:?} {tls:?}: {completeness:?}");

    // Several connections at once, each with its own TLS session store.
    let reads = (0..24).map(|n| {
        let remote = Arc::clone(&remote);
        async move { assert_eq!(content(&*remote, &path(format!("a b/{n}")), 0).await, bytes(1000 + n, n as u64)) }
    });
    futures_util::future::join_all(reads).await;
    assert_eq!(content(&*remote, &path("a b/big"), 0).await, big);
    assert_eq!(content(&*remote, &path("a b/big"), 2_999_000).await, big[2_999_000..]);
    assert!(content(&*remote, &path("nothing"), 0).await.is_empty());
    let stat = remote.stat(&path("a b/big")).await.unwrap().unwrap();
    assert_eq!((stat.size, stat.kind), (Some(3_000_000), EntryKind::File));
    assert_eq!(stat.mtime.unwrap().precision, Precision::Second);
    assert_eq!(remote.stat(&path("a b/missing")).await.unwrap(), None);
    let no = remote.read(&path("a b/missing"), 0, None).await.err().unwrap();
    assert!(matches!(no.kind, FaultKind::Missing | FaultKind::Permission), "{no:?}");

    remote.make_dir(&path("new")).await.unwrap();
    remote.make_dir(&path("new")).await.unwrap();
    for (offset, part) in [(0, &big[..1_000_000]), (1_000_000, &big[1_000_000..])] {
        let mut sink = remote.write(&path("new/up"), offset).await.unwrap();
        sink.write(Bytes::copy_from_slice(part)).await.unwrap();
        assert_eq!(sink.finish().await.unwrap(), offset + part.len() as u64);
    }
    assert_eq!(fs::read(ftpd.root().join("new/up")).unwrap(), big);
    let mtime =
        Mtime { at: "2021-03-04T05:06:07Z".parse().unwrap(), precision: Precision::Second, source: TimeSource::Mdtm };
    assert!(remote.capabilities().set_mtime, "{server:?}");
    remote.set_attributes(&path("new/up"), Some(mtime), Some(0o640)).await.unwrap();
    assert_eq!(remote.stat(&path("new/up")).await.unwrap().unwrap().mtime.unwrap().at, mtime.at);
    let taken = remote.rename(&path("new/up"), &path("nothing")).await;
    assert!(taken.is_err_and(|fault| fault.kind == FaultKind::Exists), "{server:?} replaces what is there");
    // The look before may cost a data connection, for which proftpd wants fresh tickets: a remote never tries again.
    let mut renamed = remote.rename(&path("new/up"), &path("moved")).await;
    if renamed.as_ref().is_err_and(|fault| fault.retry == Retry::Now) {
        renamed = remote.rename(&path("new/up"), &path("moved")).await;
    }
    renamed.unwrap();
    assert_eq!(fs::metadata(ftpd.root().join("moved")).unwrap().len(), 3_000_000);
    remote.remove_file(&path("moved")).await.unwrap();
    remote.remove_dir(&path("new")).await.unwrap();
    assert!(!ftpd.root().join("new").exists());
    remote.close().await;
}

#[tokio::test]
async fn vsftpd_plain() {
    reads_and_writes(Ftpd::start_tls(Server::Vsftpd, Tls::None)).await;
}

#[tokio::test]
async fn proftpd_plain() {
    reads_and_writes(Ftpd::start_tls(Server::Proftpd, Tls::None)).await;
}

#[tokio::test]
async fn pure_ftpd_plain() {
    reads_and_writes(Ftpd::start_tls(Server::PureFtpd, Tls::None)).await;
}

#[tokio::test]
async fn tls_12_with_session_reuse() {
    for server in Server::ALL {
        reads_and_writes(Ftpd::start_tls(server, Tls::V12)).await;
    }
}

#[tokio::test]
async fn tls_13_with_session_reuse() {
    for server in Server::ALL {
        reads_and_writes(Ftpd::start_tls(server, Tls::V13)).await;
    }
}

#[tokio::test]
async fn tls_from_the_first_byte_with_session_reuse() {
    for server in [Server::Vsftpd, Server::Proftpd] {
        for tls in [Tls::V12, Tls::V13] {
            let ftpd = Ftpd::start_implicit(server, tls);
            assert!(ftpd.endpoint().url().starts_with("ftps://"), "{}", ftpd.url());
            reads_and_writes(ftpd).await;
        }
    }
}

#[tokio::test]
async fn servers_come_back() {
    for server in Server::ALL {
        let mut ftpd = Ftpd::start(server);
        let remote = open(&ftpd.endpoint(), &context()).await.unwrap();
        ftpd.start_again();
        // The rested session may have died with the server; a second try must work.
        let _ = remote.list(&RelPath::root()).await;
        let (found, _) = listing(&*remote, "").await;
        assert!(found.is_empty(), "{server:?}");
    }
}

#[tokio::test]
async fn awkward_names_are_bytes() {
    for server in Server::ALL {
        let ftpd = Ftpd::start(server);
        let names: [&[u8]; 12] = [
            b" leading",
            b"trailing ",
            b"a  b",
            b"br[1]",
            b"#1%41",
            b"-dash",
            "Größe".as_bytes(),
            "文件".as_bytes(),
            b"\xd6\xd0\xce\xc4",
            b"a -> b",
            b"'q\"uote",
            b"semi; colon",
        ];
        for name in names {
            fs::write(ftpd.root().join(std::ffi::OsStr::from_bytes(name)), name).unwrap();
        }
        for dir in [&b"br[2]"[..], b" sp ace", b"\xce\xc4"] {
            let dir = ftpd.root().join(std::ffi::OsStr::from_bytes(dir));
            fs::create_dir(&dir).unwrap();
            fs::write(dir.join("x"), b"inside").unwrap();
        }
        let remote = open(&ftpd.endpoint(), &context()).await.unwrap();
        let (found, completeness) = listing(&*remote, "").await;
        assert!(completeness.is_proven(), "{server:?}: {completeness:?}");
        for name in names {
            assert!(found.contains_key(name), "{server:?} does not list {:?}", String::from_utf8_lossy(name));
            assert_eq!(content(&*remote, &path(name), 0).await, name, "{server:?}");
            assert!(remote.stat(&path(name)).await.unwrap().is_some(), "{server:?}");
        }
        for dir in [&b"br[2]"[..], b" sp ace", b"\xce\xc4"] {
            let mut lister = remote.list(&path(dir)).await.unwrap();
            let batch = lister.next().await.unwrap().unwrap_or_else(|| panic!("{server:?}: {dir:?} is empty"));
            assert_eq!(batch.len(), 1);
        }
    }
}

#[tokio::test]
async fn an_unreadable_directory_is_never_proven_empty() {
    for server in Server::ALL {
        let ftpd = Ftpd::start(server);
        for (name, mode) in [("enter", 0o711), ("closed", 0o000)] {
            let dir = ftpd.root().join(name);
            fs::create_dir(&dir).unwrap();
            fs::write(dir.join("secret"), b"x").unwrap();
            fs::set_permissions(&dir, fs::Permissions::from_mode(mode)).unwrap();
        }
        let remote = open(&ftpd.endpoint(), &context()).await.unwrap();
        for name in ["enter", "closed"] {
            let Ok(mut lister) = remote.list(&path(name)).await else { continue };
            let mut failed = false;
            loop {
                match lister.next().await {
                    Ok(Some(_)) => {}
                    Ok(None) => break,
                    Err(_) => {
                        failed = true;
                        break;
                    }
                }
            }
            let proven = !failed && lister.finish().await.is_ok_and(|c| c.is_proven());
            assert!(!proven, "{server:?} {name}");
        }
    }
}

#[tokio::test]
async fn a_cut_listing_is_doubtful() {
    let ftpd = Ftpd::start(Server::PureFtpd);
    for n in 0..12_000 {
        fs::write(ftpd.root().join(format!("f{n}")), b"").unwrap();
    }
    let remote = open(&ftpd.endpoint(), &context()).await.unwrap();
    let (found, completeness) = listing(&*remote, "").await;
    assert!(found.len() < 12_000);
    let Completeness::Doubtful { doubts } = completeness else { panic!("believed") };
    assert!(
        doubts.iter().any(|d| matches!(d, Doubt::ClosingReply { text } if text.contains("truncated"))),
        "{doubts:?}"
    );
}

#[tokio::test]
async fn what_is_wrong_is_said_at_once() {
    let ftpd = Ftpd::start_tls(Server::Proftpd, Tls::V13);
    let fault = |endpoint: Endpoint| async move { open(&endpoint, &context()).await.err().expect("opened") };

    let mut endpoint = ftpd.endpoint();
    endpoint.password = Some(Secret::new("wrong-horse"));
    let told = fault(endpoint).await;
    assert_eq!(told.kind, FaultKind::Auth, "{told:?}");
    assert!(!format!("{told:?}").contains("wrong-horse"));

    let mut endpoint = ftpd.endpoint();
    endpoint.options.ca_file = None;
    let told = fault(endpoint.clone()).await;
    assert_eq!(told.kind, FaultKind::Tls, "{told:?}");
    let pin = told.message.split('"').nth(1).expect("a fingerprint to pin").to_owned();
    endpoint.options.pin = Some(pin);
    let remote = open(&endpoint, &context()).await.unwrap();
    assert!(listing(&*remote, "").await.1.is_proven());
    endpoint.options.pin = Some("00".repeat(32));
    assert!(fault(endpoint).await.message.contains("not the pinned one"));

    let mut endpoint = ftpd.endpoint();
    endpoint.root = b"no/such/folder".to_vec();
    assert_eq!(fault(endpoint).await.kind, FaultKind::Missing);

    let mut endpoint = ftpd.endpoint();
    endpoint.port = 1;
    assert_eq!(fault(endpoint).await.kind, FaultKind::Refused);
}

#[tokio::test]
async fn a_limit_is_learned_and_waited_for() {
    let ftpd = Ftpd::start_with(Server::Vsftpd, Tls::None, &["max_per_ip=3"]);
    for n in 0..40 {
        fs::write(ftpd.root().join(format!("{n}")), bytes(20_000, n)).unwrap();
    }
    let remote = open(&ftpd.endpoint(), &context()).await.unwrap();
    let reads = (0..40).map(|n| {
        let remote = Arc::clone(&remote);
        async move { assert_eq!(content(&*remote, &path(format!("{n}")), 0).await, bytes(20_000, n)) }
    });
    futures_util::future::join_all(reads).await;
    assert!(remote.capabilities().parallel <= 3, "{}", remote.capabilities().parallel);
}

/// A login, a download over a connection of its own, a goodbye: what was seen of each.
#[tokio::test(flavor = "multi_thread")]
async fn what_happens_is_recorded() {
    const SIZE: usize = 300_000;
    let server = Ftpd::start_tls(Server::Vsftpd, Tls::V13);
    fs::write(server.root().join("f"), vec![7; SIZE]).unwrap();
    server.own();
    let (recorder, mut seen) = Recorder::channel(10);
    let context = Context { recorder, ..context() };
    let remote = open(&server.endpoint(), &context).await.unwrap();
    assert_eq!(content(&*remote, &path("f"), 0).await.len(), SIZE);
    remote.close().await;
    let (transfer, connection) = (seen.recv().await.unwrap(), seen.recv().await.unwrap());
    assert!(matches!(transfer.what, What::Transfer { end: End::Clean, .. }), "{transfer:?}");
    assert!(matches!(connection.what, What::Connection { end: End::Clean, .. }), "{connection:?}");
    for one in [&transfer, &connection] {
        let tcp = one.detail.tcp.unwrap();
        assert!(
            one.detail.encrypted == Some(true) && tcp.min_rtt > Duration::ZERO && tcp.rtt >= tcp.min_rtt,
            "{one:?}"
        );
    }
    assert!(transfer.detail.file.is_some() && transfer.detail.tcp.unwrap().received >= SIZE as u64, "{transfer:?}");
    // The bytes of the file went over another connection, and are the control connection's all the same.
    let detail = connection.detail;
    assert!(detail.tcp.unwrap().received < SIZE as u64, "{detail:?}");
    assert!(detail.payload == Some(SIZE as u64) && detail.wire > detail.payload, "{detail:?}");
    assert!(detail.round_trips >= Some(5) && detail.idle.is_some(), "{detail:?}");
}
