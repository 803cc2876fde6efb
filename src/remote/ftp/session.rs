//! One logged-in control connection and the data connections it opens.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::{Duration, Instant};

use super::active::Debt;
use super::control::Control;
use super::fault;
use super::features::{Features, pwd_path};
use super::flight::Flight;
use super::glance::Glance;
use super::ladder::{Ladder, Rung};
use super::reply::Reply;
use super::status;
use crate::model::{Deadlines, Endpoint, Fault, FaultKind, Phase, Protocol, ServerZone};
use crate::net::{self, Segments, Stream, TlsClient};
use crate::remote::Context;

/// So many transfers that break off in a row are no accident.
const STRIKES: u8 = 4;
/// How long a welcome behind a refusal is waited for.
const AFTERWARDS: Duration = Duration::from_secs(2);
/// How long the first batch may be unanswered: a server that reads one command and drops the rest never answers.
const PROBE: Duration = Duration::from_secs(10);
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

    /// Does a login fly in one batch?
    fn logs_in_hastily(&self) -> bool {
        self.batches() && !self.slow_login.load(Ordering::Relaxed)
    }

    /// The server broke off a transfer whose follow-up was sent when its data had ended, or did not. Once may be the
    /// network; again and again it is the follow-up that it does not bear.
    pub(super) fn broke_off(&self, why: Option<&str>) {
        let Some(why) = why else { return self.strikes.store(0, Ordering::Relaxed) };
        if self.strikes.fetch_add(1, Ordering::Relaxed) + 1 >= STRIKES {
            self.ladder.lost(Rung::Batches, &self.endpoint, why);
        }
    }

    /// By which commands a single file is looked at.
    #[must_use]
    pub fn glance(&self) -> Glance {
        if self.learned.get().is_some_and(|l| l.features.mlst) { Glance::Facts } else { Glance::Size }
    }
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
        let untried = shared.ladder.is_untried();
        let hasty = shared.logs_in_hastily();
        match Self::enter(shared).await {
            // Some servers look at the next command before they are done with the password. It worked before, so it is
            // not at risk by being said once more.
            Err(fault) if hasty && fault.phase == Phase::Command && fault.kind != FaultKind::Limit => {
                tracing::info!(endpoint = %shared.endpoint, fault = %fault, "a login in one batch is refused: one by one from now on");
                shared.slow_login.store(true, Ordering::Relaxed);
                Self::enter(shared).await
            }
            // The first batch surprised us: this session is lost, the next goes one by one.
            Err(fault) if untried && fault.phase == Phase::Command && !shared.ladder.is_untried() => {
                Self::enter(shared).await
            }
            // A certificate is longer than a packet.
            Err(fault) if fault.phase == Phase::Tls && fault.kind == FaultKind::Timeout => {
                shared.nothing_came();
                Err(fault)
            }
            entered => entered,
        }
    }

    async fn enter(shared: &Shared) -> Result<Self, Fault> {
        let endpoint = &shared.endpoint;
        let deadlines = shared.deadlines();
        let segments = shared.segments();
        let dialled = net::dial_with(&endpoint.host, endpoint.port, deadlines.connect, segments).await?;
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
        let greeting = greet(&mut control).await?;
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
        let batched = shared.logs_in_hastily();
        log_in(&mut control, shared).await?;
        lap(&mut phases, Phase::Login);
        if !batched {
            prepare(&mut control, shared, greeting).await?;
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
            segments,
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

/// 120 means "wait", 220 "go on" (RFC 959 section 5.4).
async fn greet(control: &mut Control) -> Result<String, Fault> {
    for _ in 0..5 {
        let reply = control.reply(Phase::Banner, control.deadlines.banner).await?;
        match reply.class() {
            1 => {}
            2 => return Ok(reply.text()),
            _ => return Err(fault::of_reply(Phase::Banner, "greeting", &reply)),
        }
    }
    Err(Fault::new(Phase::Banner, FaultKind::Protocol, "the server greets without end"))
}

/// USER, PASS (RFC 959 section 5.4); 230 and 232 after USER need no password, 202 after PASS is fine. Then what every
/// session needs. Once the server is known to take batches, all of it flies together: a password that worked once
/// is not at risk of being refused for coming early.
async fn log_in(control: &mut Control, shared: &Shared) -> Result<(), Fault> {
    let endpoint = &shared.endpoint;
    let (user, password) = match endpoint.user.as_str() {
        "" => ("anonymous", "anonymous@"),
        user => (user, endpoint.password.as_ref().map_or("", |p| p.expose())),
    };
    if let Some(password) = &endpoint.password {
        control.hush(password);
    }
    let (user, password) = (user.as_bytes(), password.as_bytes());
    if !shared.logs_in_hastily() {
        let reply = control.ask(Phase::Login, "USER", Some(user)).await?;
        let reply = if reply.code == 331 { control.ask(Phase::Login, "PASS", Some(password)).await? } else { reply };
        return welcome(user, &reply);
    }
    let mut flight = Flight::default();
    flight.add(Phase::Login, "USER", Some(user))?;
    flight.add(Phase::Login, "PASS", Some(password))?;
    settings(&mut flight, shared)?;
    control.launch(Phase::Login, &flight).await?;
    let named = control.answer(Phase::Login).await?;
    if named.class() != 2 && named.code != 331 {
        return welcome(user, &named);
    }
    let reply = control.answer(Phase::Login).await?;
    // Who needs no password may be refused for giving one.
    if named.class() != 2
        && let Err(refused) = welcome(user, &reply)
    {
        // A no that is followed by the welcome was the answer to what came behind the password.
        let settings = usize::from(says_utf8(shared)) + 1;
        for _ in 0..settings {
            match control.reply(Phase::Login, AFTERWARDS).await {
                Ok(reply) if matches!(reply.code, 202 | 230 | 232) => return Err(out_of_order()),
                Ok(_) => {}
                Err(_) => break,
            }
        }
        return Err(refused);
    }
    hear_settings(control, shared).await
}

/// What the reply to the last word of the login means.
fn welcome(user: &[u8], reply: &Reply) -> Result<(), Fault> {
    let who = format!("cannot log in as '{}'", String::from_utf8_lossy(user));
    match reply.class() {
        2 => Ok(()),
        3 if reply.code == 332 => Err(Fault::new(
            Phase::Login,
            FaultKind::Auth,
            format!(
                "{who}: the server wants an account name (ACCT) besides user and password, which cannot be given yet"
            ),
        )
        .reply(332, &reply.text())),
        _ => Err(fault::of_reply(Phase::Login, &who, reply)),
    }
}

/// FEAT and PWD once per endpoint, the settings once per session.
async fn prepare(control: &mut Control, shared: &Shared, greeting: String) -> Result<(), Fault> {
    if shared.learned.get().is_none() {
        let (features, home) = learn(control, shared, &greeting).await?;
        // Another session may have been faster; both learned the same.
        shared.learned.get_or_init(|| Learned { features, home, greeting });
    }
    if !shared.batches() {
        if says_utf8(shared) {
            control.ask(Phase::Command, "OPTS", Some(b"UTF8 ON")).await?;
        }
        return control.expect(Phase::Command, "TYPE", Some(b"I")).await.map(drop);
    }
    let mut flight = Flight::default();
    settings(&mut flight, shared)?;
    control.launch(Phase::Command, &flight).await?;
    hear_settings(control, shared).await
}

/// FEAT and PWD. They are the probe as well: do commands that fly together come back in order?
async fn learn(control: &mut Control, shared: &Shared, greeting: &str) -> Result<(Features, Option<Vec<u8>>), Fault> {
    let (feat, pwd) = if shared.ladder.is_untried() {
        let mut flight = Flight::default();
        for verb in ["FEAT", "PWD", "NOOP"] {
            flight.add(Phase::Command, verb, None)?;
        }
        control.launch(Phase::Command, &flight).await?;
        let [feat, pwd, noop] = probe(control).await.inspect_err(|fault| {
            shared.ladder.lost(Rung::Batches, &shared.endpoint, &fault.message);
        })?;
        let in_order = matches!(feat.code, 211 | 214 | 500..=599) && matches!(pwd.code, 257 | 500..=599);
        if in_order && matches!(noop.code, 200 | 250 | 500..=599) {
            shared.ladder.won(greeting, Features::of(&feat));
            (feat, pwd)
        } else {
            shared.ladder.lost(Rung::Batches, &shared.endpoint, "answers to a batch came in another order");
            return Err(out_of_order());
        }
    } else {
        let feat = control.ask(Phase::Command, "FEAT", None).await?;
        (feat, control.ask(Phase::Command, "PWD", None).await?)
    };
    let home = (pwd.class() == 2).then(|| pwd_path(&pwd)).flatten();
    Ok((Features::of(&feat), home))
}

async fn probe(control: &mut Control) -> Result<[Reply; 3], Fault> {
    let within = PROBE.min(control.deadlines.command);
    Ok([
        control.reply(Phase::Command, within).await?,
        control.reply(Phase::Command, within).await?,
        control.reply(Phase::Command, within).await?,
    ])
}

fn out_of_order() -> Fault {
    Fault::new(Phase::Command, FaultKind::Protocol, "the server's answers to a batch came in another order")
}

fn says_utf8(shared: &Shared) -> bool {
    shared.learned.get().is_some_and(|l| l.features.utf8) && shared.endpoint.options.charset.is_none()
}

/// What every session needs.
fn settings(flight: &mut Flight, shared: &Shared) -> Result<(), Fault> {
    if says_utf8(shared) {
        flight.add(Phase::Command, "OPTS", Some(b"UTF8 ON"))?;
    }
    flight.add(Phase::Command, "TYPE", Some(b"I"))
}

async fn hear_settings(control: &mut Control, shared: &Shared) -> Result<(), Fault> {
    if says_utf8(shared) {
        control.answer(Phase::Command).await?;
    }
    let reply = control.answer(Phase::Command).await?;
    if reply.class() == 2 { Ok(()) } else { Err(fault::of_reply(Phase::Command, "TYPE I", &reply)) }
}
