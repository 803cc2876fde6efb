//! Forms: what is wrong stands at its field, and no secret comes back.

use super::browser::Browser;
use super::site::{Curl, PASSWORD, Site};

#[test]
fn a_refused_form_keeps_no_secret() {
    let site = Site::start();
    let curl = Curl::signed_in(&site, "admin");
    for source in ["ftp://anna:sekret1@host/in", "ftp://anna:sek/ret1@host/in", "http://anna:sekret1@host/"] {
        let fields = [
            ("name", "x"),
            ("source", source),
            ("source_password", "sekret2"),
            ("target", "ftp://anna:sekret3@host/"),
            ("schedule", "cron"),
            ("cron", "not a cron"),
        ];
        let page = curl.post("/jobs/new", "/jobs", &fields);
        assert!(page.status == 200 && page.body.contains("The job was not saved"), "{}", page.body);
        for secret in ["sekret", "sek/", "ret1"] {
            assert!(!page.body.contains(secret) && !page.head.contains(secret), "{source}: {}", page.body);
        }
        assert!(page.body.contains("The password was not kept"), "{}", page.body);
        assert!(page.body.contains("id=\"cron-wrong\""), "{}", page.body);
    }
}

#[test]
fn a_job_that_cannot_work_is_refused_and_one_that_can_is_edited() {
    let site = Site::start();
    let curl = Curl::signed_in(&site, "admin");
    let source = site.source();
    let source = source.to_str().unwrap();
    let job = |source: &str, target: &str| {
        let fields = [("name", "job"), ("source", source), ("target", target), ("schedule", "manual")];
        curl.post("/jobs/new", "/jobs", &fields)
    };
    for (from, to) in
        [(source, "../x"), (source, "a/../../x"), ("sftp://host/x", "x"), ("dav://host/x", "x"), (source, "ftp://h/x")]
    {
        let answer = job(from, to);
        assert!(answer.status == 200 && answer.body.contains("aria-invalid"), "{from} → {to}: {}", answer.body);
    }
    assert!(curl.get("/jobs").body.contains("No job yet"));
    assert_eq!(job(source, "jobs/x/").status, 303);
    let edited =
        [("name", "renamed"), ("source", source), ("target", "jobs/y"), ("schedule", "cron"), ("cron", "5 4 * * *")];
    assert_eq!(curl.post("/jobs/1/edit", "/jobs/1/edit", &edited).status, 303);
    let slow = [
        ("name", "renamed"),
        ("source", source),
        ("target", "jobs/y"),
        ("schedule", "manual"),
        ("deadlines", "listing=1200"),
    ];
    assert_eq!(curl.post("/jobs/1/edit", "/jobs/1/edit", &slow).status, 303);
    assert!(curl.get("/jobs/1").body.contains("listing=1200 (seconds)"));
    assert!(curl.get("/jobs/1/edit").body.contains("value=\"listing=1200\""));
    let never = [&slow[..4], &[("deadlines", "listing=0")]].concat();
    assert!(curl.post("/jobs/1/edit", "/jobs/1/edit", &never).body.contains("id=\"deadlines-wrong\""));
    let page = curl.get("/jobs/1").body;
    assert!(page.contains("renamed") && page.contains("jobs/y"), "{page}");
    assert!(curl.told("/jobs/1", "/jobs/1/pause", &[]).contains("Resume"));
    assert!(!curl.told("/jobs/1", "/jobs/1/resume", &[]).contains("Resume"));
    let broken = curl.post(
        "/jobs/1/edit",
        "/jobs/1/edit",
        &[("name", ""), ("source", source), ("target", "y"), ("schedule", "manual")],
    );
    assert!(
        broken.body.contains("id=\"name-wrong\"") && broken.body.contains("<title>Error: Edit the job"),
        "{}",
        broken.body
    );
}

#[test]
fn the_first_wrong_field_has_the_focus() {
    let site = Site::start();
    let browser = Browser::signed_in(&site, "admin", "/jobs/new");
    browser.write("#name", "x");
    browser.write("#source", "/srv/x");
    browser.write("#target", "../x");
    browser.click("form.sheetlike .btn.main");
    browser.wait("the focus on the wrong field", "document.activeElement.id === 'target'");
    let told = browser.script("return document.getElementById(document.activeElement.getAttribute('aria-describedby').split(' ')[0]).innerText");
    assert!(told.as_str().unwrap().contains("Copy to"), "{told}");
    // A phone's menu closes with Escape and gives the focus back.
    browser.phone();
    browser.click("details.menu summary");
    browser.wait("the open menu", "document.querySelector('details.menu').open");
    browser.press('\u{e00c}');
    browser.wait(
        "the closed menu",
        "!document.querySelector('details.menu').open && document.activeElement.matches('.menu summary')",
    );
}

#[test]
fn people_change_their_own_password_and_keys() {
    let site = Site::start();
    let curl = Curl::signed_in(&site, "partner");
    let other = Curl::signed_in(&site, "partner");
    let page = curl.get("/account");
    assert!(page.status == 200 && page.body.contains("Your account") && !page.body.contains("Administrator"));
    let wrong = curl.told("/account", "/account/password", &[("old", "wrong"), ("password", "another good one")]);
    assert!(wrong.contains("The old password is not right"), "{wrong}");
    let short = curl.told("/account", "/account/password", &[("old", PASSWORD), ("password", "x")]);
    assert!(short.contains("note bad"), "{short}");
    let set = curl.told("/account", "/account/password", &[("old", PASSWORD), ("password", "another good one")]);
    assert!(set.contains("The new password is set"), "{set}");
    assert_eq!(other.get("/account").status, 303, "the other session goes on");
    Curl::signed_in_at(&site.base, "partner", "another good one");
    let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl me@here";
    assert!(curl.told("/account", "/account/keys", &[("key", key)]).contains("The key is added"));
    assert!(curl.get("/account").body.contains("me@here"));
}

#[test]
fn an_account_is_switched_off_and_on() {
    let site = Site::start();
    let curl = Curl::signed_in(&site, "admin");
    let partner = Curl::signed_in(&site, "partner");
    let off = curl.told("/accounts/partner", "/accounts/partner/switch", &[("on", "")]);
    assert!(off.contains("switched off") && off.contains("Switch on"), "{off}");
    assert_eq!(partner.get("/browse/").status, 303);
    let refused = Curl::new(&site).post("/sign-in", "/sign-in", &[("name", "partner"), ("password", PASSWORD)]);
    assert_eq!(refused.status, 401);
    assert!(curl.told("/accounts/partner", "/accounts/partner/switch", &[("on", "yes")]).contains("switched on"));
    Curl::signed_in(&site, "partner");
}

#[test]
fn the_colours_bring_one_back_to_the_same_page() {
    let site = Site::start();
    let curl = Curl::signed_in(&site, "admin");
    curl.post("/audit", "/audit/verify", &[]);
    for page in ["/audit?action=login-succeeded", "/audit"] {
        assert!(curl.get(page).body.contains(&format!("name=\"back\" value=\"{page}\"")), "{page}");
    }
    let found = curl.get("/audit?actor=ADMIN&action=login-succeeded").body;
    assert!(found.contains("<strong>Login succeeded</strong>"), "{found}");
}
