//! The comparisons of the dashboard: made, seen, switched off, forgotten.

use std::time::{Duration, Instant};

use super::site::{Curl, Site};

/// Waits for a page that says `what`.
fn until(curl: &Curl<'_>, path: &str, what: &str) -> String {
    let started = Instant::now();
    loop {
        let page = curl.get(path).body;
        if page.contains(what) {
            return page;
        }
        assert!(started.elapsed() < Duration::from_secs(60), "{page}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn a_comparison_is_made_and_shows_what_its_rounds_saw() {
    let site = Site::start();
    let curl = Curl::signed_in(&site, "admin");
    assert!(curl.get("/comparisons").body.contains("add a job"), "there is nothing to compare yet");
    let source = site.source();
    let job = [("name", "A"), ("source", source.to_str().unwrap()), ("target", "jobs/a"), ("schedule", "manual")];
    assert_eq!(curl.post("/jobs/new", "/jobs", &job).status, 303);
    let page = curl.get("/comparisons").body;
    let first = page.split("name=\"member1\"").nth(1).and_then(|rest| rest.split("</select>").next()).unwrap();
    let ids: Vec<_> = first.split("<option value=\"").skip(2).map(|rest| rest.split('"').next().unwrap()).collect();
    assert_eq!(ids.len(), 2, "{first}");
    let fields = |changed: &[(&'static str, &str)]| {
        let mut all = vec![
            ("name", "Old <and> new"),
            ("member1", ids[0]),
            ("member2", ids[1]),
            ("small", "sub folder/file 3.txt"),
            ("folder", "sub folder"),
            ("minutes", "60"),
            ("logins", "30"),
            ("mebibytes", "10"),
        ]
        .into_iter()
        .map(|(name, value)| (name, value.to_owned()))
        .collect::<Vec<_>>();
        for (name, value) in changed {
            all.iter_mut().filter(|(known, _)| known == name).for_each(|field| (*value).clone_into(&mut field.1));
        }
        all
    };
    let post = |to: &str, changed: &[(&'static str, &str)]| {
        let fields = fields(changed);
        let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        curl.told(to, to, &fields)
    };
    for (changed, said) in [
        (("member2", ids[0]), "one alone is compared with nothing"),
        (("minutes", "often"), "The minutes cannot be read"),
        (("minutes", "0"), "Rounds begin every 1 to 86400 seconds"),
        (("logins", "1"), "a round needs a login for each of its 2 members"),
        (("small", "../x"), ".."),
    ] {
        let page = post("/comparisons", &[changed]);
        assert!(page.contains("note bad") && page.contains(said), "{changed:?}: {page}");
    }
    assert!(curl.get("/comparisons").body.contains("Nothing is compared yet"));
    assert!(post("/comparisons", &[]).contains("The first round begins within a minute"));
    let page = post("/comparisons", &[]);
    assert!(page.contains("There is a comparison of that name already"), "{page}");
    assert_eq!(curl.post("/comparisons/1", "/comparisons/1/now", &[]).status, 303);
    // The target has nothing yet.
    let page = until(&curl, "/comparisons/1", "data-label=\"Visited\"");
    assert!(page.contains("Old &#60;and&#62; new") && page.contains("missing"), "{page}");
    assert!(page.contains("Small file") && page.contains(" ms<") | page.contains(" µs<"), "{page}");
    let off = curl.told("/comparisons/1", "/comparisons/1/switch", &[("on", "no")]);
    assert!(off.contains("No round begins any more") && off.contains(">Off<"), "{off}");
    let changed = post("/comparisons/1", &[("name", "Plant"), ("minutes", "2.5")]);
    assert!(changed.contains("The comparison was changed") && changed.contains("value=\"2.50\""), "{changed}");
    assert!(changed.contains(">Off<"), "a change switches nothing on");
    let log = curl.get("/audit").body;
    assert!(log.contains("Comparison 1") && log.contains("visits 2 endpoints") && log.contains("is off"), "{log}");
    let partner = Curl::signed_in(&site, "partner");
    assert_eq!(partner.get("/comparisons").status, 403);
    assert_eq!(partner.post("/browse/", "/comparisons/1/delete", &[]).status, 403);
    assert!(curl.told("/comparisons", "/comparisons/1/delete", &[]).contains("The comparison is gone"));
    assert_eq!(curl.get("/comparisons/1").status, 404);
}
