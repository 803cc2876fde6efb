//! `scp -t`: takes files. A file appears under its name when all of it is here, or not at all.

use bytes::Bytes;
use jiff::Timestamp;

use super::super::super::work::{Context, MASK, Moved, fresh_part};
use super::super::pipe::{Gone, Input, Output};
use super::super::work;
use super::{Options, complaint};
use crate::audit::Event;
use crate::model::{Door, FaultKind, Name, Phase, RelPath};
use crate::reliability::{Direction, End};
use crate::tree::{PartFile, Replace, SetAttributes};

/// Bytes per hop to the blocking threads.
const PIECE: usize = 256 << 10;

/// A `C` or `D` record.
#[derive(Debug, PartialEq, Eq)]
struct Record {
    mode: u32,
    size: u64,
    name: Name,
}

/// Times of what comes next: modification and access.
type Times = Option<(Timestamp, Timestamp)>;

/// A folder that is being filled, and the times that it gets at its end.
struct Folder {
    path: RelPath,
    times: Times,
}

struct Sink<'a> {
    options: Options,
    context: &'a Context,
    output: &'a Output,
    target: RelPath,
    /// The target is a folder: what comes lies in it.
    into: bool,
    folders: Vec<Folder>,
    complaints: u32,
}

/// Takes what the client sends. The exit status.
pub(in super::super) async fn run(
    options: Options,
    context: &Context,
    mut input: Input,
    output: &Output,
) -> Result<u32, Gone> {
    let name = options.paths.first().cloned().unwrap_or_default();
    let target = match RelPath::lenient(&name) {
        Ok(target) => target,
        Err(error) => return output.answer(complaint(error)).map(|()| 1),
    };
    let (view, at) = (context.view.clone(), target.clone());
    let into = work(move || Ok(view.stat_follow(&at).is_ok_and(|stat| stat.is_dir()))).await.unwrap_or(false);
    if options.folder && !into {
        let text = format!("{}: this is no folder", String::from_utf8_lossy(&name));
        return output.answer(complaint(text)).map(|()| 1);
    }
    let mut sink = Sink { options, context, output, target, into, folders: Vec::new(), complaints: 0 };
    output.answer(&[0][..])?;
    sink.take_all(&mut input).await
}

/// How a sender ends a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    /// Behind its last byte: with a 0 or, as libssh2 (curl), without a word.
    Whole,
    /// It says that the bytes are not what it meant.
    Void,
    /// Before the last byte.
    Early,
}

impl Sink<'_> {
    async fn take_all(&mut self, input: &mut Input) -> Result<u32, Gone> {
        let mut times = None;
        while let Some(line) = input.line().await {
            let (kind, rest) = line.split_first().map_or((0, &[][..]), |(kind, rest)| (*kind, rest));
            match kind {
                b'T' => match times_of(rest) {
                    Some(told) => {
                        times = Some(told);
                        self.output.answer(&[0][..])?;
                    }
                    None => return self.give_up("these times are none"),
                },
                b'C' | b'D' => {
                    let Some(record) = record_of(rest) else {
                        return self.give_up("this is no file and no folder");
                    };
                    let times = times.take().filter(|_| self.options.preserve);
                    if kind == b'D' {
                        self.enter(record, times).await?;
                    } else {
                        self.file(record, times, input).await?;
                    }
                }
                b'E' => self.leave().await?,
                // The client's own trouble with one file: it goes on with the next.
                1 => self.complaints += 1,
                2 => return Ok(1),
                _ => return self.give_up("this is no record of scp"),
            }
        }
        Ok(u32::from(self.complaints > 0 || !self.folders.is_empty()))
    }

    /// What comes behind this cannot be understood.
    fn give_up(&self, why: &str) -> Result<u32, Gone> {
        tracing::warn!(account = self.context.grant.name(), why, "an scp broke its protocol");
        self.output.answer([&[2][..], b"scp: ", why.as_bytes(), b"\n"].concat()).map(|()| 1)
    }

    fn complain(&mut self, path: &RelPath, why: impl std::fmt::Display) -> Result<(), Gone> {
        self.complaints += 1;
        self.output.answer(complaint(format_args!("{}: {why}", path.display())))
    }

    /// Where something of that name goes.
    fn place(&self, name: &Name) -> RelPath {
        match self.folders.last() {
            Some(folder) => folder.path.join(name),
            None if self.into => self.target.join(name),
            None => self.target.clone(),
        }
    }

    async fn enter(&mut self, record: Record, times: Times) -> Result<(), Gone> {
        let path = self.place(&record.name);
        if !self.options.recursive {
            return self.complain(&path, "folders come with -r only");
        }
        let (context, at, preserve) = (self.context.clone(), path.clone(), self.options.preserve);
        let made = work(move || {
            let view = &context.view;
            if view.stat_follow(&at).is_ok_and(|stat| stat.is_dir()) {
                return Ok(());
            }
            view.make_dir(&at)?;
            let mode = if preserve { record.mode } else { record.mode & MASK };
            // Whoever fills it must be able to.
            view.set_attributes(&at, SetAttributes { mode: Some(mode | 0o700), ..SetAttributes::default() })?;
            let (account, path) = (context.account(), context.in_tree(&at));
            context.log(&[Event::DoorDirMade { door: Door::Sftp, account, path }]);
            Ok(())
        });
        match made.await {
            Ok(()) => {
                self.folders.push(Folder { path, times });
                self.output.answer(&[0][..])
            }
            Err(why) => self.complain(&path, why),
        }
    }

    async fn leave(&mut self) -> Result<(), Gone> {
        let Some(Folder { path, times }) = self.folders.pop() else {
            return self.output.answer(complaint("there is no folder to leave"));
        };
        if let Some((mtime, atime)) = times {
            let (context, at) = (self.context.clone(), path.clone());
            let change = SetAttributes { mtime: Some(mtime), atime: Some(atime), ..SetAttributes::default() };
            let set = work(move || {
                context.view.set_attributes(&at, change)?;
                context.log(&[context.attributes(&at)]);
                Ok(())
            });
            if let Err(why) = set.await {
                return self.complain(&path, why);
            }
        }
        self.output.answer(&[0][..])
    }

    async fn file(&mut self, record: Record, times: Times, input: &mut Input) -> Result<(), Gone> {
        let path = self.place(&record.name);
        let (view, at) = (self.context.view.clone(), path.clone());
        let begun = work(move || {
            let there = view.stat_follow(&at);
            if there.as_ref().is_ok_and(|stat| stat.is_dir()) {
                return Err(std::io::ErrorKind::IsADirectory.into());
            }
            Ok((fresh_part(&view, &at)?, there.is_err()))
        });
        let (part, is_new) = match begun.await {
            Ok(begun) => begun,
            // It sends no bytes then.
            Err(why) => return self.complain(&path, why),
        };
        let mode = match (self.options.preserve, is_new) {
            (true, _) => Some(record.mode),
            (false, true) => Some(record.mode & MASK),
            (false, false) => None,
        };
        self.output.answer(&[0][..])?;
        let mut moving = self.context.moved(&path, Direction::Upload);
        let (taken, ended) = self.take(part, record.size, input, &mut moving).await;
        let done = match (taken, ended) {
            (Ok(part), Ended::Whole) => {
                moving.end = End::Failed(Phase::Publish, FaultKind::Io);
                self.publish(part, &path, (mode, times), record.size).await
            }
            (Err(why), _) => {
                moving.end = End::Failed(Phase::Transfer, FaultKind::Io);
                Err(why)
            }
            (Ok(_), Ended::Early) => Err("it is not complete".to_owned()),
            // Its client tells why, if nothing is said here.
            (Ok(_), Ended::Void) => {
                self.complaints += 1;
                return self.output.answer(&[0][..]);
            }
        };
        if done.is_ok() {
            moving.end = End::Clean;
        }
        drop(moving);
        match done {
            Ok(()) => self.output.answer(&[0][..]),
            Err(why) => self.complain(&path, why),
        }
    }

    /// Takes the bytes of a file and the sender's word behind them. All of them, even where they cannot be kept: what
    /// follows them is the next record.
    async fn take(
        &self,
        part: PartFile,
        size: u64,
        input: &mut Input,
        moving: &mut Moved,
    ) -> (Result<PartFile, String>, Ended) {
        let (mut part, mut at) = (Ok(part), 0);
        while at < size {
            let most = usize::try_from(size - at).unwrap_or(PIECE).min(PIECE);
            let Some(piece) = input.piece(most).await else { return (part, Ended::Early) };
            let count = u64::try_from(piece.len()).unwrap_or_default();
            part = match part {
                Ok(part) => work(move || write(part, &piece, at)).await,
                broken => broken,
            };
            at += count;
            moving.set(at);
        }
        match input.byte().await {
            Some(0) => (part, Ended::Whole),
            None if self.options.ends_quietly => (part, Ended::Whole),
            None => (part, Ended::Early),
            Some(_) => {
                input.line().await;
                (part, Ended::Void)
            }
        }
    }

    async fn publish(
        &self,
        mut part: PartFile,
        path: &RelPath,
        (mode, times): (Option<u32>, Times),
        size: u64,
    ) -> Result<(), String> {
        let (context, account, path) = (self.context.clone(), self.context.account(), self.context.in_tree(path));
        work(move || {
            let (mtime, atime) = times.unzip();
            part.set_attributes(SetAttributes { mode, mtime, atime, size: None })?;
            part.publish(Replace::Yes)?;
            context.log(&[Event::DoorUploaded { door: Door::Sftp, account, path, size }]);
            Ok(())
        })
        .await
    }
}

fn write(part: PartFile, piece: &Bytes, at: u64) -> std::io::Result<PartFile> {
    part.write_at(piece, at)?;
    Ok(part)
}

/// `<mode> <size> <name>`.
fn record_of(line: &[u8]) -> Option<Record> {
    let mut fields = line.splitn(3, |byte| *byte == b' ');
    let mode = u32::from_str_radix(str::from_utf8(fields.next()?).ok()?, 8).ok()?;
    let size = str::from_utf8(fields.next()?).ok()?.parse().ok()?;
    let name = Name::new(fields.next()?).ok()?;
    Some(Record { mode: mode & 0o777, size, name })
}

/// `<mtime> <microseconds> <atime> <microseconds>`.
fn times_of(line: &[u8]) -> Option<(Timestamp, Timestamp)> {
    let numbers: Option<Vec<i64>> = str::from_utf8(line).ok()?.split(' ').map(|number| number.parse().ok()).collect();
    match numbers?.as_slice() {
        [mtime, _, atime, _] => Some((Timestamp::from_second(*mtime).ok()?, Timestamp::from_second(*atime).ok()?)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_read_and_no_name_leads_out() {
        let read = |line: &str| record_of(line.as_bytes());
        let record = Record { mode: 0o644, size: 12, name: Name::new("a b").unwrap() };
        assert_eq!(read("0644 12 a b"), Some(record));
        for bad in [
            "0644 12 ..",
            "0644 12 a/b",
            "0644 12 ",
            "0644 -1 a",
            "0999 1 a",
            "0644 a",
            "",
            "0644 99999999999999999999 a",
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
        let second = |second| Timestamp::from_second(second).unwrap();
        assert_eq!(times_of(b"1000 0 2000 0"), Some((second(1000), second(2000))));
        assert_eq!(times_of(b"1000 0"), None);
    }
}
