//! Modification times by PROPPATCH. Windows sends `Win32LastModifiedTime`, others `getlastmodified` or
//! `lastmodified`; `dav-server` refuses them or throws them away. Moved into a namespace of our own they
//! pass through it to [`Properties::patch`](super::properties::Properties::patch), which sets the time
//! and answers under the old name.

use bytes::Bytes;
use jiff::Timestamp;
use xmltree::XMLNode;

use super::xml::{self, DAV_NS, MS_NS};
use crate::net::http::date;

const OURS: &str = "urn:causeway:live:";

/// Is it a property that holds a modification time?
fn is_time(namespace: Option<&str>, name: &str) -> bool {
    match namespace {
        Some(DAV_NS) => matches!(name, "getlastmodified" | "lastmodified"),
        Some(MS_NS) => name == "Win32LastModifiedTime",
        _ => false,
    }
}

/// The body of a PROPPATCH with its times moved; unchanged when there are none or it is no XML.
pub(super) fn redirected(body: Bytes) -> Bytes {
    let Some(mut update) = xml::parse(body.as_ref()) else { return body };
    let mut found = false;
    for action in update.children.iter_mut().filter_map(XMLNode::as_mut_element).filter(|e| e.name == "set") {
        for prop in action.children.iter_mut().filter_map(XMLNode::as_mut_element).filter(|e| e.name == "prop") {
            for one in prop.children.iter_mut().filter_map(XMLNode::as_mut_element) {
                if is_time(one.namespace.as_deref(), &one.name) {
                    let ours = format!("{OURS}{}", one.namespace.as_deref().unwrap_or_default());
                    let namespaces = one.namespaces.get_or_insert_with(xmltree::Namespace::empty);
                    namespaces.force_put("causeway-live", &ours);
                    one.prefix = Some("causeway-live".to_owned());
                    one.namespace = Some(ours);
                    found = true;
                }
            }
        }
    }
    let mut out = Vec::new();
    if found && update.write(&mut out).is_ok() { Bytes::from(out) } else { body }
}

/// The namespace that a moved property had.
pub(super) fn original(namespace: Option<&str>) -> Option<&str> {
    namespace?.strip_prefix(OURS)
}

/// The time in the element `xml`: a date as in headers, or seconds since 1970.
pub(super) fn read(xml: &[u8]) -> Option<Timestamp> {
    let element = xml::parse(xml)?;
    let text = element.get_text()?;
    date::parse(&text).or_else(|| Timestamp::from_second(text.trim().parse().ok()?).ok())
}

#[cfg(test)]
mod tests {
    use xmltree::Element;

    use super::*;

    #[test]
    fn times_are_moved_and_found_again() {
        let body = r#"<?xml version="1.0"?><D:propertyupdate xmlns:D="DAV:" xmlns:Z="urn:schemas-microsoft-com:">
            <D:set><D:prop><Z:Win32LastModifiedTime>Sun, 06 Nov 1994 08:49:37 GMT</Z:Win32LastModifiedTime>
            <Z:Win32FileAttributes>20</Z:Win32FileAttributes></D:prop></D:set></D:propertyupdate>"#;
        let moved = redirected(Bytes::from(body));
        let update = Element::parse(moved.as_ref()).unwrap();
        let prop = update.get_child("set").unwrap().get_child("prop").unwrap();
        let time = prop.get_child("Win32LastModifiedTime").unwrap();
        assert_eq!(original(time.namespace.as_deref()), Some(MS_NS));
        let other = prop.get_child("Win32FileAttributes").unwrap();
        assert_eq!(other.namespace.as_deref(), Some(MS_NS));
        let mut xml = Vec::new();
        time.write(&mut xml).unwrap();
        assert_eq!(read(&xml).unwrap().as_second(), 784_111_777);
    }
}
