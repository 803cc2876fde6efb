//! The mirror with WebDAV at one end.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use causeway::mirror::{Deletions, Policy};
use causeway::model::Endpoint;

use super::door_endpoint;
use crate::sftp::door::noise;
use crate::sftp_remote::mirror::{LARGEST, Lab, age, parts, trash_of};
use crate::support::apache::{self, Apache, Door};
use crate::support::causeway::{command, run as run_program};
use crate::support::footprint;
use crate::support::ftpd::{self, Ftpd, Server};
use crate::support::https::Https;
use crate::support::rclone::Rclone;
use crate::support::scripted_http::{Act, ScriptedHttp};
use crate::web::site::{Curl, Site};

/// A server that is mirrored to.
struct Target<'a> {
    endpoint: Endpoint,
    root: &'a Path,
    /// It keeps the times of files.
    times: bool,
    /// Gives what tests put there to the server.
    own: &'a dyn Fn(),
}

/// A few hundred files in a few folders, one of some megabytes, one with a name that is no UTF-8 where that is wanted.
fn fill(root: &Path, raw: bool) -> u64 {
    use std::os::unix::ffi::OsStrExt as _;
    for folder in ["a", "a/b & more", "c d"] {
        fs::create_dir(root.join(folder)).unwrap();
        for n in 0..60 {
            let file = root.join(folder).join(format!("file {n}"));
            fs::write(&file, noise(n * 173)).unwrap();
            age(&file, 30 + n as u64);
        }
    }
    let odd = if raw { std::ffi::OsStr::from_bytes(b"\xd6\xd0\xce\xc4.txt") } else { "文件 #1%20?.txt".as_ref() };
    fs::write(root.join(odd), "name").unwrap();
    age(&root.join(odd), 20);
    fs::write(root.join("big"), noise(LARGEST as usize)).unwrap();
    age(&root.join("big"), 10);
    182
}

fn equal(from: &Path, to: &Path, times: bool) -> u64 {
    let names = |folder: &Path| {
        let all = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
        // Where somebody has set a property, mod_dav keeps a folder of its own.
        let ours = |name: &std::ffi::OsString| name.to_string_lossy().starts_with(".causeway") || name == ".DAV";
        let mut all: Vec<_> = all.filter(|name| !ours(name)).collect();
        all.sort();
        all
    };
    let mut files = 0;
    assert_eq!(names(from), names(to), "in {}", from.display());
    for name in names(from) {
        let (a, b) = (from.join(&name), to.join(&name));
        if a.is_dir() {
            files += equal(&a, &b, times);
            continue;
        }
        assert!(fs::read(&a).unwrap() == fs::read(&b).unwrap(), "content of {}", a.display());
        let second = |path: &Path| {
            let at = fs::metadata(path).unwrap().modified().unwrap();
            at.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs()
        };
        assert!(!times || second(&a) == second(&b), "time of {}", a.display());
        files += 1;
    }
    files
}

/// First all, then nothing, then what changed.
async fn three_runs(ftpd: &Ftpd, target: &Target<'_>, raw: bool) {
    let mut lab = Lab::new().await;
    let (source, from, to) = (ftpd.endpoint(), ftpd.root(), target.root);
    let files = fill(&from, raw);
    ftpd.own();
    let begin = Instant::now();
    let state = lab.state();
    let work = Box::pin(lab.mirror(&source, &target.endpoint, Policy::default()));
    let (first, held) = footprint::watch(&state, &[&from, to], work).await;
    assert!(first.complete && first.verified, "{first:?}");
    assert!(held < LARGEST / 2, "it goes through, and never lies here: {held} bytes of a file of {LARGEST}");
    assert_eq!(first.counts.files_published, files);
    assert_eq!(equal(&from, to, target.times), files);
    println!("{files} files in {:?}", begin.elapsed());
    let second = lab.mirror(&source, &target.endpoint, Policy::default()).await;
    assert!(second.complete && second.verified, "{second:?}");
    assert_eq!((second.counts.files_published, second.counts.files_unchanged), (0, files), "{second:?}");
    // Ours is replaced, somebody else's is kept in the trash.
    let changes = [("a/file 7", "newer"), ("a/b & more/file 9", "newer too"), ("new", "nobody's")];
    for (name, text) in changes {
        fs::write(from.join(name), text).unwrap();
        age(&from.join(name), 5);
    }
    for (name, text) in [("a/b & more/file 9", "changed in the target"), ("new", "was here before")] {
        fs::write(to.join(name), text).unwrap();
        age(&to.join(name), 3);
    }
    ftpd.own();
    (target.own)();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let third = lab.mirror(&source, &target.endpoint, Policy::default()).await;
    assert!(third.complete && third.verified, "{third:?}");
    assert_eq!(third.counts.files_published, 3, "{third:?}");
    for (name, text) in changes {
        assert_eq!(fs::read_to_string(to.join(name)).unwrap(), text);
    }
    let trash = trash_of(to);
    let kept: Vec<_> = trash.values().map(|bytes| String::from_utf8_lossy(bytes).into_owned()).collect();
    assert_eq!(kept, ["changed in the target", "was here before"], "{:?}", trash.keys());
    assert!(parts(to).is_empty(), "{:?}", parts(to));
}

#[tokio::test(flavor = "multi_thread")]
async fn vsftpd_goes_to_apache() {
    let (ftpd, apache) = (Ftpd::start(Server::Vsftpd), Apache::start(Door::Basic));
    let root = apache.root();
    let target = Target { endpoint: apache.endpoint(), root: &root, times: false, own: &|| apache.own() };
    three_runs(&ftpd, &target, true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn vsftpd_goes_to_apache_over_http2() {
    let (ftpd, apache) = (Ftpd::start(Server::Vsftpd), Apache::start(Door::Tls));
    let root = apache.root();
    let target = Target { endpoint: apache.endpoint(), root: &root, times: false, own: &|| apache.own() };
    three_runs(&ftpd, &target, true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn vsftpd_goes_to_our_own_door() {
    let (ftpd, door) = (Ftpd::start(Server::Vsftpd), Https::start().await);
    let target = Target { endpoint: door_endpoint(&door), root: &door.root, times: true, own: &|| {} };
    three_runs(&ftpd, &target, true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn vsftpd_goes_to_rclone() {
    let (ftpd, rclone) = (Ftpd::start(Server::Vsftpd), Rclone::start());
    let root = rclone.root();
    let target = Target { endpoint: rclone.endpoint(), root: &root, times: true, own: &|| {} };
    three_runs(&ftpd, &target, false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn apache_is_a_source_and_a_missing_target_is_made() {
    let (from, to) = (Apache::start(Door::Digest), Apache::start(Door::Basic));
    let files = fill(&from.root(), true);
    from.own();
    let mut target = to.endpoint();
    target.root.extend_from_slice(b"/made/for this");
    let mut lab = Lab::new().await;
    for published in [files, 0] {
        let summary = lab.mirror(&from.endpoint(), &target, Policy::default()).await;
        assert!(summary.complete && summary.verified, "{summary:?}");
        assert_eq!(summary.counts.files_published, published, "{summary:?}");
    }
    assert_eq!(equal(&from.root(), &to.root().join("made/for this"), false), files);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_gone_moves_into_the_trash_of_the_server() {
    let apache = Apache::start(Door::Basic);
    let mut lab = Lab::new().await;
    let from = lab.local("source");
    for name in ["stays", "goes"] {
        fs::write(from.join(name), name).unwrap();
        age(&from.join(name), 3);
    }
    let source = Endpoint::local(from.as_os_str().as_encoded_bytes());
    let deleting = || Policy {
        delete: Deletions { enabled: true, max_percent: 100, ..Deletions::default() },
        ..Policy::default()
    };
    assert!(lab.mirror(&source, &apache.endpoint(), deleting()).await.complete);
    fs::remove_file(from.join("goes")).unwrap();
    let mut trashed = 0;
    for _ in 0..3 {
        trashed += lab.mirror(&source, &apache.endpoint(), deleting()).await.counts.files_trashed;
    }
    assert_eq!(trashed, 1);
    assert!(apache.root().join("stays").exists() && !apache.root().join("goes").exists());
    assert_eq!(trash_of(&apache.root()).into_values().collect::<Vec<_>>(), [b"goes"]);
}

/// Uploads that break off begin again, and nobody ever sees a part of a file.
#[tokio::test(flavor = "multi_thread")]
async fn broken_uploads_cost_another_try() {
    let server = ScriptedHttp::start().await;
    let mut lab = Lab::new().await;
    let from = lab.local("source");
    fs::write(from.join("big"), noise(6_000_000)).unwrap();
    age(&from.join("big"), 3);
    for after in [500_000, 3_000_000] {
        server.once("PUT /d/.causeway-part", Act::Drop(after));
    }
    let source = Endpoint::local(from.as_os_str().as_encoded_bytes());
    let summary = lab.mirror(&source, &server.endpoint(), Policy::default()).await;
    assert!(summary.complete && summary.verified, "{summary:?}");
    assert_eq!(server.content("big").unwrap(), noise(6_000_000));
    assert_eq!(server.count("PUT /d/.causeway-part"), 3);
    assert_eq!(server.count("PUT /d/big"), 0);
}

/// A source that breaks in the middle of a file: the upload is broken off as well, and what arrived is no file.
#[tokio::test(flavor = "multi_thread")]
async fn a_broken_source_ends_no_upload() {
    let (from, apache) = (ScriptedHttp::start().await, Apache::start(Door::Basic));
    let data = noise(4_000_000);
    from.put("big", &data);
    let cut = [
        format!("HTTP/1.1 200 OK\r\nETag: \"v1\"\r\nContent-Length: {}\r\n\r\n", data.len()).as_bytes(),
        &data[..2_000_000],
    ]
    .concat();
    from.once("GET", Act::SayAndClose(cut));
    let mut lab = Lab::new().await;
    let summary = lab.mirror(&from.endpoint(), &apache.endpoint(), Policy::default()).await;
    assert!(summary.complete && summary.verified, "{summary:?}");
    assert_eq!(fs::read(apache.root().join("big")).unwrap(), data);
    let puts = apache.asked().lines().filter(|line| line.contains("PUT /files/.causeway-part")).count();
    assert_eq!(puts, 2, "{}", apache.asked());
}

#[test]
fn the_program_copies_to_a_webdav_server() {
    let (ftpd, apache, folder) = (Ftpd::start(Server::Vsftpd), Apache::start(Door::Tls), tempfile::tempdir().unwrap());
    fs::write(ftpd.root().join("a"), "hello").unwrap();
    age(&ftpd.root().join("a"), 3);
    ftpd.own();
    let certificate = apache.certificate_file();
    let mirror = |more: &[&str]| {
        let mut command = command(folder.path());
        command
            .args(["mirror", &ftpd.url(), &apache.url(), "--state", "state", "--patience", "1s", "--json"])
            .args(more);
        command.env("CAUSEWAY_SOURCE_PASSWORD", ftpd::PASSWORD).env("CAUSEWAY_TARGET_PASSWORD", apache::PASSWORD);
        run_program(&mut command)
    };
    let (code, stdout, stderr) = mirror(&[]);
    assert!(code == 1 && format!("{stdout}{stderr}").contains("pin"), "{stdout}{stderr}");
    for published in [1, 0] {
        let (code, stdout, stderr) = mirror(&["--target-ca-file", certificate.to_str().unwrap()]);
        assert_eq!(code, 0, "{stdout}{stderr}");
        let json: serde_json::Value = serde_json::from_str(stdout.lines().last().unwrap()).unwrap();
        assert_eq!(json["summary"]["counts"]["files_published"], published, "{stdout}");
    }
    assert_eq!(fs::read_to_string(apache.root().join("a")).unwrap(), "hello");
    let mut ls = command(folder.path());
    ls.args(["ls", &apache.url(), "--json", "--ca-file", certificate.to_str().unwrap()]);
    ls.env("CAUSEWAY_SOURCE_PASSWORD", apache::PASSWORD);
    let (code, stdout, stderr) = run_program(&mut ls);
    assert!(code == 0 && stdout.contains("\"name\":\"a\""), "{stdout}{stderr}");
}

#[test]
fn a_job_of_the_dashboard_writes_to_a_webdav_server() {
    let (site, apache) = (Site::start(), Apache::start(Door::Basic));
    let curl = Curl::signed_in(&site, "admin");
    let (source, target) = (site.source(), apache.url());
    let fields = [
        ("name", "to the new server"),
        ("source", source.to_str().unwrap()),
        ("target", target.as_str()),
        ("target_password", apache::PASSWORD),
        ("schedule", "now"),
    ];
    let answer = curl.post("/jobs/new", "/jobs", &fields);
    assert_eq!(answer.status, 303, "{}", answer.body);
    let end = Instant::now() + Duration::from_secs(60);
    while fs::read_dir(apache.root().join("sub folder")).map_or(0, Iterator::count) < 40 {
        assert!(Instant::now() < end, "{}", curl.get("/jobs/1").body);
        std::thread::sleep(Duration::from_millis(100));
    }
    let form = curl.get("/jobs/1/edit").body;
    assert!(form.contains("WebDAV") && !form.contains(apache::PASSWORD), "{form}");
    let itself = [("name", "x"), ("source", target.as_str()), ("target", target.as_str())];
    assert!(curl.post("/jobs/new", "/jobs", &itself).body.contains("aria-invalid"));
}
