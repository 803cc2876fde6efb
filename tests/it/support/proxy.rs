//! A TCP proxy before a real FTP server that breaks connections on cue.
//!
//! It has a loopback address of its own, reads the ports that 227 and 229 announce on the control
//! connections that it carries, and serves the same ports on its own address: nothing is rewritten, because
//! a sound client connects to the peer of its control connection.
#![allow(dead_code, reason = "each test file uses a part of the harms")]

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use causeway::model::Endpoint;
use causeway::remote::ftp::passive::{epsv_port, pasv_address};
use causeway::remote::ftp::reply::Reply;
use socket2::SockRef;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// What happens to a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Harm {
    /// RST to both sides.
    Reset,
    /// FIN to the client, as if all was said.
    End,
    /// Nothing moves for so long; then it goes on.
    Stall(Duration),
    /// Nothing ever moves again, and nobody is told.
    BlackHole,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channel {
    Control,
    Data,
}

/// When something happens, and to whom.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    harm: Harm,
    watched: Channel,
    hit: Channel,
    at: u64,
    skip: usize,
    times: usize,
}

impl Rule {
    /// A data connection, once, when `at` bytes came over it.
    pub fn data(harm: Harm, at: u64) -> Self {
        Self { harm, watched: Channel::Data, hit: Channel::Data, at, skip: 0, times: 1 }
    }

    /// A control connection, once, when `at` bytes came over it.
    pub fn control(harm: Harm, at: u64) -> Self {
        Self { watched: Channel::Control, hit: Channel::Control, ..Self::data(harm, at) }
    }

    /// A control connection, once, when `at` bytes came over its data connection.
    pub fn control_in_transfer(harm: Harm, at: u64) -> Self {
        Self { hit: Channel::Control, ..Self::data(harm, at) }
    }

    /// Not the first `count` that come so far.
    pub fn skip(self, skip: usize) -> Self {
        Self { skip, ..self }
    }

    /// So often.
    pub fn times(self, times: usize) -> Self {
        Self { times, ..self }
    }
}

#[derive(Debug)]
struct Armed {
    rule: Rule,
    seen: AtomicUsize,
    fired: AtomicUsize,
}

#[derive(Debug)]
pub(super) struct Plan {
    server: SocketAddr,
    /// It also serves the data ports that are announced on control connections.
    serves: bool,
    rules: Vec<Armed>,
    /// Most control connections at once.
    limit: usize,
    /// Data ports that are still to be refused.
    refuse: AtomicUsize,
    refused: AtomicUsize,
    open: AtomicUsize,
    turned_away: AtomicUsize,
    controls: AtomicUsize,
    pub(super) moved: AtomicU64,
    /// Tasks of data connections.
    work: Mutex<JoinSet<()>>,
}

/// A running proxy; ended when dropped.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    plan: Arc<Plan>,
    _work: JoinSet<()>,
}

impl Proxy {
    /// Before `server`, with these rules.
    pub async fn start(server: SocketAddr, rules: &[Rule]) -> Self {
        Self::start_with(server, rules, usize::MAX, 0).await
    }

    /// Also with a limit of control connections, and data ports that are refused at first.
    pub async fn start_with(server: SocketAddr, rules: &[Rule], limit: usize, refuse: usize) -> Self {
        let plan = Arc::new(Plan { limit, refuse: refuse.into(), ..Plan::new(server, rules) });
        let listener = TcpListener::bind((own_address(), 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (shared, mut work) = (Arc::clone(&plan), JoinSet::new());
        work.spawn(async move {
            let mut sessions = JoinSet::new();
            loop {
                tokio::select! {
                    Ok((client, _)) = listener.accept() => {
                        let plan = Arc::clone(&shared);
                        sessions.spawn(async move { control(client, address.ip(), &plan).await });
                    }
                    Some(_) = sessions.join_next() => {}
                }
            }
        });
        Self { address, plan, _work: work }
    }

    /// The endpoint behind it, seen through it.
    pub fn endpoint(&self, behind: &Endpoint) -> Endpoint {
        Endpoint { host: self.address.ip().to_string(), port: self.address.port(), ..behind.clone() }
    }

    /// How often each rule came true.
    pub fn fired(&self) -> Vec<usize> {
        self.plan.fired()
    }

    /// How many data ports were refused.
    pub fn refused(&self) -> usize {
        self.plan.refused.load(SeqCst)
    }

    /// How many control connections were one too many.
    pub fn turned_away(&self) -> usize {
        self.plan.turned_away.load(SeqCst)
    }

    /// How many control connections were carried.
    pub fn controls(&self) -> usize {
        self.plan.controls.load(SeqCst)
    }

    /// Bytes that data connections brought from the server.
    pub fn moved(&self) -> u64 {
        self.plan.moved.load(SeqCst)
    }
}

/// No other proxy of this process or of another test has it, so every port on it is free.
fn own_address() -> IpAddr {
    static NEXT: AtomicU8 = AtomicU8::new(0);
    let [_, _, high, low] = std::process::id().to_be_bytes();
    IpAddr::V4(Ipv4Addr::new(127, 16 + NEXT.fetch_add(1, SeqCst) % 200, high, low))
}

impl Plan {
    /// With these rules, and no limits.
    pub(super) fn new(server: SocketAddr, rules: &[Rule]) -> Self {
        Self {
            server,
            serves: true,
            rules: rules.iter().map(|rule| Armed { rule: *rule, seen: 0.into(), fired: 0.into() }).collect(),
            limit: usize::MAX,
            refuse: 0.into(),
            refused: 0.into(),
            open: 0.into(),
            turned_away: 0.into(),
            controls: 0.into(),
            moved: 0.into(),
            work: Mutex::new(JoinSet::new()),
        }
    }

    /// The same for who is asked for every connection, those for data as well.
    pub(super) fn asked(self) -> Self {
        Self { serves: false, ..self }
    }

    /// How often each rule came true.
    pub(super) fn fired(&self) -> Vec<usize> {
        self.rules.iter().map(|armed| armed.fired.load(SeqCst)).collect()
    }

    /// What happens when `count` bytes follow the first `before` of a connection: after how many of them,
    /// which harm, to whom.
    fn due(&self, watched: Channel, before: u64, count: usize) -> Option<(usize, Rule)> {
        let inside = |rule: &Rule| rule.watched == watched && (before..before + count as u64).contains(&rule.at);
        for armed in self.rules.iter().filter(|armed| inside(&armed.rule)) {
            let seen = armed.seen.fetch_add(1, SeqCst);
            if (armed.rule.skip..armed.rule.skip + armed.rule.times).contains(&seen) {
                armed.fired.fetch_add(1, SeqCst);
                return Some(((armed.rule.at - before) as usize, armed.rule));
            }
        }
        None
    }

    fn take_refusal(&self) -> bool {
        let refused = self.refuse.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1)).is_ok();
        self.refused.fetch_add(usize::from(refused), SeqCst);
        refused
    }
}

async fn control(mut client: TcpStream, ip: IpAddr, plan: &Arc<Plan>) {
    let open = plan.open.fetch_add(1, SeqCst);
    if open < plan.limit {
        plan.controls.fetch_add(1, SeqCst);
        let (killer, kills) = channel(4);
        match TcpStream::connect(plan.server).await {
            Ok(server) => drop(carry(client, server, Channel::Control, ip, plan, kills, &killer).await),
            Err(_) => reset(&client),
        }
    } else {
        plan.turned_away.fetch_add(1, SeqCst);
        drop(client.write_all(b"421 There are too many connections from your internet address.\r\n").await);
        drop(client.shutdown().await);
    }
    plan.open.fetch_sub(1, SeqCst);
}

/// Serves the port that was announced, for one connection.
fn serve(port: u16, ip: IpAddr, plan: &Arc<Plan>, killer: &Sender<Harm>) -> io::Result<()> {
    if plan.take_refusal() {
        return Ok(());
    }
    let listener = std::net::TcpListener::bind((ip, port))?;
    listener.set_nonblocking(true)?;
    let listener = TcpListener::from_std(listener)?;
    let (shared, killer) = (Arc::clone(plan), killer.clone());
    plan.work.lock().unwrap().spawn(async move {
        let Ok(Ok((client, _))) = timeout(Duration::from_secs(20), listener.accept()).await else { return };
        drop(listener);
        match TcpStream::connect((shared.server.ip(), port)).await {
            // Nobody sends on this one: only control connections are hit from outside.
            Ok(server) => {
                let (_nobody, never) = channel(1);
                drop(carry(client, server, Channel::Data, ip, &shared, never, &killer).await);
            }
            Err(_) => reset(&client),
        }
    });
    Ok(())
}

/// Carries bytes both ways until both sides ended or harm was done.
pub(super) async fn carry(
    mut client: TcpStream,
    mut server: TcpStream,
    what: Channel,
    ip: IpAddr,
    plan: &Arc<Plan>,
    mut kills: Receiver<Harm>,
    killer: &Sender<Harm>,
) -> io::Result<()> {
    // What counts as moved has arrived, and is not lost in a buffer of ours when the connection is reset.
    SockRef::from(&client).set_send_buffer_size(32 << 10)?;
    let (mut up, mut down) = (vec![0; 64 << 10], vec![0; 64 << 10]);
    let (mut client_open, mut server_open, mut came) = (true, true, 0_u64);
    let mut line = Vec::new();
    while client_open || server_open {
        let harm = tokio::select! {
            got = client.read(&mut up), if client_open => match got {
                Ok(0) => { client_open = false; server.shutdown().await?; continue }
                Ok(count) => { server.write_all(&up[..count]).await?; continue }
                Err(_) => Harm::Reset,
            },
            got = server.read(&mut down), if server_open => match got {
                Ok(0) => { server_open = false; client.shutdown().await?; continue }
                Ok(count) => {
                    let due = plan.due(what, came, count);
                    came += count as u64;
                    let (passing, rest) = down[..count].split_at(due.map_or(count, |(pass, _)| pass));
                    if what == Channel::Control && plan.serves {
                        for port in announced(&mut line, &down[..count]) {
                            serve(port, ip, plan, killer)?;
                        }
                    } else if what == Channel::Data {
                        plan.moved.fetch_add(passing.len() as u64, SeqCst);
                    }
                    client.write_all(passing).await?;
                    match due {
                        None => continue,
                        Some((_, Rule { harm: Harm::Stall(time), .. })) => {
                            sleep(time).await;
                            plan.moved.fetch_add(rest.len() as u64, SeqCst);
                            client.write_all(rest).await?;
                            continue;
                        }
                        Some((_, rule)) if what == Channel::Data && rule.hit == Channel::Control => {
                            killer.try_send(rule.harm).ok();
                            plan.moved.fetch_add(rest.len() as u64, SeqCst);
                            client.write_all(rest).await?;
                            continue;
                        }
                        Some((_, rule)) => rule.harm,
                    }
                }
                Err(_) => Harm::Reset,
            },
            Some(harm) = kills.recv() => harm,
        };
        match harm {
            Harm::Reset => {
                sleep(Duration::from_millis(20)).await;
                reset(&client);
                reset(&server);
            }
            Harm::End => client.shutdown().await?,
            Harm::Stall(time) => {
                sleep(time).await;
                continue;
            }
            Harm::BlackHole => std::future::pending().await,
        }
        break;
    }
    Ok(())
}

/// The data ports in the lines that are complete now.
fn announced(line: &mut Vec<u8>, bytes: &[u8]) -> Vec<u16> {
    let mut ports = Vec::new();
    for byte in bytes {
        if *byte != b'\n' {
            line.push(*byte);
            continue;
        }
        let whole = std::mem::take(line);
        let reply = |code| Reply { code, lines: vec![whole[4..].trim_ascii_end().to_vec()] };
        match whole.get(..4) {
            Some(b"229 ") => ports.extend(epsv_port(&reply(229))),
            Some(b"227 ") => ports.extend(pasv_address(&reply(227)).map(|address| address.port())),
            _ => {}
        }
    }
    ports
}

/// Without linger, closing is a reset.
fn reset(stream: &TcpStream) {
    SockRef::from(stream).set_linger(Some(Duration::ZERO)).unwrap();
}
