use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::audit::Actor;
use crate::db::Db;
use crate::manners::Manners;
use crate::model::{Endpoint, EndpointId, Fault, FaultKind, ManualClock, Phase, RelPath, SetId};
use crate::reliability::Recorder;
use crate::remote::Context;
use crate::task::Tasks;

/// Folders of this machine, by number.
struct Folders(Vec<std::path::PathBuf>);

#[async_trait]
impl Endpoints for Folders {
    async fn unsealed(&self, id: EndpointId) -> Result<Endpoint, String> {
        let place = usize::try_from(id.0 - 1).unwrap();
        Ok(Endpoint::local(self.0[place].as_os_str().as_encoded_bytes()))
    }
}

struct House {
    probes: Probes,
    clock: Arc<ManualClock>,
    roots: Vec<std::path::PathBuf>,
    _folder: tempfile::TempDir,
}

impl House {
    fn context(&self) -> Context {
        Context {
            recorder: Recorder::discard(),
            manners: Manners::forgetful(),
            clock: self.clock.clone(),
            tasks: Tasks::new(),
        }
    }
}

async fn house(count: i64) -> House {
    let folder = tempfile::tempdir().unwrap();
    let db = Db::open(&folder.path().join("db")).await.unwrap();
    let mut roots = Vec::new();
    for number in 1..=count {
        let root = folder.path().join(number.to_string());
        std::fs::create_dir(&root).unwrap();
        std::fs::write(root.join("small"), "hello").unwrap();
        std::fs::write(root.join("medium"), vec![7; 1 << 20]).unwrap();
        std::fs::create_dir(root.join("box")).unwrap();
        sqlx::query("INSERT INTO endpoints (id, name, url, options, created, changed) VALUES (?, ?, ?, '{}', 0, 0)")
            .bind(number)
            .bind(number.to_string())
            .bind(root.to_str().unwrap())
            .execute(&mut *db.statement().await.unwrap())
            .await
            .unwrap();
        roots.push(root);
    }
    let clock = Arc::new(ManualClock::new("2026-03-01T12:00:00Z".parse().unwrap()));
    let context = Context {
        recorder: Recorder::discard(),
        manners: Manners::forgetful(),
        clock: Arc::<ManualClock>::clone(&clock),
        tasks: Tasks::new(),
    };
    let probes = Probes::new(db, context, Arc::new(Folders(roots.clone())));
    House { probes, clock, roots, _folder: folder }
}

fn wanted(members: &[i64]) -> Changes {
    let path = |text: &str| Some(RelPath::new(text).unwrap());
    Changes {
        name: "Folders".into(),
        members: members.iter().copied().map(EndpointId).collect(),
        work: Work { small: path("small"), medium: path("medium"), folder: RelPath::root(), upload: path("box") },
        every: Duration::from_secs(3_600),
        budget: Budget { logins: 6, bytes: 1 << 30 },
        on: false,
    }
}

/// Waits until the set has `count` rounds.
async fn rounds(house: &House, set: SetId, count: usize) -> Vec<StoredRound> {
    loop {
        let rounds = house.probes.last(set, 100).await.unwrap();
        if rounds.len() >= count {
            return rounds;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_round_visits_all_and_what_it_saw_comes_in_pairs() {
    let house = house(3).await;
    std::fs::write(house.roots[2].join("small"), "hallo").unwrap();
    let set = house.probes.make(&Actor::System, &wanted(&[1, 2, 3])).await.unwrap();
    house.probes.start();
    house.probes.visit_now(set).await.unwrap();
    let round = rounds(&house, set, 1).await.remove(0);
    assert_eq!(round.visits.len(), 3);
    for visit in &round.visits {
        assert_eq!(visit.steps.len(), 5, "{visit:?}");
        for (step, lasting) in &visit.steps {
            let is_odd = visit.endpoint == EndpointId(3) && *step == Step::Small;
            match lasting {
                Lasting::Differs => assert!(is_odd, "{visit:?}"),
                Lasting::Done(_, amount) => {
                    assert!(!is_odd);
                    let expected = match step {
                        Step::Login => 0,
                        Step::Small => 5,
                        Step::Medium => 1 << 20,
                        Step::List => 3,
                        Step::Upload => 64 << 10,
                    };
                    assert_eq!(*amount, expected, "{step:?}");
                }
                Lasting::Failed(..) => panic!("{visit:?}"),
            }
        }
    }
    for root in &house.roots {
        assert_eq!(std::fs::read_dir(root.join("box")).unwrap().count(), 0, "what was written is gone again");
    }
    let set = house.probes.get(set).await.unwrap();
    let found = house.probes.findings(&set, (Timestamp::MIN, Timestamp::MAX)).await.unwrap();
    assert!(found.iter().all(|told| told.finding.difference.n == 1 && told.pairs.len() == 1), "{found:?}");
    assert_eq!(found.len(), 7 + 6, "the small file of the third was another: {found:?}");
}

#[tokio::test]
async fn what_is_larger_than_the_budget_is_broken_off_and_no_round_follows() {
    let house = house(2).await;
    let mut small = wanted(&[1, 2]);
    small.budget.bytes = 1 << 19;
    let set = house.probes.make(&Actor::System, &small).await.unwrap();
    house.probes.start();
    house.probes.visit_now(set).await.unwrap();
    let round = rounds(&house, set, 1).await.remove(0);
    let failed = |visit: &StoredVisit| {
        let broken = |(_, lasting): &&(Step, Lasting)| matches!(lasting, Lasting::Failed(_, FaultKind::Changed, _));
        visit.steps.iter().filter(broken).count()
    };
    assert!(round.visits.iter().all(|visit| failed(visit) > 0), "{round:?}");
    house.probes.visit_now(set).await.unwrap();
    let said = put_off(&house, set).await;
    assert!(said.starts_with("a round takes about 2 logins and "), "{said}");
    // With a larger budget it goes on.
    let larger = Changes { budget: Budget { logins: 60, bytes: 1 << 30 }, ..small };
    house.clock.advance(jiff::SignedDuration::from_secs(1));
    house.probes.change(&Actor::System, set, &larger).await.unwrap();
    house.probes.visit_now(set).await.unwrap();
    rounds(&house, set, 2).await;
}

#[tokio::test]
async fn a_file_that_could_not_be_removed_is_removed_by_the_next_visit() {
    let house = house(2).await;
    let left = RelPath::new("box/causeway-probe-old").unwrap();
    let old = house.roots[0].join("box/causeway-probe-old");
    std::fs::write(&old, "x").unwrap();
    let root = Endpoint::local(house.roots[0].as_os_str().as_encoded_bytes());
    let hosts = [Host { endpoint: Ok(root), left: vec![left] }];
    let (context, stop) = (house.context(), CancellationToken::new());
    let seen = round((&hosts, &[0]), (&Work::default(), u64::MAX), &context, &stop).await;
    assert!(seen.visits[&0].left.is_empty() && !old.exists());
    // A visit that did not get there has forgotten none.
    let left = vec![RelPath::new("box/causeway-probe-old").unwrap()];
    let gone = Host { endpoint: Err(Fault::new(Phase::Resolve, FaultKind::Unsupported, "gone")), left: left.clone() };
    let seen = round((&[gone], &[0]), (&Work::default(), u64::MAX), &context, &stop).await;
    assert_eq!(seen.visits[&0].left, left);
}

/// Waits until no round of the set may begin, and why.
async fn put_off(house: &House, set: SetId) -> String {
    loop {
        if let Some(said) = house.probes.put_off(set) {
            return said;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn the_budget_of_an_hour_holds_and_comes_back() {
    let house = house(2).await;
    let set = house.probes.make(&Actor::System, &wanted(&[1, 2])).await.unwrap();
    house.probes.start();
    // Six logins: three rounds of two.
    for number in 1..=3 {
        house.probes.visit_now(set).await.unwrap();
        rounds(&house, set, number).await;
    }
    house.probes.visit_now(set).await.unwrap();
    let said = put_off(&house, set).await;
    assert_eq!(said, "the budget of the hour is used up: 6 logins and 6 MiB");
    assert_eq!(rounds(&house, set, 3).await.len(), 3);
    house.clock.advance(jiff::SignedDuration::from_secs(3_601));
    house.probes.visit_now(set).await.unwrap();
    rounds(&house, set, 4).await;
    assert_eq!(house.probes.put_off(set), None);
}

#[tokio::test]
async fn rounds_begin_by_themselves_until_somebody_switches_them_off() {
    let house = house(2).await;
    let mut often = wanted(&[1, 2]);
    (often.every, often.on, often.budget.logins) = (Duration::from_secs(1), true, 10_000);
    let set = house.probes.make(&Actor::System, &often).await.unwrap();
    house.probes.start();
    rounds(&house, set, 2).await;
    house.probes.switch(&Actor::System, set, false).await.unwrap();
    // One that was on its way has ended; none follows, although the hour is young.
    while house.probes.is_running(set) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let count = house.probes.last(set, 100).await.unwrap().len();
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    assert_eq!(house.probes.last(set, 100).await.unwrap().len(), count, "two would have begun");
    house.probes.remove(&Actor::System, set).await.unwrap();
    assert!(house.probes.list().await.unwrap().is_empty());
    assert_eq!(house.probes.last(set, 100).await.unwrap(), []);
}

#[tokio::test]
async fn a_member_that_cannot_be_reached_fails_and_the_others_are_visited() {
    let house = house(2).await;
    let root = Endpoint::local(house.roots[0].as_os_str().as_encoded_bytes());
    let gone = Err(Fault::new(Phase::Resolve, FaultKind::Unsupported, "gone"));
    let hosts = [gone, Ok(root)].map(|endpoint| Host { endpoint, left: vec![] });
    let (context, stop) = (house.context(), CancellationToken::new());
    let seen = round((&hosts, &[1, 0]), (&wanted(&[]).work, u64::MAX), &context, &stop).await;
    assert!(matches!(seen.visits[&0].step(Step::Login), Some(Outcome::Failed(fault)) if fault.message == "gone"));
    assert!(matches!(seen.visits[&1].step(Step::Small), Some(Outcome::Done(_))));
    assert_eq!((seen.spent().logins, seen.is_cut), (1, false));
    stop.cancel();
    let cut = round((&hosts, &[1, 0]), (&Work::default(), u64::MAX), &context, &stop).await;
    assert!(cut.is_cut && cut.visits.len() == 1, "what it took counts all the same");
}

#[tokio::test]
async fn two_sets_of_one_name_or_with_an_endpoint_that_is_gone_are_refused() {
    let house = house(2).await;
    house.probes.make(&Actor::System, &wanted(&[1, 2])).await.unwrap();
    assert!(matches!(house.probes.make(&Actor::System, &wanted(&[1, 2])).await, Err(ProbeError::NameTaken)));
    let other = Changes { name: "Other".into(), ..wanted(&[1, 9]) };
    assert!(matches!(house.probes.make(&Actor::System, &other).await, Err(ProbeError::NoEndpoint)));
}
