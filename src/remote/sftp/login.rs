//! Logging in, RFC 4252 and 4256: by key file, by agent, by password. A password that was refused is not sent again:
//! some servers lock the account.

use std::path::Path;
use std::sync::Arc;

use russh::MethodKind;
use russh::client::{AuthResult, Handle, KeyboardInteractiveAuthResponse as Answer};
use russh::keys::agent::AgentIdentity;
use russh::keys::agent::client::AgentClient;
use russh::keys::{Algorithm, Error as KeyError, HashAlg, PrivateKey, PrivateKeyWithHashAlg, decode_secret_key};

use super::fault;
use super::host_key::Judge;
use crate::model::{Endpoint, Fault, FaultKind, Phase, Secret};
use crate::{task, tree};

/// A key file is a few kilobytes.
const MAX_FILE: usize = 64 << 10;
/// An agent may hold many keys, and servers count each as a failed try: OpenSSH ends at six.
const MOST_KEYS: usize = 5;
/// Questions in a row that one login may ask.
const MOST_ROUNDS: usize = 4;

/// What a server said to one way of coming in.
enum Said {
    Welcome,
    /// One more way is asked for.
    HalfWay,
    No {
        /// What it accepts instead.
        accepts: Vec<MethodKind>,
    },
}

impl Said {
    fn of(result: AuthResult) -> Self {
        match result {
            AuthResult::Success => Self::Welcome,
            AuthResult::Failure { partial_success: true, .. } => Self::HalfWay,
            AuthResult::Failure { remaining_methods, .. } => Self::No { accepts: remaining_methods.to_vec() },
        }
    }
}

/// Everything that can be shown at the door, and what was shown already.
pub(super) struct Login<'a> {
    ssh: &'a mut Handle<Judge>,
    endpoint: &'a Endpoint,
    shown: Vec<String>,
    accepts: Vec<MethodKind>,
    half_way: bool,
}

impl<'a> Login<'a> {
    pub(super) fn new(ssh: &'a mut Handle<Judge>, endpoint: &'a Endpoint) -> Self {
        Self { ssh, endpoint, shown: Vec::new(), accepts: Vec::new(), half_way: false }
    }

    /// Goes through what there is, in order.
    pub(super) async fn run(mut self) -> Result<(), Fault> {
        if self.endpoint.user.is_empty() {
            return Err(Fault::new(Phase::Login, FaultKind::Auth, "SFTP needs a user: write sftp://user@host/…"));
        }
        let options = &self.endpoint.options;
        let mut password = self.endpoint.password.as_ref();
        if let Some(file) = &options.key_file {
            let (key, locked) = read_key(file, password).await?;
            if self.by_key(file, key).await? {
                return Ok(());
            }
            // What opens the key is no password of the server.
            password = password.filter(|_| !locked);
        } else if let Some(agent) = &options.agent
            && self.by_agent(agent).await?
        {
            return Ok(());
        }
        match password {
            Some(password) if self.by_password(password).await? => Ok(()),
            _ => Err(self.refused()),
        }
    }

    fn note(&mut self, way: impl Into<String>, said: Said) -> bool {
        self.shown.push(way.into());
        match said {
            Said::Welcome => true,
            Said::HalfWay => {
                self.half_way = true;
                false
            }
            Said::No { accepts } => {
                self.accepts = accepts;
                false
            }
        }
    }

    fn refused(&self) -> Fault {
        let (user, host) = (&self.endpoint.user, &self.endpoint.host);
        let ways = self.accepts.iter().map(<&'static str>::from).collect::<Vec<_>>().join(", ");
        let message = match (self.shown.is_empty(), self.half_way) {
            (true, _) => format!(
                "there is nothing to log in to {host} with: give a password, a key file (identity), or start an agent"
            ),
            (false, true) => {
                format!("{host} took the {} and asks {user} for more than that", self.shown.join(" and the "))
            }
            (false, false) => format!(
                "{host} does not let {user} in with the {}: check user, password and key{}",
                self.shown.join(" or the "),
                if ways.is_empty() { String::new() } else { format!("; it accepts {ways}") }
            ),
        };
        Fault::new(Phase::Login, FaultKind::Auth, message)
    }

    async fn by_key(&mut self, file: &str, key: PrivateKey) -> Result<bool, Fault> {
        let hash = self.hash_for(&key.algorithm()).await?;
        let key = PrivateKeyWithHashAlg::new(Arc::new(key), hash);
        let said = self.ssh.authenticate_publickey(self.endpoint.user.as_str(), key).await.map_err(|e| lost(&e))?;
        Ok(self.note(format!("key of {file}"), Said::of(said)))
    }

    /// RSA keys are as strong as the hash that they sign with (RFC 8332).
    async fn hash_for(&self, algorithm: &Algorithm) -> Result<Option<HashAlg>, Fault> {
        if !matches!(algorithm, Algorithm::Rsa { .. }) {
            return Ok(None);
        }
        Ok(self.ssh.best_supported_rsa_hash().await.map_err(|e| lost(&e))?.unwrap_or(Some(HashAlg::Sha256)))
    }

    async fn by_agent(&mut self, socket: &str) -> Result<bool, Fault> {
        let mut agent = match AgentClient::connect_uds(socket).await {
            Ok(agent) => agent,
            // An agent that is gone must not stop a login by password.
            Err(error) => {
                tracing::info!(socket, error = %error, "the SSH agent does not answer");
                return Ok(false);
            }
        };
        let keys = agent.request_identities().await.unwrap_or_default();
        let keys = keys.into_iter().filter_map(|identity| match identity {
            AgentIdentity::PublicKey { key, .. } => Some(key),
            AgentIdentity::Certificate { .. } => None,
        });
        for key in keys.take(MOST_KEYS) {
            let hash = self.hash_for(&key.algorithm()).await?;
            let user = self.endpoint.user.as_str();
            match self.ssh.authenticate_publickey_with(user, key, hash, &mut agent).await {
                Ok(said) => {
                    if self.note("agent's key", Said::of(said)) {
                        return Ok(true);
                    }
                }
                Err(error) => tracing::info!(error = %error, "the SSH agent did not sign"),
            }
        }
        Ok(false)
    }

    /// By the method `password`; where the server does not have it, by answering its one question.
    async fn by_password(&mut self, password: &Secret) -> Result<bool, Fault> {
        let user = self.endpoint.user.as_str();
        let said = self.ssh.authenticate_password(user, password.expose()).await.map_err(|e| lost(&e))?;
        let asks_instead = match AuthResult::clone(&said) {
            AuthResult::Failure { remaining_methods, .. } => {
                remaining_methods.contains(&MethodKind::KeyboardInteractive)
                    && !remaining_methods.contains(&MethodKind::Password)
            }
            AuthResult::Success => false,
        };
        if asks_instead { self.by_question(password).await } else { Ok(self.note("password", Said::of(said))) }
    }

    /// Answers what can only mean the password: one question at a time whose answer is not shown.
    async fn by_question(&mut self, password: &Secret) -> Result<bool, Fault> {
        let user = self.endpoint.user.as_str();
        let mut answer =
            self.ssh.authenticate_keyboard_interactive_start(user, None::<String>).await.map_err(|e| lost(&e))?;
        let mut told = false;
        for _ in 0..MOST_ROUNDS {
            let replies = match answer {
                Answer::Success => return Ok(true),
                Answer::Failure { remaining_methods, partial_success } => {
                    let result = AuthResult::Failure { remaining_methods, partial_success };
                    return Ok(self.note("password", Said::of(result)));
                }
                Answer::InfoRequest { prompts, .. } => match prompts.as_slice() {
                    [] => Vec::new(),
                    [prompt] if !prompt.echo && !told => {
                        told = true;
                        vec![password.expose().to_owned()]
                    }
                    more => {
                        let asked = more.iter().map(|prompt| prompt.prompt.trim()).collect::<Vec<_>>().join("; ");
                        let why = format!("the server asks for more than a password (“{asked}”): use a key");
                        return Err(Fault::new(Phase::Login, FaultKind::Auth, why));
                    }
                },
            };
            answer = self.ssh.authenticate_keyboard_interactive_respond(replies).await.map_err(|e| lost(&e))?;
        }
        Ok(false)
    }
}

/// The key, and whether the password opened it.
async fn read_key(file: &str, password: Option<&Secret>) -> Result<(PrivateKey, bool), Fault> {
    let bad = |why: String| Fault::new(Phase::Login, FaultKind::Auth, why);
    let path = file.to_owned();
    let read = task::blocking(move || tree::file::read_small(Path::new(&path), MAX_FILE)).await;
    let bytes = read
        .map_err(|lost| Fault::new(Phase::Login, FaultKind::Io, lost.to_string()))?
        .map_err(|error| bad(format!("cannot read the key file '{file}': {error}")))?;
    let text = std::str::from_utf8(&bytes).map_err(|_| bad(format!("'{file}' is not an SSH private key")))?;
    match decode_secret_key(text, None) {
        Ok(key) => return Ok((key, false)),
        Err(KeyError::KeyIsEncrypted) => {}
        Err(error) => return Err(bad(format!("'{file}' cannot be used as an SSH private key: {error}"))),
    }
    let passphrase = password
        .ok_or_else(|| bad(format!("the key file '{file}' has a passphrase: give it in place of the password")))?;
    match decode_secret_key(text, Some(passphrase.expose())) {
        Ok(key) => Ok((key, true)),
        Err(_) => Err(bad(format!("the passphrase does not open the key file '{file}'"))),
    }
}

fn lost(error: &russh::Error) -> Fault {
    fault::of_ssh(Phase::Login, "lost the server while logging in", error)
}
