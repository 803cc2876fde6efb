//! A copy under way, on a terminal as a bar, elsewhere as plain lines.

use std::io::IsTerminal;
use std::sync::Arc;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::mirror::{Progress, Snapshot, Stage};
use crate::task::Tasks;

use super::args::{MirrorArgs, When};
use super::output;

const BAR_EVERY: Duration = Duration::from_millis(150);
const LINE_EVERY: Duration = Duration::from_secs(5);

/// Shows the counters until it is ended.
pub(super) struct Shower {
    stop: CancellationToken,
    shown: Option<JoinHandle<()>>,
}

impl Shower {
    /// Starts showing, when somebody wants to see.
    pub(super) fn start(args: &MirrorArgs, progress: Arc<Progress>, tasks: &Tasks) -> Self {
        let stop = CancellationToken::new();
        let ended = stop.clone();
        let terminal = std::io::stderr().is_terminal();
        let shown = match args.progress {
            When::Never => None,
            When::Auto if args.format.json || args.dry_run => None,
            When::Auto if terminal => Some(tasks.spawn("progress bar", bar(progress, ended))),
            When::Auto | When::Lines => Some(tasks.spawn("progress lines", lines(progress, ended))),
        };
        Self { stop, shown }
    }

    /// Leaves the terminal as it was.
    pub(super) async fn end(self) {
        self.stop.cancel();
        if let Some(shown) = self.shown
            && shown.await.is_err()
        {
            tracing::debug!("the progress was lost");
        }
    }
}

async fn wait(stop: &CancellationToken, pause: Duration) -> bool {
    tokio::select! {
        () = stop.cancelled() => false,
        () = tokio::time::sleep(pause) => true,
    }
}

fn stage(stage: Stage) -> &'static str {
    match stage {
        Stage::Waiting => "connecting",
        Stage::Listing => "listing",
        Stage::Planning => "planning",
        Stage::Copying => "copying",
        Stage::Finishing => "finishing",
        Stage::Done => "done",
    }
}

async fn bar(progress: Arc<Progress>, stop: CancellationToken) {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    let look = "{spinner} {wide_bar:.cyan/blue} {bytes}/{total_bytes} {msg}";
    bar.set_style(ProgressStyle::with_template(look).unwrap_or_else(|_| ProgressStyle::default_bar()));
    while wait(&stop, BAR_EVERY).await {
        let now = progress.snapshot();
        bar.set_length(now.bytes_planned.max(now.bytes_moved));
        bar.set_position(now.bytes_moved);
        bar.set_message(words(&now));
        bar.tick();
    }
    bar.finish_and_clear();
}

#[expect(clippy::print_stderr, reason = "progress goes beside the answer")]
async fn lines(progress: Arc<Progress>, stop: CancellationToken) {
    while wait(&stop, LINE_EVERY).await {
        let now = progress.snapshot();
        eprintln!("{} of {}, {}", output::bytes(now.bytes_moved), output::bytes(now.bytes_planned), words(&now));
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate for people")]
fn words(now: &Snapshot) -> String {
    let mut words = format!(
        "{} {}/{} files, {}/s",
        stage(now.stage),
        now.files_done,
        now.files_planned,
        output::bytes(now.rate.max(0.0) as u64)
    );
    if now.files_failed > 0 {
        words.push_str(&format!(", {} failed", now.files_failed));
    }
    if let Some((at_once, _)) = now.connections.as_ref().and_then(|why| why.split_once(':')) {
        words.push_str(&format!(", {at_once} at once"));
    }
    if let Some(trouble) = &now.waits_for {
        words.push_str(&format!(", waits: {trouble}"));
    }
    if let Some(current) = now.current.first() {
        words.push_str(&format!(", {}", current.path));
    }
    words
}
