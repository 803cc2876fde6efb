//! What a run's manifest says is what that run was told and left behind, whatever the job is told later.

use std::fs;
use std::path::{Path, PathBuf};

use causeway::job::MirrorEngine;
use causeway::manifest::{Manifests, Sealed};
use causeway::manners::Manners;
use causeway::mirror::Proving;
use causeway::reliability::Recorder;
use causeway::remote::Context;

use super::*;

/// Jobs that really mirror, from one folder to another.
struct Mill {
    folder: TempDir,
    jobs: Jobs,
    worker: Arc<Worker>,
    _tasks: Tasks,
}

impl Mill {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::open(&folder.path().join("causeway.db")).await.unwrap();
        let clock: Arc<dyn Clock> = Arc::new(causeway::model::SystemClock);
        let jobs = Jobs::new(db.clone(), Arc::new(Vault::new(&[5; 32]).unwrap()), clock.clone());
        let jobs = jobs.with_manifests(folder.path());
        let tasks = Tasks::new();
        let manners = Manners::new(db.clone(), &tasks);
        let context = Context { recorder: Recorder::discard(), manners, clock, tasks: tasks.child() };
        let engine = Arc::new(MirrorEngine::new(db, context));
        let worker = Worker::new(jobs.clone(), engine, WorkerOptions::default(), &tasks);
        fs::create_dir(folder.path().join("source")).unwrap();
        for (name, text) in [("a", "alpha"), ("b", "beta")] {
            fs::write(folder.path().join("source").join(name), text).unwrap();
        }
        Self { folder, jobs, worker, _tasks: tasks }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn told(&self, target: &str, proof: Proving) -> NewJob {
        let of = |name: &str| {
            let endpoint = Endpoint::local(self.path(name).as_os_str().as_encoded_bytes());
            EndpointRef::Inline(NewEndpoint::unnamed(endpoint))
        };
        NewJob {
            name: "move".to_owned(),
            source: of("source"),
            target: of(target),
            policy: Policy { proof, ..Policy::default() },
            schedule: Schedule::Manual,
            zone: Zone::utc(),
            paused: false,
        }
    }

    async fn run(&self, job: JobId) -> Run {
        let id = self.jobs.run_now(&Actor::System, job).await.unwrap();
        self.worker.look().await.unwrap();
        for _ in 0..1200 {
            let run = self.jobs.run(id).await.unwrap();
            if run.state.is_over() {
                assert!(run.summary.as_ref().unwrap().complete, "{run:?}");
                return run;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("run {id} does not end");
    }

    fn manifest(&self, run: &Run) -> PathBuf {
        Manifests::new(self.folder.path()).path(run.job, run.id)
    }

    async fn write(&self, run: &Run) -> Result<PathBuf, String> {
        let written = self.jobs.write_manifest(&Actor::System, run.id).await;
        written.map(|written| written.path).map_err(|error| error.to_string())
    }
}

/// What a manifest says of itself, and the run that proved each of its files.
fn said(path: &Path) -> (String, String, Vec<RunId>) {
    let sealed = Sealed::open(path, None).unwrap();
    let header = &sealed.verified().header;
    let (mut reader, mut proven) = (sealed.entries().unwrap(), Vec::new());
    while let Some(entry) = reader.next_entry().unwrap() {
        proven.push(entry.proof_run);
    }
    (header.target.clone(), header.proof.clone(), proven)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_says_what_its_own_run_was_told_and_left() {
    let mill = Mill::new().await;
    let job = mill.jobs.create(&Actor::System, &mill.told("one", Proving::StreamHash)).await.unwrap();
    let first = mill.run(job).await;
    let one = mill.path("one").to_str().unwrap().to_owned();
    let expected = (one.clone(), "stream-hash".to_owned(), vec![first.id; 2]);
    assert_eq!(said(&mill.manifest(&first)), expected);

    // The job is told otherwise. The other place holds files of the same names, sizes and times, and other bytes.
    let two = mill.path("two");
    fs::create_dir(&two).unwrap();
    for name in ["a", "b"] {
        let there = mill.path("one").join(name);
        fs::write(two.join(name), vec![b'?'; fs::read(&there).unwrap().len()]).unwrap();
        let mtime = fs::metadata(&there).unwrap().modified().unwrap();
        fs::File::options().write(true).open(two.join(name)).unwrap().set_modified(mtime).unwrap();
    }
    mill.jobs.update(&Actor::System, job, &mill.told("two", Proving::SecondRead)).await.unwrap();
    fs::remove_file(mill.manifest(&first)).unwrap();
    assert_eq!(said(&mill.write(&first).await.unwrap()), expected, "what the job is told now is another run's");

    let second = mill.run(job).await;
    let two = two.to_str().unwrap().to_owned();
    assert_eq!(said(&mill.manifest(&second)), (two, "second-read".to_owned(), vec![second.id; 2]));
    assert_eq!(fs::read(mill.path("two/a")).unwrap(), b"alpha");
    let refused = mill.write(&first).await.unwrap_err();
    assert!(refused.contains("a later run changed files"), "{refused}");
}

/// A run of which no list of paths is kept any more, and one that only forgot.
#[tokio::test(flavor = "multi_thread")]
async fn a_later_run_is_noticed_whatever_it_did() {
    let mut mill = Mill::new().await;
    mill.jobs = mill.jobs.clone().keeping(1);
    let job = mill.jobs.create(&Actor::System, &mill.told("one", Proving::StreamHash)).await.unwrap();
    let first = mill.run(job).await;
    let quiet = mill.run(job).await;
    let stands = mill.jobs.manifest_of(&quiet).await.unwrap().unwrap();
    assert_eq!(stands.run, first.id, "nothing changed since");
    for place in ["source/a", "one/a"] {
        fs::remove_file(mill.path(place)).unwrap();
    }
    let forgot = mill.run(job).await;
    assert_eq!(said(&mill.jobs.manifest_of(&forgot).await.unwrap().unwrap().path).2, [first.id]);
    assert!(mill.write(&quiet).await.unwrap_err().contains("a later run changed files"));
    fs::write(mill.path("source/b"), "changed").unwrap();
    let changed = mill.run(job).await;
    let last = mill.run(job).await;
    mill.jobs.tidy().await.unwrap();
    assert!(mill.write(&forgot).await.unwrap_err().contains("a later run changed files"));
    assert_eq!(mill.jobs.manifest_of(&last).await.unwrap().unwrap().run, changed.id);
    assert_eq!(said(&mill.write(&last).await.unwrap()).2, [changed.id]);
}
