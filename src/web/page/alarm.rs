//! Early warning: alarms in lists, and one with what it rests on.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use jiff::Timestamp;

use super::reliability::{instant, part, side};
use crate::diagnose::alarm::{Alarm, Ending, Place, Watched, amount};
use crate::diagnose::incident::Incident;
use crate::model::AlarmId;
use crate::reliability::Role;
use crate::reliability::alarm::{ABOUT, SLOT, Sign, Slot};
use crate::web::frame::Frame;
use crate::web::problem::{Problem, sentence};
use crate::web::show;
use crate::web::state::WebState;
use crate::web::visitor::Asks;
use crate::web::widget::{Chip, Moment, Tone};

/// Incidents among which that of an alarm is looked for.
pub(super) const INCIDENTS: u32 = 100;

/// Leads to observations: what they are, and where.
pub(in crate::web) type Links = Vec<(&'static str, String)>;

/// One alarm in a list.
#[derive(Debug, Clone)]
pub struct AlarmRow {
    pub href: String,
    pub what: String,
    pub since: Moment,
    pub noticed: Moment,
    pub chip: Chip,
    /// What it was made of.
    pub observed: Links,
    /// The incident at the same place and time.
    pub incident: Option<String>,
}

impl AlarmRow {
    pub(in crate::web) fn of(alarm: &Alarm, incidents: &[Incident], now: Timestamp) -> Self {
        Self {
            href: format!("/alarms/{}", alarm.id),
            what: title(alarm),
            since: Moment::around(alarm.since, now),
            noticed: Moment::around(alarm.noticed, now),
            chip: chip(alarm),
            observed: observed(alarm.sign, &alarm.place, (alarm.since, until(alarm, now))),
            incident: incident_of(alarm, incidents).map(|incident| format!("/incidents/{}", incident.id)),
        }
    }
}

fn title(alarm: &Alarm) -> String {
    sentence(&alarm.sentence()).trim_end_matches('.').to_owned()
}

fn chip(alarm: &Alarm) -> Chip {
    match alarm.ended {
        None => Chip::new(Tone::Warn, "Goes on"),
        Some((_, Ending::Normal)) => Chip::new(Tone::Ok, "Over"),
        Some(_) => Chip::new(Tone::Idle, "Put away"),
    }
}

fn until(alarm: &Alarm, now: Timestamp) -> Timestamp {
    alarm.ended.map_or(now, |(ended, _)| ended)
}

fn incident_of<'a>(alarm: &Alarm, incidents: &'a [Incident]) -> Option<&'a Incident> {
    incidents.iter().find(|incident| belong_together(alarm, incident))
}

/// Are they about the same place, and does the one overlap the other in time?
fn belong_together(alarm: &Alarm, incident: &Incident) -> bool {
    let (like, place) = (&incident.like, &alarm.place);
    let same = like.role == place.role && like.endpoint == place.endpoint && like.protocol.family() == place.family;
    same && alarm.ended.is_none_or(|(ended, _)| incident.since <= ended)
        && incident.closed.is_none_or(|closed| closed >= alarm.since)
}

/// The alarms of an incident's place and time: address and what each says.
pub(in crate::web) fn alarms_of(incident: &Incident, alarms: &[Alarm]) -> Vec<(String, String)> {
    let its = alarms.iter().filter(|alarm| belong_together(alarm, incident));
    its.map(|alarm| (format!("/alarms/{}", alarm.id), title(alarm))).collect()
}

/// The observations that a sign is made of.
fn observed(sign: Sign, place: &Place, (from, to): (Timestamp, Timestamp)) -> Links {
    let statistics: &[(&str, &str)] = match sign {
        Sign::SetupTime => &[("set-ups", "setup-median")],
        Sign::Errors => &[("connections", "connection-success"), ("transfers", "transfer-errors")],
        Sign::Resets => &[("connections", "resets")],
    };
    let link = |(name, key): &(&'static str, &str)| {
        let href = format!(
            "/observations?statistic={key}&family={}&role={}&endpoint={}&from={}&to={}",
            part(place.family),
            place.role.as_str(),
            part(&place.endpoint),
            part(&instant(from)),
            part(&instant(to))
        );
        (*name, href)
    };
    statistics.iter().map(link).collect()
}

/// Who is watched, in one sentence; where something is still being learnt it says what.
pub(super) fn watched(all: &[Watched]) -> String {
    let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    let learns = all.iter().filter(|one| !one.learning.is_empty()).count();
    let watched = show::plural(count(all.len()), "endpoint is", "endpoints are");
    match (all.len(), learns) {
        (0, _) => "Nothing was seen to watch in the last day.".to_owned(),
        (_, 0) => format!("{watched} watched."),
        (_, learns) => format!(
            "{watched} watched; of {} there is not enough data yet to know what is usual of everything.",
            show::count(count(learns))
        ),
    }
}

/// The place's name and the side, as lists have it.
pub(super) fn where_of(place: &Place) -> String {
    format!("{} ({}), {}", place.endpoint, place.family, side(Some(place.role)))
}

/// Five minutes that an alarm rests on.
#[derive(Debug, Clone)]
pub struct EvidenceRow {
    pub at: Moment,
    pub value: String,
    pub n: String,
    pub observed: Links,
}

#[derive(Template)]
#[template(path = "alarm.html")]
pub(in crate::web) struct AlarmPage {
    pub frame: Frame,
    pub what: String,
    pub chip: Chip,
    pub since: Moment,
    pub noticed: Moment,
    /// When it was over, and why.
    pub ended: Option<(Moment, String)>,
    pub counts: Vec<(&'static str, String)>,
    /// What the values of the evidence are.
    pub value: &'static str,
    pub evidence: Vec<EvidenceRow>,
    pub incident: Option<String>,
    pub trend: String,
    pub about: &'static [(&'static str, &'static str)],
}

/// `GET /alarms/{id}`.
pub(in crate::web) async fn page(
    State(state): State<WebState>,
    Asks(visitor): Asks,
    Path(id): Path<i64>,
) -> Result<Response, Problem> {
    let now = state.clock.now();
    let alarm = state.alarms.get(AlarmId(id)).await?;
    let incidents = state.incidents.list(INCIDENTS).await?;
    super::html(&shown(&alarm, &incidents, Frame::new(&visitor, title(&alarm)), now))
}

/// As the page has it.
pub(in crate::web) fn shown(alarm: &Alarm, incidents: &[Incident], frame: Frame, now: Timestamp) -> AlarmPage {
    let (sign, place) = (alarm.sign, &alarm.place);
    let lasted = until(alarm, now).duration_since(alarm.since).unsigned_abs();
    let delay = alarm.noticed.duration_since(alarm.since).unsigned_abs();
    let row = |slot: &Slot| {
        let end = slot.at.saturating_add(SLOT).unwrap_or(slot.at);
        let (value, n) = value(sign, slot);
        EvidenceRow { at: Moment::at(slot.at), value, n, observed: observed(sign, place, (slot.at, end)) }
    };
    let (statistic, value) = match sign {
        Sign::SetupTime => ("setup-median", "Set-up time, geometric mean"),
        Sign::Errors => ("connection-success", "Failed"),
        Sign::Resets => ("resets", "Reset"),
    };
    AlarmPage {
        frame,
        what: title(alarm),
        chip: chip(alarm),
        since: Moment::around(alarm.since, now),
        noticed: Moment::around(alarm.noticed, now),
        ended: alarm.ended.map(|(at, ending)| (Moment::around(at, now), ending.sentence().to_owned())),
        counts: vec![
            ("Where", where_of(place)),
            ("Usual", amount(sign, alarm.usual)),
            ("Seen until noticed", amount(sign, alarm.seen)),
            ("Noticed after", show::span(delay)),
            ("Lasted", show::span(lasted)),
        ],
        value,
        evidence: alarm.evidence.iter().map(row).collect(),
        incident: incident_of(alarm, incidents).map(|incident| format!("/incidents/{}", incident.id)),
        trend: trend(statistic, place.role, (alarm.since, until(alarm, now))),
        about: &ABOUT,
    }
}

/// Its figure over time, a little before and after it.
fn trend(statistic: &str, role: Role, (from, to): (Timestamp, Timestamp)) -> String {
    let around = to.duration_since(from).max(SLOT) * 2;
    let (from, to) = (from.saturating_sub(around).unwrap_or(from), to.saturating_add(around).unwrap_or(to));
    format!(
        "/reliability/trends?statistic={statistic}&role={}&from={}&to={}",
        role.as_str(),
        part(&instant(from)),
        part(&instant(to))
    )
}

/// What a slot has of a sign, and out of how many.
fn value(sign: Sign, slot: &Slot) -> (String, String) {
    let share = |part: u64, of: u64| (amount(sign, Slot::share(part, of)), show::count(of));
    match sign {
        Sign::SetupTime => {
            let mean = slot.setup.map_or_else(|| "nothing connected".to_owned(), |mean| amount(sign, mean.exp()));
            (mean, show::count(slot.ready))
        }
        Sign::Errors => share(slot.failed, slot.tried),
        Sign::Resets => share(slot.resets, slot.connections),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnose::incident::{Kind, Likeness, Verdict};
    use crate::model::{FaultKind, IncidentId, Phase, Protocol};

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(minute * 60).unwrap()
    }

    #[test]
    fn an_alarm_leads_to_the_incident_of_its_place_and_time() {
        let alarm = Alarm {
            id: AlarmId(1),
            place: Place { family: "FTP", role: Role::Client, endpoint: "h:21".into() },
            sign: Sign::Errors,
            since: at(100),
            noticed: at(115),
            ended: Some((at(200), Ending::Normal)),
            usual: 0.01,
            seen: 0.3,
            evidence: Vec::new(),
        };
        let incident = |endpoint: &str, since, closed: Option<i64>| Incident {
            id: IncidentId(since),
            like: Likeness {
                role: Role::Client,
                endpoint: endpoint.into(),
                protocol: Protocol::Ftp,
                kind: Kind::Connection,
                phase: Phase::Connect,
                fault: FaultKind::Refused,
            },
            since: at(since),
            last: at(since),
            closed: closed.map(at),
            faults: 3,
            verdict: Verdict::default(),
        };
        let all = [
            incident("other:21", 110, None),
            incident("h:21", 10, Some(99)),
            incident("h:21", 201, None),
            incident("h:21", 105, None),
        ];
        assert_eq!(AlarmRow::of(&alarm, &all, at(300)).incident.as_deref(), Some("/incidents/105"));
        let back = |incident| alarms_of(incident, std::slice::from_ref(&alarm)).len();
        assert_eq!(all.each_ref().map(back), [0, 0, 0, 1], "and back");
        let row = AlarmRow::of(&alarm, &all[..3], at(300));
        assert_eq!((row.incident, row.observed.len()), (None, 2));
        assert!(row.observed[0].1.contains("&endpoint=h%3A21&from=1970%2D01%2D01T01%3A40%3A00Z"), "{:?}", row.observed);
    }
}
