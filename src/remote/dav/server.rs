//! A server with a folder on it: the questions and orders that more than one part of this remote has.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use http::HeaderValue;

use super::entry::of_properties;
use super::exchange::{Answer, Ask, ask, damaged};
use super::fault;
use super::learned::{Learned, TimeProperty};
use super::multistatus::{Known, Response};
use super::names::{Names, Place};
use super::pool::Pool;
use crate::model::{Entry, Fault, FaultKind, Mtime, Name, Phase, RelPath};
use crate::net::http::date;

/// The properties that say what lies somewhere.
pub(super) const ENTRY: &str = "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<propfind xmlns=\"DAV:\"><prop>\
    <resourcetype/><getcontentlength/><getlastmodified/><getetag/></prop></propfind>";
/// The one that says who holds a lock.
const LOCKS: &str =
    "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<propfind xmlns=\"DAV:\"><prop><lockdiscovery/></prop></propfind>";
/// The hashes that ownCloud and Nextcloud keep.
const CHECKSUMS: &str = "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<propfind xmlns=\"DAV:\"><prop>\
    <o:checksums xmlns:o=\"http://owncloud.org/ns\"/></prop></propfind>";

/// The endpoint's folder on its server.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) pool: Arc<Pool>,
    pub(super) names: Names,
}

impl Server {
    pub(super) fn learned(&self) -> &Learned {
        &self.pool.shared.learned
    }

    /// How long a simple question may take.
    pub(super) fn within(&self) -> Duration {
        self.pool.shared.deadlines().command
    }

    /// PROPFIND of one thing (RFC 4918, section 9.1), as an answer.
    pub(super) async fn propfind(&self, path: String, body: &'static str, what: &str) -> Result<Answer, Fault> {
        let question = Ask::new("PROPFIND", path, Phase::Command, what, self.within());
        ask(&self.pool, &question.with("depth", HeaderValue::from_static("0")).xml(body)).await
    }

    /// The properties of what lies at `path`; `None` when the server says that nothing does.
    async fn properties(&self, path: &RelPath, body: &'static str, what: &str) -> Result<Option<Response>, Fault> {
        let file = self.names.file(path);
        let mut answer = self.propfind(file.clone(), body, what).await?;
        if answer.leads_to_folder(&file) {
            answer.body.drain().await;
            answer = self.propfind(self.names.folder(path), body, what).await?;
        }
        if matches!(answer.status, 404 | 409 | 410) {
            answer.body.drain().await;
            return Ok(None);
        }
        let around = self.names.around(path);
        let mut responses = answer.multistatus().await?;
        let mut found = None;
        while let Some(one) = responses.next().await.map_err(|damage| damaged(Phase::Command, what, damage))? {
            if found.is_none() && one.hrefs.iter().any(|href| around.place(href) == Place::Itself) {
                found = Some(one);
            }
        }
        match found {
            Some(one) => match one.status {
                Some(404 | 410) => Ok(None),
                Some(status) if !(200..300).contains(&status) => {
                    Err(fault::of_status(Phase::Command, what, status, ""))
                }
                _ => Ok(Some(one)),
            },
            None => {
                let why = format!("{what}: the server answers about something else than it was asked");
                Err(Fault::new(Phase::Command, FaultKind::Protocol, why))
            }
        }
    }

    /// What lies at `path`, called `name`.
    pub(super) async fn look(&self, path: &RelPath, name: Name) -> Result<Option<Entry>, Fault> {
        let what = format!("looking at {}", shown(path));
        Ok(self.properties(path, ENTRY, &what).await?.map(|found| of_properties(name, &found)))
    }

    /// What lies at `path`.
    pub(super) async fn stat(&self, path: &RelPath) -> Result<Option<Entry>, Fault> {
        match path.name().map_or_else(|| Name::new("root"), Ok) {
            Ok(name) => self.look(path, name).await,
            Err(error) => Err(Fault::new(Phase::Command, FaultKind::BadName, error.to_string())),
        }
    }

    /// The hashes that are kept as a property.
    pub(super) async fn checksums(&self, path: &RelPath, what: &str) -> Result<Option<String>, Fault> {
        let found = self.properties(path, CHECKSUMS, what).await?;
        Ok(found.and_then(|found| found.get(Known::Checksums).map(str::to_owned)))
    }

    /// An order that is done or not, about `path`.
    pub(super) async fn order(&self, path: &RelPath, order: &Ask<'_>) -> Result<(), Fault> {
        match ask(&self.pool, order).await?.done().await {
            Err(fault) if fault.evidence.code == Some(423) => Err(self.locked(path, fault).await),
            done => done,
        }
    }

    /// A lock is in the way: by whom, where the server tells. It is never broken.
    pub(super) async fn locked(&self, path: &RelPath, mut fault: Fault) -> Fault {
        let mut at = Some(path.clone());
        // What does not exist yet is locked with its folder.
        while let Some(here) = at {
            match self.properties(&here, LOCKS, "asking for the locks").await {
                Ok(Some(found)) => {
                    if let Some(owner) = found.get(Known::Locks).filter(|owner| !owner.is_empty()) {
                        let owner: String = owner.split_whitespace().collect::<Vec<_>>().join(" ");
                        let owner: String = owner.chars().filter(|c| !c.is_control()).take(100).collect();
                        fault.message += &format!(", it says “{owner}”");
                    }
                    break;
                }
                Ok(None) => at = here.parent(),
                Err(_) => break,
            }
        }
        fault
    }

    /// Sets the modification time by PROPPATCH (RFC 4918, section 9.2).
    pub(super) async fn set_time(
        &self,
        path: &RelPath,
        time: (TimeProperty, Mtime),
        folder: bool,
    ) -> Result<(), Fault> {
        let (property, mtime) = time;
        let text = match property {
            TimeProperty::Live | TimeProperty::Windows => date::print(mtime.at),
            TimeProperty::Bare => Some(mtime.at.as_second().to_string()),
        };
        let Some(text) = text else { return Ok(()) };
        let (namespace, name) = property.name();
        let body = format!(
            "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<D:propertyupdate xmlns:D=\"DAV:\"><D:set><D:prop>\
             <T:{name} xmlns:T=\"{namespace}\">{text}</T:{name}></D:prop></D:set></D:propertyupdate>"
        );
        let what = format!("setting the time of {}", shown(path));
        let at = if folder { self.names.folder(path) } else { self.names.file(path) };
        let order = Ask::new("PROPPATCH", at, Phase::Publish, &what, self.within()).xml(body);
        self.order(path, &order).await
    }

    /// MKCOL (RFC 4918, section 9.3).
    pub(super) async fn make_folder(&self, at: String, path: &RelPath) -> Result<(), Fault> {
        let what = format!("making the folder {}", shown(path));
        self.order(path, &Ask::new("MKCOL", at, Phase::Command, &what, self.within())).await
    }

    /// DELETE (RFC 4918, section 9.6). A folder goes with all that is in it: callers look first.
    pub(super) async fn delete(&self, path: &RelPath, folder: bool) -> Result<(), Fault> {
        let what = format!("removing {}", shown(path));
        let at = if folder { self.names.folder(path) } else { self.names.file(path) };
        self.order(path, &Ask::new("DELETE", at, Phase::Command, &what, self.within())).await
    }

    /// MOVE without replacing anything (RFC 4918, section 9.9). 412 is "something lies there".
    pub(super) async fn rename(&self, from: &RelPath, to: &RelPath, folder: bool) -> Result<(), Fault> {
        let what = format!("moving {} to {}", shown(from), shown(to));
        let place = |path| if folder { self.names.folder(path) } else { self.names.file(path) };
        let (source, shared) = (place(from), &self.pool.shared);
        loop {
            let bare = self.learned().bare_destination.load(Relaxed);
            let to_path = place(to);
            let target = if bare { to_path } else { format!("{}://{}{to_path}", shared.scheme(), shared.authority) };
            let target = HeaderValue::from_str(&target)
                .map_err(|error| Fault::new(Phase::Publish, FaultKind::BadName, format!("{what}: {error}")))?;
            let order = Ask::new("MOVE", source.clone(), Phase::Publish, &what, self.within())
                .with("destination", target)
                .with("overwrite", HeaderValue::from_static("F"));
            match self.order(to, &order).await {
                // Behind a proxy that ends TLS, the server takes our own address for somebody else's.
                Err(fault) if fault.evidence.code == Some(502) && !bare => {
                    self.learned().bare_destination.store(true, Relaxed);
                }
                Err(fault) if fault.evidence.code == Some(412) => return Err(taken(to)),
                done => return done,
            }
        }
    }
}

/// A path for people.
pub(super) fn shown(path: &RelPath) -> String {
    if path.is_root() { "the root".to_owned() } else { path.display().into_owned() }
}

/// The name is taken.
pub(super) fn taken(at: &RelPath) -> Fault {
    Fault::new(Phase::Publish, FaultKind::Exists, format!("{} is there already", at.display()))
}
