//! What the scripted server does when no rule speaks: a proper, small FTP server (RFC 959, 2428, 3659).

use std::collections::BTreeSet;
use std::io;

use super::session::Session;

/// Answers one command line; the empty line is the greeting. False: the session ends.
pub(super) async fn answer(session: &mut Session<'_>, line: &[u8]) -> io::Result<bool> {
    let (verb, arg) = match line.iter().position(|b| *b == b' ') {
        Some(at) => (&line[..at], undoubled(&line[at + 1..])),
        None => (line, Vec::new()),
    };
    let path = absolute(&session.cwd, &arg);
    let size = session.stage.files.lock().unwrap().get(&path).map(Vec::len);
    let rest = std::mem::take(&mut session.rest);
    match (verb, size) {
        (b"", _) => session.say(b"220 ready\r\n").await?,
        (b"USER", _) => session.say(b"331 password\r\n").await?,
        (b"PASS", _) => session.say(b"230 welcome\r\n").await?,
        (b"FEAT", _) => {
            session
                .say(b"211-Features\r\n EPSV\r\n MDTM\r\n MLST type*;size*;modify*;\r\n REST STREAM\r\n SIZE\r\n UTF8\r\n211 End\r\n")
                .await?;
        }
        (b"AUTH", _) if session.stage.tls.is_some() => {
            session.say(b"234 go on\r\n").await?;
            session.secure().await?;
        }
        (b"PBSZ" | b"PROT", _) if session.stage.tls.is_some() => {
            session.private |= verb == b"PROT";
            session.say(b"200 ok\r\n").await?;
        }
        (b"PWD", _) => session.say(b"257 \"/\"\r\n").await?,
        (b"TYPE" | b"OPTS" | b"NOOP", _) => session.say(b"200 ok\r\n").await?,
        (b"CWD", _) if is_dir(session, &path) => {
            session.cwd = path;
            session.say(b"250 ok\r\n").await?;
        }
        (b"EPSV", _) => {
            session.listen().await?;
            session.say(b"229 Entering Extended Passive Mode (|||%P|)\r\n").await?;
        }
        (b"PASV", _) => {
            session.listen().await?;
            session.say(b"227 Entering Passive Mode (127,0,0,1,%H).\r\n").await?;
        }
        (b"EPRT", _) => {
            let text = String::from_utf8_lossy(&arg).into_owned();
            let mut parts = text.trim_matches('|').split('|').skip(1);
            let (ip, port) = (parts.next().unwrap(), parts.next().unwrap());
            session.caller = Some(format!("{ip}:{port}").parse().unwrap());
            session.say(b"200 I call you\r\n").await?;
        }
        (b"REST", _) => {
            session.rest = String::from_utf8_lossy(&arg).parse().unwrap_or_default();
            session.say(b"350 restarting\r\n").await?;
        }
        (b"SIZE", Some(size)) => session.say(format!("213 {size}\r\n").as_bytes()).await?,
        (b"MDTM", Some(_)) => session.say(b"213 20240506070809\r\n").await?,
        (b"MLST", Some(size)) => {
            let facts = format!("250-here\r\n type=file;size={size};modify=20240506070809; x\r\n250 end\r\n");
            session.say(facts.as_bytes()).await?;
        }
        (b"MLST", None) if is_dir(session, &path) => {
            session.say(b"250-here\r\n type=dir;modify=20240506070809; x\r\n250 end\r\n").await?;
        }
        (b"MLSD" | b"LIST" | b"NLST", _) => {
            let text = listing(session, verb, arg == b"-a");
            session.say(b"150 here it comes\r\n").await?;
            session.send(&text).await?;
            session.end_data().await?;
            session.say(b"226 done\r\n").await?;
        }
        (b"RETR", Some(_)) => {
            let content = session.stage.files.lock().unwrap()[&path].clone();
            session.say(b"150 here it comes\r\n").await?;
            session.send(content.get(rest..).unwrap_or_default()).await?;
            session.end_data().await?;
            session.say(b"226 done\r\n").await?;
        }
        (b"STOR" | b"APPE", _) => {
            session.say(b"150 go on\r\n").await?;
            let sent = session.take().await?;
            store(session, path, if verb == b"APPE" { usize::MAX } else { rest }, &sent);
            session.say(b"226 done\r\n").await?;
        }
        (b"QUIT", _) => {
            session.say(b"221 bye\r\n").await?;
            return Ok(false);
        }
        (b"SIZE" | b"MDTM" | b"MLST" | b"RETR" | b"CWD", _) => {
            session.say(b"550 No such file or directory\r\n").await?;
        }
        _ => session.say(b"502 not implemented\r\n").await?,
    }
    Ok(true)
}

/// Cuts at `at` and appends.
fn store(session: &Session<'_>, path: Vec<u8>, at: usize, sent: &[u8]) {
    let mut files = session.stage.files.lock().unwrap();
    let file = files.entry(path).or_default();
    file.truncate(at);
    file.extend_from_slice(sent);
}

/// RFC 854: IAC comes doubled.
fn undoubled(arg: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    let mut bytes = arg.iter().peekable();
    while let Some(byte) = bytes.next() {
        plain.push(*byte);
        if *byte == 255 {
            bytes.next_if(|next| **next == 255);
        }
    }
    plain
}

fn absolute(cwd: &[u8], arg: &[u8]) -> Vec<u8> {
    match (arg.first(), cwd) {
        (Some(b'/'), _) => arg.to_vec(),
        (_, b"/") => [b"/", arg].concat(),
        _ => [cwd, b"/", arg].concat(),
    }
}

fn is_dir(session: &Session<'_>, path: &[u8]) -> bool {
    let below = [path.strip_suffix(b"/").unwrap_or(path), b"/"].concat();
    path == b"/"
        || session.stage.dirs.iter().any(|dir| dir == path || dir.starts_with(&below))
        || session.stage.files.lock().unwrap().keys().any(|file| file.starts_with(&below))
}

/// Names in the current folder; a folder without a size.
fn entries(session: &Session<'_>) -> BTreeSet<(Vec<u8>, Option<usize>)> {
    let below = [session.cwd.strip_suffix(b"/").unwrap_or(&session.cwd), b"/"].concat();
    let files = session.stage.files.lock().unwrap();
    let all = files.iter().map(|(path, content)| (path, Some(content.len())));
    all.chain(session.stage.dirs.iter().map(|dir| (dir, None)))
        .filter_map(|(path, size)| {
            let tail = path.strip_prefix(below.as_slice())?;
            match tail.iter().position(|b| *b == b'/') {
                Some(at) => Some((tail[..at].to_vec(), None)),
                None => Some((tail.to_vec(), size)),
            }
        })
        .collect()
}

/// The current folder over the control connection, as `STAT -la .` shows it.
pub(super) fn status(session: &Session<'_>) -> Vec<u8> {
    [b"213-Status follows:\r\n", listing(session, b"LIST", true).as_slice(), b"213 End of status\r\n"].concat()
}

fn listing(session: &Session<'_>, verb: &[u8], all: bool) -> Vec<u8> {
    let mut text = Vec::new();
    if all {
        text.extend_from_slice(b"drwxr-xr-x 2 a b 4096 May  6  2024 .\r\ndrwxr-xr-x 2 a b 4096 May  6  2024 ..\r\n");
    }
    for (name, size) in entries(session) {
        let before = match (verb, size) {
            (b"MLSD", Some(size)) => format!("type=file;size={size};modify=20240506070809; "),
            (b"MLSD", None) => "type=dir;modify=20240506070809; ".to_owned(),
            (b"LIST", Some(size)) => format!("-rw-r--r-- 1 a b {size} May  6  2024 "),
            (b"LIST", None) => "drwxr-xr-x 2 a b 4096 May  6  2024 ".to_owned(),
            _ => String::new(),
        };
        text.extend_from_slice(before.as_bytes());
        text.extend_from_slice(&name);
        text.extend_from_slice(b"\r\n");
    }
    text
}
