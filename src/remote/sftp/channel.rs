//! One SFTP channel: any number of requests on their way, each answered by its number.
//!
//! Two tasks carry it. The *writer* numbers requests and sends them; whoever asks only queues, so a caller that is
//! dropped in the middle never leaves half a packet on the wire. The *reader* hands answers over and never waits for
//! anybody. A handle that nobody holds any more is closed by the writer.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use russh::client::Msg;
use russh::{Channel as SshChannel, ChannelMsg, ChannelReadHalf, ChannelWriteHalf};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::fault::{self, EOF, OK};
use super::host_key::Witness;
use crate::model::{Fault, FaultKind, Phase};
use crate::net::sftp::{Answer, Attributes, Frames, NameLine, Packet, Request};
use crate::task::Tasks;

/// Requests that wait for the writer; whoever comes then waits.
const QUEUE: usize = 64;
/// The writer gathers small requests up to so many bytes.
const GATHER: usize = 64 << 10;

/// Whoever wakes so much later than he wanted to was held up himself,
const LATE: Duration = Duration::from_millis(500);
/// and lets those who read what has come meanwhile go on for so long before he judges.
const CATCH_UP: Duration = Duration::from_millis(250);

type Waiting = oneshot::Sender<Result<Answer, Fault>>;

/// Speaks SFTP on one SSH channel. Clones are the same channel.
#[derive(Debug, Clone)]
pub(super) struct Channel {
    orders: mpsc::Sender<(Request, Waiting)>,
    state: Arc<State>,
}

#[derive(Debug)]
struct State {
    pending: Mutex<HashMap<u32, Waiting>>,
    /// Requests that are not answered yet, queued or sent.
    outstanding: AtomicUsize,
    /// Handles that nobody holds any more.
    orphans: Mutex<Vec<Bytes>>,
    orphaned: Notify,
    began: Instant,
    /// Milliseconds from the beginning to the last word of the server.
    heard: AtomicU64,
    /// Why it is of no use any more.
    broken: OnceLock<Fault>,
    cut: CancellationToken,
}

impl State {
    fn new(cut: CancellationToken) -> Self {
        Self {
            pending: Mutex::default(),
            outstanding: AtomicUsize::new(0),
            orphans: Mutex::default(),
            orphaned: Notify::new(),
            began: Instant::now(),
            heard: AtomicU64::new(0),
            broken: OnceLock::new(),
            cut,
        }
    }

    fn pending(&self) -> MutexGuard<'_, HashMap<u32, Waiting>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn orphan(&self, handle: Bytes) {
        if self.broken.get().is_none() {
            self.orphans.lock().unwrap_or_else(PoisonError::into_inner).push(handle);
            self.orphaned.notify_one();
        }
    }

    fn silence(&self) -> Duration {
        self.began.elapsed().saturating_sub(Duration::from_millis(self.heard.load(Ordering::Relaxed)))
    }

    /// Nothing comes any more: everybody who waits hears why.
    fn fail(&self, fault: Fault) {
        let fault = self.broken.get_or_init(|| fault).clone();
        self.cut.cancel();
        let pending = std::mem::take(&mut *self.pending());
        for waiting in pending.into_values() {
            drop(waiting.send(Err(fault.clone())));
        }
    }
}

/// A request on its way.
#[derive(Debug)]
pub(super) struct Asked {
    answer: oneshot::Receiver<Result<Answer, Fault>>,
    state: Arc<State>,
    since: Instant,
}

impl Drop for Asked {
    fn drop(&mut self) {
        self.state.outstanding.fetch_sub(1, Ordering::Relaxed);
        // What was opened for nobody is closed, also when the answer came and nobody had looked yet.
        self.answer.close();
        if let Ok(Ok(Answer::Handle(handle))) = self.answer.try_recv() {
            self.state.orphan(handle);
        }
    }
}

impl Channel {
    /// Takes an SSH channel on which the subsystem was started. `cut` ends it, and the connection below.
    pub(super) fn start(channel: SshChannel<Msg>, witness: Witness, cut: CancellationToken, tasks: &Tasks) -> Self {
        let (orders, queue) = mpsc::channel(QUEUE);
        let state = Arc::new(State::new(cut));
        let (read, write) = channel.split();
        tasks.spawn("sftp requests", Writer { queue, write, state: Arc::clone(&state), number: 0 }.run());
        tasks.spawn("sftp answers", listen(read, witness, Arc::clone(&state)));
        Self { orders, state }
    }

    /// How much is asked and not answered yet.
    pub(super) fn load(&self) -> usize {
        self.state.outstanding.load(Ordering::Relaxed)
    }

    /// Why it is of no use any more.
    pub(super) fn broken(&self) -> Option<&Fault> {
        self.state.broken.get()
    }

    /// Resolves when it is of no use any more.
    pub(super) async fn ended(&self) {
        self.state.cut.cancelled().await;
    }

    /// Ends it.
    pub(super) fn end(&self, why: Fault) {
        self.state.fail(why);
    }

    /// Sends a request; its answer is waited for by [`Asked::wait`].
    ///
    /// # Errors
    /// Why the channel is of no use, or that the server takes nothing for `within`.
    pub(super) async fn send(&self, request: Request, within: Duration) -> Result<Asked, Fault> {
        let (waiting, answer) = oneshot::channel();
        self.state.outstanding.fetch_add(1, Ordering::Relaxed);
        let asked = Asked { answer, state: Arc::clone(&self.state), since: Instant::now() };
        let sent = patiently(&self.state, asked.since, within, self.orders.send((request, waiting))).await?;
        match (sent, self.broken()) {
            (Ok(()), _) => Ok(asked),
            (Err(_), Some(fault)) => Err(fault.clone()),
            (Err(_), None) => Err(gone()),
        }
    }

    /// Sends a request and waits for its answer.
    ///
    /// # Errors
    /// As [`Channel::send`] and [`Asked::wait`].
    pub(super) async fn ask(&self, request: Request, within: Duration) -> Result<Answer, Fault> {
        self.send(request, within).await?.wait(within).await
    }

    /// A handle that closes itself.
    pub(super) fn handle(&self, id: Bytes) -> Handle {
        Handle { id, state: Arc::clone(&self.state), open: true }
    }
}

impl Asked {
    /// The answer. The server may take its time as long as it says anything at all on this channel: much may be on
    /// its way before it. When it is silent for `within`, the channel is given up.
    ///
    /// # Errors
    /// Why the channel is of no use.
    pub(super) async fn wait(mut self, within: Duration) -> Result<Answer, Fault> {
        let state = Arc::clone(&self.state);
        match patiently(&state, self.since, within, &mut self.answer).await? {
            Ok(answer) => answer,
            Err(_) => Err(state.broken.get().cloned().unwrap_or_else(gone)),
        }
    }

    /// The answer, if it is there already.
    pub(super) fn taken(&mut self) -> Option<Result<Answer, Fault>> {
        match self.answer.try_recv() {
            Ok(answer) => Some(answer),
            Err(oneshot::error::TryRecvError::Empty) => None,
            Err(oneshot::error::TryRecvError::Closed) => {
                Some(Err(self.state.broken.get().cloned().unwrap_or_else(gone)))
            }
        }
    }
}

fn gone() -> Fault {
    Fault::new(Phase::Command, FaultKind::ClosedEarly, "the SFTP session has ended")
}

/// Does `work` as long as the server says anything at all. The work looks first, and silence is only judged by whoever
/// woke in time: when the machine was busy, or the process was stopped, the answer may be here without having been read.
async fn patiently<F: Future>(state: &State, since: Instant, within: Duration, work: F) -> Result<F::Output, Fault> {
    tokio::pin!(work);
    loop {
        let left = within.saturating_sub(state.silence().min(since.elapsed())).max(CATCH_UP);
        let due = Instant::now() + left;
        tokio::select! {
            biased;
            done = &mut work => return Ok(done),
            () = tokio::time::sleep(left) => {}
        }
        let is_silent = state.silence().min(since.elapsed()) >= within;
        if is_silent && due.elapsed() < LATE {
            let why = format!("the server is silent for {} s", within.as_secs());
            let fault = Fault::new(Phase::Command, FaultKind::Timeout, why);
            state.fail(fault.clone());
            return Err(fault);
        }
    }
}

/// A file or directory that is open on the server. Dropping it closes it without waiting.
#[derive(Debug)]
pub(super) struct Handle {
    id: Bytes,
    state: Arc<State>,
    open: bool,
}

impl Handle {
    /// As requests name it.
    pub(super) fn id(&self) -> Bytes {
        self.id.clone()
    }

    /// The request that closes it.
    pub(super) fn close(mut self) -> Request {
        self.open = false;
        Request::Close { handle: self.id.clone() }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        if self.open {
            self.state.orphan(self.id.clone());
        }
    }
}

struct Writer {
    queue: mpsc::Receiver<(Request, Waiting)>,
    write: ChannelWriteHalf<Msg>,
    state: Arc<State>,
    number: u32,
}

impl Writer {
    async fn run(mut self) {
        let mut buffer = BytesMut::new();
        loop {
            tokio::select! {
                biased;
                () = self.state.cut.cancelled() => break,
                order = self.queue.recv() => match order {
                    Some(order) => self.put(order, &mut buffer),
                    None => break,
                },
                () = self.state.orphaned.notified() => {}
            }
            while buffer.len() < GATHER
                && let Ok(order) = self.queue.try_recv()
            {
                self.put(order, &mut buffer);
            }
            self.close_orphans(&mut buffer);
            if buffer.is_empty() {
                continue;
            }
            let sent = tokio::select! {
                biased;
                () = self.state.cut.cancelled() => break,
                sent = self.write.data_bytes(buffer.split().freeze()) => sent,
            };
            if let Err(error) = sent {
                // The reader hears why; this is only for the case that it does not.
                tracing::debug!(error = %error, "an SFTP request could not be sent");
                break;
            }
        }
        self.queue.close();
        while let Ok((_, waiting)) = self.queue.try_recv() {
            let fault = self.state.broken.get().cloned().unwrap_or_else(gone);
            drop(waiting.send(Err(fault)));
        }
    }

    fn put(&mut self, (request, waiting): (Request, Waiting), out: &mut BytesMut) {
        let mut pending = self.state.pending();
        // After four billion requests the oldest numbers are free again, unless one hangs.
        while pending.contains_key(&self.number) {
            self.number = self.number.wrapping_add(1);
        }
        pending.insert(self.number, waiting);
        drop(pending);
        Packet { id: self.number, request }.write(out);
        self.number = self.number.wrapping_add(1);
        // Whoever broke the channel a moment ago may have looked before this one was there.
        if let Some(fault) = self.state.broken.get() {
            self.state.fail(fault.clone());
        }
    }

    fn close_orphans(&mut self, out: &mut BytesMut) {
        let orphans = std::mem::take(&mut *self.state.orphans.lock().unwrap_or_else(PoisonError::into_inner));
        for handle in orphans {
            let (nobody, _) = oneshot::channel();
            self.put((Request::Close { handle }, nobody), out);
        }
    }
}

async fn listen(mut read: ChannelReadHalf, witness: Witness, state: Arc<State>) {
    let mut frames = Frames::default();
    let fault = loop {
        let message = tokio::select! {
            biased;
            () = state.cut.cancelled() => break gone(),
            message = read.wait() => message,
        };
        match message {
            Some(ChannelMsg::Data { data }) => {
                let heard = u64::try_from(state.began.elapsed().as_millis()).unwrap_or(u64::MAX);
                state.heard.store(heard, Ordering::Relaxed);
                frames.feed(&data);
                if let Err(fault) = hand_over(&mut frames, &state) {
                    break fault;
                }
            }
            // What the program behind the subsystem complains about.
            Some(ChannelMsg::ExtendedData { data, .. }) => {
                tracing::debug!(text = %String::from_utf8_lossy(&data), "the SFTP server says");
            }
            Some(ChannelMsg::Eof | ChannelMsg::Close) | None => {
                break witness.end().unwrap_or_else(|| {
                    Fault::new(Phase::Command, FaultKind::ClosedEarly, "the server closed the SFTP session")
                });
            }
            Some(_) => {}
        }
    };
    state.fail(fault);
}

fn hand_over(frames: &mut Frames, state: &State) -> Result<(), Fault> {
    let damaged = |error: crate::net::sftp::Malformed| {
        Fault::new(Phase::Command, FaultKind::Protocol, format!("the server sends a damaged SFTP packet: {error}"))
    };
    while let Some(frame) = frames.take().map_err(damaged)? {
        let (id, answer) = Answer::read(frame).map_err(damaged)?;
        let Some(waiting) = state.pending().remove(&id) else {
            return Err(Fault::new(Phase::Command, FaultKind::Protocol, "the server answers what was not asked"));
        };
        if let Err(Ok(Answer::Handle(handle))) = waiting.send(Ok(answer)) {
            state.orphan(handle);
        }
    }
    Ok(())
}

/// What an answer must be, and the fault when it is something else. `what` was being done.
pub(super) trait Expect: Sized {
    /// Success without more.
    fn done(self, phase: Phase, what: &str) -> Result<(), Fault>;
    /// Something was opened.
    fn opened(self, phase: Phase, what: &str) -> Result<Bytes, Fault>;
    /// Bytes, or the end.
    fn data(self, phase: Phase, what: &str) -> Result<Option<Bytes>, Fault>;
    /// Names, or the end.
    fn names(self, phase: Phase, what: &str) -> Result<Option<Vec<NameLine>>, Fault>;
    /// Attributes.
    fn attributes(self, phase: Phase, what: &str) -> Result<Attributes, Fault>;
}

impl Expect for Answer {
    fn done(self, phase: Phase, what: &str) -> Result<(), Fault> {
        match self {
            Self::Status { code: OK, .. } => Ok(()),
            other => Err(unwelcome(phase, what, &other)),
        }
    }

    fn opened(self, phase: Phase, what: &str) -> Result<Bytes, Fault> {
        match self {
            Self::Handle(handle) => Ok(handle),
            other => Err(unwelcome(phase, what, &other)),
        }
    }

    fn data(self, phase: Phase, what: &str) -> Result<Option<Bytes>, Fault> {
        match self {
            Self::Data(data) => Ok(Some(data)),
            Self::Status { code: EOF, .. } => Ok(None),
            other => Err(unwelcome(phase, what, &other)),
        }
    }

    fn names(self, phase: Phase, what: &str) -> Result<Option<Vec<NameLine>>, Fault> {
        match self {
            Self::Names(names) => Ok(Some(names)),
            Self::Status { code: EOF, .. } => Ok(None),
            other => Err(unwelcome(phase, what, &other)),
        }
    }

    fn attributes(self, phase: Phase, what: &str) -> Result<Attributes, Fault> {
        match self {
            Self::Attributes(attributes) => Ok(attributes),
            other => Err(unwelcome(phase, what, &other)),
        }
    }
}

/// The fault in a status, or in an answer of the wrong kind.
pub(super) fn unwelcome(phase: Phase, what: &str, answer: &Answer) -> Fault {
    match answer {
        Answer::Status { code, text } => fault::of_status(phase, what, *code, text),
        _ => Fault::new(phase, FaultKind::Protocol, format!("{what}: the server answers something else")),
    }
}

#[cfg(test)]
mod tests {
    use bytes::BufMut as _;
    use proptest::prelude::*;

    use super::*;

    const WITHIN: Duration = Duration::from_millis(50);

    /// Nothing was heard for long, and somebody asks only now.
    fn long_ago() -> Instant {
        Instant::now() - 10 * WITHIN
    }

    fn quiet() -> State {
        State { began: long_ago(), ..State::new(CancellationToken::new()) }
    }

    #[tokio::test]
    async fn an_answer_that_is_there_already_is_no_silence() {
        let state = quiet();
        assert_eq!(patiently(&state, long_ago(), WITHIN, std::future::ready(7)).await.unwrap(), 7);
        assert!(state.broken.get().is_none());
    }

    #[tokio::test]
    async fn silence_is_a_fault() {
        let (state, begin) = (quiet(), Instant::now());
        let fault = patiently(&state, long_ago(), WITHIN, std::future::pending::<()>()).await.unwrap_err();
        assert_eq!(fault.kind, FaultKind::Timeout);
        assert!(state.broken.get().is_some() && begin.elapsed() < Duration::from_secs(5));
    }

    /// As after a process that was stopped and goes on: the clock says silence, and the answer is not read yet.
    #[tokio::test]
    async fn whoever_was_held_up_himself_lets_others_read_first() {
        let state = State::new(CancellationToken::new());
        let (answer, heard) = oneshot::channel();
        let reader = async {
            std::thread::sleep(WITHIN + 2 * LATE);
            // It takes its turns: the socket, the cipher, the channel.
            for _ in 0..20 {
                tokio::task::yield_now().await;
            }
            answer.send(7).unwrap();
        };
        let (answer, ()) = tokio::join!(patiently(&state, Instant::now(), WITHIN, heard), reader);
        assert_eq!(answer.unwrap().unwrap(), 7);
    }

    fn asked(state: &Arc<State>, id: u32) -> Asked {
        let (waiting, answer) = oneshot::channel();
        state.outstanding.fetch_add(1, Ordering::Relaxed);
        state.pending().insert(id, waiting);
        Asked { answer, state: Arc::clone(state), since: Instant::now() }
    }

    /// Somebody asked for a handle and went away before he looked at it.
    #[test]
    fn a_handle_that_came_for_nobody_is_closed() {
        let state = Arc::new(State::new(CancellationToken::new()));
        let handle = b"\0\0\0\x0a\x66\0\0\0\x01\0\0\0\x01h";
        for came_before in [true, false] {
            let opening = asked(&state, 1);
            let mut frames = Frames::default();
            frames.feed(handle);
            let mut opening = Some(opening);
            if !came_before {
                opening = None;
            }
            hand_over(&mut frames, &state).unwrap();
            drop(opening);
            assert_eq!(std::mem::take(&mut *state.orphans.lock().unwrap()), [&b"h"[..]], "{came_before}");
        }
        assert_eq!(state.outstanding.load(Ordering::Relaxed), 0);
    }

    proptest! {
        /// Whatever bytes come, nobody waits for ever: what was asked is answered, or the channel knows what is wrong.
        #[test]
        fn no_bytes_make_it_panic_or_hang(
            packets in proptest::collection::vec(
                (prop_oneof![Just(2u8), 101u8..106, Just(201), any::<u8>()], 0u32..9, proptest::collection::vec(any::<u8>(), 0..60)),
                0..20,
            ),
            tail in proptest::collection::vec(any::<u8>(), 0..20),
            cut in 1usize..50,
        ) {
            let state = Arc::new(State::new(CancellationToken::new()));
            let mut waiting: Vec<_> = (0..8).map(|id| asked(&state, id)).collect();
            let mut stream = BytesMut::new();
            for (kind, id, body) in packets {
                stream.put_u32(body.len() as u32 + 5);
                stream.put_u8(kind);
                stream.put_u32(id);
                stream.put_slice(&body);
            }
            stream.put_slice(&tail);
            let mut frames = Frames::default();
            for piece in stream.chunks(cut) {
                frames.feed(piece);
                if let Err(fault) = hand_over(&mut frames, &state) {
                    prop_assert_eq!(fault.kind, FaultKind::Protocol);
                    state.fail(fault);
                    break;
                }
            }
            // The server closes: what is left hears so.
            state.fail(gone());
            for asked in &mut waiting {
                let answer = asked.taken();
                prop_assert!(answer.is_some(), "somebody still waits");
                if let Some(Ok(answer)) = answer {
                    drop(answer.clone().data(Phase::Transfer, "x"));
                    drop(answer.clone().names(Phase::List, "x"));
                    drop(answer.done(Phase::Command, "x"));
                }
            }
            drop(waiting);
            prop_assert!(state.pending().is_empty());
            prop_assert_eq!(state.outstanding.load(Ordering::Relaxed), 0);
        }
    }
}
