//! Who is connected, on the dashboard, and the way to end a connection.

use std::time::Duration;

use causeway::model::{Door, RelPath};
use causeway::presence::{Moving, Who};
use causeway::reliability::Direction;
use jiff::Timestamp;

use super::site::{Curl, Site};

#[test]
fn an_administrator_sees_who_is_connected_and_ends_a_connection() {
    let site = Site::start();
    let admin = Curl::signed_in(&site, "admin");
    assert!(admin.get("/connections").body.contains("Nobody is connected"));
    let moving = Moving::default();
    let who = Who {
        door: Door::Sftp,
        account: "partner".to_owned(),
        peer: ([192, 0, 2, 7], 4711).into(),
        client: "SSH-2.0-Old<b>Client".to_owned(),
        kex: Some("curve25519-sha256".to_owned()),
        cipher: Some("aes128-gcm@openssh.com".to_owned()),
        since: Timestamp::now(),
    };
    let stay = site.presence.enter(who, moving.clone(), 1).unwrap();
    let file = moving.begin(RelPath::new("a/<i>.bin").unwrap(), Direction::Upload, Timestamp::now());
    file.add(2_000_000);
    let page = admin.get("/connections").body;
    for shown in ["192.0.2.7:4711", "curve25519-sha256, aes128-gcm@openssh.com", "sends", "2.0 MB"] {
        assert!(page.contains(shown), "{shown}: {page}");
    }
    assert!(!page.contains("<b>Client") && !page.contains("/a/<i>"), "what clients say is text: {page}");
    let json = admin.get("/api/connections").body;
    assert!(json.contains("\"account\":\"partner\"") && json.contains("\"bytes\":2000000"), "{json}");
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
