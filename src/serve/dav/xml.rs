//! Writing XML: escaping, and nothing that is not allowed in XML 1.0.

/// The namespace of WebDAV itself.
pub(super) const DAV_NS: &str = "DAV:";
/// Microsoft's.
pub(super) const MS_NS: &str = "urn:schemas-microsoft-com:";
/// mod_dav's.
pub(super) const APACHE_NS: &str = "http://apache.org/dav/props/";

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
    fn what_is_written_can_be_read() {
        let mut out = "<a>".to_owned();
        push(&mut out, "x<&>\"\u{1}\n");
        out.push_str("</a>");
        let read = xmltree::Element::parse(out.as_bytes()).unwrap();
        assert_eq!(read.get_text().unwrap(), "x<&>\"?\n");
    }
}
