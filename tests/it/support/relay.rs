//! Carries TCP connections to a server, slowly if wanted, and resets them on cue.

use std::collections::VecDeque;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use socket2::SockRef;

/// A running relay. Dropping it ends it; connections under way are carried on.
pub struct Relay {
    pub port: u16,
    carried: Arc<AtomicU64>,
    cuts: Arc<Mutex<VecDeque<u64>>>,
    over: Arc<AtomicBool>,
}

impl Relay {
    /// Before the server at `port`. When the clients have sent as many bytes in all as the next of `cuts` says, the
    /// connection that brought the last of them is reset. After each piece of 64 KiB from a client comes a rest of `rest`.
    pub fn start(port: u16, cuts: &[u64], rest: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let own = listener.local_addr().unwrap().port();
        let cuts = Arc::new(Mutex::new(cuts.iter().copied().collect::<VecDeque<_>>()));
        let relay = Self { port: own, carried: Arc::default(), cuts, over: Arc::default() };
        let (carried, cuts, over) = (Arc::clone(&relay.carried), Arc::clone(&relay.cuts), Arc::clone(&relay.over));
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if over.load(SeqCst) {
                    return;
                }
                let Ok(server) = TcpStream::connect(("127.0.0.1", port)) else { continue };
                let (down, up) = ((server.try_clone().unwrap(), client.try_clone().unwrap()), (client, server));
                std::thread::spawn(move || carry_down(down.0, down.1));
                let (carried, cuts) = (Arc::clone(&carried), Arc::clone(&cuts));
                std::thread::spawn(move || carry_up(up.0, up.1, &carried, &cuts, rest));
            }
        });
        relay
    }

    /// Bytes that clients have sent.
    pub fn carried(&self) -> u64 {
        self.carried.load(SeqCst)
    }

    /// Cuts that have not come yet.
    pub fn cuts_left(&self) -> usize {
        self.cuts.lock().unwrap().len()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.over.store(true, SeqCst);
        // Wakes the one who accepts.
        drop(TcpStream::connect(("127.0.0.1", self.port)));
    }
}

fn carry_down(mut from: TcpStream, mut to: TcpStream) {
    drop(std::io::copy(&mut from, &mut to));
    drop(to.shutdown(Shutdown::Write));
}

fn carry_up(mut from: TcpStream, mut to: TcpStream, carried: &AtomicU64, cuts: &Mutex<VecDeque<u64>>, rest: Duration) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(got) = from.read(&mut buffer) {
        if got == 0 || to.write_all(&buffer[..got]).is_err() {
            break;
        }
        let sum = carried.fetch_add(got as u64, SeqCst) + got as u64;
        let is_due = {
            let mut cuts = cuts.lock().unwrap();
            let is_due = cuts.front().is_some_and(|at| sum >= *at);
            if is_due {
                cuts.pop_front();
            }
            is_due
        };
        if is_due {
            for stream in [&from, &to] {
                SockRef::from(stream).set_linger(Some(Duration::ZERO)).unwrap();
                drop(stream.shutdown(Shutdown::Both));
            }
            return;
        }
        std::thread::sleep(rest);
    }
    drop(to.shutdown(Shutdown::Write));
}
