//! One logged-in control connection and the data connections it opens.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::{Duration, Instant};

use super::active::Debt;
use super::control::Control;
use super::experience::{Experience, says_goodbye, term};
use super::features::Features;
use super::glance::Glance;
use super::ladder::{Ladder, Rung};
use super::{login, status};
use crate::manners::{Manner, Term};
use crate::model::{Deadlines, Endpoint, Fault, FaultKind, Phase, Protocol, ServerZone};
use crate::net::{self, Segments, Stream, TlsClient, Way};
use crate::remote::Context;

/// So often EPSV may lead nowhere before PASV is used from the start.
pub(super) const EPSV_MISSES: u8 = 3;
/// So many transfers that break off in a row are no accident.
const STRIKES: u8 = 4;
/// How long the first byte of an answer may take before short segments were tried. A server that is only slow
/// loses one answer by it.
const FIRST_BYTE: Duration = Duration::from_secs(15);

/// What all sessions of an endpoint share, and what was learned about the server.
#[derive(Debug)]
pub struct Shared {
    /// Where.
    pub endpoint: Endpoint,
    /// The house.
    pub ctx: Context,
    /// What is known about the server, from earlier runs as well.
    pub experience: Experience,
    /// Trust; every session takes a fresh session store from it.
    pub tls: Option<TlsClient>,
    /// From the first login.
    pub learned: OnceLock<Learned>,
    /// REST does not work here.
    pub rest_fails: AtomicBool,
    /// How often EPSV did not work where PASV did.
    pub epsv_misses: AtomicU8,
    /// `LIST -a` of a folder with files showed no `.` and `..`.
    pub dotless: AtomicBool,
    /// Which listing command works: see `lister`.
    pub style: AtomicU8,
    /// The zone of the clock that listings show, as far as it is known.
    pub zone: RwLock<ServerZone>,
    /// Whether STAT lists as LIST does.
    pub status: status::Trust,
    /// How far commands may run ahead of replies.
    pub ladder: Ladder,
    /// A file that was given out had not been told of by a glance.
    pub glance_fails: AtomicBool,
    /// Transfers in a row that the server broke off at their end.
    pub strikes: AtomicU8,
    /// A login that came in one batch was refused.
    pub slow_login: AtomicBool,
    /// EPSV works only behind PRET.
    pub wants_pret: AtomicBool,
    /// A connection opened and then no byte came: long packets may be lost on the way.
    pub short_segments: AtomicBool,
    /// TCP keepalive on control connections after so much silence, where the usual time is known to be too long.
    pub keepalive: Option<Duration>,
    /// Sessions that rested longer are not used again, where it is known how long they live.
    pub rest: Option<Duration>,
}

impl Shared {
    /// How long to wait.
    #[must_use]
    pub fn deadlines(&self) -> Deadlines {
        self.endpoint.options.deadlines
    }

    /// By which clock listings are read.
    #[must_use]
    pub fn zone(&self) -> ServerZone {
        self.zone.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// From now on by this one.
    pub fn set_zone(&self, zone: ServerZone) {
        *self.zone.write().unwrap_or_else(PoisonError::into_inner) = zone;
    }

    /// May commands fly together?
    #[must_use]
    pub fn batches(&self) -> bool {
        self.learned.get().is_some() && self.ladder.rung() >= Rung::Batches
    }

    /// How new connections get to the server.
    #[must_use]
    pub fn way(&self) -> Way {
        Way { segments: self.segments(), relay: self.endpoint.options.relay }
    }

    /// How long the segments of new connections may be.
    #[must_use]
    pub fn segments(&self) -> Segments {
        if self.short_segments.load(Ordering::Relaxed) { Segments::Short } else { Segments::Full }
    }

    /// How long the first byte of an answer may take that may take `usual`.
    #[must_use]
    pub fn first_byte(&self, usual: Duration) -> Duration {
        if self.segments() == Segments::Full { usual.min(FIRST_BYTE) } else { usual }
    }

    /// A server accepted a connection and began to answer, and no byte came. Small packets come through and large
    /// ones do not where a path is narrower than its ends and nobody says so.
    pub fn nothing_came(&self) {
        if !self.short_segments.swap(true, Ordering::Relaxed) {
            tracing::info!(
                endpoint = %self.endpoint,
                "a connection opened and no byte came: from now on packets are kept short, in case long ones are lost on the way"
            );
        }
    }

    /// Does a login fly in one batch? The first one of a run only where such a login came through in an earlier run, since
    /// the password was tried with nobody yet.
    pub(super) fn logs_in_hastily(&self) -> bool {
        let proven = self.learned.get().is_some() || self.experience.bears(Manner::Login) == Some(true);
        proven && self.ladder.rung() >= Rung::Batches && !self.slow_login.load(Ordering::Relaxed)
    }

    /// `rung` surprised us: not again in this run, nor in later ones for a while.
    pub fn lost(&self, rung: Rung, why: &str, term: Term) {
        if !self.ladder.lost(rung) {
            return;
        }
        tracing::info!(endpoint = %self.endpoint, why, "back to {}", self.ladder.rung().word());
        if let Some(manner) = rung.manner() {
            self.experience.lost(manner, why, term);
        }
    }

    /// STAT showed what LIST shows, of a folder with so many entries.
    pub fn won_stat(&self, count: u64) {
        self.status.settle(true);
        self.status.reached(count);
        if self.status.is_given() {
            self.experience.won(Manner::Stat);
        }
    }

    /// STAT does not show what LIST shows, or not in time.
    pub fn lost_stat(&self, why: &str, term: Term) {
        self.status.settle(false);
        self.experience.lost(Manner::Stat, why, term);
    }

    /// A login in one batch failed. Some servers look at the next command before they are done with the password. It
    /// worked before, so it is not at risk by being said once more.
    pub(super) fn hurried(&self, fault: &Fault) {
        let stranger = self.learned.get().is_none();
        if !may_be_haste(fault) || fault.phase == Phase::Login && !stranger {
            return;
        }
        tracing::info!(endpoint = %self.endpoint, fault = %fault, "a login in one batch is refused: one by one from now on");
        self.slow_login.store(true, Ordering::Relaxed);
        self.ladder.fell();
        self.experience.lost(Manner::Login, &fault.message, term(fault));
    }

    /// The server broke off a transfer whose follow-up was sent when its data had ended, or did not. Once may be the
    /// network; again and again it is the follow-up that it does not bear.
    pub(super) fn broke_off(&self, why: Option<&str>) {
        let Some(why) = why else { return self.strikes.store(0, Ordering::Relaxed) };
        if self.strikes.fetch_add(1, Ordering::Relaxed) + 1 >= STRIKES {
            self.lost(Rung::Batches, why, Term::Day);
        }
    }

    /// By which commands a single file is looked at.
    #[must_use]
    pub fn glance(&self) -> Glance {
        if self.learned.get().is_some_and(|l| l.features.mlst) { Glance::Facts } else { Glance::Size }
    }
}

/// Could it be that commands came too early? A password that was refused is never said again for it.
fn may_be_haste(fault: &Fault) -> bool {
    matches!(fault.phase, Phase::Login | Phase::Command) && fault.kind != FaultKind::Auth && !says_goodbye(fault)
}

/// What the first login told.
#[derive(Debug)]
pub struct Learned {
    /// FEAT.
    pub features: Features,
    /// The folder after login; `None` when PWD made no sense.
    pub home: Option<Vec<u8>>,
    /// The greeting.
    pub greeting: String,
}

/// A session between two operations, or in one.
#[derive(Debug)]
pub struct Session {
    /// The control connection.
    pub control: Control,
    pub(super) tls: Option<Arc<TlsClient>>,
    /// In the middle of something: questions whose answers nobody heard yet, a handshake that was begun. Not to be used
    /// again when it ends here.
    pub(super) unsettled: bool,
    /// Where the server listens for the next data connection, when that was asked ahead.
    pub(super) ahead: Option<SocketAddr>,
    /// What it still has to say about an earlier file. Heard before anything else.
    pub debt: Option<Debt>,
    /// It failed for a reason that is none of the transfer that was to begin: another session may try that one.
    pub spent: bool,
    /// Our own address on the control connection.
    pub(super) local: IpAddr,
    /// Where the server thinks we are, when that is known.
    pub cwd: Option<Vec<u8>>,
    /// When it was opened.
    pub opened: Instant,
    /// When it was last put back.
    pub rested: Instant,
    /// How long its set-up took, by phase.
    pub phases: Vec<(Phase, Duration)>,
    /// What its control connection was opened with.
    pub segments: Segments,
}

impl Session {
    /// Connects, secures, logs in.
    ///
    /// # Errors
    /// The first thing that did not work.
    pub async fn open(shared: &Shared) -> Result<Self, Fault> {
        let mut falls = shared.ladder.falls();
        loop {
            match Self::enter(shared).await {
                // A batch surprised us: this session is lost, the next goes more slowly. There are only so many steps down.
                Err(fault) if may_be_haste(&fault) && shared.ladder.falls() > falls => falls = shared.ladder.falls(),
                // A certificate is longer than a packet.
                Err(fault) if fault.phase == Phase::Tls && fault.kind == FaultKind::Timeout => {
                    shared.nothing_came();
                    return Err(fault);
                }
                entered => return entered,
            }
        }
    }

    async fn enter(shared: &Shared) -> Result<Self, Fault> {
        let endpoint = &shared.endpoint;
        let deadlines = shared.deadlines();
        let way = shared.way();
        let dialled = net::dial_by(&endpoint.host, endpoint.port, deadlines.connect, way).await?;
        if let Some(silence) = shared.keepalive {
            net::keep_awake(&dialled.stream, silence);
        }
        let local = dialled.stream.local_addr().map_err(|e| Fault::io(Phase::Connect, "lost the server", &e))?.ip();
        let mut phases = dialled.phases;
        let tls = shared.tls.as_ref().map(TlsClient::fresh).transpose()?.map(Arc::new);
        let mut clock = Instant::now();
        let mut lap = |phases: &mut Vec<(Phase, Duration)>, phase| {
            phases.push((phase, clock.elapsed()));
            clock = Instant::now();
        };
        let stream = match (&tls, endpoint.protocol) {
            (Some(tls), Protocol::Ftps) => {
                let stream = tls.connect(dialled.stream, deadlines.connect).await?;
                lap(&mut phases, Phase::Tls);
                stream
            }
            _ => Stream::plain(dialled.stream),
        };
        let mut control = Control::new(stream, dialled.peer, deadlines);
        let greeting = login::greet(&mut control).await?;
        if shared.learned.get().is_none() {
            shared.experience.greeted(&greeting);
            shared.ladder.begin(|manner| shared.experience.bears(manner));
        }
        lap(&mut phases, Phase::Banner);
        if let Some(tls) = tls.as_ref().filter(|_| endpoint.protocol == Protocol::FtpTls) {
            control.expect(Phase::Tls, "AUTH", Some(b"TLS")).await?;
            control = control.start_tls(tls).await?;
        }
        if tls.is_some() {
            control.expect(Phase::Tls, "PBSZ", Some(b"0")).await?;
            control.expect(Phase::Tls, "PROT", Some(b"P")).await?;
            lap(&mut phases, Phase::Tls);
        }
        let told = login::log_in(&mut control, shared).await?;
        lap(&mut phases, Phase::Login);
        if login::prepare(&mut control, shared, greeting, told).await? {
            lap(&mut phases, Phase::Command);
        }
        let home = shared.learned.get().and_then(|l| l.home.clone());
        let now = Instant::now();
        Ok(Self {
            control,
            tls,
            unsettled: false,
            ahead: None,
            debt: None,
            spent: false,
            local,
            cwd: home,
            opened: now,
            rested: now,
            phases,
            segments: way.segments,
        })
    }

    /// Goes to a directory, given as the server knows it.
    ///
    /// # Errors
    /// The honest 550 that a listing would hide.
    pub async fn go(&mut self, dir: &[u8]) -> Result<(), Fault> {
        if self.cwd.as_deref() == Some(dir) {
            return Ok(());
        }
        self.cwd = None;
        self.control.expect(Phase::List, "CWD", Some(dir)).await?;
        self.cwd = Some(dir.to_vec());
        Ok(())
    }
}
