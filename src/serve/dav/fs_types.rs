//! The small types that `dav-server` wants of a file system: metadata, directory entries, files.

use std::io::SeekFrom;
use std::time::SystemTime;

use bytes::{Buf, Bytes};
use dav_server::fs::{DavDirEntry, DavFile, DavMetaData, FsError, FsFuture, FsResult};

use super::status::{Verdict, fs_error};
use crate::model::Name;
use crate::serve::files::{Terms, Unfinished, Upload};
use crate::tree::{Replace, Stat};

/// Metadata of one entry.
#[derive(Debug, Clone)]
pub(super) struct Meta(pub(super) Stat);

impl DavMetaData for Meta {
    fn len(&self) -> u64 {
        if self.0.is_file() { self.0.size } else { 0 }
    }

    fn modified(&self) -> FsResult<SystemTime> {
        Ok(SystemTime::from(self.0.mtime))
    }

    fn is_dir(&self) -> bool {
        self.0.is_dir()
    }

    fn is_file(&self) -> bool {
        self.0.is_file()
    }

    fn is_symlink(&self) -> bool {
        matches!(self.0.kind, crate::model::EntryKind::Symlink(_))
    }

    // Without the quotes: `dav-server` adds them.
    fn etag(&self) -> Option<String> {
        Some(self.0.etag().trim_matches('"').to_owned())
    }
}

/// One name in a directory.
#[derive(Debug, Clone)]
pub(super) struct DirItem {
    pub(super) name: Name,
    pub(super) stat: Stat,
}

impl DavDirEntry for DirItem {
    fn name(&self) -> Vec<u8> {
        self.name.as_bytes().to_vec()
    }

    fn metadata(&'_ self) -> FsFuture<'_, Box<dyn DavMetaData>> {
        let meta: Box<dyn DavMetaData> = Box::new(Meta(self.stat.clone()));
        Box::pin(std::future::ready(Ok(meta)))
    }
}

/// A file being written by PUT. It appears when it is flushed, which happens only after the whole body.
#[derive(Debug)]
pub(super) struct Incoming {
    pub(super) upload: Option<(Upload, Terms)>,
    pub(super) expected: Option<u64>,
    pub(super) mtime: Option<jiff::Timestamp>,
    pub(super) replace: Replace,
    pub(super) published: Option<Stat>,
    pub(super) verdict: Verdict,
}

impl DavFile for Incoming {
    fn metadata(&'_ mut self) -> FsFuture<'_, Box<dyn DavMetaData>> {
        let meta = self.published.clone().map(|stat| Box::new(Meta(stat)) as Box<dyn DavMetaData>);
        Box::pin(std::future::ready(meta.ok_or(FsError::GeneralFailure)))
    }

    fn write_buf(&'_ mut self, mut buf: Box<dyn Buf + Send>) -> FsFuture<'_, ()> {
        self.write_bytes(buf.copy_to_bytes(buf.remaining()))
    }

    fn write_bytes(&'_ mut self, buf: Bytes) -> FsFuture<'_, ()> {
        Box::pin(async move {
            let (upload, _) = self.upload.as_mut().ok_or(FsError::GeneralFailure)?;
            upload.write(&buf).await.map_err(|error| fs_error(&error))
        })
    }

    fn read_bytes(&'_ mut self, _count: usize) -> FsFuture<'_, Bytes> {
        Box::pin(std::future::ready(Err(FsError::NotImplemented)))
    }

    // Only partial PUTs seek, and those are refused before.
    fn seek(&'_ mut self, _pos: SeekFrom) -> FsFuture<'_, u64> {
        Box::pin(std::future::ready(Err(FsError::NotImplemented)))
    }

    fn flush(&'_ mut self) -> FsFuture<'_, ()> {
        Box::pin(async move {
            let (upload, terms) = self.upload.take().ok_or(FsError::GeneralFailure)?;
            match upload.finish(self.expected, self.mtime, self.replace, terms).await {
                Ok(stat) => {
                    self.published = Some(stat);
                    Ok(())
                }
                Err(Unfinished::Refused(status)) => {
                    self.verdict.give(status);
                    Err(FsError::Forbidden)
                }
                Err(Unfinished::Io(error)) => Err(fs_error(&error)),
            }
        })
    }
}
