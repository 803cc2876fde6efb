//! Transfers of growing size, to find the size at which they break.

use crate::diagnose::bench::Bench;
use crate::diagnose::evidence::{Fact, Outcome};
use crate::diagnose::talk::{Load, Talk};
use crate::model::FaultKind;
use crate::net::Probe;

/// Name and bytes of each size.
pub(super) const SIZES: [(&str, u64); 3] = [("up to 1 KiB", 1 << 10), ("64 KiB", 64 << 10), ("4 MiB", 4 << 20)];

pub(super) async fn look(bench: &Bench) {
    let known = bench.known();
    let Some(way) = known.ways.first().copied() else { return bench.leave_out("no data connection works") };
    if known.files.is_empty() {
        return bench.leave_out("no file is known");
    }
    for (what, size) in SIZES {
        let Some((path, whole)) = fitting(&known.files, size) else {
            bench.leave_out(format!("{what}: there is no such file"));
            continue;
        };
        if bench.bytes_left() < size {
            bench.leave_out(format!("{what}: the budget of bytes is used up"));
            continue;
        }
        let mut talk = match Talk::open(bench, Probe::default()).await {
            Ok(talk) => talk,
            Err(fault) => {
                bench.leave_out(format!("{what}: {fault}"));
                continue;
            }
        };
        let moved = talk.move_data(bench, way, Load::file(what, path, whole, size)).await;
        let broken = moved.outcome.is_broken() || moved.closing.as_ref().is_some_and(Outcome::is_broken);
        let refused = moved.outcome.failed == Some(FaultKind::Permission);
        bench.see(String::from_utf8_lossy(path), Fact::Moved(moved));
        // A larger one breaks as well.
        if broken {
            return;
        }
        if !refused {
            talk.control.quit().await;
        }
    }
}

/// The smallest file that holds so much; for the smallest size, the largest that is not larger.
pub(super) fn fitting(files: &[(Vec<u8>, u64)], size: u64) -> Option<(&[u8], u64)> {
    let found = match size {
        ..=1024 => files.iter().filter(|(_, has)| (1..=size).contains(has)).max_by_key(|(_, has)| *has),
        _ => files.iter().filter(|(_, has)| *has >= size).min_by_key(|(_, has)| *has),
    };
    found.map(|(path, has)| (path.as_slice(), *has))
}
