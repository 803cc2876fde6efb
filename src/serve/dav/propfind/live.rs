//! The properties of one entry: live ones from the file system, dead ones from the store.

use super::{Asked, Facts};
use crate::drive::media;
use crate::model::{Checksum, RelPath};
use crate::net::http::date;
use crate::net::http::digest;
use crate::serve::dav::MOUNT;
use crate::serve::dav::checksums::NAME as CHECKSUMS;
use crate::serve::dav::locks::lock_root;
use crate::serve::dav::properties::Dead;
use crate::serve::dav::xml::{APACHE_NS, DAV_NS, MS_NS, OC_NS, push, push_empty};
use crate::serve::http::href;
use crate::tree::Stat;

/// What `allprop` gives; quota only when it is asked for (RFC 4331, 2).
const ALL: &[&str] = &[
    "resourcetype",
    "displayname",
    "getcontentlength",
    "getlastmodified",
    "creationdate",
    "getetag",
    "getcontenttype",
    "supportedlock",
    "lockdiscovery",
];
pub(super) const QUOTA: &[&str] = &["quota-available-bytes", "quota-used-bytes"];

/// Writes one `response`; `sums` is what is known of the content.
pub(super) fn response(out: &mut String, path: &RelPath, stat: &Stat, sums: &[Checksum], facts: &Facts) {
    let whole = facts.home.concat(path);
    let dead = facts.dead.get(&whole).map(Vec::as_slice).unwrap_or_default();
    let one = One { path, whole: &whole, stat, sums, facts, dead };
    out.push_str("<D:response><D:href>");
    out.push_str(&href::path(MOUNT, path, stat.is_dir()));
    out.push_str("</D:href>");
    match &facts.asked {
        Asked::Names => one.names(out),
        Asked::All(more) => {
            out.push_str("<D:propstat><D:prop>");
            for name in ALL {
                one.property(out, DAV_NS, name);
            }
            for dead in one.only_dead() {
                out.push_str(&String::from_utf8_lossy(without_declaration(&dead.xml)));
            }
            for (namespace, name) in more.iter().filter(|(ns, name)| ns != DAV_NS || !ALL.contains(&name.as_str())) {
                one.property(out, namespace, name);
            }
            out.push_str("</D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat>");
        }
        Asked::These(these) => one.these(out, these),
    }
    out.push_str("</D:response>");
}

struct One<'a> {
    path: &'a RelPath,
    whole: &'a RelPath,
    stat: &'a Stat,
    sums: &'a [Checksum],
    facts: &'a Facts,
    dead: &'a [Dead],
}

impl One<'_> {
    fn these(&self, out: &mut String, these: &[(String, String)]) {
        let mut found = String::new();
        let mut missing = String::new();
        for (namespace, name) in these {
            if !self.property(&mut found, namespace, name) {
                push_empty(&mut missing, namespace, name);
            }
        }
        if !found.is_empty() || missing.is_empty() {
            out.push_str("<D:propstat><D:prop>");
            out.push_str(&found);
            out.push_str("</D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat>");
        }
        if !missing.is_empty() {
            out.push_str("<D:propstat><D:prop>");
            out.push_str(&missing);
            out.push_str("</D:prop><D:status>HTTP/1.1 404 Not Found</D:status></D:propstat>");
        }
    }

    fn names(&self, out: &mut String) {
        out.push_str("<D:propstat><D:prop>");
        let dir = self.stat.is_dir();
        let here = |name: &&&str| !(dir && matches!(**name, "getcontentlength" | "getcontenttype"));
        for name in ALL.iter().chain(QUOTA.iter().filter(|_| dir)).filter(here) {
            push_empty(out, DAV_NS, name);
        }
        if digest::property(self.sums).is_some() {
            push_empty(out, OC_NS, CHECKSUMS);
        }
        for dead in self.only_dead() {
            push_empty(out, &dead.namespace, &dead.name);
        }
        out.push_str("</D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat>");
    }

    /// Dead properties that no live one hides.
    fn only_dead(&self) -> impl Iterator<Item = &Dead> {
        self.dead.iter().filter(|dead| dead.namespace != DAV_NS || !ALL.contains(&dead.name.as_str()))
    }

    /// Writes the property; false when this entry has none of that name.
    fn property(&self, out: &mut String, namespace: &str, name: &str) -> bool {
        let live = match namespace {
            DAV_NS => self.dav(out, name),
            APACHE_NS if name == "executable" && self.stat.is_file() => {
                let flag = if self.stat.mode & 0o111 == 0 { 'F' } else { 'T' };
                out.push_str(&format!("<A:executable>{flag}</A:executable>"));
                true
            }
            OC_NS if name == CHECKSUMS => self.checksums(out),
            MS_NS if name == "Win32LastModifiedTime" => self.dated(out, "Z:Win32LastModifiedTime"),
            _ => false,
        };
        if live {
            return true;
        }
        match self.dead.iter().find(|dead| dead.namespace == namespace && dead.name == name) {
            Some(dead) => {
                out.push_str(&String::from_utf8_lossy(without_declaration(&dead.xml)));
                true
            }
            None => false,
        }
    }

    fn dav(&self, out: &mut String, name: &str) -> bool {
        let (stat, dir) = (self.stat, self.stat.is_dir());
        match name {
            "resourcetype" if dir => out.push_str("<D:resourcetype><D:collection/></D:resourcetype>"),
            "resourcetype" => out.push_str("<D:resourcetype/>"),
            // A client may have given it another one.
            "displayname" if self.dead.iter().any(|dead| dead.namespace == DAV_NS && dead.name == name) => {
                return false;
            }
            "displayname" => {
                out.push_str("<D:displayname>");
                push(out, &self.path.name().map(|name| name.display().into_owned()).unwrap_or_default());
                out.push_str("</D:displayname>");
            }
            "getcontentlength" if !dir => {
                out.push_str(&format!("<D:getcontentlength>{}</D:getcontentlength>", stat.size));
            }
            "getlastmodified" => return self.dated(out, "D:getlastmodified"),
            "creationdate" => {
                // POSIX has no birth time that can be set; the last change is what is known.
                let date = stat.mtime.strftime("%Y-%m-%dT%H:%M:%SZ");
                out.push_str(&format!("<D:creationdate>{date}</D:creationdate>"));
            }
            "getetag" => {
                out.push_str("<D:getetag>");
                push(out, &stat.etag());
                out.push_str("</D:getetag>");
            }
            "getcontenttype" if !dir => {
                let name = self.path.name();
                let media = media::of(name.as_ref().map(|name| name.as_bytes()).unwrap_or_default());
                out.push_str(&format!("<D:getcontenttype>{media}</D:getcontenttype>"));
            }
            "supportedlock" => out.push_str(SUPPORTED_LOCKS),
            "lockdiscovery" => self.locks(out),
            "quota-available-bytes" if dir => return self.quota(out, "quota-available-bytes", |space| space.available),
            "quota-used-bytes" if dir => {
                return self.quota(out, "quota-used-bytes", |space| space.total.saturating_sub(space.free));
            }
            _ => return false,
        }
        true
    }

    fn checksums(&self, out: &mut String) -> bool {
        let Some(told) = digest::property(self.sums) else { return false };
        out.push_str(&format!("<x:{CHECKSUMS} xmlns:x=\"{OC_NS}\"><x:checksum>{told}</x:checksum></x:{CHECKSUMS}>"));
        true
    }

    fn dated(&self, out: &mut String, element: &str) -> bool {
        let Some(date) = date::print(self.stat.mtime) else { return false };
        out.push_str(&format!("<{element}>{date}</{element}>"));
        true
    }

    fn quota(&self, out: &mut String, name: &str, value: fn(&crate::tree::Space) -> u64) -> bool {
        let Some(space) = &self.facts.space else { return false };
        out.push_str(&format!("<D:{name}>{}</D:{name}>", value(space)));
        true
    }

    fn locks(&self, out: &mut String) {
        out.push_str("<D:lockdiscovery>");
        for lock in self.facts.locks.iter().filter(|lock| lock.covers(self.whole)) {
            let scope = if lock.shared { "<D:shared/>" } else { "<D:exclusive/>" };
            let depth = if lock.deep { "infinity" } else { "0" };
            out.push_str(&format!(
                "<D:activelock><D:locktype><D:write/></D:locktype><D:lockscope>{scope}</D:lockscope>\
                 <D:depth>{depth}</D:depth>"
            ));
            if let Some(owner) = &lock.owner {
                let bare = without_declaration(owner.as_bytes());
                out.push_str(&String::from_utf8_lossy(bare));
            }
            let root = href::path(MOUNT, &lock_root(&lock.path, &self.facts.home), false);
            out.push_str(&format!(
                "<D:timeout>Second-{}</D:timeout><D:locktoken><D:href>{}</D:href></D:locktoken>\
                 <D:lockroot><D:href>{root}</D:href></D:lockroot></D:activelock>",
                lock.seconds, lock.token
            ));
        }
        out.push_str("</D:lockdiscovery>");
    }
}

const SUPPORTED_LOCKS: &str = "<D:supportedlock>\
    <D:lockentry><D:lockscope><D:exclusive/></D:lockscope><D:locktype><D:write/></D:locktype></D:lockentry>\
    <D:lockentry><D:lockscope><D:shared/></D:lockscope><D:locktype><D:write/></D:locktype></D:lockentry>\
    </D:supportedlock>";

/// A stored element without the `<?xml …?>` that stands before it.
fn without_declaration(xml: &[u8]) -> &[u8] {
    if !xml.starts_with(b"<?xml") {
        return xml;
    }
    match xml.windows(2).position(|pair| pair == b"?>") {
        Some(end) => xml.get(end + 2..).unwrap_or_default(),
        None => xml,
    }
}
