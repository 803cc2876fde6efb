//! The small types that `dav-server` wants of a file system: metadata, directory entries, files.

use std::io::SeekFrom;
use std::time::SystemTime;

use bytes::{Buf, Bytes};
use dav_server::fs::{DavDirEntry, DavFile, DavMetaData, FsError, FsFuture, FsResult};

use crate::model::Name;
use crate::tree::Stat;

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

/// The empty file that a LOCK has made. Nothing else opens files here.
#[derive(Debug)]
pub(super) struct Made(pub(super) Stat);

fn refused<T: Send + 'static>() -> FsFuture<'static, T> {
    Box::pin(std::future::ready(Err(FsError::NotImplemented)))
}

impl DavFile for Made {
    fn metadata(&'_ mut self) -> FsFuture<'_, Box<dyn DavMetaData>> {
        let meta: Box<dyn DavMetaData> = Box::new(Meta(self.0.clone()));
        Box::pin(std::future::ready(Ok(meta)))
    }

    fn write_buf(&'_ mut self, _buf: Box<dyn Buf + Send>) -> FsFuture<'_, ()> {
        refused()
    }

    fn write_bytes(&'_ mut self, _buf: Bytes) -> FsFuture<'_, ()> {
        refused()
    }

    fn read_bytes(&'_ mut self, _count: usize) -> FsFuture<'_, Bytes> {
        refused()
    }

    fn seek(&'_ mut self, _pos: SeekFrom) -> FsFuture<'_, u64> {
        refused()
    }

    fn flush(&'_ mut self) -> FsFuture<'_, ()> {
        refused()
    }
}
