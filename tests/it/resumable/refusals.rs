//! What is refused, and that nothing comes of it.

use causeway::audit::Actor;
use causeway::model::{Access, Quota, RelPath, Scope};
use data_encoding::BASE64;

use super::{BYTES, TUS, announce, content, leftovers, metadata, offset, send};
use crate::support::https::{Https, MAX_UPLOAD};

const LOCK: &str = "<D:lockinfo xmlns:D='DAV:'><D:lockscope><D:exclusive/></D:lockscope>\
                    <D:locktype><D:write/></D:locktype></D:lockinfo>";

/// The status of an announcement, which must not pass.
fn refused(door: &Https, account: &str, size: u64, pairs: &[(&str, &str)]) -> u16 {
    let (length, metadata) = (format!("Upload-Length: {size}"), metadata(pairs));
    door.status_as(account, &["-X", "POST", "-H", TUS, "-H", &length, "-H", &metadata], "/files/.tus/")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_not_understood_changes_nothing() {
    let door = Https::start().await;
    let named = metadata(&[("filename", "f")]);
    let post = |more: &[&str]| door.status(&[&["-X", "POST"], more].concat(), "/files/.tus/");
    assert_eq!(post(&["-H", "Upload-Length: 1", "-H", &named]), 412, "no version");
    assert_eq!(post(&["-H", TUS, "-H", &named]), 400, "no length");
    assert_eq!(post(&["-H", TUS, "-H", "Upload-Length: 1"]), 400, "no name");
    assert_eq!(refused(&door, "anna", 1, &[("filename", "../f")]), 400);
    assert_eq!(refused(&door, "anna", 1, &[("filename", ".causeway-x")]), 403);
    assert_eq!(refused(&door, "anna", MAX_UPLOAD + 1, &[("filename", "f")]), 413);
    assert_eq!(refused(&door, "reader", 1, &[("filename", "f")]), 403);
    let at = announce(&door, 10, &[("filename", "f")]);
    let patch = |more: &[&str]| door.status(&[&["-X", "PATCH", "-H", TUS, "-d", "12345"], more].concat(), &at);
    assert_eq!(patch(&["-H", "Upload-Offset: 0"]), 415);
    assert_eq!(patch(&["-H", BYTES]), 400);
    assert_eq!(send(&door, &at, 3, b"12345", &[]).0, 409);
    assert_eq!(send(&door, &at, 0, b"12345678901", &[]).0, 413, "more than announced");
    assert_eq!(door.status(&["-X", "PUT", "-H", TUS], &at), 405);
    // Somebody else's upload is none, whoever knows its address.
    for account in ["reader", "bob"] {
        for method in [&["-I"][..], &["-X", "DELETE"], &["-X", "PATCH", "-H", BYTES, "-H", "Upload-Offset: 0"]] {
            assert_eq!(door.status_as(account, &[method, &["-H", TUS]].concat(), &at), 404, "{account} {method:?}");
        }
    }
    assert_eq!(offset(&door, &at), Some(0));
    assert_eq!(std::fs::read_dir(&door.root).unwrap().count(), 1 + usize::from(door.root.join("bob").exists()));
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_are_not_what_they_should_be_are_forgotten() {
    let door = Https::start().await;
    let at = announce(&door, 6, &[("filename", "f")]);
    let sha1 = |text: &[u8]| aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY, text);
    let sha256 = |text: &[u8]| aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text);
    let said = |name: &str, sum: &[u8]| format!("Upload-Checksum: {name} {}", BASE64.encode(sum));
    let wrong = said("sha1", sha1(b"xyz").as_ref());
    assert_eq!(send(&door, &at, 0, b"abc", &["-H", &wrong]).0, 460);
    assert_eq!(offset(&door, &at), Some(0));
    assert_eq!(send(&door, &at, 0, b"abc", &["-H", "Upload-Checksum: md5 AAAA"]).0, 400);
    assert_eq!(send(&door, &at, 0, b"abc", &["-H", &said("sha1", sha1(b"abc").as_ref())]), (204, Some(3)));
    assert_eq!(send(&door, &at, 3, b"xyz", &["-H", &said("sha256", sha256(b"def").as_ref())]).0, 460);
    assert!(!door.root.join("f").exists() && offset(&door, &at) == Some(3));
    assert_eq!(send(&door, &at, 3, b"def", &["-H", &said("sha256", sha256(b"def").as_ref())]), (204, Some(6)));
    assert_eq!(std::fs::read(door.root.join("f")).unwrap(), b"abcdef");
    // The whole, too.
    let of_whole = format!("sha256 {}", data_encoding::HEXLOWER.encode(sha256(b"abcdef").as_ref()));
    let (wrong, right) = (("g", b"abcdeg"), ("h", b"abcdef"));
    let at = announce(&door, 6, &[("filename", wrong.0), ("checksum", &of_whole)]);
    assert_eq!(send(&door, &at, 0, wrong.1, &[]).0, 460);
    assert_eq!((offset(&door, &at), door.leftovers(), door.root.join("g").exists()), (None, vec![], false));
    let at = announce(&door, 6, &[("filename", right.0), ("checksum", &of_whole)]);
    assert_eq!(send(&door, &at, 0, right.1, &[]).0, 204);
    let (head, _) = door.exchange(&["-H", "Want-Repr-Digest: sha-256=1"], "/files/h");
    assert!(head.contains("repr-digest: sha-256=:"), "what was computed is remembered: {head}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_is_taken_stays_what_it_is() {
    let door = Https::start().await;
    std::fs::write(door.root.join("old"), "old").unwrap();
    assert_eq!(refused(&door, "anna", 3, &[("filename", "old")]), 412);
    let at = announce(&door, 3, &[("filename", "late")]);
    std::fs::write(door.root.join("late"), "somebody else's").unwrap();
    assert_eq!(send(&door, &at, 0, b"new", &[]).0, 412);
    assert_eq!(std::fs::read_to_string(door.root.join("late")).unwrap(), "somebody else's");
    assert_eq!(offset(&door, &at), Some(0), "it is not said to have arrived");
    std::fs::remove_file(door.root.join("late")).unwrap();
    assert_eq!(send(&door, &at, 0, b"new", &[]), (204, Some(3)));
    let at = announce(&door, 3, &[("filename", "old"), ("overwrite", "true")]);
    assert_eq!(send(&door, &at, 0, b"new", &[]), (204, Some(3)));
    assert_eq!(std::fs::read_to_string(door.root.join("old")).unwrap(), "new");
}

#[tokio::test(flavor = "multi_thread")]
async fn locks_of_webdav_hold() {
    let door = Https::start().await;
    std::fs::write(door.root.join("f"), "old").unwrap();
    let lock = || {
        let (head, _) = door.exchange(&["-X", "LOCK", "-d", LOCK], "/dav/f");
        head.split("lock-token: <").nth(1).unwrap().split('>').next().unwrap().to_owned()
    };
    let over = [("filename", "f"), ("overwrite", "true")];
    let token = lock();
    assert_eq!(refused(&door, "anna", 3, &over), 423);
    let unlock = |token: &str| door.status(&["-X", "UNLOCK", "-H", &format!("Lock-Token: <{token}>")], "/dav/f");
    assert_eq!(unlock(&token), 204);
    let at = announce(&door, 3, &over);
    let token = lock();
    assert_eq!(send(&door, &at, 0, b"new", &[]).0, 423);
    assert_eq!(std::fs::read_to_string(door.root.join("f")).unwrap(), "old");
    let with = format!("If: (<{token}>)");
    assert_eq!(send(&door, &at, 0, b"new", &["-H", &with]), (204, Some(3)));
    assert_eq!(std::fs::read_to_string(door.root.join("f")).unwrap(), "new");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quota_holds() {
    let door = Https::start().await;
    let quota = Quota { bytes: Some(1_000_000), files: None };
    let scope = Scope { quota, ..Scope::of(RelPath::root(), Access::ReadWrite) };
    door.accounts.set_scope(&Actor::System, "anna", &scope).await.unwrap();
    assert_eq!(refused(&door, "anna", 1_000_001, &[("filename", "f")]), 507);
    // Two that do not both fit are found out when they come.
    let (one, two) = (announce(&door, 700_000, &[("filename", "a")]), announce(&door, 700_000, &[("filename", "b")]));
    let bytes = content(700_000);
    assert_eq!(send(&door, &one, 0, &bytes, &[]).0, 204);
    assert_eq!(send(&door, &two, 0, &bytes, &[]).0, 507);
    assert!(!door.root.join("b").exists());
    assert_eq!(door.status(&["-X", "DELETE", "-H", TUS], &two), 204);
    assert_eq!(leftovers(&door.root), 0);
}
