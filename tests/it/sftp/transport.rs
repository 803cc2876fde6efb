//! What lies under SFTP: the key exchange is strict, nothing is compressed, and who does not answer is let go.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use causeway::model::{FaultKind, Phase};
use causeway::reliability::{End, What};
use causeway::serve::sftp::{Ciphers, Settings};

use super::door::{Fixture, PASSWORD, bad, good, run};
use super::raw::Field::S;
use super::raw::Raw;

const STAT: u8 = 17;

/// OpenSSH's `ssh`, which asks for a digest and tells everything about the way there.
fn told(f: &Fixture, options: &[&str]) -> Output {
    let mut command = Command::new("sshpass");
    command.args(["-p", PASSWORD, "ssh", "-vvv", "-oStrictHostKeyChecking=no", "-oUserKnownHostsFile=/dev/null"]);
    command.args(["-oPubkeyAuthentication=no", &format!("-oPort={}", f.address.port())]);
    command.args(options).args(["anna@127.0.0.1", "md5sum", "a"]);
    run(command, None, Duration::from_secs(60))
}

/// CVE-2023-48795: sequence numbers begin anew with the keys.
#[test]
fn the_key_exchange_is_strict_and_nothing_is_compressed() {
    let f = Fixture::new();
    std::fs::write(f.served("a"), "a").unwrap();
    let out = told(&f, &["-oCompression=yes"]);
    good(&out);
    let said = String::from_utf8_lossy(&out.stderr);
    assert!(said.contains("will use strict KEX ordering"), "{said}");
    for way in ["server->client", "client->server"] {
        let line = said.lines().find(|line| line.contains(&format!("kex: {way}"))).unwrap_or_default();
        assert!(line.ends_with("compression: none"), "{way}: {said}");
    }
}

/// Debian's OpenSSH knows another post-quantum hybrid only; asyncssh, by way of its cryptography library, knows this one.
#[test]
fn the_key_exchange_withstands_quantum_computers() {
    let f = Fixture::new();
    let program = format!(
        "import asyncio, asyncssh, sys\n\
         async def main():\n    \
             async with asyncssh.connect('127.0.0.1', {}, username='anna', password='{PASSWORD}', known_hosts=None,\n            \
                     client_keys=None, config=None, kex_algs=sys.argv[1:]) as c:\n        \
                 async with c.start_sftp_client() as s:\n            \
                     async with s.open('there', 'wb') as to:\n                \
                         await to.write(b'x' * 100000)\n            \
                     sys.stdin.read()\n            \
                     print((await s.stat('there')).size)\n\
         asyncio.run(main())\n",
        f.address.port()
    );
    for (offered, agreed) in [
        (&["mlkem768x25519-sha256"][..], "mlkem768x25519-sha256"),
        (&["mlkem1024nistp384-sha384", "mlkem768x25519-sha256", "curve25519-sha256"], "mlkem768x25519-sha256"),
        (&["mlkem768nistp256-sha256", "curve25519-sha256"], "curve25519-sha256"),
    ] {
        let mut command = Command::new("python3");
        command.args(["-c", &program]).args(offered);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut seen = Vec::new();
        f.eventually("it is here", || {
            seen = f.presence.list();
            !seen.is_empty() || child.try_wait().unwrap().is_some()
        });
        child.stdin.take().unwrap().write_all(b"go on\n").unwrap();
        assert_eq!(good(&child.wait_with_output().unwrap()), "100000\n", "{offered:?}");
        let [here] = seen.as_slice() else { panic!("{seen:?}") };
        assert_eq!(here.who.kex.as_deref(), Some(agreed), "{offered:?}");
        assert!(here.who.client.starts_with("SSH-2.0-AsyncSSH_"), "{here:?}");
        f.eventually("it has left", || f.presence.list().is_empty());
    }
}

/// Who offers everything gets what its machine is fastest with, as far as its own order lets the door decide.
#[test]
fn ciphers_with_authentication_come_first() {
    let f = Fixture::new();
    std::fs::write(f.served("a"), "a").unwrap();
    let out = told(&f, &[]);
    let said = String::from_utf8_lossy(&out.stderr);
    let behind = said.split("peer server KEXINIT proposal").nth(1).expect("the door's own list");
    let ours = behind.lines().find(|line| line.contains("ciphers stoc")).unwrap_or_default();
    let first = "aes128-gcm@openssh.com,aes256-gcm@openssh.com,chacha20-poly1305@openssh.com,";
    assert!(ours.contains(&format!("ciphers stoc: {first}")), "{ours}");
    assert!(!ours.contains("cbc") && !behind.contains("hmac-sha1,"), "{behind}");
}

/// OpenSSH's own order begins with ChaCha20.
#[test]
fn whoever_wants_it_gets_the_fastest_cipher_only() {
    let cipher = |out: &Output| {
        let said = String::from_utf8_lossy(&out.stderr).into_owned();
        let line = said.lines().find(|line| line.contains("kex: server->client")).unwrap_or_default();
        line.split("cipher: ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap_or(&said).to_owned()
    };
    let f = Fixture::new();
    assert_eq!(cipher(&told(&f, &[])), "chacha20-poly1305@openssh.com");
    let f = Fixture::with(&Settings { ciphers: Ciphers::Fast, ..Settings::default() });
    std::fs::write(f.served("a"), "a").unwrap();
    let out = told(&f, &[]);
    good(&out);
    assert_eq!(cipher(&out), "aes128-gcm@openssh.com");
    assert!(bad(&told(&f, &["-oCiphers=aes256-ctr"])).contains("no matching cipher found"));
}

#[test]
fn who_does_not_answer_is_let_go_and_who_only_rests_is_kept() {
    let mut f = Fixture::with(&Settings { keepalive_seconds: 1, ..Settings::default() });
    let mut rests = Raw::greeted(&f, "bert");
    let mut gone = Raw::greeted(&f, "anna");
    gone.freeze();
    f.eventually("its place is free", || f.presence.of("anna") == 0);
    let mut ends = Vec::new();
    let limit = Instant::now() + Duration::from_secs(10);
    while ends.is_empty() && Instant::now() < limit {
        while let Ok(seen) = f.observations.try_recv() {
            if let What::Connection { end, .. } = seen.what {
                ends.push(end);
            }
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(matches!(ends.as_slice(), [End::Failed(_, FaultKind::Timeout)]), "{ends:?}");
    assert_eq!(f.presence.of("bert"), 1);
    assert_eq!(rests.ask(STAT, 1, &[S(b"/")]).0, 105, "it was asked now and then, and answered");
}

/// Anybody can find a port. Who shows nothing that goes with an account says nothing about how well the door is reached.
#[test]
fn strangers_are_no_connections_that_failed() {
    let mut f = Fixture::new();
    drop(TcpStream::connect(f.address).unwrap());
    let mut scan = TcpStream::connect(f.address).unwrap();
    scan.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
    let _ended = scan.read_to_end(&mut Vec::new());
    bad(&f.sftp("mallory", &[], "pwd\n"));
    let mut ends = Vec::new();
    let limit = Instant::now() + Duration::from_secs(20);
    while ends.len() < 3 && Instant::now() < limit {
        while let Ok(seen) = f.observations.try_recv() {
            if let What::Connection { setup: None, end, .. } = seen.what {
                ends.push(end);
            }
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let [clean, refused] = [End::Clean, End::Failed(Phase::Login, FaultKind::Auth)]
        .map(|wanted| ends.iter().filter(|end| **end == wanted).count());
    assert_eq!((clean, refused, ends.len()), (2, 1, 3), "{ends:?}");
}

/// A client behind a cable that was pulled acknowledges nothing and says nothing: the kernel notices, in the middle of a
/// download, too.
#[test]
fn the_kernel_watches_every_connection() {
    let f = Fixture::new();
    let _raw = Raw::greeted(&f, "anna");
    let mut command = Command::new("ss");
    command.args(["-tnoH", "state", "established", &format!("sport = :{}", f.address.port())]);
    let shown = good(&run(command, None, Duration::from_secs(10)));
    let timer = shown.split("timer:(").nth(1).unwrap_or_default();
    assert!(timer.starts_with("keepalive,") || timer.starts_with("on,"), "{shown}");
}
