//! How much of what goes from a source to a target elsewhere lies here meanwhile.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::Duration;

/// Does `work`, and says how many bytes the largest regular file had that this process held open meanwhile, one without a
/// name among them, and how many all in `state` have in the end; but for what is below one of `apart`, where they belong. The test
/// needs a process of its own, as nextest gives it: what another test holds open counts, too.
pub async fn watch<T>(state: &Path, apart: &[&Path], work: impl Future<Output = T>) -> (T, u64) {
    let (mut largest, mut looks) = (0, 0);
    let mut work = std::pin::pin!(work);
    let done = loop {
        tokio::select! {
            done = &mut work => break done,
            () = tokio::time::sleep(Duration::from_millis(2)) => {
                looks += 1;
                largest = largest.max(held(apart));
            }
        }
    };
    assert!(looks > 10, "the work was over before anybody had looked");
    (done, largest.max(below(state, apart)))
}

fn held(apart: &[&Path]) -> u64 {
    let size = |fd: fs::DirEntry| {
        let is_there = fs::read_link(fd.path()).is_ok_and(|path| apart.iter().any(|root| path.starts_with(root)));
        fs::metadata(fd.path()).ok().filter(|found| found.is_file() && !is_there).map(|found| found.size())
    };
    fs::read_dir("/proc/self/fd").unwrap().filter_map(|fd| size(fd.ok()?)).max().unwrap_or(0)
}

fn below(folder: &Path, apart: &[&Path]) -> u64 {
    let entries = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| !apart.contains(&path.as_path()));
    entries.map(|path| if path.is_dir() { below(&path, apart) } else { fs::metadata(path).unwrap().size() }).sum()
}
