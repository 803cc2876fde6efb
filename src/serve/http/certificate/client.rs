//! Requests to an authority, over our own dialling and TLS.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::header::{DATE, HOST, HeaderName, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Request, Uri};
use http_body_util::Limited;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient};

use crate::net::http::date;
use crate::net::{TlsClient, Trust, dial};
use crate::task::{self, Tasks};

/// For each of look-up, connect and handshake, and for the answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// No answer of an authority is larger, in bytes.
const MOST: usize = 1 << 20;

/// Asks an authority. Clones share what was seen.
#[derive(Debug, Clone)]
pub(super) struct Client {
    trust: Arc<Trust>,
    tasks: Tasks,
    wait: Arc<Mutex<Option<Duration>>>,
}

impl Client {
    /// Trusts the system's roots and those of `trust`.
    pub(super) fn new(trust: Trust, tasks: Tasks) -> Self {
        Self { trust: Arc::new(trust), tasks, wait: Arc::default() }
    }

    /// How long the authority asked to wait with its last refusal (RFC 8555, section 6.6).
    pub(super) fn asked_to_wait(&self) -> Option<Duration> {
        *self.wait.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn ask(self, request: Request<BodyWrapper<Bytes>>) -> Result<BytesResponse, Error> {
        let (mut head, body) = request.into_parts();
        let authority = head.uri.authority().cloned().filter(|_| head.uri.scheme_str() == Some("https"));
        let authority = authority.ok_or(Error::Str("an https address"))?;
        let (host, port) = (authority.host().to_owned(), authority.port_u16().unwrap_or(443));
        head.headers.insert(HOST, HeaderValue::from_str(authority.as_str()).map_err(other)?);
        head.uri = Uri::from(head.uri.path_and_query().cloned().ok_or(Error::Str("a path"))?);
        let (name, trust) = (host.trim_matches(['[', ']']).to_owned(), Arc::clone(&self.trust));
        // Reads the system's roots.
        let tls = task::blocking(move || TlsClient::new(&name, &trust)).await.map_err(other)?.map_err(other)?;
        let dialled = dial(host.trim_matches(['[', ']']), port, PATIENCE).await.map_err(other)?;
        let stream = tls.offering(&["http/1.1"]).connect(dialled.stream, PATIENCE).await.map_err(other)?;
        let (mut sender, connection) = http1::Builder::new().handshake(TokioIo::new(stream)).await.map_err(other)?;
        self.tasks.spawn("acme connection", async move {
            if let Err(error) = connection.await {
                tracing::debug!(http.error = %error, "a connection to the authority ended badly");
            }
        });
        let answer = sender.send_request(Request::from_parts(head, body)).await.map_err(other)?;
        if !answer.status().is_success() {
            *self.wait.lock().unwrap_or_else(PoisonError::into_inner) = rest(answer.headers());
        }
        Ok(answer.map(|body| Limited::new(body, MOST)).into())
    }
}

/// How long the authority asks to be left alone (RFC 9110, section 10.2.3). A date is compared with its own clock.
fn rest(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: HeaderName| headers.get(name)?.to_str().ok();
    let told = text(RETRY_AFTER)?;
    match told.parse() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => date::parse(told)?.duration_since(date::parse(text(DATE)?)?).try_into().ok(),
    }
}

fn other(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::Other(Box::new(error))
}

impl HttpClient for Client {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>> {
        let asked = self.clone().ask(request);
        Box::pin(async move {
            let late = |_| Error::Str("an answer of the authority in time");
            tokio::time::timeout(4 * PATIENCE, asked).await.map_err(late)?
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rest_is_told_in_seconds_or_by_a_date_of_the_authoritys_clock() {
        let told = |pairs: &[(HeaderName, &'static str)]| {
            rest(&pairs.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect())
        };
        let (date, later) = ("Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 09:49:37 GMT");
        assert_eq!(told(&[(RETRY_AFTER, "120")]), Some(Duration::from_secs(120)));
        assert_eq!(told(&[(RETRY_AFTER, later), (DATE, date)]), Some(Duration::from_secs(3600)));
        assert_eq!(told(&[(RETRY_AFTER, "soon"), (DATE, date)]), None);
        assert_eq!(told(&[(DATE, date)]), None);
    }
}
