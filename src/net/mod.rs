//! Connections: dialling with a time for every phase, TLS as a client, counted bytes, and permits for
//! those who connect to us.

pub mod admit;

pub use admit::{Admission, AdmissionLimits, Permit};
