//! The integration tests, in one binary: real servers and clients that nobody here wrote.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_possible_wrap,
    clippy::disallowed_methods,
    clippy::let_underscore_must_use,
    clippy::too_many_lines,
    missing_docs,
    reason = "tests may fail loudly and use the standard library as it comes"
)]

mod support;

mod archive;
mod audit;
mod bench;
mod calibration;
mod cli;
mod dav;
mod dav_remote;
mod demo;
mod doctor;
mod doctor_servers;
mod drill;
mod files;
mod floods;
mod ftp;
mod http3;
mod job;
mod link;
mod mirror;
mod resumable;
mod service;
mod sftp;
mod sftp_remote;
mod shelves;
mod strangers;
mod stress;
mod web;
