//! Checksums: those that come with a content, and those that are told of it.

use std::process::Command;
use std::time::Duration;

use data_encoding::{BASE64, HEXLOWER};

use super::property;
use crate::support::https::Https;

/// What GNU's tools say of `text`: in hexadecimal, and in base64.
fn sum(tool: &str, text: &[u8]) -> (String, String) {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    let said = Command::new(tool).arg(file.path()).output().unwrap().stdout;
    let hex = String::from_utf8(said).unwrap().split(' ').next().unwrap().to_owned();
    let base64 = BASE64.encode(&HEXLOWER.decode(hex.as_bytes()).unwrap());
    (hex, base64)
}

fn checksums(door: &Https, path: &str) -> Option<String> {
    property(door, path, "oc", "checksums")
}

fn patch(door: &Https, path: &str, action: &str, props: &str) -> String {
    let body = format!(
        "<D:propertyupdate xmlns:D='DAV:' xmlns:oc='http://owncloud.org/ns'><D:{action}><D:prop>{props}</D:prop>\
         </D:{action}></D:propertyupdate>"
    );
    String::from_utf8(door.curl(&["-X", "PROPPATCH", "-d", &body], path).stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_put_says_of_its_content_must_be_true() {
    let door = Https::start().await;
    let text = |name: &str| std::fs::read_to_string(door.root.join(name)).ok();
    let (sha1, sha256, sha512) = (sum("sha1sum", b"new"), sum("sha256sum", b"new"), sum("sha512sum", b"new"));
    let (md5, other) = (sum("md5sum", b"new"), sum("sha256sum", b"other"));
    let right = [
        format!("OC-Checksum: SHA1:{}", sha1.0),
        format!("OC-Checksum: MD5:{}", md5.0.to_uppercase()),
        format!("Content-Digest: sha-256=:{}:", sha256.1),
        format!("Repr-Digest: sha-512=:{}:, unixsum=:AA==:", sha512.1),
        format!("Digest: SHA-256={}", sha256.1),
        // Nobody here knows it.
        "OC-Checksum: ADLER32:01234567".to_owned(),
    ];
    let wrong = [
        "OC-Checksum: SHA1:a9993e364706816aba3e25717850c26c9cd0d89d".to_owned(),
        format!("Content-Digest: sha-256=:{}:", other.1),
        format!("Repr-Digest: sha-512=:{}:, sha-256=:{}:", sha512.1, other.1),
        format!("Digest: SHA-256={}", other.1),
    ];
    let nonsense = ["OC-Checksum: SHA1:1234", "Content-Digest: sha-256=:AA==:", "Repr-Digest: sha-256=new"];
    for mount in ["/dav", "/files"] {
        for header in &right {
            assert!(matches!(door.status(&["-X", "PUT", "-d", "new", "-H", header], &format!("{mount}/f")), 201 | 204));
            assert_eq!(text("f").as_deref(), Some("new"), "{mount} {header}");
        }
        std::fs::write(door.root.join("f"), "old").unwrap();
        for header in &wrong {
            let (head, said) = door.exchange(&["-X", "PUT", "-d", "new", "-H", header], &format!("{mount}/f"));
            assert!(head.starts_with("http/2 400"), "{mount} {header}: {head}");
            let said = String::from_utf8(said).unwrap();
            assert!(said.contains("does not have the checksum that came with it"), "{said}");
            assert_eq!(door.status(&["-X", "PUT", "-d", "new", "-H", header], &format!("{mount}/none")), 400);
        }
        for header in nonsense {
            assert_eq!(door.status(&["-X", "PUT", "-d", "new", "-H", header], &format!("{mount}/f")), 400, "{header}");
        }
        assert_eq!((text("f").as_deref(), text("none")), (Some("old"), None), "{mount}");
    }
    assert_eq!(door.leftovers(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn checksums_are_of_the_content_that_is_there() {
    let door = Https::start().await;
    let (sha1, md5) = (sum("sha1sum", b"new").0, sum("md5sum", b"new").0);
    let oc = format!("OC-Checksum: MD5:{md5}");
    let put = |header: &str| door.status(&["-X", "PUT", "-d", "new", "-H", header], "/dav/f");
    assert_eq!(put("X-Nothing: said"), 201);
    assert_eq!(checksums(&door, "/dav/f"), None, "nothing is read for a listing");
    assert_eq!(put(&oc), 204);
    let told = Some(format!("SHA1:{sha1} MD5:{md5}"));
    assert_eq!(checksums(&door, "/dav/f"), told);
    let names = "<D:propfind xmlns:D='DAV:'><D:propname/></D:propfind>";
    let names = door.curl(&["-X", "PROPFIND", "-H", "Depth: 1", "-d", names], "/dav/").stdout;
    assert!(String::from_utf8(names).unwrap().contains("checksums"));

    // Clients send it along. What is not true changes nothing, and nothing of it is stored.
    let time = "<D:lastmodified>1000000000</D:lastmodified>";
    let claim = |sum: &str| format!("{time}<oc:checksums><oc:checksum>{sum}</oc:checksum></oc:checksums>");
    let said = patch(&door, "/dav/f", "set", &claim("SHA1:a9993e364706816aba3e25717850c26c9cd0d89d"));
    assert!(said.contains("409 Conflict") && said.contains("424 Failed Dependency"), "{said}");
    let said = patch(&door, "/dav/f", "remove", "<oc:checksums/>");
    assert!(said.contains("403 Forbidden"), "{said}");
    let mtime = || std::fs::metadata(door.root.join("f")).unwrap().modified().unwrap();
    let then = std::time::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    assert!(mtime() != then);
    let said = patch(&door, "/dav/f", "set", &claim(&format!("SHA1:{sha1}")));
    assert!(said.contains("200 OK") && !said.contains("40"), "{said}");
    assert_eq!(mtime(), then);
    assert_eq!(checksums(&door, "/dav/f"), told, "another time is no other content");

    let to = format!("Destination: {}", door.url("/dav/g"));
    assert_eq!(door.status(&["-X", "MOVE", "-H", &to], "/dav/f"), 201);
    let door = door.restart().await;
    assert_eq!(checksums(&door, "/dav/g"), told, "wherever it is, and after a restart");
    assert_eq!(door.status(&["-X", "PUT", "-d", "two"], "/dav/g"), 204);
    assert_eq!(checksums(&door, "/dav/g"), None, "of the new content nobody knows any");
    let said = patch(&door, "/dav/g", "set", &claim(&format!("SHA1:{sha1}")));
    assert!(said.contains("200 OK"), "{said}");
    assert_eq!(checksums(&door, "/dav/g"), None, "and a client's word is not taken");
    let stored = sqlx::query_scalar::<_, i64>("SELECT count(*) FROM dav_properties");
    assert_eq!(stored.fetch_one(door.db.read()).await.unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_digest_that_is_wanted_is_told_and_then_known() {
    let door = Https::start().await;
    let text = "text\n".repeat(1000);
    std::fs::write(door.root.join("f.txt"), &text).unwrap();
    let (sha256, md5) = (sum("sha256sum", text.as_bytes()), sum("md5sum", text.as_bytes()));
    let answer = |args: &[&str]| door.exchange(args, "/dav/f.txt").0;
    let wish = "Want-Repr-Digest: sha-256=1";
    let told = format!("repr-digest: sha-256=:{}:", sha256.1.to_lowercase());
    assert!(!answer(&["-H", wish]).contains("digest"), "for a GET the file is not read twice");
    assert!(answer(&["-I", "-H", wish]).contains(&told));
    assert_eq!(checksums(&door, "/dav/f.txt"), Some(format!("SHA256:{}", sha256.0)));
    // It is about the bytes as they are, so that they are not compressed.
    let got = answer(&["-H", wish, "-H", "Accept-Encoding: gzip"]);
    assert!(got.contains(&told) && !got.contains("content-encoding"), "{got}");
    assert!(answer(&["-H", "Accept-Encoding: gzip"]).contains("content-encoding: gzip"));
    assert!(answer(&["-r", "0-9", "-H", wish]).contains(&told), "of the whole file, whatever part is sent");
    let old = answer(&["-I", "-H", "Want-Digest: unixsum, MD5;q=0.3, SHA;q=0"]);
    assert!(old.contains(&format!("digest: md5={}", md5.1.to_lowercase())) && !old.contains("repr-digest"), "{old}");
    let both = Some(format!("SHA256:{} MD5:{}", sha256.0, md5.0));
    let sorted = |told: Option<String>| {
        let mut words: Vec<String> = told.unwrap_or_default().split(' ').map(str::to_owned).collect();
        words.sort();
        words
    };
    assert_eq!(sorted(checksums(&door, "/dav/f.txt")), sorted(both));
    std::fs::write(door.root.join("f.txt"), "other").unwrap();
    assert_eq!(checksums(&door, "/dav/f.txt"), None, "whoever changes it beside us is noticed");
}
