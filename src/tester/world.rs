use crate::http::Server;
use crate::net::Address;
use crate::sim::Sim;
use std::cell::Cell;
use std::io;
use std::net::{IpAddr, Ipv4Addr};

/// The port on which an app listens that has not chosen one.
const PORT: u16 = 80;
/// Where the agents' addresses begin: 198.18.0.0/15 is for tests (RFC 2544), and no list of private networks, whose clients a program may trust, has it.
const AGENTS: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 0);

/// What all agents of a tester share. The server is dropped before its loop.
pub(super) struct World {
    pub server: Server,
    pub sim: Sim,
    pub port: u16,
    agents: Cell<u32>,
}

impl World {
    pub fn new(sim: Sim, server: io::Result<Server>) -> io::Result<World> {
        let server = server?;
        if !server.is_listening() {
            server.listen(PORT, ())?;
        }
        let port = match server.address() {
            Some(Address::Ip(address)) => address.port(),
            _ => return Err(io::Error::other("a tester connects by TCP, and the server does not listen there")),
        };
        Ok(World { server, sim, port, agents: Cell::new(0) })
    }

    /// An address that no agent has got yet.
    pub fn next_address(&self) -> IpAddr {
        self.agents.set(self.agents.get() + 1);
        Ipv4Addr::from_bits(AGENTS.to_bits() + self.agents.get()).into()
    }

    /// The requests that are not answered, for the message of a test that fails.
    pub fn open_requests(&self) -> String {
        let open = self.server.open_exchanges();
        let lines = open.iter().map(|open| format!("\n  {} {}, for {:?}", open.method, open.target, open.age));
        if open.is_empty() {
            "\nno request is open".to_owned()
        } else {
            format!("\nopen requests:{}", lines.collect::<String>())
        }
    }
}
