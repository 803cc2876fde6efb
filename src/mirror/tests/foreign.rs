//! What may be somebody else's in the target is never taken for our own.

use super::*;

/// A target that tells no times: an equal size is no sign that a file is ours.
fn timeless() -> Memory {
    let target = Memory::new();
    target.script(|s| s.precision = None);
    target
}

#[tokio::test]
async fn without_times_a_foreign_file_of_the_same_size_goes_into_the_trash_and_not_away() {
    let (lab, source, target) = (Lab::new().await, Memory::new(), timeless());
    source.put(&path("f"), "ours, old");
    source.put(&path("g"), "gone soon");
    source.put(&path("h"), "stays");
    assert!(lab.go((1, 1), &source, &target, deleting()).await.complete);
    target.put(&path("f"), "a foreign");
    target.put(&path("g"), "a foreign");
    source.put(&path("f"), "ours, new");
    source.take(&path("g"));
    for run in 2..5 {
        assert!(lab.go((1, run), &source, &target, deleting()).await.complete);
    }
    assert_eq!(target.tree()[&path("f")].data, b"ours, new");
    assert_eq!(target.whole()[&path(".causeway-trash/run-2/f")].data, b"a foreign");
    assert_eq!(target.tree()[&path("g")].data, b"a foreign");
}

#[tokio::test]
async fn what_was_published_under_another_name_says_nothing_about_this_one() {
    let (lab, source, target) = (Lab::new().await, Memory::new(), Memory::new());
    let gbk = RelPath::new([0xd6, 0xd0]).unwrap();
    source.put(&gbk, "text");
    assert!(lab.go((1, 1), &source, &target, quick()).await.complete);
    // The same size and time under the name that the file gets now, and it is not ours.
    let ours = target.tree()[&gbk].clone();
    target.put_node(&path("中"), Node { data: b"tabu".to_vec(), ..ours });
    assert!(lab.go((1, 2), &source, &target, Policy { charset: Some("gbk".into()), ..quick() }).await.complete);
    assert_eq!(target.tree()[&path("中")].data, b"text");
    assert_eq!(target.whole()[&path(".causeway-trash/run-2/中")].data, b"tabu");
}
