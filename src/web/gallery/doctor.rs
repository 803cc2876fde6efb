//! Incidents and diagnoses.

use super::*;
use crate::diagnose::alarm::{Alarm, Ending, Place};
use crate::diagnose::evidence::{Fact, Keep, Outcome, Seen};
use crate::diagnose::incident::{Entry, Incident, Kind, Likeness, Observed, Verdict};
use crate::diagnose::step::Step;
use crate::diagnose::{Report, Spent, Trial, rule};
use crate::manners::Remedy;
use crate::model::{AlarmId, FaultKind, IncidentId, Phase, Protocol};
use crate::reliability::Role;
use crate::reliability::alarm::{SLOT, Sign, Slot};
use crate::web::page::alarm::{self, AlarmPage, AlarmRow};
use crate::web::page::diagnosis::{DiagnosisPage, DiagnosisShown, GlimpsePart};
use crate::web::page::doctor::{DiagnosisRow, DoctorPage};
use crate::web::page::incident::{IncidentPage, IncidentRow, shown};
use crate::web::page::surveys::Choice;

fn now() -> jiff::Timestamp {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

/// Connections that were left idle, without anything and with keepalive.
fn evidence(kept: bool) -> Vec<Seen> {
    let reset = Outcome { failed: Some(FaultKind::Reset), errno: Some(104), ..Outcome::default() };
    let ages = [(5.0, true), (12.0, true), (18.0, true), (22.5, false), (30.0, false), (45.0, false)];
    let mut facts: Vec<Fact> = ages
        .iter()
        .map(|(seconds, lives)| Fact::Held {
            keep: Keep::Nothing,
            seconds: *seconds,
            asked: true,
            outcome: if *lives { Outcome::default() } else { reset.clone() },
        })
        .collect();
    if kept {
        let outcome = Outcome::default();
        facts.push(Fact::Held { keep: Keep::Keepalive(7), seconds: 54.0, asked: true, outcome });
    }
    facts.push(Fact::LeftOut { why: "no file is large enough".to_owned() });
    let seen = |(index, fact): (usize, Fact)| Seen {
        id: index + 1,
        step: Step::Hold,
        at: 12.5 + 3.0 * index as f64,
        against: "ftp.partner.example:21".into(),
        fact,
    };
    facts.into_iter().enumerate().map(seen).collect()
}

pub(super) fn incident_rows() -> Vec<IncidentRow> {
    incidents().iter().map(|incident| IncidentRow::of(incident, now())).collect()
}

pub(super) fn alarm_rows() -> Vec<AlarmRow> {
    alarms().iter().map(|alarm| AlarmRow::of(alarm, &incidents(), now())).collect()
}

fn alarms() -> Vec<Alarm> {
    let before = |minutes| now() - jiff::SignedDuration::from_mins(minutes);
    let slot = |number: i32| Slot {
        at: before(40) + SLOT * number,
        setup: Some(-0.6 + 0.1 * f64::from(number % 3)),
        failed: 2,
        tried: 24,
        resets: 3,
        connections: 9,
        ready: 9,
    };
    let place = Place { family: "FTP", role: Role::Client, endpoint: "ftp.partner.example:21".into() };
    let slow = Alarm {
        id: AlarmId(3),
        place,
        sign: Sign::SetupTime,
        since: before(40),
        noticed: before(20),
        ended: None,
        usual: 0.212,
        seen: 0.561,
        evidence: (0..4).map(slot).collect(),
    };
    let resets = Alarm { id: AlarmId(2), sign: Sign::Resets, usual: 0.004, seen: 0.31, ..slow.clone() };
    let over = Alarm {
        place: Place { family: "WebDAV", role: Role::Door, endpoint: "webdav".into() },
        id: AlarmId(1),
        sign: Sign::Errors,
        usual: 0.002,
        seen: 0.12,
        ended: Some((before(5), Ending::Normal)),
        ..slow.clone()
    };
    vec![slow, resets, over]
}

pub(super) fn alarm() -> AlarmPage {
    alarm::shown(&alarms()[0], &incidents(), frame("Alarm", "/reliability"), now())
}

fn incidents() -> Vec<Incident> {
    let evidence = evidence(false);
    let like = Likeness {
        role: Role::Client,
        endpoint: "ftp.partner.example:21".into(),
        protocol: Protocol::Ftp,
        kind: Kind::Connection,
        phase: Phase::Command,
        fault: FaultKind::Reset,
    };
    let observations = (100..).take(evidence.len()).map(|id| Observed { id, at: now() }).collect();
    let verdict = Verdict { findings: rule::judge(&evidence), evidence, observations };
    let since = now() - jiff::SignedDuration::from_mins(40);
    let last = now() - jiff::SignedDuration::from_mins(2);
    let open = Incident { id: IncidentId(4), like, since, last, closed: None, faults: 17, verdict };
    let like = Likeness { phase: Phase::Connect, fault: FaultKind::Refused, ..open.like.clone() };
    let verdict = Verdict::default();
    let closed = Incident { id: IncidentId(3), like, closed: Some(last), faults: 3, verdict, ..open };
    vec![open, closed]
}

fn row(id: i64, said: &str, chip: Chip) -> DiagnosisRow {
    DiagnosisRow {
        href: format!("/doctor/{id}"),
        url: "ftp://plant@ftp.partner.example/out".into(),
        started: ago(30),
        by: "admin".into(),
        said: said.into(),
        chip,
    }
}

pub(super) fn list() -> DoctorPage {
    DoctorPage {
        frame: frame("Doctor", "/doctor"),
        incidents: incident_rows(),
        rows: vec![
            row(8, "", Chip::new(Tone::Busy, "Looking")),
            row(7, "nothing out of order was seen", Chip::new(Tone::Ok, "Done")),
        ],
        choices: vec![Choice { id: 1, name: "Partner drop box".into() }],
    }
}

pub(super) fn incident() -> IncidentPage {
    let entry = |minutes, said: &str| Entry { at: now() - jiff::SignedDuration::from_mins(minutes), said: said.into() };
    let entries = [
        entry(38, "opened: 3 of the last 6 of their kind failed alike"),
        entry(38, "verdict: what was observed does not tell why"),
        entry(20, "looked at by admin"),
    ];
    let all = incidents();
    IncidentPage {
        diagnoses: vec![row(8, "", Chip::new(Tone::Busy, "Looking"))],
        can_look: true,
        alarms: vec![(
            "/alarms/1".into(),
            "12 % of attempts fail instead of 0.4 % at ftp.partner.example:21 (FTP)".into(),
        )],
        ..shown(&all[0], &entries, frame("Incident", "/doctor"), now())
    }
}

pub(super) fn diagnosis() -> DiagnosisPage {
    let evidence = evidence(true);
    let (before, after) = (evidence[3..6].to_vec(), evidence[6..7].to_vec());
    let report = Report {
        version: "1.0.0".into(),
        endpoint: "ftp://plant@ftp.partner.example/out".into(),
        started: now(),
        seconds: 241.0,
        spent: Spent { connections: 61, bytes: 5_242_880 },
        stopped: false,
        findings: rule::judge(&evidence),
        trials: vec![Trial { remedy: Remedy::Keepalive { seconds: 6 }, before, after, helps: true }],
        evidence,
    };
    let live = GlimpsePart {
        doing: "Tries TCP keepalive every 6 s: idle connections".into(),
        looks: "12 looks".into(),
        last: vec!["[12] ftp.partner.example:21: idle for 5.0 s with nothing sent: it lives".into()],
    };
    DiagnosisPage {
        frame: frame("Diagnosis of ftp://plant@ftp.partner.example/out", "/doctor/8"),
        href: "/doctor/8".into(),
        url: report.endpoint.clone(),
        chip: Chip::new(Tone::Ok, "Done"),
        started: ago(30),
        by: "admin".into(),
        incident: Some("/incidents/4".into()),
        live: Some(live),
        said: Some(Note { tone: Tone::Warn, text: "It was stopped before its end.".into() }),
        report: Some(DiagnosisShown::of(&report)),
    }
}
