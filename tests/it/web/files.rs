//! Files in the dashboard: nothing is dropped in silence, no name is bent.

use std::os::unix::ffi::OsStrExt as _;

use super::site::{Curl, Site, token};

#[test]
fn an_upload_without_scripts_names_what_it_refused() {
    let site = Site::start();
    let curl = Curl::signed_in(&site, "partner");
    let page = curl.get("/browse/").body;
    let csrf = format!("csrf={}", token(&page));
    let source = site.source().join("sub folder/file 3.txt");
    let file = |name: &str| format!("files=@{};filename={name}", source.display());
    let (one, two, bad) = (file("one.txt"), file("two.txt"), file(".."));
    let twice = ["-F", &csrf, "-F", &one, "-F", &one, "-F", &bad, "-F", &two];
    assert_eq!(curl.call("/upload/", &twice).status, 303);
    let said = curl.get("/browse/").body;
    assert!(said.contains("2 files are uploaded. Not uploaded: “one.txt” (something of that name"), "{said}");
    assert!(said.contains("“..” ("), "{said}");
    let json = curl.call("/upload/", &["-H", "Accept: application/json", "-F", &csrf, "-F", &one]);
    assert_eq!(json.status, 409);
    assert!(json.body.contains(r#""to":"/browse/""#), "{}", json.body);
    assert_eq!(curl.call("/upload/", &["-H", "Accept: application/json", "-F", "csrf=x", "-F", &one]).status, 403);
}

#[test]
fn who_may_only_read_is_refused_before_the_file_is_sent() {
    let site = Site::start();
    let curl = Curl::signed_in(&site, "reader");
    let local = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(local.path(), vec![b'x'; 8 << 20]).unwrap();
    let file = format!("files=@{};filename=x", local.path().display());
    let waits = ["--http1.1", "-H", "Expect: 100-continue", "--expect100-timeout", "15", "-w", "%{size_upload}"];
    let refused = curl.call("/upload/", &[&waits[..], &["-F", "csrf=wrong", "-F", &file]].concat());
    assert_eq!(refused.status, 403, "{}", refused.body);
    assert!(
        refused.body.contains("not open to your account") && refused.body.ends_with("</html>0"),
        "{}",
        refused.body
    );
}

#[test]
fn names_stay_what_they_are() {
    let site = Site::start();
    let home = site.tree().join("partners/a");
    let gbk = std::ffi::OsStr::from_bytes(b"\xd6\xd0.txt");
    std::fs::write(home.join(gbk), "gbk").unwrap();
    std::fs::write(home.join(" spaced "), "spaced").unwrap();
    let curl = Curl::signed_in(&site, "partner");
    let page = curl.get("/browse/").body;
    assert!(page.contains("the name is not UTF-8") && page.contains("the name ends with a space"), "{page}");
    // The sheet sends back what it showed: nothing is renamed.
    let shown = "\\xd6\\xd0.txt";
    let same = [("do", "rename"), ("from", "%D6%D0.txt"), ("shown", shown), ("name", shown)];
    assert!(curl.told("/browse/", "/browse/", &same).contains("Nothing was changed"));
    let same = [("do", "rename"), ("from", "%20spaced%20"), ("shown", " spaced "), ("name", " spaced ")];
    assert!(curl.told("/browse/", "/browse/", &same).contains("Nothing was changed"));
    assert!(home.join(gbk).exists() && home.join(" spaced ").exists());
    // A new name keeps its spaces.
    let new = [("do", "rename"), ("from", "%D6%D0.txt"), ("shown", shown), ("name", " 中.txt ")];
    assert!(curl.told("/browse/", "/browse/", &new).contains("It has its new name"));
    assert_eq!(std::fs::read(home.join(" 中.txt ")).unwrap(), b"gbk");
}

#[test]
fn a_download_goes_on() {
    let site = Site::start();
    let curl = Curl::signed_in(&site, "partner");
    let path = "/download/%3Cb%3E%26.txt";
    let part = curl.call(path, &["-H", "Range: bytes=2-"]);
    assert_eq!((part.status, part.body.as_str()), (206, "llo"));
    assert!(
        part.head.contains("content-range: bytes 2-4/5") && part.head.contains("accept-ranges: bytes"),
        "{}",
        part.head
    );
    let other = curl.call(path, &["-H", "Range: bytes=2-", "-H", "If-Range: \"another\""]);
    assert_eq!((other.status, other.body.as_str()), (200, "hello"));
    assert_eq!(curl.call(path, &["-H", "Range: bytes=9-"]).status, 416);
}

#[test]
fn what_is_ticked_comes_as_an_archive() {
    let site = Site::start();
    let home = site.tree().join("partners/a");
    std::fs::create_dir(home.join("sub")).unwrap();
    std::fs::write(home.join("sub/b"), "b").unwrap();
    let gbk = std::ffi::OsStr::from_bytes(b"\xd6\xd0.txt");
    std::fs::write(home.join(gbk), "gbk").unwrap();
    let curl = Curl::signed_in(&site, "reader");
    let page = curl.get("/browse/").body;
    assert!(page.contains("name=\"pick\" value=\"%D6%D0.txt\"") && page.contains("href=\"/download/?zip\""), "{page}");
    let file = tempfile::NamedTempFile::new().unwrap();
    let (path, csrf) = (file.path().to_str().unwrap(), format!("csrf={}", token(&page)));
    let fetch = |more: &[&str], url: &str| {
        curl.call(url, &[&["-o", path, "--no-include"], more].concat());
        std::process::Command::new("bsdtar").args(["-tf", path]).output().unwrap().stdout
    };
    let ticks = ["-d", "pick=%2544%2536.txt", "-d", "pick=sub"];
    let missing = curl.call("/download/", &[&["-d", csrf.as_str(), "-d", "as=zip"][..], &ticks].concat());
    assert_eq!(missing.status, 303, "{}", missing.body);
    assert!(curl.get("/browse/").body.contains("t is not there any more"));
    let ticks = ["-d", csrf.as_str(), "-d", "pick=%25D6%25D0.txt", "-d", "pick=sub"];
    for format in ["as=zip", "as=tar.zst"] {
        let names = fetch(&[&["-d", format], &ticks[..]].concat(), "/download/");
        // As bsdtar shows what is no text here.
        assert_eq!(names, b"\\326\\320.txt\nsub/\nsub/b\n", "{format}");
    }
    assert_eq!(fetch(&[], "/download/sub/?zip"), b"sub/\nsub/b\n");
    assert_eq!(curl.call("/download/", &["-d", "as=zip", "-d", "pick=sub"]).status, 403, "without the page's token");
    let none = curl.call("/download/", &["-d", &csrf, "-d", "as=zip"]);
    assert_eq!(none.status, 303);
    assert!(curl.get("/browse/").body.contains("othing is ticked"));
    let log = Curl::signed_in(&site, "admin").get("/audit?action=door-archived").body;
    assert!(log.contains("as tar.zst: 3 entries"), "{log}");
}
