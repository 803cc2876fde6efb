//! What can happen: one variant per operation, so that nothing is logged as a loose text.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::{
    Access, AlarmId, DiagnosisId, Digest, Door, EndpointId, IncidentId, JobId, Proof, RelPath, RunId, SetId, ShareKind,
    SurveyId,
};

/// Who did it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Actor {
    /// Causeway itself: start, stop, housekeeping, and logins that did not pass.
    System,
    /// A person or program that logged in, by account name.
    Account(String),
    /// A migration job.
    Job(JobId),
    /// Somebody who has a link that was shared, by its number.
    Share(i64),
    /// The command line on this machine, by the numeric user id of who typed it.
    Operator(u32),
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::System => f.write_str("system"),
            Self::Account(name) => write!(f, "account:{name}"),
            Self::Job(id) => write!(f, "job:{id}"),
            Self::Share(id) => write!(f, "share:{id}"),
            Self::Operator(uid) => write!(f, "operator:{uid}"),
        }
    }
}

/// The text names no actor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an actor is 'system', 'account:<name>', 'job:<number>', 'share:<number>' or 'operator:<user id>'")]
pub struct ActorParseError;

impl FromStr for Actor {
    type Err = ActorParseError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once(':') {
            None if text == "system" => Ok(Self::System),
            Some(("account", name)) => Ok(Self::Account(name.to_owned())),
            Some(("job", id)) => id.parse().map(|id| Self::Job(JobId(id))).map_err(|_| ActorParseError),
            Some(("share", id)) => id.parse().map(Self::Share).map_err(|_| ActorParseError),
            Some(("operator", uid)) => uid.parse().map(Self::Operator).map_err(|_| ActorParseError),
            _ => Err(ActorParseError),
        }
    }
}

/// How somebody proved who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LoginMethod {
    /// A password.
    Password,
    /// An SSH public key.
    Key,
    /// An OpenSSH certificate for a key.
    Certificate,
    /// A one-time code of the second factor.
    Code,
    /// An app password, beside the name or as a bearer token.
    AppPassword,
}

/// Why a login did not pass. Told to the log, never to the one who tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LoginRefusal {
    /// No account of that name.
    Unknown,
    /// Wrong password, or a key that the account does not have.
    Wrong,
    /// The account is switched off.
    Disabled,
    /// The account is locked after too many failures.
    Locked,
    /// The account has no password (keys only).
    NoPassword,
    /// The password was right, the one-time code was not (or was used before).
    WrongCode,
    /// It was right, but the account does not come in by this.
    Method,
    /// It was right, but the account requires more than can be shown at this door.
    Incomplete,
    /// Who signed the certificate is no authority here.
    CertificateAuthority,
    /// The certificate was revoked.
    CertificateRevoked,
    /// The certificate is not valid yet, or no more.
    CertificateExpired,
    /// The certificate is for hosts, or its key or signature is too weak.
    CertificateKind,
    /// The certificate does not name the account.
    CertificatePrincipal,
    /// The certificate does not hold from this address.
    CertificateAddress,
    /// The certificate has a critical option that is not known here, or is for another command.
    CertificateOption,
    /// The app password was removed.
    AppPasswordRemoved,
    /// The app password has expired.
    AppPasswordExpired,
}

/// A certificate that was shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct CertificateShown {
    /// What its authority called it.
    pub key_id: String,
    /// Its number in decimal. No JSON number: above 2^53 those are not the same everywhere.
    pub serial: String,
    /// Fingerprint of who signed it.
    pub authority: String,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunOutcome {
    /// Everything is there and verified.
    Complete,
    /// Some items are missing; the run says which.
    Incomplete,
    /// It could not do its work at all.
    Failed,
    /// A person stopped it.
    Cancelled,
    /// The process went away; another start goes on with it.
    Interrupted,
}

/// One operation. The stable word of each variant is its kebab-case name under `action`.
///
/// Paths of doors and runs are relative to the root of the tree that was changed and keep their raw
/// bytes. No variant has a place for a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the fields say what they are; the variants are described")]
pub enum Event {
    /// The service came up.
    ServiceStarted { version: String },
    /// The service went down in good order.
    ServiceStopped { drained: bool },
    /// Somebody came in.
    LoginSucceeded {
        account: String,
        door: Door,
        peer: String,
        method: LoginMethod,
        /// What was shown beside it.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        with: Vec<LoginMethod>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        certificate: Option<CertificateShown>,
        /// The label of the app password.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        app_password: Option<String>,
    },
    /// Somebody showed a part of what the account requires; the rest is asked for.
    LoginPartial { account: String, door: Door, peer: String, method: LoginMethod },
    /// Somebody was turned away.
    LoginFailed {
        account: String,
        door: Door,
        peer: String,
        method: LoginMethod,
        reason: LoginRefusal,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        certificate: Option<CertificateShown>,
        /// The label of the app password, where it is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        app_password: Option<String>,
    },
    /// Somebody signed out of the dashboard.
    SignedOut { account: String },
    /// Too many failures on one account; from one address that it knows (`peer`), or from all others.
    AccountLocked {
        account: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        peer: Option<String>,
        until: Timestamp,
    },
    /// Too many failures from one address.
    PeerLocked { peer: String, until: Timestamp },
    /// A person lifted a lock-out, of an account or an address.
    Unlocked { subject: String },
    /// A new account.
    AccountCreated { account: String, home: RelPath, access: Access, admin: bool },
    /// Settings of an account; the names of the changed ones.
    AccountChanged { account: String, changed: Vec<String> },
    /// A new password.
    PasswordChanged { account: String },
    /// An account is gone.
    AccountRemoved { account: String },
    /// A new SSH key, by its SHA256 fingerprint.
    KeyAdded { account: String, fingerprint: String },
    /// An SSH key is gone.
    KeyRemoved { account: String, fingerprint: String },
    /// Somebody came in by algorithms that are no longer thought safe.
    OutdatedClient { account: String, peer: String, client: String, algorithms: Vec<String> },
    /// An administrator ended a connection.
    Disconnected { account: String, door: Door, peer: String },
    /// A second factor holds from now on.
    SecondFactorAdded { account: String },
    /// A second factor is gone.
    SecondFactorRemoved { account: String },
    /// A new app password, for a folder below the account's home.
    AppPasswordMade {
        account: String,
        label: String,
        folder: RelPath,
        access: Access,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expires: Option<Timestamp>,
    },
    /// An app password is gone.
    AppPasswordRemoved { account: String, label: String },
    /// A link for people without an account.
    ShareMade {
        account: String,
        share: i64,
        path: RelPath,
        kind: ShareKind,
        with_password: bool,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expires: Option<Timestamp>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        most: Option<u32>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        room: Option<u64>,
    },
    /// A link opens nothing any more.
    ShareEnded { account: String, share: i64 },
    /// Too many wrong passwords for a link, from wherever they came: nobody new opens it until then.
    ShareLocked { share: i64, until: Timestamp },
    /// Somebody used a link, for the so-manieth time.
    ShareUsed { account: String, share: i64, path: RelPath, peer: String, used: u32 },
    /// From the next start on the SFTP door shows this host key, and the last one of its kind no more.
    HostKeyChanged { fingerprint: String },
    /// Certificates that this key signed are believed from now on.
    AuthorityAdded { fingerprint: String, name: String },
    /// Certificates that this key signed are believed no more.
    AuthorityRemoved { fingerprint: String },
    /// Certificates of an authority open nothing any more: which.
    CertificateRevoked { authority: String, subject: String },
    /// A new endpoint; the URL holds no password.
    EndpointCreated { endpoint: EndpointId, url: String },
    /// An endpoint was changed; the names of the changed settings.
    EndpointChanged { endpoint: EndpointId, url: String, changed: Vec<String> },
    /// An endpoint is gone.
    EndpointRemoved { endpoint: EndpointId, url: String },
    /// A new job.
    JobCreated { job: JobId, name: String },
    /// A job was changed; the names of the changed settings.
    JobChanged { job: JobId, name: String, changed: Vec<String> },
    /// A job starts no more runs until it is resumed.
    JobPaused { job: JobId, name: String },
    /// A paused job goes on.
    JobResumed { job: JobId, name: String },
    /// A job is gone.
    JobRemoved { job: JobId, name: String },
    /// What becomes of a job when something breaks was rehearsed: one exercise, the files that it lost, and when the run
    /// noticed and went on, in milliseconds from the fault.
    JobDrilled {
        job: JobId,
        name: String,
        exercise: String,
        passed: bool,
        lost: u64,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        noticed_ms: Option<u64>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        resumed_ms: Option<u64>,
    },
    /// A run began, or was taken up again (`attempt` above 1).
    RunStarted { job: JobId, run: RunId, attempt: u32 },
    /// A run ended.
    RunEnded { job: JobId, run: RunId, outcome: RunOutcome, files: u64, bytes: u64, failed: u64 },
    /// A run waits for a worker, and why.
    RunQueued { job: JobId, run: RunId, cause: String },
    /// A person asked a run to rest.
    RunPaused { job: JobId, run: RunId },
    /// A person asked a resting run to go on.
    RunResumed { job: JobId, run: RunId },
    /// A start was due while a run of the job was still active.
    StartSkipped { job: JobId, active: RunId },
    /// A person asked a run to stop.
    RunCancelled { job: JobId, run: RunId },
    /// A run put a verified file under its name.
    FilePublished {
        run: RunId,
        path: RelPath,
        size: u64,
        #[serde(flatten, with = "super::named_digest")]
        digest: Digest,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        proof: Option<Proof>,
    },
    /// A run took a file that lay in the target for the source's, by its size and time alone, as the job says.
    FileAdopted { run: RunId, path: RelPath, size: u64 },
    /// A run moved a file into the trash.
    FileTrashed { run: RunId, path: RelPath, batch: String },
    /// What the target holds after a run was written down and signed.
    ManifestWritten { job: JobId, run: RunId, files: u64, bytes: u64, sha256: String, key: String },
    /// A person had a server surveyed; it was only read.
    SurveyStarted { survey: SurveyId, endpoint: EndpointId, url: String },
    /// A person had it looked at why transfers from a server break; it was only read.
    DiagnosisStarted { diagnosis: DiagnosisId, endpoint: EndpointId, url: String },
    /// A person had a remedy of a diagnosis tried: the trouble without it, and with it.
    RemedyTried { diagnosis: DiagnosisId, url: String, remedy: String, helps: bool },
    /// Like faults came again and again.
    IncidentOpened { incident: IncidentId, what: String },
    /// They come no more, or nobody knows.
    IncidentClosed { incident: IncidentId, what: String, faults: u64 },
    /// Early warning noticed that something changes for the worse at an endpoint.
    AlarmBegan { alarm: AlarmId, what: String },
    /// It is as usual again, or it is not known, or it has become the usual.
    AlarmEnded { alarm: AlarmId, what: String, why: String },
    /// A person made a comparison set: its endpoints are visited from now on.
    ComparisonMade { set: SetId, name: String, endpoints: Vec<EndpointId> },
    /// It is different now, or was switched on or off.
    ComparisonChanged { set: SetId, name: String, on: bool },
    /// It is gone, with all that was seen.
    ComparisonRemoved { set: SetId, name: String },
    /// A run made a directory.
    DirMade { run: RunId, path: RelPath },
    /// A run gave a file the permission bits that it has in the source; its content was there.
    ModeSet { run: RunId, path: RelPath },
    /// Parts that runs of a removed job left in its target are gone.
    PartsRemoved { job: JobId, parts: u64 },
    /// Rows of so many old runs were removed from the job store.
    RunsForgotten { runs: u64 },
    /// A run made a symbolic link.
    LinkMade { run: RunId, path: RelPath },
    /// A client put a complete file under its name.
    DoorUploaded { door: Door, account: String, path: RelPath, size: u64 },
    /// A client fetched a folder, or some names of it, as an archive of so many entries and bytes; `whole` when it
    /// took all of it.
    DoorArchived { door: Door, account: String, path: RelPath, format: String, entries: u64, size: u64, whole: bool },
    /// A client removed a file or an empty directory.
    DoorRemoved { door: Door, account: String, path: RelPath },
    /// Somebody deleted a file, a link, or a folder with all that is in it: it lies in the trash.
    DoorTrashed { door: Door, account: String, path: RelPath },
    /// Somebody took out of the trash what was at `from`.
    DoorRestored { door: Door, account: String, from: RelPath, to: RelPath },
    /// What `account` had deleted is gone for good: somebody said so, or its time was over.
    TrashEmptied { account: String, path: RelPath },
    /// A client moved something.
    DoorRenamed { door: Door, account: String, from: RelPath, to: RelPath },
    /// A client copied something inside the tree.
    DoorCopied { door: Door, account: String, from: RelPath, to: RelPath },
    /// A client made a directory.
    DoorDirMade { door: Door, account: String, path: RelPath },
    /// A client made a symbolic or hard link.
    DoorLinked { door: Door, account: String, path: RelPath },
    /// A client changed times, mode or size of something.
    DoorAttributes { door: Door, account: String, path: RelPath },
    /// The head of this log was copied to a file outside.
    CheckpointWritten { seq: i64, hash: String },
}
