//! The WebDAV door.

mod access;
mod change;
mod checksums;
mod clients;
mod cut;
mod junk;
mod listing;
mod locks;
mod mkcol;
mod properties;
mod put;

use crate::support::https::Https;

const LOCK: &str = "<D:lockinfo xmlns:D='DAV:'><D:lockscope><D:exclusive/></D:lockscope>\
    <D:locktype><D:write/></D:locktype><D:owner>me</D:owner></D:lockinfo>";

fn lock(door: &Https, time: &str, path: &str) -> String {
    let time = format!("Timeout: {time}");
    let (head, _) = door.exchange(&["-X", "LOCK", "-H", &time, "-d", LOCK], path);
    head.split("lock-token: <").nth(1).expect("a token").split('>').next().unwrap().to_owned()
}
