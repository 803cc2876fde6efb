use super::*;

const SERVER: &str = "ftp://anna@old.example/";

fn at(hours: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000).unwrap() + SignedDuration::from_hours(hours)
}

fn who(greeting: &str) -> Identity {
    Identity { greeting: greeting.to_owned(), features: "f".to_owned() }
}

async fn db() -> (Db, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    (Db::open(&folder.path().join("db")).await.unwrap(), folder)
}

async fn findings(db: &Db) -> Vec<Finding> {
    known(db, SERVER).await.unwrap().map(|known| known.findings).unwrap_or_default()
}

#[tokio::test]
async fn a_loss_outlives_every_win_until_its_time_is_over() {
    let (db, _folder) = db().await;
    let lost = Finding::lost(Manner::Chains, at(1), "an answer overtook the closing reply", Term::Day);
    for (found, kept) in [
        (Finding::won(Manner::Chains, at(0)), Finding::won(Manner::Chains, at(0))),
        (lost.clone(), lost.clone()),
        (Finding::won(Manner::Chains, at(2)), lost.clone()),
        (Finding::won(Manner::Chains, at(25)), Finding::won(Manner::Chains, at(25))),
        (lost.clone(), lost),
    ] {
        store::note(&db, SERVER, &who("a"), &found).await.unwrap();
        assert_eq!(findings(&db).await, [kept]);
    }
}

#[tokio::test]
async fn of_another_server_at_the_same_place_nothing_is_known() {
    let (db, _folder) = db().await;
    for manner in [Manner::Stat, Manner::Batches] {
        store::note(&db, SERVER, &who("a"), &Finding::won(manner, at(0))).await.unwrap();
    }
    let found = findings(&db).await;
    assert_eq!(found.iter().map(|found| found.manner).collect::<Vec<_>>(), [Manner::Batches, Manner::Stat]);
    let lost = Finding::lost(Manner::Batches, at(1), "silence", Term::Month);
    store::note(&db, SERVER, &who("b"), &lost).await.unwrap();
    assert_eq!(known(&db, SERVER).await.unwrap(), Some(Known { identity: who("b"), findings: vec![lost] }));
    assert_eq!(known(&db, "ftp://bert@old.example/").await.unwrap(), None, "another user may have other rights");
}

#[test]
fn a_loss_counts_for_its_term() {
    for (term, hours) in [(Term::Month, 720), (Term::Day, 24)] {
        let lost = Finding::lost(Manner::Active, at(0), "no", term);
        assert!(lost.counts(at(hours - 1)) && !lost.counts(at(hours)), "{term:?}");
    }
    assert!(!Finding::lost(Manner::Stat, at(0), "no", Term::Run).counts(at(0)));
    assert!(Finding::won(Manner::Stat, at(0)).counts(at(100_000)));
}

#[test]
fn says_what_is_borne_and_why_the_rest_is_not() {
    let show = |at: Timestamp| at.strftime("%F").to_string();
    assert_eq!(sentence(&[], at(0), show), None);
    let found = [
        Finding::won(Manner::Login, at(0)),
        Finding::won(Manner::Batches, at(0)),
        Finding::lost(Manner::Chains, at(0), "an answer overtook the closing reply", Term::Month),
        Finding::lost(Manner::Active, at(0), "an answer overtook the closing reply", Term::Month),
        Finding::lost(Manner::Stat, at(0), "it does not show what LIST shows", Term::Run),
    ];
    assert_eq!(
        sentence(&found, at(1), show).unwrap(),
        "a login in one batch, commands in batches; not the next data port asked for ahead nor data connections that it \
         opens (since 2023-11-14: an answer overtook the closing reply; tried again after 2023-12-14); not folders listed by STAT (since \
         2023-11-14: it does not show what LIST shows; tried again in the next run)"
    );
}

#[tokio::test]
async fn a_remedy_is_kept_for_a_month_and_the_latest_of_its_kind_counts() {
    let (db, _folder) = db().await;
    let at = at(0);
    for remedy in [
        Remedy::Keepalive { seconds: 9 },
        Remedy::Keepalive { seconds: 6 },
        Remedy::Rest { seconds: 20 },
        Remedy::Connections { most: 3 },
        Remedy::ShortSegments,
        Remedy::Pasv,
        Remedy::PeerAddress,
    ] {
        prescribe(&db, SERVER, remedy, "seen", at).await.unwrap();
    }
    let manners = Manners::new(db.clone(), &Tasks::new());
    let all = manners.remedies(SERVER, at).await;
    assert_eq!(all.keepalive, Some(std::time::Duration::from_secs(6)));
    assert!(all.short_segments && all.pasv && all.peer_address && all.connections == Some(3) && all.rest.is_some());
    let later = at + SignedDuration::from_hours(24 * 31);
    assert_eq!(manners.remedies(SERVER, later).await, Remedies::default());
    assert_eq!(manners.remedies("ftp://old.example/", at).await, Remedies::default());
    assert_eq!(remedies(&db, SERVER).await.unwrap().len(), 6);
}
