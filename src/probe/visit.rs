//! One endpoint of a round: a login of its own, and each step timed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc::Receiver;
use tokio_util::sync::CancellationToken;

use super::Work;
use crate::model::{Digest, DigestAlgorithm, Endpoint, Fault, FaultKind, Hasher, Phase, RelPath};
use crate::reliability::{Observation, Recorder, What};
use crate::remote::{self, Coming, Context, Remote};

/// Bytes of the file that is written.
const UPLOAD: usize = 64 << 10;
/// How long it may take to remove what was written.
const TIDY: Duration = Duration::from_secs(15);
/// How long a connection that was closed may take to end.
const GOODBYE: Duration = Duration::from_secs(2);
/// How long somebody may be silent who may still have something to say.
const LATE: Duration = Duration::from_secs(30);
/// Observations of one visit; a few connections and transfers.
const OBSERVED: usize = 64;

/// What a visit does, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// From the first packet to the first command that is answered.
    Login,
    /// The small file, read.
    Small,
    /// The medium file, read.
    Medium,
    /// The folder, listed.
    List,
    /// A file of 64 KiB, written, read back, and removed.
    Upload,
}

impl Step {
    /// In order.
    pub const ALL: [Self; 5] = [Self::Login, Self::Small, Self::Medium, Self::List, Self::Upload];

    /// The stable word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::Small => "small",
            Self::Medium => "medium",
            Self::List => "list",
            Self::Upload => "upload",
        }
    }

    /// The step of a word.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|step| step.as_str() == word)
    }
}

/// What a step brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Done {
    /// From the command to the last word.
    pub took: Duration,
    /// From the command to the first byte, of a read.
    pub first: Option<Duration>,
    /// Payload bytes; of a listing the entries.
    pub amount: u64,
    /// Of what was read.
    pub digest: Option<Digest>,
}

/// How a step ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Well.
    Done(Done),
    /// It was read to its end, and is not what the others of the round read, or what was written.
    Differs(Done),
    /// It failed.
    Failed(Fault),
}

/// All that was seen at one endpoint.
#[derive(Debug, Clone)]
pub struct Visit {
    /// When it began.
    pub at: Timestamp,
    /// The parts of the set-up, as far as it came.
    pub phases: Vec<(Phase, Duration)>,
    /// The steps that were tried, in order. Behind a failed login there are none.
    pub steps: Vec<(Step, Outcome)>,
    /// Logins that were tried.
    pub logins: u32,
    /// Payload bytes, both ways.
    pub bytes: u64,
    /// Files that could not be removed again; the next visit tries it.
    pub left: Vec<RelPath>,
}

/// What a visit may take, and to what it belongs.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// The house.
    pub context: &'a Context,
    /// The number of its round, which all that is observed gets.
    pub round: i64,
    /// How long it may take.
    pub patience: Duration,
    /// Payload bytes that it may move.
    pub bytes: u64,
    /// What visits before it have left there.
    pub left: &'a [RelPath],
    /// Ends it early.
    pub stop: &'a CancellationToken,
}

impl Visit {
    /// How a step ended, if it was tried.
    #[must_use]
    pub fn step(&self, step: Step) -> Option<&Outcome> {
        self.steps.iter().find(|(which, _)| *which == step).map(|(_, outcome)| outcome)
    }

    /// One that has seen nothing: the endpoint could not even be asked for. What is `left` there still is.
    #[must_use]
    pub fn failed(at: Timestamp, fault: Fault, left: &[RelPath]) -> Self {
        let steps = vec![(Step::Login, Outcome::Failed(fault))];
        Self { at, phases: Vec::new(), steps, logins: 0, bytes: 0, left: left.to_vec() }
    }

    /// Visits `endpoint` and does `work`, in no more time and bytes than it may take, and not after it was told to `stop`.
    /// Whatever happens, a file that was written is removed again.
    pub async fn make(endpoint: &Endpoint, work: &Work, call: &Call<'_>) -> Self {
        let mut endpoint = endpoint.clone();
        endpoint.options.connections = Some(1);
        // The client's own eyes: what it records of this visit is read here, and goes on to where all of it goes.
        let (eyes, seen) = Recorder::channel(OBSERVED);
        let through = Context { recorder: eyes, ..call.context.clone() };
        let mut visit = Self {
            at: call.context.clock.now(),
            phases: Vec::new(),
            steps: Vec::new(),
            logins: 0,
            bytes: 0,
            left: call.left.to_vec(),
        };
        let begun = Instant::now();
        let deadline = tokio::time::Instant::now() + call.patience;
        let opened = tokio::select! {
            opened = remote::open(&endpoint, &through) => opened,
            () = tokio::time::sleep_until(deadline) => Err(slow(Phase::Connect, call.patience)),
            () = call.stop.cancelled() => Err(stopped(Phase::Connect)),
        };
        let mut ready = begun.elapsed();
        let login = match opened {
            Ok(remote) => {
                let cut = tokio::select! {
                    () = visit.work(&remote, work, call.bytes) => None,
                    () = tokio::time::sleep_until(deadline) => Some(slow(Phase::Transfer, call.patience)),
                    () = call.stop.cancelled() => Some(stopped(Phase::Transfer)),
                };
                if let Some(fault) = cut {
                    let next = Step::ALL.into_iter().find(|step| wanted(*step, work) && visit.step(*step).is_none());
                    visit.steps.extend(next.map(|step| (step, Outcome::Failed(fault))));
                }
                if tokio::time::timeout(TIDY, visit.tidy(remote.as_ref())).await.is_err() {
                    tracing::warn!(endpoint = %endpoint, "the file of a probe could not be removed in time");
                }
                remote.close().await;
                drop((remote, through));
                visit.look(seen, &mut ready, (call.context, call.round)).await;
                Outcome::Done(Done { took: ready, first: None, amount: 0, digest: None })
            }
            Err(fault) => {
                drop(through);
                visit.look(seen, &mut ready, (call.context, call.round)).await;
                Outcome::Failed(fault)
            }
        };
        visit.steps.insert(0, (Step::Login, login));
        visit.logins = visit.logins.max(1);
        visit
    }

    /// What the client saw: how long the set-up took, and in which parts. It says so when the connection has ended.
    async fn look(&mut self, mut seen: Receiver<Observation>, ready: &mut Duration, to: (&Context, i64)) {
        let deadline = tokio::time::Instant::now() + GOODBYE;
        while self.logins == 0 {
            match tokio::time::timeout_at(deadline, seen.recv()).await {
                Ok(Some(observation)) => self.note(observation, ready, to),
                Ok(None) | Err(_) => break,
            }
        }
        while let Ok(observation) = seen.try_recv() {
            self.note(observation, ready, to);
        }
        // What is said later is of no use here, but is an observation all the same.
        let (context, round) = to;
        let recorder = context.recorder.clone();
        context.tasks.spawn("probe: late observations", async move {
            while let Ok(Some(observation)) = tokio::time::timeout(LATE, seen.recv()).await {
                recorder.record(of_round(observation, round));
            }
        });
    }

    fn note(&mut self, observation: Observation, ready: &mut Duration, (context, round): (&Context, i64)) {
        if let What::Connection { setup, phases, .. } = &observation.what {
            if self.logins == 0 {
                self.phases.clone_from(phases);
                *ready = setup.unwrap_or(*ready);
            }
            self.logins += 1;
        }
        context.recorder.record(of_round(observation, round));
    }

    async fn work(&mut self, remote: &Arc<dyn Remote>, work: &Work, most: u64) {
        self.tidy(remote.as_ref()).await;
        for step in Step::ALL {
            let outcome = match (step, &work.small, &work.medium, &work.upload) {
                (Step::Small, Some(path), _, _) | (Step::Medium, _, Some(path), _) => {
                    self.read(remote.as_ref(), path, most).await.map(Outcome::Done)
                }
                (Step::List, ..) => list(remote.as_ref(), &work.folder).await.map(Outcome::Done),
                (Step::Upload, _, _, Some(folder)) => self.upload(remote.as_ref(), folder, most).await,
                _ => continue,
            };
            self.steps.push((step, outcome.unwrap_or_else(Outcome::Failed)));
        }
    }

    /// Removes what this visit, or one before it, has written. What is cut off in the middle has forgotten none of them.
    async fn tidy(&mut self, remote: &dyn Remote) {
        let mut kept = 0;
        while let Some(path) = self.left.get(kept).cloned() {
            match remote.remove_file(&path).await {
                Err(fault) if fault.kind != FaultKind::Missing => {
                    tracing::warn!(file.path = %path.display(), %fault, "the file of a probe could not be removed");
                    kept += 1;
                }
                Ok(()) | Err(_) => drop(self.left.remove(kept)),
            }
        }
    }

    /// Reads a file; every byte counts when it comes, so that a budget holds for what fails, too.
    async fn read(&mut self, remote: &dyn Remote, path: &RelPath, most: u64) -> Result<Done, Fault> {
        let begun = Instant::now();
        let mut hasher = Hasher::of_digest(DigestAlgorithm::Sha256);
        let mut source = remote.read(path, 0, None).await?;
        let (mut first, mut amount) = (None, 0_u64);
        while let Some(bytes) = source.next().await? {
            first.get_or_insert_with(|| begun.elapsed());
            let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
            (amount, self.bytes) = (amount.saturating_add(length), self.bytes.saturating_add(length));
            if self.bytes > most {
                source.stop().await;
                return Err(too_much(most));
            }
            hasher.update(&bytes);
        }
        source.finish().await?;
        let took = begun.elapsed();
        let digest = Digest::try_from(hasher);
        let digest = digest.map_err(|error| Fault::new(Phase::Verify, FaultKind::Io, error.to_string()))?;
        Ok(Done { took, first, amount, digest: Some(digest) })
    }

    /// Writes a file that nobody has seen before, reads it back and removes it.
    async fn upload(&mut self, remote: &dyn Remote, folder: &RelPath, most: u64) -> Result<Outcome, Fault> {
        let broken = |error: std::io::Error| Fault::new(Phase::Open, FaultKind::Io, error.to_string());
        let (mut content, mut key) = (vec![0; UPLOAD], [0; 8]);
        crate::random::fill(&mut content).map_err(broken)?;
        crate::random::fill(&mut key).map_err(broken)?;
        let name = format!("causeway-probe-{}", data_encoding::HEXLOWER.encode(&key));
        let path = RelPath::new(name).map(|name| folder.concat(&name));
        let path = path.map_err(|error| Fault::new(Phase::Open, FaultKind::BadName, error.to_string()))?;
        let sum = digest(&content)?;
        let size = u64::try_from(content.len()).unwrap_or(u64::MAX);
        if self.bytes.saturating_add(2 * size) > most {
            return Err(too_much(most));
        }
        // From here on it may be there, and is removed whatever happens.
        self.left.push(path.clone());
        self.bytes = self.bytes.saturating_add(size);
        let took = write(remote, &path, content).await?;
        let read = self.read(remote, &path, most).await?;
        self.tidy(remote).await;
        let done = Done { took, first: None, ..read };
        Ok(if read.digest == Some(sum) { Outcome::Done(done) } else { Outcome::Differs(done) })
    }
}

/// With the number of the round, by which the statistics find its pairs.
fn of_round(mut observation: Observation, round: i64) -> Observation {
    observation.detail.round = Some(round);
    observation
}

/// Is the step part of the work?
fn wanted(step: Step, work: &Work) -> bool {
    match step {
        Step::Login => false,
        Step::Small => work.small.is_some(),
        Step::Medium => work.medium.is_some(),
        Step::List => true,
        Step::Upload => work.upload.is_some(),
    }
}

fn stopped(phase: Phase) -> Fault {
    Fault::new(phase, FaultKind::Cancelled, "the comparison was switched off or changed")
}

fn too_much(most: u64) -> Fault {
    let said = format!("more than {} MiB were to be moved, which the budget of the hour does not hold", most >> 20);
    Fault::new(Phase::Transfer, FaultKind::Changed, said)
}

fn slow(phase: Phase, patience: Duration) -> Fault {
    Fault::new(phase, FaultKind::Timeout, format!("the visit took longer than {} s", patience.as_secs()))
}

fn digest(content: &[u8]) -> Result<Digest, Fault> {
    let mut hasher = Hasher::of_digest(DigestAlgorithm::Sha256);
    hasher.update(content);
    Digest::try_from(hasher).map_err(|error| Fault::new(Phase::Verify, FaultKind::Io, error.to_string()))
}

async fn list(remote: &dyn Remote, folder: &RelPath) -> Result<Done, Fault> {
    let begun = Instant::now();
    let mut lister = remote.list(folder).await?;
    let (mut first, mut amount) = (None, 0_u64);
    while let Some(entries) = lister.next().await? {
        first.get_or_insert_with(|| begun.elapsed());
        amount = amount.saturating_add(u64::try_from(entries.len()).unwrap_or(u64::MAX));
    }
    lister.finish().await?;
    Ok(Done { took: begun.elapsed(), first, amount, digest: None })
}

async fn write(remote: &dyn Remote, path: &RelPath, content: Vec<u8>) -> Result<Duration, Fault> {
    let begun = Instant::now();
    let size = u64::try_from(content.len()).ok();
    let mut sink = remote.write_new(path, Coming { size, mtime: None }).await?;
    sink.write(Bytes::from(content)).await?;
    sink.finish().await?;
    Ok(begun.elapsed())
}
