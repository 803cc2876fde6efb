//! Data connections that the server opens to us (RFC 959 section 3.2, EPRT of RFC 2428 section 2).
//!
//! With them everything about a small file flies in one write: the look before, EPRT, RETR and the look after. And the
//! words about the next file may be sent when the bytes of this one have ended, before its closing reply: two round trips
//! a file instead of three, since the server never waits for us between two. What it still has to say about a file is a
//! [`Debt`] of the session; whoever uses the session next hears it first, and hands it on.
//!
//! Only where it can work: a firewall or NAT in between lets no server in. One session tries it, once the chains below
//! have proven themselves; the rest follows when it worked, and never when it did not.

use std::net::IpAddr;
use std::time::Duration;

use futures_util::future::{Either, select};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use super::experience::term;
use super::fault;
use super::flight::Flight;
use super::ladder::Rung;
use super::reply::Reply;
use super::session::{Session, Shared};
use super::transfer::{Data, Ending, FollowUp, Look, Order, add_follow_up, may_look, opened};
use crate::manners::{Manner, Term};
use crate::model::{Fault, FaultKind, Name, Phase, Retry};
use crate::net::{self, Stream};

/// How long the first server that is asked to connect to us may take. A firewall says nothing.
const PROBE: Duration = Duration::from_secs(3);

/// What the server still has to say about a file whose bytes have all come.
#[derive(Debug)]
pub struct Debt {
    /// Which debt, among all of the endpoint.
    pub id: u64,
    /// The file.
    pub path: Vec<u8>,
    /// Its name in its folder.
    pub name: Name,
    /// The closing reply, when it came early.
    pub early: Option<Reply>,
    /// What was asked behind the transfer.
    pub follow: FollowUp,
    /// Who waits for it.
    pub answer: oneshot::Sender<Result<Ending, Fault>>,
}

/// How a small file is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// Nobody did it here before.
    Probe,
    /// It works.
    Proven,
}

/// Can the server reach us at all? From outside of a private network nobody can.
fn is_within_reach(local: IpAddr, server: IpAddr) -> bool {
    !is_private(local.to_canonical()) || is_private(server.to_canonical())
}

/// Does the server run on this very machine? There a round trip costs nothing, and both ends take their ports, which are
/// long in use after each file, from the same few.
fn is_this_machine(local: IpAddr, server: IpAddr) -> bool {
    let server = server.to_canonical();
    server.is_loopback() || server == local.to_canonical()
}

const fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_private() || v4.is_loopback() || v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}

/// RFC 2428 section 2: `|1|132.235.1.2|6275|`.
fn argument(listener: &TcpListener) -> std::io::Result<String> {
    let at = listener.local_addr()?;
    let ip = at.ip().to_canonical();
    let family = if ip.is_ipv4() { 1 } else { 2 };
    Ok(format!("|{family}|{ip}|{}|", at.port()))
}

impl Session {
    /// Starts a transfer over a connection that the server opens, where that is known to work or to be tried. `None`:
    /// not this one.
    ///
    /// # Errors
    /// As [`Session::transfer`].
    pub(super) async fn call_back(&mut self, shared: &Shared, order: &Order<'_>) -> Result<Option<Data>, Fault> {
        let Some((mode, listener)) = self.goes_active(shared, order) else { return Ok(None) };
        let done = self.called_back(shared, order, mode, listener).await;
        if mode == Mode::Probe {
            match &done {
                Ok(Some(_)) => {
                    shared.ladder.won_active();
                    shared.experience.won(Manner::Active);
                }
                _ => {
                    shared.ladder.probe_again();
                    self.spent = shared.ladder.is_lost(Rung::Active);
                }
            }
        }
        done
    }

    fn goes_active(&self, shared: &Shared, order: &Order<'_>) -> Option<(Mode, TcpListener)> {
        let server = self.control.peer.ip();
        let wanted = shared.endpoint.options.active.unwrap_or_else(|| !is_this_machine(self.local, server));
        let fits = wanted
            && order.small
            && order.filled
            && order.rest == 0
            && self.tls.is_none()
            && is_within_reach(self.local, server);
        if !fits {
            return None;
        }
        let mode = match shared.ladder.rung() {
            Rung::Active => Mode::Proven,
            Rung::Chains if shared.ladder.may_probe_active() => Mode::Probe,
            _ => return None,
        };
        match net::listen(self.local, shared.segments()) {
            Ok(listener) => Some((mode, listener)),
            Err(error) => {
                shared.lost(Rung::Active, &format!("no port to listen at: {error}"), Term::Run);
                None
            }
        }
    }

    async fn called_back(
        &mut self,
        shared: &Shared,
        order: &Order<'_>,
        mode: Mode,
        listener: TcpListener,
    ) -> Result<Option<Data>, Fault> {
        let Some((flight, look, follow)) = compose(shared, order, &listener)? else { return Ok(None) };
        if self.debt.is_none() {
            self.control.drain(order.phase)?;
        }
        // Whatever ends this early: answers are under way that nobody will hear.
        self.unsettled = true;
        // With EPRT the server forgets where it listened.
        self.ahead = None;
        self.control.launch(order.phase, &flight).await?;
        self.settle(shared).await?;
        self.unsettled = true;
        let before = self.hear(shared, look).await?;
        let reply = self.control.answer(Phase::DataConnect).await?;
        if reply.class() != 2 {
            let refused = fault::of_reply(Phase::DataConnect, "EPRT", &reply).retry(Retry::Now);
            shared.lost(Rung::Active, &reply.text(), term(&refused));
            return Err(refused);
        }
        let (stream, closing) = self.welcome(shared, order, mode, &listener).await?;
        let stream = Stream::plain(stream);
        let (looked, chained, door) = (look.is_some(), Some(follow), Some(listener));
        Ok(Some(Data { stream, closing, before, looked, chained, door }))
    }

    /// The server connects, and says that it begins; which of the two comes first is not known.
    async fn welcome(
        &mut self,
        shared: &Shared,
        order: &Order<'_>,
        mode: Mode,
        listener: &TcpListener,
    ) -> Result<(TcpStream, Option<Reply>), Fault> {
        let (phase, what) = (order.phase, order.what());
        let connect = self.control.deadlines.connect;
        let within = if mode == Mode::Probe { PROBE.min(connect) } else { connect };
        let peer = self.control.peer.ip();
        let hears = Box::pin(async { opened(self.control.reply(phase, order.within).await?, phase, &what) });
        let comes = Box::pin(net::accept(listener, peer, within, Phase::DataConnect));
        let both = match select(hears, comes).await {
            Either::Left((Ok(heard), comes)) => comes.await.map(|stream| (stream, heard)),
            Either::Right((Ok(stream), hears)) => hears.await.map(|heard| (stream, heard)),
            Either::Left((Err(fault), _)) | Either::Right((Err(fault), _)) => Err(fault),
        };
        both.map_err(|fault| {
            let unreached = fault.phase == Phase::DataConnect || fault.evidence.code == Some(425);
            if unreached {
                // A firewall; what went well before may be an accident.
                let term = if mode == Mode::Probe { Term::Month } else { Term::Day };
                shared.lost(Rung::Active, &fault.message, term);
                return fault.retry(Retry::Now);
            }
            fault
        })
    }

    /// Hears what is owed about an earlier file, and hands it on.
    ///
    /// # Errors
    /// The session is of no use any more.
    pub async fn settle(&mut self, shared: &Shared) -> Result<(), Fault> {
        let Some(Debt { path, name, early, follow, answer, .. }) = self.debt.take() else { return Ok(()) };
        let look = Some(Look { glance: shared.glance(), name: &name });
        let order = Order { look, ..Order::plain(Phase::Open, "RETR", Some(&path), shared.deadlines().command) };
        let heard = self.conclude(shared, &order, early, Some(follow)).await;
        let settled = match &heard {
            Ok(ending) if ending.in_step => Ok(()),
            Ok(_) => {
                let message = "the server's answers about an earlier file came out of order";
                Err(Fault::new(Phase::Command, FaultKind::Protocol, message).retry(Retry::Now))
            }
            Err(fault) => Err(fault.clone()),
        };
        // Nothing was moved for whoever comes behind.
        self.spent = settled.is_err();
        // Whoever waited may be gone.
        answer.send(heard).ok();
        settled
    }
}

/// All that is said about a small file, in the order in which it is answered; `None` when it is too long for one write.
fn compose<'a>(
    shared: &Shared,
    order: &Order<'a>,
    listener: &TcpListener,
) -> Result<Option<(Flight, Option<Look<'a>>, FollowUp)>, Fault> {
    let argument = argument(listener).map_err(|error| Fault::io(Phase::DataConnect, "no port to listen at", &error))?;
    let look = order.look.filter(|_| may_look(shared));
    let mut flight = Flight::default();
    if let (Some(look), Some(path)) = (look, order.arg) {
        look.glance.add(&mut flight, path)?;
    }
    flight.add(Phase::DataConnect, "EPRT", Some(argument.as_bytes()))?;
    flight.add(order.phase, order.verb, order.arg)?;
    let follow = add_follow_up(shared, &mut flight, order, Rung::Active)?;
    Ok(flight.is_light().then_some((flight, look, follow)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_outside_cannot_reach_in() {
        let reach = |local: &str, server: &str| is_within_reach(local.parse().unwrap(), server.parse().unwrap());
        assert!(reach("127.0.0.1", "127.0.0.1"));
        assert!(reach("192.168.1.7", "10.0.0.2"));
        assert!(reach("203.0.113.7", "198.51.100.1"));
        assert!(reach("2001:db8::1", "2001:db8::2"));
        assert!(!reach("192.168.1.7", "198.51.100.1"), "behind a NAT");
        assert!(!reach("fd00::1", "2001:db8::2"));
    }

    #[test]
    fn a_server_on_this_machine_is_known_by_its_address() {
        let same = |local: &str, server: &str| is_this_machine(local.parse().unwrap(), server.parse().unwrap());
        assert!(same("127.0.0.1", "127.0.0.1") && same("::ffff:10.0.0.1", "10.0.0.1") && same("::1", "::1"));
        assert!(!same("10.0.0.1", "10.0.0.2"));
    }

    #[tokio::test]
    async fn eprt_names_the_family() {
        for (local, starts) in [("127.0.0.1", "|1|127.0.0.1|"), ("::1", "|2|::1|")] {
            let listener = net::listen(local.parse().unwrap(), net::Segments::Full).unwrap();
            let port = listener.local_addr().unwrap().port();
            assert_eq!(argument(&listener).unwrap(), format!("{starts}{port}|"));
        }
    }
}
