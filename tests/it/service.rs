//! The whole service as it is deployed: `causeway serve`, with all its doors over one tree and one set of accounts.

mod acme;
mod app_passwords;
mod certificate;
mod clients;
mod connect;
mod disk;
mod entrance;
mod host_key;
