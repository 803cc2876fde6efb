//! Forms: what is wrong stands at its field, and no secret comes back.

use super::browser::Browser;
use super::site::{Curl, PASSWORD, Site};

const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl me@here";

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
    for (from, to) in [
        (source, "../x"),
        (source, "a/../../x"),
        ("sftp://host/x", "x"),
        ("gopher://host/x", "x"),
        (source, "ftp://h/x"),
    ] {
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
    assert!(wrong.contains("The present password is not right"), "{wrong}");
    let short = curl.told("/account", "/account/password", &[("old", PASSWORD), ("password", "x")]);
    assert!(short.contains("note bad"), "{short}");
    let set = curl.told("/account", "/account/password", &[("old", PASSWORD), ("password", "another good one")]);
    assert!(set.contains("The new password is set"), "{set}");
    assert_eq!(other.get("/account").status, 303, "the other session goes on");
    Curl::signed_in_at(&site.base, "partner", "another good one");
    assert!(set.contains("No SSH key opens this account"), "{set}");
    // A browser that was left open is not enough to come in for ever: keys ask for the password, too.
    let present = ("old", "another good one");
    for old in [vec![("old", "wrong")], vec![]] {
        let fields = [vec![("key", KEY)], old].concat();
        let refused = curl.told("/account", "/account/keys", &fields);
        assert!(!refused.contains("The key is added") && !curl.get("/account").body.contains("me@here"), "{refused}");
    }
    assert!(curl.told("/account", "/account/keys", &[("key", KEY), present]).contains("The key is added"));
    let again = curl.told("/account", "/account/password", &[present, ("password", "a third good one")]);
    assert!(again.contains("One SSH key still opens this account"), "{again}");
    let page = curl.get("/account").body;
    let print = page.split("name=\"key\" value=\"").nth(1).unwrap().split('"').next().unwrap().replace("&#43;", "+");
    let wrong = [("key", print.as_str()), ("old", "wrong")];
    assert!(curl.told("/account", "/account/keys/remove", &wrong).contains("nothing was changed"));
    let right = [("key", print.as_str()), ("old", "a third good one")];
    assert!(curl.told("/account", "/account/keys/remove", &right).contains("The key is removed"));
    assert!(!curl.get("/account").body.contains("me@here"));
}

#[test]
fn an_administrator_changes_the_own_secrets_with_the_present_password_only() {
    let site = Site::start();
    let curl = Curl::signed_in(&site, "admin");
    let page = curl.get("/accounts/admin").body;
    assert!(page.contains("href=\"/account\"") && !page.contains("/accounts/admin/password"), "{page}");
    for (to, field) in [("password", ("password", "another good one")), ("keys", ("key", KEY))] {
        let refused = curl.told("/accounts/partner", &format!("/accounts/admin/{to}"), &[field]);
        assert!(refused.contains("changed here, with the present password"), "{refused}");
    }
    assert!(!curl.get("/account").body.contains("me@here"));
    Curl::signed_in(&site, "admin");
    curl.post("/accounts/partner", "/accounts/partner/keys", &[("key", KEY)]);
    let set = curl.told("/accounts/partner", "/accounts/partner/password", &[("password", "another good one")]);
    assert!(set.contains("One SSH key still opens this account"), "{set}");
}

#[test]
fn a_form_that_holds_too_much_is_413_and_kept_by_nobody() {
    let site = Site::start();
    let curl = Curl::signed_in(&site, "admin");
    let local = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(local.path(), "x".repeat(300 * 1024)).unwrap();
    let large = format!("name@{}", local.path().display());
    let refused = curl.call("/jobs", &["--data-urlencode", &large]);
    assert_eq!(refused.status, 413, "{}", refused.body);
    assert!(refused.body.contains("A form may hold 256 KiB"), "{}", refused.body);
    assert!(refused.head.contains("cache-control: no-store"), "{}", refused.head);
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
    assert!(found.contains("“admin” came in through the dashboard by password, from 127.0.0.1:"), "{found}");
}

#[test]
fn a_form_says_what_becomes_of_links_and_names() {
    let site = Site::start();
    let curl = Curl::signed_in(&site, "admin");
    let source = site.source();
    let job = |links: &str, names: &str| {
        let source = source.to_str().unwrap();
        let fields = [("name", "job"), ("source", source), ("target", "jobs/a"), ("links", links), ("names", names)];
        curl.post("/jobs/new", "/jobs", &fields)
    };
    for (links, names, field) in [("chase", "keep", "links"), ("skip", "pretty", "names")] {
        let refused = job(links, names);
        assert!(refused.status == 200 && refused.body.contains(&format!("id=\"{field}-wrong\"")), "{}", refused.body);
    }
    assert_eq!(job("follow", "portable").status, 303);
    let page = curl.get("/jobs/1").body;
    assert!(page.contains("followed inside the source") && page.contains("as Windows can hold them"), "{page}");
    let form = curl.get("/jobs/1/edit").body;
    for chosen in ["value=\"follow\" checked", "value=\"portable\" checked"] {
        assert!(form.contains(chosen), "{form}");
    }
}

#[test]
fn a_quota_is_set_and_its_owner_sees_what_is_left() {
    let site = Site::start();
    let curl = Curl::signed_in(&site, "admin");
    let rights = |quota: &'static str, files: &'static str| {
        [("home", "partners/a"), ("quota", quota), ("quota_files", files)].to_vec()
    };
    for (quota, files, then) in [("much", "", "for example 20 GiB"), ("", "0", "a number above 0")] {
        let refused = curl.told("/accounts/partner", "/accounts/partner", &rights(quota, files));
        assert!(refused.contains("note bad") && refused.contains(then), "{refused}");
        let fields = [rights(quota, files), vec![("name", "carla"), ("password", PASSWORD)]].concat();
        let refused = curl.post("/accounts?new=yes", "/accounts", &fields).body;
        assert!(refused.contains(then) && refused.contains(quota), "{refused}");
    }
    curl.told("/accounts/partner", "/accounts/partner", &rights("10 kB", "1,000"));
    let page = curl.get("/accounts/partner").body;
    assert!(page.contains("value=\"10kB\"") && page.contains("value=\"1000\""), "{page}");
    assert!(page.contains("5 B of 10 kB") && page.contains("1 of 1,000 files, folders and links"), "{page}");
    let own = Curl::signed_in(&site, "partner").get("/account").body;
    assert!(own.contains("Room in your folder") && own.contains("5 B of 10 kB"), "{own}");
    curl.told("/accounts/partner", "/accounts/partner", &rights("", ""));
    assert!(!Curl::signed_in(&site, "partner").get("/account").body.contains("Room in your folder"));
}

#[test]
fn whoever_only_looks_makes_no_home() {
    let site = Site::start();
    let curl = Curl::signed_in(&site, "admin");
    let rights = [("home", "not/yet"), ("quota", "10 kB")];
    curl.told("/accounts/partner", "/accounts/partner", &rights);
    let page = curl.get("/accounts/partner").body;
    assert!(page.contains("0 B of 10 kB"), "{page}");
    assert!(!site.tree().join("not").exists());
}

#[test]
fn what_a_login_must_show_is_set_for_others() {
    let site = Site::start();
    let curl = Curl::signed_in(&site, "admin");
    let page = curl.get("/accounts/partner").body;
    assert!(page.contains("<option value=\"any\" selected>a key or the password</option>"), "{page}");
    assert!(page.contains("<option value=\"key+password+code\">key, password, code</option>"), "{page}");
    let require = |name: &str, required: &'static str| {
        curl.told(&format!("/accounts/{name}"), &format!("/accounts/{name}/require"), &[("required", required)])
    };
    let partner = Curl::signed_in(&site, "partner");
    assert!(require("partner", "nothing").contains("hat is required is one of any, key"));
    assert!(require("partner", "password+code").contains("no second factor"), "nobody is locked out for ever");
    assert_eq!(partner.get("/account").status, 200);
    let saved = require("partner", "key+password");
    assert!(saved.contains("What a login must show is saved"), "{saved}");
    assert!(saved.contains("<option value=\"key+password\" selected>"), "{saved}");
    assert_eq!(partner.get("/account").status, 303, "it began with less");
    let sign_in = [("name", "partner"), ("password", PASSWORD), ("code", "")];
    assert_eq!(Curl::new(&site).post("/sign-in", "/sign-in", &sign_in).status, 403, "no key is shown here");
    require("partner", "any");
    Curl::signed_in(&site, "partner");
    assert!(require("admin", "key").contains("set by another administrator"), "nobody shuts themselves out");
    assert!(!curl.get("/accounts/admin").body.contains("name=\"required\""));
    assert!(curl.get("/audit?action=account-changed").body.contains("required"));
}
