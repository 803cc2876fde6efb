//! App passwords on the dashboard, without scripts: made by their owner, seen and removed by an administrator, too.

use super::site::{Curl, PASSWORD, Site};

const HERE: &str = "/account";
const MAKE: &str = "/account/app-passwords";

#[test]
fn one_is_made_narrow_and_seen_and_removed_by_an_administrator() {
    let site = Site::start();
    let partner = Curl::signed_in(&site, "partner");
    std::fs::create_dir(site.tree().join("partners/a/reports")).unwrap();
    let wanted = [
        ("label", "Scanner <hall 2>"),
        ("folder", "/reports/"),
        ("read_only", "yes"),
        ("days", "30"),
        ("old", PASSWORD),
    ];
    let made = partner.post(HERE, MAKE, &wanted);
    assert!(made.status == 200 && made.head.contains("cache-control: no-store"), "{}", made.head);
    for said in ["<code>cway_", "<code>partner</code>", "May read in reports", "in 30 days", "/dav/</code>"] {
        assert!(made.body.contains(said), "{said}: {}", made.body);
    }
    assert!(made.body.contains("Scanner &#60;hall 2&#62;") && !made.body.contains("<hall"), "{}", made.body);
    let page = partner.get(HERE).body;
    assert!(page.contains("May read in reports") && !page.contains("cway_"), "{page}");
    let again = partner.told(HERE, MAKE, &wanted);
    assert!(again.contains("There is an app password &#39;Scanner &#60;hall 2&#62;&#39; already"), "{again}");

    let admin = Curl::signed_in(&site, "admin");
    let page = admin.get("/accounts/partner").body;
    assert!(page.contains("Scanner &#60;hall 2&#62;") && page.contains("May read in reports"), "{page}");
    assert!(!page.contains("Make an app password"), "nobody makes one for somebody else");
    let label = [("label", "Scanner <hall 2>")];
    let gone = admin.told("/accounts/partner", "/accounts/partner/app-passwords/remove", &label);
    assert!(gone.contains("The app password is removed") && !gone.contains("May read in reports"), "{gone}");
    assert!(!partner.get(HERE).body.contains("May read in reports"), "the session goes on");
    let twice = admin.told("/accounts/partner", "/accounts/partner/app-passwords/remove", &label);
    assert!(twice.contains("There is no app password"), "{twice}");
    let log = admin.get("/audit?action=app-password-made").body;
    assert!(log.contains("for “Scanner &#60;hall 2&#62;”, which may read in /reports of its folder, until"), "{log}");
}

#[test]
fn a_bad_form_gets_a_sentence_and_makes_nothing() {
    let site = Site::start();
    let reader = Curl::signed_in(&site, "reader");
    assert!(!reader.get(HERE).body.contains("name=\"read_only\""), "who may only read is not asked");
    std::os::unix::fs::symlink("../..", site.tree().join("partners/a/up")).unwrap();
    let post = |fields: &[(&str, &str)]| reader.told(HERE, MAKE, fields);
    for (fields, why) in [
        (vec![("label", "x"), ("old", "wrong")], "The present password is not right"),
        (vec![("label", " "), ("old", PASSWORD)], "Name the device or program"),
        (vec![("label", "x"), ("folder", "missing"), ("old", PASSWORD)], "The folder “missing” cannot be used"),
        (vec![("label", "x"), ("folder", "up"), ("old", PASSWORD)], "a part of the path is a link"),
        (vec![("label", "x"), ("folder", "../b"), ("old", PASSWORD)], "Folder: "),
        (vec![("label", "x"), ("days", "soon"), ("old", PASSWORD)], "The number of days cannot be read"),
        (vec![("label", "x"), ("days", "0"), ("old", PASSWORD)], "The number of days cannot be read"),
    ] {
        let said = post(&fields);
        assert!(said.contains(why) && said.contains("note bad"), "{fields:?}: {said}");
    }
    assert_eq!(reader.post(HERE, MAKE, &[("label", "x")]).status, 400, "without the present password");
    assert!(reader.get(HERE).body.contains("None. Give each device"), "{}", reader.get(HERE).body);
    let stranger = Curl::signed_in(&site, "partner");
    let forbidden = stranger.post(HERE, "/accounts/reader/app-passwords/remove", &[("label", "x")]);
    assert_eq!(forbidden.status, 403);
    let admin = Curl::signed_in(&site, "admin");
    let own = admin.told("/accounts/partner", "/accounts/admin/app-passwords/remove", &[("label", "x")]);
    assert!(own.contains("app passwords are changed here, with the present password"), "{own}");
}
