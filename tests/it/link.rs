//! Mirroring over a broken link: what networks and servers do to FTP in the world, one by one. Whatever happens, the
//! copy is equal at the end, and the run says so truthfully.

use std::time::Duration;

use crate::support::link::{Link, Run};

/// 10 ms each way and 40 Mbit/s: the tree of 60 files takes about 3 s.
const SETTINGS: &str = "delay=10 rate=40";
/// Those deadlines that would make a test wait, not the program work.
const SHORT: &str = "--deadlines stall=6,closing=6,command=10,connect=5";

fn link(options: &str) -> (Link, u64) {
    let link = Link::up(SETTINGS, options);
    let bytes = link.make_tree(60, 200_000);
    (link, bytes)
}

/// The run came to its end, and told the truth about it.
fn assert_whole(link: &Link, run: &Run) {
    assert_eq!(run.code, 0, "{}", run.words);
    assert!(!run.words.contains("panicked at"), "{}", run.words);
    link.assert_equal(run);
}

/// What was sent beyond the tree itself is a part of it, in percent, and room for listings.
fn assert_extra(link: &Link, tree: u64, percent: u64) {
    let carried = link.data_bytes();
    assert!(carried <= tree + tree * percent / 100 + 100_000, "{carried} bytes for a tree of {tree}: {}", link.stat());
}

#[test]
fn link_without_faults_carries_each_byte_once() {
    let (link, tree) = link("");
    let run = link.mirror("--connections 4");
    assert_whole(&link, &run);
    assert_extra(&link, tree, 1);
}

#[test]
fn link_data_resets_resume() {
    let (link, tree) = link("");
    link.fault("rst data after=60000 count=12");
    let run = link.mirror("--connections 4");
    assert_whole(&link, &run);
    assert_eq!(link.hits(), 12);
    // What was on the link when it broke, and the overlap that is read again.
    assert_extra(&link, tree, 60);
}

#[test]
fn link_control_resets_cost_a_login_each() {
    let (link, tree) = link("");
    let mirror = link.start("--connections 4");
    // Once the source is open: two resets of the very first login in a row are a server that cannot be reached.
    std::thread::sleep(Duration::from_millis(1000));
    link.fault("rst ctl every=0.4 count=5");
    let run = mirror.wait();
    assert_whole(&link, &run);
    assert_eq!(link.hits(), 5, "{run:?}");
    assert_extra(&link, tree, 60);
}

#[test]
fn link_black_hole_is_waited_out() {
    let (link, tree) = link("");
    let mirror = link.start("--connections 4");
    std::thread::sleep(Duration::from_millis(1500));
    link.fault("drop any for=8");
    let run = mirror.wait();
    assert_whole(&link, &run);
    assert!(run.seconds >= 8.0, "it was over before the hole: {run:?}");
    // Clean time, the hole, and a minute.
    assert!(run.seconds <= 71.0, "{run:?}");
    assert_extra(&link, tree, 60);
}

#[test]
fn link_server_that_is_killed_is_waited_for() {
    let (mut link, tree) = link("");
    let mirror = link.start("--connections 4");
    std::thread::sleep(Duration::from_millis(1500));
    link.kill_server();
    std::thread::sleep(Duration::from_secs(3));
    link.serve();
    let run = mirror.wait();
    assert_whole(&link, &run);
    assert_extra(&link, tree, 60);
}

#[test]
fn link_refused_data_connections_are_tried_again() {
    let (link, tree) = link("");
    link.fault("refuse data count=20");
    let run = link.mirror("--connections 4");
    assert_whole(&link, &run);
    assert_eq!(link.hits(), 20);
    assert_extra(&link, tree, 10);
}

#[test]
fn link_server_that_bears_fewer_connections_gets_fewer() {
    let (link, tree) = link("max_clients=2");
    let run = link.mirror("--connections 8");
    assert_whole(&link, &run);
    assert_extra(&link, tree, 5);
    let stat = link.stat();
    assert!(stat["ctl"]["opened"].as_u64().unwrap() <= 20, "it goes on asking for more: {stat}");
}

#[test]
fn link_stall_in_mid_file_is_gone_on_with() {
    let (link, tree) = link("");
    link.fault("drop data after=60000 count=2 from=s");
    let run = link.mirror(&format!("--connections 4 {SHORT}"));
    assert_whole(&link, &run);
    assert_eq!(link.hits(), 2);
    assert!(run.seconds <= 40.0, "{run:?}");
    assert_extra(&link, tree, 60);
}

/// One file that takes 25 s, while nothing is said on its control connection.
fn nat_link(action: &str, secs: u32) -> (Link, u64) {
    let link = Link::up("delay=10 rate=4", "");
    let tree = link.make_tree(1, 12_500_000 * 2);
    link.fault(&format!("idle ctl secs={secs} action={action}"));
    (link, tree)
}

#[test]
fn link_nat_that_forgets_after_some_time_is_kept_awake() {
    for action in ["drop", "rst"] {
        let (link, tree) = nat_link(action, 14);
        let run = link.mirror("--connections 4");
        assert_whole(&link, &run);
        assert!(run.seconds > 20.0, "it was over before the NAT forgot: {run:?}");
        assert_eq!(link.hits(), 0, "the NAT heard from us in time: {}", link.stat());
        assert_extra(&link, tree, 5);
    }
}

#[test]
fn link_nat_that_drops_sooner_than_it_can_be_kept_awake_costs_no_byte_again() {
    let (link, tree) = nat_link("drop", 5);
    let run = link.mirror(&format!("--connections 4 {SHORT}"));
    assert_whole(&link, &run);
    assert!(link.hits() > 0, "{}", link.stat());
    assert_extra(&link, tree, 5);
}

#[test]
fn link_nat_that_resets_sooner_than_it_can_be_kept_awake_costs_no_byte_again() {
    let (link, tree) = nat_link("rst", 5);
    let run = link.mirror(&format!("--connections 4 {SHORT}"));
    assert_whole(&link, &run);
    assert!(link.hits() > 0, "{}", link.stat());
    assert_extra(&link, tree, 5);
}

/// A tunnel on the way takes packets up to 1,400 bytes, and nobody tells. All deadlines as they are.
#[test]
fn link_path_mtu_hole_is_passed_with_short_packets() {
    let (link, tree) = link("");
    link.fault("maxlen any size=1400");
    let run = link.mirror("--connections 4");
    assert_whole(&link, &run);
    assert!(run.seconds <= 60.0, "{run:?}");
    assert_extra(&link, tree, 60);
    // The run after it begins as the first one did, and finds all that is there equal.
    let again = link.mirror("--connections 4");
    assert_whole(&link, &again);
}

/// The listing is the first that does not fit into a packet: it is what shows the hole.
#[test]
fn link_path_mtu_hole_is_passed_by_listings() {
    let link = Link::up(SETTINGS, "");
    link.make_folder(0, 400, 500);
    link.fault("maxlen any size=1400");
    let run = link.mirror("--connections 4");
    assert_whole(&link, &run);
    assert!(run.seconds <= 60.0, "{run:?}");
}
