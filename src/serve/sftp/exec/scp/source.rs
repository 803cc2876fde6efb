//! `scp -f`: gives files out.

use std::sync::Arc;

use bytes::Bytes;

use super::super::super::work::{Context, Moved};
use super::super::pipe::{Gone, Input, Output};
use super::super::work;
use super::wildcard;
use super::{Options, complaint};
use crate::model::{EntryKind, FaultKind, Name, Phase, RelPath};
use crate::reliability::{Direction, End};
use crate::tree::{DirReader, FileReader, Stat};

/// Bytes per hop to the blocking threads.
const PIECE: usize = 256 << 10;
/// Names of a folder per hop.
const BATCH: usize = 256;

struct Source<'a> {
    options: Options,
    context: &'a Context,
    output: &'a Output,
    input: Input,
    complaints: u32,
}

/// How the client answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Yes,
    /// Not this one.
    No,
}

/// Sends what the client asked for. The exit status.
pub(in super::super) async fn run(
    options: Options,
    context: &Context,
    input: Input,
    output: &Output,
) -> Result<u32, Gone> {
    let paths = options.paths.clone();
    let mut source = Source { options, context, output, input, complaints: 0 };
    source.answer().await?;
    for path in paths {
        source.named(&path).await?;
    }
    Ok(u32::from(source.complaints > 0))
}

impl Source<'_> {
    /// Waits for the client's word.
    async fn answer(&mut self) -> Result<Answer, Gone> {
        match self.input.byte().await {
            Some(0) => Ok(Answer::Yes),
            Some(1) => {
                self.input.line().await.ok_or(Gone)?;
                self.complaints += 1;
                Ok(Answer::No)
            }
            _ => Err(Gone),
        }
    }

    async fn record(&mut self, record: Vec<u8>) -> Result<Answer, Gone> {
        self.output.say(record).await?;
        self.answer().await
    }

    async fn complain(&mut self, path: &[u8], why: &str) -> Result<(), Gone> {
        self.complaints += 1;
        let words = complaint(format_args!("{}: {why}", String::from_utf8_lossy(path)));
        self.output.say(words).await
    }

    /// What a path of the command stands for. A shell would have made a list of one with wildcards.
    async fn named(&mut self, text: &[u8]) -> Result<(), Gone> {
        let view = self.context.view.clone();
        let owned = text.to_vec();
        let found = work(move || wildcard::matching(&view, &owned)).await;
        match found {
            Ok(paths) => {
                for path in paths {
                    self.send(path).await?;
                }
                Ok(())
            }
            Err(why) => self.complain(text, &why).await,
        }
    }

    /// A file, or a folder with all that is in it.
    async fn send(&mut self, path: RelPath) -> Result<(), Gone> {
        let Some(name) = path.name() else {
            return self.complain(b".", "this is your whole folder: name what is in it").await;
        };
        let (view, at) = (self.context.view.clone(), path.clone());
        let stat = match work(move || view.stat_follow(&at)).await {
            Ok(stat) => stat,
            Err(why) => return self.complain(path.as_bytes(), &why).await,
        };
        match (&stat.kind, self.options.recursive) {
            (EntryKind::File, _) => self.file(&path, &name).await,
            (EntryKind::Dir, true) => self.folder(path, &name, &stat).await,
            (EntryKind::Dir, false) => self.complain(path.as_bytes(), "this is a folder: copy it with -r").await,
            _ => self.complain(path.as_bytes(), "this is no regular file").await,
        }
    }

    async fn times(&mut self, stat: &Stat) -> Result<Answer, Gone> {
        if !self.options.preserve {
            return Ok(Answer::Yes);
        }
        let (mtime, atime) = (stat.mtime.as_second(), stat.atime.as_second());
        self.record(format!("T{mtime} 0 {atime} 0\n").into_bytes()).await
    }

    /// All that is in it, a few names at a time. Links are not followed, so there is no circle.
    async fn folder(&mut self, path: RelPath, name: &Name, stat: &Stat) -> Result<(), Gone> {
        let Some(mut reader) = self.enter(&path, name, stat).await? else { return Ok(()) };
        loop {
            let entries = match work(move || next(reader)).await {
                Ok((same, entries)) => {
                    reader = same;
                    entries
                }
                Err(why) => {
                    self.complain(path.as_bytes(), &why).await?;
                    return self.record(b"E\n".to_vec()).await.map(drop);
                }
            };
            if entries.is_empty() {
                return self.record(b"E\n".to_vec()).await.map(drop);
            }
            for (name, stat) in entries {
                let at = path.join(&name);
                match stat.kind {
                    EntryKind::File => self.file(&at, &name).await?,
                    EntryKind::Dir => Box::pin(self.folder(at, &name, &stat)).await?,
                    _ => self.complain(at.as_bytes(), "this is no regular file").await?,
                }
            }
        }
    }

    async fn enter(&mut self, path: &RelPath, name: &Name, stat: &Stat) -> Result<Option<DirReader>, Gone> {
        let (view, at) = (self.context.view.clone(), path.clone());
        let reader = match work(move || view.read_dir(&at)).await {
            Ok(reader) => reader,
            Err(why) => {
                self.complain(path.as_bytes(), &why).await?;
                return Ok(None);
            }
        };
        if self.times(stat).await? == Answer::No {
            return Ok(None);
        }
        let record = [format!("D{:04o} 0 ", stat.mode & 0o777).as_bytes(), name.as_bytes(), b"\n"].concat();
        Ok((self.record(record).await? == Answer::Yes).then_some(reader))
    }

    async fn file(&mut self, path: &RelPath, name: &Name) -> Result<(), Gone> {
        if name.as_bytes().contains(&b'\n') {
            return self.complain(path.as_bytes(), "scp has no way to say a name with a line break").await;
        }
        let (view, at) = (self.context.view.clone(), path.clone());
        let file = match work(move || view.open_read(&at)).await {
            Ok(file) => Arc::new(file),
            Err(why) => return self.complain(path.as_bytes(), &why).await,
        };
        let stat = file.opened().clone();
        if self.times(&stat).await? == Answer::No {
            return Ok(());
        }
        let head = format!("C{:04o} {} ", stat.mode & 0o777, stat.size);
        if self.record([head.as_bytes(), name.as_bytes(), b"\n"].concat()).await? == Answer::No {
            return Ok(());
        }
        let mut moving = self.context.moved(path, Direction::Download);
        let sent = self.bytes(&file, stat.size, &mut moving).await;
        match &sent {
            Ok(Ok(())) => moving.end = End::Clean,
            Ok(Err(_)) => moving.end = End::Failed(Phase::Transfer, FaultKind::Io),
            Err(Gone) => {}
        }
        drop(moving);
        match sent? {
            Ok(()) => {
                self.output.say(&[0][..]).await?;
            }
            // The bytes that were announced were filled up; this word makes them void.
            Err(why) => self.complain(path.as_bytes(), &why).await?,
        }
        self.answer().await.map(drop)
    }

    /// As many bytes as were announced, come what may: behind them the client expects the next word.
    async fn bytes(
        &mut self,
        file: &Arc<FileReader>,
        size: u64,
        moving: &mut Moved,
    ) -> Result<Result<(), String>, Gone> {
        let (mut at, mut verdict) = (0, Ok(()));
        while at < size {
            let length = usize::try_from(size - at).unwrap_or(PIECE).min(PIECE);
            let piece = match verdict {
                Ok(()) => {
                    let file = Arc::clone(file);
                    work(move || read(&file, length, at)).await
                }
                Err(_) => Ok(Bytes::new()),
            };
            let piece = match piece {
                Ok(piece) if !piece.is_empty() => piece,
                Ok(_) => {
                    verdict = verdict.and(Err("the file became shorter while it was read".to_owned()));
                    Bytes::from(vec![0; length])
                }
                Err(why) => {
                    verdict = Err(why);
                    Bytes::from(vec![0; length])
                }
            };
            at += u64::try_from(piece.len()).unwrap_or_default();
            self.output.say(piece).await?;
            moving.set(at);
        }
        Ok(verdict)
    }
}

fn read(file: &FileReader, length: usize, at: u64) -> std::io::Result<Bytes> {
    let mut buffer = vec![0; length];
    let got = file.read_at(&mut buffer, at)?;
    buffer.truncate(got);
    Ok(buffer.into())
}

type Entries = Vec<(Name, Stat)>;

/// Some more names; none at the end.
fn next(mut reader: DirReader) -> std::io::Result<(DirReader, Entries)> {
    let mut entries = Vec::new();
    while entries.len() < BATCH {
        match reader.next() {
            Some(entry) => {
                let entry = entry?;
                entries.push((entry.name, entry.stat));
            }
            None => break,
        }
    }
    Ok((reader, entries))
}
