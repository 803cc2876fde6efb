//! The procedure, one file a step. A step asks, writes down what it saw, and concludes nothing.

mod banner;
pub(super) mod channel;
mod connect;
mod crowd;
mod enter;
mod exchange;
mod farewell;
mod files;
pub(super) mod hold;
mod listing;
mod login;
mod methods;
mod names;
mod packets;
mod quiet;
pub(super) mod ramp;
mod rate;
mod route;
pub(super) mod segments;
mod strangers;
mod tls;
mod transfer;
pub(super) mod writes;

use serde::{Deserialize, Serialize};

use super::bench::Bench;
use crate::model::Protocol;

macro_rules! steps {
    ($($(#[$doc:meta])* $variant:ident = $module:ident, $word:literal;)*) => {
        /// One step of the procedure, in the order in which they are taken.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum Step { $($(#[$doc])* $variant,)* }

        impl Step {
            /// As people read it.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }

            /// Looks.
            pub(super) async fn look(self, bench: &Bench) {
                match self { $(Self::$variant => Box::pin($module::look(bench)).await,)* }
            }
        }
    };
}

steps! {
    /// Name and addresses.
    Names = names, "name and addresses";
    /// TCP, five times.
    Connect = connect, "TCP connections";
    /// Which router answers on the very port.
    Route = route, "the route to the port";
    /// The greeting.
    Banner = banner, "the greeting";
    /// Which versions of TLS it takes.
    Tls = tls, "TLS versions and certificate";
    /// User, password, features.
    Login = login, "login and features";
    /// EPSV, PASV as announced, PASV at the control peer, active.
    Channel = channel, "data connections";
    /// The listing.
    Listing = listing, "a listing";
    /// Small, 64 KiB, 4 MiB.
    Transfer = transfer, "transfers";
    /// How long packets may be.
    Segments = segments, "segment sizes";
    /// Session resumption and close_notify of TLS data connections.
    Farewell = farewell, "TLS on data connections";
    /// How many connections at once.
    Ramp = ramp, "connections at once";
    /// How many data connections in a row.
    Rate = rate, "data connections in a row";
    /// How long an idle connection lives.
    Hold = hold, "idle connections";
    /// A long transfer while nothing is said on the control connection.
    Quiet = quiet, "a long transfer with a silent control connection";
    /// What an SSH server offers.
    Exchange = exchange, "the SSH key exchange";
    /// Logging in, by SFTP or WebDAV.
    Enter = enter, "login and features";
    /// A listing and files, by SFTP or WebDAV.
    Files = files, "a listing and transfers";
    /// What a WebDAV server says it can do.
    Methods = methods, "methods and ranges";
    /// Uploads and locks, where something may be written.
    Writes = writes, "uploads and locks";
    /// Connections before the login.
    Strangers = strangers, "connections before the login";
    /// How many sessions at once, by SFTP or WebDAV.
    Crowd = crowd, "sessions at once";
    /// What headers of packets told of all of it; at the end of every procedure.
    Packets = packets, "packets on the wire";
}

impl Step {
    /// The procedure for a protocol, in its order; none for one that nothing can be asked over.
    #[must_use]
    pub const fn of(protocol: Protocol) -> &'static [Self] {
        match protocol {
            Protocol::Ftp | Protocol::FtpTls | Protocol::Ftps => &[
                Self::Names,
                Self::Connect,
                Self::Route,
                Self::Banner,
                Self::Tls,
                Self::Login,
                Self::Channel,
                Self::Listing,
                Self::Transfer,
                Self::Segments,
                Self::Farewell,
                Self::Ramp,
                Self::Rate,
                Self::Hold,
                Self::Quiet,
            ],
            Protocol::Sftp => &[
                Self::Names,
                Self::Connect,
                Self::Route,
                Self::Exchange,
                Self::Enter,
                Self::Files,
                Self::Writes,
                Self::Strangers,
                Self::Crowd,
            ],
            Protocol::Dav | Protocol::Davs => &[
                Self::Names,
                Self::Connect,
                Self::Route,
                Self::Tls,
                Self::Enter,
                Self::Files,
                Self::Methods,
                Self::Writes,
                Self::Crowd,
            ],
            Protocol::Local => &[],
        }
    }
}
