//! Dead properties, and the times that clients set.

use std::time::Duration;

use crate::support::https::Https;

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

/// A file that went past WebDAV leaves its properties to nobody.
#[tokio::test(flavor = "multi_thread")]
async fn a_new_file_has_no_properties_of_an_old_one() {
    let door = Https::start().await;
    let set =
        "<D:propertyupdate xmlns:D='DAV:'><D:set><D:prop><x xmlns='u'>of old</x></D:prop></D:set></D:propertyupdate>";
    let ask = "<D:propfind xmlns:D='DAV:'><D:prop><x xmlns='u'/></D:prop></D:propfind>";
    let told =
        || String::from_utf8(door.curl(&["-X", "PROPFIND", "-H", "Depth: 0", "-d", ask], "/dav/f").stdout).unwrap();
    assert_eq!(door.status(&["-X", "PUT", "-d", "old"], "/dav/f"), 201);
    assert_eq!(door.status(&["-X", "PROPPATCH", "-d", set], "/dav/f"), 207);
    assert_eq!(door.status(&["-X", "PUT", "-d", "newer"], "/dav/f"), 204);
    assert!(told().contains("of old"), "the same file keeps them");
    std::fs::remove_file(door.root.join("f")).unwrap();
    assert_eq!(door.status(&["-X", "PUT", "-d", "new"], "/dav/f"), 201);
    assert!(!told().contains("of old"), "{}", told());
}

/// A request that is refused for its body leaves nothing behind.
#[tokio::test(flavor = "multi_thread")]
async fn a_copy_with_a_bad_body_leaves_no_hidden_folder() {
    let door = Https::start().await;
    std::fs::create_dir(door.root.join("d")).unwrap();
    let body = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(body.path(), vec![b'x'; 1 << 20]).unwrap();
    let (to, body) = (format!("Destination: {}", door.url("/dav/e")), format!("@{}", body.path().display()));
    let status = door.status(&["-X", "COPY", "-H", &to, "--data-binary", &body], "/dav/d");
    assert!(status >= 400, "{status}");
    let names: Vec<_> = std::fs::read_dir(&door.root).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["d"]);
}
