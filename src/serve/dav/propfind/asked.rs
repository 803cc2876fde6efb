//! The body of a PROPFIND.

use xmltree::Element;

use crate::serve::dav::xml::{self, DAV_NS};

/// Which properties a client wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::serve::dav) enum Asked {
    /// All that we think useful, and these (namespace, name).
    All(Vec<(String, String)>),
    /// The names only.
    Names,
    /// Exactly these (namespace, name).
    These(Vec<(String, String)>),
}

/// Nobody asks for more.
const MOST: usize = 500;

impl Asked {
    /// Could the answer hold the property?
    pub(super) fn may_have(&self, namespace: &str, name: &str) -> bool {
        match self {
            Self::Names => true,
            Self::All(these) | Self::These(these) => these.iter().any(|(ns, n)| ns == namespace && n == name),
        }
    }

    /// Reads the body; an empty one asks for all. `None` when it is not a PROPFIND.
    pub(super) fn parse(body: &[u8]) -> Option<Self> {
        if body.iter().all(u8::is_ascii_whitespace) {
            return Some(Self::All(Vec::new()));
        }
        let root = xml::parse(body)?;
        if root.name != "propfind" || root.namespace.as_deref() != Some(DAV_NS) {
            return None;
        }
        let children = || {
            root.children
                .iter()
                .filter_map(|node| node.as_element())
                .filter(|child| child.namespace.as_deref() == Some(DAV_NS))
        };
        let include = children().find(|child| child.name == "include").map(names).unwrap_or_default();
        children().find_map(|child| match child.name.as_str() {
            "allprop" => Some(Self::All(include.clone())),
            "propname" => Some(Self::Names),
            "prop" => Some(Self::These(names(child))),
            _ => None,
        })
    }
}

fn names(parent: &Element) -> Vec<(String, String)> {
    parent
        .children
        .iter()
        .filter_map(|node| node.as_element())
        .take(MOST)
        .map(|prop| (prop.namespace.clone().unwrap_or_default(), prop.name.clone()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_clients_send() {
        assert_eq!(Asked::parse(b""), Some(Asked::All(Vec::new())));
        let body = br#"<propfind xmlns="DAV:"><prop><getetag/><a xmlns="u:x"/></prop></propfind>"#;
        let pair = |ns: &str, name: &str| (ns.to_owned(), name.to_owned());
        assert_eq!(Asked::parse(body), Some(Asked::These(vec![pair("DAV:", "getetag"), pair("u:x", "a")])));
        assert_eq!(Asked::parse(b"<D:propfind xmlns:D='DAV:'><D:propname/></D:propfind>"), Some(Asked::Names));
        assert_eq!(Asked::parse(b"<propfind><prop/></propfind>"), None);
        assert_eq!(Asked::parse(b"<D:propfind xmlns:D='DAV:'><D:prop><a:b xmlns:a=''/></D:prop></D:propfind>"), None);
        assert_eq!(Asked::parse(b"no xml"), None);
    }
}
