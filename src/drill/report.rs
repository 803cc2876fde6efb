//! What came of a drill.

use jiff::Timestamp;
use serde::Serialize;

use super::exercise::Exercise;
use super::sample::Sampled;

/// Files that are named where some are lost.
const NAMED: usize = 20;

/// One exercise.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Rehearsed {
    /// Which.
    pub exercise: Exercise,
    /// What was done.
    pub what: String,
    /// Why it was not done; none = it was.
    pub skipped: Option<String>,
    /// After how many seconds the run knew: a try failed, or it said what it waits for. None = it never had to.
    pub noticed: Option<f64>,
    /// After how many seconds the first file was finished after that.
    pub resumed: Option<f64>,
    /// How long the whole copy took, in seconds.
    pub seconds: f64,
    /// What the run said that it waits for.
    pub said: Option<String>,
    /// Why the copy did not end well; none = everything is there and was verified.
    pub failure: Option<String>,
    /// Files whose content is not in the target,
    pub lost: u64,
    /// some of them by name,
    pub lost_files: Vec<String>,
    /// and files in the target that are nobody's.
    pub strange: u64,
    /// Files that are others in the source now than at the beginning: nothing is said of them.
    pub changed: u64,
}

impl Rehearsed {
    /// Of which nothing is known yet.
    pub(super) fn of(exercise: Exercise) -> Self {
        Self {
            exercise,
            what: exercise.what(),
            skipped: None,
            noticed: None,
            resumed: None,
            seconds: 0.0,
            said: None,
            failure: None,
            lost: 0,
            lost_files: Vec::new(),
            strange: 0,
            changed: 0,
        }
    }

    /// The content of `file` is not in the target.
    pub(super) fn lose(&mut self, file: &Sampled) {
        self.lost += 1;
        if self.lost_files.len() < NAMED {
            self.lost_files.push(file.path.display().into_owned());
        }
    }

    /// It was done, the copy ended well, and nothing is lost or too much.
    #[must_use]
    pub const fn passed(&self) -> bool {
        self.skipped.is_none() && self.failure.is_none() && self.lost == 0 && self.strange == 0
    }

    /// For people: what came of it.
    #[must_use]
    pub fn verdict(&self) -> String {
        if let Some(why) = &self.skipped {
            return format!("not done: {why}");
        }
        if self.lost > 0 {
            return format!("LOST: {} files, among them {}", self.lost, self.lost_files.join(", "));
        }
        if self.strange > 0 {
            return format!("{} files in the target are nobody's", self.strange);
        }
        match (&self.failure, self.changed) {
            (Some(why), _) => format!("did not end well: {why}"),
            (None, 0) => "nothing lost".to_owned(),
            (None, changed) => format!("nothing lost; {changed} files changed in the source meanwhile"),
        }
    }

    /// For people: when it was noticed, when it went on, and how long the copy took.
    #[must_use]
    pub fn times(&self) -> [String; 3] {
        [self.noticed, self.resumed, Some(self.seconds)]
            .map(|seconds| seconds.map_or_else(|| "–".to_owned(), |seconds| format!("{seconds:.2} s")))
    }
}

/// All of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Report {
    /// The job, by name.
    pub job: String,
    /// Where it reads, without a password.
    pub source: String,
    /// When it began.
    pub started: Timestamp,
    /// Files that were copied every time,
    pub files: u64,
    /// and their bytes.
    pub bytes: u64,
    /// Exercises that were asked for.
    pub asked: usize,
    /// Each one that was begun and not stopped.
    pub exercises: Vec<Rehearsed>,
    /// Of which Causeway.
    pub version: &'static str,
}

impl Report {
    /// The bytes of the sample, for people.
    #[must_use]
    pub fn size(&self) -> String {
        format!("{}.{} MB", self.bytes / 1_000_000, self.bytes / 100_000 % 10)
    }

    /// Was everything done, and nothing lost?
    #[must_use]
    pub fn passed(&self) -> bool {
        self.exercises.len() == self.asked && self.exercises.iter().all(Rehearsed::passed)
    }

    /// In a sentence.
    #[must_use]
    pub fn verdict(&self) -> String {
        let (all, passed) = (self.asked, self.exercises.iter().filter(|done| done.passed()).count());
        let skipped = self.exercises.iter().filter(|done| done.skipped.is_some()).count();
        let skipped = skipped + all.saturating_sub(self.exercises.len());
        let lost: u64 = self.exercises.iter().map(|done| done.lost).sum();
        match (lost, all.saturating_sub(passed + skipped), skipped) {
            (0, 0, 0) => format!("Nothing lost in {all} of {all} exercises."),
            (0, 0, skipped) => format!("Nothing lost in {passed} of {all} exercises; {skipped} were not done."),
            (0, failed, _) => format!("Nothing lost, but {failed} of {all} exercises did not end well."),
            (lost, _, _) => format!("{lost} files were LOST: do not rely on this job before it is known why."),
        }
    }
}
