//! The rules, one file each: pure functions from evidence to a finding. The table is their order: of two that are
//! equally sure the upper one is named first.

mod bad_login;
mod blind_helper;
mod broken_family;
mod certificate;
mod changed_host_key;
mod clear_refused;
mod close_notify;
mod closed_port;
mod denied_folder;
mod dropped;
mod epsv_lost;
mod exhausted_ports;
mod explicit_only;
mod idle_locks;
mod idle_timer;
mod implicit_tls;
mod inspection;
mod lifetime;
mod limit;
mod loss;
mod lost_closing;
mod mtu_hole;
mod nat_ageing;
mod no_chunked;
mod no_dav;
mod no_locks;
mod no_name;
mod no_ranges;
mod no_tls;
mod not_ftp;
mod odd_names;
mod old_ssh;
mod old_tls;
mod other_source;
mod passive_closed;
mod rejected;
mod resets;
mod restarts;
mod session_reuse;
mod shifted_clock;
mod short_listing;
mod slow_greeting;
mod ssh_there;
mod strangers_refused;
mod turned_away;
mod unspoken_limit;
mod wrong_address;

#[cfg(test)]
mod tests;

use super::evidence::{Fact, Keep, Moved, Outcome, Seen};
use super::finding::Finding;
use crate::model::{FaultKind, Protocol};

const NO_NAME: &str = "no-name";
const BROKEN_FAMILY: &str = "broken-family";
const DROPPED: &str = "dropped";
const REJECTED: &str = "rejected";
const CLOSED_PORT: &str = "closed-port";
const SSH_THERE: &str = "ssh-there";
const NOT_FTP: &str = "not-ftp";
const TURNED_AWAY: &str = "turned-away";
const IMPLICIT_TLS: &str = "implicit-tls";
const EXPLICIT_ONLY: &str = "explicit-only";
const SLOW_GREETING: &str = "slow-greeting";
const NO_TLS: &str = "no-tls";
const OLD_TLS: &str = "old-tls";
const CERTIFICATE: &str = "certificate";
const CLEAR_REFUSED: &str = "clear-refused";
const BAD_LOGIN: &str = "bad-login";
const INSPECTION: &str = "inspection";
const MTU_HOLE: &str = "mtu-hole";
const WRONG_ADDRESS: &str = "wrong-address";
const OTHER_SOURCE: &str = "other-source";
const BLIND_HELPER: &str = "blind-helper";
const PASSIVE_CLOSED: &str = "passive-closed";
const EPSV_LOST: &str = "epsv-lost";
const SESSION_REUSE: &str = "session-reuse";
const CLOSE_NOTIFY: &str = "close-notify";
const LIMIT: &str = "limit";
const UNSPOKEN_LIMIT: &str = "unspoken-limit";
const NAT_AGEING: &str = "nat-ageing";
const IDLE_TIMER: &str = "idle-timer";
const LIFETIME: &str = "lifetime";
const LOST_CLOSING: &str = "lost-closing";
const RESETS: &str = "resets";
const RESTARTS: &str = "restarts";
const EXHAUSTED_PORTS: &str = "exhausted-ports";
const DENIED: &str = "denied-folder";
const SHORT_LISTING: &str = "short-listing";
const ODD_NAMES: &str = "odd-names";
const SHIFTED_CLOCK: &str = "shifted-clock";
const LOSS: &str = "loss";
const CHANGED_HOST_KEY: &str = "changed-host-key";
const OLD_SSH: &str = "old-ssh";
const STRANGERS_REFUSED: &str = "strangers-refused";
const NO_DAV: &str = "no-webdav";
const NO_LOCKS: &str = "no-locks";
const NO_RANGES: &str = "no-ranges";
const NO_CHUNKED: &str = "no-chunked";
const IDLE_LOCKS: &str = "idle-locks";

/// One cause and how it is recognised.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// Its name, stable.
    pub cause: &'static str,
    judge: fn(&View<'_>) -> Option<Finding>,
}

/// All of them.
pub const RULES: &[Rule] = &[
    Rule { cause: NO_NAME, judge: no_name::judge },
    Rule { cause: BROKEN_FAMILY, judge: broken_family::judge },
    Rule { cause: DROPPED, judge: dropped::judge },
    Rule { cause: REJECTED, judge: rejected::judge },
    Rule { cause: CLOSED_PORT, judge: closed_port::judge },
    Rule { cause: SSH_THERE, judge: ssh_there::judge },
    Rule { cause: NOT_FTP, judge: not_ftp::judge },
    Rule { cause: TURNED_AWAY, judge: turned_away::judge },
    Rule { cause: IMPLICIT_TLS, judge: implicit_tls::judge },
    Rule { cause: EXPLICIT_ONLY, judge: explicit_only::judge },
    Rule { cause: SLOW_GREETING, judge: slow_greeting::judge },
    Rule { cause: NO_TLS, judge: no_tls::judge },
    Rule { cause: OLD_TLS, judge: old_tls::judge },
    Rule { cause: CERTIFICATE, judge: certificate::judge },
    Rule { cause: CLEAR_REFUSED, judge: clear_refused::judge },
    Rule { cause: BAD_LOGIN, judge: bad_login::judge },
    Rule { cause: INSPECTION, judge: inspection::judge },
    Rule { cause: MTU_HOLE, judge: mtu_hole::judge },
    Rule { cause: WRONG_ADDRESS, judge: wrong_address::judge },
    Rule { cause: OTHER_SOURCE, judge: other_source::judge },
    Rule { cause: BLIND_HELPER, judge: blind_helper::judge },
    Rule { cause: PASSIVE_CLOSED, judge: passive_closed::judge },
    Rule { cause: EPSV_LOST, judge: epsv_lost::judge },
    Rule { cause: SESSION_REUSE, judge: session_reuse::judge },
    Rule { cause: CLOSE_NOTIFY, judge: close_notify::judge },
    Rule { cause: LIMIT, judge: limit::judge },
    Rule { cause: UNSPOKEN_LIMIT, judge: unspoken_limit::judge },
    Rule { cause: NAT_AGEING, judge: nat_ageing::judge },
    Rule { cause: IDLE_TIMER, judge: idle_timer::judge },
    Rule { cause: LIFETIME, judge: lifetime::judge },
    Rule { cause: LOST_CLOSING, judge: lost_closing::judge },
    Rule { cause: RESETS, judge: resets::judge },
    Rule { cause: RESTARTS, judge: restarts::judge },
    Rule { cause: EXHAUSTED_PORTS, judge: exhausted_ports::judge },
    Rule { cause: DENIED, judge: denied_folder::judge },
    Rule { cause: SHORT_LISTING, judge: short_listing::judge },
    Rule { cause: ODD_NAMES, judge: odd_names::judge },
    Rule { cause: SHIFTED_CLOCK, judge: shifted_clock::judge },
    Rule { cause: LOSS, judge: loss::judge },
    Rule { cause: CHANGED_HOST_KEY, judge: changed_host_key::judge },
    Rule { cause: OLD_SSH, judge: old_ssh::judge },
    Rule { cause: STRANGERS_REFUSED, judge: strangers_refused::judge },
    Rule { cause: NO_DAV, judge: no_dav::judge },
    Rule { cause: NO_RANGES, judge: no_ranges::judge },
    Rule { cause: NO_CHUNKED, judge: no_chunked::judge },
    Rule { cause: IDLE_LOCKS, judge: idle_locks::judge },
    Rule { cause: NO_LOCKS, judge: no_locks::judge },
];

/// Products whose settings help with one protocol only.
const PRODUCTS: [(&str, &[&str]); 3] = [
    ("FTP", &["vsftpd", "proftpd", "pure-ftpd", "IIS"]),
    ("SFTP", &["OpenSSH", "SFTPGo"]),
    ("WebDAV", &["Apache", "nginx"]),
];

/// What follows from evidence of a protocol: only what helps there is said to.
#[must_use]
pub fn judge_of(protocol: Protocol, evidence: &[Seen]) -> Vec<Finding> {
    let mut found = judge(evidence);
    let family = protocol.family();
    let foreign = |product: &str| PRODUCTS.iter().any(|(other, all)| *other != family && all.contains(&product));
    for finding in &mut found {
        finding.there.retain(|advice| !foreign(&advice.product));
        if family != "FTP" {
            // They are used by the FTP client alone.
            finding.remedies.clear();
            finding.helped.clear();
        }
    }
    found
}

/// What follows from the evidence, the surest first. A finding without evidence is none.
#[must_use]
pub fn judge(evidence: &[Seen]) -> Vec<Finding> {
    let view = View(evidence);
    let found = RULES.iter().filter_map(|rule| (rule.judge)(&view));
    let mut found: Vec<Finding> = found.filter(|finding| !finding.evidence.is_empty()).collect();
    found.iter_mut().for_each(|finding| view.add_packets(finding));
    found.sort_by_key(|finding| std::cmp::Reverse(finding.confidence));
    found
}

/// Evidence, as rules look at it.
#[derive(Debug, Clone, Copy)]
pub struct View<'a>(&'a [Seen]);

/// One idle connection.
#[derive(Debug, Clone, Copy)]
struct Held<'a> {
    id: usize,
    keep: Keep,
    seconds: f64,
    asked: bool,
    outcome: &'a Outcome,
}

/// Idle connections of which some died, and all that died were idle for longer than all that lived.
#[derive(Debug)]
struct Ages<'a> {
    lived: Vec<Held<'a>>,
    died: Vec<Held<'a>>,
    /// The longest that lived, in seconds.
    most: f64,
    /// The shortest that died, in seconds.
    least: f64,
}

impl Ages<'_> {
    /// The two that say most, and all that died.
    fn ids(&self) -> impl Iterator<Item = usize> {
        let nearest = self.lived.iter().filter(|one| one.seconds >= self.most).map(|one| one.id);
        self.died.iter().map(|one| one.id).chain(nearest)
    }
}

/// Causes that stand on the way, not in the server.
const ON_THE_WAY: [&str; 2] = [NAT_AGEING, RESETS];

impl<'a> View<'a> {
    /// Resets that come with another time to live than the server's other packets say that somebody on the way sends them:
    /// for a finding that rests on resets, one line of evidence more.
    fn add_packets(&self, finding: &mut Finding) {
        let reset = |id: &usize| {
            let seen = id.checked_sub(1).and_then(|at| self.0.get(at));
            seen.and_then(|seen| seen.fact.outcome()).is_some_and(|outcome| outcome.is(FaultKind::Reset))
        };
        let foreign = self.ids(|fact| match fact {
            Fact::Captured { theirs: 1.., life: Some(life), reset_life: Some(reset), .. } => life != reset,
            _ => false,
        });
        if ON_THE_WAY.contains(&&*finding.cause) && finding.evidence.iter().any(reset) {
            finding.evidence.extend(foreign);
        }
    }

    fn all(&self) -> &'a [Seen] {
        self.0
    }

    fn seen(&self, is: impl Fn(&Seen) -> bool) -> Vec<usize> {
        self.0.iter().filter(|seen| is(seen)).map(|seen| seen.id).collect()
    }

    fn ids(&self, is: impl Fn(&Fact) -> bool) -> Vec<usize> {
        self.seen(|seen| is(&seen.fact))
    }

    fn any(&self, is: impl Fn(&Fact) -> bool) -> bool {
        self.0.iter().any(|seen| is(&seen.fact))
    }

    fn moved(&self) -> impl Iterator<Item = (usize, &'a Moved)> {
        self.0.iter().filter_map(|seen| match &seen.fact {
            Fact::Moved(moved) => Some((seen.id, moved)),
            _ => None,
        })
    }

    fn opened(&self) -> impl Iterator<Item = (usize, u16, &'a Outcome)> {
        self.0.iter().filter_map(|seen| match &seen.fact {
            Fact::Opened { number, outcome } => Some((seen.id, *number, outcome)),
            _ => None,
        })
    }

    fn held(&self) -> impl Iterator<Item = Held<'a>> {
        self.0.iter().filter_map(|seen| match &seen.fact {
            Fact::Held { keep, seconds, asked, outcome } => {
                Some(Held { id: seen.id, keep: *keep, seconds: *seconds, asked: *asked, outcome })
            }
            _ => None,
        })
    }

    /// Ages of connections with which nothing was sent. None: none died, or some that died were younger than one that
    /// lived, so that it was no timer.
    fn ages(&self) -> Option<Ages<'a>> {
        let (lived, died): (Vec<_>, Vec<_>) =
            self.held().filter(|one| one.keep == Keep::Nothing).partition(|one| one.outcome.is_well());
        let most = lived.iter().map(|one| one.seconds).fold(0.0, f64::max);
        let least = died.iter().map(|one| one.seconds).fold(f64::INFINITY, f64::min);
        // By chance nobody dies at the same age twice.
        let twice = died.len() >= 2 || died.iter().any(|one| !one.asked);
        (least.is_finite() && least > most && twice).then_some(Ages { lived, died, most, least })
    }

    /// Who refused the connection, and how many routers away. None: nobody did.
    fn refused_at(&self) -> Option<(usize, u32)> {
        self.0.iter().find_map(|seen| match &seen.fact {
            Fact::Hop { hops, outcome } if outcome.is(FaultKind::Refused) => Some((seen.id, *hops)),
            _ => None,
        })
    }

    /// How many routers away the host is, by another of its ports that connects.
    fn host_at(&self) -> Option<(usize, u32)> {
        self.0.iter().find_map(|seen| match &seen.fact {
            Fact::Hop { hops, outcome } if outcome.is_well() => Some((seen.id, *hops)),
            _ => None,
        })
    }
}

/// A third of an age, in whole seconds, one at least.
fn third(age: f64) -> u32 {
    u32::try_from(whole(age) / 3).unwrap_or(u32::MAX).max(1)
}

/// Whole seconds.
fn whole(age: f64) -> u64 {
    std::time::Duration::try_from_secs_f64(age + 0.5).map_or(0, |age| age.as_secs())
}
