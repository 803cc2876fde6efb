use std::collections::BTreeSet;

use super::*;
use crate::diagnose::evidence::{Greeting, Way};
use crate::diagnose::finding::Confidence;
use crate::diagnose::step::Step;
use crate::manners::Remedy;

fn evidence(facts: Vec<(&str, Fact)>) -> Vec<Seen> {
    let seen = |(at, (against, fact)): (usize, (&str, Fact))| Seen {
        id: at + 1,
        step: Step::Names,
        at: 0.0,
        against: against.to_owned(),
        fact,
    };
    facts.into_iter().enumerate().map(seen).collect()
}

fn well(millis: u64) -> Outcome {
    Outcome { millis, ..Outcome::default() }
}

fn failed(kind: FaultKind) -> Outcome {
    Outcome { failed: Some(kind), ..Outcome::default() }
}

fn said(kind: FaultKind, code: u32, words: &str) -> Outcome {
    Outcome { failed: Some(kind), code: Some(code), words: words.to_owned(), ..Outcome::default() }
}

fn moved(bytes: u64, outcome: Outcome, segment: Option<u32>) -> Fact {
    Fact::Moved(Moved {
        what: "a file".to_owned(),
        way: Way::Epsv,
        wanted: Some(5000),
        bytes,
        segment,
        resumed: None,
        farewell: None,
        outcome,
        closing: None,
    })
}

fn port(way: Way, tls: bool, outcome: Outcome) -> Fact {
    Fact::DataPort { way, tls, announced: "10.9.8.7:4000".parse().ok(), outcome }
}

fn held(keep: Keep, seconds: f64, asked: bool, outcome: Outcome) -> Fact {
    Fact::Held { keep, seconds, asked, outcome }
}

/// A server in good order.
fn clean() -> Vec<(&'static str, Fact)> {
    let mut facts = vec![
        ("h", Fact::Named { addresses: vec!["192.0.2.1".parse().unwrap()], outcome: well(1) }),
        ("h", Fact::Greeted { greeting: Greeting::Ftp, outcome: well(20) }),
        ("h", Fact::Auth { outcome: well(2) }),
        ("h", Fact::Secured { agreed: Some("TLS 1.3".to_owned()), outcome: well(40) }),
        ("h", Fact::LoggedIn { tls: true, outcome: well(30) }),
        ("h", Fact::Listed { entries: 3, unparsed: 0, undecodable: 0, admits: None }),
        ("h", Fact::Clock { minutes: 0, files: 5 }),
        ("h", moved(5000, well(30), None)),
        ("h", Fact::Burst { number: 30, outcome: well(9) }),
    ];
    facts.extend((0..5).map(|_| ("192.0.2.1:21", Fact::Connected { outcome: well(10) })));
    facts.push(("192.0.2.1:21", Fact::Hop { hops: 1, outcome: failed(FaultKind::Unreachable) }));
    facts.push(("192.0.2.1:21", Fact::Hop { hops: 2, outcome: well(10) }));
    facts.extend([Way::Epsv, Way::Pasv, Way::Announced].map(|way| ("h", port(way, true, well(5)))));
    // Nobody from outside reaches us as a rule, and that is no trouble.
    facts.push(("h", port(Way::Active, true, failed(FaultKind::Timeout))));
    facts.extend((1..=10).map(|number| ("h", Fact::Opened { number, outcome: well(30) })));
    facts.extend([10.0, 60.0, 120.0].map(|age| ("h", held(Keep::Nothing, age, true, well(1)))));
    facts
}

fn with(more: Vec<(&'static str, Fact)>) -> Vec<Seen> {
    evidence([clean(), more].concat())
}

#[test]
fn a_clean_server_has_no_cause_and_nothing_has_none() {
    let found = judge(&with(Vec::new()));
    assert!(found.is_empty(), "{found:#?}");
    assert!(judge(&[]).is_empty());
}

#[test]
fn the_table_has_each_cause_once() {
    let names: BTreeSet<_> = RULES.iter().map(|rule| rule.cause).collect();
    assert_eq!(names.len(), RULES.len());
    assert!(names.len() >= 25, "{names:?}");
}

/// Each added to a server in good order, or alone where nothing else could be seen then.
#[test]
fn causes_are_named_by_their_marks() {
    let limit = said(FaultKind::Limit, 421, "Too many connections");
    let cases: Vec<(&str, Vec<Seen>)> = vec![
        (LIMIT, with(vec![("h", Fact::Opened { number: 11, outcome: limit })])),
        (WRONG_ADDRESS, with(vec![("h", port(Way::Announced, true, failed(FaultKind::Timeout)))])),
        (
            SHORT_LISTING,
            with(vec![("h", Fact::Listed { entries: 9, unparsed: 0, undecodable: 0, admits: Some("t".into()) })]),
        ),
        (ODD_NAMES, with(vec![("h", Fact::Listed { entries: 9, unparsed: 0, undecodable: 2, admits: None })])),
        (SHIFTED_CLOCK, with(vec![("h", Fact::Clock { minutes: 120, files: 5 })])),
        (DENIED, with(vec![("h", moved(0, said(FaultKind::Permission, 550, "no"), None))])),
        (BROKEN_FAMILY, with(vec![("[2001:db8::1]:21", Fact::Connected { outcome: failed(FaultKind::Timeout) })])),
        (SLOW_GREETING, with(vec![("h", Fact::Greeted { greeting: Greeting::Ftp, outcome: well(5100) })])),
        (LOSS, with(vec![("h", Fact::Connected { outcome: well(1010) })])),
        (RESETS, with(vec![("h", moved(900, failed(FaultKind::Reset), None))])),
        (
            EXHAUSTED_PORTS,
            with(vec![("h", Fact::Burst { number: 12, outcome: said(FaultKind::Refused, 425, "no port") })]),
        ),
        (
            MTU_HOLE,
            with(vec![
                ("h", moved(0, failed(FaultKind::Stalled), None)),
                ("h", moved(0, failed(FaultKind::Stalled), Some(1400))),
                ("h", moved(5000, well(9), Some(1200))),
            ]),
        ),
        (
            SSH_THERE,
            evidence(vec![("h", Fact::Greeted { greeting: Greeting::Ssh, outcome: failed(FaultKind::Protocol) })]),
        ),
        (NO_NAME, evidence(vec![("h", Fact::Named { addresses: vec![], outcome: failed(FaultKind::Unreachable) })])),
        (
            REJECTED,
            evidence(vec![
                ("h:21", Fact::Connected { outcome: failed(FaultKind::Refused) }),
                ("h:21", Fact::Hop { hops: 2, outcome: failed(FaultKind::Refused) }),
                ("h:22", Fact::Hop { hops: 4, outcome: well(9) }),
            ]),
        ),
        (CLOSED_PORT, evidence(vec![("h:21", Fact::Connected { outcome: failed(FaultKind::Refused) })])),
        (
            PASSIVE_CLOSED,
            evidence(vec![
                ("h", port(Way::Epsv, false, failed(FaultKind::Timeout))),
                ("h", port(Way::Pasv, false, failed(FaultKind::Timeout))),
            ]),
        ),
        (
            BLIND_HELPER,
            evidence(vec![
                ("h", port(Way::Epsv, true, failed(FaultKind::Timeout))),
                ("h", port(Way::Epsv, false, well(5))),
            ]),
        ),
        (
            EPSV_LOST,
            evidence(vec![
                ("h", port(Way::Epsv, false, failed(FaultKind::Timeout))),
                ("h", port(Way::Pasv, false, well(5))),
            ]),
        ),
    ];
    assert_cases(cases);
}

/// The same for SSH and WebDAV.
#[test]
fn causes_of_sftp_and_webdav_are_named_by_their_marks() {
    let names = |all: &[&str]| all.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let offer = |kex: &[&str], keys: &[&str], ciphers: &[&str]| Fact::Algorithms {
        kex: names(kex),
        host_keys: names(keys),
        ciphers: names(ciphers),
        outcome: well(9),
    };
    let knock = |number, outcome| ("h", Fact::Knocked { number, outcome });
    let asked = |method: &str, dav: Option<&str>, outcome: Outcome| {
        ("h", Fact::Asked { method: method.to_owned(), dav: dav.map(str::to_owned), outcome })
    };
    let status = |code| Outcome { code: Some(code), ..well(3) };
    let key = Outcome { words: "the host key of h is another than the pinned one".into(), ..failed(FaultKind::Tls) };
    assert_cases(vec![
        (CHANGED_HOST_KEY, evidence(vec![("h", Fact::Secured { agreed: None, outcome: key })])),
        (OLD_SSH, evidence(vec![("h", offer(&["diffie-hellman-group1-sha1"], &["ssh-ed25519"], &["aes128-ctr"]))])),
        (OLD_SSH, evidence(vec![("h", offer(&["curve25519-sha256"], &["ssh-dss"], &["aes128-ctr", "3des-cbc"]))])),
        (
            STRANGERS_REFUSED,
            evidence(vec![
                knock(1, well(3)),
                knock(2, well(3)),
                knock(3, failed(FaultKind::ClosedEarly)),
                knock(4, failed(FaultKind::Limit)),
            ]),
        ),
        (
            NO_DAV,
            evidence(vec![
                asked("OPTIONS", None, status(200)),
                asked("PROPFIND", None, said(FaultKind::Unsupported, 405, "Not Allowed")),
            ]),
        ),
        (NO_LOCKS, evidence(vec![asked("OPTIONS", Some("1, 3"), status(200)), asked("PROPFIND", None, status(207))])),
        (NO_RANGES, evidence(vec![asked("GET", None, status(200))])),
        (NO_CHUNKED, evidence(vec![asked("chunked PUT", None, said(FaultKind::Protocol, 411, "Length Required"))])),
        (
            NO_CHUNKED,
            evidence(vec![
                asked("chunked PUT", None, status(201)),
                asked("chunked PUT", None, failed(FaultKind::Mismatch)),
            ]),
        ),
        (
            IDLE_LOCKS,
            evidence(vec![
                asked("OPTIONS", Some("1, 2"), status(200)),
                asked("LOCK", None, said(FaultKind::Unsupported, 405, "Not Allowed")),
            ]),
        ),
        (
            IDLE_LOCKS,
            evidence(vec![
                asked("OPTIONS", Some("1,2"), status(200)),
                asked("LOCK", None, status(200)),
                asked("PUT against the lock", None, status(204)),
            ]),
        ),
    ]);
    let good = evidence(vec![
        (
            "h",
            offer(&["sntrup761x25519-sha512", "kex-strict-s-v00@openssh.com"], &["ssh-rsa", "ssh-ed25519"], &["aes"]),
        ),
        knock(1, well(3)),
        asked("OPTIONS", Some("1, 2"), status(200)),
        asked("PROPFIND", None, status(207)),
        asked("GET", None, status(206)),
        asked("chunked PUT", None, status(201)),
        asked("LOCK", None, status(200)),
        asked("PUT against the lock", None, said(FaultKind::Protocol, 423, "Locked")),
        // Who may not write said nothing about chunks.
        asked("chunked PUT", None, said(FaultKind::Permission, 403, "Forbidden")),
    ]);
    assert!(judge(&good).is_empty(), "{:#?}", judge(&good));
    let limit = evidence(vec![
        ("h", Fact::Opened { number: 1, outcome: well(3) }),
        ("h", Fact::Opened { number: 2, outcome: failed(FaultKind::Limit) }),
    ]);
    let found = judge_of(Protocol::Sftp, &limit);
    assert!(found[0].there.iter().all(|advice| advice.product == "OpenSSH"), "{found:#?}");
    assert!(found[0].remedies.is_empty(), "only the FTP client uses them");
}

/// Chunks are to blame where the same upload with its length is taken.
#[test]
fn a_server_that_takes_no_upload_at_all_says_nothing_about_chunks() {
    let broken = || said(FaultKind::Protocol, 500, "Internal Server Error");
    for (with_length, named) in [(broken(), None), (well(3), Some(NO_CHUNKED))] {
        let put = |method: &str, outcome| ("h", Fact::Asked { method: method.to_owned(), dav: None, outcome });
        let found = judge(&evidence(vec![put("chunked PUT", broken()), put("PUT", with_length)]));
        assert_eq!(found.first().map(|found| &*found.cause), named, "{found:#?}");
    }
}

/// By 20 packets lost of 100 the lab saw just that: a stall in full segments after many of them, and none in shorter ones.
#[test]
fn a_stall_after_many_long_packets_is_no_hole_for_long_ones() {
    for (bytes, named) in [(679_112, None), (1448, Some(MTU_HOLE))] {
        let stalled = moved(bytes, failed(FaultKind::Stalled), None);
        let found = judge(&evidence(vec![("h", stalled), ("h", moved(65_688, well(9), Some(1440)))]));
        assert_eq!(found.first().map(|found| &*found.cause), named, "{bytes}: {found:#?}");
    }
}

fn assert_cases(cases: Vec<(&str, Vec<Seen>)>) {
    for (cause, seen) in cases {
        let found = judge(&seen);
        let first = found.first().unwrap_or_else(|| panic!("{cause} was not found"));
        assert_eq!(first.cause, cause, "{found:#?}");
        assert!(first.evidence.iter().chain(&first.against).all(|id| (1..=seen.len()).contains(id)), "{first:?}");
        assert!(!first.here.is_empty() && !first.there.is_empty(), "{first:?}");
    }
}

/// The same death at the same age is three causes, and what keeps a connection alive tells which.
#[test]
fn what_keeps_an_idle_connection_alive_tells_who_ends_it() {
    let idle = |asked: bool, died: &Outcome, keepalive: bool, noop: bool| {
        let kept = |lives: bool| if lives { well(1) } else { died.clone() };
        evidence(vec![
            ("h", held(Keep::Nothing, 18.0, true, well(1))),
            ("h", held(Keep::Nothing, 20.0, asked, died.clone())),
            ("h", held(Keep::Nothing, 40.0, asked, died.clone())),
            ("h", held(Keep::Keepalive(6), if keepalive { 27.0 } else { 20.0 }, asked, kept(keepalive))),
            ("h", held(Keep::Noop(6), if noop { 27.0 } else { 20.0 }, asked, kept(noop))),
        ])
    };
    let (reset, farewell) = (failed(FaultKind::Reset), said(FaultKind::ClosedEarly, 421, "Timeout."));
    let nat = judge(&idle(true, &reset, true, true));
    assert_eq!((&*nat[0].cause, nat[0].confidence), (NAT_AGEING, Confidence::Shown));
    assert_eq!(nat[0].remedies, [Remedy::Keepalive { seconds: 6 }]);
    assert!(nat[0].sentence.contains("idle for 19 s (± 1 s), and answers the next packet with a reset"), "{nat:?}");
    assert_eq!(judge(&idle(false, &farewell, false, true))[0].cause, IDLE_TIMER);
    assert_eq!(judge(&idle(false, &failed(FaultKind::Reset), false, false))[0].cause, LIFETIME);
    // Who died was younger than who lived: no timer.
    let mut chance = idle(true, &reset, true, true);
    chance.push(Seen { id: 6, fact: held(Keep::Nothing, 60.0, true, well(1)), ..chance[0].clone() });
    assert!(judge(&chance).is_empty());
}

/// Who has no IPv6 says nothing about a server that has it, and who refuses by it does.
#[test]
fn a_family_that_we_do_not_have_is_not_broken() {
    let tried = |errno| Outcome { errno: Some(errno), ..failed(FaultKind::Unreachable) };
    let (no_network, no_host) = (101, 113);
    for (errno, named) in [(no_network, None), (no_host, Some(BROKEN_FAMILY))] {
        let found = judge(&with(vec![("[2001:db8::1]:21", Fact::Connected { outcome: tried(errno) })]));
        assert_eq!(found.first().map(|found| &*found.cause), named, "{errno}: {found:#?}");
    }
}

/// One late connection of five is enough; of the many of later steps it takes two.
#[test]
fn late_connections_of_any_step_tell_of_loss() {
    let late = |step, many: usize| {
        let mut seen = with(vec![("h", Fact::Connected { outcome: well(1010) }); many]);
        seen.iter_mut().rev().take(many).for_each(|one| one.step = step);
        judge(&seen).first().map(|found| found.cause.to_string())
    };
    let loss = Some(LOSS.to_owned());
    assert_eq!((late(Step::Connect, 1), late(Step::Ramp, 1), late(Step::Ramp, 2)), (loss.clone(), None, loss));
}

/// Three that are refused after others were not; at a limit one more is refused as often as it is tried.
#[test]
fn a_server_that_is_refused_now_and_then_restarts() {
    let refused = |step, many: usize| {
        let mut seen = with(vec![("h", Fact::Connected { outcome: failed(FaultKind::Refused) }); many]);
        seen.iter_mut().rev().take(many).for_each(|one| one.step = step);
        judge(&seen).first().map(|found| found.cause.to_string())
    };
    let restarts = Some(RESTARTS.to_owned());
    assert_eq!((refused(Step::Channel, 3), refused(Step::Channel, 2), refused(Step::Ramp, 3)), (restarts, None, None));
}

#[test]
fn resets_with_another_time_to_live_are_evidence_for_somebody_on_the_way() {
    for (theirs, reset_life, more) in [(2, Some(61), true), (2, Some(58), false), (0, None, false)] {
        let captured = Fact::Captured { packets: 90, theirs, ours: 0, life: Some(58), reset_life, kept: None };
        let seen = evidence(vec![("f", moved(100, failed(FaultKind::Reset), None)), ("s", captured)]);
        let found = judge(&seen);
        assert_eq!(found.first().map(|found| &*found.cause), Some(RESETS));
        assert_eq!(found[0].evidence.contains(&2), more, "{found:#?}");
    }
}
