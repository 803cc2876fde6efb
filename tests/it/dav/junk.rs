//! What systems leave beside files: kept, hidden or refused, and then by every method alike.

use causeway::drive::Junk;

use super::LOCK;
use crate::support::https::Https;

const JUNK: [&str; 3] = ["._f", ".DS_Store", "Thumbs.db"];

fn listed(door: &Https, depth: &str) -> Vec<&'static str> {
    let depth = format!("Depth: {depth}");
    let answer = door.curl(&["-X", "PROPFIND", "-H", &depth], "/dav/").stdout;
    let answer = String::from_utf8(answer).unwrap();
    let named = |name: &str| answer.contains(&format!("{name}</D:href>"));
    assert!(named("/d/f") == (depth == "Depth: infinity") && named("/dav/d/"), "{answer}");
    // The page that a browser sees says the same.
    let page = String::from_utf8(door.curl(&[], "/dav/").stdout).unwrap();
    assert!(page.contains("d/") && page.contains(".DS_Store") == named("/dav/.DS_Store"), "{page}");
    JUNK.into_iter().filter(|name| named(&format!("/d/{name}")) || named(&format!("/dav/{name}"))).collect()
}

/// PUT, LOCK, PROPFIND, GET, PROPPATCH, MKCOL, MOVE to it, COPY of it.
fn statuses(door: &Https, name: &str) -> [u16; 8] {
    let path = format!("/dav/d/{name}");
    let patch =
        "<D:propertyupdate xmlns:D='DAV:'><D:set><D:prop><x xmlns='u'>y</x></D:prop></D:set></D:propertyupdate>";
    std::fs::write(door.root.join("from"), "from").unwrap();
    let to = format!("Destination: {}", door.url(&path));
    let away = format!("Destination: {}", door.url("/dav/away"));
    let put = door.status(&["-X", "PUT", "-d", "x"], &path);
    let (locked, _) = door.exchange(&["-X", "LOCK", "-d", LOCK], &path);
    let lock = locked.split(' ').nth(1).unwrap().parse().unwrap();
    if let Some(token) = locked.split("lock-token: ").nth(1) {
        let token = format!("Lock-Token: {}", token.split('\r').next().unwrap());
        assert_eq!(door.status(&["-X", "UNLOCK", "-H", &token], &path), 204);
    }
    let find = door.status(&["-X", "PROPFIND", "-H", "Depth: 0"], &path);
    let get = door.status(&[], &path);
    let patched = door.status(&["-X", "PROPPATCH", "-d", patch], &path);
    let made = door.status(&["-X", "MKCOL"], &format!("{path}.d"));
    let moved = door.status(&["-X", "MOVE", "-H", &to], "/dav/from");
    let copied = door.status(&["-X", "COPY", "-H", &away], &path);
    [put, lock, find, get, patched, made, moved, copied]
}

#[tokio::test(flavor = "multi_thread")]
async fn what_systems_leave_is_kept_or_hidden_or_refused() {
    let door = Https::start().await;
    std::fs::create_dir(door.root.join("d")).unwrap();
    std::fs::write(door.root.join("d/f"), "x").unwrap();
    for name in JUNK {
        std::fs::write(door.root.join("d").join(name), "of before").unwrap();
    }
    std::fs::write(door.root.join(".DS_Store"), "of before").unwrap();
    assert_eq!(listed(&door, "infinity"), JUNK, "kept");
    assert_eq!(listed(&door, "1"), [".DS_Store"]);
    let door = door.restart_with(Junk::Hide).await;
    assert_eq!((listed(&door, "infinity"), listed(&door, "1")), (vec![], vec![]));
    for name in JUNK {
        let [put, lock, find, get, patched, made, moved, copied] = statuses(&door, name);
        assert_eq!([put, lock, find, get, patched, moved], [204, 200, 207, 200, 207, 204], "{name}: as if nothing was");
        // Only `._f.d` is junk, too.
        assert!(made == 201 && matches!(copied, 201 | 204), "{name}");
    }
    for name in JUNK {
        std::fs::remove_dir(door.root.join(format!("d/{name}.d"))).unwrap();
    }
    let door = door.restart_with(Junk::Refuse).await;
    assert_eq!((listed(&door, "infinity"), listed(&door, "1")), (vec![], vec![]));
    for name in JUNK {
        for there in [true, false] {
            let [put, lock, find, get, patched, _, moved, copied] = statuses(&door, name);
            assert_eq!([put, lock, find, get, patched], [403, 403, 404, 404, 403], "{name}");
            assert_eq!([moved, copied], [403, 404], "{name}");
            assert_eq!(door.root.join("d").join(name).exists(), there, "{name}");
            let deleted = door.status(&["-X", "DELETE"], &format!("/dav/d/{name}"));
            assert_eq!(deleted, if there { 204 } else { 404 }, "{name}: what is there can be taken away");
        }
    }
    let locks = sqlx::query_scalar::<_, i64>("SELECT count(*) FROM dav_locks");
    assert_eq!(locks.fetch_one(door.db.read()).await.unwrap(), 0, "no lock is left of what was refused");
    let (_, said) = door.exchange(&["-X", "PUT", "-d", "x"], "/dav/._x");
    assert!(String::from_utf8(said).unwrap().contains("is not taken here"));
    assert_eq!(door.status(&["-X", "PUT", "-d", "x"], "/files/._x"), 201, "this is about WebDAV");
    assert_eq!(door.status(&["-X", "DELETE"], "/dav/d"), 204, "a folder goes with what is hidden in it");
}
