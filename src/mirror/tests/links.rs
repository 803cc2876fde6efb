//! Symbolic links by policy.

use super::*;
use crate::mirror::Links;

fn following() -> Policy {
    Policy { links: Links::Follow, ..quick() }
}

fn recreating() -> Policy {
    Policy { links: Links::Recreate, ..quick() }
}

fn link(memory: &Memory, at: &str, target: &str) {
    memory.put_node(&path(at), node(EntryKind::Symlink(Some(target.into()))));
}

/// What the target holds, links with where they lead.
fn shown(memory: &Memory) -> Vec<String> {
    let show = |(path, node): (RelPath, Node)| match node.kind {
        EntryKind::File => format!("{}={}", path.display(), String::from_utf8_lossy(&node.data)),
        EntryKind::Dir => format!("{}/", path.display()),
        EntryKind::Symlink(Some(to)) => format!("{} -> {}", path.display(), String::from_utf8_lossy(&to)),
        other => format!("{} {other:?}", path.display()),
    };
    memory.tree().into_iter().map(show).collect()
}

fn releases() -> Memory {
    let source = Memory::new();
    source.put(&path("releases/1/app"), "one");
    source.put(&path("releases/2/app"), "two");
    source.put(&path("releases/2/doc/text"), "text");
    source.put(&path("common/logo"), "logo");
    link(&source, "current", "releases/2");
    link(&source, "app", "current/app");
    link(&source, "releases/2/shared", "../../common/");
    source
}

#[tokio::test]
async fn what_links_lead_to_is_mirrored_in_their_place() {
    for hidden in [false, true] {
        let (lab, source, target) = (Lab::new().await, releases(), Memory::new());
        source.script(|s| s.hides_targets = hidden);
        let first = lab.go((1, 1), &source, &target, following()).await;
        assert!(first.complete && first.verified, "{first:?}");
        let all = [
            "app=two",
            "common/",
            "common/logo=logo",
            "current/",
            "current/app=two",
            "current/doc/",
            "current/doc/text=text",
            "current/shared/",
            "current/shared/logo=logo",
            "releases/",
            "releases/1/",
            "releases/1/app=one",
            "releases/2/",
            "releases/2/app=two",
            "releases/2/doc/",
            "releases/2/doc/text=text",
            "releases/2/shared/",
            "releases/2/shared/logo=logo",
        ];
        assert_eq!(shown(&target), all);
        assert_eq!(target.tree()[&path("app")].mtime, source.tree()[&path("releases/2/app")].mtime);
        source.script(|_| ());
        target.script(|_| ());
        let second = lab.go((1, 2), &source, &target, following()).await;
        assert_eq!((second.counts.files_published, second.counts.files_unchanged), (0, 9), "{second:?}");
        assert!(
            source.log().iter().all(|step| step.starts_with("list") || step.starts_with("stat")),
            "{:?}",
            source.log()
        );
        assert!(target.log().iter().all(|step| step.starts_with("list")), "{:?}", target.log());
        // A link that leads elsewhere brings another version.
        link(&source, "app", "releases/1/app");
        let third = lab.go((1, 3), &source, &target, following()).await;
        assert!(third.complete && third.counts.files_published == 1, "{third:?}");
        assert_eq!(target.tree()[&path("app")].data, b"one");
        lab.agree(3).await;
    }
}

#[tokio::test]
async fn links_that_leave_the_root_or_never_end_are_refused_and_listed() {
    let (lab, source, target) = (Lab::new().await, releases(), Memory::new());
    source.script(|s| s.root = Some(b"/srv/ftp".to_vec()));
    for (at, to) in [
        ("out", "../secret"),
        ("abs", "/etc/passwd"),
        ("inside", "/srv/ftp/common/logo"),
        ("self", "self"),
        ("common/up", ".."),
        ("common/back", "../releases"),
        ("releases/1/common", "../../common"),
        ("gone", "no/where"),
    ] {
        link(&source, at, to);
    }
    let summary = lab.go((1, 1), &source, &target, following()).await;
    assert!(!summary.complete, "{summary:?}");
    let refused: Vec<_> =
        summary.missing.iter().map(|item| (item.path.display().into_owned(), item.fault.message.clone())).collect();
    // Both ways into the circle of common and releases are cut where they come back.
    let expected = [
        ("abs", "absolute path /etc/passwd"),
        ("common/back/1/common", "holds it"),
        ("common/back/2/shared", "holds it"),
        ("common/up", "holds it"),
        ("current/shared/back", "holds it"),
        ("current/shared/up", "holds it"),
        ("out", "out of the source"),
        ("releases/1/common/back", "holds it"),
        ("releases/1/common/up", "holds it"),
        ("releases/2/shared/back", "holds it"),
        ("releases/2/shared/up", "holds it"),
        ("self", "itself"),
    ];
    assert_eq!(refused.len(), expected.len(), "{refused:#?}");
    for ((at, why), (path, words)) in refused.iter().zip(expected) {
        assert!(at == path && why.contains(words), "{at}: {why}");
    }
    let shown = shown(&target);
    assert!(shown.contains(&"inside=logo".to_owned()) && shown.contains(&"current/app=two".to_owned()), "{shown:?}");
    assert!(shown.contains(&"common/back/1/app=one".to_owned()), "{shown:?}");
    assert_eq!((summary.counts.links_dangling, summary.counts.entries_skipped), (1, 1), "{summary:?}");
    assert!(summary.notes.iter().any(|note| note.contains("lead to nothing")), "{summary:?}");
}

#[tokio::test]
async fn nothing_is_deleted_because_a_link_leads_elsewhere() {
    let (lab, source, target) = (Lab::new().await, releases(), Memory::new());
    let policy = Policy { links: Links::Follow, ..deleting() };
    assert!(lab.go((1, 1), &source, &target, policy.clone()).await.complete);
    link(&source, "current", "releases/1");
    for run in 2..5 {
        let summary = lab.go((1, run), &source, &target, policy.clone()).await;
        assert!(summary.complete && summary.counts.files_trashed == 0, "{summary:?}");
    }
    let there = shown(&target);
    assert!(there.contains(&"current/app=one".to_owned()) && there.contains(&"current/doc/text=text".to_owned()));
    // A link that leads nowhere for a while deletes nothing either.
    link(&source, "current", "releases/3");
    for run in 5..8 {
        let summary = lab.go((1, run), &source, &target, policy.clone()).await;
        assert_eq!((summary.counts.files_trashed, summary.counts.links_dangling), (0, 2), "{summary:?}");
    }
    assert_eq!(shown(&target), there);
    // A name that is gone is gone, whatever it was.
    source.take(&path("current"));
    source.take(&path("app"));
    lab.go((1, 8), &source, &target, policy.clone()).await;
    let last = lab.go((1, 9), &source, &target, policy).await;
    assert_eq!(last.counts.files_trashed, 4, "{last:?}");
    assert!(shown(&target).iter().all(|at| !at.starts_with("current")), "{:?}", shown(&target));
}

#[tokio::test]
async fn a_followed_tree_survives_one_failure_at_any_step() {
    let lab = Lab::new().await;
    let (source, target) = (releases(), Memory::new());
    lab.go((1, 1), &source, &target, following()).await;
    let whole = shown(&target);
    for k in 1..=source.steps() {
        let (source, target) = (releases(), Memory::new());
        source.script(|s| s.fail_at = Some((k, Fault::new(Phase::Transfer, FaultKind::Reset, "on cue"))));
        let run = 1 + i64::try_from(k).unwrap();
        let summary = lab.go((run, run), &source, &target, following()).await;
        assert!(summary.complete, "step {k}: {summary:?}");
        assert_eq!(shown(&target), whole, "step {k}");
    }
}

#[tokio::test]
async fn hot_folders_behind_links_are_looked_at_alone() {
    let (lab, source, target) = (Lab::new().await, releases(), Memory::new());
    lab.go((1, 1), &source, &target, following()).await;
    source.put(&path("releases/2/doc/new"), "new");
    let warm = lab.go((1, 2), &source, &target, following()).await;
    assert!(warm.complete && warm.counts.files_published == 2, "{warm:?}");
    source.put(&path("releases/2/doc/newer"), "newer");
    let order = MirrorRun { extent: Extent::Hot, ..lab.order((1, 3), &source, &target, following()) };
    let hot = run(order, Arc::new(Progress::new()), CancellationToken::new()).await.unwrap();
    assert!(hot.complete && hot.counts.files_published == 2, "{hot:?}");
    assert_eq!(target.tree()[&path("current/doc/newer")].data, b"newer");
    // The link leads elsewhere: what lies there is nobody's to guess, and the whole tree tells.
    link(&source, "current", "releases/1");
    let order = MirrorRun { extent: Extent::Hot, ..lab.order((1, 4), &source, &target, following()) };
    run(order, Arc::new(Progress::new()), CancellationToken::new()).await.unwrap();
    assert_eq!(target.tree()[&path("current/doc/newer")].data, b"newer");
}

#[tokio::test]
async fn links_are_made_anew_and_cost_nothing_the_second_time() {
    for hidden in [false, true] {
        let (lab, source, target) = (Lab::new().await, releases(), Memory::new());
        source.script(|s| s.hides_targets = hidden);
        link(&source, "gone", "no/where");
        let first = lab.go((1, 1), &source, &target, recreating()).await;
        assert!(first.complete && first.verified && first.counts.links_made == 4, "{first:?}");
        assert_eq!(shown(&source), shown(&target));
        source.script(|_| ());
        target.script(|_| ());
        let second = lab.go((1, 2), &source, &target, recreating()).await;
        assert!(second.complete && second.counts.links_made == 0 && second.counts.files_unchanged == 4, "{second:?}");
        assert!(hidden || source.log().iter().all(|step| step.starts_with("list")), "{:?}", source.log());
        assert!(target.log().iter().all(|step| step.starts_with("list")), "{:?}", target.log());
    }
}

#[tokio::test]
async fn a_link_takes_the_place_of_our_own_and_spares_what_is_not() {
    let (lab, source, target) = (Lab::new().await, releases(), Memory::new());
    link(&target, "app", "somewhere");
    let first = lab.go((1, 1), &source, &target, recreating()).await;
    assert!(first.complete, "{first:?}");
    assert_eq!(shown(&source), shown(&target));
    let kept = &target.whole()[&path(".causeway-trash/run-1/app")].kind;
    assert_eq!(*kept, EntryKind::Symlink(Some(b"somewhere".to_vec())), "somebody else's link is kept");
    link(&source, "current", "releases/1");
    let second = lab.go((1, 2), &source, &target, recreating()).await;
    assert!(second.complete && second.counts.links_made == 1, "{second:?}");
    assert_eq!(shown(&source), shown(&target));
    assert!(!target.whole().contains_key(&path(".causeway-trash/run-2/current")), "our own older link is not kept");
    // A file or folder is never taken away for a link.
    target.take(&path("app"));
    target.put(&path("app"), "a file");
    link(&source, "common", "elsewhere");
    source.take(&path("common/logo"));
    let third = lab.go((1, 3), &source, &target, recreating()).await;
    assert_eq!(third.missing.len(), 2, "{third:?}");
    assert!(third.missing.iter().all(|item| item.fault.kind == FaultKind::Exists), "{third:?}");
    assert_eq!(target.tree()[&path("app")].data, b"a file");
    assert!(target.tree().contains_key(&path("common/logo")));
}

#[tokio::test]
async fn links_that_would_lead_elsewhere_or_cannot_be_made_are_refused_and_listed() {
    let (lab, source, target) = (Lab::new().await, releases(), Memory::new());
    link(&source, "abs", "/srv/ftp/common");
    link(&source, "common/out", "../../x");
    let summary = lab.go((1, 1), &source, &target, recreating()).await;
    let refused: Vec<_> = summary.missing.iter().map(|item| item.path.display().into_owned()).collect();
    assert_eq!(refused, ["abs", "common/out"], "{summary:?}");
    let unable = Memory::new();
    unable.script(|s| s.no_links = true);
    let summary = lab.go((2, 2), &source, &unable, recreating()).await;
    assert_eq!(summary.missing.len(), 5, "{summary:?}");
    assert_eq!((summary.counts.files_published, summary.counts.links_made), (4, 0), "{summary:?}");
}

#[tokio::test]
async fn a_link_that_is_gone_from_the_source_goes_like_a_file() {
    let (lab, source, target) = (Lab::new().await, releases(), Memory::new());
    let policy = Policy { links: Links::Recreate, ..deleting() };
    lab.go((1, 1), &source, &target, policy.clone()).await;
    source.take(&path("app"));
    source.take(&path("current"));
    link(&target, "current", "changed here");
    lab.go((1, 2), &source, &target, policy.clone()).await;
    let last = lab.go((1, 3), &source, &target, policy).await;
    assert_eq!((last.counts.files_trashed, last.counts.files_kept), (1, 1), "{last:?}");
    let there = shown(&target);
    assert!(!there.iter().any(|at| at.starts_with("app")) && there.contains(&"current -> changed here".to_owned()));
}

#[tokio::test]
async fn a_process_that_dies_while_it_makes_links_goes_on_and_every_link_is_in_the_audit_log_once() {
    let lab = Lab::new().await;
    let (source, target) = (releases(), Memory::new());
    link(&target, "app", "somewhere");
    lab.go((1, 1), &source, &target, recreating()).await;
    for k in 1..=target.steps() {
        let (source, target) = (releases(), Memory::new());
        link(&target, "app", "somewhere");
        let killed = Fault::new(Phase::Login, FaultKind::Auth, "on cue");
        target.script(|s| s.unheard_from = Some((k, killed)));
        let number = 1 + i64::try_from(k).unwrap();
        let order = lab.order((number, number), &source, &target, recreating());
        run(order, Arc::new(Progress::new()), CancellationToken::new()).await.ok();
        target.script(|s| s.unheard_from = None);
        let again = lab.go((number, number), &source, &target, recreating()).await;
        assert!(again.complete, "step {k}: {again:?}");
        assert_eq!(shown(&source), shown(&target), "step {k}");
        let kept = target.whole().contains_key(&path(&format!(".causeway-trash/run-{number}/app")));
        assert!(kept, "step {k}: somebody else's link is lost");
        let log = AuditLog::new(lab.db.clone(), Arc::new(SystemClock));
        let mut made = Vec::new();
        for action in ["link-made", "file-trashed"] {
            let filter = Filter { action: Some(action.into()), limit: 1000, ..Filter::default() };
            made.extend(log.page(&filter).await.unwrap().into_iter().filter_map(|record| match record.event {
                Some(
                    crate::audit::Event::LinkMade { run, path } | crate::audit::Event::FileTrashed { run, path, .. },
                ) if run.0 == number => Some(format!("{action} {}", path.display())),
                _ => None,
            }));
        }
        made.sort();
        let all = ["file-trashed app", "link-made app", "link-made current", "link-made releases/2/shared"];
        assert_eq!(made, all, "step {k}");
    }
}
