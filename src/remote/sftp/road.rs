//! The way to a server: straight, or through a host in between that logs us in and forwards (`ssh -J`): a channel
//! `direct-tcpip` of RFC 4254, section 7.2.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use russh::ChannelStream;
use russh::client::{Handle, Msg};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::connection::{greeting, handshake, within};
use super::fault;
use super::host_key::{Judge, Trust, Witness};
use super::login::Login;
use crate::model::{Endpoint, EndpointOptions, Fault, FaultKind, Phase, Protocol};
use crate::net::{Dialled, SshStream, Tally, Way, dial_by};

/// Bytes to the server and back.
pub(super) enum Road {
    Straight(TcpStream),
    Through(Box<Through>),
}

/// Ends the session with the host in between when it is dropped.
pub(super) struct Through {
    stream: ChannelStream<Msg>,
    _session: Handle<Judge>,
    _cut: DropGuard,
}

impl Road {
    /// What is known of the TCP connection; of a way through a host in between nothing but what goes over it.
    pub(super) fn tally(&self) -> Arc<Tally> {
        match self {
            Self::Straight(stream) => Tally::of(stream),
            Self::Through(_) => Tally::apart(),
        }
    }

    /// Goes to `endpoint`, and says how long each phase of that took.
    ///
    /// # Errors
    /// The first thing that did not work; of the host in between its name is said.
    pub(super) async fn to(endpoint: &Endpoint) -> Result<(Self, Vec<(Phase, Duration)>), Fault> {
        match jump_host(endpoint)? {
            None => {
                let Dialled { stream, phases, .. } =
                    dial_by(&endpoint.host, endpoint.port, endpoint.options.deadlines.connect, way(endpoint)).await?;
                Ok((Self::Straight(stream), phases))
            }
            Some(jump) => Box::pin(Self::through(&jump, endpoint)).await,
        }
    }

    async fn through(jump: &Endpoint, endpoint: &Endpoint) -> Result<(Self, Vec<(Phase, Duration)>), Fault> {
        let deadlines = jump.options.deadlines;
        let started = std::time::Instant::now();
        let Dialled { stream, mut phases, .. } = dial_by(&jump.host, jump.port, deadlines.connect, way(jump)).await?;
        let cut = CancellationToken::new();
        let guard = cut.clone().drop_guard();
        let mut stream = SshStream::new(stream, cut);
        greeting(jump, &mut stream).await?;
        let trust = Trust::of(jump.options.pin.as_deref(), jump.options.insecure)?;
        let mut session = handshake(jump, trust, stream, &Witness::default()).await?;
        within(deadlines.command, Phase::Login, "the login", Login::new(&mut session, jump).run()).await?;
        let (host, port) = (endpoint.host.as_str(), u32::from(endpoint.port));
        let forward = async {
            session.channel_open_direct_tcpip(host, port, "127.0.0.1", 0).await.map_err(|error| match error {
                russh::Error::ChannelOpenFailure(_) => {
                    let why = format!("{} does not reach {host} port {port}, or does not forward to it", jump.host);
                    Fault::new(Phase::Connect, FaultKind::Refused, why)
                }
                other => fault::of_ssh(Phase::Connect, &format!("lost {} on the way to {host}", jump.host), &other),
            })
        };
        let channel =
            within(deadlines.connect, Phase::Connect, &format!("the way through {}", jump.host), forward).await?;
        // What the host in between takes is a part of the way.
        let looked_up: Duration = phases.iter().map(|(_, took)| *took).sum();
        phases.push((Phase::Connect, started.elapsed().saturating_sub(looked_up)));
        let through = Through { stream: channel.into_stream(), _session: session, _cut: guard };
        Ok((Self::Through(Box::new(through)), phases))
    }
}

fn way(endpoint: &Endpoint) -> Way {
    Way { relay: endpoint.options.relay, ..Way::default() }
}

/// The host in between, if there is one: its own user, port and host key, and the keys of the endpoint. The password of
/// the endpoint is for the endpoint alone.
///
/// # Errors
/// That the address is none.
pub(super) fn jump_host(endpoint: &Endpoint) -> Result<Option<Endpoint>, Fault> {
    let options = &endpoint.options;
    let Some(jump) = &options.jump else { return Ok(None) };
    let wrong = |why: String| Fault::new(Phase::Resolve, FaultKind::Unsupported, format!("the jump host: {why}"));
    let mut host =
        Endpoint::parse(&format!("{}://{jump}", Protocol::Sftp)).map_err(|error| wrong(error.to_string()))?;
    if host.password.is_some() || !host.root.is_empty() {
        return Err(wrong("write it as user@host or user@host:port; it is logged in to by key".to_owned()));
    }
    if host.user.is_empty() {
        host.user.clone_from(&endpoint.user);
    }
    host.options = EndpointOptions {
        pin: options.jump_pin.clone(),
        insecure: options.insecure,
        key_file: options.key_file.clone(),
        agent: options.agent.clone(),
        deadlines: options.deadlines,
        relay: options.relay,
        ..EndpointOptions::default()
    };
    Ok(Some(host))
}

impl AsyncRead for Road {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Straight(socket) => Pin::new(socket).poll_read(cx, buf),
            Self::Through(through) => Pin::new(&mut through.stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Road {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Straight(socket) => Pin::new(socket).poll_write(cx, buf),
            Self::Through(through) => Pin::new(&mut through.stream).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Straight(socket) => Pin::new(socket).poll_flush(cx),
            Self::Through(through) => Pin::new(&mut through.stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Straight(socket) => Pin::new(socket).poll_shutdown(cx),
            Self::Through(through) => Pin::new(&mut through.stream).poll_shutdown(cx),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Secret;

    #[test]
    fn the_host_in_between_gets_keys_and_no_password() {
        let mut endpoint = Endpoint::parse("sftp://anna@inside//srv").unwrap();
        endpoint.password = Some(Secret::new("for the inside"));
        assert_eq!(jump_host(&endpoint).unwrap(), None);
        endpoint.options.pin = Some("inner".to_owned());
        endpoint.options.key_file = Some("/k".to_owned());
        endpoint.options.jump = Some("ops@gate:2222".to_owned());
        endpoint.options.jump_pin = Some("outer".to_owned());
        let jump = jump_host(&endpoint).unwrap().unwrap();
        assert_eq!((jump.user.as_str(), jump.host.as_str(), jump.port), ("ops", "gate", 2222));
        assert_eq!((jump.password, jump.options.jump), (None, None));
        assert_eq!(jump.options.pin.as_deref(), Some("outer"));
        assert_eq!(jump.options.key_file.as_deref(), Some("/k"));
        endpoint.options.jump = Some("gate".to_owned());
        let jump = jump_host(&endpoint).unwrap().unwrap();
        assert_eq!((jump.user.as_str(), jump.port), ("anna", 22));
        for wrong in ["ops:secret@gate", "gate/folder", "", "gate?x"] {
            endpoint.options.jump = Some(wrong.to_owned());
            let fault = jump_host(&endpoint).unwrap_err();
            assert!(fault.message.contains("jump host") && !fault.message.contains("secret"), "{}", fault.message);
        }
    }
}
