//! The mirror over real trees: from a local folder, and from FTP servers that nobody here wrote.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use causeway::audit::Actor;
use causeway::db::Db;
use causeway::manners::Manners;
use causeway::mirror::{Deletions, Extent, MirrorRun, Policy, Progress, Summary, run};
use causeway::model::{Endpoint, FaultKind, JobId, RunId, SystemClock};
use causeway::reliability::Recorder;
use causeway::remote::{self, Context, Remote};
use causeway::task::Tasks;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::support::ftpd::{Ftpd, Server};
use crate::support::scripted::{Act, Script, Scripted, data, pause, say};

mod changing;
mod charset;
mod clock;
mod cut;
mod faults;
mod filters;
pub mod huge;
mod lies;
pub mod links;
pub mod million;
mod names_only;
mod proof;
mod pyftpdlib;
mod uploads;

pub struct Lab {
    folder: TempDir,
    db: Db,
    pub context: Context,
}

impl Lab {
    pub async fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("causeway-mirror-").tempdir().unwrap();
        let db = Db::open(&folder.path().join("causeway.db")).await.unwrap();
        fs::create_dir(folder.path().join("target")).unwrap();
        let tasks = Tasks::new();
        let manners = Manners::new(db.clone(), &tasks);
        let context = Context { recorder: Recorder::discard(), manners, clock: Arc::new(SystemClock), tasks };
        Self { folder, db, context }
    }

    pub fn target(&self) -> PathBuf {
        self.folder.path().join("target")
    }

    async fn open(&self, endpoint: &Endpoint) -> Arc<dyn Remote> {
        remote::open(endpoint, &self.context).await.unwrap()
    }

    async fn mirror(&self, source: &Endpoint, number: i64, policy: Policy) -> Summary {
        self.mirror_from(self.open(source).await, number, policy).await
    }

    /// From a source that is open already.
    pub async fn mirror_from(&self, source: Arc<dyn Remote>, number: i64, policy: Policy) -> Summary {
        let target = self.open(&Endpoint::local(self.target().as_os_str().as_encoded_bytes())).await;
        let order = MirrorRun {
            db: self.db.clone(),
            clock: self.context.clock.clone(),
            recorder: self.context.recorder.clone(),
            job: JobId(1),
            run: RunId(number),
            source: Arc::clone(&source),
            target,
            extent: Extent::Whole,
            server: "source".to_owned(),
            zone: None,
            place: "target".to_owned(),
            policy,
            actor: Actor::Job(JobId(1)),
        };
        let work = run(order, Arc::new(Progress::new()), CancellationToken::new());
        let summary = tokio::time::timeout(Duration::from_secs(300), work).await.expect("the run ends in time");
        source.close().await;
        summary.unwrap()
    }
}

/// `dirs` folders of `each` small files of varied size, old enough to be settled, and one big file.
fn make_tree(root: &Path, dirs: usize, each: usize) {
    let old = SystemTime::now() - Duration::from_secs(86_400 * 30);
    for dir in 0..dirs {
        let folder = root.join(format!("dir {dir:03}"));
        fs::create_dir_all(&folder).unwrap();
        for file in 0..each {
            let at = folder.join(format!("file-{file:04}.dat"));
            let length = (dir * 131 + file * 37) % 7000;
            fs::write(&at, vec![u8::try_from((dir + file) % 251).unwrap(); length]).unwrap();
            fs::File::options()
                .write(true)
                .open(&at)
                .unwrap()
                .set_modified(old + Duration::from_secs(file as u64))
                .unwrap();
        }
        fs::File::open(&folder).unwrap().set_modified(old).unwrap();
    }
    fs::write(root.join("big.bin"), (0..20_000_000_u32).map(|n| (n % 253) as u8).collect::<Vec<_>>()).unwrap();
    fs::File::options().write(true).open(root.join("big.bin")).unwrap().set_modified(old).unwrap();
}

/// Compares two trees byte for byte and second for second; returns how many files there are.
pub fn assert_equal(source: &Path, target: &Path) -> usize {
    let mut files = 0;
    let mut names: Vec<_> = fs::read_dir(source).unwrap().map(|e| e.unwrap().file_name()).collect();
    let mut there: Vec<_> = fs::read_dir(target).unwrap().map(|e| e.unwrap().file_name()).collect();
    names.sort();
    there.retain(|name| !name.to_string_lossy().starts_with(".causeway-trash"));
    there.sort();
    assert_eq!(names, there, "in {}", source.display());
    for name in names {
        let (a, b) = (source.join(&name), target.join(&name));
        let (meta_a, meta_b) = (fs::symlink_metadata(&a).unwrap(), fs::symlink_metadata(&b).unwrap());
        let second = |m: &fs::Metadata| m.modified().unwrap().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
        // A server without MLSD tells the time of a directory in its listing only, to the minute.
        let allowed = if meta_a.is_dir() { 60 } else { 0 };
        assert!(second(&meta_a).abs_diff(second(&meta_b)) <= allowed, "time of {}", a.display());
        if meta_a.is_dir() {
            files += assert_equal(&a, &b);
        } else {
            assert!(fs::read(&a).unwrap() == fs::read(&b).unwrap(), "content of {}", a.display());
            files += 1;
        }
    }
    files
}

async fn twice(lab: &Lab, source: &Endpoint, root: &Path, files: u64) {
    let start = Instant::now();
    let first = lab.mirror(source, 1, Policy::default()).await;
    let took = start.elapsed();
    assert!(first.complete && first.verified, "{first:?}");
    assert_eq!(first.counts.files_published, files);
    assert_eq!(assert_equal(root, &lab.target()) as u64, files);
    let start = Instant::now();
    let second = lab.mirror(source, 2, Policy::default()).await;
    let again = start.elapsed();
    assert!(second.complete && second.verified, "{second:?}");
    assert_eq!((second.counts.files_published, second.counts.files_unchanged), (0, files), "{second:?}");
    println!(
        "{files} files: first {took:.2?} ({:.0} files/s), second {again:.2?}: {:.1} times faster",
        files as f64 / took.as_secs_f64(),
        took.as_secs_f64() / again.as_secs_f64()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_local_tree_arrives_whole_and_a_second_run_moves_nothing() {
    let lab = Lab::new().await;
    let source = lab.folder.path().join("source");
    fs::create_dir(&source).unwrap();
    make_tree(&source, 40, 50);
    twice(&lab, &Endpoint::local(source.as_os_str().as_encoded_bytes()), &source, 2001).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_files_come_from_vsftpd_byte_for_byte() {
    let lab = Lab::new().await;
    let ftpd = Ftpd::start(Server::Vsftpd);
    make_tree(&ftpd.root(), 200, 50);
    ftpd.own();
    twice(&lab, &ftpd.endpoint(), &ftpd.root(), 10_001).await;
}

fn deleting() -> Policy {
    Policy { delete: Deletions { enabled: true, max_percent: 100, max_files: 1_000_000 }, ..Policy::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listing_cut_at_ten_thousand_deletes_nothing() {
    let lab = Lab::new().await;
    let ftpd = Ftpd::start(Server::PureFtpd);
    let old = SystemTime::now() - Duration::from_secs(86_400);
    for dir in ["whole", "cut"] {
        fs::create_dir(ftpd.root().join(dir)).unwrap();
    }
    fs::write(ftpd.root().join("whole/a"), "a").unwrap();
    // The target has all 12,000: they came when the server still told them.
    fs::create_dir(lab.folder.path().join("before")).unwrap();
    fs::create_dir(lab.folder.path().join("before/cut")).unwrap();
    for n in 0..12_000 {
        for at in [ftpd.root(), lab.folder.path().join("before")] {
            let file = fs::File::create(at.join(format!("cut/{n:05}"))).unwrap();
            file.set_modified(old).unwrap();
        }
    }
    ftpd.own();
    let before = Endpoint::local(lab.folder.path().join("before").as_os_str().as_encoded_bytes());
    assert!(lab.mirror(&before, 1, Policy::default()).await.complete);
    for number in 2..5 {
        let summary = lab.mirror(&ftpd.endpoint(), number, deleting()).await;
        assert!(!summary.complete, "{summary:?}");
        assert_eq!(summary.counts.files_trashed, 0, "{summary:?}");
        assert!(!summary.unsure.is_empty() && !summary.notes.is_empty(), "{summary:?}");
    }
    assert_eq!(fs::read_dir(lab.target().join("cut")).unwrap().count(), 12_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_may_not_be_read_deletes_nothing() {
    use std::os::unix::fs::PermissionsExt;
    for server in Server::ALL {
        for mode in [0o000, 0o311] {
            let lab = Lab::new().await;
            let ftpd = Ftpd::start(server);
            make_tree(&ftpd.root(), 3, 5);
            ftpd.own();
            let first = lab.mirror(&ftpd.endpoint(), 1, deleting()).await;
            assert!(first.complete, "{server:?}: {first:?}");
            let closed = ftpd.root().join("dir 001");
            fs::set_permissions(&closed, fs::Permissions::from_mode(mode)).unwrap();
            for number in 2..5 {
                let summary = lab.mirror(&ftpd.endpoint(), number, deleting()).await;
                assert!(!summary.complete, "{server:?} {mode:o}: {summary:?}");
                assert_eq!(summary.counts.files_trashed, 0, "{server:?} {mode:o}: {summary:?}");
            }
            assert_eq!(fs::read_dir(lab.target().join("dir 001")).unwrap().count(), 5, "{server:?} {mode:o}");
            fs::set_permissions(&closed, fs::Permissions::from_mode(0o755)).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ftp_keeps_the_contract_of_a_remote() {
    for server in Server::ALL {
        let lab = Lab::new().await;
        let ftpd = Ftpd::start(server);
        ftpd.own();
        let remote = lab.open(&ftpd.endpoint()).await;
        if let Err(broken) = remote::contract::check(&remote, true).await {
            panic!("{server:?}: {broken}");
        }
        remote.close().await;
    }
}

#[tokio::test]
async fn a_server_that_tells_only_names_is_mirrored() {
    let no = || [say("500 not understood\r\n")];
    let server = Script::new()
        .file("/a", "content of a")
        .file("/d/x", "content of x")
        .on("FEAT", no())
        .on("MLSD", no())
        .on("MLST", no())
        .on("LIST", no())
        .start()
        .await;
    let lab = Lab::new().await;
    let summary = lab.mirror(&server.endpoint(), 1, Policy::default()).await;
    assert_eq!(fs::read(lab.target().join("a")).unwrap(), b"content of a", "{summary:?}");
    assert_eq!(fs::read(lab.target().join("d/x")).unwrap(), b"content of x", "{summary:?}");
    assert!(summary.complete && summary.notes.iter().any(|note| note.contains("cannot prove")), "{summary:?}");
}

/// Every file is looked at before and after; where only the listing of the folder tells, files that are copied side
/// by side share their listings.
#[tokio::test]
async fn looks_that_need_a_listing_share_it() {
    const FILES: usize = 60;
    let mut script = Script::new().on("FEAT", [say("211-Features\r\n REST STREAM\r\n211 End\r\n")]);
    for verb in ["SIZE", "MDTM", "MLST", "MLSD"] {
        script = script.on(verb, [say("502 no\r\n")]);
    }
    for n in 0..FILES {
        script = script.file(format!("/d/{n:02}"), format!("content of {n}"));
    }
    let (server, lab) = (script.start().await, Lab::new().await);
    let summary = lab.mirror(&server.endpoint(), 1, Policy::default()).await;
    assert!(summary.complete, "{summary:?}");
    assert_eq!(fs::read(lab.target().join("d/07")).unwrap(), b"content of 7");
    let listed = server.count("LIST");
    assert!(listed <= FILES, "{listed} listings for two looks at each of {FILES} files");
}
