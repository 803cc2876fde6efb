//! Logging in, RFC 4252 and 4256: by key file, by agent, by password, and by several of them where a server asks for
//! that. Only what it asks for is tried, and a password is said once: some servers lock the account.

use std::path::Path;
use std::sync::Arc;

use russh::MethodKind;
use russh::client::{AuthResult, Handle, KeyboardInteractiveAuthResponse as Answer, Prompt};
use russh::keys::agent::AgentIdentity;
use russh::keys::agent::client::AgentClient;
use russh::keys::{
    Algorithm, Certificate, Error as KeyError, HashAlg, PrivateKey, PrivateKeyWithHashAlg, PublicKey, decode_secret_key,
};

use super::fault;
use super::host_key::Judge;
use super::signer::KeySigner;
use crate::model::{Endpoint, Fault, FaultKind, Phase, Secret};
use crate::{task, tree};

/// A key file is a few kilobytes.
const MAX_FILE: usize = 64 << 10;
/// An agent may hold many keys, and servers count each as a failed try: OpenSSH ends at six.
const MOST_KEYS: usize = 5;
/// Questions in a row that one login may ask.
const MOST_ROUNDS: usize = 4;

/// Ways of coming in that one login may ask for one after the other.
const MOST_FACTORS: usize = 4;

/// What a server said to one way of coming in.
enum Said {
    Welcome,
    /// It was taken, and is not enough.
    HalfWay(Vec<MethodKind>),
    /// It was not taken.
    No(Vec<MethodKind>),
}

impl Said {
    fn of(result: AuthResult) -> Self {
        match result {
            AuthResult::Success => Self::Welcome,
            AuthResult::Failure { partial_success: true, remaining_methods } => {
                Self::HalfWay(remaining_methods.to_vec())
            }
            AuthResult::Failure { remaining_methods, .. } => Self::No(remaining_methods.to_vec()),
        }
    }
}

/// Everything that can be shown at the door, and what was shown already.
pub(super) struct Login<'a> {
    ssh: &'a mut Handle<Judge>,
    endpoint: &'a Endpoint,
    /// What was not taken,
    refused: Vec<String>,
    /// and what was, although more is asked for.
    taken: Vec<String>,
    /// The keys among that: no server takes one twice.
    keys: Vec<PublicKey>,
    /// What may be tried now ("authentications that can continue", RFC 4252 section 5.1); none = nobody has said.
    wants: Option<Vec<MethodKind>>,
    /// The password was said.
    told: bool,
}

impl<'a> Login<'a> {
    pub(super) fn new(ssh: &'a mut Handle<Judge>, endpoint: &'a Endpoint) -> Self {
        let (refused, taken, keys) = (Vec::new(), Vec::new(), Vec::new());
        Self { ssh, endpoint, refused, taken, keys, wants: None, told: false }
    }

    /// Goes through what there is, in order, and again for as long as each round brings it further.
    pub(super) async fn run(mut self) -> Result<(), Fault> {
        if self.endpoint.user.is_empty() {
            return Err(Fault::new(Phase::Login, FaultKind::Auth, "SFTP needs a user: write sftp://user@host/…"));
        }
        let mut password = self.endpoint.password.as_ref();
        let (mut key, mut certificate) = (None, None);
        if let Some(file) = &self.endpoint.options.key_file {
            let (read, locked) = read_key(file, password).await?;
            certificate = read_certificate(file, read.public_key()).await?;
            key = Some((file.as_str(), read));
            // What opens the key is no password of the server.
            password = password.filter(|_| !locked);
        }
        for _ in 0..MOST_FACTORS {
            let taken = self.taken.len();
            let welcome = match (&key, &self.endpoint.options.agent) {
                (Some((file, key)), _) => {
                    self.by_certificate(key, certificate.take()).await? || self.by_key(file, key).await?
                }
                (None, Some(agent)) => self.by_agent(agent).await?,
                (None, None) => false,
            };
            if welcome || self.by_password(password).await? {
                return Ok(());
            }
            if self.taken.len() == taken {
                break;
            }
        }
        Err(self.refused())
    }

    /// May this be tried now? What nobody has spoken of may.
    fn may(&self, method: MethodKind) -> bool {
        self.wants.as_ref().is_none_or(|wants| wants.contains(&method))
    }

    fn note(&mut self, way: &str, said: Said) -> bool {
        self.refused.retain(|known| known != way);
        let (list, wants) = match said {
            Said::Welcome => return true,
            Said::HalfWay(wants) => (&mut self.taken, wants),
            Said::No(wants) => (&mut self.refused, wants),
        };
        list.push(way.to_owned());
        self.wants = Some(wants);
        false
    }

    fn refused(&self) -> Fault {
        let (user, host) = (&self.endpoint.user, &self.endpoint.host);
        let ways = self.wants.iter().flatten().map(<&'static str>::from).collect::<Vec<_>>().join(", ");
        let refused = self.refused.join(" or the ");
        let message = match (self.taken.is_empty(), self.refused.is_empty()) {
            (true, true) if ways.is_empty() => format!(
                "there is nothing to log in to {host} with: give a password, a key file (identity), or start an agent"
            ),
            (true, true) => format!("{host} lets {user} in by {ways} only, and there is nothing of that kind here"),
            (true, false) => format!(
                "{host} does not let {user} in with the {refused}: check user, password and key{}",
                if ways.is_empty() { String::new() } else { format!("; it accepts {ways}") }
            ),
            (false, none) => format!(
                "{host} took the {} of {user} and asks for more than that ({ways}){}",
                self.taken.join(" and the "),
                if none { String::new() } else { format!(", and does not take the {refused}") }
            ),
        };
        Fault::new(Phase::Login, FaultKind::Auth, message)
    }

    async fn by_key(&mut self, file: &str, key: &PrivateKey) -> Result<bool, Fault> {
        if !self.may(MethodKind::PublicKey) || self.keys.contains(key.public_key()) {
            return Ok(false);
        }
        let hash = self.hash_for(&key.algorithm()).await?;
        let signing = PrivateKeyWithHashAlg::new(Arc::new(key.clone()), hash);
        let said = self.ssh.authenticate_publickey(self.endpoint.user.as_str(), signing).await.map_err(|e| lost(&e))?;
        Ok(self.note_key(&format!("key of {file}"), key.public_key(), Said::of(said)))
    }

    /// With what a certificate authority says about the key (OpenSSH, PROTOCOL.certkeys).
    async fn by_certificate(&mut self, key: &PrivateKey, certificate: Option<Certificate>) -> Result<bool, Fault> {
        let Some(certificate) = certificate.filter(|_| self.may(MethodKind::PublicKey)) else { return Ok(false) };
        let way = format!("certificate “{}”", fault::plain(certificate.key_id()));
        let hash = self.hash_for(&key.algorithm()).await?;
        let user = self.endpoint.user.as_str();
        let said = self.ssh.authenticate_certificate_with(user, certificate, hash, &mut KeySigner(key)).await;
        let said = said.map_err(|error| Fault::new(Phase::Login, FaultKind::Auth, format!("the {way}: {error}")))?;
        Ok(self.note_key(&way, key.public_key(), Said::of(said)))
    }

    fn note_key(&mut self, way: &str, key: &PublicKey, said: Said) -> bool {
        if matches!(said, Said::HalfWay(_)) {
            self.keys.push(key.clone());
        }
        self.note(way, said)
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
        let identities = agent.request_identities().await.unwrap_or_default();
        // What somebody vouches for comes first.
        let (certified, plain): (Vec<_>, Vec<_>) =
            identities.into_iter().partition(|identity| matches!(identity, AgentIdentity::Certificate { .. }));
        for identity in certified.into_iter().chain(plain).take(MOST_KEYS) {
            if !self.may(MethodKind::PublicKey) {
                break;
            }
            let key = match &identity {
                AgentIdentity::PublicKey { key, .. } => key.clone(),
                AgentIdentity::Certificate { certificate, .. } => PublicKey::from(certificate.public_key().clone()),
            };
            if self.keys.contains(&key) {
                continue;
            }
            let hash = self.hash_for(&key.algorithm()).await?;
            let user = self.endpoint.user.as_str();
            let said = match identity {
                AgentIdentity::PublicKey { key, .. } => {
                    self.ssh.authenticate_publickey_with(user, key, hash, &mut agent).await
                }
                AgentIdentity::Certificate { certificate, .. } => {
                    self.ssh.authenticate_certificate_with(user, certificate, hash, &mut agent).await
                }
            };
            match said {
                Ok(said) => {
                    if self.note_key("agent's key", &key, Said::of(said)) {
                        return Ok(true);
                    }
                }
                Err(error) => tracing::info!(error = %error, "the SSH agent did not sign"),
            }
        }
        Ok(false)
    }

    /// By the method `password`; where the server does not have it, by answering its one question. Only where one of
    /// the two is asked for: a password that nobody wants is not said.
    async fn by_password(&mut self, password: Option<&Secret>) -> Result<bool, Fault> {
        let Some(password) = password.filter(|_| !self.told) else { return Ok(false) };
        let user = self.endpoint.user.as_str();
        if self.wants.is_none() {
            // The question what there is (RFC 4252, section 5.2).
            match self.ssh.authenticate_none(user).await.map_err(|e| lost(&e))? {
                AuthResult::Success => return Ok(true),
                AuthResult::Failure { remaining_methods, .. } => self.wants = Some(remaining_methods.to_vec()),
            }
        }
        if self.may(MethodKind::Password) {
            self.told = true;
            let said = self.ssh.authenticate_password(user, password.expose()).await.map_err(|e| lost(&e))?;
            return Ok(self.note("password", Said::of(said)));
        }
        if self.may(MethodKind::KeyboardInteractive) { self.by_question(password).await } else { Ok(false) }
    }

    /// Answers what can only mean the password: one question at a time whose answer is not shown. Behind another way
    /// of coming in such a question may want a code of the moment: there it has to speak of a password.
    async fn by_question(&mut self, password: &Secret) -> Result<bool, Fault> {
        let user = self.endpoint.user.as_str();
        let mut answer =
            self.ssh.authenticate_keyboard_interactive_start(user, None::<String>).await.map_err(|e| lost(&e))?;
        for _ in 0..MOST_ROUNDS {
            let replies = match answer {
                Answer::Success => return Ok(true),
                Answer::Failure { remaining_methods, partial_success } => {
                    let result = AuthResult::Failure { remaining_methods, partial_success };
                    return Ok(self.note("password", Said::of(result)));
                }
                Answer::InfoRequest { prompts, .. } => match prompts.as_slice() {
                    [] => Vec::new(),
                    [prompt] if !prompt.echo && !self.told && (self.taken.is_empty() || speaks_of_password(prompt)) => {
                        self.told = true;
                        vec![password.expose().to_owned()]
                    }
                    more => return Err(self.asked_for_more(more)),
                },
            };
            answer = self.ssh.authenticate_keyboard_interactive_respond(replies).await.map_err(|e| lost(&e))?;
        }
        Err(Fault::new(Phase::Login, FaultKind::Auth, "the server asks one question after the other: use a key"))
    }

    fn asked_for_more(&self, prompts: &[Prompt]) -> Fault {
        let asked = prompts.iter().map(|prompt| prompt.prompt.trim()).collect::<Vec<_>>().join("; ");
        let (asked, shown) = (fault::plain(&asked), self.taken.join(" and the "));
        let why = match shown.is_empty() {
            true => format!("the server asks for more than a password (“{asked}”): use a key"),
            false => format!("the server took the {shown} and asks what only a person can answer (“{asked}”)"),
        };
        Fault::new(Phase::Login, FaultKind::Auth, why)
    }
}

/// Such as "Password:", "Passwort:", "(anna@host) password for anna:".
fn speaks_of_password(prompt: &Prompt) -> bool {
    prompt.prompt.to_lowercase().contains("passw")
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

/// The certificate beside a key file, as OpenSSH looks for it: `id_ed25519-cert.pub`. One of another key is none.
async fn read_certificate(file: &str, key: &PublicKey) -> Result<Option<Certificate>, Fault> {
    let beside = format!("{file}-cert.pub");
    let path = beside.clone();
    let read = task::blocking(move || tree::file::read_small(Path::new(&path), MAX_FILE)).await;
    let bytes = match read.map_err(|lost| Fault::new(Phase::Login, FaultKind::Io, lost.to_string()))? {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            let why = format!("cannot read the certificate '{beside}': {error}");
            return Err(Fault::new(Phase::Login, FaultKind::Auth, why));
        }
    };
    let certificate = std::str::from_utf8(&bytes).ok().and_then(|text| Certificate::from_openssh(text.trim()).ok());
    let certificate = certificate.ok_or_else(|| {
        Fault::new(Phase::Login, FaultKind::Auth, format!("'{beside}' is not an OpenSSH certificate"))
    })?;
    Ok(Some(certificate).filter(|certificate| certificate.public_key() == key.key_data()))
}

fn lost(error: &russh::Error) -> Fault {
    fault::of_ssh(Phase::Login, "lost the server while logging in", error)
}
