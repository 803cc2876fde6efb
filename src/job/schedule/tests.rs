use super::*;
use proptest::prelude::*;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn cron(text: &str) -> Schedule {
    Schedule::parse(text, &Zone::utc(), at("2026-01-01T00:00:00Z")).unwrap()
}

fn starts(text: &str, zone: &str, after: &str, count: usize) -> Vec<String> {
    let zone = Zone::parse(zone).unwrap();
    cron(text).preview(&zone, at(after), count).into_iter().map(|t| zone.show(t)).collect()
}

#[test]
fn minutes_and_zones() {
    assert_eq!(
        starts("30 2 * * *", "America/New_York", "2026-05-01T12:00:00Z", 2),
        ["2026-05-02 02:30 EDT", "2026-05-03 02:30 EDT"]
    );
    assert_eq!(
        starts("*/20 9 * * MON-FRI", "Asia/Kolkata", "2026-05-01T03:50:00Z", 3),
        ["2026-05-01 09:40 IST", "2026-05-04 09:00 IST", "2026-05-04 09:20 IST"]
    );
    assert_eq!(starts("@daily", "UTC", "2026-05-01T00:00:00Z", 1), ["2026-05-02 00:00 UTC"]);
}

/// Europe/Berlin skips 02:00 to 03:00 on 29 March 2026.
#[test]
fn a_skipped_hour_still_runs_once() {
    assert_eq!(
        starts("30 2 * * *", "Europe/Berlin", "2026-03-28T00:00:00Z", 3),
        ["2026-03-28 02:30 CET", "2026-03-29 03:00 CEST", "2026-03-30 02:30 CEST"]
    );
    assert_eq!(
        starts("*/30 * * * *", "Europe/Berlin", "2026-03-29T00:29:00Z", 4),
        ["2026-03-29 01:30 CET", "2026-03-29 03:00 CEST", "2026-03-29 03:30 CEST", "2026-03-29 04:00 CEST"]
    );
}

/// Europe/Berlin has 02:00 to 03:00 twice on 25 October 2026.
#[test]
fn a_doubled_hour_runs_fixed_times_once_and_intervals_twice() {
    assert_eq!(
        starts("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", 2),
        ["2026-10-25 02:30 CEST", "2026-10-26 02:30 CET"]
    );
    assert_eq!(
        starts("*/30 * * * *", "Europe/Berlin", "2026-10-24T23:59:00Z", 5),
        [
            "2026-10-25 02:00 CEST",
            "2026-10-25 02:30 CEST",
            "2026-10-25 02:00 CET",
            "2026-10-25 02:30 CET",
            "2026-10-25 03:00 CET"
        ]
    );
}

#[test]
fn wrong_schedules_say_where_and_show_one_that_works() {
    let wrong = |text: &str| Schedule::parse(text, &Zone::utc(), at("2026-01-01T00:00:00Z")).unwrap_err();
    let hour = wrong("0 25 * * *");
    assert!(matches!(hour, ScheduleError::Field { position: 2, field: "hour", .. }), "{hour}");
    let said = hour.to_string();
    assert!(said.contains("'25'") && said.contains("0 to 23") && said.contains("'30 2 * * *'"), "{said}");
    assert!(matches!(wrong("0 0 * * FOO"), ScheduleError::Field { position: 5, .. }));
    assert!(matches!(wrong("60 0 * * *"), ScheduleError::Field { position: 1, .. }));
    assert!(matches!(wrong("* * * *"), ScheduleError::FieldCount { count: 4, .. }));
    assert!(matches!(wrong("0 0 0 * * *"), ScheduleError::FieldCount { count: 6, .. }));
    assert!(matches!(wrong("@dayly"), ScheduleError::Nickname(_)));
    let started = std::time::Instant::now();
    assert!(matches!(wrong("0 0 30 2 *"), ScheduleError::Never(_)));
    assert!(started.elapsed() < std::time::Duration::from_secs(2), "{:?}", started.elapsed());
    assert!(matches!(wrong("at tea time"), ScheduleError::Moment(_)));
    assert!(matches!(wrong("at 2020-01-01T00:00:00Z"), ScheduleError::Past(_)));
    for zone in ["Mars/Olympus", "Europe", "../etc/passwd", "Etc/Unknown"] {
        assert!(matches!(Zone::parse(zone), Err(ScheduleError::Zone(_))), "{zone}");
    }
}

#[test]
fn once_is_once_and_in_the_zone_of_the_job() {
    let now = at("2026-01-01T00:00:00Z");
    let zone = Zone::parse("Europe/Berlin").unwrap();
    let once = Schedule::parse("at 2026-06-01T08:00", &zone, now).unwrap();
    assert_eq!(once, Schedule::Once { at: at("2026-06-01T06:00:00Z") });
    assert_eq!(once.preview(&zone, now, 5).len(), 1);
    assert_eq!(once.next_after(&zone, at("2026-06-01T06:00:00Z")), None);
    assert_eq!(Schedule::parse("now", &zone, now).unwrap().first(&zone, now), Some(now));
    assert_eq!(Schedule::Manual.first(&zone, now), None);
}

fn any_cron() -> impl Strategy<Value = String> {
    let minute = prop_oneof![
        Just("*".into()),
        (0..60_u8).prop_map(|m| m.to_string()),
        Just("*/7".into()),
        Just("5-50/15".into())
    ];
    let hour =
        prop_oneof![Just("*".into()), (0..24_u8).prop_map(|h| h.to_string()), Just("*/5".into()), Just("1,2,3".into())];
    let day = prop_oneof![Just("*".into()), (1..29_u8).prop_map(|d| d.to_string()), Just("L".into())];
    let month = prop_oneof![Just("*".into()), (1..13_u8).prop_map(|m| m.to_string())];
    let week = prop_oneof![Just("*".into()), (0..7_u8).prop_map(|d| d.to_string()), Just("MON-FRI".into())];
    (minute, hour, day, month, week)
        .prop_map(|(m, h, d, mo, w): (String, String, String, String, String)| format!("{m} {h} {d} {mo} {w}"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Starts are in the future, in order, on whole minutes, and none lies between two neighbours.
    #[test]
    fn starts_go_forward(
        text in any_cron(),
        seconds in 1_700_000_000_i64..2_000_000_000,
        micros in 0..1_000_000_i64,
        zone in prop::sample::select(vec!["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"]),
    ) {
        let after = Timestamp::from_microsecond(seconds * 1_000_000 + micros).unwrap();
        let zone = Zone::parse(zone).unwrap();
        let schedule = cron(&text);
        let starts = schedule.preview(&zone, after, 5);
        prop_assert_eq!(starts.len(), 5);
        let mut before = after;
        for start in starts {
            prop_assert!(start > before, "{} {} {}: {} after {}", text, zone, after, start, before);
            prop_assert_eq!(start.as_second() % 60, 0);
            // From anywhere between, the same start comes next.
            let between = Timestamp::from_microsecond((before.as_microsecond() + start.as_microsecond()) / 2).unwrap();
            if between > before && between < start {
                prop_assert_eq!(schedule.next_after(&zone, between), Some(start));
            }
            before = start;
        }
    }

    /// Any text is taken or refused with a sentence, never a panic, and what is taken comes back.
    #[test]
    fn any_text_is_answered(text in "[-0-9*/,@LW# A-Za-z]{0,24}") {
        let now = at("2026-01-01T00:00:00Z");
        match Schedule::parse(&text, &Zone::utc(), now) {
            Ok(schedule) => {
                let json = serde_json::to_string(&schedule).unwrap();
                prop_assert_eq!(&serde_json::from_str::<Schedule>(&json).unwrap(), &schedule);
                prop_assert_eq!(Schedule::parse(&schedule.to_text(), &Zone::utc(), now).unwrap(), schedule);
            }
            Err(error) => prop_assert!(error.to_string().len() > 20),
        }
    }
}
