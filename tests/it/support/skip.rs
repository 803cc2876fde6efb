//! What this machine cannot run is written down, so that `tests/run` says it at its end.

use std::io::Write as _;

/// Where `tests/run` looks.
const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/.cache/not-run");

/// Says that something was not tried, and why. What `tests/run` installs is no reason.
pub fn not_run(what: &str, why: &str) {
    println!("not run here: {what}: {why}");
    std::fs::create_dir_all(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/.cache")).unwrap();
    let mut file = std::fs::File::options().create(true).append(true).open(FILE).unwrap();
    writeln!(file, "{what}: {why}").unwrap();
}
