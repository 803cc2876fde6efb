//! pyftpdlib's server on a free loopback port, over a folder of its own. It is a program of Python threads and callbacks:
//! an EPSV in the middle of a transfer ends that transfer.

use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use causeway::model::{Endpoint, Secret};
use tempfile::TempDir;

const PASSWORD: &str = "open-sesame";
const PROGRAM: &str = "
import sys
from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import FTPHandler
from pyftpdlib.servers import FTPServer

class Handler(FTPHandler):
    authorizer = DummyAuthorizer()
    use_gmt_times = True

root, port, password = sys.argv[1:]
Handler.authorizer.add_user('anna', password, root, perm='elradfmwMT')
FTPServer(('127.0.0.1', int(port)), Handler).serve_forever()
";

/// A running server; ended when dropped.
pub struct Pyftpdlib {
    port: u16,
    child: Child,
    dir: TempDir,
}

impl Pyftpdlib {
    pub fn start() -> Self {
        let dir = tempfile::Builder::new().prefix("causeway-pyftpdlib-").tempdir().unwrap();
        std::fs::create_dir(dir.path().join("root")).unwrap();
        for _ in 0..5 {
            let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let mut child = Command::new("python3")
                .args(["-c", PROGRAM, dir.path().join("root").to_str().unwrap(), &port.to_string(), PASSWORD])
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(std::fs::File::create(dir.path().join("words")).unwrap())
                .spawn()
                .unwrap();
            let end = Instant::now() + Duration::from_secs(20);
            while Instant::now() < end && child.try_wait().unwrap().is_none() {
                if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                    return Self { port, child, dir };
                }
                std::thread::sleep(Duration::from_millis(50));
            }
            let _ = child.kill();
            let _ = child.wait();
        }
        panic!("pyftpdlib does not answer: {}", std::fs::read_to_string(dir.path().join("words")).unwrap_or_default());
    }

    /// The folder that it serves.
    pub fn root(&self) -> PathBuf {
        self.dir.path().join("root")
    }

    /// The same as an endpoint.
    pub fn endpoint(&self) -> Endpoint {
        let mut endpoint = Endpoint::parse(&format!("ftp://anna@127.0.0.1:{}/", self.port)).unwrap();
        endpoint.password = Some(Secret::new(PASSWORD));
        endpoint
    }

    /// Every command that it was sent is a line of its log.
    pub fn words(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("words")).unwrap()
    }
}

impl Drop for Pyftpdlib {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
