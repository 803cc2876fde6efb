//! MKCOL, with and without a body.

use super::{LOCK, lock};
use crate::support::https::Https;

fn with_body(door: &Https, props: &str, path: &str) -> (String, String) {
    let body = format!("<D:mkcol xmlns:D='DAV:' xmlns:u='urn:u'><D:set><D:prop>{props}</D:prop></D:set></D:mkcol>");
    let (head, body) = door.exchange(&["-X", "MKCOL", "-H", "Content-Type: text/xml", "-d", &body], path);
    (head.split(' ').nth(1).unwrap().to_owned(), String::from_utf8(body).unwrap())
}

const FOLDER: &str = "<D:resourcetype><D:collection/></D:resourcetype>";

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_is_made_with_its_properties_or_not_at_all() {
    let door = Https::start().await;
    let (head, _) = door.exchange(&["-X", "OPTIONS"], "/dav/");
    assert!(head.contains("dav: 1, 2, 3, extended-mkcol"), "{head}");
    let props = format!("{FOLDER}<D:displayname>Reports</D:displayname><u:colour>red</u:colour>");
    assert_eq!(with_body(&door, &props, "/dav/reports").0, "201");
    let ask = "<D:propfind xmlns:D='DAV:'><D:prop><D:displayname/><u:colour xmlns:u='urn:u'/></D:prop></D:propfind>";
    let told = door.curl(&["-X", "PROPFIND", "-H", "Depth: 0", "-d", ask], "/dav/reports/").stdout;
    let told = String::from_utf8(told).unwrap();
    assert!(told.contains(">Reports</") && told.contains(">red</") && !told.contains("404"), "{told}");

    // RFC 5689, 3.5: what is to blame, and what depends on it.
    for kind in ["<D:collection/><u:calendar/>", "<u:calendar/>", ""] {
        let props = format!("<D:resourcetype>{kind}</D:resourcetype><D:displayname>x</D:displayname>");
        let (status, said) = with_body(&door, &props, "/dav/none");
        assert_eq!(status, "403", "{kind}");
        let answer = xmltree::Element::parse(said.as_bytes()).unwrap();
        assert_eq!((answer.name.as_str(), answer.namespace.as_deref()), ("mkcol-response", Some("DAV:")));
        let stat = answer.get_child("propstat").unwrap();
        assert!(stat.get_child("prop").unwrap().get_child("resourcetype").is_some(), "{said}");
        assert!(stat.get_child("error").unwrap().get_child("valid-resourcetype").is_some(), "{said}");
        assert!(said.contains("<D:displayname/></D:prop><D:status>HTTP/1.1 424 Failed Dependency"), "{said}");
    }
    let (status, said) = with_body(&door, &format!("{FOLDER}<D:getetag>x</D:getetag><u:a>x</u:a>"), "/dav/none");
    assert!(status == "403" && said.contains("<D:getetag/></D:prop><D:status>HTTP/1.1 403"), "{said}");
    let large = format!("{FOLDER}<u:large>{}</u:large>", "x".repeat(17_000));
    let (status, said) = with_body(&door, &large, "/dav/none");
    assert!(status == "507" && said.contains("a property has at most 16 KiB"), "{said}");
    assert!(!door.root.join("none").exists());
    let stored = sqlx::query_scalar::<_, i64>("SELECT count(*) FROM dav_properties WHERE path = CAST('none' AS BLOB)");
    assert_eq!(stored.fetch_one(door.db.read()).await.unwrap(), 0);
    assert_eq!(with_body(&door, &props, "/dav/reports").0, "405", "it is there");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_understood_makes_no_folder_and_a_lock_holds() {
    let door = Https::start().await;
    std::fs::write(door.root.join("file"), "x").unwrap();
    let mkcol = |args: &[&str], path: &str| door.status(&[&["-X", "MKCOL"], args].concat(), path);
    for body in ["some text", "<D:propfind xmlns:D='DAV:'><D:allprop/></D:propfind>", "<mkcol/>", "<D:mkcol"] {
        assert_eq!(mkcol(&["-d", body], "/dav/none"), 415, "{body}");
    }
    assert_eq!(mkcol(&[], "/dav/missing/none"), 409);
    assert_eq!(mkcol(&[], "/dav/file/none"), 409);
    assert_eq!((mkcol(&[], "/dav/file"), mkcol(&[], "/dav/")), (405, 405));
    assert_eq!(mkcol(&["-H", "If-Match: *"], "/dav/none"), 412);
    assert_eq!(mkcol(&["-H", "If: (<urn:uuid:1>)"], "/dav/none"), 412);
    std::fs::create_dir(door.root.join("locked")).unwrap();
    let token = lock(&door, "Infinite", "/dav/locked");
    assert_eq!(mkcol(&[], "/dav/locked/none"), 423);
    assert!(!door.root.join("none").exists() && !door.root.join("locked/none").exists());
    assert_eq!(mkcol(&["-H", &format!("If: (<{token}>)")], "/dav/locked/one"), 201);
    assert_eq!(mkcol(&[], "/dav/two"), 201);
    assert_eq!(door.status_as("reader", &["-X", "LOCK", "-d", LOCK], "/dav/three"), 403);
}
