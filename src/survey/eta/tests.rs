//! The estimate against independent arithmetic.

use super::super::histogram::Sizes;
use super::*;

fn model() -> Model {
    Model {
        round_trip: 0.050,
        round_trips_small: 2.0,
        round_trips_large: 3.0,
        handling: 0.001,
        timed_files: 16,
        goodput_one: Some(10e6),
        goodput_two: Some(19e6),
        burst: None,
        per_folder: 0.1,
        setup: 0.2,
        here_per_run: 0.0,
        here_per_file: 0.0005,
        here_rate: 0.0,
    }
}

fn sizes(files: u64, size: u64) -> Sizes {
    let mut sizes = Sizes::default();
    (0..files).for_each(|_| sizes.add(size));
    sizes
}

fn close(one: f64, other: f64) -> bool {
    (one - other).abs() < 1e-6
}

#[test]
fn small_files_cost_round_trips_and_connections_share_them() {
    let sizes = sizes(1_000, 4_096);
    let load = Load { folders: 10, levels: 2, sizes: sizes.bins() };
    let estimate = estimate(model(), load, None);
    assert_eq!(estimate.forecasts.iter().map(|f| f.connections).collect::<Vec<_>>(), COUNTS);
    let [one, .., sixteen] = estimate.forecasts.as_slice() else { panic!("five") };
    assert!(close(one.round_trips, 100.0) && close(one.handling, 1.0) && close(one.listing, 1.0), "{one:?}");
    assert!(close(one.sending, 0.4096), "one after the other, at 10 MB/s: {one:?}");
    assert!(close(one.total, 0.2 + 1.0 + 101.4096), "{one:?}");
    assert!(close(sixteen.round_trips, 100.0 / 16.0));
    assert!(close(sixteen.listing, 0.3), "the levels come one after the other: {sixteen:?}");
    assert!(estimate.forecasts.iter().all(|f| f.bound == Bound::Connections));
}

#[test]
fn the_end_of_the_link_is_the_end() {
    let sizes = sizes(100, 100_000_000);
    let load = Load { folders: 1, levels: 0, sizes: sizes.bins() };
    let seen = Model { goodput_two: Some(11e6), burst: Some(11e6), ..model() };
    assert_eq!((model().link(), seen.link()), (None, Some(11e6)));
    assert_eq!(Model { burst: Some(50e6), ..model() }.link(), Some(50e6));
    assert_eq!(Model { burst: Some(5e6), ..model() }.link(), Some(19e6), "slower than what was seen");
    let forecasts = estimate(seen, load, None).forecasts;
    assert!(forecasts[1..].iter().all(|f| f.bound == Bound::Link && f.total > 10e9 / 11e6), "{forecasts:?}");
    let free = estimate(model(), load, None).forecasts;
    assert!(free[4].total < free[0].total / 15.0, "{free:?}");
}

#[test]
fn a_window_grows_before_a_connection_is_fast() {
    let model = model();
    assert!(close(model.sending(10_000.0), 0.001), "the first window comes with the round trip");
    assert!(close(model.sending(40_000.0), 0.050 + (40_000.0 - 14_480.0) / 10e6));
    assert!(close(model.sending(100_000.0), 0.100 + (100_000.0 - 43_440.0) / 10e6));
    let wide = Model { burst: Some(100e6), ..model };
    assert!(close(wide.sending(100_000.0), 0.100 + 56_560.0 / 100e6), "what is sent at once comes at once");
    // 14,480 doubles to 463,360, the last below the 500,000 that the path holds; the rest flows.
    let grown = 14_480.0 * f64::from(1 + 2 + 4 + 8 + 16 + 32);
    assert!(close(model.sending(10e6), 5.0 * 0.050 + (10e6 - grown) / 10e6), "{}", model.sending(10e6));
    let unknown = Model { goodput_one: None, ..model };
    assert!(close(unknown.sending(100_000.0), 0.100));
}

#[test]
fn connections_wait_for_each_other_on_the_link() {
    // Of four seconds one is on the link. Of two, the second finds the first there a quarter of the time.
    assert!(close(waiting(4.0, 1.0, 1.0, 1.0), 0.0));
    assert!(close(waiting(4.0, 1.0, 2.0, 1.0), 0.25));
    // Mean value analysis (Reiser and Lavenberg, J. ACM 27(2), 1980) comes to the same by another way.
    for n in [2_u16, 3, 4, 8, 16] {
        let (mut on, mut queue) = (1.0, 0.0);
        for there in 1..=n {
            on = 1.0 + queue;
            queue = f64::from(there) * on / (3.0 + on);
        }
        assert!(close(waiting(4.0, 1.0, f64::from(n), 1.0), on - 1.0), "{n}");
    }
    // Two that are there at once use half of the link: none for 9, one for 6, two for 4 of 19 parts of the time.
    assert!(close(waiting(4.0, 1.0, 2.0, 0.5), 2.0 * 19.0 / (6.0 + 4.0 / 2.0) - 4.0));
    assert!(close(waiting(4.0, 0.0, 16.0, 1.0), 0.0), "no link was seen");
    assert!(close(waiting(1.0, 4.0, 1.0, 1.0), 3.0), "never faster than the link");
}

#[test]
fn two_flows_that_could_fill_the_link_may_use_less_of_it() {
    let seen = Model { goodput_one: Some(24e6), goodput_two: Some(12e6), burst: Some(24e6), ..model() };
    assert!(close(seen.crowded(), 0.5));
    assert!(close(Model { goodput_one: Some(4e6), ..seen }.crowded(), 1.0), "two of these leave room");
    assert!(close(Model { goodput_two: None, ..seen }.crowded(), 1.0));
}

#[test]
fn between_connections_and_link_there_is_no_edge() {
    let sizes = sizes(200, 1_000_000);
    let load = Load { folders: 1, levels: 0, sizes: sizes.bins() };
    let seen = Model { goodput_one: Some(24e6), goodput_two: None, burst: Some(24e6), round_trip: 0.020, ..model() };
    let forecasts = estimate(seen, load, None).forecasts;
    let moving = |at: usize| forecasts[at].total - if at > 0 { 0.4 } else { 0.2 } - forecasts[at].listing;
    // Three round trips, handling, six windows of 14,480 to 463,360 of which the last does not end, the rest of it.
    let alone = 200.0 * (0.061 + 5.0 * 0.020 + (1e6 - 14_480.0 * 31.0 - 463_360.0) / 24e6);
    assert!(close(moving(0), alone), "{} {alone}", moving(0));
    let link = 200e6 / 24e6;
    assert!(forecasts.windows(2).all(|two| two[1].total < two[0].total), "{forecasts:?}");
    assert!((1..5).all(|at| moving(at) > link && moving(at) > alone / f64::from(COUNTS[at])), "{forecasts:?}");
    assert!(moving(4) < link * 1.01 && forecasts[4].bound == Bound::Link, "{forecasts:?}");
}

#[test]
fn no_run_is_shorter_than_its_longest_file() {
    let mut sizes = sizes(100, 1_000);
    sizes.add(12_000_000);
    let slow = Model { goodput_one: Some(300e3), burst: Some(24e6), handling: 0.0, ..model() };
    let load = Load { folders: 0, levels: 0, sizes: sizes.bins() };
    let sixteen = estimate(slow, load, None).forecasts[4];
    // Three round trips, then 300 kB a second behind the first window: twice as much is more than the path holds.
    let longest = 0.150 + (12e6 - 14_480.0) / 300e3;
    assert!(close(sixteen.total, 0.4 + 0.1 + longest) && sixteen.bound == Bound::File, "{sixteen:?} {longest}");
    let mut more = sizes.clone();
    more.add(100_000_000);
    let parted = Load { sizes: more.bins(), ..load };
    let sixteen = estimate(slow, parted, None).forecasts[4];
    assert!(sixteen.total < 100e6 / 300e3 / 2.0, "it is read in pieces: {sixteen:?}");
}

#[test]
fn a_limit_ends_the_table_and_few_files_keep_few_busy() {
    let sizes = sizes(2, 1_000);
    let load = Load { folders: 1, levels: 0, sizes: sizes.bins() };
    let forecasts = estimate(model(), load, Some(5)).forecasts;
    assert_eq!(forecasts.iter().map(|f| f.connections).collect::<Vec<_>>(), [1, 2, 4, 5]);
    assert!(close(forecasts[1].round_trips, forecasts[3].round_trips));
    let nothing = estimate(model(), Load { folders: 1, levels: 0, sizes: &[] }, None);
    assert!(nothing.forecasts.iter().all(|f| f.total.is_finite()));
}

#[test]
fn this_side_may_be_the_slowest() {
    let sizes = sizes(100_000, 100);
    let load = Load { folders: 1, levels: 0, sizes: sizes.bins() };
    let near = Model { round_trip: 0.000_05, handling: 0.0, per_folder: 0.001, ..model() };
    assert!(estimate(near, load, None).forecasts.iter().skip(1).all(|f| f.bound == Bound::Here));
}
