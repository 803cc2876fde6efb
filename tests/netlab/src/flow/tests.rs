//! The table driven with forged segments, at times of the tests' choosing.

use std::net::Ipv4Addr;

use super::*;
use crate::packet::{ACK, SYN, forge};

const CLIENT: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 1);
const SERVER: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 2);

/// A table, and a clock in milliseconds.
struct Bench {
    table: Table,
    begin: Instant,
}

impl Bench {
    fn new() -> Self {
        Self { table: Table::new(vec![21], Random::new(1, 0)), begin: Instant::now() }
    }

    fn at(&self, millis: u64) -> Instant {
        self.begin + Duration::from_millis(millis)
    }

    fn rule(&mut self, text: &str) {
        let words: Vec<_> = text.split(' ').collect();
        self.table.add(Rule::parse(&words, self.begin).unwrap()).unwrap();
    }

    /// A segment of the flow from the client's `local` port to the server's `port`.
    fn send(&mut self, millis: u64, from: Side, (local, port): (u16, u16), flags: u8, payload: u8) -> Verdict {
        let (client, server) = (SocketAddrV4::new(CLIENT, local), SocketAddrV4::new(SERVER, port));
        let mut packet = match from {
            Side::Client => forge(client, server, 1, 5, flags),
            Side::Server => forge(server, client, 1, 5, flags),
        };
        packet[3] = 40 + payload;
        packet.resize(packet.len() + usize::from(payload), 0);
        self.table.judge(self.at(millis), from, &packet)
    }

    fn connect(&mut self, millis: u64, ports: (u16, u16)) {
        assert_eq!(self.send(millis, Side::Client, ports, SYN, 0), Verdict::Pass);
        assert_eq!(self.send(millis, Side::Server, ports, SYN | ACK, 0), Verdict::Pass);
    }
}

const CONTROL: (u16, u16) = (4000, 21);
const DATA: (u16, u16) = (4001, 5000);

#[test]
fn flows_are_counted_by_class_until_they_end() {
    let mut bench = Bench::new();
    bench.connect(1, CONTROL);
    bench.connect(2, DATA);
    bench.send(3, Side::Server, DATA, ACK, 100);
    bench.send(4, Side::Client, DATA, FIN | ACK, 0);
    assert_eq!(bench.table.data.live, 1);
    bench.send(5, Side::Server, DATA, FIN | ACK, 0);
    assert_eq!(bench.table.data, Flows { opened: 1, peak: 1, bytes: 100, ..Flows::default() });
    bench.send(6, Side::Server, CONTROL, RST, 0);
    assert_eq!(bench.table.control, Flows { opened: 1, peak: 1, reset_by_end: 1, ..Flows::default() });
}

#[test]
fn a_reset_hits_both_ends_once_a_flow_and_obeys_its_count() {
    let mut bench = Bench::new();
    bench.rule("rst data after=100 count=1");
    bench.connect(1, DATA);
    assert_eq!(bench.send(2, Side::Server, DATA, ACK, 99), Verdict::Pass);
    let verdict = bench.send(3, Side::Server, DATA, ACK, 1);
    let Verdict::Reset { forward: Some(forward), back } = verdict else { panic!("{verdict:?}") };
    assert_eq!(Segment::parse(&forward).unwrap().target.ip(), &CLIENT);
    assert_eq!(Segment::parse(&back).unwrap().target.ip(), &SERVER);
    assert_eq!(bench.send(4, Side::Client, DATA, ACK, 0), Verdict::Drop, "it stays cut");
    assert_eq!(bench.table.data.live, 0);
    bench.connect(5, (4002, 5001));
    assert_eq!(bench.send(6, Side::Server, (4002, 5001), ACK, 200), Verdict::Pass, "the count is used up");
    assert_eq!(bench.table.data.reset_by_link, 1);
    assert_eq!(bench.table.hits().collect::<Vec<_>>(), [1]);
}

#[test]
fn a_new_connection_between_the_same_ports_is_a_new_flow() {
    let mut bench = Bench::new();
    bench.rule("rst data count=1");
    bench.send(1, Side::Client, DATA, SYN, 0);
    assert!(matches!(bench.send(1, Side::Server, DATA, SYN | ACK, 0), Verdict::Reset { .. }));
    bench.connect(2, DATA);
    assert_eq!((bench.table.data.opened, bench.table.data.live), (2, 1));
}

#[test]
fn clocked_resets_come_one_a_period_and_wait_for_somebody_to_hit() {
    let mut bench = Bench::new();
    bench.rule("rst ctl every=8 count=2");
    bench.table.doom(bench.at(8_000));
    assert_eq!(bench.table.next_due(bench.at(8_000)), Some(bench.at(9_000)), "nobody is there: soon again");
    bench.connect(8_500, CONTROL);
    bench.connect(8_500, (4002, 21));
    bench.table.doom(bench.at(9_000));
    let hit =
        |bench: &mut Bench, port| matches!(bench.send(9_001, Side::Client, (port, 21), ACK, 0), Verdict::Reset { .. });
    assert!(hit(&mut bench, 4000) ^ hit(&mut bench, 4002), "one of the two");
    bench.table.doom(bench.at(16_999));
    assert_eq!(bench.table.control.live, 1);
    bench.table.doom(bench.at(17_000));
    bench.send(17_001, Side::Client, CONTROL, ACK, 0);
    bench.send(17_001, Side::Client, (4002, 21), ACK, 0);
    assert_eq!((bench.table.control.live, bench.table.control.reset_by_link), (0, 2));
    assert_eq!(bench.table.next_due(bench.at(18_000)), None);
}

#[test]
fn a_nat_forgets_what_is_idle() {
    for (action, answered) in [("drop", false), ("rst", true)] {
        let mut bench = Bench::new();
        bench.rule(&format!("idle ctl secs=20 action={action}"));
        bench.connect(0, CONTROL);
        assert_eq!(bench.send(19_000, Side::Client, CONTROL, ACK, 0), Verdict::Pass);
        assert_eq!(bench.send(38_000, Side::Client, CONTROL, ACK, 0), Verdict::Pass, "a keepalive renews it");
        let verdict = bench.send(59_000, Side::Server, CONTROL, ACK, 10);
        assert_eq!(matches!(verdict, Verdict::Reset { forward: None, .. }), answered, "{verdict:?}");
        assert_eq!(bench.send(59_001, Side::Client, CONTROL, ACK, 0), Verdict::Drop);
        assert_eq!(bench.table.control.live, 0);
    }
}

#[test]
fn above_a_limit_openings_are_refused_until_one_ends() {
    let mut bench = Bench::new();
    bench.rule("limit ctl max=1 action=rst");
    bench.connect(1, CONTROL);
    bench.connect(1, DATA);
    assert!(matches!(bench.send(2, Side::Client, (4002, 21), SYN, 0), Verdict::Reset { forward: None, .. }));
    bench.send(3, Side::Client, CONTROL, RST, 0);
    bench.connect(4, (4002, 21));
    assert_eq!(bench.table.control.opened, 2);
}

#[test]
fn refusals_are_counted_and_opened_flows_go_on() {
    let mut bench = Bench::new();
    bench.connect(1, DATA);
    bench.rule("refuse data count=2");
    for port in [5001, 5002] {
        assert!(matches!(bench.send(2, Side::Client, (4002, port), SYN, 0), Verdict::Reset { .. }));
    }
    bench.connect(3, (4002, 5003));
    assert_eq!(bench.send(3, Side::Server, DATA, ACK, 10), Verdict::Pass);
}

#[test]
fn a_hole_swallows_the_long_and_passes_the_short() {
    let mut bench = Bench::new();
    bench.rule("maxlen data size=100");
    bench.connect(1, DATA);
    bench.connect(1, CONTROL);
    assert_eq!(bench.send(2, Side::Server, DATA, ACK, 60), Verdict::Pass);
    assert_eq!(bench.send(2, Side::Server, DATA, ACK, 61), Verdict::Drop);
    assert_eq!(bench.send(2, Side::Server, CONTROL, ACK, 61), Verdict::Pass);
    assert_eq!(bench.table.data.live, 1, "the flow itself is left alone");
}

#[test]
fn a_stall_stays_with_the_flows_that_it_hit() {
    let mut bench = Bench::new();
    bench.rule("drop data after=50 count=1 from=s");
    let other = (4002, 5001);
    bench.connect(1, DATA);
    bench.connect(1, other);
    assert_eq!(bench.send(2, Side::Server, DATA, ACK, 50), Verdict::Drop);
    assert_eq!(bench.send(3, Side::Server, other, ACK, 50), Verdict::Pass);
    assert_eq!(bench.send(4, Side::Server, DATA, ACK, 0), Verdict::Drop);
    assert_eq!(bench.send(4, Side::Client, DATA, ACK, 0), Verdict::Pass, "only from the server");
    assert_eq!(bench.table.hits().collect::<Vec<_>>(), [1]);
}

#[test]
fn a_black_hole_swallows_what_is_no_tcp_too_and_ends() {
    let mut bench = Bench::new();
    bench.rule("drop any for=8");
    let ping = [0x45_u8; 84];
    assert_eq!(bench.table.judge(bench.at(1), Side::Client, &ping), Verdict::Drop);
    assert_eq!(bench.table.judge(bench.at(8_000), Side::Client, &ping), Verdict::Pass);
}

#[test]
fn what_ended_is_forgotten_soon_and_what_was_cut_stays_cut() {
    let mut bench = Bench::new();
    bench.connect(0, CONTROL);
    bench.connect(0, DATA);
    bench.send(1, Side::Client, CONTROL, RST, 0);
    bench.rule("rst data");
    bench.send(1, Side::Client, DATA, ACK, 0);
    bench.table.sweep(bench.at(3_000));
    assert_eq!(bench.table.flows.len(), 1);
    assert_eq!(bench.send(3_001, Side::Server, DATA, ACK, 1), Verdict::Drop);
    bench.connect(4_000, CONTROL);
    bench.table.sweep(bench.at(700_000));
    assert_eq!((bench.table.flows.len(), bench.table.control.live, bench.table.data.live), (0, 0, 0));
}

#[test]
fn more_faults_than_a_flow_can_remember_are_refused() {
    let mut bench = Bench::new();
    for _ in 0..RULES_AT_MOST {
        bench.rule("refuse data count=0");
    }
    assert!(bench.table.add(Rule::new(Class::Any, Effect::Drop, bench.begin)).is_err());
    bench.table.clear();
    bench.rule("refuse data");
}
