//! The Python client (tuspy), which nobody here wrote.

use std::process::Command;
use std::time::Duration;

use super::{content, leftovers};
use crate::support::https::{Https, PASSWORD};
use crate::support::relay::Relay;

const SCRIPT: &str = r#"
import base64, sys
from tusclient.client import TusClient

url, local, name, chunk, password = sys.argv[1:]
login = base64.b64encode(f"anna:{password}".encode()).decode()
client = TusClient(url, headers={"Authorization": f"Basic {login}"})
uploader = client.uploader(
    local, chunk_size=int(chunk), metadata={"filename": name}, retries=60, retry_delay=0.1,
    verify_tls_cert=False, upload_checksum=name.startswith("summed"),
)
uploader.upload()
print(uploader.offset)
"#;

/// Runs the client; what it says.
fn upload(port: u16, local: &std::path::Path, name: &str, chunk: usize) -> String {
    let url = format!("https://localhost:{port}/files/.tus/");
    let mut python = Command::new("timeout");
    python.args(["120", "python3", "-W", "ignore", "-c", SCRIPT, &url, local.to_str().unwrap(), name]);
    let output = python.args([&chunk.to_string(), PASSWORD]).output().unwrap();
    let (said, wrong) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{name}: {said}{wrong}");
    said.trim().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_of_others_brings_files_also_over_a_connection_that_is_cut() {
    let door = Https::start().await;
    let local = tempfile::NamedTempFile::new().unwrap();
    let bytes = content(5_000_000);
    std::fs::write(local.path(), &bytes).unwrap();
    for (name, chunk) in [("whole", 5_000_000), ("pieces", 300_000), ("summed", 1_000_000)] {
        assert_eq!(upload(door.port, local.path(), name, chunk), "5000000");
        assert!(std::fs::read(door.root.join(name)).unwrap() == bytes, "{name}");
    }
    let relay = Relay::start(door.port, &[400_000, 1_500_000, 3_000_000, 4_444_444], Duration::ZERO);
    assert_eq!(upload(relay.port, local.path(), "cut", 1_000_000), "5000000");
    assert_eq!(relay.cuts_left(), 0, "it was cut each time");
    assert!(std::fs::read(door.root.join("cut")).unwrap() == bytes);
    assert_eq!(leftovers(&door.root), 0);
}
