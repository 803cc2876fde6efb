//! Shared links, without scripts: made by somebody with an account, used by people without one.

use std::process::Command;

use super::site::{Curl, Site, token};

/// Makes a link to `path` and returns its path on the server.
fn made(owner: &Curl<'_>, path: &str, fields: &[(&str, &str)]) -> String {
    let page = format!("/shares/new/{path}");
    let answer = owner.post(&page, &page, fields);
    assert!(answer.status == 200 && answer.head.contains("cache-control: no-store"), "{}{}", answer.head, answer.body);
    let link = answer.body.split("data-copy=\"").nth(1).unwrap().split('"').next().unwrap();
    link.strip_prefix(owner.base).unwrap().to_owned()
}

/// The address of the file on the page of a link.
fn href(page: &str) -> String {
    let found = page.split("href=\"").find(|rest| rest.starts_with("/s/")).unwrap();
    found.split('"').next().unwrap().to_owned()
}

/// The number of the newest link, and how often it was used.
fn used(owner: &Curl<'_>) -> (String, String) {
    let page = owner.get("/shares").body;
    let between = |text: &str, from: &str| text.split(from).nth(1).unwrap().split('<').next().unwrap().to_owned();
    (between(&page, ", link "), between(&page, "data-label=\"Used\"><div>"))
}

#[test]
fn a_file_is_fetched_as_often_as_was_given() {
    let site = Site::start();
    let owner = Curl::signed_in(&site, "reader");
    let link = made(&owner, "%3Cb%3E%26.txt", &[("kind", "file"), ("days", "2"), ("most", "2")]);
    assert!(!owner.get("/shares").body.contains(&link[3..]), "it is shown once");
    let first = Curl::new(&site);
    let page = first.get(&link);
    assert!(page.status == 200 && page.head.contains("x-robots-tag: noindex"), "{}", page.head);
    assert!(page.body.contains("reader shares this file with you") && page.body.contains("5 B"), "{}", page.body);
    assert!(page.body.contains("2 more uses") && page.body.contains("&#60;b&#62;&#38;.txt"), "{}", page.body);
    let file = href(&page.body);
    assert_eq!(first.call(&file, &["-I"]).status, 200, "to look is no use");
    assert_eq!(used(&owner).1, "0 of 2");
    let got = first.get(&file);
    assert!(got.body == "hello" && got.head.contains("content-disposition: attachment"), "{}", got.head);
    let part = first.call(&file, &["-r", "1-2"]);
    assert!(part.status == 206 && part.body == "el", "{}", part.head);
    assert_eq!(used(&owner).1, "1 of 2", "the same browser goes on with the same use");
    assert_eq!(Curl::new(&site).get(&file).body, "hello");
    let late = Curl::new(&site).get(&file);
    assert!(late.status == 410 && late.body.contains("used as often as it may be"), "{}", late.body);
    assert_eq!(first.get(&file).body, "hello", "who was in time still may");
    assert!(owner.get("/shares").body.contains("Used up"));
    // Nothing else is behind the link.
    std::fs::write(site.tree().join("partners/a/other.txt"), "secret").unwrap();
    for other in ["other.txt", "%2e%2e/a/other.txt", "..%2fa%2fother.txt", "x/y"] {
        assert_eq!(first.call(&format!("{link}/{other}"), &["--path-as-is"]).status, 404, "{other}");
    }
    assert_eq!(first.get(&format!("{}x", &link[..link.len() - 1])).status, 404);
    let log = Curl::signed_in(&site, "admin").get("/audit?action=share-used").body;
    assert!(log.contains("share 1") && log.contains("was used from 127.0.0.1, 2 uses so far"), "{log}");
}

#[test]
fn no_number_of_requests_at_once_gets_more() {
    let site = Site::start();
    let owner = Curl::signed_in(&site, "partner");
    let link = made(&owner, "%3Cb%3E%26.txt", &[("kind", "file"), ("most", "5")]);
    let file = format!("{}{}", site.base, href(&Curl::new(&site).get(&link).body));
    let all: Vec<_> = (0..40).map(|_| &file).collect();
    let output = Command::new("curl")
        .args(["-sk", "--no-progress-meter", "--parallel", "--parallel-max", "40", "--max-time", "60"])
        .args(["-w", "%{http_code}\n"])
        .args(all.iter().flat_map(|url| ["-o", "/dev/null", url.as_str()]))
        .output()
        .unwrap();
    let statuses = String::from_utf8(output.stdout).unwrap();
    let count = |status: &str| statuses.lines().filter(|line| *line == status).count();
    assert_eq!((count("200"), count("410")), (5, 35), "{statuses}");
    assert_eq!(used(&owner).1, "5 of 5");
}

#[test]
fn a_password_comes_before_everything() {
    let site = Site::start();
    let owner = Curl::signed_in(&site, "partner");
    let new = "/shares/new/%3Cb%3E%26.txt";
    for (fields, why) in [
        (vec![("kind", "file"), ("password", "short")], "A password has at least 8 characters"),
        (vec![("kind", "file"), ("days", "0")], "The number of days cannot be read"),
        (vec![("kind", "file"), ("most", "many")], "The number of uses cannot be read"),
        (vec![("kind", "folder")], "What the link leads to is no folder"),
        (vec![("kind", "all")], "The form does not say what to share"),
    ] {
        let said = owner.told(new, new, &fields);
        assert!(said.contains(why) && said.contains("note bad"), "{fields:?}: {said}");
    }
    assert!(owner.get("/shares").body.contains("Nothing is shared"));
    let link = made(&owner, "%3Cb%3E%26.txt", &[("kind", "file"), ("password", "open sesame"), ("most", "1")]);
    let file = format!("{link}/%3Cb%3E%26.txt");
    let stranger = Curl::new(&site);
    for path in [&link, &file] {
        let page = stranger.get(path).body;
        assert!(
            page.contains("asks for a password") && !page.contains("partner") && !page.contains("&#60;b"),
            "{page}"
        );
    }
    let wrong = stranger.post(&link, &link, &[("password", "open barley")]);
    assert!(wrong.status == 403 && wrong.body.contains("not the password of this link"), "{}", wrong.body);
    assert_eq!(used(&owner).1, "0 of 1");
    let right = stranger.post(&link, &link, &[("password", "open sesame")]);
    assert!(right.status == 303 && right.head.contains("httponly"), "{}", right.head);
    assert_eq!(stranger.get(&file).body, "hello");
    assert_eq!(used(&owner).1, "1 of 1");
    assert_eq!(Curl::new(&site).get(&file).status, 410);
}

#[test]
fn a_folder_is_looked_through_and_nothing_outside_of_it() {
    let site = Site::start();
    let home = site.tree().join("partners/a");
    std::fs::create_dir_all(home.join("out/deep")).unwrap();
    std::fs::write(home.join("out/deep/f 1.txt"), "deep").unwrap();
    std::os::unix::fs::symlink("../<b>&.txt", home.join("out/up")).unwrap();
    std::fs::write(home.join("out/.causeway-part"), "x").unwrap();
    let owner = Curl::signed_in(&site, "partner");
    let link = made(&owner, "out", &[("kind", "folder")]);
    let stranger = Curl::new(&site);
    let page = stranger.get(&link).body;
    assert!(page.contains("deep") && !page.contains(">up<") && !page.contains(".causeway"), "{page}");
    let deep = stranger.get(&format!("{link}/deep/")).body;
    assert!(deep.contains("f 1.txt") && deep.contains(">Start</a>"), "{deep}");
    assert_eq!(stranger.get(&href(deep.split("<tbody>").nth(1).unwrap())).body, "deep");
    assert_eq!(used(&owner).1, "1");
    for outside in ["up", "..%2f%3Cb%3E%26.txt", "%2e%2e/%3Cb%3E%26.txt", ".causeway-part", "none"] {
        let answer = stranger.call(&format!("{link}/{outside}"), &["--path-as-is"]);
        assert!(matches!(answer.status, 403 | 404), "{outside}: {}", answer.status);
    }
    for number in 0..250 {
        std::fs::write(home.join(format!("out/n{number:03}")), "").unwrap();
    }
    let (first, second) = (stranger.get(&link).body, stranger.get(&format!("{link}?from=200")).body);
    let shown = |page: &str| page.matches("class=\"name\"").count();
    assert_eq!((shown(&first), shown(&second)), (200, 51), "page by page");
    assert!(first.contains("?from=200") && second.contains("?from=0"), "{second}");
    // It is for reading: a form that sends files finds nobody.
    let csrf = format!("csrf={}", token(&page));
    let sent = stranger.call(&format!("{link}/"), &["-F", &csrf, "-F", "files=@/etc/hostname;filename=new"]);
    assert!(sent.status == 403 && !home.join("out/new").exists(), "{}", sent.head);
}

#[test]
fn a_drop_box_takes_files_and_shows_none() {
    let site = Site::start();
    std::fs::create_dir(site.tree().join("partners/a/in")).unwrap();
    std::fs::write(site.tree().join("partners/a/in/a.b.txt"), "mine").unwrap();
    let reader = Curl::signed_in(&site, "reader");
    assert!(!reader.get("/shares/new/in").body.contains("drop-box"));
    let said = reader.told("/shares/new/in", "/shares/new/in", &[("kind", "drop-box")]);
    assert!(said.contains("Your account may not write there"), "{said}");
    let owner = Curl::signed_in(&site, "partner");
    let link = made(&owner, "in", &[("kind", "drop-box"), ("most", "1")]);
    let stranger = Curl::new(&site);
    let page = stranger.get(&link).body;
    assert!(page.contains("partner asks you for files") && !page.contains("a.b.txt"), "{page}");
    assert_eq!(stranger.get(&format!("{link}/a.b.txt")).status, 404);
    let source = site.source().join("sub folder/file 3.txt");
    let file = |name: &str| format!("files=@{};filename={name}", source.display());
    let csrf = format!("csrf={}", token(&page));
    let to = format!("{link}/");
    // What is refused before the first file costs no use.
    for refused in [
        &["-F", "csrf=guessed", "-F", &file("x")][..],
        &["-F", &file("x"), "-F", &csrf],
        &["-H", "Origin: https://evil.example", "-F", &csrf, "-F", &file("x")],
    ] {
        assert_eq!(stranger.call(&to, refused).status, 403, "{refused:?}");
    }
    assert_eq!(used(&owner).1, "0 of 1");
    let sent = stranger.call(&to, &["-F", &csrf, "-F", &file("a.b.txt"), "-F", &file("../up.txt")]);
    assert_eq!(sent.status, 303, "{}", sent.body);
    assert!(stranger.get(&link).body.contains("2 files are uploaded"));
    let read = |name: &str| std::fs::read_to_string(site.tree().join("partners/a/in").join(name)).unwrap();
    assert_eq!(
        (read("a.b.txt"), read("a.b~2.txt"), read("up.txt")),
        ("mine".into(), "content 3".into(), "content 3".into())
    );
    let large = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(large.path(), vec![b'x'; 3 << 20]).unwrap();
    let large = format!("files=@{};filename=large", large.path().display());
    // On a new connection, of somebody who has nothing but the link.
    assert_eq!(stranger.call(&to, &["-F", &csrf, "-F", &large]).status, 303, "the same use");
    assert_eq!(read("large").len(), 3 << 20);
    let other = Curl::new(&site);
    assert_eq!(other.get(&link).status, 410);
    let log = Curl::signed_in(&site, "admin").get("/audit?action=door-uploaded").body;
    assert!(log.contains("share 1") && log.contains("by a shared link"), "{log}");
}

#[test]
fn many_who_send_a_file_of_one_name_lose_none() {
    let site = Site::start();
    std::fs::create_dir(site.tree().join("partners/a/in")).unwrap();
    let link = made(&Curl::signed_in(&site, "partner"), "in", &[("kind", "drop-box")]);
    let senders: Vec<_> = (0..6).map(|_| Curl::new(&site)).collect();
    let csrf: Vec<_> = senders.iter().map(|sender| format!("csrf={}", token(&sender.get(&link).body))).collect();
    let contents: Vec<_> = (0..6_u8).map(|_| tempfile::NamedTempFile::new().unwrap()).collect();
    std::thread::scope(|scope| {
        for (number, (sender, csrf)) in senders.iter().zip(&csrf).enumerate() {
            std::fs::write(contents[number].path(), vec![b'0' + number as u8; 400_000]).unwrap();
            let file = format!("files=@{};filename=same.txt", contents[number].path().display());
            let to = format!("{link}/");
            scope.spawn(move || {
                for _ in 0..4 {
                    assert_eq!(sender.call(&to, &["-F", csrf, "-F", &file]).status, 303);
                    let said = sender.get(to.trim_end_matches('/')).body;
                    assert!(said.contains("1 file is uploaded"), "{said}");
                }
            });
        }
    });
    let mut found = [0; 6];
    for entry in std::fs::read_dir(site.tree().join("partners/a/in")).unwrap() {
        let content = std::fs::read(entry.unwrap().path()).unwrap();
        assert!(content.len() == 400_000 && content.iter().all(|byte| *byte == content[0]));
        found[usize::from(content[0] - b'0')] += 1;
    }
    assert_eq!(found, [4; 6]);
}

#[test]
fn a_box_takes_no_more_than_its_link_says() {
    let site = Site::start();
    let folder = site.tree().join("partners/a/in");
    std::fs::create_dir(&folder).unwrap();
    let owner = Curl::signed_in(&site, "partner");
    let said = owner.told("/shares/new/in", "/shares/new/in", &[("kind", "drop-box"), ("room", "a lot")]);
    assert!(said.contains("ow much they may send cannot be read"), "{said}");
    let link = made(&owner, "in", &[("kind", "drop-box"), ("room", "1 MB")]);
    let stranger = Curl::new(&site);
    let page = stranger.get(&link).body;
    assert!(page.contains("it takes 1.0 MB more"), "{page}");
    let csrf = format!("csrf={}", token(&page));
    let send = |name: &str, length: usize| {
        let local = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(local.path(), vec![b'x'; length]).unwrap();
        let file = format!("files=@{};filename={name}", local.path().display());
        assert_eq!(stranger.call(&format!("{link}/"), &["-F", &csrf, "-F", &file]).status, 303);
        stranger.get(&link).body
    };
    let said = send("large", 1_000_001);
    assert!(said.contains("more than can be sent by this link") && said.contains("takes 1.0 MB more"), "{said}");
    assert!(send("first", 600_000).contains("1 file is uploaded"));
    assert!(send("second", 400_001).contains("more than can be sent by this link"));
    let said = send("third", 400_000);
    assert!(said.contains("1 file is uploaded") && said.contains("takes 0 B more"), "{said}");
    let mut names: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["first", "third"]);
    let list = owner.get("/shares").body;
    assert!(list.contains("1.0 MB of 1.0 MB sent"), "{list}");
}

#[test]
fn a_link_ends_with_its_owner_or_by_hand() {
    let site = Site::start();
    let (owner, admin) = (Curl::signed_in(&site, "partner"), Curl::signed_in(&site, "admin"));
    let link = made(&owner, "%3Cb%3E%26.txt", &[("kind", "file")]);
    let number = used(&owner).0;
    let stranger = Curl::new(&site);
    assert_eq!(stranger.get(&link).status, 200);
    let switch = |on| admin.told("/accounts/partner", "/accounts/partner/switch", &[("on", on)]);
    switch("");
    assert_eq!(stranger.get(&link).status, 410, "the account is switched off");
    switch("yes");
    assert_eq!(stranger.get(&link).status, 200);
    let end = format!("/shares/{number}/end");
    let foreign = Curl::signed_in(&site, "reader");
    assert_eq!(foreign.post("/browse/", &end, &[]).status, 404, "not its own");
    assert!(!foreign.get("/shares").body.contains("b&#62;"), "nor does it see it");
    assert!(admin.get("/shares").body.contains("partner</td>"));
    assert!(admin.told("/shares", &end, &[]).contains("The link opens nothing any more"));
    let gone = stranger.get(&format!("{link}/%3Cb%3E%26.txt"));
    assert!(gone.status == 410 && gone.body.contains("ended by whoever gave it"), "{}", gone.body);
    std::fs::remove_file(site.tree().join("partners/a/<b>&.txt")).unwrap();
    std::fs::write(site.tree().join("partners/a/next"), "").unwrap();
    // Switching it off has signed its owner out.
    let owner = Curl::signed_in(&site, "partner");
    let link = made(&owner, "next", &[("kind", "file")]);
    std::fs::remove_file(site.tree().join("partners/a/next")).unwrap();
    let gone = stranger.get(&link);
    assert!(gone.status == 410 && gone.body.contains("is not there any more"), "{}", gone.body);
}

#[test]
fn a_shared_folder_comes_as_an_archive() {
    let site = Site::start();
    let home = site.tree().join("partners/a");
    std::fs::create_dir_all(home.join("out/sub")).unwrap();
    std::fs::write(home.join("out/sub/b"), "b").unwrap();
    std::fs::write(home.join("secret"), "s").unwrap();
    std::os::unix::fs::symlink("../secret", home.join("out/link")).unwrap();
    let owner = Curl::signed_in(&site, "partner");
    let link = made(&owner, "out", &[("kind", "folder"), ("most", "1")]);
    let guest = Curl::new(&site);
    let page = guest.get(&link).body;
    assert!(page.contains(&format!("{link}?zip")), "{page}");
    assert_eq!(guest.call(&format!("{link}?zip"), &["-I"]).status, 200);
    assert_eq!(used(&owner).1, "0 of 1", "to look is no use");
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().to_str().unwrap();
    let fetch = |query: &str| {
        let head = guest.call(&format!("{link}{query}"), &["--no-include", "-o", path, "-D", "-"]).head;
        let names = Command::new("bsdtar").args(["-tf", path]).output().unwrap().stdout;
        (head, String::from_utf8(names).unwrap())
    };
    let (_, names) = fetch("?zip");
    assert_eq!(names, "sub/\nsub/b\n");
    assert_eq!(fetch("/sub/?tar.zst").1, "sub/\nsub/b\n");
    assert_eq!(used(&owner).1, "1 of 1");
    let late = Curl::new(&site).get(&format!("{link}?zip"));
    assert!(late.status == 410, "{}", late.head);
    // There is nothing to see behind a box.
    let boxed = made(&owner, "out", &[("kind", "drop-box")]);
    let page = Curl::new(&site).get(&format!("{boxed}?zip"));
    assert!(page.body.contains("asks you for files"), "{}", page.head);
}
