//! An incident opens by itself over real traffic, leads to its observations, and to a diagnosis whose remedy is tried.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::browser::Browser;
use super::site::{Answer, Curl};
use crate::support::causeway::{Causeway, run};
use crate::support::ftpd::{self, Ftpd, Server, Tls};

const PASSWORD: &str = "correct horse battery";

/// Asks again until the page is as it should be.
fn until(curl: &Curl<'_>, path: &str, fits: impl Fn(&Answer) -> bool) -> Answer {
    let begun = Instant::now();
    loop {
        let answer = curl.get(path);
        if fits(&answer) {
            return answer;
        }
        assert!(begun.elapsed() < Duration::from_secs(90), "{path}: {}", answer.body);
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// vsftpd takes four connections from one address, and the job is told to use twelve.
#[test]
fn an_incident_opens_and_the_remedy_of_its_diagnosis_is_tried() {
    let server = Ftpd::start_with(Server::Vsftpd, Tls::None, &["max_per_ip=4"]);
    for number in 0..200 {
        std::fs::write(server.root().join(format!("file {number}.bin")), vec![b'x'; 200_000]).unwrap();
    }
    let causeway = Causeway::serve();
    causeway.account("boss", PASSWORD, &["--admin"]);
    let base = format!("https://localhost:{}", causeway.https.port());
    let curl = Curl::signed_in_at(&base, "boss", PASSWORD);
    assert!(curl.get("/doctor").body.contains("No fault came again and again"));
    let mut add = causeway.command(&["job", "add", "mirror", &server.url(), "mirrored", "--connections", "12"]);
    let (code, _, stderr) = run(add.env("CAUSEWAY_SOURCE_PASSWORD", ftpd::PASSWORD));
    assert_eq!(code, 0, "{stderr}");
    let (code, _, stderr) = run(&mut causeway.command(&["job", "run", "mirror"]));
    assert_eq!(code, 0, "{stderr}");

    let list = until(&curl, "/doctor", |page| page.body.contains("/incidents/1"));
    assert!(list.body.contains("The other side is full at localhost:"), "{}", list.body);
    let page = curl.get("/incidents/1");
    assert!(page.body.contains("the server is full") || page.body.contains("The server"), "{}", page.body);
    assert!(page.body.contains("History") && page.body.contains("Opened: "), "{}", page.body);
    assert!(curl.get("/audit").body.contains("Incident 1 opened"));

    let begun = curl.post("/incidents/1", "/incidents/1/look", &[]);
    assert!(begun.head.contains("location: /doctor/1"), "{}", begun.head);
    let found =
        until(&curl, "/doctor/1", |page| page.body.contains("What was found") && !page.body.contains("Under way"));
    assert!(found.body.contains("bears 4 connections at once"), "{}", found.body);
    assert!(found.body.contains("at most 3 connections") || found.body.contains("At most 3 connections"));
    assert!(found.body.contains("every run uses it for a month"), "it showed that it helps");
    assert!(found.body.contains("max_per_ip"), "what its owner can set");
    let report: Value = serde_json::from_str(&curl.get("/doctor/1/report").body).unwrap();
    assert_eq!(report["findings"][0]["cause"], "limit", "{report:#}");
    assert!(!curl.get("/doctor/1/report").body.contains(ftpd::PASSWORD));

    assert_eq!(curl.post("/doctor/1", "/doctor/1/try", &[("remedy", "7")]).status, 303, "there is no such remedy");
    assert!(curl.get("/doctor/1").body.contains("names no such remedy"));
    assert_eq!(curl.post("/doctor/1", "/doctor/1/try", &[("remedy", "0")]).status, 303);
    let tried = until(&curl, "/doctor/1", |page| page.body.contains("It helps"));
    assert!(tried.body.contains("Without it") && tried.body.contains("Try it again"), "{}", tried.body);
    let log = curl.get("/audit").body;
    assert!(log.contains("it helps, and is used from now on"), "{log}");
    let incident = curl.get("/incidents/1").body;
    assert!(incident.contains("Tried after diagnosis 1") && incident.contains("Looked at"), "{incident}");
    assert_eq!(curl.post("/doctor/1", "/doctor/1/delete", &[]).status, 303);
    assert_eq!(curl.get("/doctor/1").status, 404);
    assert_eq!(curl.get("/incidents/7").status, 404);
}

/// What an open page says, without its tags.
fn text(browser: &Browser) -> String {
    browser.script("return document.querySelector('main').innerText").as_str().unwrap_or_default().to_owned()
}

/// From the first page that people open to a remedy that was tried: by clicking, and nothing else.
#[test]
fn a_walk_from_a_figure_to_a_tried_remedy() {
    let server = Ftpd::start_with(Server::Vsftpd, Tls::None, &["max_per_ip=4"]);
    for number in 0..200 {
        std::fs::write(server.root().join(format!("file {number}.bin")), vec![b'x'; 200_000]).unwrap();
    }
    let causeway = Causeway::serve();
    causeway.account("boss", PASSWORD, &["--admin"]);
    let mut add = causeway.command(&["job", "add", "mirror", &server.url(), "mirrored", "--connections", "12"]);
    assert_eq!(run(add.env("CAUSEWAY_SOURCE_PASSWORD", ftpd::PASSWORD)).0, 0);
    assert_eq!(run(&mut causeway.command(&["job", "run", "mirror"])).0, 0);
    let base = format!("https://localhost:{}", causeway.https.port());
    let curl = Curl::signed_in_at(&base, "boss", PASSWORD);
    until(&curl, "/reliability", |page| page.body.contains("/incidents/1"));

    let browser = Browser::signed_in_at(&base, "boss", PASSWORD, "/reliability");
    browser.wait("the page", "document.querySelector('table.versus')");
    // A statistic: what it says, and what it was made of.
    browser.click("table.versus a[href*='definitions#connection-success']");
    browser.wait("the definition", "location.pathname === '/reliability/definitions'");
    browser.open(&format!("{base}/reliability"));
    browser.click("table.versus a[href*='statistic=connection-success']");
    browser.wait("the observations", "location.pathname === '/observations'");
    let shown = text(&browser);
    assert!(shown.contains("localhost:") && shown.contains("n = "), "{shown}");
    // An incident, and a line of its evidence.
    browser.open(&format!("{base}/reliability"));
    browser.click("a[href='/incidents/1']");
    browser.wait("the incident", "location.pathname === '/incidents/1'");
    browser.click(".finding a[href*='#observation-']");
    browser.wait("the observation", "document.querySelector(':target')");
    let row = browser.script("return document.querySelector(':target').innerText").as_str().unwrap().to_owned();
    assert!(row.contains("localhost:") && row.contains("limit"), "{row}");
    // The server is looked at, and the remedy tried.
    browser.open(&format!("{base}/incidents/1"));
    browser.click("form[action='/incidents/1/look'] button");
    browser.wait("the diagnosis", "location.pathname === '/doctor/1'");
    browser.wait(
        "what was found",
        "document.querySelector('.finding') && document.querySelector('form[action$=\"/try\"]')",
    );
    browser.click("form[action='/doctor/1/try'] button");
    browser.wait("what came of it", "document.querySelector('.trial .chip.ok')");
    let found = text(&browser);
    assert!(found.contains("It helps") && found.contains("Without it") && found.contains("With it"), "{found}");
    assert!(browser.complaints().is_empty(), "{:?}", browser.complaints());
}
