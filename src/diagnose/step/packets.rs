//! What the headers of packets told meanwhile, where they may be looked at.

use crate::diagnose::bench::Bench;
use crate::diagnose::evidence::Fact;
use crate::task;
use crate::tree::file;

pub(super) async fn look(bench: &Bench) {
    let capture = match bench.end_capture() {
        None => return,
        Some(Err(why)) => return bench.leave_out(why),
        Some(Ok(capture)) => capture,
    };
    let (told, packets) = capture.end().await;
    let mut kept = None;
    if let (Some(packets), Some(folder)) = (packets, bench.captures.clone()) {
        let name: String = bench.server().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        let path = folder.join(format!("{name}-{}.pcapng", bench.clock.now().as_second()));
        let (shown, at) = (path.display().to_string(), path);
        let written = task::blocking(move || {
            file::ensure_dir(&folder, true)?;
            file::write_private(&at, &packets)
        });
        match written.await {
            Ok(Ok(())) => kept = Some(shown),
            Ok(Err(error)) => bench.leave_out(format!("the packets cannot be kept in {shown}: {error}")),
            Err(lost) => bench.leave_out(format!("the packets cannot be kept in {shown}: {lost}")),
        }
    }
    let [theirs, ours] = told.resets;
    let [life, reset_life] = told.lives;
    bench.see(bench.server(), Fact::Captured { packets: told.packets, theirs, ours, life, reset_life, kept });
}
