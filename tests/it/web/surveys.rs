//! The surveys of the dashboard: started, watched, read, downloaded, forgotten.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::site::{Curl, Site};

#[test]
fn a_survey_is_started_and_its_report_is_kept() {
    let site = Site::start();
    let curl = Curl::signed_in(&site, "admin");
    assert!(curl.get("/surveys").body.contains("add a job"), "there is nothing to survey yet");
    let source = site.source();
    let job = [("name", "A"), ("source", source.to_str().unwrap()), ("target", "jobs/a"), ("schedule", "manual")];
    assert_eq!(curl.post("/jobs/new", "/jobs", &job).status, 303);
    let page = curl.get("/surveys").body;
    let id = page.split("<option value=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap().to_owned();
    let begun = curl.post("/surveys", "/surveys", &[("endpoint", &id), ("minutes", "5")]);
    assert_eq!(begun.status, 303, "{}", begun.body);
    assert!(begun.head.contains("location: /surveys/1"), "{}", begun.head);
    let started = Instant::now();
    let page = loop {
        let page = curl.get("/surveys/1").body;
        if page.contains("What it means") || page.contains("Files by size") {
            break page;
        }
        assert!(started.elapsed() < Duration::from_secs(30), "{page}");
        std::thread::sleep(Duration::from_millis(100));
    };
    assert!(page.contains("<dt>Files</dt><dd>40</dd>") && page.contains("svg class=\"gauge\""), "{page}");
    assert!(page.contains("sub folder"), "the fullest folder stands out: {page}");
    let report = curl.get("/surveys/1/report");
    assert!(report.head.contains("attachment; filename=\"survey-1.json\""), "{}", report.head);
    let report: Value = serde_json::from_str(&report.body).unwrap();
    assert_eq!((&report["census"]["files"], &report["whole"]), (&40.into(), &true.into()));
    assert_eq!(report["census"]["folders"], 2);
    assert!(curl.get("/audit").body.contains("Survey 1 of "), "who started it is recorded");
    assert!(curl.get("/surveys").body.contains("40 files in 2 folders"));
    // Not without the token of a form, and not by anybody else.
    assert_eq!(curl.call("/surveys", &["--data-urlencode", "endpoint=1", "--data-urlencode", "minutes=5"]).status, 403);
    let partner = Curl::signed_in(&site, "partner");
    assert_eq!(partner.post("/browse/", "/surveys", &[("endpoint", &id), ("minutes", "5")]).status, 403);
    assert_eq!(curl.post("/surveys/1", "/surveys/1/delete", &[]).status, 303);
    assert_eq!(curl.get("/surveys/1").status, 404);
    assert_eq!(curl.post("/surveys", "/surveys", &[("endpoint", "77"), ("minutes", "5")]).status, 404);
}
