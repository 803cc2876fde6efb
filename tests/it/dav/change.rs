//! COPY, MOVE and DELETE, and who hangs up in the middle.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::causeway::Causeway;
use crate::support::https::{Https, PASSWORD, head};
use crate::support::tls::tls;

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
        if seen == Some(now) && now.0 == now.1 && now.2 == now.3 && door.leftovers().is_empty() {
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

/// So many files are copied, each of which is synced: it takes its time.
const FILES: usize = 3000;

#[test]
fn a_folder_is_copied_whole_or_not_at_all_whenever_the_process_is_killed() {
    let mut causeway = Causeway::serve();
    causeway.account("anna", PASSWORD, &[]);
    let from = causeway.tree().join("from");
    for number in 0..FILES {
        let folder = from.join(format!("{}", number % 7));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(number.to_string()), number.to_string()).unwrap();
    }
    let copy = |https: std::net::SocketAddr, overwrite: &str| {
        let to = format!("Destination: https://{https}/dav/to");
        Command::new("curl")
            .args(["-sk", "--max-time", "100", "-u", &format!("anna:{PASSWORD}"), "-X", "COPY", "-H", &to])
            .args(["-H", &format!("Overwrite: {overwrite}"), "-o", "/dev/null", "-w", "%{http_code}"])
            .arg(format!("https://{https}/dav/from"))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap()
    };
    let count = |folder: &Path| {
        let found = Command::new("find").arg(folder).args(["-type", "f"]).output().unwrap().stdout;
        String::from_utf8_lossy(&found).lines().count()
    };
    let staged = |tree: &Path| {
        let names = std::fs::read_dir(tree).unwrap().map(|entry| entry.unwrap().path());
        names.into_iter().find(|path| path.file_name().unwrap().to_string_lossy().starts_with(".causeway-staged-"))
    };
    let (tree, to) = (causeway.tree(), causeway.tree().join("to"));
    // Where nothing is, and over what is there.
    for round in 0..2 {
        if round == 1 {
            std::fs::create_dir(&to).unwrap();
            std::fs::write(to.join("old"), "old").unwrap();
        }
        let mut client = copy(causeway.https, "T");
        let begin = Instant::now();
        while staged(&tree).is_none_or(|hidden| count(&hidden) < 50) {
            assert!(begin.elapsed() < Duration::from_secs(60), "nothing is copied");
            assert!(client.try_wait().unwrap().is_none(), "it was over at once");
        }
        causeway.kill_nine();
        client.wait().unwrap();
        let hidden = staged(&tree).expect("it was in the middle");
        let copied = count(&hidden);
        println!("killed after {copied} of {FILES} files");
        assert!(copied < FILES);
        let seen = || if to.exists() { std::fs::read_dir(&to).unwrap().count() } else { 0 };
        assert_eq!(seen(), round, "nobody sees a part of it");
        causeway.again();
        let begin = Instant::now();
        while staged(&tree).is_some() {
            assert!(begin.elapsed() < Duration::from_secs(60), "what is left is swept up");
            std::thread::sleep(Duration::from_millis(20));
        }
        assert_eq!(seen(), round);
    }
    let answer = copy(causeway.https, "T").wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&answer.stdout), "204");
    let same = Command::new("diff").arg("-r").args([&from, &to]).status().unwrap();
    assert!(same.success() && staged(&tree).is_none());
    let answer = copy(causeway.https, "F").wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&answer.stdout), "412");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_fails_in_the_middle_leaves_nothing_where_nothing_was() {
    let door = Https::start().await;
    for name in ["a/one", "a/d/two", "a/d/e/three"] {
        std::fs::create_dir_all(door.root.join(name).parent().unwrap()).unwrap();
        std::fs::write(door.root.join(name), "x").unwrap();
    }
    let to = |name: &str| format!("Destination: {}", door.url(&format!("/dav/{name}")));
    let copy = |more: &[&str], name: &str| door.status(&[&["-X", "COPY", "-H", &to(name)], more].concat(), "/dav/a");
    let colour = "<D:propertyupdate xmlns:D='DAV:'><D:set><D:prop><u:c xmlns:u='u'>red</u:c></D:prop></D:set>\
        </D:propertyupdate>";
    for path in ["/dav/a", "/dav/a/d/two"] {
        assert_eq!(door.status(&["-X", "PROPPATCH", "-d", colour], path), 207);
    }
    // In the middle a path gets longer than any file system allows.
    let long: String = ('b'..'u').map(|letter| letter.to_string().repeat(200)).collect::<Vec<_>>().join("/");
    std::fs::create_dir_all(door.root.join("a").join(&long)).unwrap();
    let folder = |letter: char| letter.to_string().repeat(200);
    let below = [folder('x'), folder('y'), folder('z')].join("/");
    std::fs::create_dir_all(door.root.join(&below)).unwrap();
    let place = format!("{below}/to");
    let (head, said) = door.exchange(&["-X", "COPY", "-H", &to(&place)], "/dav/a");
    assert!(head.starts_with("http/2 207"), "{head}");
    assert!(String::from_utf8(said).unwrap().contains("nothing was copied"), "and it is said");
    assert_eq!(std::fs::read_dir(door.root.join(&below)).unwrap().count(), 0);
    std::fs::remove_dir_all(door.root.join("a").join(folder('b'))).unwrap();
    assert_eq!(copy(&[], "missing/b"), 409);
    assert_eq!(copy(&[], "b"), 201);
    assert_eq!(std::fs::read_to_string(door.root.join("b/d/e/three")).unwrap(), "x");
    assert_eq!(copy(&["-H", "Depth: 0"], "c"), 201);
    assert_eq!(std::fs::read_dir(door.root.join("c")).unwrap().count(), 0, "the folder alone");
    let properties = sqlx::query_scalar::<_, String>("SELECT CAST(path AS TEXT) FROM dav_properties ORDER BY path");
    assert_eq!(properties.fetch_all(door.db.read()).await.unwrap(), ["a", "a/d/two", "b", "b/d/two", "c"]);
    assert_eq!((audited(&door, "door-copied").await, door.leftovers()), (2, vec![]));
}
