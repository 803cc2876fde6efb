//! Connections: dialling with a time for every phase, TLS as a client, counted bytes, permits for those
//! who connect to us, also through a proxy, and what we speak in both roles: the packets of SFTP, the dates and paths of HTTP.

pub mod admit;
mod callback;
pub mod counters;
pub mod dial;
mod entrance;
pub mod http;
mod kexinit;
mod network;
pub mod origin;
mod probe;
pub mod sftp;
mod socket;
pub mod socks;
pub mod ssh;
mod stream;
mod tally;
mod tcp_info;
pub mod tls;

pub use admit::AdmissionLimits;
pub use callback::{accept, comes_again, listen};
pub use counters::{Coding, Counters, Refusal, Squeezed};
pub use dial::{Dialled, Segments, Way, connect, dial, dial_by};
pub use entrance::{Entrance, Place};
pub use kexinit::{Agreed, Told};
pub use network::{Network, NetworkError};
pub use origin::Origin;
pub use probe::{Probe, probe};
pub use socket::{OpenedBy, keep_awake, tune};
pub use ssh::SshStream;
pub use stream::Stream;
pub use tally::{Secured, Tally};
pub use tcp_info::{TcpInfo, tcp_info};
pub use tls::{TlsClient, Trust};
