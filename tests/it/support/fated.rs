//! The proxy as a SOCKS5 relay: it is asked for every connection, so that it can refuse one, and each control connection
//! has a fate of its own. It keeps account of what it did.
#![allow(dead_code, reason = "the tests look at a part of the account")]

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use causeway::net::socks::{self, Answer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{Sender, channel};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::proxy::{Channel, Harm, Plan, Rule, carry};

/// What becomes of a control connection and its data connections.
#[derive(Debug, Clone, Copy, Default)]
pub struct Fate {
    /// It is not made.
    pub refused: bool,
    /// Its data connections are not made.
    pub data_refused: bool,
    /// The server's first byte comes so long after the connection was asked for, or later.
    pub delay: Duration,
    /// What else happens.
    pub rule: Option<Rule>,
}

/// What really became of it.
#[derive(Debug, Clone, Default)]
pub struct Done {
    /// It was refused.
    pub refused: bool,
    /// Its rule came true.
    pub fired: bool,
    /// Data connections that were refused.
    pub data_refused: usize,
    /// Bytes from the server, of each of its data connections.
    pub data: Vec<u64>,
}

struct Control {
    fate: Fate,
    plan: Arc<Plan>,
    killer: Sender<Harm>,
    data_refused: AtomicUsize,
    /// How much had come over data connections when each of them began: there is one after the other.
    begun: Mutex<Vec<u64>>,
}

struct Shared {
    server: SocketAddr,
    draw: Box<dyn Fn(u64) -> Fate + Send + Sync>,
    controls: Mutex<Vec<Arc<Control>>>,
}

/// A running relay; ended when dropped.
pub struct Relay {
    /// Where it is asked.
    pub address: SocketAddr,
    shared: Arc<Shared>,
    _work: JoinSet<()>,
}

impl Relay {
    /// Before the FTP server at `server`, for clients that have one control connection at a time. The fate of the nth is
    /// drawn by its number, from 0 on.
    pub async fn start(server: SocketAddr, draw: impl Fn(u64) -> Fate + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared { server, draw: Box::new(draw), controls: Mutex::default() });
        let (all, mut work) = (Arc::clone(&shared), JoinSet::new());
        work.spawn(async move {
            let mut carried = JoinSet::new();
            loop {
                tokio::select! {
                    Ok((client, _)) = listener.accept() => {
                        let shared = Arc::clone(&all);
                        carried.spawn(async move { drop(shared.asked(client).await) });
                    }
                    Some(_) = carried.join_next() => {}
                }
            }
        });
        Self { address, shared, _work: work }
    }

    /// What became of each control connection that was asked for, in their order.
    pub fn account(&self) -> Vec<Done> {
        let controls = self.shared.controls.lock().unwrap();
        controls.iter().map(|control| control.done()).collect()
    }
}

impl Shared {
    async fn asked(&self, mut client: TcpStream) -> io::Result<()> {
        // Small pieces must not wait for the word that those before them arrived: that would be a delay of our own.
        client.set_nodelay(true)?;
        let to = socks::wanted(&mut client).await?;
        if to != self.server {
            return self.data(client, to).await;
        }
        let asked = Instant::now();
        let (killer, kills) = channel(4);
        let control = {
            let mut controls = self.controls.lock().unwrap();
            let fate = (self.draw)(controls.len() as u64);
            let plan = Arc::new(Plan::new(self.server, fate.rule.as_slice()).asked());
            let (data_refused, begun) = (0.into(), Mutex::default());
            let control = Arc::new(Control { fate, plan, killer: killer.clone(), data_refused, begun });
            controls.push(Arc::clone(&control));
            control
        };
        if control.fate.refused {
            return socks::answer(&mut client, Answer::Refused, to).await;
        }
        let server = TcpStream::connect(self.server).await?;
        server.set_nodelay(true)?;
        socks::answer(&mut client, Answer::Connected, server.local_addr()?).await?;
        sleep_until(asked + control.fate.delay).await;
        carry(client, server, Channel::Control, to.ip(), &control.plan, kills, &killer).await
    }

    /// A data connection of the last control connection.
    async fn data(&self, mut client: TcpStream, to: SocketAddr) -> io::Result<()> {
        let Some(control) = self.controls.lock().unwrap().last().map(Arc::clone) else { return Ok(()) };
        if control.fate.data_refused {
            control.data_refused.fetch_add(1, SeqCst);
            return socks::answer(&mut client, Answer::Refused, to).await;
        }
        let server = TcpStream::connect(to).await?;
        control.begun.lock().unwrap().push(control.plan.moved.load(SeqCst));
        socks::answer(&mut client, Answer::Connected, server.local_addr()?).await?;
        // Nobody sends on this one: only control connections are hit from outside.
        let (_nobody, never) = channel(1);
        carry(client, server, Channel::Data, to.ip(), &control.plan, never, &control.killer).await
    }
}

impl Control {
    fn done(&self) -> Done {
        let begun = self.begun.lock().unwrap();
        let ends = begun.iter().skip(1).copied().chain([self.plan.moved.load(SeqCst)]);
        Done {
            refused: self.fate.refused,
            fired: self.plan.fired().iter().any(|times| *times > 0),
            data_refused: self.data_refused.load(SeqCst),
            data: begun.iter().zip(ends).map(|(begin, end)| end - begin).collect(),
        }
    }
}
