//! The `If` header (RFC 4918, 10.4). `dav-server` looks at it when a request begins; a PUT must still be right
//! when its body is complete, and then it is looked at again.

use http::{HeaderMap, Uri};

use super::MOUNT;
use crate::model::RelPath;
use crate::serve::http::href;

/// One of the lists, of which one at least must be true.
#[derive(Debug, PartialEq, Eq)]
struct List {
    /// The address that it is about, when it is not the request's own.
    resource: Option<String>,
    /// All of them must be true.
    conditions: Vec<Condition>,
}

#[derive(Debug, PartialEq, Eq)]
struct Condition {
    not: bool,
    item: Item,
}

#[derive(Debug, PartialEq, Eq)]
enum Item {
    /// A lock.
    Token(String),
    /// A version, with its quotes.
    Tag(String),
}

/// A header that can be read; empty when there is none.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct If(Vec<List>);

impl If {
    /// That of a request. One that is no `If` is none, as it is to `dav-server`.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        headers.get("if").and_then(|value| parse(value.to_str().ok()?)).unwrap_or_default()
    }

    /// Every lock that is named: naming it is enough to use it.
    pub(super) fn tokens(&self) -> Vec<String> {
        let conditions = self.0.iter().flat_map(|list| &list.conditions);
        let token = |condition: &Condition| match &condition.item {
            Item::Token(token) => Some(token.clone()),
            Item::Tag(_) => None,
        };
        conditions.filter_map(token).collect()
    }

    /// Is it true for a request to `path`? `is_locked` says whether a resource is locked with a token, `tag_of`
    /// which version it is.
    pub(super) fn holds(
        &self,
        path: &RelPath,
        is_locked: impl Fn(&RelPath, &str) -> bool,
        tag_of: impl Fn(&RelPath) -> Option<String>,
    ) -> bool {
        let is_true = |list: &List| {
            let at = match &list.resource {
                None => Some(path.clone()),
                Some(address) => address.parse::<Uri>().ok().and_then(|uri| href::parse(MOUNT, uri.path()).ok()),
            };
            list.conditions.iter().all(|condition| {
                let met = at.as_ref().is_some_and(|at| match &condition.item {
                    Item::Token(token) => is_locked(at, token),
                    Item::Tag(tag) => tag_of(at).as_ref() == Some(tag),
                });
                met != condition.not
            })
        };
        self.0.is_empty() || self.0.iter().any(is_true)
    }
}

fn parse(text: &str) -> Option<If> {
    let (mut lists, mut resource) = (Vec::new(), None);
    let mut rest = text.trim();
    while !rest.is_empty() {
        if let Some(tagged) = rest.strip_prefix('<') {
            let (address, after) = tagged.split_once('>')?;
            (resource, rest) = (Some(address.to_owned()), after.trim_start());
            continue;
        }
        let (conditions, after) = conditions(rest.strip_prefix('(')?)?;
        lists.push(List { resource: resource.clone(), conditions });
        rest = after.trim_start();
    }
    Some(If(lists))
}

/// What stands up to the closing bracket, and what follows it.
fn conditions(text: &str) -> Option<(Vec<Condition>, &str)> {
    let mut found = Vec::new();
    let mut rest = text.trim_start();
    loop {
        if let Some(after) = rest.strip_prefix(')') {
            return if found.is_empty() { None } else { Some((found, after)) };
        }
        let word = rest.get(..3).filter(|word| word.eq_ignore_ascii_case("not"));
        rest = rest.get(word.map_or(0, str::len)..)?.trim_start();
        let (item, after) = if let Some(token) = rest.strip_prefix('<') {
            let (token, after) = token.split_once('>')?;
            (Item::Token(token.to_owned()), after)
        } else {
            let (tag, after) = rest.strip_prefix('[')?.split_once(']')?;
            (Item::Tag(tag.trim().to_owned()), after)
        };
        found.push(Condition { not: word.is_some(), item });
        rest = after.trim_start();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(text: &str) -> bool {
        let locked = |path: &RelPath, token: &str| path.as_bytes() == b"f" && token == "urn:uuid:1";
        let tag = |path: &RelPath| (path.as_bytes() == b"f").then(|| "\"v1\"".to_owned());
        parse(text).unwrap().holds(&RelPath::new("f").unwrap(), locked, tag)
    }

    #[test]
    fn one_list_must_be_true_and_all_that_is_in_it() {
        assert!(holds("(<urn:uuid:1> [\"v1\"])"));
        assert!(!holds("(<urn:uuid:1> [\"v2\"])"));
        assert!(holds("(<urn:uuid:2>) ([\"v1\"])"));
        assert!(holds("(Not <urn:uuid:2>)") && !holds("(not <urn:uuid:1>)"));
        // The usual trick to name a lock without asking whether it is still there.
        assert!(holds("(<urn:uuid:2>) (Not <DAV:no-lock>)"));
        assert!(holds("</dav/f> ([\"v1\"])") && !holds("<https://host/dav/g> ([\"v1\"])"));
        assert!(!holds("<https://host/elsewhere> (<urn:uuid:1>)"));
        assert!(If::default().holds(&RelPath::root(), |_, _| false, |_| None), "no header asks for nothing");
    }

    #[test]
    fn every_token_is_found_and_nonsense_is_not_read() {
        let mixed = parse("<http://h/dav/a> (<urn:uuid:1> [W/\"x\"]) (Not <urn:uuid:2>)").unwrap();
        assert_eq!(mixed.tokens(), ["urn:uuid:1", "urn:uuid:2"]);
        for nonsense in ["(", "()x", "(<a)", "([a)", "<a", "a", "()", "(\u{e4}\u{e4})"] {
            assert_eq!(parse(nonsense), None, "{nonsense}");
        }
    }
}
