//! How pages look and read, measured in a browser: on a desk and on a phone, light and dark.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::browser::Browser;
use super::site::{Curl, Site};

/// What is wrong with the page that is open, as sentences.
const WRONG: &str = include_str!("look.js");

/// Pixels.
const PHONE: u32 = 390;

/// A dashboard with something on every page: a run in which all is well, one with missing files, one that failed.
fn lived_in(site: &Site) -> Curl<'_> {
    let curl = Curl::signed_in(site, "admin");
    // What lies in the way of a file cannot be replaced: it is missing in the end.
    std::fs::create_dir_all(site.tree().join("short/sub folder/file 7.txt/in the way")).unwrap();
    std::fs::create_dir_all(site.tree().join("a folder with a long name, as people have them/below")).unwrap();
    std::fs::write(site.tree().join("a_name_without_a_space_".repeat(9)), "x").unwrap();
    let source = site.source();
    let source = source.to_str().unwrap();
    let large = site.source().with_file_name("large");
    std::fs::create_dir(&large).unwrap();
    std::fs::write(large.join("large.bin"), vec![b'x'; 8_000_000]).unwrap();
    for (name, from, target, bandwidth) in [
        ("Whole", source, "whole", ""),
        ("Short", source, "short", ""),
        ("Down", "ftp://somebody@127.0.0.1:1/incoming/with/a/rather/long/path", "down/with/a/rather/long/path", ""),
        (&*"Under_way_".repeat(7), large.to_str().unwrap(), "large", "10"),
    ] {
        let fields =
            [("name", name), ("source", from), ("target", target), ("schedule", "now"), ("bandwidth", bandwidth)];
        assert_eq!(curl.post("/jobs/new", "/jobs", &fields).status, 303);
    }
    let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl me@here";
    curl.post("/accounts/partner", "/accounts/partner/keys", &[("key", key)]);
    curl.post("/account", "/account/keys", &[("key", key), ("old", super::site::PASSWORD)]);
    let app = [("label", "A laptop with a rather long name"), ("days", "30"), ("old", super::site::PASSWORD)];
    assert_eq!(curl.post("/account", "/account/app-passwords", &app).status, 200);
    assert_eq!(curl.post("/surveys", "/surveys", &[("endpoint", "1"), ("minutes", "5")]).status, 303);
    // The last job's source: nobody is there.
    let page = curl.get("/doctor").body;
    let down = page.split("<option value=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap().to_owned();
    assert_eq!(curl.post("/doctor", "/doctor", &[("endpoint", &down), ("hold", "5"), ("quick", "yes")]).status, 303);
    let begun = Instant::now();
    let ended = |run: u32| {
        let json = curl.get(&format!("/api/runs/{run}")).body;
        ["done", "incomplete", "failed"].iter().any(|state| json.contains(&format!("\"state\":\"{state}\"")))
    };
    while !(1..=3).all(ended)
        || curl.get("/surveys/1/report").status != 200
        || curl.get("/doctor/1/report").status != 200
    {
        assert!(begun.elapsed() < Duration::from_secs(60), "{}", curl.get("/").body);
        std::thread::sleep(Duration::from_millis(200));
    }
    curl
}

#[test]
fn a_browser_finds_nothing_wrong_with_any_page() {
    let site = Site::start();
    let curl = lived_in(&site);
    assert!(curl.get("/runs/2").body.contains("1 file is missing"), "{}", curl.get("/runs/2").body);
    assert!(curl.get("/runs/3").body.contains("The source cannot be opened. "), "{}", curl.get("/runs/3").body);
    let pages: Vec<String> = causeway::web::pages()
        .filter(|path| !path.contains("live") && !path.contains("/api/") && *path != "/audit/checkpoint")
        .flat_map(|path| match path {
            "/jobs/{id}" | "/jobs/{id}/edit" | "/runs/{id}" => {
                (1..=4).map(|id| path.replace("{id}", &id.to_string())).collect()
            }
            "/doctor/{id}" => vec!["/doctor/1".to_owned()],
            "/surveys/{id}" => vec!["/surveys/1".to_owned()],
            "/accounts/{name}" => vec!["/accounts/partner".to_owned(), "/accounts/admin".to_owned()],
            "/browse/{*path}" => vec!["/browse/whole/sub%20folder/".to_owned()],
            path if path.contains('{') => vec![],
            path => vec![path.to_owned()],
        })
        .chain(["windows", "macos", "linux", "ios"].map(|system| format!("/connect?system={system}")))
        .chain(["/accounts?new=yes", "/runs/2?state=all", "/there-is-no-such-page"].map(str::to_owned))
        .filter(|path| matches!(curl.get(path).status, 200 | 404))
        .collect();
    for expected in ["/", "/jobs", "/jobs/1/edit", "/runs/2", "/surveys/1", "/browse/", "/reliability", "/audit"] {
        assert!(pages.iter().any(|page| page == expected), "{expected} is not among {pages:?}");
    }
    let browser = Browser::start();
    let mut wrong = look(&browser, &site, &["/sign-in".to_owned()]);
    drop(browser);
    let browser = Browser::signed_in(&site, "admin", "/");
    wrong.extend(look(&browser, &site, &pages));
    // What is folded away is looked at unfolded.
    for (page, fold) in [
        ("/jobs/1", "details.ask"),
        ("/browse/", "td details.ask"),
        ("/account", "td details.ask"),
        ("/account", "[aria-labelledby='apps'] details.ask"),
        ("/", "details.menu"),
        ("/runs/2", "details.more"),
        ("/surveys/1", "details.more"),
        ("/doctor/1", ".finding details.more"),
    ] {
        browser.open(&format!("{}{page}", site.base));
        browser.script(&format!("document.querySelector('{fold}').open = true"));
        wrong.extend(said(&browser, PHONE, &format!("{page} with {fold} open")));
    }
    let complaints = browser.complaints();
    let missing = |entry: &Value| entry["message"].as_str().is_some_and(|text| text.contains("there-is-no-such-page"));
    assert!(complaints.iter().all(missing), "{complaints:?}");
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// Every page at both widths and in both colours.
fn look(browser: &Browser, site: &Site, pages: &[String]) -> Vec<String> {
    let mut wrong = Vec::new();
    for (width, height, phone) in [(1280, 900, false), (PHONE, 844, true)] {
        for scheme in ["light", "dark"] {
            let screen = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": phone });
            browser.devtools("Emulation.setDeviceMetricsOverride", &screen);
            let colours = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
            browser.devtools("Emulation.setEmulatedMedia", &colours);
            for page in pages {
                browser.open(&format!("{}{page}", site.base));
                wrong.extend(said(browser, width, &format!("{page} at {width}, {scheme}")));
            }
        }
    }
    wrong
}

fn said(browser: &Browser, width: u32, at: &str) -> Vec<String> {
    let found = browser.script(&format!("const width = {width};\n{WRONG}"));
    let found = found.as_array().unwrap_or_else(|| panic!("{at}: {found}"));
    found.iter().map(|text| format!("{at}: {}", text.as_str().unwrap_or_default())).collect()
}
