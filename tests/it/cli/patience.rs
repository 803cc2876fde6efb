//! A server that cannot be reached is said at once, and waited for as long as somebody wants to.

use super::*;

#[test]
fn the_first_failure_to_open_is_said_while_it_is_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("ftp://anna@127.0.0.1:{free}/");
    let mirror = |patience: &str| {
        let mut command = command(folder.path());
        command.env("CAUSEWAY_SOURCE_PASSWORD", "x");
        run(command.args(["mirror", &url, "target", "--progress", "never", "--patience", patience]))
    };
    let (code, _, stderr) = mirror("10s");
    assert!(code != 0 && stderr.contains("not reached yet"), "{stderr}");
    let (code, _, stderr) = mirror("0s");
    assert!(code != 0 && !stderr.contains("not reached yet"), "nothing is tried again: {stderr}");
}
