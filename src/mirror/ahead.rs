//! A big file's next bytes come while those before them are hashed and written.
//!
//! Whoever reads sees one [`Source`] with the same bytes, the same end and the same closing word; only the reading itself
//! goes on in a task of its own, a bounded way ahead.

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::model::{Entry, Fault, FaultKind, Phase, Retry};
use crate::remote::Source;
use crate::task::Tasks;

/// For smaller files another task costs more than it brings.
pub(super) const MIN_SIZE: u64 = 8 << 20;
/// So many lots of bytes are read ahead. FTP's are up to 128 KiB.
const LOTS: usize = 8;

/// What the reading task says.
enum Word {
    Bytes(Bytes),
    /// The data ended; the other side's closing word.
    End(Result<Option<Entry>, Fault>),
}

/// A source that is read ahead.
pub(super) struct Ahead {
    words: mpsc::Receiver<Result<Word, Fault>>,
    task: JoinHandle<()>,
    closing: Option<Result<Option<Entry>, Fault>>,
}

impl Ahead {
    /// Begins to read `source` among `tasks`.
    pub(super) fn new(source: Box<dyn Source>, tasks: &Tasks) -> Self {
        let (said, words) = mpsc::channel(LOTS);
        Self { words, task: tasks.spawn("reading ahead", read(source, said)), closing: None }
    }
}

/// Reads to the end, or to a fault, or until nobody listens any more.
async fn read(mut source: Box<dyn Source>, said: mpsc::Sender<Result<Word, Fault>>) {
    let last = loop {
        match source.next().await {
            Ok(Some(bytes)) => {
                if said.send(Ok(Word::Bytes(bytes))).await.is_err() {
                    return;
                }
            }
            Ok(None) => break Ok(Word::End(source.finish().await)),
            Err(fault) => break Err(fault),
        }
    };
    said.send(last).await.ok();
}

#[async_trait]
impl Source for Ahead {
    async fn next(&mut self) -> Result<Option<Bytes>, Fault> {
        if self.closing.is_some() {
            return Ok(None);
        }
        match self.words.recv().await {
            Some(Ok(Word::Bytes(bytes))) => Ok(Some(bytes)),
            Some(Ok(Word::End(closing))) => {
                self.closing = Some(closing);
                Ok(None)
            }
            Some(Err(fault)) => Err(fault),
            None => {
                let message = "whoever read the file ahead was stopped";
                Err(Fault::new(Phase::Transfer, FaultKind::Cancelled, message).retry(Retry::Now))
            }
        }
    }

    async fn finish(mut self: Box<Self>) -> Result<Option<Entry>, Fault> {
        let early = || Err(Fault::new(Phase::Finish, FaultKind::Cancelled, "the file was not read to its end"));
        self.closing.take().unwrap_or_else(early)
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

    use super::*;

    /// Gives out `lots` and then ends with `last` and `closing`.
    struct Scripted {
        lots: usize,
        given: Arc<AtomicUsize>,
        last: Option<Fault>,
        closing: Result<Option<Entry>, Fault>,
    }

    #[async_trait]
    impl Source for Scripted {
        async fn next(&mut self) -> Result<Option<Bytes>, Fault> {
            if self.given.load(SeqCst) < self.lots {
                let number = self.given.fetch_add(1, SeqCst);
                return Ok(Some(Bytes::from(vec![number as u8; 3])));
            }
            self.last.take().map_or(Ok(None), Err)
        }

        async fn finish(self: Box<Self>) -> Result<Option<Entry>, Fault> {
            self.closing
        }
    }

    fn broken(message: &str) -> Fault {
        Fault::new(Phase::Finish, FaultKind::Reset, message)
    }

    fn begin(lots: usize, last: Option<Fault>, closing: Result<Option<Entry>, Fault>) -> (Ahead, Arc<AtomicUsize>) {
        let given = Arc::new(AtomicUsize::new(0));
        let source = Scripted { lots, given: Arc::clone(&given), last, closing };
        (Ahead::new(Box::new(source), &Tasks::new()), given)
    }

    async fn drain(ahead: &mut Ahead) -> (Vec<u8>, Option<Fault>) {
        let mut all = Vec::new();
        loop {
            match ahead.next().await {
                Ok(Some(bytes)) => all.extend_from_slice(&bytes),
                Ok(None) => return (all, None),
                Err(fault) => return (all, Some(fault)),
            }
        }
    }

    #[tokio::test]
    async fn bytes_end_and_closing_word_are_those_of_the_source() {
        for closing in [Ok(None), Err(broken("no closing word"))] {
            let (mut ahead, _) = begin(100, None, closing.clone());
            let (all, fault) = drain(&mut ahead).await;
            assert_eq!((all.len(), fault), (300, None));
            assert!(all.chunks(3).enumerate().all(|(n, lot)| lot == [n as u8; 3]));
            assert_eq!(ahead.next().await, Ok(None), "the end stays the end");
            assert_eq!(Box::new(ahead).finish().await, closing);
        }
    }

    #[tokio::test]
    async fn a_fault_comes_behind_all_bytes_before_it() {
        let (mut ahead, _) = begin(20, Some(broken("reset")), Ok(None));
        let (all, fault) = drain(&mut ahead).await;
        assert_eq!((all.len(), fault), (60, Some(broken("reset"))));
        let unfinished = Box::new(ahead).finish().await.unwrap_err();
        assert_eq!(unfinished.kind, FaultKind::Cancelled);
    }

    #[tokio::test]
    async fn it_is_bounded_and_ends_with_whoever_reads() {
        let (mut ahead, given) = begin(usize::MAX, None, Ok(None));
        assert!(ahead.next().await.unwrap().is_some());
        for _ in 0..1000 {
            tokio::task::yield_now().await;
        }
        let read = given.load(SeqCst);
        assert!((LOTS..=LOTS + 2).contains(&read), "{read} lots were read, one was taken");
        drop(ahead);
        tokio::task::yield_now().await;
        assert_eq!(Arc::strong_count(&given), 1, "the source was dropped");
    }
}
