//! Who may do what, and where.

use std::process::Command;
use std::sync::Arc;

use causeway::audit::{Actor, AuditLog, Filter};
use causeway::model::{Secret, SystemClock};

use super::LOCK;
use crate::support::https::Https;
use crate::support::totp;

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
