//! Uploads of the dashboard: many files and whole folders, over connections that are cut, paused and gone on with.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::browser::Browser;
use super::site::{Curl, PASSWORD, token};
use crate::support::causeway::Causeway;
use crate::support::relay::Relay;

/// A service with the account `partner`, whose home is `partners/a`.
fn serve() -> (Causeway, PathBuf) {
    let served = Causeway::serve();
    served.account("partner", PASSWORD, &["--home", "partners/a"]);
    let home = served.tree().join("partners/a");
    std::fs::create_dir_all(&home).unwrap();
    (served, home)
}

fn enter(port: u16) -> Browser {
    Browser::signed_in_at(&format!("https://localhost:{port}"), "partner", PASSWORD, "/browse/")
}

fn states(browser: &Browser) -> String {
    let script = "return [...document.querySelectorAll('.sending li')].map(li => li.innerText).join('\\n')";
    browser.script(script).as_str().unwrap_or_default().to_owned()
}

/// Waits until as many uploads are `state`.
fn until(browser: &Browser, state: &str, count: usize) {
    let condition = format!("document.querySelectorAll('.sending li[data-state={state}]').length === {count}");
    browser.wait(&format!("{count} uploads {state} ({})", states(browser)), &condition);
}

fn content(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at * 7 + at / 251) as u8).collect()
}

fn big(served: &Causeway, length: usize) -> PathBuf {
    let path = served.folder().join("big.bin");
    std::fs::write(&path, content(length)).unwrap();
    path
}

fn tidy(home: &Path) -> bool {
    let names = std::fs::read_dir(home).unwrap().map(|entry| entry.unwrap().file_name());
    names.into_iter().all(|name| !name.to_string_lossy().starts_with(".causeway-"))
}

#[test]
fn a_folder_arrives_with_all_that_is_in_it() {
    let (served, home) = serve();
    let local = served.folder().join("tree ü");
    for number in 0..60 {
        let folder = local.join(format!("f{}/deep #{}", number % 3, number % 5));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(format!("file {number}.txt")), format!("content {number}")).unwrap();
    }
    std::fs::write(local.join("empty"), "").unwrap();
    let browser = enter(served.https.port());
    browser.attach("#folders", local.to_str().unwrap());
    until(&browser, "done", 61);
    browser.wait("the sum", "document.querySelector('[data-sum]').innerText === '61 of 61 files are here.'");
    for number in 0..60 {
        let path = format!("tree ü/f{}/deep #{}/file {number}.txt", number % 3, number % 5);
        assert_eq!(std::fs::read_to_string(home.join(&path)).unwrap(), format!("content {number}"), "{path}");
    }
    assert_eq!(std::fs::read(home.join("tree ü/empty")).unwrap(), b"");
    browser.click("[data-show]");
    browser.wait("the folder in the list", "document.querySelector('table')?.innerText.includes('tree ü')");
    let errors = browser.complaints();
    assert!(errors.is_empty(), "{errors:?}");
}

#[test]
fn every_refusal_has_its_sentence_and_stops_nobody_else() {
    let (served, home) = serve();
    std::fs::write(home.join("taken.txt"), "of before").unwrap();
    let (taken, free) = (served.folder().join("taken.txt"), served.folder().join("free.txt"));
    std::fs::write(&taken, "new").unwrap();
    std::fs::write(&free, "new").unwrap();
    let browser = enter(served.https.port());
    browser.attach("#files", &format!("{}\n{}", taken.display(), free.display()));
    until(&browser, "done", 1);
    until(&browser, "refused", 1);
    assert!(states(&browser).contains("Something of that name is there already"), "{}", states(&browser));
    assert_eq!(std::fs::read(home.join("taken.txt")).unwrap(), b"of before");
    assert_eq!(std::fs::read(home.join("free.txt")).unwrap(), b"new");
    // Signed out meanwhile; no window asks for a password.
    browser.script("document.querySelector('[data-resumable] [name=csrf]').value = 'old'");
    std::fs::remove_file(home.join("free.txt")).unwrap();
    browser.attach("#files", free.to_str().unwrap());
    until(&browser, "refused", 2);
    assert!(states(&browser).contains("You are not signed in any more: reload the page"), "{}", states(&browser));
    assert!(!home.join("free.txt").exists());
}

#[test]
fn an_upload_goes_on_after_a_lost_connection() {
    let (served, home) = serve();
    let local = big(&served, 24_000_000);
    let relay = Relay::start(served.https.port(), &[8_000_000, 16_000_000], Duration::ZERO);
    let browser = enter(relay.port);
    browser.attach("#files", local.to_str().unwrap());
    until(&browser, "done", 1);
    assert_eq!(relay.cuts_left(), 0, "it was cut each time");
    assert!(std::fs::read(home.join("big.bin")).unwrap() == content(24_000_000));
    assert!(relay.carried() < 44_000_000, "what had arrived is not sent again: {}", relay.carried());
    assert!(tidy(&home));
}

#[test]
fn an_upload_is_paused_and_gone_on_with_also_after_the_page_was_closed() {
    let (served, home) = serve();
    let local = big(&served, 24_000_000);
    let relay = Relay::start(served.https.port(), &[], Duration::from_millis(40));
    let browser = enter(relay.port);
    let moved = |share: f64| format!("document.querySelector('.sending progress')?.value > {share}");
    browser.attach("#files", local.to_str().unwrap());
    browser.wait("the first bytes", &moved(0.15));
    browser.click(".sending li button");
    until(&browser, "paused", 1);
    assert!(!home.join("big.bin").exists());
    browser.click(".sending li button");
    browser.wait("more bytes", &moved(0.4));
    browser.open("about:blank");
    assert!(!home.join("big.bin").exists());
    browser.open(&format!("https://localhost:{}/browse/", relay.port));
    browser.attach("#files", local.to_str().unwrap());
    until(&browser, "done", 1);
    assert!(std::fs::read(home.join("big.bin")).unwrap() == content(24_000_000));
    assert!(relay.carried() < 44_000_000, "what had arrived is not sent again: {}", relay.carried());
    // One that is removed leaves nothing.
    let other = served.folder().join("other.bin");
    std::fs::write(&other, content(24_000_000)).unwrap();
    browser.attach("#files", other.to_str().unwrap());
    browser.wait("the first bytes", "document.querySelector('.sending li[data-state=sending] progress')?.value > 0.1");
    browser.click(".sending li[data-state=sending] button + button");
    browser.wait("it is off the list", "document.querySelectorAll('.sending li').length === 1");
    for _ in 0..1000 {
        if tidy(&home) {
            break;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(tidy(&home) && !home.join("other.bin").exists());
}

#[test]
fn the_session_alone_changes_nothing_and_the_form_respects_locks() {
    let (served, home) = serve();
    let base = format!("https://localhost:{}", served.https.port());
    let curl = Curl::signed_in_at(&base, "partner", PASSWORD);
    let tus =
        ["-X", "POST", "-H", "Tus-Resumable: 1.0.0", "-H", "Upload-Length: 0", "-H", "Upload-Metadata: name Zg=="];
    let page = curl.get("/browse/").body;
    let csrf = token(&page);
    let with =
        |token: &str| curl.call("/files/.tus/", &[&tus[..], &["-H", &format!("X-CSRF-Token: {token}")]].concat());
    assert_eq!(curl.call("/files/.tus/", &tus).status, 401);
    let refused = with("wrong");
    assert_eq!((refused.status, refused.head.contains("www-authenticate")), (403, false), "{}", refused.head);
    assert!(!home.join("f").exists());
    assert_eq!(with(&csrf).status, 201);
    assert!(home.join("f").exists());
    // Nor is WebDAV open to it.
    let dav = ["-X", "PUT", "-d", "x", "-H", &format!("X-CSRF-Token: {csrf}")];
    assert_eq!(curl.call("/dav/g", &dav).status, 401);
    // A lock of WebDAV on a name that is free: neither way takes it.
    let lock = "<D:lockinfo xmlns:D='DAV:'><D:lockscope><D:exclusive/></D:lockscope>\
                <D:locktype><D:write/></D:locktype></D:lockinfo>";
    let login = format!("partner:{PASSWORD}");
    let locked = curl.call("/dav/locked", &["-u", &login, "-X", "LOCK", "-d", lock]);
    assert_eq!(locked.status, 201, "{}", locked.body);
    assert_eq!(curl.call("/dav/locked", &["-u", &login, "-X", "DELETE"]).status, 423);
    // The place that the lock holds is removed behind its back, so that only the lock is in the way.
    std::fs::remove_file(home.join("locked")).unwrap();
    let local = served.folder().join("local");
    std::fs::write(&local, "new").unwrap();
    let (proof, file) = (format!("csrf={csrf}"), format!("files=@{};filename=locked", local.display()));
    assert_eq!(curl.call("/upload/", &["-F", &proof, "-F", &file]).status, 303);
    let said = curl.get("/browse/").body;
    assert!(said.contains("Not uploaded: “locked” (somebody else is changing this"), "{said}");
    assert!(!home.join("locked").exists());
    // Nor does anything else of the dashboard.
    std::fs::write(home.join("locked"), "held").unwrap();
    std::fs::write(home.join("free"), "free").unwrap();
    for fields in
        [[("do", "delete"), ("from", "locked"), ("name", "")], [("do", "rename"), ("from", "locked"), ("name", "new")]]
    {
        let said = curl.told("/browse/", "/browse/", &fields);
        assert!(said.contains("omebody else is changing this") && home.join("locked").exists(), "{said}");
    }
    std::fs::remove_file(home.join("locked")).unwrap();
    let said = curl.told("/browse/", "/browse/", &[("do", "rename"), ("from", "free"), ("name", "locked")]);
    assert!(said.contains("omebody else is changing this") && home.join("free").exists(), "{said}");
    // Nor does it come out of the trash to there.
    curl.told("/browse/", "/browse/", &[("do", "delete"), ("from", "free")]);
    let page = curl.get("/trash").body;
    let restore = format!("/trash/{}", page.split("action=\"/trash/").nth(1).unwrap().split('"').next().unwrap());
    let said = curl.told("/trash", &restore, &[("to", "/locked")]);
    assert!(said.contains("omebody else is changing this") && !home.join("locked").exists(), "{said}");
    let said = curl.told("/trash", &restore, &[("to", "/free")]);
    assert!(said.contains("It is back: /free") && home.join("free").exists(), "{said}");
    let named = "Upload-Metadata: name bG9ja2Vk";
    let tus = ["-X", "POST", "-H", "Tus-Resumable: 1.0.0", "-H", "Upload-Length: 0", "-H", named];
    let proof = format!("X-CSRF-Token: {csrf}");
    assert_eq!(curl.call("/files/.tus/", &[&tus[..], &["-H", &proof]].concat()).status, 423);
}
