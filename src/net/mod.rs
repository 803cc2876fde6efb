//! Connections: dialling with a time for every phase, TLS as a client, counted bytes, and permits for
//! those who connect to us.

pub mod admit;
pub mod dial;
mod entrance;
mod stream;
pub mod tls;

pub use admit::AdmissionLimits;
pub use dial::{Dialled, Segments, connect, dial, dial_with};
pub use entrance::{Entrance, Place};
pub use stream::Stream;
pub use tls::{TlsClient, Trust};
