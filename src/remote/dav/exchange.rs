//! One request and its answer: logged in as the server wants it, each wait with its deadline.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, Stream};
use http::header::{ACCEPT_ENCODING, AUTHORIZATION, HOST, LOCATION, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, Uri, Version};
use http_body_util::{BodyExt as _, Either, Full};
use hyper::body::{Body as _, Incoming};
use tokio::time::timeout;
use tokio_util::io::StreamReader;

use super::connection::{Answering, Came, Sender, Sent};
use super::entry::text;
use super::fault;
use super::login::Login;
use super::multistatus::{Damage, Multistatus};
use super::pool::{Lease, Pool};
use super::upload::Upload;
use crate::model::{Fault, FaultKind, Phase, Retry};

/// Requests for one answer: without a login, with one, and with a newer nonce.
const MOST_LOGINS: usize = 3;
/// What is read of an answer that says why something did not work.
const MOST_WORDS: usize = 16 << 10;
const AGENT: &str = concat!("Causeway/", env!("CARGO_PKG_VERSION"));

/// What is asked.
#[derive(Debug, Clone)]
pub(super) struct Ask<'a> {
    pub(super) method: Method,
    /// Percent-encoded.
    pub(super) path: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    /// What a failure belongs to.
    pub(super) phase: Phase,
    /// What is being done, for people.
    pub(super) what: &'a str,
    /// For the head of the answer, and for each piece of its body.
    pub(super) within: Duration,
}

impl<'a> Ask<'a> {
    /// Without headers and body.
    pub(super) fn new(method: &str, path: String, phase: Phase, what: &'a str, within: Duration) -> Self {
        // Only constants come here, and all of them are tokens.
        let method = Method::from_bytes(method.as_bytes()).unwrap_or_default();
        Self { method, path, headers: HeaderMap::new(), body: Bytes::new(), phase, what, within }
    }

    /// With one more header.
    pub(super) fn with(mut self, name: &'static str, value: HeaderValue) -> Self {
        self.headers.insert(HeaderName::from_static(name), value);
        self
    }

    /// With a body of XML.
    pub(super) fn xml(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self.with("content-type", HeaderValue::from_static("application/xml; charset=utf-8"))
    }

    /// Does asking twice do no more than asking once, and nothing at all (RFC 9110, section 9.2.1)?
    fn is_safe(&self) -> bool {
        matches!(self.method.as_str(), "GET" | "HEAD" | "OPTIONS" | "PROPFIND")
    }
}

/// Why there is no answer.
struct Unanswered {
    fault: Fault,
    /// Nothing of the request reached the connection.
    unsent: bool,
}

/// Asks, and logs in where the server wants it. A connection that the server closed while it waited for its next
/// request is no failure: what cannot have been heard, or changes nothing, is asked again over a fresh one, once.
///
/// # Errors
/// The fault of the connection, or a refused login. Any other status is an answer.
pub(super) async fn ask(pool: &Arc<Pool>, ask: &Ask<'_>) -> Result<Answer, Fault> {
    let (mut fresh, mut logins) = (false, 0);
    loop {
        pool.shared.rested().await;
        let login = pool.shared.login()?;
        let mut lease = pool.lease(fresh).await?;
        let body = Either::Left(Full::new(ask.body.clone()));
        let request = request(pool, &lease, login.as_deref(), (&ask.method, &ask.path), &ask.headers, body)?;
        let answering = lease.sender.send(request);
        let was_fresh = lease.fresh;
        let answer = match timeout(ask.within, answering).await {
            Ok(came) => answered(came, lease, ask),
            Err(_) => return Err(fault::silent(ask.phase, ask.what, ask.within)),
        };
        match answer {
            Ok(answer) if answer.status == 401 && logins < MOST_LOGINS => {
                pool.shared.challenged(login.as_ref(), &answer.headers)?;
                answer.body.drain().await;
                logins += 1;
            }
            Ok(answer) => return Ok(noted(pool, answer)),
            Err(lost) if !was_fresh && !fresh && (lost.unsent || ask.is_safe()) => fresh = true,
            Err(lost) => return Err(lost.fault),
        }
    }
}

/// Begins a request whose body is brought while it is sent. It cannot be repeated.
///
/// # Errors
/// The fault of the connection. A server that wants another login first is heard by [`pushed`].
pub(super) async fn push(
    pool: &Arc<Pool>,
    ask: &Ask<'_>,
    body: Upload,
) -> Result<(Lease, Answering, Option<Arc<Login>>), Fault> {
    pool.shared.rested().await;
    let login = pool.shared.login()?;
    let mut lease = pool.lease(false).await?;
    let target = (&ask.method, ask.path.as_str());
    let request = request(pool, &lease, login.as_deref(), target, &ask.headers, Either::Right(body))?;
    let answering = lease.sender.send(request);
    Ok((lease, answering, login))
}

/// The answer to what was [`push`]ed, whenever it comes: as long as bytes are brought the server may be silent.
///
/// # Errors
/// The fault of the connection, or of the login; the next try has the one that is wanted.
pub(super) async fn pushed(
    pool: &Arc<Pool>,
    ask: &Ask<'_>,
    (lease, answering, login): (Lease, Answering, Option<Arc<Login>>),
) -> Result<Answer, Fault> {
    let answer = answered(answering.await, lease, ask).map_err(|lost| lost.fault)?;
    if answer.status == 401 {
        pool.shared.challenged(login.as_ref(), &answer.headers)?;
        let why = format!("{}: the server wants to see the login once more", ask.what);
        return Err(Fault::new(ask.phase, FaultKind::ClosedEarly, why).retry(Retry::Now).reply(401, "Unauthorized"));
    }
    Ok(noted(pool, answer))
}

fn request(
    pool: &Pool,
    lease: &Lease,
    login: Option<&Login>,
    (method, path): (&Method, &str),
    headers: &HeaderMap,
    body: Sent,
) -> Result<Request<Sent>, Fault> {
    let shared = &pool.shared;
    let bad = |error: http::Error| {
        Fault::new(Phase::Command, FaultKind::BadName, format!("no request can say this: {error}"))
    };
    let mut request = Request::new(body);
    *request.method_mut() = method.clone();
    *request.headers_mut() = headers.clone();
    let all = request.headers_mut();
    all.insert(USER_AGENT, HeaderValue::from_static(AGENT));
    // What is stored is asked for, not a rendering of it.
    all.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    if let Some(login) = login {
        all.insert(AUTHORIZATION, login.authorization(&shared.endpoint, method, path)?);
    }
    match lease.sender {
        Sender::One(_) => {
            all.insert(HOST, HeaderValue::from_str(&shared.authority).map_err(|error| bad(error.into()))?);
            *request.uri_mut() = path.parse().map_err(|error: http::uri::InvalidUri| bad(error.into()))?;
        }
        Sender::Many(_) => {
            let uri = Uri::builder().scheme(shared.scheme()).authority(shared.authority.as_str()).path_and_query(path);
            *request.uri_mut() = uri.build().map_err(bad)?;
            *request.version_mut() = Version::HTTP_2;
        }
    }
    Ok(request)
}

/// What came of a request that was on its way.
fn answered(came: Came, lease: Lease, ask: &Ask<'_>) -> Result<Answer, Unanswered> {
    came.map(|response| Answer::new(response, lease, ask)).map_err(|lost| {
        let unsent = lost.message().is_some();
        Unanswered { fault: fault::of_hyper(ask.phase, ask.what, lost.error()), unsent }
    })
}

fn noted(pool: &Pool, mut answer: Answer) -> Answer {
    if matches!(answer.status, 429 | 503) {
        answer.rest = pool.shared.note_rest(&answer.headers);
    }
    answer
}

/// What the server said.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Body,
    /// How long the server wants to be left alone.
    rest: Option<Duration>,
}

impl Answer {
    fn new(response: Response<Incoming>, mut lease: Lease, ask: &Ask<'_>) -> Self {
        let (head, incoming) = response.into_parts();
        if let Some(kept) = kept(&head.headers) {
            lease.keeps(kept);
        }
        let (phase, what, within) = (ask.phase, ask.what.to_owned(), ask.within);
        let mut body = Body { incoming, lease: Some(lease), phase, what, within };
        if body.incoming.is_end_stream() {
            body.ended();
        }
        Self { status: head.status.as_u16(), headers: head.headers, body, rest: None }
    }

    /// Is it "the folder of that name has a slash at its end" (RFC 4918, section 5.2)?
    pub(super) fn leads_to_folder(&self, path: &str) -> bool {
        let to = text(&self.headers, &LOCATION).unwrap_or_default();
        let to =
            to.split_once("://").map_or(to, |(_, rest)| rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/"));
        (300..400).contains(&self.status) && to.strip_suffix('/').is_some_and(|to| to == path)
    }

    /// Success without more. A 207 here tells of parts that failed (RFC 4918, section 9.6.1).
    pub(super) async fn done(self) -> Result<(), Fault> {
        let (phase, what) = (self.body.phase, self.body.what.clone());
        match self.status {
            207 => {
                let mut parts = Multistatus::new(self.body.reader());
                while let Some(part) = parts.next().await.map_err(|damage| damaged(phase, &what, damage))? {
                    if let Some(status) = part.failure() {
                        return Err(fault::of_status(phase, &what, status, ""));
                    }
                }
                Ok(())
            }
            200..=299 => {
                self.body.drain().await;
                Ok(())
            }
            _ => Err(self.refusal().await),
        }
    }

    /// The multistatus that was asked for.
    ///
    /// # Errors
    /// Another status than 207.
    pub(super) async fn multistatus(self) -> Result<Multistatus<Reader>, Fault> {
        let (phase, what) = (self.body.phase, &self.body.what);
        match self.status {
            207 => Ok(Multistatus::new(self.body.reader())),
            200..=299 => {
                let why = format!("{what}: the server answers a question of WebDAV as if it knew none");
                Err(Fault::new(phase, FaultKind::Unsupported, why).reply(u32::from(self.status), ""))
            }
            _ => Err(self.refusal().await),
        }
    }

    /// What a status means that was not hoped for.
    pub(super) async fn refusal(self) -> Fault {
        let (phase, what, status, rest) = (self.body.phase, self.body.what.clone(), self.status, self.rest);
        let said = match (300..400).contains(&status) {
            // Without what may follow the path: it may be a secret.
            true => text(&self.headers, &LOCATION).and_then(|to| to.split('?').next()).unwrap_or_default().to_owned(),
            false => words(&self.headers, &self.body.beginning().await),
        };
        let mut fault = fault::of_status(phase, &what, status, &said);
        if let Some(rest) = rest {
            fault.message += &format!("; it wants to be left alone for {} s", rest.as_secs());
        }
        fault
    }
}

/// How long the server keeps a connection (`Keep-Alive: timeout=5`, RFC 2068, section 19.7.1.1).
fn kept(headers: &HeaderMap) -> Option<Duration> {
    let told = text(headers, &HeaderName::from_static("keep-alive"))?;
    let seconds = told.split(',').find_map(|part| part.trim().strip_prefix("timeout="))?;
    seconds.trim().parse().ok().map(Duration::from_secs)
}

/// What a server says for people: the first line of a plain text, or the message in an XML of sabre/dav or RFC 4918.
fn words(headers: &HeaderMap, body: &[u8]) -> String {
    let kind = text(headers, &http::header::CONTENT_TYPE).unwrap_or_default();
    let body = String::from_utf8_lossy(body);
    let said = if kind.starts_with("text/plain") {
        body.lines().next()
    } else if kind.contains("xml") {
        let found = ["message>", "responsedescription>"].iter().find_map(|tag| body.split_once(tag));
        found.and_then(|(_, rest)| rest.split('<').next())
    } else {
        None
    };
    said.unwrap_or_default().trim().chars().filter(|c| !c.is_control()).take(200).collect()
}

/// What is wrong with an answer.
pub(super) fn damaged(phase: Phase, what: &str, damage: Damage) -> Fault {
    match damage {
        Damage::Lost(fault) => *fault,
        Damage::Cut => Fault::new(phase, FaultKind::ClosedEarly, format!("{what}: the answer ends in the middle")),
        Damage::Malformed(why) => {
            Fault::new(phase, FaultKind::Protocol, format!("{what}: the answer cannot be understood: {why}"))
        }
    }
}

/// The body of an answer. Read to its end it gives its connection back; dropped before, it gives it up.
#[derive(Debug)]
pub(super) struct Body {
    incoming: Incoming,
    lease: Option<Lease>,
    phase: Phase,
    what: String,
    within: Duration,
}

/// A body for whoever reads bytes.
pub(super) type Reader = StreamReader<Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>, Bytes>;

impl Body {
    /// From here on other deadlines hold, and failures belong elsewhere.
    pub(super) fn within(mut self, phase: Phase, within: Duration) -> Self {
        (self.phase, self.within) = (phase, within);
        self
    }

    /// The next bytes, never empty.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, Fault> {
        while self.lease.is_some() {
            let frame = timeout(self.within, self.incoming.frame()).await;
            match frame.map_err(|_| fault::silent(self.phase, &self.what, self.within))? {
                None => self.ended(),
                Some(Err(error)) => return Err(fault::of_hyper(self.phase, &self.what, &error)),
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(bytes) if !bytes.is_empty() => return Ok(Some(bytes)),
                    _ => {}
                },
            }
        }
        Ok(None)
    }

    fn ended(&mut self) {
        if let Some(lease) = self.lease.take() {
            lease.give_back();
        }
    }

    /// Its first bytes, as many as can be a sentence for people.
    async fn beginning(mut self) -> Vec<u8> {
        let mut all = Vec::new();
        while all.len() < MOST_WORDS {
            match self.next().await {
                Ok(Some(bytes)) => all.extend_from_slice(&bytes),
                Ok(None) | Err(_) => break,
            }
        }
        all
    }

    /// Reads what nobody needs, when it is short: the connection is worth more than that.
    pub(super) async fn drain(self) {
        self.beginning().await;
    }

    /// For whoever reads bytes; a [`Fault`] is inside of the error.
    pub(super) fn reader(self) -> Reader {
        let pieces = stream::try_unfold(self, |mut body| async move {
            Ok(body.next().await.map_err(io::Error::other)?.map(|bytes| (bytes, body)))
        });
        StreamReader::new(Box::pin(pieces))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap())).collect()
    }

    #[test]
    fn a_server_is_quoted_where_it_speaks_to_people() {
        let plain = headers(&[("content-type", "text/plain; charset=utf-8")]);
        assert_eq!(words(&plain, b"no space left\nmore"), "no space left");
        let sabre =
            b"<d:error xmlns:d='DAV:'><s:exception>X</s:exception><s:message>Quota exceeded</s:message></d:error>";
        assert_eq!(words(&headers(&[("content-type", "application/xml")]), sabre), "Quota exceeded");
        assert_eq!(words(&headers(&[("content-type", "text/html")]), b"<h1>Error</h1>"), "");
    }

    #[test]
    fn a_connection_is_kept_as_long_as_the_server_says() {
        assert_eq!(kept(&headers(&[("keep-alive", "timeout=5, max=99")])), Some(Duration::from_secs(5)));
        assert_eq!(kept(&headers(&[("keep-alive", "max=99")])), None);
    }
}
