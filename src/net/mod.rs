//! Connections: dialling with a time for every phase, TLS as a client, counted bytes, permits for those
//! who connect to us, also through a proxy, and what we speak in both roles: the packets of SFTP, the dates and paths of HTTP.

pub mod admit;
mod callback;
pub mod dial;
mod entrance;
pub mod http;
mod kexinit;
mod network;
pub mod origin;
pub mod sftp;
mod socket;
pub mod ssh;
mod stream;
pub mod tls;

pub use admit::AdmissionLimits;
pub use callback::{accept, comes_again, listen};
pub use dial::{Dialled, Segments, connect, dial, dial_with};
pub use entrance::{Entrance, Place};
pub use kexinit::{Agreed, Told};
pub use network::{Network, NetworkError};
pub use origin::Origin;
pub use socket::{OpenedBy, tune};
pub use ssh::SshStream;
pub use stream::Stream;
pub use tls::{TlsClient, Trust};
