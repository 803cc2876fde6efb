//! What russh asks during one connection.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use russh::keys::Certificate;
use russh::server::{
    Auth, ChannelOpenHandle, Handle, Handler, Msg, PublicKeyOffer, Response, Session, VerifiedPublicKey,
};
use russh::{Channel, ChannelId, ChannelOpenFailure, Disconnect};
use tokio::sync::Notify;

use super::auth::{Caller, Login};
use super::dialect::Dialect;
use super::exec::{Command, Exec};
use super::listener::Door;
use super::session::{Ending, SftpChannel, SshWire};
use super::work::{Context, Direct};
use crate::account::{Grant, LoginContext};
use crate::audit::Event;
use crate::model::Door as Entrance;
use crate::net::{Agreed, Place, Told};
use crate::presence::{Crowded, Moving, Stay, Who};
use crate::task::{Spot, Tasks};

/// Channels on one connection.
const MAX_CHANNELS: usize = 10;

/// What the supervisor of a connection sees of it.
#[derive(Debug)]
pub(super) struct Seen {
    /// When the connection was accepted.
    pub(super) accepted: Instant,
    /// From accepting to the passed login.
    pub(super) setup: Mutex<Option<Duration>>,
    /// Wakes when somebody came in.
    pub(super) entered: Notify,
    /// Did the client break the protocol?
    pub(super) offended: AtomicBool,
    /// Open files.
    pub(super) moving: Moving,
    /// Who asks to come in.
    pub(super) caller: Mutex<Caller>,
    /// Who came in.
    pub(super) grant: Mutex<Option<Grant>>,
    /// Its place among those who are here.
    pub(super) stay: Mutex<Option<Stay>>,
    /// What both sides agreed on.
    pub(super) agreed: Told,
}

impl Seen {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            accepted: Instant::now(),
            setup: Mutex::new(None),
            entered: Notify::new(),
            offended: AtomicBool::new(false),
            moving: Moving::default(),
            caller: Mutex::default(),
            grant: Mutex::new(None),
            stay: Mutex::new(None),
            agreed: Told::default(),
        })
    }

    pub(super) fn setup(&self) -> Option<Duration> {
        *self.setup.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

enum Use {
    /// Held, because russh closes a channel that nobody holds.
    Fresh(#[expect(dead_code, reason = "held, not read")] Channel<Msg>),
    Sftp(SftpChannel),
    Exec(Exec),
    Ended,
}

impl Use {
    /// Is everything said that was to be said on it?
    fn is_over(&self) -> bool {
        match self {
            Self::Fresh(_) => false,
            Self::Sftp(sftp) => sftp.is_over(),
            Self::Exec(exec) => exec.is_over(),
            Self::Ended => true,
        }
    }
}

/// One connection's answers.
pub(super) struct Connection {
    door: Arc<Door>,
    spot: Arc<Spot>,
    /// Connections of one account.
    most: usize,
    tasks: Tasks,
    peer: SocketAddr,
    seen: Arc<Seen>,
    place: Place,
    login: Login,
    channels: HashMap<ChannelId, Use>,
}

impl Connection {
    pub(super) fn new(
        (door, spot, most): (Arc<Door>, Arc<Spot>, usize),
        tasks: Tasks,
        peer: SocketAddr,
        seen: Arc<Seen>,
        place: Place,
    ) -> Self {
        let login = Login::new(door.accounts.clone(), LoginContext { door: Entrance::Sftp, peer });
        Self { door, spot, most, tasks, peer, seen, place, login, channels: HashMap::new() }
    }

    /// Takes a place among those who are here, and writes down what is outdated about the way it was taken.
    ///
    /// # Errors
    /// When the account has all that it may have.
    async fn present(&self, client: String) -> Result<(), Crowded> {
        let Some(grant) = self.login.grant() else { return Ok(()) };
        let (account, agreed) = (grant.name().to_owned(), self.seen.agreed.get());
        let who = Who {
            door: Entrance::Sftp,
            account: account.clone(),
            peer: self.peer,
            client: client.clone(),
            kex: agreed.map(|agreed| agreed.kex.clone()),
            cipher: agreed.map(|agreed| agreed.cipher.clone()),
            since: self.door.clock.now(),
        };
        let stay = self.door.presence.enter(who, self.seen.moving.clone(), self.most).inspect_err(|crowded| {
            tracing::warn!(account, net.peer = %self.peer, reason = %crowded, "an SFTP client was turned away");
        })?;
        *self.seen.stay.lock().unwrap_or_else(PoisonError::into_inner) = Some(stay);
        let algorithms = agreed.map(Agreed::outdated).unwrap_or_default();
        if !algorithms.is_empty() {
            let event = Event::OutdatedClient { account, peer: self.peer.to_string(), client, algorithms };
            if let Err(error) = self.door.audit.record(&grant.actor(), &event).await {
                tracing::error!(%error, "an outdated client could not be written down");
            }
        }
        Ok(())
    }

    /// Opens the account's view.
    async fn context(&self) -> Result<Context, std::io::Error> {
        let refused = || std::io::Error::other("nobody has logged in");
        let grant = self.login.grant().cloned().ok_or_else(refused)?;
        Context::begin(&self.door, grant, self.seen.moving.clone(), Arc::clone(&self.spot)).await
    }

    /// Starts what was asked for on a channel that is not used yet. This drops russh's own channel, and with it a queue
    /// that could stall the session loop.
    async fn start(
        &mut self,
        channel: ChannelId,
        session: &mut Session,
        begin: impl FnOnce(Context, &Tasks, Handle, ChannelId) -> Use,
    ) -> Result<(), russh::Error> {
        session.channel_success(channel)?;
        match self.context().await {
            Ok(context) => {
                self.channels.insert(channel, begin(context, &self.tasks, session.handle(), channel));
                Ok(())
            }
            Err(error) => {
                tracing::error!(error = %error, net.peer = %self.peer, "an account's folder cannot be opened");
                self.end(channel, "your folder cannot be opened now: tell the administrator", session)
            }
        }
    }

    fn is_fresh(&self, channel: ChannelId) -> bool {
        matches!(self.channels.get(&channel), Some(Use::Fresh(_)))
    }

    /// Remembers who asked.
    fn noted(&self, answer: Auth) -> Auth {
        *self.seen.caller.lock().unwrap_or_else(PoisonError::into_inner) = self.login.caller();
        answer
    }

    /// Ends a channel with a reason on its error stream (OpenSSH's `sftp` shows it) and an exit status.
    fn end(&mut self, channel: ChannelId, reason: &str, session: &mut Session) -> Result<(), russh::Error> {
        self.channels.insert(channel, Use::Ended);
        session.extended_data(channel, 1, format!("{reason}\r\n").into_bytes())?;
        session.exit_status_request(channel, 1)?;
        session.eof(channel)?;
        session.close(channel)
    }
}

impl Handler for Connection {
    type Error = russh::Error;

    async fn auth_password(&mut self, user: &str, password: &str) -> Result<Auth, Self::Error> {
        let answer = self.login.password(user, password).await;
        Ok(self.noted(answer))
    }

    async fn auth_publickey_offered(&mut self, user: &str, offer: PublicKeyOffer<'_>) -> Result<Auth, Self::Error> {
        let answer = self.login.offered(user, offer.public_key).await;
        Ok(self.noted(answer))
    }

    async fn auth_publickey(&mut self, user: &str, key: VerifiedPublicKey<'_>) -> Result<Auth, Self::Error> {
        let answer = self.login.key(user, key.public_key).await;
        Ok(self.noted(answer))
    }

    async fn auth_openssh_certificate(&mut self, user: &str, certificate: &Certificate) -> Result<Auth, Self::Error> {
        let answer = self.login.certificate(user, certificate).await;
        Ok(self.noted(answer))
    }

    async fn auth_keyboard_interactive<'a>(
        &'a mut self,
        user: &str,
        _submethods: &str,
        answers: Option<Response<'a>>,
    ) -> Result<Auth, Self::Error> {
        let answer = self.login.interactive(user, answers).await;
        Ok(self.noted(answer))
    }

    async fn auth_succeeded(&mut self, session: &mut Session) -> Result<(), Self::Error> {
        *self.seen.setup.lock().unwrap_or_else(PoisonError::into_inner) = Some(self.seen.accepted.elapsed());
        self.seen.grant.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&self.login.grant().cloned());
        let agreed = self.seen.agreed.get();
        let client = String::from_utf8_lossy(session.remote_sshid()).into_owned();
        tracing::info!(
            account = self.login.grant().map(Grant::name),
            net.peer = %self.peer,
            ssh.client = %client,
            ssh.kex = agreed.map(|agreed| agreed.kex.as_str()),
            ssh.cipher = agreed.map(|agreed| agreed.cipher.as_str()),
            "an SFTP client logged in"
        );
        self.place.welcome();
        let welcome = self.present(client).await;
        self.seen.entered.notify_one();
        match welcome {
            Ok(()) => Ok(()),
            Err(crowded) => session.disconnect(Disconnect::TooManyConnections, &crowded.to_string(), ""),
        }
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Self::Error> {
        // Of a channel that we close russh says nothing more.
        self.channels.retain(|_, used| !used.is_over());
        if self.channels.len() >= MAX_CHANNELS {
            reply.reject(ChannelOpenFailure::ResourceShortage).await;
            return Ok(());
        }
        self.channels.insert(channel.id(), Use::Fresh(channel));
        reply.accept().await;
        Ok(())
    }

    async fn subsystem_request(
        &mut self,
        channel: ChannelId,
        name: &str,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        if name != "sftp" || !self.is_fresh(channel) {
            return session.channel_failure(channel);
        }
        let dialect = Dialect::of(session.remote_sshid());
        let begin = |context, tasks: &Tasks, handle, channel| {
            Use::Sftp(SftpChannel::start(context, dialect, tasks, SshWire { handle, channel }))
        };
        self.start(channel, session, begin).await
    }

    async fn exec_request(
        &mut self,
        channel: ChannelId,
        line: &[u8],
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        if !self.is_fresh(channel) {
            return session.channel_failure(channel);
        }
        if self.login.grant().is_some_and(Grant::is_sftp_only) {
            session.channel_success(channel)?;
            return self.end(channel, "your certificate is for SFTP only", session);
        }
        match Command::read(line) {
            Ok(command) => {
                let command = command.of(session.remote_sshid());
                let begin = |context, tasks: &Tasks, handle, channel| {
                    Use::Exec(Exec::start(command, context, tasks, handle, channel))
                };
                self.start(channel, session, begin).await
            }
            Err(refusal) => {
                session.channel_success(channel)?;
                self.end(channel, &refusal, session)
            }
        }
    }

    async fn shell_request(&mut self, channel: ChannelId, session: &mut Session) -> Result<(), Self::Error> {
        session.channel_success(channel)?;
        self.end(channel, "there is no shell here, only files are served: use sftp or scp", session)
    }

    async fn data(&mut self, channel: ChannelId, data: &[u8], session: &mut Session) -> Result<(), Self::Error> {
        let mut direct = Direct::new(!session.has_pending_data(channel));
        let fed = match self.channels.get_mut(&channel) {
            Some(Use::Sftp(sftp)) => sftp.feed(data, &mut direct).await,
            Some(Use::Exec(exec)) => exec.feed(data).await,
            Some(Use::Fresh(_) | Use::Ended) | None => Ok(()),
        };
        if let Some(answers) = direct.into_bytes() {
            session.data(channel, answers)?;
        }
        match fed {
            Ok(()) => Ok(()),
            Err(ending) => {
                self.seen.offended.store(true, Ordering::Relaxed);
                tracing::warn!(reason = %ending, net.peer = %self.peer, "a channel was ended");
                self.end(channel, &ending.to_string(), session)?;
                match ending {
                    Ending::Malformed(_) => Ok(()),
                    // Whoever does not read would not read the reason either.
                    Ending::Overflow => Err(russh::Error::SendError),
                }
            }
        }
    }

    /// What was asked before is still answered; then the sender closes the channel.
    async fn channel_eof(&mut self, channel: ChannelId, session: &mut Session) -> Result<(), Self::Error> {
        match self.channels.get_mut(&channel) {
            Some(Use::Sftp(sftp)) => sftp.finish(),
            Some(Use::Exec(exec)) => exec.finish(),
            None => {}
            Some(Use::Fresh(_) | Use::Ended) => return session.close(channel),
        }
        Ok(())
    }

    async fn channel_close(&mut self, channel: ChannelId, _: &mut Session) -> Result<(), Self::Error> {
        self.channels.remove(&channel);
        Ok(())
    }
}
