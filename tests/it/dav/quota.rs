//! Quotas as WebDAV clients meet them (RFC 4331).

use causeway::audit::Actor;
use causeway::model::{Access, Quota, RelPath, Scope};

use super::clients::rclone;
use super::{LOCK, property};
use crate::support::https::Https;

/// `anna` may hold so much.
async fn door(bytes: u64, files: u64) -> Https {
    let door = Https::start().await;
    let quota = Quota { bytes: Some(bytes), files: Some(files) };
    let scope = Scope { quota, ..Scope::of(RelPath::root(), Access::ReadWrite) };
    door.accounts.set_scope(&Actor::System, "anna", &scope).await.unwrap();
    door
}

/// What is told as used and as available.
fn told(door: &Https) -> (u64, u64) {
    let number = |name: &str| property(door, "/dav/", "D", name).unwrap().parse().unwrap();
    (number("quota-used-bytes"), number("quota-available-bytes"))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_left_is_told_and_what_is_more_is_507() {
    let door = door(1_000_000, 8).await;
    let local = tempfile::NamedTempFile::new().unwrap();
    let put = |length: usize, path: &str| {
        std::fs::write(local.path(), vec![7; length]).unwrap();
        door.status(&["-T", local.path().to_str().unwrap()], path)
    };
    assert_eq!(told(&door), (0, 1_000_000));
    assert_eq!(put(600_000, "/dav/f"), 201);
    assert_eq!(told(&door), (600_000, 400_000));
    for mount in ["/dav", "/files"] {
        assert_eq!(put(400_001, &format!("{mount}/g")), 507, "{mount}");
        assert_eq!(put(1_000_001, &format!("{mount}/f")), 507, "{mount}");
    }
    let to = |name: &str| format!("Destination: {}", door.url(&format!("/dav/{name}")));
    assert_eq!(door.status(&["-X", "COPY", "-H", &to("g")], "/dav/f"), 507);
    assert_eq!(told(&door), (600_000, 400_000), "nothing of all that is there");
    assert_eq!((std::fs::read_dir(&door.root).unwrap().count(), door.leftovers()), (1, vec![]));
    // In place of the old one there is room for a larger one.
    assert_eq!(put(700_000, "/dav/f"), 204);
    assert_eq!(put(300_000, "/files/g"), 201);
    let about: serde_json::Value =
        serde_json::from_slice(&rclone(&door, &["about", "--json", ":webdav:"]).stdout).unwrap();
    assert_eq!((&about["used"], &about["free"]), (&1_000_000.into(), &0.into()), "{about}");
    assert_eq!(door.status(&["-X", "DELETE"], "/dav/f"), 204);
    assert_eq!(told(&door), (300_000, 700_000));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_does_not_fit_is_not_copied_and_names_count() {
    let door = door(100, 7).await;
    for name in ["d/one", "d/two"] {
        std::fs::create_dir_all(door.root.join("d")).unwrap();
        std::fs::write(door.root.join(name), vec![7; 30]).unwrap();
    }
    let to = format!("Destination: {}", door.url("/dav/e"));
    let (head, said) = door.exchange(&["-X", "COPY", "-H", &to], "/dav/d");
    let said = String::from_utf8(said).unwrap();
    assert!(head.starts_with("http/2 207") && said.contains("507 Insufficient Storage"), "{head}{said}");
    assert_eq!((door.root.join("e").exists(), door.leftovers(), told(&door)), (false, vec![], (60, 40)));
    for number in 0..4 {
        assert_eq!(door.status(&["-X", "MKCOL"], &format!("/dav/n{number}")), 201);
    }
    assert_eq!(door.status(&["-X", "MKCOL"], "/dav/n4"), 507);
    assert_eq!(door.status(&["-X", "LOCK", "-d", LOCK], "/dav/n4"), 507);
    assert_eq!(door.status(&["-X", "PUT", "-d", ""], "/dav/n4"), 507);
    let locks = sqlx::query_scalar::<_, i64>("SELECT count(*) FROM dav_locks");
    assert_eq!(locks.fetch_one(door.db.read()).await.unwrap(), 0);
    assert!(!door.root.join("n4").exists());
    assert_eq!(door.status(&["-X", "DELETE"], "/dav/n0"), 204);
    assert_eq!(door.status(&["-X", "PUT", "-d", "x"], "/dav/n4"), 201);
}
