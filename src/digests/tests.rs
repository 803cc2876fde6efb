use super::*;
use crate::model::{RelPath, Scope};
use crate::tree::{SetAttributes, Tree, View};

struct Fixture {
    folder: tempfile::TempDir,
    view: View,
    digests: Digests,
}

impl Fixture {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("tree");
        std::fs::create_dir(&root).unwrap();
        let view = Tree::open(&root).unwrap().view(&Scope::whole()).unwrap();
        let db = Db::open(&folder.path().join("causeway.db")).await.unwrap();
        Self { folder, view, digests: Digests::new(db) }
    }

    fn write(&self, name: &str, text: &str) -> Stat {
        std::fs::write(self.folder.path().join("tree").join(name), text).unwrap();
        self.stat(name)
    }

    fn stat(&self, name: &str) -> Stat {
        self.view.stat(&RelPath::new(name).unwrap()).unwrap()
    }

    async fn of(&self, stat: &Stat) -> Vec<Checksum> {
        let mut known = self.digests.of(&[stat]).await.of(stat).to_vec();
        known.sort();
        known
    }
}

fn sum(algorithm: Algorithm, byte: u8) -> Checksum {
    Checksum::new(algorithm, &vec![byte; algorithm.length()]).unwrap()
}

#[tokio::test]
async fn they_belong_to_a_content_and_not_to_a_name() {
    let fixture = Fixture::new().await;
    let first = fixture.write("a", "first");
    let (sha, md5) = (sum(Algorithm::Sha1, 1), sum(Algorithm::Md5, 2));
    fixture.digests.note(&first, std::slice::from_ref(&md5)).await;
    fixture.digests.note(&first, std::slice::from_ref(&sha)).await;
    assert_eq!(fixture.of(&first).await, [sha.clone(), md5.clone()], "one beside the other");
    std::fs::rename(fixture.folder.path().join("tree/a"), fixture.folder.path().join("tree/b")).unwrap();
    assert_eq!(fixture.of(&fixture.stat("b")).await.len(), 2, "wherever it is moved");
    let second = fixture.write("a", "other");
    assert_eq!(fixture.of(&second).await, [], "another inode");
    // The same inode, the same length, another content.
    let changed = fixture.write("b", "FIRST");
    assert_eq!(changed.ino, first.ino);
    assert_eq!(fixture.of(&changed).await, []);
    fixture.digests.note(&changed, std::slice::from_ref(&sha)).await;
    assert_eq!(fixture.of(&changed).await, std::slice::from_ref(&sha), "what was known of the old one is gone");
    assert_eq!(fixture.of(&first).await, []);
    let known = fixture.digests.of(&[&second, &changed]).await;
    assert_eq!((known.by(&changed, Algorithm::Sha1), known.by(&changed, Algorithm::Md5)), (Some(&sha), None));
}

#[tokio::test]
async fn a_new_time_is_no_new_content() {
    let fixture = Fixture::new().await;
    let before = fixture.write("a", "text");
    fixture.digests.note(&before, &[sum(Algorithm::Sha256, 3)]).await;
    let long_ago = jiff::Timestamp::from_second(1_000_000_000).unwrap();
    fixture.view.set_attributes(&RelPath::new("a").unwrap(), SetAttributes::mtime(long_ago)).unwrap();
    let after = fixture.stat("a");
    assert_eq!(fixture.of(&after).await, []);
    fixture.digests.retimed(&before, &after).await;
    assert_eq!(fixture.of(&after).await, [sum(Algorithm::Sha256, 3)]);
    let longer = fixture.write("a", "text and more");
    fixture.digests.retimed(&after, &longer).await;
    assert_eq!(fixture.of(&longer).await, [], "this was more than the time");
}

#[tokio::test]
async fn the_oldest_make_room() {
    let fixture = Fixture::new().await;
    let files: Vec<Stat> = (0..5).map(|n| fixture.write(&n.to_string(), "x")).collect();
    for file in &files {
        let mut tx = fixture.digests.db.write().await.unwrap();
        store::replace(&mut tx, file, &[sum(Algorithm::Md5, 1)], 3).await.unwrap();
        tx.commit().await.unwrap();
    }
    let known = fixture.digests.of(&files.iter().collect::<Vec<_>>()).await;
    let kept: Vec<bool> = files.iter().map(|file| !known.of(file).is_empty()).collect();
    assert_eq!(kept, [false, false, true, true, true]);
}
