//! The link: packets of either namespace are taken, judged, and sent their way.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use crate::control::{Ask, Outcome};
use crate::flow::{Table, Verdict};
use crate::namespace::End;
use crate::random::Random;
use crate::rule::{Rule, Side};
use crate::shape::Shape;
use crate::sys;
use crate::way::Way;

/// The largest packet of IPv4.
const PACKET: usize = 65_536;
/// Packets taken from one side before the other has its turn.
const BATCH: usize = 64;
/// How often ended flows are looked for, and the longest wait.
const TICK: Duration = Duration::from_secs(1);

/// What wakes the link beside packets.
#[derive(Debug)]
pub struct Wakes {
    /// A byte for each question in `asks`.
    pub asked: UnixStream,
    /// Readable when a signal wants the end.
    pub signals: File,
    /// Readable when the process that holds the other end has gone; nobody holds one: never.
    pub leash: File,
}

/// Two devices, and what is between them.
#[derive(Debug)]
pub struct Link {
    ends: [End; 2],
    ways: [Way; 2],
    shape: Shape,
    table: Table,
    loss: Random,
    jitter: Random,
}

impl Link {
    /// A link with nothing under way.
    pub fn new(ends: [End; 2], shape: Shape, control_ports: Vec<u16>, seed: u64) -> Self {
        let now = Instant::now();
        let table = Table::new(control_ports, Random::new(seed, 0));
        let (loss, jitter) = (Random::new(seed, 1), Random::new(seed, 2));
        Self { ends, ways: [Way::new(now), Way::new(now)], shape, table, loss, jitter }
    }

    /// Carries packets until a question, a signal or the leash ends it.
    ///
    /// # Errors
    /// The kernel refuses to wait.
    pub fn run(&mut self, asks: &Receiver<Ask>, wakes: &Wakes) -> io::Result<()> {
        let mut buffer = vec![0; PACKET];
        let mut swept = Instant::now();
        loop {
            let now = Instant::now();
            self.deliver(now);
            self.table.doom(now);
            if now - swept > TICK {
                self.table.sweep(now);
                swept = now;
            }
            let [client, server] = &self.ends;
            let descriptors = [
                client.device.as_fd(),
                server.device.as_fd(),
                wakes.asked.as_fd(),
                wakes.signals.as_fd(),
                wakes.leash.as_fd(),
            ];
            let [from_client, from_server, asked, signalled, let_go] = sys::wait(descriptors, self.idle(now))?;
            for (side, ready) in Side::BOTH.into_iter().zip([from_client, from_server]) {
                if ready {
                    self.take(side, &mut buffer);
                }
            }
            if asked && self.answer(asks, &wakes.asked) || signalled || let_go {
                return Ok(());
            }
        }
    }

    /// How long nothing is due.
    fn idle(&self, now: Instant) -> Duration {
        let due = self.ways.iter().filter_map(Way::next_due).chain(self.table.next_due(now)).min();
        due.map_or(TICK, |due| due.saturating_duration_since(Instant::now()).min(TICK))
    }

    fn end(&self, side: Side) -> &End {
        let [client, server] = &self.ends;
        if side == Side::Client { client } else { server }
    }

    fn way(&mut self, from: Side) -> &mut Way {
        let [client, server] = &mut self.ways;
        if from == Side::Client { client } else { server }
    }

    fn take(&mut self, from: Side, buffer: &mut [u8]) {
        for _ in 0..BATCH {
            let Ok(length) = (&self.end(from).device).read(buffer) else { return };
            let Some(packet) = buffer.get(..length) else { return };
            let now = Instant::now();
            let tally = &mut self.way(from).tally;
            tally.packets += 1;
            tally.bytes += u64::try_from(length).unwrap_or_default();
            if self.shape.loss > 0.0 && self.loss.fraction() < self.shape.loss {
                self.way(from).tally.lost += 1;
                continue;
            }
            match self.table.judge(now, from, packet) {
                Verdict::Pass => self.send(from, now, packet),
                Verdict::Drop => self.way(from).tally.faulted += 1,
                Verdict::Reset { forward, back } => {
                    self.way(from).tally.faulted += 1;
                    if let Some(reset) = forward {
                        self.send(from, now, &reset);
                    }
                    hand_over(&self.end(from).device, &back);
                }
            }
        }
    }

    fn send(&mut self, from: Side, now: Instant, packet: &[u8]) {
        let jitter = self.shape.jitter;
        let jitter = if jitter.is_zero() { jitter } else { jitter.mul_f64(self.jitter.fraction()) };
        let shape = self.shape;
        self.way(from).send(now, &shape, jitter, packet);
    }

    fn deliver(&mut self, now: Instant) {
        let Self { ends: [client, server], ways: [from_client, from_server], .. } = self;
        from_client.deliver(now, |packet| hand_over(&server.device, packet));
        from_server.deliver(now, |packet| hand_over(&client.device, packet));
    }

    /// Answers what was asked. True: it is to end.
    fn answer(&mut self, asks: &Receiver<Ask>, mut asked: &UnixStream) -> bool {
        let mut bytes = [0; 16];
        // Only to empty it: the questions themselves are counted by the channel.
        if asked.read(&mut bytes).is_err() {
            return false;
        }
        while let Ok(ask) = asks.try_recv() {
            let outcome = crate::control::handle(self, &ask.line);
            let ends = matches!(outcome, Outcome::End);
            ask.answer.send(outcome.into_line()).ok();
            if ends {
                return true;
            }
        }
        false
    }

    /// Changes the shape by words of `key=value`; all of them or none.
    ///
    /// # Errors
    /// A sentence.
    pub fn set(&mut self, words: &[&str]) -> Result<(), String> {
        let mut shape = self.shape;
        words.iter().try_for_each(|word| shape.set(word))?;
        self.shape = shape;
        Ok(())
    }

    /// Adds a fault.
    ///
    /// # Errors
    /// A sentence.
    pub fn fault(&mut self, words: &[&str]) -> Result<(), String> {
        self.table.add(Rule::parse(words, Instant::now())?)
    }

    /// Removes all faults.
    pub fn clear(&mut self) {
        self.table.clear();
    }

    /// All counters as JSON on one line.
    pub fn report(&self) -> String {
        let [client, server] = &self.ways;
        let mut line = format!(
            r#"{{"cc":"{}","ctl":{},"data":{},"c2s":{},"s2c":{},"rule_hits":["#,
            self.end(Side::Server).congestion,
            self.table.control,
            self.table.data,
            client.tally,
            server.tally
        );
        for (number, hits) in self.table.hits().enumerate() {
            let comma = if number > 0 { "," } else { "" };
            // Writing into a String cannot fail.
            write!(line, "{comma}{hits}").ok();
        }
        line + "]}"
    }

    /// Counts from zero again; what is open stays counted as open.
    pub fn reset_counters(&mut self) {
        self.table.control.reset();
        self.table.data.reset();
        for way in &mut self.ways {
            way.tally = crate::tally::Packets::default();
        }
    }
}

/// A packet that the namespace does not take, because its device is down or full, is a lost packet.
fn hand_over(mut device: &File, packet: &[u8]) {
    device.write_all(packet).ok();
}
