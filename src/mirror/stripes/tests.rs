use async_trait::async_trait;

use super::*;
use crate::model::{Digest, Mtime, RelPath};
use crate::remote::layer::limited;
use crate::remote::memory::Memory;
use crate::remote::{Lister, Sink};

#[test]
fn a_source_that_fills_the_road_by_itself_is_read_in_one_flow() {
    let one_by_one = Capabilities { resume_read: true, read_tells: true, ..Capabilities::default() };
    assert!(pay(&one_by_one) && !pay(&Capabilities::default()));
    assert!(!pay(&Capabilities { reads_ahead: true, ..one_by_one }));
}

/// Every flow is as slow as the road allows it alone.
struct EachSlow(Arc<dyn Remote>, u64);

#[async_trait]
impl Remote for EachSlow {
    fn capabilities(&self) -> Capabilities {
        self.0.capabilities()
    }

    async fn list(&self, dir: &RelPath) -> Result<Box<dyn Lister>, Fault> {
        self.0.list(dir).await
    }

    async fn stat(&self, path: &RelPath) -> Result<Option<Entry>, Fault> {
        self.0.stat(path).await
    }

    async fn read(&self, path: &RelPath, offset: u64, size: Option<u64>) -> Result<Box<dyn Source>, Fault> {
        limited(Arc::clone(&self.0), self.1).read(path, offset, size).await
    }

    async fn write(&self, path: &RelPath, offset: u64) -> Result<Box<dyn Sink>, Fault> {
        self.0.write(path, offset).await
    }

    async fn digest(&self, path: &RelPath) -> Result<Option<Digest>, Fault> {
        self.0.digest(path).await
    }

    async fn set_attributes(&self, path: &RelPath, mtime: Option<Mtime>, mode: Option<u32>) -> Result<(), Fault> {
        self.0.set_attributes(path, mtime, mode).await
    }

    async fn rename(&self, from: &RelPath, to: &RelPath) -> Result<Option<Entry>, Fault> {
        self.0.rename(from, to).await
    }

    async fn remove_file(&self, path: &RelPath) -> Result<(), Fault> {
        self.0.remove_file(path).await
    }

    async fn remove_dir(&self, path: &RelPath) -> Result<(), Fault> {
        self.0.remove_dir(path).await
    }

    async fn make_dir(&self, path: &RelPath) -> Result<(), Fault> {
        self.0.make_dir(path).await
    }

    async fn close(&self) {}
}

const SIZE: usize = (40 << 20) + 12_345;

/// No two places look the same.
fn content() -> Vec<u8> {
    (0..SIZE as u64 / 8 + 1).flat_map(|n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes()).take(SIZE).collect()
}

async fn big(memory: &Memory, bytes: &[u8]) -> (RelPath, Fingerprint) {
    let path = RelPath::new("big").unwrap();
    let mut sink = memory.write(&path, 0).await.unwrap();
    sink.write(Bytes::copy_from_slice(bytes)).await.unwrap();
    sink.finish().await.unwrap();
    let version = memory.stat(&path).await.unwrap().unwrap().fingerprint();
    (path, version)
}

async fn begin(remote: Arc<dyn Remote>, path: &RelPath, version: &Fingerprint, lanes: &Arc<Semaphore>) -> Striped {
    let size = version.size.unwrap();
    let source = remote.read(path, 0, Some(size)).await.unwrap();
    let (lanes, turn, tasks) = (Arc::clone(lanes), Arc::new(Semaphore::new(1)), Tasks::new());
    let plan = Plan { remote, path: path.clone(), version: version.clone(), size, lanes, turn, tasks };
    let mut striped = Striped::new(plan, source, 0);
    striped.steer = Steer::that_tries_for(Duration::from_millis(60));
    striped
}

/// Reads all of it; how long it took and how many connections were used at most.
async fn read_all(
    remote: Arc<dyn Remote>,
    path: &RelPath,
    version: &Fingerprint,
    lanes: usize,
) -> (Vec<u8>, Duration, usize) {
    let lanes = Arc::new(Semaphore::new(lanes));
    let free = lanes.available_permits();
    let begun = Instant::now();
    let mut striped = begin(remote, path, version, &lanes).await;
    let (mut all, mut most) = (Vec::new(), 0);
    while let Some(bytes) = striped.next().await.unwrap() {
        all.extend_from_slice(&bytes);
        most = most.max(free - lanes.available_permits());
    }
    Box::new(striped).finish().await.unwrap();
    (all, begun.elapsed(), most)
}

#[tokio::test]
async fn flows_that_are_slow_one_by_one_are_read_in_pieces_and_in_order() {
    let memory = Memory::new();
    let bytes = content();
    let (path, version) = big(&memory, &bytes).await;
    let slow: Arc<dyn Remote> = Arc::new(EachSlow(Arc::new(memory), 20_000_000));
    let (alone, took_alone, none) = read_all(Arc::clone(&slow), &path, &version, 0).await;
    assert!(alone == bytes && none == 0);
    let (together, took, most) = read_all(slow, &path, &version, 7).await;
    assert!(together == bytes, "the content differs");
    assert!(most >= 2, "{most} lanes");
    // Not a measurement: pieces that wait for one another would take as long as one.
    assert!(took < took_alone, "{took:?} in pieces, {took_alone:?} in one");
}

#[tokio::test]
async fn where_the_road_is_full_one_flow_goes_on_alone() {
    let memory = Memory::new();
    let bytes = content();
    let (path, version) = big(&memory, &bytes).await;
    let full = limited(Arc::new(memory), 40_000_000);
    let lanes = Arc::new(Semaphore::new(7));
    let mut striped = begin(full, &path, &version, &lanes).await;
    let (mut read, mut tried, mut held) = (Vec::new(), false, 0);
    while let Some(some) = striped.next().await.unwrap() {
        read.extend_from_slice(&some);
        held = 7 - lanes.available_permits();
        tried |= held > 0;
    }
    assert!(read == bytes && tried && held == 0, "tried more: {tried}, at the end {held} lanes");
}

#[tokio::test]
async fn a_file_that_changes_between_two_pieces_is_never_spliced() {
    let memory = Memory::new();
    let (path, version) = big(&memory, &content()).await;
    let slow: Arc<dyn Remote> = Arc::new(EachSlow(Arc::new(memory.clone()), 20_000_000));
    // One piece ahead: the last is opened after the change.
    let mut striped = begin(slow, &path, &version, &Arc::new(Semaphore::new(1))).await;
    let mut taken = 0;
    let failed = loop {
        match striped.next().await {
            Ok(Some(bytes)) => taken += bytes.len(),
            Ok(None) => break None,
            Err(fault) => break Some(fault),
        }
        if taken > SIZE / 4 && taken < SIZE / 3 {
            big(&memory, &vec![7; SIZE - 1]).await;
        }
    };
    let fault = failed.expect("a reading of two versions must not end well");
    assert_eq!(fault.kind, FaultKind::Changed, "{fault}");
}
