//! The WebDAV door, with clients that nobody here wrote.

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use causeway::audit::{Actor, AuditLog, Filter};
use causeway::model::{Secret, SystemClock};

use crate::support::https::{Https, PASSWORD, head};
use crate::support::skip::not_run;
use crate::support::totp;

#[tokio::test(flavor = "multi_thread")]
async fn litmus_passes_in_all_suites() {
    let door = Https::start().await;
    // Over TLS, litmus itself leaves one test of `http` out; through a tunnel it runs that as well.
    litmus(&door.url("/dav/"), &[("basic", 16), ("copymove", 13), ("props", 30), ("locks", 41), ("http", 3)]);
    let tunnel = tunnel(&door).await;
    litmus(&format!("http://localhost:{tunnel}/dav/"), &[("http", 4)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_not_enough_where_a_second_factor_is_required() {
    let door = Https::start().await;
    let shared = door.accounts.begin_second_factor("anna").await.unwrap();
    assert_eq!(door.status(&[], "/files/"), 200, "it does not hold yet");
    let code = Secret::new(totp::code_after(shared.base32.expose(), 0));
    door.accounts.confirm_second_factor(&Actor::System, "anna", &code).await.unwrap();
    for path in ["/dav/", "/files/"] {
        let (head, body) = door.exchange(&[], path);
        assert!(head.starts_with("http/2 403") && !head.contains("www-authenticate"), "{head}");
        let said = String::from_utf8(body).unwrap();
        assert!(said.contains("requires more than a name and a password"), "{said}");
    }
    let wrong = door.status(&["-u", "anna:wrong"], "/dav/");
    assert_eq!((wrong, door.status_as("reader", &[], "/files/")), (401, 200));
    let log = AuditLog::new(door.db.clone(), Arc::new(SystemClock));
    let failed = Filter { action: Some("login-failed".to_owned()), ..Filter::default() };
    let reasons: Vec<_> = log.page(&failed).await.unwrap().into_iter().map(|record| record.entry).collect();
    assert!(
        reasons[0].contains("\"reason\":\"wrong\"") && reasons[1].contains("\"reason\":\"incomplete\""),
        "{reasons:?}"
    );
}

fn litmus(url: &str, suites: &[(&str, u32)]) {
    let work = tempfile::tempdir().unwrap();
    let names: Vec<&str> = suites.iter().map(|(name, _)| *name).collect();
    let output = Command::new("timeout")
        .args(["120", "litmus", "-k", url, "anna", PASSWORD])
        .current_dir(work.path())
        .env("TESTS", names.join(" "))
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    println!("{text}{}", String::from_utf8_lossy(&output.stderr));
    for (suite, tests) in suites {
        let summary = format!("summary for `{suite}': of {tests} tests run: {tests} passed, 0 failed. 100.0%");
        assert!(text.contains(&summary), "no line: {summary}");
    }
    assert!(output.status.success());
}

/// A port that speaks HTTP in the clear for the TLS listener behind it.
async fn tunnel(door: &Https) -> u16 {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let connector = connector(door.data());
    let target = door.port;
    tokio::spawn(async move {
        while let Ok((mut plain, _)) = listener.accept().await {
            let connector = connector.clone();
            tokio::spawn(async move {
                let socket = tokio::net::TcpStream::connect(("127.0.0.1", target)).await.unwrap();
                let mut tls = connector.connect("localhost".try_into().unwrap(), socket).await.unwrap();
                let _ended = tokio::io::copy_bidirectional(&mut plain, &mut tls).await;
            });
        }
    });
    port
}

/// Sends raw bytes over TLS and then just goes away: curl cannot break off at a given byte.
async fn cut_put(door: &Https, path: &str, announced: usize, sent: usize) {
    use tokio::io::AsyncWriteExt as _;
    let mut stream = tls(door).await;
    let what = if announced > 0 {
        format!("Content-Length: {announced}\r\n\r\n")
    } else {
        format!("Transfer-Encoding: chunked\r\n\r\n{sent:x}\r\n")
    };
    let head = head("PUT", path) + &what;
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&vec![b'n'; sent]).await.unwrap();
    stream.flush().await.unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
}

pub async fn tls(door: &Https) -> tokio_rustls::client::TlsStream<tokio::net::TcpStream> {
    let socket = tokio::net::TcpStream::connect(("127.0.0.1", door.port)).await.unwrap();
    tls_over(socket, door.data()).await
}

/// TLS with a listener that keeps its certificate in `data`.
pub async fn tls_over(
    socket: tokio::net::TcpStream,
    data: &std::path::Path,
) -> tokio_rustls::client::TlsStream<tokio::net::TcpStream> {
    connector(data).connect("localhost".try_into().unwrap(), socket).await.unwrap()
}

fn connector(data: &std::path::Path) -> tokio_rustls::TlsConnector {
    use rustls_pki_types::pem::PemObject as _;
    let mut roots = rustls::RootCertStore::empty();
    let pem = std::fs::read(data.join("tls/certificate.pem")).unwrap();
    roots.add(rustls_pki_types::CertificateDer::from_pem_slice(&pem).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    tokio_rustls::TlsConnector::from(Arc::new(config))
}

pub fn leftovers(door: &Https) -> Vec<String> {
    let names = std::fs::read_dir(&door.root).unwrap().map(|e| e.unwrap().file_name().to_string_lossy().into_owned());
    names.filter(|name| name.starts_with(".causeway-")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_put_that_is_cut_leaves_what_was_there() {
    let door = Https::start().await;
    std::fs::write(door.root.join("old"), "the old content").unwrap();
    for mount in ["/dav", "/files"] {
        cut_put(&door, &format!("{mount}/old"), 1_000_000, 300_000).await;
        cut_put(&door, &format!("{mount}/old"), 0, 300_000).await;
        cut_put(&door, &format!("{mount}/new"), 1_000_000, 300_000).await;
    }
    for _ in 0..100 {
        if leftovers(&door).is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(std::fs::read_to_string(door.root.join("old")).unwrap(), "the old content");
    assert!(!door.root.join("new").exists());
    assert_eq!(leftovers(&door), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_see_whole_files_while_others_overwrite_and_move() {
    let door = Https::start().await;
    let (a, b) = (vec![b'a'; 400_000], vec![b'b'; 300_000]);
    std::fs::write(door.root.join("f"), &a).unwrap();
    let inputs = tempfile::tempdir().unwrap();
    std::fs::write(inputs.path().join("a"), &a).unwrap();
    std::fs::write(inputs.path().join("b"), &b).unwrap();
    let writers = std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for round in 0..15 {
                let from = inputs.path().join(if round % 2 == 0 { "b" } else { "a" });
                let from = from.to_str().unwrap();
                assert!(matches!(door.status(&["-T", from], "/dav/f"), 201 | 204));
                assert!(matches!(door.status(&["-T", from], "/dav/other"), 201 | 204));
                let to = format!("Destination: {}", door.url("/dav/f"));
                assert_eq!(door.status(&["-X", "MOVE", "-H", &to], "/dav/other"), 204);
            }
        });
        let mut read = 0;
        while !writer.is_finished() {
            let body = door.curl(&["-f"], "/dav/f").stdout;
            assert!(body == a || body == b, "torn: {} bytes", body.len());
            read += 1;
        }
        writer.join().unwrap();
        read
    });
    println!("{writers} whole reads while it was overwritten");
    assert!(writers > 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn links_never_lead_out() {
    let door = Https::start().await;
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("secret"), "secret").unwrap();
    std::os::unix::fs::symlink(outside.path(), door.root.join("dir")).unwrap();
    std::os::unix::fs::symlink(outside.path().join("secret"), door.root.join("link")).unwrap();
    std::fs::write(door.root.join("inside"), "inside").unwrap();
    std::os::unix::fs::symlink("inside", door.root.join("fine")).unwrap();
    for mount in ["/dav", "/files"] {
        for path in ["/link", "/dir/secret", "/dir/"] {
            let status = door.status(&[], &format!("{mount}{path}"));
            assert!(matches!(status, 403 | 404), "GET {mount}{path}: {status}");
        }
        let status = door.status(&["-X", "PUT", "-d", "x"], &format!("{mount}/dir/new"));
        assert!(matches!(status, 403 | 404 | 409), "PUT: {status}");
        let status = door.status(&["-X", "PUT", "-d", "x"], &format!("{mount}/link"));
        assert!(matches!(status, 403 | 404 | 409), "PUT through a link: {status}");
        assert_eq!(door.curl(&[], &format!("{mount}/fine")).stdout, b"inside");
        for path in ["/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/a%00b", "/a%2f..%2fb", "/.causeway-x"] {
            let status = door.status(&[], &format!("{mount}{path}"));
            assert!(matches!(status, 400 | 403 | 404), "{path}: {status}");
        }
    }
    for path in ["/dav/dir/", "/dav/dir/secret", "/dav/link"] {
        let status = door.status(&["-X", "PROPFIND", "-H", "Depth: 1"], path);
        assert!(matches!(status, 403 | 404), "PROPFIND {path}: {status}");
    }
    for method in ["MKCOL", "DELETE"] {
        let status = door.status(&["-X", method], "/dav/dir/secret");
        assert!(matches!(status, 403 | 404 | 409), "{method}: {status}");
    }
    let to = format!("Destination: {}", door.url("/dav/dir/stolen"));
    let status = door.status(&["-X", "MOVE", "-H", &to], "/dav/inside");
    assert!(matches!(status, 403 | 404 | 409), "MOVE: {status}");
    assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 1);
    assert_eq!(std::fs::read_to_string(outside.path().join("secret")).unwrap(), "secret");
    let listing = String::from_utf8(door.curl(&["-X", "PROPFIND", "-H", "Depth: 1"], "/dav/").stdout).unwrap();
    assert!(!listing.contains("link") && !listing.contains("/dir/") && listing.contains("/dav/fine"));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_deleted_by_moving_a_folder_into_itself() {
    let door = Https::start().await;
    std::fs::create_dir_all(door.root.join("a/b/c")).unwrap();
    std::fs::write(door.root.join("a/b/c/f"), "x").unwrap();
    for (method, from, to) in [
        ("MOVE", "/dav/a/b", "/dav/a"),
        ("MOVE", "/dav/a", "/dav/a/b/c/d"),
        ("COPY", "/dav/a/b", "/dav/a"),
        ("MOVE", "/dav/a", "/dav/"),
    ] {
        let to = format!("Destination: {}", door.url(to));
        assert_eq!(door.status(&["-X", method, "-H", &to], from), 403, "{method} {from} {to}");
    }
    assert_eq!(door.status(&["-X", "DELETE"], "/dav/"), 403);
    let elsewhere = "Destination: https://example.org/dav/x";
    assert_eq!(door.status(&["-X", "MOVE", "-H", elsewhere], "/dav/a"), 502);
    assert_eq!(std::fs::read_to_string(door.root.join("a/b/c/f")).unwrap(), "x");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_507_and_changes_nothing() {
    let door = Https::start().await;
    let small = door.root.join("small");
    std::fs::create_dir(&small).unwrap();
    let mount = Command::new("mount").args(["-t", "tmpfs", "-o", "size=2m", "none", small.to_str().unwrap()]).output();
    if !mount.is_ok_and(|output| output.status.success()) {
        not_run("a full disk under WebDAV", "no right to mount a small file system");
        return;
    }
    std::fs::write(small.join("f"), "old").unwrap();
    let local = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(local.path(), vec![1; 8 << 20]).unwrap();
    let from = local.path().to_str().unwrap();
    let statuses: Vec<u16> =
        ["/dav/small/f", "/files/small/f", "/dav/small/g"].map(|path| door.status(&["-T", from], path)).to_vec();
    let (old, names) = (std::fs::read(small.join("f")).unwrap(), std::fs::read_dir(&small).unwrap().count());
    assert!(Command::new("umount").arg(&small).status().unwrap().success());
    assert_eq!(statuses, [507, 507, 507]);
    assert_eq!((old.as_slice(), names), (&b"old"[..], 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_folder_is_listed_whole_and_at_once() {
    let door = Https::start().await;
    for number in 0..20_000 {
        std::fs::write(door.root.join(format!("file & {number}")), "").unwrap();
    }
    std::fs::create_dir_all(door.root.join("deep/er")).unwrap();
    std::fs::write(door.root.join("deep/er/f"), "").unwrap();
    let started = std::time::Instant::now();
    let answer = door.curl(&["-X", "PROPFIND", "-H", "Depth: 1"], "/dav/").stdout;
    println!("20,001 entries, {} bytes in {:?}", answer.len(), started.elapsed());
    let parsed = xmltree::Element::parse(answer.as_slice()).unwrap();
    assert_eq!(parsed.children.len(), 20_002);
    let answer =
        String::from_utf8(door.curl(&["-X", "PROPFIND", "-H", "Depth: infinity"], "/dav/deep").stdout).unwrap();
    assert!(answer.contains("<D:href>/dav/deep/er/f</D:href>"));
    assert_eq!(door.status(&["-X", "DELETE"], "/dav/deep"), 204);
    assert!(!door.root.join("deep").exists());
}

const LOCK: &str = "<D:lockinfo xmlns:D='DAV:'><D:lockscope><D:exclusive/></D:lockscope>\
    <D:locktype><D:write/></D:locktype><D:owner>me</D:owner></D:lockinfo>";

/// A PUT that waits in the middle of its body for `meanwhile`; returns its status.
async fn interrupted_put(door: &Https, path: &str, header: &str, meanwhile: impl FnOnce()) -> u16 {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut stream = tls(door).await;
    let header = if header.is_empty() { String::new() } else { format!("{header}\r\n") };
    let head = format!("{}{header}Connection: close\r\nContent-Length: 4\r\n\r\nsl", head("PUT", path));
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.flush().await.unwrap();
    // From here on the request has been looked at: its part lies beside the name.
    for _ in 0..500 {
        if !leftovers(door).is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    meanwhile();
    stream.write_all(b"ow").await.unwrap();
    let mut answer = Vec::new();
    let _with_or_without_goodbye = stream.read_to_end(&mut answer).await;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_else(|| panic!("no answer: {answer}"))
}

fn lock(door: &Https, time: &str, path: &str) -> String {
    let time = format!("Timeout: {time}");
    let (head, _) = door.exchange(&["-X", "LOCK", "-H", &time, "-d", LOCK], path);
    head.split("lock-token: <").nth(1).expect("a token").split('>').next().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_put_asks_for_must_hold_when_it_takes_the_name() {
    let door = Https::start().await;
    let text = |name: &str| std::fs::read_to_string(door.root.join(name)).ok();
    let tag = |path: &str| {
        let (head, _) = door.exchange(&["-I"], path);
        head.split("etag: ").nth(1).unwrap().split('\r').next().unwrap().to_owned()
    };
    for (mount, form) in [("/dav", "If-Match: TAG"), ("/files", "If-Match: TAG"), ("/dav", "If: ([TAG])")] {
        std::fs::write(door.root.join("f"), "old").unwrap();
        let path = format!("{mount}/f");
        let header = form.replace("TAG", &tag(&path));
        let other = || assert_eq!(door.status(&["-X", "PUT", "-d", "theirs"], &path), 204);
        assert_eq!(interrupted_put(&door, &path, &header, other).await, 412, "{header}");
        assert_eq!(text("f").as_deref(), Some("theirs"), "{header}");
        let header = form.replace("TAG", &tag(&path));
        assert_eq!(interrupted_put(&door, &path, &header, || {}).await, 204, "{header}");
        assert_eq!(text("f").as_deref(), Some("slow"), "{header}");
        for (number, header) in
            ["If-None-Match: *", "If-Unmodified-Since: Sun, 06 Nov 1994 08:49:37 GMT"].iter().enumerate()
        {
            let name = format!("new{number}");
            std::fs::write(door.root.join("made"), "made").unwrap();
            let made = || std::fs::rename(door.root.join("made"), door.root.join(&name)).unwrap();
            if number == 1 {
                let long_ago = std::time::UNIX_EPOCH + Duration::from_secs(700_000_000);
                std::fs::write(door.root.join(&name), "older").unwrap();
                let file = std::fs::File::options().write(true).open(door.root.join(&name)).unwrap();
                file.set_modified(long_ago).unwrap();
            }
            assert_eq!(interrupted_put(&door, &format!("{mount}/{name}"), header, made).await, 412, "{mount} {header}");
            assert_eq!(text(&name).as_deref(), Some("made"), "{mount} {header}");
            std::fs::remove_file(door.root.join(&name)).unwrap();
        }
    }
    let other = || assert_eq!(door.status(&["-X", "PUT", "-d", "theirs"], "/dav/f"), 204);
    assert_eq!(interrupted_put(&door, "/dav/f", "", other).await, 204, "who asks for nothing comes last");
    assert_eq!(text("f").as_deref(), Some("slow"));
    assert_eq!(leftovers(&door), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_that_is_taken_during_a_put_keeps_the_file() {
    let door = Https::start().await;
    std::fs::write(door.root.join("f"), "old").unwrap();
    let text = || std::fs::read_to_string(door.root.join("f")).unwrap();
    let mut token = String::new();
    let status = interrupted_put(&door, "/dav/f", "", || token = lock(&door, "Infinite", "/dav/f")).await;
    assert_eq!((status, text().as_str()), (423, "old"));
    assert_eq!(door.status(&["-X", "PUT", "-d", "y"], "/files/f"), 423, "it holds at the other door, too");
    let unlock = |token: &str| {
        let header = format!("Lock-Token: <{token}>");
        assert_eq!(door.status(&["-X", "UNLOCK", "-H", &header], "/dav/f"), 204);
    };
    let with = format!("If: (<{token}>)");
    assert_eq!(interrupted_put(&door, "/dav/f", &with, || {}).await, 204, "the one who holds the lock may");
    assert_eq!(text(), "slow");
    std::fs::write(door.root.join("f"), "old").unwrap();
    let lost = || {
        unlock(&token);
        lock(&door, "Infinite", "/dav/f");
    };
    assert_eq!(interrupted_put(&door, "/dav/f", &with, lost).await, 412, "its lock has ended");
    assert_eq!(text(), "old");
    let during = || drop(lock(&door, "Infinite", "/dav/new"));
    assert_eq!(interrupted_put(&door, "/files/new", "", during).await, 423);
    assert_eq!(std::fs::read_to_string(door.root.join("new")).unwrap(), "", "the empty file of the lock");
}

#[tokio::test(flavor = "multi_thread")]
async fn locks_end_in_time_and_outlive_a_restart() {
    let door = Https::start().await;
    std::fs::write(door.root.join("short"), "x").unwrap();
    std::fs::write(door.root.join("long"), "x").unwrap();
    let _token = lock(&door, "Second-2", "/dav/short");
    let token = lock(&door, "Infinite", "/dav/long");
    assert_eq!(door.status(&["-X", "PUT", "-d", "y"], "/dav/short"), 423);
    // The files are the same for an account with another home.
    let door = door.restart().await;
    assert_eq!(door.status(&["-X", "PUT", "-d", "y"], "/dav/long"), 423);
    assert_eq!(door.status(&["-X", "DELETE"], "/dav/long"), 423);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(door.status(&["-X", "PUT", "-d", "y"], "/dav/short"), 204);
    let with = format!("If: (<{token}>)");
    assert_eq!(door.status(&["-X", "PUT", "-d", "y", "-H", &with], "/dav/long"), 204);
    let unlock = format!("Lock-Token: <{token}>");
    assert_eq!(door.status_as("reader", &["-X", "UNLOCK", "-H", &unlock], "/dav/long"), 403);
    assert_eq!(door.status(&["-X", "UNLOCK", "-H", &unlock], "/dav/long"), 204);
    // A token whose lock is gone is no longer true.
    assert_eq!(door.status(&["-X", "PUT", "-d", "z", "-H", &with], "/dav/long"), 412);
}

#[tokio::test(flavor = "multi_thread")]
async fn properties_are_kept_moved_and_said_to_be_missing() {
    let door = Https::start().await;
    std::fs::create_dir(door.root.join("d")).unwrap();
    std::fs::write(door.root.join("d/f"), "x").unwrap();
    let set = "<D:propertyupdate xmlns:D='DAV:' xmlns:u='urn:u'><D:set><D:prop><u:colour>gr&#252;n</u:colour>\
        <Z:Win32LastModifiedTime xmlns:Z='urn:schemas-microsoft-com:'>Sun, 06 Nov 1994 08:49:37 GMT</Z:Win32LastModifiedTime>\
        </D:prop></D:set></D:propertyupdate>";
    let answer = String::from_utf8(door.curl(&["-X", "PROPPATCH", "-d", set], "/dav/d/f").stdout).unwrap();
    assert!(answer.contains("200 OK") && answer.contains("Win32LastModifiedTime"), "{answer}");
    let to = format!("Destination: {}", door.url("/dav/e"));
    assert_eq!(door.status(&["-X", "MOVE", "-H", &to], "/dav/d"), 201);
    let door = door.restart().await;
    let ask = "<D:propfind xmlns:D='DAV:'><D:prop><u:colour xmlns:u='urn:u'/><D:getetag/><D:getlastmodified/>\
        <u:shape xmlns:u='urn:u'/><D:quota-available-bytes/></D:prop></D:propfind>";
    let answer = door.curl(&["-X", "PROPFIND", "-H", "Depth: 1", "-d", ask], "/dav/e").stdout;
    let answer = String::from_utf8(answer).unwrap();
    let of_file = answer.split("<D:href>/dav/e/f</D:href>").nth(1).expect("the file is listed");
    let (found, missing) = of_file.split_once("200 OK").unwrap();
    assert!(found.contains("grün") && found.contains("Sun, 06 Nov 1994 08:49:37 GMT"), "{answer}");
    assert!(missing.contains("shape") && missing.contains("404 Not Found"), "{answer}");
    let (head, _) = door.exchange(&["-I"], "/dav/e/f");
    let tag = head.split("etag: ").nth(1).unwrap().split('\r').next().unwrap();
    assert!(found.contains(&tag.replace('"', "&quot;")), "getetag is the ETag: {tag}");
    let text = "<D:propertyupdate xmlns:D='DAV:'><D:set><D:prop><D:getlastmodified>1000000000</D:getlastmodified>\
        </D:prop></D:set></D:propertyupdate>";
    assert_eq!(door.status(&["-X", "PROPPATCH", "-d", text], "/dav/e/f"), 207);
    let mtime = std::fs::metadata(door.root.join("e/f")).unwrap().modified().unwrap();
    assert_eq!(mtime, std::time::UNIX_EPOCH + Duration::from_secs(1_000_000_000));
}

#[tokio::test(flavor = "multi_thread")]
async fn properties_are_bounded_and_a_refused_patch_stores_nothing() {
    let door = Https::start().await;
    for name in ["f", "full"] {
        std::fs::write(door.root.join(name), "x").unwrap();
    }
    let body = door.data().join("patch.xml");
    let patch = |path: &str, props: &str| {
        let text = format!(
            "<D:propertyupdate xmlns:D='DAV:' xmlns:u='urn:u'><D:set><D:prop>{props}</D:prop></D:set>\
             </D:propertyupdate>"
        );
        std::fs::write(&body, text).unwrap();
        let answer = door.curl(&["-X", "PROPPATCH", "--data-binary", &format!("@{}", body.display())], path).stdout;
        xmltree::Element::parse(answer.as_slice()).expect("a 207");
        String::from_utf8(answer).unwrap()
    };
    let many = |from: usize, to: usize| (from..to).map(|n| format!("<u:p{n}>x</u:p{n}>")).collect::<String>();
    let count = async || {
        let count = sqlx::query_scalar::<_, i64>("SELECT count(*) FROM dav_properties");
        count.fetch_one(door.db.read()).await.unwrap()
    };
    let before = std::fs::metadata(door.root.join("f")).unwrap().modified().unwrap();
    let large = format!(
        "<u:large>{}</u:large><u:small>x</u:small><D:getlastmodified>1000000000</D:getlastmodified>",
        "x".repeat(17_000)
    );
    let said = patch("/dav/f", &large);
    assert!(said.contains("507 Insufficient Storage") && said.contains("424 Failed Dependency"), "{said}");
    assert!(said.contains("<D:responsedescription>nothing was stored: a property has at most 16 KiB"), "{said}");
    assert_eq!(count().await, 0);
    assert_eq!(std::fs::metadata(door.root.join("f")).unwrap().modified().unwrap(), before, "all or nothing");
    assert!(!patch("/dav/f", &many(0, 500)).contains("507"));
    let said = patch("/dav/f", &many(500, 501));
    assert!(said.contains("507 Insufficient Storage") && said.contains("at most 500 properties"), "{said}");
    assert!(!patch("/dav/f", &many(0, 1)).contains("507"), "one that is there may be changed");
    assert_eq!(count().await, 500);
    let mut tx = door.db.write().await.unwrap();
    let fill = "INSERT INTO dav_properties (path, namespace, name, xml, account) \
        VALUES (CAST('full' AS BLOB), 'u', 'n', zeroblob(66900000), 'anna')";
    sqlx::query(fill).execute(&mut *tx).await.unwrap();
    tx.commit().await.unwrap();
    let said = patch("/dav/f", &format!("<u:p0>{}</u:p0>", "x".repeat(16_000)));
    assert!(!said.contains("507"), "{said}");
    let to = |name: &str| format!("Destination: {}", door.url(&format!("/dav/{name}")));
    assert_eq!(door.status(&["-X", "COPY", "-H", &to("again")], "/dav/f"), 201);
    let copied = count().await - 501;
    let mut filled = 0;
    let said = loop {
        let said = patch("/dav/again", &format!("<u:p{filled}>{}</u:p{filled}>", "x".repeat(16_000)));
        if said.contains("507") || filled > 20 {
            break said;
        }
        filled += 1;
    };
    assert!(said.contains("of this account have reached 64 MiB"), "{copied} copied, {filled} more: {said}");
    let stored = count().await;
    assert_eq!(door.status(&["-X", "COPY", "-H", &to("more")], "/dav/full"), 201, "the file is copied all the same");
    assert_eq!(count().await, stored, "but not its properties");
    assert_eq!(door.status(&["-X", "DELETE"], "/dav/full"), 204);
    assert!(!patch("/dav/again", &many(0, 2)).contains("507"), "what was removed makes room");
}

#[tokio::test(flavor = "multi_thread")]
async fn nested_xml_is_refused_and_the_server_lives() {
    let door = Https::start().await;
    let body = door.data().join("nested.xml");
    for method in ["PROPFIND", "PROPPATCH", "LOCK"] {
        let levels = if method == "PROPFIND" { 170_000 } else { 21_000 };
        std::fs::write(&body, "<a>".repeat(levels)).unwrap();
        let data = format!("@{}", body.display());
        assert_eq!(door.status(&["-X", method, "--data-binary", &data], "/dav/"), 400, "{method}");
    }
    assert_eq!(door.status(&[], "/dav/"), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_fails_leaves_what_was_there() {
    let door = Https::start().await;
    for (name, text) in [("a/one", "new"), ("a/z/two", "new"), ("b/old", "old"), ("c/kept", "kept"), ("file", "file")] {
        std::fs::create_dir_all(door.root.join(name).parent().unwrap()).unwrap();
        std::fs::write(door.root.join(name), text).unwrap();
    }
    let to = |name: &str| format!("Destination: {}", door.url(&format!("/dav/{name}")));
    let hidden = || {
        std::fs::read_dir(&door.root)
            .unwrap()
            .filter(|e| e.as_ref().unwrap().file_name().to_string_lossy().starts_with('.'))
            .count()
    };
    let text = |name: &str| std::fs::read_to_string(door.root.join(name)).ok();
    // In the middle a path gets longer than any file system allows.
    let folder = |letter: char| letter.to_string().repeat(200);
    let long: String = ('b'..'u').map(folder).collect::<Vec<_>>().join("/");
    std::fs::create_dir_all(door.root.join("a").join(&long)).unwrap();
    std::fs::create_dir_all(door.root.join(folder('d')).join(folder('e')).join(folder('f')).join("b")).unwrap();
    let old = format!("{}/{}/{}/b/old", folder('d'), folder('e'), folder('f'));
    std::fs::write(door.root.join(&old), "old").unwrap();
    let deep = to(old.trim_end_matches("/old"));
    let status = door.status(&["-X", "COPY", "-H", &deep], "/dav/a");
    assert!(![201, 204].contains(&status), "{status}");
    assert_eq!(text(&old).as_deref(), Some("old"), "what could not be replaced is still there");
    assert!(!door.root.join(old.replace("/old", "/one")).exists());
    std::fs::remove_dir_all(door.root.join("a").join(folder('b'))).unwrap();
    assert_eq!(door.status(&["-X", "COPY", "-H", &to("b")], "/dav/a"), 204);
    assert_eq!((text("b/old"), text("b/z/two").as_deref()), (None, Some("new")));
    assert_eq!(door.status(&["-X", "MOVE", "-H", &to("c")], "/dav/b"), 204);
    assert_eq!((text("c/kept"), text("c/one").as_deref(), door.root.join("b").exists()), (None, Some("new"), false));
    assert_eq!(door.status(&["-X", "MOVE", "-H", &to("c")], "/dav/file"), 204, "a file over a folder");
    assert_eq!(text("c").as_deref(), Some("file"));
    assert_eq!(door.status(&["-X", "COPY", "-H", &to("c")], "/dav/a"), 204, "a folder over a file");
    assert_eq!(text("c/z/two").as_deref(), Some("new"));
    assert_eq!(hidden(), 0);
}

/// Runs `test` with a door that may read what its files' modes say, also when root runs the tests: the thread gives
/// up its right to read everything, and the door's threads come from it.
fn under_modes<F: Future<Output = ()>>(test: F) {
    use rustix::thread::{CapabilitySet, capabilities, set_capabilities};
    let mut own = capabilities(None).unwrap();
    own.effective.remove(CapabilitySet::DAC_OVERRIDE | CapabilitySet::DAC_READ_SEARCH);
    set_capabilities(None, own).unwrap();
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(test);
}

fn set_mode(path: &std::path::Path, mode: u32) {
    std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
}

#[test]
fn a_folder_that_cannot_be_read_does_not_look_empty() {
    under_modes(async {
        let door = Https::start().await;
        let shut = door.root.join("shut");
        std::fs::create_dir(&shut).unwrap();
        set_mode(&shut, 0o311);
        let status = door.status(&["-X", "PROPFIND", "-H", "Depth: 1"], "/dav/shut");
        let answer = door.curl(&["-X", "PROPFIND", "-H", "Depth: infinity"], "/dav/").stdout;
        set_mode(&shut, 0o755);
        assert_eq!(status, 403);
        let answer = String::from_utf8(answer).unwrap();
        assert_eq!(answer.matches("<D:href>/dav/shut/</D:href>").count(), 1, "{answer}");
        assert!(answer.contains("403 Forbidden"), "{answer}");
    });
}

#[test]
fn a_listing_of_a_broken_folder_is_never_a_complete_207() {
    under_modes(async {
        let door = Https::start().await;
        std::fs::create_dir_all(door.root.join("d/broken")).unwrap();
        // Names can be read there, but nothing can be looked at.
        for number in 0..2000 {
            std::fs::write(door.root.join(format!("d/{number}")), "").unwrap();
        }
        std::fs::write(door.root.join("d/broken/f"), "").unwrap();
        let asked = ["-X", "PROPFIND", "-H", "Depth: infinity"];
        let whole = door.curl(&asked, "/dav/d");
        assert!(whole.status.success() && xmltree::Element::parse(whole.stdout.as_slice()).is_ok());
        set_mode(&door.root.join("d/broken"), 0o644);
        let broken: Vec<_> = [(&asked, "/dav/d"), (&["-X", "PROPFIND", "-H", "Depth: 1"], "/dav/d/broken")]
            .map(|(asked, path)| {
                ["--http1.1", "--http2"].map(|version| {
                    let output = door.curl(&[&asked[..], &[version, "-w", "\n%{http_code}"]].concat(), path);
                    (path, version, output)
                })
            })
            .into_iter()
            .flatten()
            .collect();
        set_mode(&door.root.join("d/broken"), 0o755);
        for (path, version, output) in broken {
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            let (body, status) = said.rsplit_once('\n').unwrap();
            let complete =
                output.status.success() && status == "207" && xmltree::Element::parse(body.as_bytes()).is_ok();
            let named = body.contains("<D:href>/dav/d/broken/</D:href><D:status>HTTP/1.1 403");
            assert!(!complete || named, "{path} {version} looks complete");
        }
    });
}

/// Sends a whole request and hangs up after a moment, without waiting for the answer; or waits for it.
async fn hang_up(door: &Https, request: &str, moment: Option<Duration>) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut stream = tls(door).await;
    stream.write_all(request.as_bytes()).await.unwrap();
    stream.flush().await.unwrap();
    match moment {
        Some(moment) => tokio::time::sleep(moment).await,
        None => {
            let mut answer = [0; 12];
            stream.read_exact(&mut answer).await.unwrap();
            assert_eq!(&answer, b"HTTP/1.1 201", "{request}");
        }
    }
}

async fn audited(door: &Https, action: &str) -> usize {
    let count = sqlx::query_scalar::<_, i64>("SELECT count(*) FROM audit WHERE action = ?").bind(action);
    usize::try_from(count.fetch_one(door.db.read()).await.unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_hangs_up_leaves_no_change_without_its_entry() {
    const ROUNDS: u32 = 60;
    let door = Https::start().await;
    // From at once to a tenth of a second; the last one stays, so that something is carried out for certain.
    let moment = |number: u32| (number + 1 < ROUNDS).then(|| Duration::from_micros(50) * number * number / 2);
    for number in 0..ROUNDS {
        std::fs::write(door.root.join(format!("from{number}")), "x").unwrap();
        let put = format!("{}Content-Length: 3\r\n\r\nnew", head("PUT", &format!("/dav/put{number}")));
        hang_up(&door, &put, moment(number)).await;
        let put = format!("{}Content-Length: 3\r\n\r\nnew", head("PUT", &format!("/files/file{number}")));
        hang_up(&door, &put, moment(number)).await;
        let to = format!("Destination: /dav/to{number}\r\n\r\n");
        hang_up(&door, &(head("MOVE", &format!("/dav/from{number}")) + &to), moment(number)).await;
    }
    let names = |prefixes: &[&str]| {
        let all = std::fs::read_dir(&door.root).unwrap().map(|e| e.unwrap().file_name().to_string_lossy().into_owned());
        all.filter(|name| prefixes.iter().any(|prefix| name.starts_with(prefix))).count()
    };
    let mut seen = None;
    for _ in 0..200 {
        let now = (
            names(&["put", "file"]),
            audited(&door, "door-uploaded").await,
            names(&["to"]),
            audited(&door, "door-renamed").await,
        );
        if seen == Some(now) && now.0 == now.1 && now.2 == now.3 && leftovers(&door).is_empty() {
            break;
        }
        seen = Some(now);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let (put, put_entries, moved, moved_entries) = seen.unwrap();
    println!("of {ROUNDS}: {put} of both kinds of PUT and {moved} MOVEs were carried out");
    assert!(put >= 2 && moved >= 1, "the last ones at least");
    assert_eq!((put, moved), (put_entries, moved_entries));
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_stay_in_their_part() {
    let door = Https::start().await;
    std::fs::write(door.root.join("annas"), "x").unwrap();
    assert_eq!(door.status_as("bob", &[], "/dav/annas"), 404);
    assert_eq!(door.status_as("bob", &["-X", "PUT", "-d", "x"], "/dav/bobs"), 201);
    assert!(door.root.join("bob/bobs").exists());
    for args in [&["-X", "PUT", "-d", "x"][..], &["-X", "DELETE"], &["-X", "MKCOL"], &["-X", "LOCK", "-d", LOCK]] {
        assert_eq!(door.status_as("reader", args, "/dav/annas"), 403, "{args:?}");
    }
    assert_eq!(door.status_as("reader", &[], "/dav/annas"), 200);
    assert_eq!(door.status_as("reader", &["-X", "PUT", "-d", "x"], "/files/annas"), 403);
    let wrong = Command::new("curl")
        .args(["-sk", "-u", "anna:wrong", "-o", "/dev/null", "-w", "%{http_code}", &door.url("/dav/")])
        .output()
        .unwrap();
    assert_eq!(wrong.stdout, b"401");
    assert_eq!(std::fs::read_to_string(door.root.join("annas")).unwrap(), "x");
}

#[tokio::test(flavor = "multi_thread")]
async fn rclone_keeps_times_and_has_nothing_to_do_twice() {
    let door = Https::start().await;
    let source = tempfile::tempdir().unwrap();
    std::fs::create_dir(source.path().join("ä b")).unwrap();
    for (name, age) in [("one.txt", 1_000_000), ("ä b/50%#?.bin", 20_000_000), ("empty", 300)] {
        let path = source.path().join(name);
        std::fs::write(&path, if name == "empty" { Vec::new() } else { vec![7; 300_000] }).unwrap();
        let time = std::time::SystemTime::now() - Duration::from_secs(age);
        std::fs::File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
    }
    let obscured = Command::new("rclone").args(["obscure", PASSWORD]).output().unwrap().stdout;
    let password = String::from_utf8(obscured).unwrap().trim().to_owned();
    let rclone = |args: &[&str]| {
        Command::new("timeout")
            .args(["120", "rclone", "--no-check-certificate", "--config", "/dev/null", "--webdav-vendor", "owncloud"])
            .args(["--webdav-url", &door.url("/dav/"), "--webdav-user", "anna", "--webdav-pass", &password])
            .args(args)
            .output()
            .unwrap()
    };
    let source_path = source.path().to_str().unwrap();
    let first = rclone(&["sync", source_path, ":webdav:copy"]);
    assert!(first.status.success(), "{}", String::from_utf8_lossy(&first.stderr));
    let second = rclone(&["sync", "-v", source_path, ":webdav:copy"]);
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(second.status.success() && said.contains("Transferred:   \t          0 B / 0 B"), "{said}");
    for name in ["one.txt", "ä b/50%#?.bin", "empty"] {
        let second = |path: std::path::PathBuf| {
            let modified = std::fs::metadata(path).unwrap().modified().unwrap();
            modified.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
        };
        assert_eq!(second(source.path().join(name)), second(door.root.join("copy").join(name)), "{name}");
    }
    let back = tempfile::tempdir().unwrap();
    assert!(rclone(&["copy", ":webdav:copy", back.path().to_str().unwrap()]).status.success());
    let same = Command::new("diff").args(["-r", source_path, back.path().to_str().unwrap()]).status().unwrap();
    assert!(same.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn cadaver_does_its_whole_round() {
    let door = Https::start().await;
    let work = tempfile::tempdir().unwrap();
    std::fs::write(work.path().join("local"), "content").unwrap();
    std::fs::write(work.path().join(".netrc"), format!("machine localhost login anna password \"{PASSWORD}\"\n"))
        .unwrap();
    let script = "mkcol c\nput local c/f\ncopy c/f c/g\nmove c/g c/h\nlock c/f\ndiscover c/f\nunlock c/f\n\
        propset c/f colour red\npropget c/f colour\nget c/h back\ndelete c/f\nrmcol c\nquit\n";
    // It asks about a self-signed certificate on a terminal only.
    let url = format!("http://localhost:{}/dav/", tunnel(&door).await);
    let mut child = Command::new("timeout")
        .args(["60", "cadaver", &url])
        .current_dir(work.path())
        .env("HOME", work.path())
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(child.stdin.as_mut().unwrap(), script.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(!said.contains("failed"), "{said}");
    assert_eq!(std::fs::read_to_string(work.path().join("back")).unwrap(), "content", "{said}");
    assert!(!door.root.join("c").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_davfs2_mount_is_a_drive() {
    if !std::path::Path::new("/dev/fuse").exists() || !nix_root() {
        not_run("a davfs2 mount", "no /dev/fuse, or not root");
        return;
    }
    let door = Https::start().await;
    let work = tempfile::tempdir().unwrap();
    let (mount, cache) = (work.path().join("mnt"), work.path().join("cache"));
    std::fs::create_dir(&mount).unwrap();
    std::fs::create_dir(&cache).unwrap();
    let own = Command::new("chown").args(["root:davfs2", cache.to_str().unwrap()]).status();
    assert!(own.is_ok_and(|status| status.success()), "davfs2 is missing: `tests/run setup` installs it");
    Command::new("chmod").args(["755", work.path().to_str().unwrap()]).status().unwrap();
    Command::new("chmod").args(["775", cache.to_str().unwrap()]).status().unwrap();
    let conf = work.path().join("davfs2.conf");
    let certificate = door.data().join("tls/certificate.pem");
    let readable = work.path().join("ca.pem");
    std::fs::copy(certificate, &readable).unwrap();
    let secrets = work.path().join("secrets");
    std::fs::write(&secrets, format!("{} anna \"{PASSWORD}\"\n", door.url("/dav/"))).unwrap();
    Command::new("chmod").args(["600", secrets.to_str().unwrap()]).status().unwrap();
    Command::new("chmod").args(["644", readable.to_str().unwrap()]).status().unwrap();
    let settings = format!(
        "secrets {}\ncache_dir {}\ntrust_ca_cert {}\ndelay_upload 0\nask_auth 0\nif_match_bug 0\n",
        secrets.display(),
        cache.display(),
        readable.display()
    );
    std::fs::write(&conf, settings).unwrap();
    let option = format!("conf={},uid=0,gid=0", conf.display());
    let mounted = Command::new("timeout")
        .args(["30", "mount", "-t", "davfs", "-o", &option, &door.url("/dav/"), mount.to_str().unwrap()])
        .output()
        .unwrap();
    if !mounted.status.success() {
        let why = String::from_utf8_lossy(&mounted.stderr).into_owned();
        assert!(why.contains("permitted") || why.contains("fuse"), "davfs2 cannot mount: {why}");
        not_run("a davfs2 mount", &why);
        return;
    }
    let exercised = std::panic::catch_unwind(|| exercise(&mount));
    let gone = Command::new("timeout").args(["60", "umount", mount.to_str().unwrap()]).status().unwrap();
    let model = exercised.expect("the operations through the mount");
    assert!(gone.success(), "the mount ends, with everything uploaded");
    for (name, content) in &model {
        assert_eq!(std::fs::read(door.root.join(name)).ok().as_ref(), Some(content), "{name}");
    }
    let files = Command::new("find").arg(&door.root).args(["-type", "f"]).output().unwrap().stdout;
    let files = String::from_utf8_lossy(&files).lines().filter(|line| !line.contains("lost+found")).count();
    assert_eq!(files, model.len());
}

fn nix_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout == b"0\n")
}

/// Random operations on a mounted folder; returns what must be there afterwards.
fn exercise(mount: &std::path::Path) -> std::collections::BTreeMap<String, Vec<u8>> {
    let mut state = 12345_u64;
    let mut random = |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let mut model = std::collections::BTreeMap::new();
    std::fs::create_dir(mount.join("d")).unwrap();
    for step in 0..120 {
        let name = |n: u64| if n.is_multiple_of(2) { format!("d/file {n}") } else { format!("füle-{n}") };
        let (a, b) = (name(random(12)), name(random(12)));
        match random(5) {
            0 | 1 => {
                let content = vec![u8::try_from(step).unwrap(); usize::try_from(random(40_000)).unwrap()];
                std::fs::write(mount.join(&a), &content).unwrap();
                model.insert(a, content);
            }
            2 if model.contains_key(&a) => {
                use std::io::Write as _;
                let mut file = std::fs::OpenOptions::new().append(true).open(mount.join(&a)).unwrap();
                file.write_all(b"more").unwrap();
                drop(file);
                model.get_mut(&a).unwrap().extend_from_slice(b"more");
            }
            3 if model.contains_key(&a) && a != b => {
                std::fs::rename(mount.join(&a), mount.join(&b)).unwrap();
                let content = model.remove(&a).unwrap();
                model.insert(b, content);
            }
            4 if model.contains_key(&a) => {
                std::fs::remove_file(mount.join(&a)).unwrap();
                model.remove(&a);
            }
            _ => {
                if let Some(content) = model.get(&a) {
                    assert_eq!(&std::fs::read(mount.join(&a)).unwrap(), content);
                }
            }
        }
    }
    model
}
