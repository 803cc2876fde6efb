//! Live pages follow what happens, keep the focus, and end with the session.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::browser::Browser;
use super::site::{Curl, Site};

/// Opens a stream in the background and returns what it said until it ended by itself.
fn stream_ends(curl: &Curl<'_>, path: &str, meanwhile: impl FnOnce()) -> String {
    let output = tempfile::NamedTempFile::new().unwrap();
    let mut child = Command::new("curl")
        .args(["-skN", "--max-time", "30", "-b", curl.jar.path().to_str().unwrap()])
        .arg(format!("{}{path}", curl.base))
        .stdout(output.reopen().unwrap())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let said = || std::fs::read_to_string(output.path()).unwrap();
    let begun = Instant::now();
    while !said().contains("event:") {
        assert!(begun.elapsed() < Duration::from_secs(15), "the stream says nothing");
        std::thread::sleep(Duration::from_millis(50));
    }
    meanwhile();
    let begun = Instant::now();
    while child.try_wait().unwrap().is_none() {
        assert!(begun.elapsed() < Duration::from_secs(10), "the stream goes on: {}", said());
        std::thread::sleep(Duration::from_millis(50));
    }
    said()
}

#[test]
fn a_stream_ends_with_its_session() {
    let site = Site::start();
    let curl = Curl::signed_in(&site, "admin");
    let said = stream_ends(&curl, "/live/overview", || {
        assert_eq!(curl.post("/", "/sign-out", &[]).status, 303);
    });
    assert!(said.trim_end().ends_with("event: bye\ndata: signed out"), "{said}");
    // And with the rights: another administrator takes them away.
    let curl = Curl::signed_in(&site, "admin");
    let second = [("name", "second"), ("password", super::site::PASSWORD), ("admin", "yes")];
    assert_eq!(curl.post("/accounts", "/accounts", &second).status, 303);
    let other = Curl::signed_in(&site, "second");
    let said = stream_ends(&other, "/live/overview", || {
        assert_eq!(curl.post("/accounts/second", "/accounts/second", &[("home", "")]).status, 303);
    });
    assert!(said.contains("event: bye"), "{said}");
}

#[test]
fn the_overview_follows_a_run_and_keeps_the_focus() {
    let site = Site::start();
    for number in 0..3 {
        std::fs::write(site.source().join(format!("big {number}.bin")), vec![b'x'; 1_000_000]).unwrap();
    }
    let curl = Curl::signed_in(&site, "admin");
    let source = site.source();
    let fields = [
        ("name", "Followed"),
        ("source", source.to_str().unwrap()),
        ("target", "followed"),
        ("schedule", "manual"),
        ("bandwidth", "1000"),
    ];
    assert_eq!(curl.post("/jobs/new", "/jobs", &fields).status, 303);
    let browser = Browser::signed_in(&site, "admin", "/");
    browser.script("window.never_reloaded = true; document.querySelector('a[href=\"/jobs\"].small').focus()");
    assert_eq!(curl.post("/jobs/1", "/jobs/1/run", &[]).status, 303);
    browser.wait("the run", "document.querySelector('[data-live]').innerText.includes('Followed')");
    browser.wait("the verdict at its end", "document.querySelector('h1').innerText.includes('Everything is here')");
    browser.wait(
        "the run among the last ones",
        "document.querySelector('[data-part=recent]').innerText.includes('Complete')",
    );
    browser.wait("the announcement", "document.querySelector('[data-say]').textContent.includes('Followed: Complete')");
    browser.wait(
        "the same page with the same focus",
        "window.never_reloaded && document.activeElement.matches('a[href=\"/jobs\"].small')",
    );
    // Signed out elsewhere: the page says so instead of standing still.
    browser.script("fetch('/sign-out', { method: 'POST', body: new URLSearchParams({ csrf: document.querySelector('[name=csrf]').value }) })");
    browser
        .wait("the last word", "document.querySelector('.note.warn[role=alert]')?.innerText.includes('not signed in')");
    let errors = browser.complaints();
    assert!(errors.is_empty(), "{errors:?}");
}
