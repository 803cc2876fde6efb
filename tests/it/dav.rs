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
mod quota;
mod trash;

use crate::support::https::Https;

const LOCK: &str = "<D:lockinfo xmlns:D='DAV:'><D:lockscope><D:exclusive/></D:lockscope>\
    <D:locktype><D:write/></D:locktype><D:owner>me</D:owner></D:lockinfo>";

fn lock(door: &Https, time: &str, path: &str) -> String {
    let time = format!("Timeout: {time}");
    let (head, _) = door.exchange(&["-X", "LOCK", "-H", &time, "-d", LOCK], path);
    head.split("lock-token: <").nth(1).expect("a token").split('>').next().unwrap().to_owned()
}

/// A property of WebDAV's own (`D`) or of ownCloud (`oc`); none when it is said to be missing.
fn property(door: &Https, path: &str, prefix: &str, name: &str) -> Option<String> {
    let namespaces = "xmlns:D='DAV:' xmlns:oc='http://owncloud.org/ns'";
    let ask = format!("<D:propfind {namespaces}><D:prop><{prefix}:{name}/></D:prop></D:propfind>");
    let answer = door.curl(&["-X", "PROPFIND", "-H", "Depth: 0", "-d", &ask], path).stdout;
    let answer = xmltree::Element::parse(answer.as_slice()).unwrap();
    let stat = answer.get_child("response").unwrap().get_child("propstat").unwrap();
    let status = stat.get_child("status").unwrap().get_text().unwrap().into_owned();
    let told = stat.get_child("prop").unwrap().get_child(name).expect("it is named in any case");
    let namespace = if prefix == "D" { "DAV:" } else { "http://owncloud.org/ns" };
    assert_eq!(told.namespace.as_deref(), Some(namespace));
    let text = || told.get_text().or_else(|| told.children.iter().find_map(|node| node.as_element()?.get_text()));
    (status != "HTTP/1.1 404 Not Found").then(|| text().expect("it has a value").into_owned())
}
