//! Who is connected, on the dashboard, and the way to end a connection.

use std::time::Duration;

use causeway::model::{Door, RelPath};
use causeway::presence::{Moving, Who};
use causeway::reliability::Direction;
use jiff::Timestamp;

use super::site::{Curl, Site};

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
