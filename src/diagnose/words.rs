//! Facts as sentences.

use std::fmt;

use super::evidence::{Fact, Greeting, Moved, Seen};

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.against, self.fact)
    }
}

impl fmt::Display for Greeting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ftp => "greets as an FTP server",
            Self::Ssh => "greets as an SSH server",
            Self::Other => "greets with something that is no FTP",
            Self::Silence => "says nothing",
            Self::Closed => "ends the connection before a word",
        })
    }
}

impl fmt::Display for Moved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} by {}: {} bytes", self.what, self.way, self.bytes)?;
        if let Some(wanted) = self.wanted {
            write!(f, " of {wanted}")?;
        }
        if let Some(segment) = self.segment {
            write!(f, " in segments of at most {segment}")?;
        }
        write!(f, ", {}", self.outcome)?;
        match self.resumed {
            Some(true) => f.write_str(", TLS session taken up")?,
            Some(false) => f.write_str(", TLS session begun anew")?,
            None => {}
        }
        if self.farewell == Some(false) {
            f.write_str(", ended without close_notify")?;
        }
        match &self.closing {
            Some(closing) => write!(f, "; closing reply: {closing}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Fact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named { addresses, outcome } if outcome.is_well() => {
                let all: Vec<_> = addresses.iter().map(ToString::to_string).collect();
                write!(f, "has the addresses {}", all.join(", "))
            }
            Self::Named { outcome, .. } => write!(f, "look-up: {outcome}"),
            Self::Hop { hops, outcome } => write!(f, "packets that pass {hops} routers at most: {outcome}"),
            Self::Connected { outcome } => write!(f, "TCP connect: {outcome}"),
            Self::Greeted { greeting, outcome } => write!(f, "{greeting}: {outcome}"),
            Self::Offered { version, chosen: Some(chosen), .. } => write!(f, "{version} offered: it takes {chosen}"),
            Self::Offered { version, alert: Some(alert), .. } => write!(f, "{version} offered: alert {alert}"),
            Self::Offered { version, outcome, .. } => write!(f, "{version} offered: {outcome}"),
            Self::Auth { outcome } => write!(f, "AUTH TLS: {outcome}"),
            Self::Secured { agreed: Some(agreed), outcome } => write!(f, "TLS handshake: {agreed}, {outcome}"),
            Self::Secured { outcome, .. } => write!(f, "handshake: {outcome}"),
            Self::LoggedIn { tls, outcome } => {
                write!(f, "login {}: {outcome}", if *tls { "encrypted" } else { "in the clear" })
            }
            Self::Told { command, outcome } => write!(f, "{command}: {outcome}"),
            Self::DataPort { way, announced, outcome, .. } => {
                write!(f, "data connection by {way}")?;
                if let Some(announced) = announced {
                    write!(f, " (announced: {announced})")?;
                }
                write!(f, ": {outcome}")
            }
            Self::Moved(moved) => moved.fmt(f),
            Self::Listed { entries, unparsed, undecodable, admits } => {
                write!(f, "listing with {entries} names, {unparsed} lines unread, {undecodable} names not UTF-8")?;
                match admits {
                    Some(words) => write!(f, "; its closing reply admits: {words}"),
                    None => Ok(()),
                }
            }
            Self::Clock { minutes, files } => {
                write!(f, "LIST shows the times of {files} files {minutes} minutes beside those of MDTM")
            }
            Self::Opened { number, outcome } => write!(f, "connection {number} at once: {outcome}"),
            Self::Burst { number, outcome } => write!(f, "data connection {number} in a row: {outcome}"),
            Self::Held { keep, seconds, asked, outcome } if outcome.is_well() => {
                let _still = asked;
                write!(f, "idle for {seconds:.1} s {keep}: it lives")
            }
            Self::Held { keep, seconds, asked, outcome } => {
                let when = if *asked { "it is dead when asked" } else { "it ends by itself" };
                write!(f, "idle for {seconds:.1} s {keep}: {when}, {outcome}")
            }
            Self::Algorithms { kex, host_keys, ciphers, outcome } => {
                let (kex, host_keys, ciphers) = (kex.join(" "), host_keys.join(" "), ciphers.join(" "));
                write!(f, "{}: key exchange {kex}; host keys {host_keys}; ciphers {ciphers}", outcome.words)
            }
            Self::Knocked { number, outcome } if outcome.is_well() => {
                write!(f, "connection {number} before a login: greeted after {} ms", outcome.millis)
            }
            Self::Knocked { number, outcome } => write!(f, "connection {number} before a login: {outcome}"),
            Self::Asked { method, dav: Some(dav), outcome } => write!(f, "{method}: {outcome}; classes {dav}"),
            Self::Asked { method, outcome, .. } => write!(f, "{method}: {outcome}"),
            Self::Captured { packets, theirs, ours, life, reset_life, kept } => {
                write!(f, "{packets} packets; resets: {theirs} in the name of the server, {ours} by us")?;
                match (life, reset_life) {
                    (Some(life), Some(reset)) if life != reset => {
                        write!(f, "; the server's packets come with time to live {life}, its resets with {reset}: ")?;
                        f.write_str("somebody on the way may send them in its name")?;
                    }
                    (Some(life), Some(_)) => {
                        write!(f, "; they come with the time to live of its other packets, {life}")?;
                    }
                    _ => {}
                }
                match kept {
                    Some(file) => write!(f, "; kept in {file}"),
                    None => Ok(()),
                }
            }
            Self::LeftOut { why } => write!(f, "left out: {why}"),
        }
    }
}
