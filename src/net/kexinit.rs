//! What two sides of an SSH connection agree on, seen on the wire: both first KEXINIT packets go in the clear (RFC 4253,
//! section 7.1), and from their lists follows what is used. The library tells a client, but no server.

use std::sync::{Arc, OnceLock};

/// SSH_MSG_KEXINIT.
const KEXINIT: u8 = 20;
/// The most of either side that is looked through: RFC 4253, section 6.1, bounds a packet, and section 4.2 a greeting.
const MOST: usize = 40_000;
/// Length, padding length, number and cookie stand before the lists.
const BEFORE_LISTS: usize = 22;

/// What is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agreed {
    /// The key exchange, such as `mlkem768x25519-sha256`.
    pub kex: String,
    /// What the host key signs with.
    pub host_key: String,
    /// The cipher from the client to the server.
    pub cipher: String,
    /// The MAC of that direction; none where the cipher proves itself.
    pub mac: Option<String>,
}

impl Agreed {
    /// The first name of each of the client's lists that the server has, too.
    fn of(client: &[Vec<String>], server: &[Vec<String>]) -> Option<Self> {
        let first = |list: usize| {
            let theirs = server.get(list)?;
            client.get(list)?.iter().find(|name| theirs.contains(name)).cloned()
        };
        let cipher = first(2)?;
        let proves_itself = cipher.contains("gcm") || cipher.contains("poly1305");
        Some(Self {
            kex: first(0)?,
            host_key: first(1)?,
            mac: if proves_itself { None } else { Some(first(4)?) },
            cipher,
        })
    }

    /// What of it is no longer thought safe: SHA-1, CBC, and groups of 2048 bits.
    #[must_use]
    pub fn outdated(&self) -> Vec<String> {
        let all = [Some(&self.kex), Some(&self.host_key), Some(&self.cipher), self.mac.as_ref()];
        let outdated = |name: &&String| {
            name.ends_with("sha1") || name.as_str() == "ssh-rsa" || name.ends_with("-cbc") || name.contains("group14")
        };
        all.into_iter().flatten().filter(outdated).cloned().collect()
    }
}

/// Where it is told, once.
pub type Told = Arc<OnceLock<Agreed>>;

/// Listens to both sides until both have said what they know.
#[derive(Debug)]
pub(super) struct Tap {
    heard: Vec<u8>,
    said: Vec<u8>,
    told: Told,
}

impl Tap {
    pub(super) fn new(told: Told) -> Self {
        Self { heard: Vec::new(), said: Vec::new(), told }
    }

    /// The client sent this. Returns whether there is more to listen to.
    pub(super) fn hears(&mut self, bytes: &[u8]) -> bool {
        self.heard.extend_from_slice(bytes);
        self.goes_on()
    }

    /// The server, this side, sent this. Returns whether there is more to listen to.
    pub(super) fn says(&mut self, bytes: &[u8]) -> bool {
        self.said.extend_from_slice(bytes);
        self.goes_on()
    }

    fn goes_on(&self) -> bool {
        match (lists(&self.heard), lists(&self.said)) {
            (Some(client), Some(server)) => {
                if let Some(agreed) = Agreed::of(&client, &server) {
                    self.told.get_or_init(|| agreed);
                }
                false
            }
            _ => self.heard.len().max(self.said.len()) <= MOST,
        }
    }
}

/// The ten lists of the first packet behind the greeting, once they are there.
fn lists(stream: &[u8]) -> Option<Vec<Vec<String>>> {
    let greeting = stream.windows(4).position(|window| window == b"SSH-")?;
    let rest = stream.get(greeting..)?;
    let packet = rest.get(rest.iter().position(|byte| *byte == b'\n')? + 1..)?;
    let length = usize::try_from(u32::from_be_bytes(packet.get(..4)?.try_into().ok()?)).ok()?;
    let packet = packet.get(..length.checked_add(4)?)?;
    if *packet.get(5)? != KEXINIT {
        return None;
    }
    let mut rest = packet.get(BEFORE_LISTS..)?;
    let mut lists = Vec::with_capacity(10);
    for _ in 0..10 {
        let (length, behind) = rest.split_at_checked(4)?;
        let length = usize::try_from(u32::from_be_bytes(length.try_into().ok()?)).ok()?;
        let (names, behind) = behind.split_at_checked(length)?;
        lists.push(std::str::from_utf8(names).ok()?.split(',').map(str::to_owned).collect());
        rest = behind;
    }
    Some(lists)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(greeting: &str, lists: [&str; 10]) -> Vec<u8> {
        let mut payload = vec![KEXINIT];
        payload.extend_from_slice(&[7; 16]);
        for list in lists {
            payload.extend_from_slice(&(list.len() as u32).to_be_bytes());
            payload.extend_from_slice(list.as_bytes());
        }
        payload.extend_from_slice(&[0; 5]);
        let mut out = format!("{greeting}\r\n").into_bytes();
        out.extend_from_slice(&(payload.len() as u32 + 1 + 4).to_be_bytes());
        out.push(4);
        out.extend_from_slice(&payload);
        out.extend_from_slice(&[0; 4]);
        out
    }

    #[test]
    fn the_clients_first_choice_that_the_server_has_is_used() {
        let client = stream(
            "SSH-2.0-Client",
            ["a,b,ext-info-c", "ssh-rsa,rsa-sha2-512", "x-cbc,y-ctr", "y-ctr", "m1,m2", "m2", "none", "none", "", ""],
        );
        let server = stream(
            "SSH-2.0-Server",
            ["b,a", "rsa-sha2-512", "y-ctr,x-cbc", "y-ctr", "m2", "m2", "none", "none", "", ""],
        );
        for step in [1, 7, 1000] {
            let told = Told::default();
            let mut tap = Tap::new(Arc::clone(&told));
            let mut pieces = client.chunks(step).map(|piece| (true, piece)).collect::<Vec<_>>();
            pieces.extend(server.chunks(step).map(|piece| (false, piece)));
            let more = pieces.iter().map(|(heard, piece)| if *heard { tap.hears(piece) } else { tap.says(piece) });
            assert_eq!(more.filter(|more| !more).count(), 1, "at the last piece, {step}");
            let agreed = told.get().unwrap();
            assert_eq!((agreed.kex.as_str(), agreed.host_key.as_str()), ("a", "rsa-sha2-512"));
            assert_eq!((agreed.cipher.as_str(), agreed.mac.as_deref()), ("x-cbc", Some("m2")));
            assert_eq!(agreed.outdated(), ["x-cbc"]);
        }
    }

    #[test]
    fn who_says_something_else_is_not_listened_to_for_ever() {
        let told = Told::default();
        let mut tap = Tap::new(Arc::clone(&told));
        assert!(tap.hears(b"GET / HTTP/1.1\r\n"));
        assert!(!tap.hears(&vec![b'x'; MOST]));
        assert_eq!(told.get(), None);
    }
}
