//! Connections: dialling with a time for every phase, TLS as a client, counted bytes, and permits for
//! those who connect to us.

pub mod admit;
pub mod dial;
mod entrance;
mod stream;
pub mod tls;

pub use admit::AdmissionLimits;
pub use dial::{Dialled, connect, dial};
pub use entrance::{Entrance, Place};
pub use stream::Stream;
pub use tls::{TlsClient, Trust};
