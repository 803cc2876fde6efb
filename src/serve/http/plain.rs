//! The plain HTTP listener, for who types a name without `https://`, and for authorities that want to see a text (RFC 8555,
//! section 8.3). It serves nothing else: no file, no page and no sign-in goes over it.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST, LOCATION};
use http::uri::Authority;
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};

use super::certificate::{Challenges, Served};
use crate::net::{AdmissionLimits, Counters, Entrance, OpenedBy, Place, tune};
use crate::task::Tasks;

/// For a connection, which is for one request.
const LONGEST: Duration = Duration::from_secs(20);
/// For the head of that request.
const HEAD: Duration = Duration::from_secs(10);
/// Bytes of that head.
const HEAD_BYTES: usize = 16 * 1024;
/// Connections at a time. Nobody logs in here, so all are strangers.
const LIMITS: AdmissionLimits = AdmissionLimits { total: 256, per_address: 16 };
/// Where an authority looks for its text.
const CHALLENGE: &str = "/.well-known/acme-challenge/";

/// What the listener knows.
#[derive(Debug, Clone)]
pub(super) struct Plain {
    pub(super) served: Served,
    /// Names that are ours beside those of the certificate.
    pub(super) names: Arc<[String]>,
    pub(super) challenges: Challenges,
    /// The port of the HTTPS listener, as it is reached from outside.
    pub(super) port: u16,
}

impl Plain {
    /// Accepts until `tasks` stop.
    pub(super) async fn accept(self, socket: TcpListener, counters: Counters, tasks: Tasks) {
        let entrance = Entrance::new(LIMITS, LIMITS, counters);
        loop {
            let accepted = tokio::select! {
                () = tasks.stopped() => return,
                accepted = socket.accept() => accepted,
            };
            match accepted {
                Ok((socket, peer)) => {
                    let Some(place) = entrance.try_enter(peer) else { continue };
                    tune(&socket, OpenedBy::Them);
                    tasks.spawn("http-connection", self.clone().answer_one(socket, peer, place));
                }
                Err(error) => {
                    // Out of descriptors or a peer that left again: wait, then go on.
                    tracing::warn!(net.error = %error, "cannot accept an HTTP connection");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }

    async fn answer_one(self, socket: TcpStream, peer: SocketAddr, place: Place) {
        let service =
            service_fn(|request: Request<Incoming>| std::future::ready(Ok::<_, Infallible>(self.answer(&request))));
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD)
            .max_buf_size(HEAD_BYTES)
            .keep_alive(false)
            .serve_connection(TokioIo::new(socket), service);
        if let Ok(Err(error)) = tokio::time::timeout(LONGEST, connection).await {
            tracing::debug!(net.peer = %peer, http.error = %error, "HTTP connection ended badly");
        }
        drop(place);
    }

    fn answer<B>(&self, request: &Request<B>) -> Response<Full<Bytes>> {
        if let Some(token) = request.uri().path().strip_prefix(CHALLENGE) {
            return match self.challenges.text(token) {
                Some(text) => said(StatusCode::OK, text),
                None => said(StatusCode::NOT_FOUND, "nothing is to be shown under this name".to_owned()),
            };
        }
        let named = request.headers().get(HOST).and_then(|host| host.to_str().ok()?.parse::<Authority>().ok());
        let host = request.uri().authority().cloned().or(named);
        // Only names of ours: whoever sends others here must not be told to go on there by us.
        let Some(host) = host.filter(|host| self.is_ours(host.host())) else {
            let sentence = "this is not the server of that name: use the address that you were told, with https://";
            return said(StatusCode::MISDIRECTED_REQUEST, sentence.to_owned());
        };
        let port = if self.port == 443 { String::new() } else { format!(":{}", self.port) };
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
        let to = format!("https://{}{port}{path}", host.host());
        let mut answer = said(StatusCode::PERMANENT_REDIRECT, format!("everything is at {to}\n"));
        match HeaderValue::from_str(&to) {
            Ok(to) => answer.headers_mut().insert(LOCATION, to),
            Err(_) => return said(StatusCode::BAD_REQUEST, "the address cannot be understood".to_owned()),
        };
        answer
    }

    fn is_ours(&self, host: &str) -> bool {
        let host = host.trim_matches(['[', ']']);
        let of_certificate = &self.served.borrow().names;
        of_certificate.iter().chain(self.names.iter()).any(|name| is_called(host, name))
    }
}

/// Is `host` this name of a certificate, which may begin with a star (RFC 9525, section 6.3)?
fn is_called(host: &str, name: &str) -> bool {
    let under = |star: &str| host.split_once('.').is_some_and(|(_, rest)| rest.eq_ignore_ascii_case(star));
    host.eq_ignore_ascii_case(name) || name.strip_prefix("*.").is_some_and(under)
}

fn said(status: StatusCode, text: String) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::from(text));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_compared_as_certificates_are() {
        for (host, name) in [("files.example", "Files.Example"), ("a.example", "*.example"), ("::1", "::1")] {
            assert!(is_called(host, name), "{host} {name}");
        }
        for (host, name) in [("a.b.example", "*.example"), ("example", "*.example"), ("evil.example", "files.example")]
        {
            assert!(!is_called(host, name), "{host} {name}");
        }
    }
}
