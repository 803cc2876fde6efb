//! Who is connected, on the dashboard, and the way to end a connection.

use std::time::Duration;

use causeway::model::{Door, RelPath};
use causeway::presence::{Moving, Who};
use causeway::reliability::Direction;
use jiff::Timestamp;

use super::site::{Curl, Site, token};

fn who(account: &str, port: u16) -> Who {
    Who {
        door: Door::Sftp,
        account: account.to_owned(),
        peer: ([192, 0, 2, 7], port).into(),
        client: "SSH-2.0-Old<b>Client".to_owned(),
        kex: Some("curve25519-sha256".to_owned()),
        cipher: Some("aes128-gcm@openssh.com".to_owned()),
        since: Timestamp::now(),
    }
}

#[test]
fn everybody_sees_and_ends_their_own_connections_only() {
    let site = Site::start();
    let partner = Curl::signed_in(&site, "partner");
    assert!(partner.get("/account").body.contains("None over SFTP now"));
    let moving = Moving::default();
    let own = site.presence.enter(who("partner", 1111), moving.clone(), 1).unwrap();
    let other = site.presence.enter(who("reader", 2222), Moving::default(), 1).unwrap();
    moving.begin(RelPath::new("x").unwrap(), Direction::Download, Timestamp::now()).add(3_000_000);
    let page = partner.get("/account").body;
    assert!(page.contains("192.0.2.7:1111") && page.contains("3.0 MB fetched in all"), "{page}");
    assert!(!page.contains("192.0.2.7:2222") && !page.contains("<b>Client"), "{page}");
    let ids: Vec<_> = site.presence.list().into_iter().map(|seen| seen.id).collect();
    let end = |id: u64| partner.told("/account", &format!("/account/connections/{id}/end"), &[]);
    assert!(end(ids[1]).contains("had ended already"), "somebody else's is none of theirs");
    assert!(end(ids[0]).contains("is being ended"));
    site.within(Duration::from_secs(5), own.shown_out());
    assert!(site.presence.show_out(ids[1], Some("reader")).is_some(), "it was left alone");
    drop((own, other));
    assert!(end(ids[0]).contains("had ended already"));
    let log = Curl::signed_in(&site, "admin").get("/audit?action=disconnected").body;
    assert!(log.contains("192.0.2.7:1111") && !log.contains("192.0.2.7:2222"), "{log}");
}

#[test]
fn an_administrator_sees_who_is_connected_and_ends_a_connection() {
    let site = Site::start();
    let admin = Curl::signed_in(&site, "admin");
    assert!(admin.get("/connections").body.contains("Nobody is connected"));
    let moving = Moving::default();
    let stay = site.presence.enter(who("partner", 4711), moving.clone(), 1).unwrap();
    let file = moving.begin(RelPath::new("a/<i>.bin").unwrap(), Direction::Upload, Timestamp::now());
    file.add(2_000_000);
    let page = admin.get("/connections").body;
    let shown =
        ["192.0.2.7:4711", "curve25519-sha256, aes128-gcm@openssh.com", "sends", "2.0 MB", "2.0 MB sent in all"];
    for shown in shown {
        assert!(page.contains(shown), "{shown}: {page}");
    }
    assert!(!page.contains("<b>Client") && !page.contains("/a/<i>"), "what clients say is text: {page}");
    let json = admin.get("/api/connections").body;
    assert!(json.contains("\"account\":\"partner\"") && json.contains("\"bytes\":2000000"), "{json}");
    assert!(json.contains("\"uploaded\":2000000,\"downloaded\":0"), "{json}");
    let partner = Curl::signed_in(&site, "partner");
    for path in ["/connections", "/api/connections"] {
        assert_eq!(partner.get(path).status, 403, "{path}");
    }
    let id = page.split("action=\"/connections/").nth(1).unwrap().split('/').next().unwrap().to_owned();
    let end = format!("/connections/{id}/end");
    assert!(admin.told("/connections", &end, &[]).contains("is being ended"));
    site.within(Duration::from_secs(5), stay.shown_out());
    drop(stay);
    assert!(admin.told("/connections", &end, &[]).contains("had ended already"));
    assert!(admin.get("/audit?action=disconnected").body.contains("192.0.2.7:4711"));
}

#[test]
fn what_was_refused_and_saved_is_told_in_words_and_to_programs() {
    let site = Site::start();
    let admin = Curl::signed_in(&site, "admin");
    let before = admin.get("/connections").body;
    assert!(before.contains("No limit was met"), "{before}");
    let large = format!("X-Large: {}", "x".repeat(70_000));
    assert_eq!(admin.call("/connections", &["--http1.1", "-H", &large]).status, 431);
    let style = admin
        .get("/")
        .body
        .split("href=\"")
        .find_map(|href| href.split('"').next().filter(|h| h.contains(".css")))
        .unwrap()
        .to_owned();
    assert!(admin.call(&style, &["-H", "Accept-Encoding: br"]).head.contains("content-encoding: br"));
    let page = admin.get("/connections").body;
    assert!(page.contains("Heads that were too large") && page.contains("Brotli"), "{page}");
    let json: serde_json::Value = serde_json::from_str(&admin.get("/api/connections").body).unwrap();
    assert_eq!((&json["doors"]["refused"]["head"], &json["doors"]["refused"]["flood"]), (&1.into(), &0.into()));
    assert!(json["doors"]["compressed"]["br"]["sent"].as_u64() > Some(0), "{json}");
}

/// BREACH: the length of a compressed page would tell the token in it, if two pages showed it alike.
#[test]
fn a_compressed_page_shows_its_token_like_no_other() {
    let site = Site::start();
    let admin = Curl::signed_in(&site, "admin");
    let stranger = Curl::new(&site);
    for (curl, path) in [(&admin, "/connections"), (&admin, "/browse/"), (&stranger, "/sign-in")] {
        assert!(curl.call(path, &["-H", "Accept-Encoding: br"]).head.contains("content-encoding: br"), "{path}");
        let (one, other) = (token(&curl.get(path).body), token(&curl.get(path).body));
        assert!(one.len() > 40 && one != other, "{path}: {one} {other}");
        assert!(one.as_bytes().windows(12).all(|part| !other.contains(std::str::from_utf8(part).unwrap())), "{path}");
    }
    // All are good, and nothing else is.
    let origin = format!("Origin: {}", site.base);
    let sent =
        |token: &str| admin.call("/theme", &["-H", &origin, "-d", &format!("csrf={token}&theme=dark&back=/")]).status;
    let shown = [token(&admin.get("/").body), token(&admin.get("/connections").body)];
    assert!(shown.iter().all(|token| sent(token) == 303));
    assert_eq!(sent(&shown[0][1..]), sent(""));
    assert_ne!(sent(""), 303);
}
