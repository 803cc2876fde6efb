//! ownCloud's property `checksums`. It says what was computed here over the content, and nothing else: clients may send
//! it along (rclone does, beside a time), and are not believed.

use std::io;

use dav_server::fs::{DavProp, FsError};
use http::StatusCode;

use super::status::fs_error;
use super::xml::{self, OC_NS};
use crate::drive::Guest;
use crate::model::RelPath;
use crate::net::http::digest;
use crate::task;

/// Its name.
pub(super) const NAME: &str = "checksums";

/// Is it that property?
pub(super) fn is(prop: &DavProp) -> bool {
    prop.namespace.as_deref() == Some(OC_NS) && prop.name == NAME
}

/// What to say to a PROPPATCH of the file `path`, none of which is stored. `xml` is what the client wants to be said;
/// `None` if nothing. 200 when that is what is said already, or nobody knows better.
pub(super) async fn judged(guest: &Guest, path: &RelPath, xml: Option<&[u8]>) -> Result<StatusCode, FsError> {
    // RFC 4918, 9.2.1: it is protected.
    let Some(xml) = xml else { return Ok(StatusCode::FORBIDDEN) };
    let (view, at) = (guest.view.clone(), path.clone());
    let stat = task::blocking(move || view.stat_follow(&at)).await;
    let stat = stat.unwrap_or_else(|lost| Err(io::Error::other(lost))).map_err(|error| fs_error(&error))?;
    let known = guest.books.digests.of(&[&stat]).await;
    let differs = said(xml).iter().any(|said| known.by(&stat, said.algorithm()).is_some_and(|sum| sum != said));
    Ok(if differs { StatusCode::CONFLICT } else { StatusCode::OK })
}

/// The checksums in the element: in elements of their own, or in its text.
fn said(xml: &[u8]) -> Vec<crate::model::Checksum> {
    let Some(element) = xml::parse(xml) else { return Vec::new() };
    let inner = element.children.iter().filter_map(|node| node.as_element()?.get_text());
    inner.chain(element.get_text()).flat_map(|text| digest::of_property(&text)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_rclone_sends_is_understood() {
        let sent = b"<oc:checksums xmlns:oc='http://owncloud.org/ns'>
            <oc:checksum>SHA1:a9993e364706816aba3e25717850c26c9cd0d89d</oc:checksum></oc:checksums>";
        assert_eq!(said(sent).len(), 1);
        assert_eq!(said(b"<checksums>MD5:900150983CD24FB0D6963F7D28E17F72 X:y</checksums>").len(), 1);
        assert!(said(b"<checksums/>").is_empty() && said(b"no xml").is_empty());
    }
}
