//! XML: reading with bounds; writing with escapes, and nothing that is not allowed in XML 1.0.

use xml::reader::{EventReader, XmlEvent};
use xmltree::Element;

/// The namespace of WebDAV itself.
pub(super) const DAV_NS: &str = "DAV:";
/// Microsoft's.
pub(super) const MS_NS: &str = "urn:schemas-microsoft-com:";
/// ownCloud's.
pub(super) const OC_NS: &str = "http://owncloud.org/ns";
/// mod_dav's.
pub(super) const APACHE_NS: &str = "http://apache.org/dav/props/";

/// The deepest nesting that is read: a real body has four levels and what a property holds.
const DEEPEST: usize = 32;
/// The most elements that are read.
const MOST_ELEMENTS: usize = 4096;
/// The most namespace prefixes in force at one place: the tree holds a copy of them at every element.
const MOST_NAMESPACES: usize = 64;

/// Reads a document that came from a client.
pub(super) fn parse(body: &[u8]) -> Option<Element> {
    if is_modest(body) { Element::parse(body).ok() } else { None }
}

/// May the body become a tree? The parser that makes trees calls itself for every nested element: without
/// this look at the plain events, a body of some kilobytes would overflow the stack and end the process.
pub(super) fn is_modest(body: &[u8]) -> bool {
    let (mut depth, mut elements) = (0_usize, 0_usize);
    for event in EventReader::new(body) {
        match event {
            // What is no XML is refused by whoever reads it.
            Err(_) => return true,
            // RFC 4918, 20.6: nothing good comes from external entities.
            Ok(XmlEvent::Doctype { .. }) => return false,
            Ok(XmlEvent::StartElement { namespace, .. }) => {
                (depth, elements) = (depth + 1, elements + 1);
                if depth > DEEPEST || elements > MOST_ELEMENTS || namespace.0.len() > MOST_NAMESPACES {
                    return false;
                }
            }
            Ok(XmlEvent::EndElement { .. }) => depth = depth.saturating_sub(1),
            Ok(_) => {}
        }
    }
    true
}

/// Appends `text`, escaped; characters that XML has no way to write become `?`.
pub(super) fn push(out: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\t' | '\n' | '\r' => out.push_str(&format!("&#{};", u32::from(c))),
            '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => out.push('?'),
            c => out.push(c),
        }
    }
}

/// An empty element of any namespace; only for names that came out of an XML parser.
pub(super) fn push_empty(out: &mut String, namespace: &str, name: &str) {
    if namespace == DAV_NS {
        out.push_str(&format!("<D:{name}/>"));
        return;
    }
    if namespace.is_empty() {
        out.push_str(&format!("<{name} xmlns=\"\"/>"));
        return;
    }
    out.push_str(&format!("<x:{name} xmlns:x=\""));
    push(out, namespace);
    out.push_str("\"/>");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_overflow_the_stack_is_not_read() {
        let nested = |levels: usize| format!("{}{}", "<a>".repeat(levels), "</a>".repeat(levels));
        assert!(parse(nested(DEEPEST).as_bytes()).is_some());
        assert!(parse(nested(DEEPEST + 1).as_bytes()).is_none());
        assert!(parse("<a>".repeat(100_000).as_bytes()).is_none());
        assert!(parse(format!("<a>{}</a>", "<b/>".repeat(MOST_ELEMENTS)).as_bytes()).is_none());
        let prefixes: String = (0..=MOST_NAMESPACES).map(|i| format!(" xmlns:n{i}='u:{i}'")).collect();
        assert!(parse(format!("<a{prefixes}/>").as_bytes()).is_none());
        assert!(parse(b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>").is_none());
    }

    #[test]
    fn what_is_written_can_be_read() {
        let mut out = "<a>".to_owned();
        push(&mut out, "x<&>\"\u{1}\n");
        out.push_str("</a>");
        let read = xmltree::Element::parse(out.as_bytes()).unwrap();
        assert_eq!(read.get_text().unwrap(), "x<&>\"?\n");
    }
}
