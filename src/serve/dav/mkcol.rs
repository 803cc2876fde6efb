//! MKCOL (RFC 4918, 9.3), also with properties that the new folder is to have from the start (RFC 5689).

use std::io;

use axum::body::Body;
use axum::response::{IntoResponse as _, Response};
use dav_server::fs::DavProp;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderValue, StatusCode};
use xmltree::Element;

use super::mtime;
use super::properties::Properties;
use super::router::MAX_XML;
use super::status::Remark;
use super::xml::{self, APACHE_NS, DAV_NS, MS_NS, push_empty};
use crate::audit::Event;
use crate::drive::{Claims, Guest, Terms};
use crate::model::RelPath;
use crate::serve::http::{body, problem, status};
use crate::task;

/// Answers a MKCOL of `path`.
pub(super) async fn answer(
    guest: Guest,
    claims: &dyn Claims,
    properties: &Properties,
    path: &RelPath,
    head: &Parts,
    body: Body,
) -> Response {
    let asked = match body::whole(body, MAX_XML).await {
        Ok(bytes) if bytes.is_empty() => Vec::new(),
        // What it should do is not known: then nothing may be done (RFC 4918, 9.3).
        Ok(bytes) => match parse(&mtime::redirected(bytes)) {
            None => return problem(StatusCode::UNSUPPORTED_MEDIA_TYPE),
            Some(Err(refusal)) => return refusal.answer(),
            Some(Ok(asked)) => asked,
        },
        Err(error) => return problem(status::of(&error)),
    };
    let terms = claims.of_put(&guest, path, &head.headers);
    let (properties, path, tasks) = (properties.clone(), path.clone(), guest.books.tasks.clone());
    // A client that hangs up must not cut it in half, or keep it out of the log.
    let made = tasks.spawn("webdav change", async move { make(&guest, &properties, path, asked, terms).await });
    match made.await {
        Ok(Ok(())) => (StatusCode::CREATED, [(CACHE_CONTROL, "no-cache")]).into_response(),
        Ok(Err(refusal)) => refusal.answer(),
        Err(lost) => problem(status::of(&io::Error::other(lost))),
    }
}

/// Why there is no new folder.
#[derive(Debug)]
enum Refusal {
    Plain(StatusCode),
    /// What is to be said of each property (RFC 5689, 3); and to a person.
    Properties(Vec<(StatusCode, DavProp)>, Remark),
}

impl From<StatusCode> for Refusal {
    fn from(status: StatusCode) -> Self {
        Self::Plain(status)
    }
}

impl Refusal {
    /// `at_fault` are to blame; the others would have been fine.
    fn of(names: Vec<DavProp>, at_fault: impl Fn(&DavProp) -> bool) -> Self {
        let judged =
            |prop: DavProp| (if at_fault(&prop) { StatusCode::FORBIDDEN } else { StatusCode::FAILED_DEPENDENCY }, prop);
        Self::Properties(names.into_iter().map(judged).collect(), Remark::default())
    }

    fn answer(self) -> Response {
        let (judged, remark) = match self {
            Self::Plain(status) => return problem(status),
            Self::Properties(judged, remark) => (judged, remark),
        };
        let mut statuses: Vec<StatusCode> = judged.iter().map(|(status, _)| *status).collect();
        // What is to blame before what depends on it.
        statuses.sort_by_key(|status| (*status == StatusCode::FAILED_DEPENDENCY, status.as_u16()));
        statuses.dedup();
        let mut out = String::from("<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<D:mkcol-response xmlns:D=\"DAV:\">");
        for status in &statuses {
            out.push_str("<D:propstat><D:prop>");
            let of_status = || judged.iter().filter(|(its, _)| its == status).map(|(_, prop)| prop);
            for prop in of_status() {
                push_empty(&mut out, prop.namespace.as_deref().unwrap_or_default(), &prop.name);
            }
            out.push_str(&format!("</D:prop><D:status>HTTP/1.1 {status}</D:status>"));
            if *status == StatusCode::FORBIDDEN && of_status().any(is_type) {
                out.push_str("<D:error><D:valid-resourcetype/></D:error>");
            }
            if let Some(sentence) = remark.made().filter(|_| *status != StatusCode::FAILED_DEPENDENCY) {
                out.push_str(&format!("<D:responsedescription>{sentence}</D:responsedescription>"));
            }
            out.push_str("</D:propstat>");
        }
        out.push_str("</D:mkcol-response>\n");
        let mut answer = Response::new(Body::from(out));
        *answer.status_mut() = statuses.first().copied().unwrap_or(StatusCode::FORBIDDEN);
        for (name, value) in [(CONTENT_TYPE, "application/xml; charset=utf-8"), (CACHE_CONTROL, "no-cache")] {
            answer.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        answer
    }
}

/// Makes the folder, with its properties or not at all.
async fn make(
    guest: &Guest,
    properties: &Properties,
    path: RelPath,
    asked: Vec<DavProp>,
    terms: Terms,
) -> Result<(), Refusal> {
    let (view, at) = (guest.view.clone(), path.clone());
    let made = task::blocking(move || {
        let kept = terms.hold(view.stat(&at).ok().as_ref())?;
        let made = view.make_dir(&at).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => StatusCode::METHOD_NOT_ALLOWED,
            // A file in the middle of the path is as good as a missing folder.
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => StatusCode::CONFLICT,
            _ => status::of(&error),
        });
        drop(kept);
        made
    });
    made.await.unwrap_or_else(|lost| Err(status::of(&io::Error::other(lost))))?;
    let whole = guest.whole(&path);
    // Those of what had the name before.
    properties.removed(&whole).await;
    if !asked.is_empty() {
        let remark = Remark::default();
        let patch = asked.into_iter().map(|prop| (true, prop)).collect();
        let judged = properties.patch(guest, &path, patch, &remark).await;
        if !judged.as_ref().is_ok_and(|judged| judged.iter().all(|(status, _)| *status == StatusCode::OK)) {
            remove(guest, &path).await;
            let judged = judged.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
            return Err(Refusal::Properties(judged, remark));
        }
    }
    guest.record(Event::DoorDirMade { door: guest.door, account: guest.account.clone(), path: whole }).await;
    Ok(())
}

/// Takes the folder back that was made just now. If something is in it already, it stays.
async fn remove(guest: &Guest, path: &RelPath) {
    let (view, at) = (guest.view.clone(), path.clone());
    let removed = task::blocking(move || view.remove_dir(&at)).await;
    if let Err(error) = removed.unwrap_or_else(|lost| Err(io::Error::other(lost))) {
        tracing::warn!(io.error = %error, file.path = %path.display(), "a folder without its properties stays");
    }
}

fn is_type(prop: &DavProp) -> bool {
    prop.namespace.as_deref() == Some(DAV_NS) && prop.name == "resourcetype"
}

/// The properties in the body, the type apart; `None` when it is no extended MKCOL.
fn parse(body: &[u8]) -> Option<Result<Vec<DavProp>, Refusal>> {
    let root = xml::parse(body)?;
    if root.name != "mkcol" || root.namespace.as_deref() != Some(DAV_NS) {
        return None;
    }
    let inner = |element: &Element, name: &'static str| -> Vec<Element> {
        let all = element.children.iter().filter_map(|node| node.as_element());
        all.filter(|e| e.name == name && e.namespace.as_deref() == Some(DAV_NS)).cloned().collect()
    };
    let props = inner(&root, "set").iter().flat_map(|set| inner(set, "prop")).collect::<Vec<_>>();
    let elements: Vec<&Element> =
        props.iter().flat_map(|prop| prop.children.iter().filter_map(|node| node.as_element())).collect();
    let names: Vec<DavProp> = elements.iter().map(|element| named(element, None)).collect();
    let types: Vec<&Element> =
        elements.iter().copied().filter(|element| is_type(&named(element, None))).flat_map(kinds).collect();
    let is_collection = |kind: &&Element| kind.name == "collection" && kind.namespace.as_deref() == Some(DAV_NS);
    if types.is_empty() || !types.iter().all(is_collection) {
        let mut names = names;
        if !names.iter().any(is_type) {
            names.push(named(&Element::new("resourcetype"), Some(DAV_NS)));
        }
        return Some(Err(Refusal::of(names, is_type)));
    }
    if names.iter().any(|name| !is_type(name) && !can_be_set(name)) {
        return Some(Err(Refusal::of(names, |name| !is_type(name) && !can_be_set(name))));
    }
    let full = |element: &&Element| {
        let mut xml = Vec::new();
        element.write(&mut xml).ok()?;
        Some(DavProp { xml: Some(xml), ..named(element, None) })
    };
    Some(Ok(elements.iter().filter(|element| !is_type(&named(element, None))).filter_map(full).collect()))
}

fn kinds(element: &Element) -> impl Iterator<Item = &Element> {
    element.children.iter().filter_map(|node| node.as_element())
}

fn named(element: &Element, namespace: Option<&str>) -> DavProp {
    let namespace = namespace.map(str::to_owned).or_else(|| element.namespace.clone());
    DavProp { name: element.name.clone(), prefix: element.prefix.clone(), namespace, xml: None }
}

/// As for PROPPATCH: of what is computed here nothing can be set.
fn can_be_set(prop: &DavProp) -> bool {
    match prop.namespace.as_deref() {
        Some(DAV_NS) => matches!(prop.name.as_str(), "displayname" | "getcontentlanguage"),
        Some(APACHE_NS | MS_NS) => false,
        _ => true,
    }
}
