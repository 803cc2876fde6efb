//! Accepting: who may come in, and whose connection it is when a proxy passes it on.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use russh::server::Config;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::Settings;
use super::handler::Seen;
use super::listener::{Door, Visit, watch_logins};
use crate::net::admit::Admission;
use crate::net::{AdmissionLimits, Entrance, Origin, Refusal, origin};
use crate::task::{Lanes, Spot, Tasks};

/// How long a proxy may take to say whose connection it passes on.
const INTRODUCTION: Duration = Duration::from_secs(5);

/// Where it is decided who comes in.
pub(super) struct Porch {
    entrance: Entrance,
    /// Connections of which the proxy has not said yet whose they are.
    unnamed: Admission,
    door: Arc<Door>,
    config: Arc<Config>,
    settings: Settings,
    spot: Arc<Spot>,
    logins: watch::Receiver<String>,
    tasks: Tasks,
    lanes: Arc<Lanes>,
}

impl Porch {
    /// Nobody came yet.
    pub(super) fn new(
        (config, settings): (Arc<Config>, Settings),
        door: Arc<Door>,
        tasks: Tasks,
        lanes: Arc<Lanes>,
    ) -> Arc<Self> {
        let AdmissionLimits { total, .. } = settings.strangers;
        let (tell, logins) = watch::channel(String::new());
        let tree = Arc::clone(&door.tree);
        let spot = Spot::watching("sftp mounts", move || tree.is_near(), &tasks);
        tasks.spawn("sftp logins", watch_logins(door.accounts.clone(), tell, tasks.clone()));
        Arc::new(Self {
            entrance: Entrance::new(settings.connections, settings.strangers, door.counters.clone()),
            // A proxy is one address, whomever it brings.
            unnamed: Admission::new(AdmissionLimits { total, per_address: total }),
            door,
            config,
            settings,
            spot,
            logins,
            tasks,
            lanes,
        })
    }

    /// Accepts until the tasks stop.
    pub(super) async fn accept(self: Arc<Self>, socket: TcpListener) {
        loop {
            let accepted = tokio::select! {
                () = self.tasks.stopped() => return,
                accepted = socket.accept() => accepted,
            };
            match accepted {
                Ok((socket, peer)) if self.settings.proxies.iter().any(|proxy| proxy.contains(peer.ip())) => {
                    Arc::clone(&self).introduce(socket, peer);
                }
                Ok((socket, peer)) => self.enter(socket, peer, true, Seen::new()),
                Err(error) => {
                    // Out of descriptors, or a peer that left again: wait, then go on.
                    tracing::warn!(error = %error, "cannot accept an SFTP connection");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }

    /// Lets `peer` in, if there is a place.
    fn enter(&self, socket: TcpStream, peer: SocketAddr, measured: bool, seen: Arc<Seen>) {
        let Some(place) = self.entrance.try_enter(peer) else {
            tracing::warn!(net.peer = %peer, "too many SFTP connections: refused");
            return;
        };
        let visit = Visit {
            door: Arc::clone(&self.door),
            config: Arc::clone(&self.config),
            settings: self.settings.clone(),
            spot: Arc::clone(&self.spot),
            logins: self.logins.clone(),
            tasks: self.tasks.clone(),
            peer,
            measured,
            seen,
        };
        // Its events are those of the thread that it will stay on.
        match socket.into_std() {
            Ok(socket) => self.lanes.spawn("sftp-connection", visit.run(socket, place)),
            Err(error) => tracing::warn!(%error, net.peer = %peer, "a connection cannot be handed over"),
        }
    }

    /// Lets in whomever `proxy` brings, as soon as it says who that is.
    fn introduce(self: Arc<Self>, mut socket: TcpStream, proxy: SocketAddr) {
        let Ok(permit) = self.unnamed.try_admit(proxy) else {
            self.door.counters.refused(Refusal::Strangers);
            tracing::warn!(net.peer = %proxy, "too many connections without a PROXY header: refused");
            return;
        };
        let tasks = self.tasks.clone();
        tasks.spawn("sftp-introduction", async move {
            let seen = Seen::new();
            let told = tokio::select! {
                told = tokio::time::timeout(INTRODUCTION, origin::read(&mut socket)) => told,
                () = self.tasks.stopped() => return,
            };
            drop(permit);
            match told.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
                Ok(Origin::Client(peer)) => self.enter(socket, peer, true, seen),
                Ok(Origin::Unknown) => self.enter(socket, proxy, true, seen),
                // It looks whether we are here, every few seconds: no client's story.
                Ok(Origin::Proxy) => self.enter(socket, proxy, false, seen),
                Err(error) => {
                    tracing::warn!(%error, net.peer = %proxy, "a proxy did not say whose connection it passes on");
                }
            }
        });
    }
}
