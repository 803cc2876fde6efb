//! Delete, restore and move in the dashboard, without scripts.

use std::os::unix::ffi::OsStrExt as _;

use super::site::{Curl, Site, token};

/// The number of what was deleted last.
fn newest(page: &str) -> String {
    page.split("action=\"/trash/").nth(1).unwrap().split('/').next().unwrap().to_owned()
}

#[test]
fn what_was_deleted_comes_back_and_nothing_is_overwritten() {
    let site = Site::start();
    let home = site.tree().join("partners/a");
    std::fs::create_dir_all(home.join("d/deep")).unwrap();
    std::fs::write(home.join("d/deep/f"), "old").unwrap();
    let partner = Curl::signed_in(&site, "partner");
    let said = partner.told("/browse/", "/browse/", &[("do", "delete"), ("from", "d")]);
    assert!(said.contains("It is deleted.") && !home.join("d").exists(), "{said}");
    let page = partner.get("/trash").body;
    assert!(page.contains("/partners/a/d") && page.contains("counts in no quota"), "{page}");
    let id = newest(&page);
    let restore = format!("/trash/{id}/restore");
    // Nobody else's, except for an administrator.
    let reader = Curl::signed_in(&site, "reader");
    let seen = reader.get("/trash").body;
    assert!(seen.contains("Nothing is in the trash"), "{seen}");
    let csrf = format!("csrf={}", token(&seen));
    for what in ["restore", "delete"] {
        assert_eq!(reader.call(&format!("/trash/{id}/{what}"), &["-d", &csrf]).status, 303);
    }
    assert!(Curl::signed_in(&site, "admin").get("/trash").body.contains("/partners/a/d"));
    // The name is taken now: what has it stays.
    std::fs::create_dir(home.join("d")).unwrap();
    std::fs::write(home.join("d/new"), "new").unwrap();
    let said = partner.told("/trash", &restore, &[("to", "")]);
    assert!(said.contains("Something has that name now and stays as it is"), "{said}");
    assert_eq!(std::fs::read(home.join("d/new")).unwrap(), b"new");
    let said = partner.told("/trash", &restore, &[("to", "/back/d")]);
    assert!(said.contains("It is back: /back/d") && said.contains("Nothing is in the trash"), "{said}");
    assert_eq!(std::fs::read(home.join("back/d/deep/f")).unwrap(), b"old");
    assert_eq!(std::fs::read_dir(site.tree().join(".causeway-trash")).unwrap().count(), 0);
    // And for good.
    partner.told("/browse/", "/browse/", &[("do", "delete"), ("from", "back")]);
    let id = newest(&partner.get("/trash").body);
    let said = partner.told("/trash", &format!("/trash/{id}/delete"), &[]);
    assert!(said.contains("It is gone for good") && said.contains("Nothing is in the trash"), "{said}");
    assert!(
        partner.told("/browse/", &format!("/trash/{id}/restore"), &[("to", "")]).contains("It is not there any more")
    );
    // A name that is no text comes back as it was, and its folder with it.
    std::fs::create_dir(home.join("odd")).unwrap();
    let odd = home.join("odd").join(std::ffi::OsStr::from_bytes(b"odd\xe9"));
    std::fs::write(&odd, "odd").unwrap();
    partner.told("/browse/odd/", "/browse/odd/", &[("do", "delete"), ("from", "odd%E9")]);
    std::fs::remove_dir(home.join("odd")).unwrap();
    let id = newest(&partner.get("/trash").body);
    let said = partner.told("/trash", &format!("/trash/{id}/restore"), &[("to", "")]);
    assert!(said.contains("It is back: /odd/odd"), "{said}");
    assert_eq!(std::fs::read(&odd).unwrap(), b"odd");
    let log = Curl::signed_in(&site, "admin").get("/audit").body;
    for said in ["ut /partners/a/d into the trash", "ook /partners/a/d out of the trash", "is gone for good"] {
        assert!(log.contains(said), "{said}: {log}");
    }
}

#[test]
fn what_is_ticked_moves_unless_something_is_in_the_way() {
    let site = Site::start();
    let home = site.tree().join("partners/a");
    std::fs::create_dir_all(home.join("from/sub")).unwrap();
    std::fs::create_dir_all(home.join("to")).unwrap();
    for (name, content) in [("from/one", "1"), ("from/two", "2"), ("from/sub/three", "3"), ("to/two", "other")] {
        std::fs::write(home.join(name), content).unwrap();
    }
    let partner = Curl::signed_in(&site, "partner");
    let csrf = format!("csrf={}", token(&partner.get("/browse/from/").body));
    let moved = |to: &str, names: &[&str]| {
        let (to, picks): (_, Vec<_>) = (format!("to={to}"), names.iter().map(|name| format!("pick={name}")).collect());
        let mut args = vec!["-d", csrf.as_str(), "-d", to.as_str()];
        picks.iter().for_each(|pick| args.extend(["-d", pick]));
        let answer = partner.call("/move/from/", &args);
        assert_eq!(answer.status, 303, "{}", answer.body);
        partner.get("/browse/from/").body
    };
    let said = moved("/to", &["one", "two", "sub"]);
    assert!(
        said.contains("2 entries are moved to /to; not moved: “two” (something of that name is there already)"),
        "{said}"
    );
    assert_eq!(std::fs::read(home.join("to/sub/three")).unwrap(), b"3");
    assert_eq!(std::fs::read(home.join("to/two")).unwrap(), b"other");
    assert_eq!(std::fs::read(home.join("from/two")).unwrap(), b"2");
    assert!(moved("/nowhere", &["two"]).contains("There is no folder /nowhere"));
    assert!(moved("", &["two"]).contains("rite into which folder"));
    assert!(moved("/to", &[]).contains("othing is ticked"));
    let log = Curl::signed_in(&site, "admin").get("/audit?action=door-renamed").body;
    assert!(log.contains("enamed /partners/a/from/one to /partners/a/to/one"), "{log}");
}
