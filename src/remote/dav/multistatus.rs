//! Answers of RFC 4918, section 13, read as they come: one `response` at a time, bounded memory however many there are.
//!
//! An answer that ends before its closing tag, or that is not what it should be, is damage and never a shorter answer.

use quick_xml::NsReader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::Event;
use quick_xml::name::{Namespace, ResolveResult};
use tokio::io::AsyncBufRead;

use super::bounded::Bounded;
use crate::model::Fault;

/// Bytes between two tags.
const LONGEST_PIECE: usize = 256 << 10;
/// Nesting: a real answer has six levels and what a property holds.
const DEEPEST: usize = 64;
/// Properties and addresses in one `response`.
const MOST: usize = 256;
/// Bytes of text in one `response`.
const MOST_TEXT: usize = 256 << 10;

/// A property that means something to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    /// `resourcetype`; its text is `collection` for a folder.
    Kind,
    /// `getcontentlength`.
    Length,
    /// `getlastmodified`.
    Modified,
    /// `getetag`.
    Tag,
    /// `checksums` of ownCloud and Nextcloud.
    Checksums,
    /// `lockdiscovery`; its text is the owners of the locks.
    Locks,
    /// Any other.
    Other,
}

impl Known {
    fn of(namespace: &str, name: &str) -> Self {
        match (namespace, name) {
            ("DAV:", "resourcetype") => Self::Kind,
            ("DAV:", "getcontentlength") => Self::Length,
            ("DAV:", "getlastmodified") => Self::Modified,
            ("DAV:", "getetag") => Self::Tag,
            ("DAV:", "lockdiscovery") => Self::Locks,
            ("http://owncloud.org/ns", "checksums") => Self::Checksums,
            _ => Self::Other,
        }
    }
}

/// One property of a `response`, with the status of its `propstat`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Property {
    pub(super) known: Known,
    /// 0 when the answer does not say.
    pub(super) status: u16,
    pub(super) text: String,
}

/// One `response`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Response {
    pub(super) hrefs: Vec<String>,
    /// Of the whole, where it is not said of each property.
    pub(super) status: Option<u16>,
    pub(super) properties: Vec<Property>,
}

impl Response {
    /// The text of a property that is there.
    pub(super) fn get(&self, known: Known) -> Option<&str> {
        let found = self.properties.iter().find(|one| one.known == known && (200..300).contains(&one.status));
        found.map(|one| one.text.trim())
    }

    /// The first status that is no success, of the whole or of a property.
    pub(super) fn failure(&self) -> Option<u16> {
        let all = self.status.into_iter().chain(self.properties.iter().map(|one| one.status));
        all.into_iter().find(|status| !(200..300).contains(status))
    }
}

/// Why an answer cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Damage {
    /// It ended too early.
    Cut,
    /// It is not what it should be.
    Malformed(String),
    /// The connection failed below it.
    Lost(Box<Fault>),
}

impl From<quick_xml::Error> for Damage {
    fn from(error: quick_xml::Error) -> Self {
        if let quick_xml::Error::Io(io) = &error
            && let Some(fault) = io.get_ref().and_then(|inner| inner.downcast_ref::<Fault>())
        {
            return Self::Lost(Box::new(fault.clone()));
        }
        match &error {
            quick_xml::Error::Syntax(_) => Self::Cut,
            _ => Self::Malformed(error.to_string()),
        }
    }
}

fn malformed(why: &str) -> Damage {
    Damage::Malformed(why.to_owned())
}

/// Where in the document we are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tag {
    Multistatus,
    Response,
    Href,
    Status,
    Propstat,
    Prop,
    Property(Known),
    /// The mark of a folder in `resourcetype`.
    Collection,
    /// Inside a property whose every text counts.
    Text,
    /// Inside `lockdiscovery`, where only what the owner says counts.
    Lock,
    Other,
}

impl Tag {
    /// What the element `name` is inside of this one.
    fn child(self, namespace: &str, name: &str) -> Self {
        let dav = namespace == "DAV:";
        match self {
            Self::Multistatus if dav && name == "response" => Self::Response,
            Self::Response | Self::Propstat if dav && name == "status" => Self::Status,
            Self::Response if dav && name == "href" => Self::Href,
            Self::Response if dav && name == "propstat" => Self::Propstat,
            Self::Propstat if dav && name == "prop" => Self::Prop,
            Self::Prop => Self::Property(Known::of(namespace, name)),
            Self::Property(Known::Kind) if dav && name == "collection" => Self::Collection,
            Self::Property(Known::Checksums) | Self::Text => Self::Text,
            Self::Property(Known::Locks) | Self::Lock if dav && name == "owner" => Self::Text,
            Self::Property(Known::Locks) | Self::Lock => Self::Lock,
            _ => Self::Other,
        }
    }

    /// Does text that stands here count?
    const fn wants_text(self) -> bool {
        matches!(
            self,
            Self::Href
                | Self::Status
                | Self::Text
                | Self::Property(Known::Length | Known::Modified | Known::Tag | Known::Checksums)
        )
    }
}

/// The reader of one answer.
pub(super) struct Multistatus<R> {
    reader: NsReader<Bounded<R>>,
    buffer: Vec<u8>,
    stack: Vec<Tag>,
    begun: bool,
    now: Response,
    /// Where the properties of the present `propstat` begin, and its status.
    propstat: (usize, u16),
    text: String,
    bytes: usize,
}

impl<R: AsyncBufRead + Unpin> Multistatus<R> {
    pub(super) fn new(input: R) -> Self {
        let mut reader = NsReader::from_reader(Bounded::new(input, LONGEST_PIECE));
        let config = reader.config_mut();
        config.expand_empty_elements = true;
        config.check_end_names = true;
        Self {
            reader,
            buffer: Vec::new(),
            stack: Vec::new(),
            begun: false,
            now: Response::default(),
            propstat: (0, 0),
            text: String::new(),
            bytes: 0,
        }
    }

    /// The next `response`; `None` behind the last one of an answer that is whole.
    ///
    /// # Errors
    /// [`Damage`].
    pub(super) async fn next(&mut self) -> Result<Option<Response>, Damage> {
        loop {
            self.buffer.clear();
            self.reader.get_mut().rewind();
            let (namespace, event) = self.reader.read_resolved_event_into_async(&mut self.buffer).await?;
            let namespace = match namespace {
                ResolveResult::Bound(Namespace(namespace)) => namespace,
                ResolveResult::Unbound => "",
                ResolveResult::Unknown(_) => return Err(malformed("a prefix that is not declared")),
            };
            match event {
                Event::Start(start) => {
                    let name = start.local_name().into_inner();
                    let tag = match self.stack.last() {
                        Some(parent) => parent.child(namespace, name),
                        None if !self.begun && (namespace, name) == ("DAV:", "multistatus") => Tag::Multistatus,
                        None => return Err(malformed("no multistatus")),
                    };
                    self.begun = true;
                    push(&mut self.stack, tag)?;
                    match tag {
                        Tag::Response => (self.now, self.bytes) = (Response::default(), 0),
                        Tag::Propstat => self.propstat = (self.now.properties.len(), 0),
                        tag => begin(tag, &mut self.text),
                    }
                }
                Event::End(_) => {
                    let tag = self.stack.pop().ok_or_else(|| malformed("a tag that was not opened"))?;
                    if tag == Tag::Response {
                        return Ok(Some(std::mem::take(&mut self.now)));
                    }
                    end(tag, self.stack.last().copied(), &mut self.text, &mut self.now, &mut self.propstat)?;
                }
                Event::Text(text) => {
                    let text = text.xml10_content();
                    take(&self.stack, &mut self.text, &mut self.bytes, &text)?;
                }
                Event::CData(text) => take(&self.stack, &mut self.text, &mut self.bytes, &text.xml10_content())?,
                Event::GeneralRef(entity) => {
                    let mut one = [0; 4];
                    let resolved = match entity.resolve_char_ref()? {
                        Some(c) => &*c.encode_utf8(&mut one),
                        None => resolve_predefined_entity(&entity).ok_or_else(|| malformed("an unknown entity"))?,
                    };
                    take(&self.stack, &mut self.text, &mut self.bytes, resolved)?;
                }
                // RFC 4918, section 20.6: nothing good comes from external entities.
                Event::DocType(_) => return Err(malformed("a document type")),
                Event::Eof if self.begun && self.stack.is_empty() => return Ok(None),
                Event::Eof => return Err(Damage::Cut),
                Event::Empty(_) | Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
            }
        }
    }
}

fn push(stack: &mut Vec<Tag>, tag: Tag) -> Result<(), Damage> {
    if stack.len() >= DEEPEST {
        return Err(malformed("it is nested too deeply"));
    }
    stack.push(tag);
    Ok(())
}

/// Text is gathered for the innermost element that wants it; what a property holds counts for the property.
fn begin(tag: Tag, text: &mut String) {
    match tag {
        Tag::Href | Tag::Status | Tag::Property(_) => text.clear(),
        Tag::Collection => text.push_str("collection"),
        // Several owners or checksums are told apart.
        Tag::Text if !text.is_empty() => text.push(' '),
        _ => {}
    }
}

fn take(stack: &[Tag], text: &mut String, bytes: &mut usize, more: &str) -> Result<(), Damage> {
    match stack.last() {
        // Behind or before the one element nothing may stand.
        None if more.trim().is_empty() => Ok(()),
        None => Err(malformed("text outside of the multistatus")),
        Some(tag) if tag.wants_text() => {
            *bytes += more.len();
            if *bytes > MOST_TEXT {
                return Err(malformed("a response that is too long"));
            }
            text.push_str(more);
            Ok(())
        }
        Some(_) => Ok(()),
    }
}

fn end(
    tag: Tag,
    parent: Option<Tag>,
    text: &mut String,
    now: &mut Response,
    propstat: &mut (usize, u16),
) -> Result<(), Damage> {
    if now.hrefs.len() + now.properties.len() >= MOST {
        return Err(malformed("a response with too many properties"));
    }
    match tag {
        Tag::Href => now.hrefs.push(std::mem::take(text)),
        Tag::Property(known) => now.properties.push(Property { known, status: 0, text: std::mem::take(text) }),
        Tag::Status => {
            let status = status_of(text).ok_or_else(|| malformed("a status that is none"))?;
            if parent == Some(Tag::Propstat) {
                propstat.1 = status;
            } else {
                now.status = Some(status);
            }
        }
        Tag::Propstat => {
            let (begin, status) = *propstat;
            now.properties.iter_mut().skip(begin).for_each(|one| one.status = status);
        }
        _ => {}
    }
    Ok(())
}

/// The number in `HTTP/1.1 200 OK`.
fn status_of(line: &str) -> Option<u16> {
    let number = line.split_whitespace().find(|word| !word.starts_with("HTTP"))?;
    number.parse().ok().filter(|status| (100..600).contains(status))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HEAD: &str =
        r#"<?xml version="1.0" encoding="utf-8"?><D:multistatus xmlns:D="DAV:" xmlns:o="http://owncloud.org/ns">"#;

    async fn read(text: &str) -> Result<Vec<Response>, Damage> {
        // In small pieces, as a slow link brings them.
        let mut reader = Multistatus::new(tokio::io::BufReader::with_capacity(7, text.as_bytes()));
        let mut all = Vec::new();
        while let Some(one) = reader.next().await? {
            all.push(one);
        }
        Ok(all)
    }

    #[tokio::test]
    async fn reads_what_servers_say() {
        let text = format!(
            "{HEAD}<D:response><D:href>/a%20b/&amp;&#x41;</D:href><D:propstat><D:prop><D:getcontentlength> 12 \
             </D:getcontentlength><D:resourcetype/><lp1:getetag xmlns:lp1='DAV:'>&quot;x&quot;</lp1:getetag>\
             <x:other xmlns:x='u:x'><x:deep>text</x:deep></x:other><o:checksums><o:checksum>SHA1:aa</o:checksum>\
             <o:checksum>MD5:bb</o:checksum></o:checksums></D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat>\
             <D:propstat><D:prop><D:getlastmodified/></D:prop><D:status>HTTP/1.1 404 Not Found</D:status></D:propstat>\
             </D:response>\n<!-- well --><D:response><D:href>/c/</D:href><D:propstat><D:prop><D:resourcetype>\
             <D:collection/></D:resourcetype></D:prop><D:status>HTTP/2 200</D:status></D:propstat></D:response>\
             <D:response><D:href>/d</D:href><D:href>/e</D:href><D:status>HTTP/1.1 403 Forbidden</D:status></D:response>\
             </D:multistatus>\n"
        );
        let all = read(&text).await.unwrap();
        assert_eq!(all.len(), 3);
        assert_eq!(all[0].hrefs, ["/a%20b/&A"]);
        assert_eq!((all[0].get(Known::Length), all[0].get(Known::Tag)), (Some("12"), Some("\"x\"")));
        assert_eq!((all[0].get(Known::Kind), all[0].get(Known::Modified)), (Some(""), None));
        assert_eq!(all[0].get(Known::Checksums), Some("SHA1:aa MD5:bb"));
        assert_eq!(all[0].failure(), Some(404));
        assert_eq!((all[1].get(Known::Kind), all[1].failure()), (Some("collection"), None));
        assert_eq!(
            (all[2].hrefs.as_slice(), all[2].status),
            (["/d".to_owned(), "/e".to_owned()].as_slice(), Some(403))
        );
    }

    #[tokio::test]
    async fn a_default_namespace_is_as_good_as_a_prefix() {
        let text = "<multistatus xmlns='DAV:'><response><href>/</href><propstat><prop><lockdiscovery><activelock>\
            <owner>anna <href>mailto:x</href></owner><timeout>Second-5</timeout></activelock></lockdiscovery></prop>\
            <status>HTTP/1.1 200 OK</status></propstat></response></multistatus>";
        assert_eq!(read(text).await.unwrap()[0].get(Known::Locks), Some("anna  mailto:x"));
    }

    /// Wherever it is cut, it is never taken for a shorter answer.
    #[tokio::test]
    async fn a_cut_answer_is_never_whole() {
        let text = format!(
            "{HEAD}<D:response><D:href>/a</D:href><D:status>HTTP/1.1 200 OK</D:status></D:response></D:multistatus>"
        );
        assert!(read(&text).await.is_ok());
        for length in 0..text.len() {
            let cut = read(&text[..length]).await;
            assert!(cut.is_err(), "{length}: {cut:?}");
        }
    }

    proptest! {
        /// Whatever a stranger sends is read or refused, never more.
        #[test]
        fn no_answer_does_harm(bytes in proptest::collection::vec(any::<u8>(), 0..200), at in 0_usize..200) {
            let mut text = format!(
                "{HEAD}<D:response><D:href>/a</D:href><D:propstat><D:prop><D:getetag>x</D:getetag></D:prop>\
                 <D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response></D:multistatus>"
            )
            .into_bytes();
            text.splice(at..at, bytes);
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(async {
                let mut reader = Multistatus::new(text.as_slice());
                while let Ok(Some(_)) = reader.next().await {}
            });
        }
    }

    #[tokio::test]
    async fn what_is_no_multistatus_is_refused() {
        for text in [
            "<html><body>Not found</body></html>",
            "<D:multistatus xmlns:D='u:other'/>",
            "<multistatus/>",
            "<!DOCTYPE a [<!ENTITY b 'c'>]><D:multistatus xmlns:D='DAV:'/>",
            "<D:multistatus xmlns:D='DAV:'><D:response><D:href>&b;</D:href></D:response></D:multistatus>",
            "<D:multistatus xmlns:D='DAV:'></D:multistatus><D:multistatus xmlns:D='DAV:'/>",
            "<D:multistatus xmlns:D='DAV:'></D:multistatus>and more",
            "<D:multistatus xmlns:D='DAV:'><D:response></D:multistatus></D:response>",
            "<D:multistatus xmlns:D='DAV:'><D:response><D:status>fine</D:status></D:response></D:multistatus>",
        ] {
            assert!(matches!(read(text).await, Err(Damage::Malformed(_))), "{text}: {:?}", read(text).await);
        }
        let long = format!("{HEAD}<D:response><D:href>/{}", "a".repeat(LONGEST_PIECE * 2));
        assert!(read(&long).await.is_err());
        let deep = format!("{HEAD}{}", "<D:x>".repeat(DEEPEST));
        assert!(matches!(read(&deep).await, Err(Damage::Malformed(_))));
    }
}
