//! What the events of the audit log are called on its page: the kind in a few words, what happened in a sentence.

use crate::audit::{CertificateShown, Event, LoginMethod, LoginRefusal, RunOutcome};
use crate::model::{Access, Door, RelPath};
use crate::web::problem::sentence;
use crate::web::show;

/// "login-succeeded" as people read it.
pub(super) fn kind(action: &str) -> String {
    sentence(&action.replace('-', " ")).trim_end_matches('.').to_owned()
}

/// What happened, as a sentence. A test holds every event to one.
pub(super) fn told(event: &Event) -> String {
    let parts = [of_the_house, of_an_account, of_a_job, of_a_run, of_a_door];
    sentence(&parts.iter().find_map(|told| told(event)).unwrap_or_default())
}

fn of_the_house(event: &Event) -> Option<String> {
    Some(match event {
        Event::ServiceStarted { version } => format!("Causeway {version} came up"),
        Event::ServiceStopped { drained: true } => "Causeway went down in good order".to_owned(),
        Event::ServiceStopped { drained: false } => "Causeway went down and cut off what did not end".to_owned(),
        Event::CheckpointWritten { seq, .. } => format!("The log up to entry {seq} was sealed outside of it"),
        Event::PeerLocked { peer, until } => format!("{peer} is locked out until {until:.0}, after too many failures"),
        Event::Unlocked { subject } => format!("“{subject}” may try again"),
        Event::LoginSucceeded { account, door, peer, method, with, certificate, app_password } => {
            let shown: Vec<_> = std::iter::once(method).chain(with).map(|method| by(*method)).collect();
            let which = which(certificate.as_ref(), app_password.as_deref());
            format!("“{account}” came in {} by {}{which}, from {peer}", at(*door), shown.join(" and "))
        }
        Event::LoginPartial { account, door, peer, method } => {
            format!("The {} of “{account}” was right {}, from {peer}: more is asked for", by(*method), at(*door))
        }
        Event::LoginFailed { account, door, peer, method, reason, certificate, app_password } => {
            let which = which(certificate.as_ref(), app_password.as_deref());
            // A bearer token that nobody knows names nobody.
            let who = if account.is_empty() { "somebody".to_owned() } else { format!("“{account}”") };
            format!("{who} was turned away {} from {peer}: {}{which}", at(*door), why(*reason, *method))
        }
        Event::HostKeyChanged { fingerprint } => format!("The host key {fingerprint} is shown from the next start on"),
        Event::AuthorityAdded { fingerprint, name } => format!("Certificates of {name} ({fingerprint}) are accepted"),
        Event::AuthorityRemoved { fingerprint } => format!("Certificates of {fingerprint} are accepted no more"),
        Event::CertificateRevoked { authority, subject } => format!("Revoked {subject} of {authority}"),
        Event::TrashEmptied { account, path } => {
            format!("{} is gone for good, which “{account}” had put into the trash", named(path))
        }
        Event::SignedOut { account } => format!("“{account}” signed out"),
        _ => return None,
    })
}

fn of_an_account(event: &Event) -> Option<String> {
    Some(match event {
        Event::AccountLocked { account, peer, until } => {
            let whom = peer.as_deref().unwrap_or("addresses that it does not know");
            format!("“{account}” is locked for {whom} until {until:.0}, after too many failures")
        }
        Event::AccountCreated { account, home, access, admin } => {
            let may = may(*access);
            let admin = if *admin { ", and administer" } else { "" };
            format!("“{account}” {may} in /{}{admin}", home.display())
        }
        Event::AppPasswordMade { account, label, folder, access, expires } => {
            let may = may(*access);
            let end = expires.map(|end| format!(", until {end:.0}")).unwrap_or_default();
            format!(
                "“{account}” has an app password for “{label}”, which {may} in {} of its folder{end}",
                named(folder)
            )
        }
        Event::AppPasswordRemoved { account, label } => {
            format!("The app password of “{account}” for “{label}” is gone")
        }
        Event::ShareMade { account, share, path, kind, with_password, expires, most, room } => {
            let password = if *with_password { ", by a password" } else { "" };
            let end = expires.map(|end| format!(", until {end:.0}")).unwrap_or_default();
            let most =
                most.map(|most| format!(", at most {}", show::plural(most.into(), "use", "uses"))).unwrap_or_default();
            let room = room.map(|room| format!(", for {}", show::bytes(room))).unwrap_or_default();
            format!(
                "“{account}” shares the {} {} by link {share}{password}{end}{most}{room}",
                kind.words(),
                named(path)
            )
        }
        Event::ShareEnded { account, share } => format!("Link {share} of “{account}” opens nothing any more"),
        Event::ShareLocked { share, until } => {
            format!("Link {share} asks for no password until {until:.0}, after too many wrong ones")
        }
        Event::ShareUsed { share, path, peer, used, .. } => {
            format!(
                "Link {share} to {} was used from {peer}, {} so far",
                named(path),
                show::plural((*used).into(), "use", "uses")
            )
        }
        Event::AccountChanged { account, changed } => format!("“{account}”: changed {}", changed.join(", ")),
        Event::PasswordChanged { account } => format!("“{account}” has a new password"),
        Event::AccountRemoved { account } => format!("“{account}” is gone"),
        Event::OutdatedClient { account, peer, client, algorithms } => {
            format!("“{account}” from {peer} with {client}: only by {}", algorithms.join(", "))
        }
        Event::Disconnected { account, door, peer } => format!("“{account}” from {peer}, by {door}"),
        Event::SecondFactorAdded { account } => format!("“{account}” has a second factor"),
        Event::SecondFactorRemoved { account } => format!("“{account}” has no second factor any more"),
        Event::KeyAdded { account, fingerprint } => format!("“{account}” may come in with the key {fingerprint}"),
        Event::KeyRemoved { account, fingerprint } => {
            format!("“{account}” may no longer come in with the key {fingerprint}")
        }
        _ => return None,
    })
}

fn of_a_job(event: &Event) -> Option<String> {
    Some(match event {
        Event::EndpointCreated { endpoint, url } => format!("Endpoint {endpoint} is {url}"),
        Event::EndpointChanged { endpoint, url, changed } => {
            format!("Endpoint {endpoint}, {url}: changed {}", changed.join(", "))
        }
        Event::EndpointRemoved { endpoint, url } => format!("Endpoint {endpoint}, {url}, is gone"),
        Event::JobCreated { job, name } => format!("Job {job} is “{name}”"),
        Event::JobChanged { job, name, changed } => format!("Job {job}, “{name}”: changed {}", changed.join(", ")),
        Event::JobPaused { job, name } => format!("Job {job}, “{name}”, rests"),
        Event::JobResumed { job, name } => format!("Job {job}, “{name}”, goes on"),
        Event::JobRemoved { job, name } => format!("Job {job}, “{name}”, is gone"),
        Event::JobDrilled { name, exercise, passed, lost, noticed_ms, resumed_ms, .. } => {
            let came = match (passed, lost) {
                (true, _) => "nothing lost",
                (false, 0) => "it did not end well",
                (false, _) => "FILES WERE LOST",
            };
            let after =
                |what: &str, ms: &Option<u64>| ms.map(|ms| format!(", {what} after {ms} ms")).unwrap_or_default();
            let times = format!("{}{}", after("noticed", noticed_ms), after("went on", resumed_ms));
            format!("“{name}” was drilled ({}): {came}{times}", exercise.replace('-', " "))
        }
        Event::PartsRemoved { job, parts } => {
            format!(
                "What job {job}, which is gone, had half copied is gone too: {}",
                show::plural(*parts, "file", "files")
            )
        }
        Event::RunsForgotten { runs } => {
            format!("The rows of {} were removed from the job store", show::plural(*runs, "old run", "old runs"))
        }
        Event::SurveyStarted { survey, url, .. } => format!("Survey {survey} of {url} began"),
        Event::DiagnosisStarted { diagnosis, url, .. } => format!("Diagnosis {diagnosis} of {url} began"),
        Event::RemedyTried { diagnosis, url, remedy, helps } => {
            let came = if *helps { "it helps, and is used from now on" } else { "no difference was shown" };
            format!("Diagnosis {diagnosis} of {url}: tried {remedy}: {came}")
        }
        Event::IncidentOpened { incident, what } => format!("Incident {incident} opened: {what}"),
        Event::IncidentClosed { incident, what, faults } => {
            format!("Incident {incident} closed after {}: {what}", show::plural(*faults, "fault", "faults"))
        }
        Event::AlarmBegan { alarm, what } => format!("Alarm {alarm}: {what}"),
        Event::AlarmEnded { alarm, what, why } => format!("Alarm {alarm} is over, {why}: {what}"),
        Event::ComparisonMade { set, name, endpoints } => {
            let endpoints = show::plural(u64::try_from(endpoints.len()).unwrap_or_default(), "endpoint", "endpoints");
            format!("Comparison {set}, “{name}”, visits {endpoints}")
        }
        Event::ComparisonChanged { set, name, on: true } => {
            format!("Comparison {set}, “{name}”, was set anew and is on")
        }
        Event::ComparisonChanged { set, name, on: false } => format!("Comparison {set}, “{name}”, is off"),
        Event::ComparisonRemoved { set, name } => format!("Comparison {set}, “{name}”, is gone with all that it saw"),
        Event::StartSkipped { job, active } => format!("Job {job} was not started: run {active} was still under way"),
        _ => return None,
    })
}

fn of_a_run(event: &Event) -> Option<String> {
    Some(match event {
        Event::RunQueued { job, run, cause } => format!("Run {run} of job {job} waits for a worker ({cause})"),
        Event::RunStarted { job, run, attempt: 1 } => format!("Run {run} of job {job} began"),
        Event::RunStarted { job, run, attempt } => {
            format!("Run {run} of job {job} was taken up, for the {attempt}. time")
        }
        Event::RunEnded { job, run, outcome, files, bytes, failed } => {
            let files = show::plural(*files, "file", "files");
            format!(
                "Run {run} of job {job} {}: {files} copied, {}, {} missing",
                ended(*outcome),
                show::bytes(*bytes),
                show::count(*failed)
            )
        }
        Event::RunPaused { job, run } => format!("Run {run} of job {job} is to rest"),
        Event::RunResumed { job, run } => format!("Run {run} of job {job} is to go on"),
        Event::RunCancelled { job, run } => format!("Run {run} of job {job} is to stop"),
        Event::FilePublished { run, path, size, digest, proof } => {
            let (algorithm, hex) = (digest.algorithm().label(), digest.hex());
            let digest: String = hex.chars().take(16).collect();
            let how = proof.as_ref().map(|proof| format!(", proven by {}", proof.method())).unwrap_or_default();
            format!(
                "Run {run} put {} in place, {}, with the {algorithm} {digest}…{how}",
                named(path),
                show::bytes(*size)
            )
        }
        Event::FileAdopted { run, path, size } => {
            format!("Run {run} took {} as it lay there, {}, without proof", named(path), show::bytes(*size))
        }
        Event::FileTrashed { run, path, .. } => format!("Run {run} moved {} to the trash", named(path)),
        Event::ManifestWritten { run, files, sha256, .. } => {
            let digest: String = sha256.chars().take(16).collect();
            format!("The manifest of run {run} was signed: {} files, SHA-256 {digest}…", show::count(*files))
        }
        Event::DirMade { run, path } => format!("Run {run} made the folder {}", named(path)),
        Event::ModeSet { run, path } => format!("Run {run} set the permission bits of {}", named(path)),
        Event::LinkMade { run, path } => format!("Run {run} made the link {}", named(path)),
        _ => return None,
    })
}

fn of_a_door(event: &Event) -> Option<String> {
    let (door, did) = match event {
        Event::DoorUploaded { door, path, size, .. } => {
            (door, format!("uploaded {}, {}", named(path), show::bytes(*size)))
        }
        Event::DoorArchived { door, path, format, entries, size, whole, .. } => {
            let entries = show::plural(*entries, "entry", "entries");
            let broken = if *whole { "" } else { ", which broke off" };
            let size = show::bytes(*size);
            (door, format!("fetched {} as {format}: {entries}, {size}{broken}", named(path)))
        }
        Event::DoorTrashed { door, path, .. } => (door, format!("put {} into the trash", named(path))),
        Event::DoorRestored { door, from, to, .. } => {
            (door, format!("took {} out of the trash, to {}", named(from), named(to)))
        }
        Event::DoorRemoved { door, path, .. } => (door, format!("removed {}", named(path))),
        Event::DoorRenamed { door, from, to, .. } => (door, format!("renamed {} to {}", named(from), named(to))),
        Event::DoorCopied { door, from, to, .. } => (door, format!("copied {} to {}", named(from), named(to))),
        Event::DoorDirMade { door, path, .. } => (door, format!("made the folder {}", named(path))),
        Event::DoorLinked { door, path, .. } => (door, format!("made the link {}", named(path))),
        Event::DoorAttributes { door, path, .. } => (door, format!("changed times, mode or size of {}", named(path))),
        _ => return None,
    };
    Some(format!("{did} {}", at(*door)))
}

fn named(path: &RelPath) -> String {
    format!("/{}", path.display())
}

const fn at(door: Door) -> &'static str {
    match door {
        Door::Sftp => "over SFTP",
        Door::Dav => "over WebDAV",
        Door::Files => "over HTTPS",
        Door::Web => "through the dashboard",
        Door::Share => "by a shared link",
        Door::Cli => "at the command line",
    }
}

const fn may(access: Access) -> &'static str {
    match access {
        Access::ReadOnly => "may read",
        Access::ReadWrite => "may read and write",
    }
}

/// Which certificate or app password it was.
fn which(certificate: Option<&CertificateShown>, app_password: Option<&str>) -> String {
    match (certificate, app_password) {
        (Some(shown), _) => format!(" (“{}”, serial {}, of {})", shown.key_id, shown.serial, shown.authority),
        (None, Some(label)) => format!(" (“{label}”)"),
        (None, None) => String::new(),
    }
}

const fn by(method: LoginMethod) -> &'static str {
    match method {
        LoginMethod::Password => "password",
        LoginMethod::Key => "key",
        LoginMethod::Certificate => "certificate",
        LoginMethod::Code => "one-time code",
        LoginMethod::AppPassword => "app password",
    }
}

const fn why(reason: LoginRefusal, method: LoginMethod) -> &'static str {
    match (reason, method) {
        (LoginRefusal::Unknown, _) => "there is no such account",
        (LoginRefusal::Wrong, LoginMethod::Password) => "the password was wrong",
        (LoginRefusal::Wrong, LoginMethod::Key) => "the account has no such key",
        (LoginRefusal::Wrong, LoginMethod::Certificate) => "the account was changed meanwhile",
        (LoginRefusal::Wrong, LoginMethod::Code) | (LoginRefusal::WrongCode, _) => "the one-time code was wrong",
        (LoginRefusal::Wrong, LoginMethod::AppPassword) => "there is no such app password",
        (LoginRefusal::AppPasswordRemoved, _) => "the app password was removed",
        (LoginRefusal::AppPasswordExpired, _) => "the app password has expired",
        (LoginRefusal::Disabled, _) => "the account is switched off",
        (LoginRefusal::Locked, _) => "the account was locked",
        (LoginRefusal::NoPassword, _) => "the account has no password",
        (LoginRefusal::Method, _) => "the account requires something else",
        (LoginRefusal::Incomplete, _) => "the account requires more than can be shown there",
        (LoginRefusal::CertificateAuthority, _) => "who signed the certificate is no authority here",
        (LoginRefusal::CertificateRevoked, _) => "the certificate is revoked",
        (LoginRefusal::CertificateExpired, _) => "the certificate is not valid now",
        (LoginRefusal::CertificateKind, _) => "the certificate is for hosts, or its key or signature is too weak",
        (LoginRefusal::CertificatePrincipal, _) => "the certificate does not name the account",
        (LoginRefusal::CertificateAddress, _) => "the certificate does not hold from this address",
        (LoginRefusal::CertificateOption, _) => "the certificate has a critical option that is not known here",
    }
}

const fn ended(outcome: RunOutcome) -> &'static str {
    match outcome {
        RunOutcome::Complete => "is complete",
        RunOutcome::Incomplete => "ended incomplete",
        RunOutcome::Failed => "failed",
        RunOutcome::Cancelled => "was cancelled",
        RunOutcome::Interrupted => "was interrupted",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::audit::ACTIONS;
    use super::*;

    /// One event of a kind: whatever fields there are, serde takes those that the kind has.
    fn sample(action: &str) -> Event {
        let mut fields = json!({
            "action": action, "version": "1.2.3", "drained": true, "account": "anna", "door": "dav",
            "peer": "192.0.2.1:5000", "method": "password", "reason": "wrong", "until": "2026-01-02T03:04:05Z",
            "subject": "anna", "home": "a", "access": "read-only", "admin": false, "changed": ["home", "access"],
            "fingerprint": "SHA256:abc", "authority": "SHA256:def", "endpoint": 3, "url": "ftp://host/in", "job": 4, "name": "Nightly",
            "run": 5, "attempt": 1, "outcome": "complete", "files": 1234, "bytes": 5_000_000, "failed": 0,
            "cause": "schedule", "active": 6, "survey": 8, "path": "a/b c", "size": 1500, "sha256": "ab".repeat(32),
            "parts": 3, "runs": 12, "key": "ed25519:ab", "batch": "x", "from": "a/b", "to": "a/c", "seq": 7, "hash": "ef",
        });
        // The macro takes no more at a time.
        (fields["client"], fields["algorithms"]) = (json!("SSH-2.0-x"), json!(["ssh-rsa"]));
        (fields["share"], fields["kind"], fields["with_password"]) = (json!(9), json!("drop-box"), json!(true));
        (fields["exercise"], fields["passed"], fields["lost"]) = (json!("half-open"), json!(true), json!(0));
        (fields["noticed_ms"], fields["resumed_ms"]) = (json!(60_010), json!(61_200));
        (fields["used"], fields["most"]) = (json!(2), json!(3));
        (fields["diagnosis"], fields["remedy"], fields["helps"]) = (json!(2), json!("PASV instead"), json!(true));
        (fields["incident"], fields["what"], fields["faults"]) = (json!(4), json!("resets at h:21"), json!(7));
        (fields["alarm"], fields["why"]) = (json!(2), json!("it is as usual again"));
        (fields["set"], fields["endpoints"], fields["on"]) = (json!(1), json!([3, 4]), json!(true));
        (fields["format"], fields["entries"], fields["whole"]) = (json!("zip"), json!(4), json!(true));
        (fields["label"], fields["folder"], fields["app_password"]) = (json!("Laptop"), json!("a/b"), json!("Laptop"));
        serde_json::from_value(fields).unwrap()
    }

    #[test]
    fn every_event_is_a_sentence() {
        for action in ACTIONS {
            let said = told(&sample(action));
            let names = ["account:", "door:", "job:", "path:", "true", "false", "{", "\"", "_"];
            assert!(said.ends_with(['.', '…']) && said.contains(' '), "{action}: {said}");
            assert!(names.iter().all(|name| !said.contains(name)), "{action}: {said}");
        }
        let made = "“anna” has an app password for “Laptop”, which may read in /a/b of its folder.";
        assert_eq!(told(&sample("app-password-made")), made);
        assert_eq!(told(&sample("door-renamed")), "Renamed /a/b to /a/c over WebDAV.");
        assert_eq!(told(&sample("run-ended")), "Run 5 of job 4 is complete: 1,234 files copied, 5.0 MB, 0 missing.");
    }
}
