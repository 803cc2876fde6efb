//! Ports of this machine for programs that must be told one.

use std::net::SocketAddr;

use socket2::{Domain, Socket, Type};

/// A loopback port that nobody is given as a free one while this lives. Who connects is refused until somebody listens
/// there, as every program may that binds with `SO_REUSEADDR`: the port is bound, but not listened on.
pub struct Port(Socket);

impl Port {
    pub fn reserve() -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.set_reuse_address(true).unwrap();
        socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
        Self(socket)
    }

    pub fn number(&self) -> u16 {
        self.0.local_addr().unwrap().as_socket().unwrap().port()
    }
}
