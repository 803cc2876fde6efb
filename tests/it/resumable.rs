//! Uploads that are gone on with (tus 1.0.0 at `/files/.tus/`): by curl, by tuspy, over connections that are cut, and
//! over the end of the service.

mod crash;
mod cut;
mod refusals;
mod tuspy;

use std::path::Path;

use data_encoding::BASE64;

use crate::support::https::Https;

const TUS: &str = "Tus-Resumable: 1.0.0";
const BYTES: &str = "Content-Type: application/offset+octet-stream";

/// The header that says what the file will be.
fn metadata(pairs: &[(&str, &str)]) -> String {
    let pair = |(key, value): &(&str, &str)| format!("{key} {}", BASE64.encode(value.as_bytes()));
    format!("Upload-Metadata: {}", pairs.iter().map(pair).collect::<Vec<_>>().join(","))
}

/// What a header of an answer says.
fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| line.strip_prefix(&format!("{name}: "))).map(str::trim)
}

fn status(head: &str) -> u16 {
    head.split_whitespace().nth(1).and_then(|word| word.parse().ok()).unwrap_or(0)
}

/// Announces an upload of `size` bytes; its address.
fn announce(door: &Https, size: usize, pairs: &[(&str, &str)]) -> String {
    let (length, metadata) = (format!("Upload-Length: {size}"), metadata(pairs));
    let (head, body) = door.exchange(&["-X", "POST", "-H", TUS, "-H", &length, "-H", &metadata], "/files/.tus/");
    assert_eq!(status(&head), 201, "{head}{}", String::from_utf8_lossy(&body));
    header(&head, "location").unwrap().to_owned()
}

/// Sends `bytes` as what follows `offset`; the status and where the upload stands then.
fn send(door: &Https, at: &str, offset: usize, bytes: &[u8], more: &[&str]) -> (u16, Option<usize>) {
    let local = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(local.path(), bytes).unwrap();
    let (offset, body) = (format!("Upload-Offset: {offset}"), format!("@{}", local.path().display()));
    let all = ["-X", "PATCH", "-H", TUS, "-H", BYTES, "-H", &offset, "--data-binary", &body];
    let (head, _) = door.exchange(&[&all, more].concat(), at);
    (status(&head), header(&head, "upload-offset").and_then(|offset| offset.parse().ok()))
}

/// Where the upload stands.
fn offset(door: &Https, at: &str) -> Option<usize> {
    let (head, _) = door.exchange(&["-I", "-H", TUS], at);
    header(&head, "upload-offset").and_then(|offset| offset.parse().ok())
}

fn content(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at * 7 + at / 251) as u8).collect()
}

fn leftovers(folder: &Path) -> usize {
    let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    names.filter(|name| name.to_string_lossy().starts_with(".causeway-")).count()
}

async fn events(door: &Https, action: &str) -> i64 {
    let sql = "SELECT count(*) FROM audit WHERE action = ?";
    sqlx::query_scalar(sql).bind(action).fetch_one(door.db.read()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_comes_in_pieces_and_has_its_name_with_the_last() {
    let door = Https::start().await;
    let (head, _) = door.exchange(&["-X", "OPTIONS"], "/files/.tus/");
    assert_eq!(header(&head, "tus-version"), Some("1.0.0"), "{head}");
    assert_eq!(header(&head, "tus-extension"), Some("creation,creation-with-upload,termination,expiration,checksum"));
    assert_eq!(header(&head, "tus-checksum-algorithm"), Some("sha1,sha256"));
    assert_eq!(header(&head, "tus-max-size"), Some("1073741824"));
    let bytes = content(3_000_000);
    let pairs = [("folder", "new/deep ü"), ("filename", "f"), ("mtime", "1000000000")];
    let at = announce(&door, bytes.len(), &pairs);
    let folder = door.root.join("new/deep ü");
    assert_eq!(offset(&door, &at), Some(0));
    assert_eq!(send(&door, &at, 0, &bytes[..1_500_000], &[]), (204, Some(1_500_000)));
    let (head, _) = door.exchange(&["-I", "-H", TUS], &at);
    assert_eq!((header(&head, "upload-offset"), header(&head, "upload-length")), (Some("1500000"), Some("3000000")));
    assert!(header(&head, "upload-expires").unwrap().ends_with("gmt"), "{head}");
    assert_eq!(header(&head, "cache-control"), Some("no-store"));
    assert_eq!(header(&head, "upload-metadata"), metadata(&pairs).to_lowercase().strip_prefix("upload-metadata: "));
    assert!(!folder.join("f").exists() && leftovers(&folder) == 1, "nobody sees it");
    // Others do not see it in a listing, either.
    assert!(!String::from_utf8_lossy(&door.curl(&[], "/files/new/deep%20%C3%BC/").stdout).contains(">f<"));
    assert_eq!(send(&door, &at, 1_500_000, &bytes[1_500_000..], &[]), (204, Some(3_000_000)));
    assert!(std::fs::read(folder.join("f")).unwrap() == bytes);
    let time = std::fs::metadata(folder.join("f")).unwrap().modified().unwrap();
    assert_eq!(time.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs(), 1_000_000_000);
    assert_eq!(leftovers(&folder), 0);
    // Who has not heard the last answer asks again.
    assert_eq!(offset(&door, &at), Some(3_000_000));
    assert_eq!(send(&door, &at, 0, b"x", &[]).0, 409);
    assert_eq!((events(&door, "door-uploaded").await, events(&door, "door-dir-made").await), (1, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_bytes_may_come_with_the_announcement() {
    let door = Https::start().await;
    let meta = metadata(&[("filename", "f")]);
    let all = ["-X", "POST", "-H", TUS, "-H", BYTES, "-H", &meta, "--data-binary", "hello", "-H"];
    let (head, _) = door.exchange(&[&all[..], &["Upload-Length: 7"]].concat(), "/files/.tus/");
    assert_eq!((status(&head), header(&head, "upload-offset")), (201, Some("5")), "{head}");
    let at = header(&head, "location").unwrap().to_owned();
    assert_eq!(send(&door, &at, 5, b"!!", &["-X", "POST", "-H", "X-HTTP-Method-Override: PATCH"]), (204, Some(7)));
    assert_eq!(std::fs::read(door.root.join("f")).unwrap(), b"hello!!");
    // One without a byte is complete at once.
    let _at = announce(&door, 0, &[("filename", "empty")]);
    assert_eq!(std::fs::read(door.root.join("empty")).unwrap(), b"");
    // One that is ended leaves nothing.
    let at = announce(&door, 10, &[("filename", "g")]);
    assert_eq!(send(&door, &at, 0, b"12345", &[]), (204, Some(5)));
    assert_eq!(door.leftovers().len(), 1);
    assert_eq!(door.status(&["-X", "DELETE", "-H", TUS], &at), 204);
    assert_eq!((door.leftovers(), offset(&door, &at)), (vec![], None));
    assert_eq!(send(&door, &at, 5, b"67890", &[]).0, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_goes_on_with_expires() {
    let door = Https::start().await;
    let at = announce(&door, 10, &[("filename", "f")]);
    assert_eq!(send(&door, &at, 0, b"12345", &[]), (204, Some(5)));
    let hours = |hours| jiff::Timestamp::now() + jiff::SignedDuration::from_hours(hours);
    let uploads = causeway::drive::Resumable::new(door.db.clone(), std::time::Duration::from_secs(3600));
    let view = causeway::tree::Tree::open(&door.root).unwrap().view(&causeway::model::Scope::whole()).unwrap();
    uploads.sweep(&view, hours(0)).await.unwrap();
    assert_eq!(offset(&door, &at), Some(5), "its hour is not over");
    uploads.sweep(&view, hours(2)).await.unwrap();
    assert_eq!((offset(&door, &at), door.leftovers()), (None, vec![]));
}

/// Whoever asks between the file getting its name and the store knowing that finds no new upload.
#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_send_the_last_bytes_one_does() {
    let door = Https::start().await;
    for round in 0..30 {
        let name = format!("f{round}");
        let at = announce(&door, 5, &[("filename", &name)]);
        let statuses = std::thread::scope(|scope| {
            let all: Vec<_> = (0..6).map(|_| scope.spawn(|| send(&door, &at, 0, b"hello", &[]).0)).collect();
            all.into_iter().map(|one| one.join().unwrap()).collect::<Vec<_>>()
        });
        assert_eq!(statuses.iter().filter(|status| **status == 204).count(), 1, "{statuses:?}");
        assert!(statuses.iter().all(|status| matches!(status, 204 | 409 | 423)), "{statuses:?}");
        assert_eq!(offset(&door, &at), Some(5));
        assert_eq!(std::fs::read(door.root.join(&name)).unwrap(), b"hello");
    }
    assert_eq!(leftovers(&door.root), 0);
    assert_eq!(events(&door, "door-uploaded").await, 30);
}
