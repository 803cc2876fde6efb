//! Causeway takes an organisation off FTP: it mirrors legacy trees with proof, serves them over SFTP,
//! WebDAV and HTTP/2, schedules the work, measures how reliable each protocol really is, and keeps a
//! tamper-evident record of what it did.
//!
//! # The map
//!
//! Modules stand on shelves. A module names only modules on shelves **above** its own; modules on one
//! shelf do not know each other. The order of the lines below is that rule, a line `// shelf: name`
//! opens a shelf, and the integration test `shelves` reads the source tree and holds the code to it.
//!
//! # Three flows to keep straight
//!
//! 1. *A scheduled job copies one file, with one reset in the middle*: the [`job`] worker claims a run
//!    (lease, heartbeat) → [`mirror`] run → a [`remote::Remote`] lists → the plan → copy: attempt 1
//!    resets → [`model::Fault`] → recorder and journal → retry says resume → attempt 2 from the
//!    confirmed offset → verify → publish by rename → journal and [`audit`] in one transaction.
//! 2. *An SFTP client downloads*: admission → ssh → [`account`] login → grant → [`tree::View`] →
//!    request loop → an observation at the end.
//! 3. *The reliability page*: page table → session → observations of a window → one row per statistic
//!    of [`reliability`] → comparison with intervals → template.
//!
//! Data goes down the shelves and comes back; it never calls upward.

#![cfg_attr(
    test,
    allow(
        clippy::disallowed_methods,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_possible_wrap,
        clippy::string_slice,
        clippy::let_underscore_must_use,
        clippy::too_many_lines,
        reason = "tests may fail loudly and use the standard library as it comes"
    )
)]

// shelf: words
pub mod model;

// shelf: machine
pub mod random;

// shelf: plumbing
pub mod db;
pub mod net;
pub mod task;
pub mod tree;

// shelf: records
pub mod audit;
pub mod digests;
pub mod manifest;
pub mod manners;
pub mod reliability;

// shelf: capabilities
pub mod account;
pub mod presence;
pub mod remote;

// shelf: engines
pub mod diagnose;
pub mod drive;
pub mod mirror;
pub mod probe;
pub mod stress;
pub mod survey;

// shelf: conductor
pub mod job;

// shelf: doors
pub mod serve;
pub mod web;

// shelf: settings
pub mod config;

// shelf: logging
pub mod telemetry;

// shelf: program
pub mod app;

// shelf: demonstration
pub mod demo;
pub mod drill;

// shelf: command line
pub mod cli;
