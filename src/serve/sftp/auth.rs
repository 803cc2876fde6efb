//! Logging in over SSH (RFC 4252), in as many steps as the account requires, and by what is typed (keyboard-interactive,
//! RFC 4256). Of what an account requires strangers learn nothing before they have shown a part of it, but that there is
//! a code to type.

use std::borrow::Cow;

use russh::keys::{Certificate, PublicKey};
use russh::server::{Auth, Response};
use russh::{MethodKind, MethodSet};

use crate::account::{Accounts, Factors, Grant, LoginContext, LoginError, Passed, Progress, Proofs, ShownKey};
use crate::model::{FaultKind, Phase, Secret};
use crate::reliability::End;

/// How a login may begin.
pub(super) const METHODS: &[MethodKind] =
    &[MethodKind::PublicKey, MethodKind::Password, MethodKind::KeyboardInteractive];

/// The login of one connection.
pub(super) struct Login {
    accounts: Accounts,
    context: LoginContext,
    /// Who has shown a part of what is required.
    passed: Option<(String, Passed)>,
    /// Who was asked to type what.
    asked: Option<(String, Factors)>,
    grant: Option<Grant>,
    caller: Caller,
}

/// Who is at the door, as long as nobody came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Caller {
    /// It did not say: perhaps somebody who looks which ports are open.
    #[default]
    Silent,
    /// It said a name, and showed nothing that goes with it.
    Stranger,
    /// It showed, or offered, something that goes with an account; or it is we who could not let it in.
    Expected,
}

impl Caller {
    /// What the end of a connection means that began with this caller and let nobody in. What keeps strangers out tells
    /// nothing of how well this door is reached (statistic "connection-success").
    pub(super) fn ended(self, end: End) -> End {
        match (self, end) {
            (Self::Silent, End::Failed(..)) => End::Clean,
            (Self::Stranger, End::Failed(..)) => End::Failed(Phase::Login, FaultKind::Auth),
            (_, end) => end,
        }
    }
}

impl Login {
    /// Nothing was shown yet.
    pub(super) fn new(accounts: Accounts, context: LoginContext) -> Self {
        Self { accounts, context, passed: None, asked: None, grant: None, caller: Caller::Silent }
    }

    /// Who came in.
    pub(super) fn grant(&self) -> Option<&Grant> {
        self.grant.as_ref()
    }

    /// Who is there.
    pub(super) fn caller(&self) -> Caller {
        self.caller
    }

    /// By the method "password".
    pub(super) async fn password(&mut self, user: &str, password: &str) -> Auth {
        self.step(user, Proofs::password(&Secret::new(password))).await
    }

    /// Would the client's key be of use? Asked before it signs.
    pub(super) async fn offered(&mut self, user: &str, key: &PublicKey) -> Auth {
        let is_known = self.is_known(user, key).await;
        // Nobody says here whether it comes with a certificate.
        match self.accounts.takes_certificates().await {
            Ok(true) => Auth::Accept,
            Ok(false) if is_known => Auth::Accept,
            Ok(false) => self.refused(user),
            Err(error) => {
                tracing::error!(error = %error, "the certificate authorities could not be looked up");
                self.caller = Caller::Expected;
                self.refused(user)
            }
        }
    }

    async fn is_known(&mut self, user: &str, key: &PublicKey) -> bool {
        let Ok(blob) = key.to_bytes() else { return false };
        let is_known = self.accounts.knows_key(user, &blob).await.unwrap_or_else(|error| {
            tracing::error!(error = %error, "an SSH key could not be looked up");
            false
        });
        if is_known {
            self.caller = Caller::Expected;
        }
        is_known
    }

    /// By the method "publickey", when the signature has been checked.
    pub(super) async fn key(&mut self, user: &str, key: &PublicKey) -> Auth {
        match key.to_bytes() {
            // One of many that a client has is no failed login.
            Ok(blob) if self.is_known(user, key).await => self.step(user, by_key(ShownKey::Plain(&blob))).await,
            Ok(_) | Err(_) => self.refused(user),
        }
    }

    /// By the method "publickey" with a certificate, when the signature has been checked.
    pub(super) async fn certificate(&mut self, user: &str, certificate: &Certificate) -> Auth {
        self.step(user, by_key(ShownKey::Certified(certificate))).await
    }

    /// By the method "keyboard-interactive": the first call asks, the next brings the answers.
    pub(super) async fn interactive(&mut self, user: &str, answers: Option<Response<'_>>) -> Auth {
        match (answers, self.asked.take()) {
            (None, _) => self.ask(user).await,
            (Some(answers), Some((of, asked))) if of == user => {
                let mut answers = answers.map(|answer| Secret::new(String::from_utf8_lossy(&answer)));
                // As many as prompts, and in their order (RFC 4256, section 3.4).
                let password = if asked.password { answers.next() } else { None };
                let code = if asked.code { answers.next() } else { None };
                if password.is_some() != asked.password || code.is_some() != asked.code || answers.next().is_some() {
                    return self.refused(user);
                }
                self.step(user, Proofs { password: password.as_ref(), code: code.as_ref(), key: None }).await
            }
            (Some(_), _) => self.refused(user),
        }
    }

    async fn ask(&mut self, user: &str) -> Auth {
        let asked = match self.accounts.to_type(user, self.before(user)).await {
            Ok(asked) => asked,
            Err(error) => {
                tracing::error!(error = %error, "an account could not be looked up");
                self.caller = Caller::Expected;
                return self.refused(user);
            }
        };
        self.asked = Some((user.to_owned(), asked));
        let prompts = [(asked.password, "Password: "), (asked.code, "Verification code: ")];
        // Nothing of it is shown while it is typed.
        let prompts = prompts.into_iter().filter(|(is, _)| *is).map(|(_, text)| (Cow::Borrowed(text), false));
        Auth::Partial { name: "".into(), instructions: "".into(), prompts: prompts.collect() }
    }

    async fn step(&mut self, user: &str, proofs: Proofs<'_>) -> Auth {
        match self.accounts.step(user, proofs, self.before(user), &self.context).await {
            Ok(Progress::In(grant)) => {
                self.grant = Some(grant);
                Auth::Accept
            }
            Ok(Progress::Partly(passed)) => {
                self.passed = Some((user.to_owned(), passed));
                self.caller = Caller::Expected;
                Auth::Reject { proceed_with_methods: Some(self.methods(user)), partial_success: true }
            }
            Err(error) => {
                if matches!(error, LoginError::Store(_) | LoginError::Busy) {
                    // It is we who fail.
                    self.caller = Caller::Expected;
                }
                if let LoginError::Store(cause) = &error {
                    tracing::error!(error = %cause, net.peer = %self.context.peer, "an SFTP login could not be checked");
                }
                self.refused(user)
            }
        }
    }

    fn before(&self, user: &str) -> Option<&Passed> {
        self.passed.as_ref().filter(|(of, _)| of == user).map(|(_, passed)| passed)
    }

    /// No, and what may be tried next.
    fn refused(&mut self, user: &str) -> Auth {
        if self.caller == Caller::Silent {
            self.caller = Caller::Stranger;
        }
        Auth::Reject { proceed_with_methods: Some(self.methods(user)), partial_success: false }
    }

    fn methods(&self, user: &str) -> MethodSet {
        let Some(missing) = self.before(user).map(Passed::missing) else { return MethodSet::from(METHODS) };
        let useful = |method: &&MethodKind| match method {
            MethodKind::PublicKey => missing.key,
            MethodKind::Password => missing.password,
            _ => missing.password || missing.code,
        };
        MethodSet::from(METHODS.iter().filter(useful).copied().collect::<Vec<_>>().as_slice())
    }
}

fn by_key(key: ShownKey<'_>) -> Proofs<'_> {
    Proofs { key: Some(key), ..Proofs::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_is_expected_counts_as_kept_out_by_the_way() {
        let reset = End::Failed(Phase::Login, FaultKind::Reset);
        let auth = End::Failed(Phase::Login, FaultKind::Auth);
        let ends = [Caller::Silent, Caller::Stranger, Caller::Expected].map(|caller| caller.ended(reset));
        assert_eq!(ends, [End::Clean, auth, reset]);
        assert_eq!(Caller::Stranger.ended(End::StillOpen), End::StillOpen);
    }
}
