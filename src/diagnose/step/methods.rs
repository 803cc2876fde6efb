//! What a WebDAV server says it can do (RFC 4918, sections 9.1, 10.1 and 18; RFC 9110, section 14), asked by hand.

use crate::diagnose::bench::Bench;
use crate::diagnose::request::{self, Request, target};

pub(super) async fn look(bench: &Bench) {
    if bench.known().address.is_none() {
        return bench.leave_out("no connection can be opened");
    }
    let root = target(&bench.endpoint.root, true);
    ask(bench, "OPTIONS", &root, "").await;
    ask(bench, "PROPFIND", &root, "Depth: 0\r\n").await;
    // The files of the listing, where there was one.
    let files = bench.known().files;
    if let Some((path, _)) = files.iter().find(|(_, size)| *size > 1) {
        ask(bench, "GET", &target(&bench.below(path), false), "Range: bytes=1-1\r\n").await;
    } else {
        bench.leave_out("ranges: there is no file");
    }
}

async fn ask(bench: &Bench, method: &str, target: &str, headers: &str) {
    let request = Request { method, target, headers: headers.to_owned(), body: Vec::new() };
    request::ask(bench, method, request).await;
}
