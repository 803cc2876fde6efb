//! From the greeting to a session that can be used: USER, PASS (RFC 959 section 5.4), FEAT (RFC 2389), settings; in one
//! batch where the server bears it.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::control::Control;
use super::experience::{says_goodbye, term};
use super::fault;
use super::features::{Features, pwd_path};
use super::flight::Flight;
use super::ladder::Rung;
use super::reply::Reply;
use super::session::{Learned, Shared};
use crate::manners::Manner;
use crate::model::{Fault, FaultKind, Phase};

/// How long a welcome behind a refusal is waited for.
const AFTERWARDS: Duration = Duration::from_secs(2);
/// How long the first batch may be unanswered: a server that reads one command and drops the rest never answers.
const PROBE: Duration = Duration::from_secs(10);

/// 120 means "wait", 220 "go on" (RFC 959 section 5.4).
pub(super) async fn greet(control: &mut Control) -> Result<String, Fault> {
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

/// User and password.
fn credentials<'a>(control: &mut Control, shared: &'a Shared) -> (&'a [u8], &'a [u8]) {
    let endpoint = &shared.endpoint;
    if let Some(password) = &endpoint.password {
        control.hush(password);
    }
    match endpoint.user.as_str() {
        "" => (b"anonymous", b"anonymous@"),
        user => (user.as_bytes(), endpoint.password.as_ref().map_or(&b""[..], |p| p.expose().as_bytes())),
    }
}

/// User and password, one by one or in one batch with what is needed next.
pub(super) async fn log_in(control: &mut Control, shared: &Shared) -> Result<Told, Fault> {
    if !shared.logs_in_hastily() {
        return step_by_step(control, shared).await.map(|()| Told::Nothing);
    }
    let told = at_once(control, shared).await.inspect_err(|fault| shared.hurried(fault))?;
    shared.experience.won(Manner::Login);
    Ok(told)
}

/// 230 and 232 after USER need no password, 202 after PASS is fine.
async fn step_by_step(control: &mut Control, shared: &Shared) -> Result<(), Fault> {
    let (user, password) = credentials(control, shared);
    let reply = control.ask(Phase::Login, "USER", Some(user)).await?;
    let reply = if reply.code == 331 { control.ask(Phase::Login, "PASS", Some(password)).await? } else { reply };
    welcome(user, &reply)
}

/// What came with a login.
pub(super) enum Told {
    /// Nothing else.
    Nothing,
    /// The server was met before: the settings of the session are made.
    Settled,
    /// What it says to FEAT and PWD.
    Itself([Reply; 2]),
}

/// For servers that are known to take batches: a password that worked once is not at risk of being refused for coming
/// early.
async fn at_once(control: &mut Control, shared: &Shared) -> Result<Told, Fault> {
    let (user, password) = credentials(control, shared);
    let acquainted = shared.learned.get().is_some();
    let mut flight = Flight::default();
    flight.add(Phase::Login, "USER", Some(user))?;
    flight.add(Phase::Login, "PASS", Some(password))?;
    if acquainted {
        settings(&mut flight, shared)?;
    } else {
        introduction(&mut flight)?;
    }
    control.launch(Phase::Login, &flight).await?;
    let named = control.answer(Phase::Login).await?;
    if named.class() != 2 && named.code != 331 {
        welcome(user, &named)?;
    }
    let reply = control.answer(Phase::Login).await?;
    // Who needs no password may be refused for giving one.
    if named.class() != 2
        && let Err(refused) = welcome(user, &reply)
    {
        // A no that is followed by the welcome was the answer to what came behind the password.
        for _ in 2..flight.lines().len() {
            match control.reply(Phase::Login, AFTERWARDS).await {
                Ok(reply) if matches!(reply.code, 202 | 230 | 232) => return Err(out_of_order()),
                Ok(_) => {}
                Err(_) => break,
            }
        }
        return Err(refused);
    }
    if acquainted {
        hear_settings(control, shared).await?;
        return Ok(Told::Settled);
    }
    hear_introduction(control).await.map(Told::Itself)
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

/// FEAT and PWD once per endpoint, the settings once per session. False: both were done with the login.
pub(super) async fn prepare(
    control: &mut Control,
    shared: &Shared,
    greeting: String,
    told: Told,
) -> Result<bool, Fault> {
    if matches!(told, Told::Settled) {
        return Ok(false);
    }
    if shared.learned.get().is_none() {
        let (features, home) = learn(control, shared, &greeting, told).await?;
        // Another session may have been faster; both learned the same.
        shared.learned.get_or_init(|| Learned { features, home, greeting });
    }
    if !shared.batches() {
        if says_utf8(shared) {
            control.ask(Phase::Command, "OPTS", Some(b"UTF8 ON")).await?;
        }
        return control.expect(Phase::Command, "TYPE", Some(b"I")).await.map(|_| true);
    }
    let mut flight = Flight::default();
    settings(&mut flight, shared)?;
    control.launch(Phase::Command, &flight).await?;
    hear_settings(control, shared).await.map(|()| true)
}

/// FEAT and PWD, and whether the server is the one that it was taken for.
async fn learn(
    control: &mut Control,
    shared: &Shared,
    greeting: &str,
    told: Told,
) -> Result<(Features, Option<Vec<u8>>), Fault> {
    let [mut feat, mut pwd] = match told {
        Told::Itself(told) => told,
        Told::Nothing | Told::Settled => ask_for_introduction(control, shared).await?,
    };
    if !shared.experience.introduced(greeting, &feat) {
        // It greets as ever and can do other things: a stranger.
        shared.ladder.begin(|manner| shared.experience.bears(manner));
        [feat, pwd] = ask_for_introduction(control, shared).await?;
        shared.experience.introduced(greeting, &feat);
    }
    let features = Features::of(&feat);
    if shared.ladder.rung() >= Rung::Batches {
        shared.ladder.won(greeting, features);
        shared.experience.won(Manner::Batches);
    }
    if shared.experience.bears(Manner::Login) == Some(false) {
        shared.slow_login.store(true, Ordering::Relaxed);
    }
    if shared.experience.bears(Manner::Stat) == Some(false) {
        shared.status.settle(false);
    }
    let home = (pwd.class() == 2).then(|| pwd_path(&pwd)).flatten();
    Ok((features, home))
}

fn introduction(flight: &mut Flight) -> Result<(), Fault> {
    flight.add(Phase::Command, "FEAT", None)?;
    flight.add(Phase::Command, "PWD", None)
}

/// What a server says to FEAT and PWD. Of one that nobody knows it is the probe as well: do commands that fly together
/// come back in order?
async fn ask_for_introduction(control: &mut Control, shared: &Shared) -> Result<[Reply; 2], Fault> {
    let untried = shared.ladder.is_untried();
    if !untried && shared.ladder.rung() == Rung::OneByOne {
        let feat = control.ask(Phase::Command, "FEAT", None).await?;
        return Ok([feat, control.ask(Phase::Command, "PWD", None).await?]);
    }
    let mut flight = Flight::default();
    introduction(&mut flight)?;
    if untried {
        flight.add(Phase::Command, "NOOP", None)?;
    }
    control.launch(Phase::Command, &flight).await?;
    let heard = async {
        let told = hear_introduction(control).await?;
        if untried && !matches!(early(control).await?.code, 200 | 250 | 500..=599) {
            return Err(out_of_order());
        }
        Ok(told)
    };
    let told = heard.await.inspect_err(|fault| {
        if !says_goodbye(fault) {
            shared.lost(Rung::Batches, &fault.message, term(fault));
        }
    })?;
    shared.ladder.won_batches();
    Ok(told)
}

async fn hear_introduction(control: &mut Control) -> Result<[Reply; 2], Fault> {
    let (feat, pwd) = (early(control).await?, early(control).await?);
    let in_order = matches!(feat.code, 211 | 214 | 500..=599) && matches!(pwd.code, 257 | 500..=599);
    if in_order { Ok([feat, pwd]) } else { Err(out_of_order()) }
}

/// The answer to a command of the first batch.
async fn early(control: &mut Control) -> Result<Reply, Fault> {
    let reply = control.reply(Phase::Command, PROBE.min(control.deadlines.command)).await?;
    if reply.code == 421 { Err(fault::of_reply(Phase::Command, "FEAT, PWD", &reply)) } else { Ok(reply) }
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
