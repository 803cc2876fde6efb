//! The HTTPS listener and the door at `/files/`.

use std::process::Command;
use std::time::Duration;

use causeway::audit::Actor;
use causeway::model::{Access, Quota, RelPath, Scope};
use causeway::reliability::{End, What};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::support::https::{Https, MAX_UPLOAD, head};
use crate::support::tls::tls;

fn body(door: &Https, args: &[&str], path: &str) -> Vec<u8> {
    door.curl(args, path).stdout
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_goes_in_and_out_unchanged() {
    let mut door = Https::start().await;
    let big: Vec<u8> = (0..3_000_000_u32).flat_map(u32::to_le_bytes).collect();
    let local = tempfile::tempdir().unwrap();
    let path = local.path().join("big");
    std::fs::write(&path, &big).unwrap();
    for (version, name) in [("--http1.1", "one"), ("--http2", "two")] {
        let url = format!("/files/{name}");
        assert_eq!(door.status(&[version, "-T", path.to_str().unwrap()], &url), 201);
        assert_eq!(door.status(&[version, "-T", path.to_str().unwrap(), "-H", "X-OC-Mtime: 1000000000"], &url), 204);
        assert!(body(&door, &[version], &url) == big);
        let said = door.curl(&[version, "-o", "/dev/null", "-w", "%{http_version}"], &url).stdout;
        assert_eq!(String::from_utf8_lossy(&said), if version == "--http2" { "2" } else { "1.1" });
        let (head, _) = door.exchange(&["-I"], &url);
        assert!(head.contains("last-modified: sun, 09 sep 2001 01:46:40 gmt"), "{head}");
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    let (mut up, mut down, mut connections) = (0, 0, 0);
    while let Ok(seen) = door.observations.try_recv() {
        assert_eq!(seen.detail.encrypted, Some(true), "{seen:?}");
        match seen.what {
            What::Transfer { direction, bytes, end, .. } if end == End::Clean && bytes == big.len() as u64 => {
                if format!("{direction:?}") == "Upload" { up += 1 } else { down += 1 }
            }
            What::Connection { end, .. } => {
                assert_eq!(end, End::Clean);
                assert!(seen.detail.post_quantum.is_some(), "{:?}", seen.detail);
                connections += 1;
            }
            What::Transfer { .. } | What::Check { .. } => {}
        }
    }
    assert_eq!((up, down), (4, 4), "every transfer is observed once");
    assert!(connections >= 8, "every connection is observed: {connections}");
    let events: i64 = sqlx::query_scalar("SELECT count(*) FROM audit WHERE action = 'door-uploaded'")
        .fetch_one(door.db.read())
        .await
        .unwrap();
    assert_eq!(events, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn ranges_and_validators() {
    let door = Https::start().await;
    let content: Vec<u8> = (0..1_000_000_u32).map(|i| (i % 251) as u8).collect();
    std::fs::write(door.root.join("f"), &content).unwrap();
    for mount in ["/files/f", "/dav/f"] {
        assert_eq!(body(&door, &["-r", "10-19"], mount), content[10..20]);
        assert_eq!(body(&door, &["-r", "999990-"], mount), content[999_990..]);
        assert_eq!(body(&door, &["-r", "-5"], mount), content[999_995..]);
        assert_eq!(door.status(&["-r", "2000000-"], mount), 416);
        let (head, parts) = door.exchange(&["-r", "0-1,500-501"], mount);
        assert!(head.starts_with("http/2 206") && head.contains("multipart/byteranges"), "{head}");
        let text = String::from_utf8_lossy(&parts).into_owned();
        assert!(text.contains("Content-Range: bytes 0-1/1000000") && text.contains("bytes 500-501/1000000"));
        let bomb = vec!["0-"; 60].join(",");
        assert!(body(&door, &["-r", &bomb], mount).len() <= 1_000_000);
        let many = (0..100).map(|i| format!("{i}-")).collect::<Vec<_>>().join(",");
        assert_eq!(body(&door, &["-r", &many], mount).len(), 1_000_000);
        let (head, _) = door.exchange(&["-I"], mount);
        let tag = head.split("etag: ").nth(1).unwrap().split('\r').next().unwrap().to_owned();
        assert!(tag.starts_with('"'), "strong: {tag}");
        assert_eq!(door.status(&["-H", &format!("If-None-Match: {tag}")], mount), 304);
        assert_eq!(door.status(&["-H", "If-Match: \"other\"", "-X", "PUT", "-d", "x"], mount), 412);
        assert_eq!(door.status(&["-H", "If-None-Match: *", "-X", "PUT", "-d", "x"], mount), 412);
        assert_eq!(door.status(&["-H", &format!("If-Range: {tag}"), "-r", "0-1"], mount), 206);
        assert_eq!(door.status(&["-H", "If-Range: \"other\"", "-r", "0-1"], mount), 200);
        assert_eq!(door.status(&["-X", "PUT", "-d", "x", "-H", "Content-Range: bytes 0-0/9"], mount), 400);
    }
    assert_eq!(std::fs::read(door.root.join("f")).unwrap(), content);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_shrinks_cuts_the_answer() {
    let door = Https::start().await;
    let file = std::fs::File::create(door.root.join("f")).unwrap();
    file.set_len(64 << 20).unwrap();
    for path in ["/files/f", "/dav/f"] {
        file.set_len(64 << 20).unwrap();
        let output = std::thread::scope(|scope| {
            let reading = scope.spawn(|| door.curl(&["--limit-rate", "8M", "-o", "/dev/null"], path));
            std::thread::sleep(Duration::from_millis(700));
            file.set_len(1 << 20).unwrap();
            reading.join().unwrap()
        });
        assert!(!output.status.success(), "{path}: a client must not take a short file for a whole one");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn names_are_bytes() {
    use std::os::unix::ffi::OsStrExt as _;
    let door = Https::start().await;
    let gbk = b"\xd6\xd0\xce\xc4 #1%.txt";
    std::fs::write(door.root.join(std::ffi::OsStr::from_bytes(gbk)), "gbk").unwrap();
    assert_eq!(body(&door, &[], "/files/%D6%D0%CE%C4%20%231%25.txt"), b"gbk");
    assert_eq!(door.status(&["-X", "PUT", "-d", "x"], "/files/%B2%E2"), 201);
    assert!(door.root.join(std::ffi::OsStr::from_bytes(b"\xb2\xe2")).exists());
    let page = String::from_utf8(body(&door, &[], "/files/")).unwrap();
    assert!(page.contains("href=\"./%D6%D0%CE%C4%20%231%25.txt\""), "{page}");
    let json = body(&door, &["-H", "Accept: application/json"], "/files/");
    let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
    assert_eq!(json["total"], 2);
    std::fs::write(door.root.join("<script>alert(1)<"), "x").unwrap();
    let page = String::from_utf8(body(&door, &[], "/files/")).unwrap();
    assert!(!page.contains("<script>"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_uploaded_page_never_runs_here() {
    let door = Https::start().await;
    std::fs::write(door.root.join("evil.html"), "<script>1</script>").unwrap();
    let (head, _) = door.exchange(&[], "/files/evil.html");
    assert!(head.contains("content-security-policy: sandbox") && head.contains("nosniff"), "{head}");
    assert!(head.contains("content-disposition: attachment"), "{head}");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_text_is_compressed() {
    let door = Https::start().await;
    std::fs::write(door.root.join("a.txt"), "hello ".repeat(20_000)).unwrap();
    std::fs::write(door.root.join("a.zip"), "hello ".repeat(20_000)).unwrap();
    std::fs::write(door.root.join("small.txt"), "hello").unwrap();
    for encoding in ["br", "zstd", "gzip"] {
        let accept = format!("Accept-Encoding: {encoding}");
        let (head, bytes) = door.exchange(&["-H", &accept], "/files/a.txt");
        assert!(head.contains(&format!("content-encoding: {encoding}")) && bytes.len() < 5_000, "{head}");
        let tag = head.split("etag: ").nth(1).unwrap().split('\r').next().unwrap().to_owned();
        assert!(tag.starts_with('"') && tag.ends_with(&format!("-{encoding}\"")), "the bytes are others: {tag}");
        for path in ["/files/a.zip", "/files/small.txt"] {
            assert!(!door.exchange(&["-H", &accept], path).0.contains("content-encoding"), "{path}");
        }
        let (head, bytes) = door.exchange(&["-H", &accept, "-r", "0-9999"], "/files/a.txt");
        assert!(!head.contains("content-encoding") && bytes.len() == 10_000, "{head}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_read_a_file_compressed_can_save_it() {
    let door = Https::start().await;
    let tag_of = |head: &str| head.split("etag: ").nth(1).unwrap().split('\r').next().unwrap().to_owned();
    for path in ["/files/a.txt", "/dav/a.txt"] {
        std::fs::write(door.root.join("a.txt"), "hello ".repeat(20_000)).unwrap();
        for encoding in ["br", "zstd", "gzip"] {
            let accept = format!("Accept-Encoding: {encoding}");
            let tag = tag_of(&door.exchange(&["-H", &accept], path).0);
            let known = format!("If-None-Match: {tag}");
            let (head, _) = door.exchange(&["-H", &accept, "-H", &known], path);
            assert!(head.starts_with("http/2 304") && tag_of(&head) == tag, "{tag}: {head}");
            // No part of the compressed bytes can be had: all of the file comes.
            let range = format!("If-Range: {tag}");
            assert_eq!(door.status(&["-H", &range, "-r", "0-1"], path), 200);
            let only = format!("If-Match: {tag}");
            let data = encoding.repeat(4000);
            assert_eq!(door.status(&["-H", &only, "-X", "PUT", "-d", &data], path), 204, "{path} {tag}");
            assert_eq!(door.status(&["-H", &only, "-X", "PUT", "-d", "late"], path), 412, "{path} {tag}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_folder_is_read_page_by_page() {
    let door = Https::start().await;
    std::fs::create_dir(door.root.join("many")).unwrap();
    for number in 0..2500_u32 {
        std::fs::write(door.root.join(format!("many/f{number:04}")), vec![b'x'; (number % 7) as usize]).unwrap();
    }
    let read = |url: &str| {
        let (head, page) = door.exchange(&[], url);
        assert!(head.contains("content-security-policy: default-src 'none'"), "{head}");
        String::from_utf8(page).unwrap()
    };
    let link = |page: &str, word: &str| {
        let (before, _) = page.split_once(&format!(">{word}</a>"))?;
        Some(before.rsplit("href=\"").next()?.split('"').next()?.replace("&amp;", "&"))
    };
    for mount in ["/files/many/", "/dav/many/"] {
        for (query, first, last) in [("", "f0000", "f2499"), ("?sort=size&desc", "f0006", "f2499")] {
            let (mut url, mut pages, mut names) = (format!("{mount}{query}"), 0, Vec::new());
            loop {
                let page = read(&url);
                pages += 1;
                let rows = page.split("href=\"./").skip(1).map(|row| row.split('"').next().unwrap().to_owned());
                names.extend(rows);
                let Some(later) = link(&page, "Later") else { break };
                url = format!("{mount}{later}");
            }
            let sorted: std::collections::BTreeSet<_> = names.iter().collect();
            assert_eq!((pages, names.len(), sorted.len()), (3, 2500, 2500), "{mount}{query}");
            assert_eq!(names.first().map(String::as_str), Some(first), "{mount}{query}");
            if query.is_empty() {
                assert_eq!(names.last().map(String::as_str), Some(last));
            }
            for expected in [true, true, false] {
                let earlier = link(&read(&url), "Earlier");
                assert_eq!(earlier.is_some(), expected, "{url}");
                url = format!("{mount}{}", earlier.unwrap_or_default());
            }
        }
        // Behind the end there is a way back.
        assert_eq!(link(&read(&format!("{mount}?offset=99999")), "Earlier").unwrap(), "?sort=name&offset=2000");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_are_answered_in_their_words() {
    let door = Https::start().await;
    let large = format!("X-Large: {}", "x".repeat(100_000));
    assert_eq!(door.status(&["--http1.1", "-H", &large], "/files/"), 431);
    let h2 = door.status(&["--http2", "-H", &large], "/files/");
    assert!(matches!(h2, 431 | 0), "{h2}");
    let local = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(local.path(), vec![b' '; 2_000_000]).unwrap();
    let data = format!("@{}", local.path().display());
    for method in ["PROPFIND", "PROPPATCH", "LOCK"] {
        assert_eq!(door.status(&["--http1.1", "-X", method, "--data-binary", &data], "/dav/"), 413, "{method}");
    }
    let refused = door.status_as(
        "reader",
        &["--http1.1", "-H", "Expect: 100-continue", "-X", "PUT", "--data-binary", &data],
        "/dav/x",
    );
    assert_eq!(refused, 403);
    let (head, said) = door.exchange(&["-X", "PATCH"], "/files/x");
    assert!(head.starts_with("http/2 405") && head.contains("allow: get, head, post, put"), "{head}");
    assert!(String::from_utf8(said).unwrap().contains("the header Allow names what can"));
    assert_eq!(door.status(&["-X", "PUT", "-d", "x"], "/files/missing/x"), 409);
    Command::new("mkfifo").arg(door.root.join("pipe")).status().unwrap();
    assert_eq!(door.status(&["--max-time", "5"], "/files/pipe"), 403);
    assert_eq!(door.status(&["--max-time", "5"], "/dav/pipe"), 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_1_2_and_1_3_and_the_same_certificate_after_a_restart() {
    let door = Https::start().await;
    std::fs::write(door.root.join("f"), "x").unwrap();
    for version in ["--tlsv1.3", "--tls-max=1.2"] {
        let args: Vec<&str> = version.split('=').collect();
        assert_eq!(door.status(&args, "/files/f"), 200, "{version}");
    }
    let stream = crate::support::tls::tls(&door).await;
    let group = stream.get_ref().1.negotiated_key_exchange_group().unwrap().name();
    assert_eq!(group, rustls::NamedGroup::X25519MLKEM768, "hybrid post-quantum");
    let old = ["--tlsv1.0", "--tls-max", "1.1", "--ciphers", "DEFAULT@SECLEVEL=0"];
    assert_eq!(door.status(&old, "/files/f"), 0);
    let certificate = door.data().join("tls/certificate.pem");
    let trusted = Command::new("curl")
        .args(["-sS", "--cacert", certificate.to_str().unwrap(), "-o", "/dev/null", "-w", "%{http_code}"])
        .arg(door.url("/files/f"))
        .output()
        .unwrap();
    assert_eq!(trusted.stdout, b"401", "{}", String::from_utf8_lossy(&trusted.stderr));
    let before = door.fingerprint.clone();
    let shown = Command::new("openssl")
        .args(["x509", "-noout", "-fingerprint", "-sha256", "-in", certificate.to_str().unwrap()])
        .output()
        .unwrap();
    assert!(String::from_utf8_lossy(&shown.stdout).contains(&before));
    let door = door.restart().await;
    assert_eq!(door.fingerprint, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_in_use_is_said_plainly() {
    let door = Https::start().await;
    let data = tempfile::tempdir().unwrap();
    let listen = std::net::SocketAddr::from(([127, 0, 0, 1], door.port));
    let settings = causeway::serve::http::Settings { listen, ..causeway::serve::http::Settings::default() };
    let clock = std::sync::Arc::new(causeway::model::SystemClock);
    let error = causeway::serve::http::bind(&settings, data.path(), clock).await.unwrap_err();
    assert!(error.to_string().contains("is in use by another program"), "{error}");
}

/// The answer to a request whose body is only announced.
async fn answer_before(door: &Https, path: &str, length: u64) -> String {
    let mut stream = tls(door).await;
    let asking = format!("{}Content-Length: {length}\r\n\r\n", head("PUT", path));
    stream.write_all(asking.as_bytes()).await.unwrap();
    let mut said = vec![0; 4096];
    let length = stream.read(&mut said).await.unwrap();
    String::from_utf8_lossy(&said[..length]).lines().next().unwrap_or_default().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_large_is_refused_before_it_is_sent() {
    let door = Https::start().await;
    for mount in ["/files", "/dav"] {
        let said = answer_before(&door, &format!("{mount}/f"), MAX_UPLOAD + 1).await;
        assert_eq!(said, "HTTP/1.1 413 Payload Too Large", "{mount}");
    }
    let quota = Quota { bytes: Some(1_000_000), files: None };
    let scope = Scope { quota, ..Scope::of(RelPath::root(), Access::ReadWrite) };
    door.accounts.set_scope(&Actor::System, "anna", &scope).await.unwrap();
    for mount in ["/files", "/dav"] {
        let said = answer_before(&door, &format!("{mount}/f"), 1_000_001).await;
        assert_eq!(said, "HTTP/1.1 507 Insufficient Storage", "{mount}");
    }
    // What was only announced takes nothing.
    let local = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(local.path(), vec![7; 900_000]).unwrap();
    assert_eq!(door.status(&["-T", local.path().to_str().unwrap()], "/files/f"), 201);
    assert_eq!(door.leftovers(), Vec::<String>::new());
}

/// As KIO does.
#[tokio::test(flavor = "multi_thread")]
async fn who_sends_all_before_signing_in_is_asked_to_and_goes_on() {
    let door = Https::start().await;
    let mut stream = tls(&door).await;
    let content = vec![7; 12 << 20];
    let asking = |head: &str, more: &str| format!("{head}{more}Content-Length: {}\r\n\r\n", content.len());
    stream.write_all(asking("PUT /dav/f HTTP/1.1\r\nHost: localhost\r\n", "").as_bytes()).await.unwrap();
    stream.write_all(&content).await.unwrap();
    stream.write_all(asking(&head("PUT", "/dav/f"), "Connection: close\r\n").as_bytes()).await.unwrap();
    stream.write_all(&content).await.unwrap();
    let mut said = Vec::new();
    let _closed = stream.read_to_end(&mut said).await;
    let said = String::from_utf8_lossy(&said);
    assert!(said.starts_with("HTTP/1.1 401 ") && said.contains("HTTP/1.1 201 "), "{said}");
    assert!(std::fs::read(door.root.join("f")).unwrap() == content);
}
