//! The dashboard over real TLS: `curl` for people without scripts, Chromium for the others.

mod alarm;
mod app_passwords;
pub mod browser;
mod comparisons;
mod connections;
mod doctor;
mod files;
mod forms;
mod live;
mod look;
mod proof;
mod reliability;
mod second_factor;
mod shares;
pub mod site;
mod surveys;
mod trash;
mod upload;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use browser::Browser;
use site::{Curl, Site, links, token};

#[test]
fn every_page_works_without_scripts() {
    let site = Site::start();
    let curl = Curl::signed_in(&site, "admin");
    let target = [
        ("name", "A & B"),
        ("source", site.source().to_str().unwrap()),
        ("target", "jobs/a"),
        ("schedule", "now"),
        ("connections", "2"),
    ]
    .map(|(n, v)| (n, v.to_owned()));
    let fields: Vec<_> = target.iter().map(|(n, v)| (*n, v.as_str())).collect();
    let added = curl.post("/jobs/new", "/jobs", &fields);
    assert_eq!(added.status, 303, "{}", added.body);
    let started = Instant::now();
    while !curl.get("/").body.contains("Everything is here") {
        assert!(started.elapsed() < Duration::from_secs(30), "{}", curl.get("/").body);
        std::thread::sleep(Duration::from_millis(200));
    }
    assert_eq!(std::fs::read(site.tree().join("jobs/a/sub folder/file 7.txt")).unwrap(), b"content 7");
    let (mut todo, mut seen) = (BTreeSet::from(["/".to_owned()]), BTreeSet::new());
    while let Some(path) = todo.pop_first() {
        let saved = ["/download/", "/connect/"].iter().any(|folder| path.starts_with(folder))
            || path.ends_with("/manifest")
            || path.starts_with("/reliability/export")
            || path == "/audit/checkpoint";
        if !seen.insert(path.clone()) || saved {
            continue;
        }
        let answer = curl.get(&path);
        assert_eq!(answer.status, 200, "{path}");
        if path.starts_with("/static/") {
            assert!(answer.head.contains("immutable") && answer.head.contains("etag"), "{path}");
            continue;
        }
        assert!(answer.body.contains("<title>") && answer.body.contains("lang=\"en\""), "{path}");
        assert!(
            answer.head.contains("content-security-policy: default-src 'none'") && !answer.head.contains("unsafe"),
            "{path}"
        );
        assert!(
            answer.head.contains("x-content-type-options: nosniff") && answer.head.contains("referrer-policy"),
            "{path}"
        );
        for inline in [" style=", "<style", "<script>", " onclick=", " onload=", "javascript:"] {
            assert!(!answer.body.contains(inline), "{path} has {inline}");
        }
        let loaded = ["/static/causeway.css", "/static/causeway.js", "/static/icons.svg", "/static/mark.svg"];
        let weight: usize = loaded.iter().map(|asset| curl.weight(asset)).sum::<usize>() + curl.weight(&path);
        assert!(weight < 100_000, "{path} weighs {weight} bytes");
        todo.extend(links(&answer.body));
    }
    for page in [
        "/jobs",
        "/jobs/new",
        "/jobs/1",
        "/jobs/1/edit",
        "/runs/1",
        "/surveys",
        "/doctor",
        "/browse/",
        "/shares",
        "/shares/new/partners",
        "/reliability",
        "/reliability/definitions",
        "/audit",
        "/accounts",
        "/accounts/partner",
        "/connect?system=windows",
    ] {
        assert!(seen.contains(page), "no link leads to {page}: {seen:?}");
    }
    assert_eq!(curl.get("/nothing-here").status, 404);
    assert!(curl.get("/nothing-here").body.contains("There is no such page"));
    let verified = curl.told("/audit", "/audit/verify", &[]);
    assert!(verified.contains("The chain is whole"), "{verified}");
    let paused = curl.post("/jobs/1", "/jobs/1/pause", &[]);
    assert_eq!(paused.status, 303);
    assert!(curl.get("/jobs").body.contains("Paused"));
    let json = curl.get("/api/runs/1").body;
    assert!(json.contains("\"state\":\"done\""), "{json}");
}

#[test]
fn forms_without_their_token_are_refused() {
    let site = Site::start();
    let curl = Curl::signed_in(&site, "admin");
    let fields = ["--data-urlencode", "name=x", "--data-urlencode", "csrf=wrong"];
    assert_eq!(curl.call("/jobs", &fields).status, 403);
    assert_eq!(curl.call("/jobs", &["--data-urlencode", "name=x"]).status, 403);
    let token = format!("csrf={}", token(&curl.get("/jobs/new").body));
    let evil = ["--data-urlencode", token.as_str(), "--data-urlencode", "name=x", "-H", "Origin: https://evil.example"];
    assert_eq!(curl.call("/jobs", &evil).status, 403);
    assert!(!curl.get("/jobs").body.contains("/jobs/1"), "a refused form made a job");
    // Before signing in as well, and a wrong password says nothing about the name.
    let stranger = Curl::new(&site);
    assert_eq!(
        stranger.call("/sign-in", &["--data-urlencode", "name=admin", "--data-urlencode", "password=x"]).status,
        403
    );
    for name in ["admin", "nobody"] {
        let refused = stranger.post("/sign-in", "/sign-in", &[("name", name), ("password", "wrong")]);
        assert_eq!(refused.status, 401);
        assert!(refused.body.contains("do not belong together"));
    }
    let cookies = curl.post("/", "/theme", &[("theme", "dark"), ("back", "//evil.example/")]);
    assert!(
        cookies.head.contains("location: /\r")
            || cookies.head.ends_with("location: /")
            || cookies.head.contains("location: /\n"),
        "{}",
        cookies.head
    );
    assert!(cookies.head.contains("secure; httponly; samesite=lax"), "{}", cookies.head);
    assert!(curl.get("/").body.contains("data-theme=\"dark\""));
    // Signing out ends the session itself, not only the cookie.
    let kept = std::fs::read_to_string(curl.jar.path()).unwrap();
    assert_eq!(curl.post("/", "/sign-out", &[]).status, 303);
    std::fs::write(curl.jar.path(), kept).unwrap();
    assert_eq!(curl.get("/jobs").status, 303);
}

#[test]
fn other_accounts_see_only_their_files() {
    let site = Site::start();
    let curl = Curl::signed_in(&site, "partner");
    assert!(curl.get("/").head.contains("location: /browse/"));
    for page in [
        "/jobs",
        "/jobs/new",
        "/runs/1",
        "/audit",
        "/accounts",
        "/reliability",
        "/reliability/definitions",
        "/reliability/trends",
        "/reliability/endpoints",
        "/reliability/export?format=csv",
        "/observations",
        "/comparisons/1/pairs?question=login&other=2",
        "/live/overview",
        "/api/runs/1",
        "/accounts/admin",
        "/api/reliability",
        "/live/jobs",
        "/doctor",
        "/doctor/1",
        "/doctor/1/report",
        "/incidents/1",
        "/alarms/1",
        "/surveys",
        "/surveys/1",
        "/surveys/1/report",
    ] {
        assert_eq!(curl.get(page).status, 403, "{page}");
    }
    assert_eq!(curl.post("/browse/", "/accounts/partner", &[("admin", "yes")]).status, 403);
    let listing = curl.get("/browse/").body;
    assert!(listing.contains("&#60;b&#62;&#38;.txt") && !listing.contains("<b>&"), "{listing}");
    assert!(!listing.contains("/accounts"));
    assert_eq!(curl.get("/download/%3Cb%3E%26.txt").body, "hello");
    assert_eq!(curl.call("/download/..%2f..%2f..%2fsource/x", &["--path-as-is"]).status, 404);
    // Make, upload, rename, delete.
    assert_eq!(curl.post("/browse/", "/browse/", &[("do", "folder"), ("name", "new ü")]).status, 303);
    let home = site.tree().join("partners/a");
    assert!(home.join("new ü").is_dir());
    let form = format!("csrf={}", token(&listing));
    let file = format!("files=@{};filename=up load.bin", site.source().join("sub folder/file 3.txt").display());
    let sent = curl.call("/upload/new%20%C3%BC/", &["-F", form.as_str(), "-F", file.as_str()]);
    assert_eq!(sent.status, 303, "{}", sent.body);
    assert_eq!(std::fs::read(home.join("new ü/up load.bin")).unwrap(), b"content 3");
    assert_eq!(curl.call("/upload/", &["-F", "csrf=wrong", "-F", file.as_str()]).status, 403);
    let here = "/browse/new%20%C3%BC/";
    assert_eq!(curl.post(here, here, &[("do", "rename"), ("from", "up%20load.bin"), ("name", "b")]).status, 303);
    assert!(home.join("new ü/b").is_file());
    std::fs::copy(home.join("new ü/b"), home.join("new ü/c")).unwrap();
    curl.post(here, here, &[("do", "delete"), ("from", "b")]);
    assert!(!home.join("new ü/b").exists() && home.join("new ü/c").is_file());
    curl.post("/browse/", "/browse/", &[("do", "delete"), ("from", "new%20%C3%BC")]);
    // With all that is in it, in one step, and it can be taken back.
    assert!(!home.join("new ü").exists() && site.tree().join(".causeway-trash").is_dir());
    let reader = Curl::signed_in(&site, "reader");
    assert!(reader.get("/browse/").body.contains("Read only"));
    reader.post("/browse/", "/browse/", &[("do", "delete"), ("from", "%3Cb%3E%26.txt")]);
    assert!(home.join("<b>&.txt").is_file());
}

#[test]
fn a_browser_signs_in_adds_a_job_and_watches_it_finish() {
    let site = Site::start();
    // Large enough, and slow enough by the job's bandwidth limit, to be watched.
    for number in 0..4 {
        std::fs::write(site.source().join(format!("big {number}.bin")), vec![b'x'; 1_000_000]).unwrap();
    }
    let browser = Browser::signed_in(&site, "admin", "/jobs/new");
    browser.write("#name", "Watched job");
    browser.write("#source", site.source().to_str().unwrap());
    browser.write("#target", "watched");
    browser.write("#bandwidth", "1000");
    browser.click("form.sheetlike .btn.main");
    browser.wait("the job's page", "document.querySelector('h1').innerText.includes('Watched job')");
    browser.click("form[action$='/run'] button");
    browser.wait("the run's page", "location.pathname === '/runs/1'");
    browser.wait("live progress", "document.querySelector('[data-live] progress')");
    browser.script("window.never_reloaded = true");
    browser.wait(
        "progress that moves by itself",
        "window.never_reloaded && document.querySelector('[data-live] .facts')?.innerText.match(/[1-9]\\d* %/)",
    );
    browser.wait("the end, by itself", "document.querySelector('.title').innerText.includes('Complete')");
    browser.wait("the verdict", "document.body.innerText.includes('Everything is here')");
    assert_eq!(std::fs::read(site.tree().join("watched/big 2.bin")).unwrap().len(), 1_000_000);
    assert!(browser.script("return window.never_reloaded === true").as_bool().unwrap(), "the page was loaded again");
    let errors = browser.complaints();
    assert!(errors.is_empty(), "{errors:?}");
}
