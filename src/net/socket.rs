//! What every TCP connection is told, so that answers leave at once and a peer that is gone is noticed.

use std::io;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;

/// So long after a question that was not answered comes the next.
const ASK_AGAIN: Duration = Duration::from_secs(5);
/// After so many questions without an answer the peer is gone.
const QUESTIONS: u32 = 6;
/// What was sent and not acknowledged for so long is lost with its connection (RFC 5482).
const USER_TIMEOUT: Duration = Duration::from_secs(60);

/// Who opened a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenedBy {
    /// We did.
    Us,
    /// The other side did.
    Them,
}

impl OpenedBy {
    /// So long a connection is silent before it is asked for a sign of life. A NAT that forgets after 20 s hears from us
    /// every 10 s; who comes to us is thousands, and sees to that at the own end.
    fn silence(self) -> Duration {
        Duration::from_secs(match self {
            Self::Us => 10,
            Self::Them => 25,
        })
    }
}

/// Sets no delay, keepalive and user timeout.
pub fn tune(stream: &TcpStream, opened_by: OpenedBy) {
    let socket = SockRef::from(stream);
    let keepalive = TcpKeepalive::new().with_time(opened_by.silence()).with_interval(ASK_AGAIN).with_retries(QUESTIONS);
    note_refusal(socket.set_tcp_nodelay(true));
    note_refusal(socket.set_tcp_keepalive(&keepalive));
    note_refusal(socket.set_tcp_user_timeout(Some(USER_TIMEOUT)));
}

/// Has `stream` ask for a sign of life after so much silence, where the usual time is too long for a NAT on the way.
pub fn keep_awake(stream: &TcpStream, silence: Duration) {
    let keepalive =
        TcpKeepalive::new().with_time(silence).with_interval(ASK_AGAIN.min(silence)).with_retries(QUESTIONS);
    note_refusal(SockRef::from(stream).set_tcp_keepalive(&keepalive));
}

/// Best effort: a socket without an option still works.
pub(super) fn note_refusal(set: io::Result<()>) {
    if let Err(error) = set {
        tracing::debug!(error = %error, "a socket option was refused");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Phase;
    use crate::net::{Way, connect, dial};

    #[tokio::test]
    async fn every_socket_notices_a_peer_that_is_gone() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let dialled = dial("127.0.0.1", address.port(), Duration::from_secs(5)).await.unwrap().stream;
        let data = connect(address, Duration::from_secs(5), Phase::DataConnect, Way::default()).await.unwrap();
        let (accepted, _) = listener.accept().await.unwrap();
        tune(&accepted, OpenedBy::Them);
        for (stream, silence) in [(&dialled, 10), (&data, 10), (&accepted, 25)] {
            let socket = SockRef::from(stream);
            assert!(socket.keepalive().unwrap() && socket.tcp_nodelay().unwrap());
            assert_eq!(socket.tcp_keepalive_time().unwrap(), Duration::from_secs(silence));
            assert_eq!(socket.tcp_keepalive_interval().unwrap(), Duration::from_secs(5));
            assert_eq!(socket.tcp_keepalive_retries().unwrap(), 6);
            assert_eq!(socket.tcp_user_timeout().unwrap(), Some(Duration::from_secs(60)));
        }
    }
}
