//! Upgrades that a handler accepts: `101 Switching Protocols`, and then the connection belongs to another protocol.

use super::dispatch::handler;
use super::request::Request;
use super::response::Response;
use super::server::Server;
use crate::net::{HandedOver, Protocol, Socket};
use crate::proto::h1::{Encoding, Framing, OutgoingResponse};
use std::panic::Location;
use std::rc::Rc;

impl Server {
    /// Calls `f` for a request whose path is `prefix`, or lies below it, and that asks for `protocol`: instead of the other listeners,
    /// those for upgrades included.
    #[track_caller]
    pub(crate) fn on_upgrade_below(
        &self,
        prefix: &str,
        protocol: &'static str,
        f: impl FnMut(Request, Response) + 'static,
    ) {
        self.0.dispatch.add_upgrade_path(prefix, protocol, Location::caller(), handler(f));
    }
}

impl Response {
    /// Accepts the offer of the request to speak another protocol (RFC 9110, 7.8): sends `101 Switching Protocols` with the fields
    /// that are set, `Upgrade: protocol` and `Connection: upgrade`, and returns the connection's socket. The bytes that the peer
    /// has sent behind its request are the first that [`Socket::on_data`] gets.
    ///
    /// Call it in the handler, or later from any callback, for example when a worker has found out who the client is. Until then
    /// the connection takes what comes behind the request, up to [`Limits::held_input`](super::Limits::held_input), and then
    /// holds back the peer. To refuse, answer as usual: the bytes behind the request are the next request then.
    ///
    /// Returns `None`, and sends nothing, if the connection cannot change to this protocol: the request does not offer it, or
    /// has content; the response has begun; or the exchange is over. A response that has not begun is still to be answered.
    ///
    /// The exchange is over soon after this call: [`on_close`](Response::on_close) is called, but not
    /// [`on_finish`](Response::on_finish), since nobody waits until the peer has taken the 101. The socket is open for as long as
    /// the program wants. Of the limits of the server only those of output apply to the socket:
    /// [`Limits::write_stall`](super::Limits::write_stall) and [`Limits::send_rate`](super::Limits::send_rate). Requests that
    /// [`Server::on_upgrade`](super::Server::on_upgrade) takes do not come to the handler. (Node has `'upgrade'` only.)
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// let server = oneloop::http::create_server(|_req, res| match res.upgrade("echo") {
    ///     Some(socket) => {
    ///         socket.on_data(|socket, bytes| socket.write(bytes).ignore());
    ///     }
    ///     None => res.set_status(426).set_header("Upgrade", "echo").end("echo is spoken here\n"),
    /// });
    /// # server.listen(80, ()).unwrap();
    /// # assert_eq!(sim.request("GET", "/").send().status(), 426);
    /// # let peer = sim.connect(80);
    /// # peer.write("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\nhello");
    /// # sim.settle();
    /// # assert!(peer.text().starts_with("HTTP/1.1 101 ") && peer.text().ends_with("\r\n\r\nhello"), "{}", peer.text());
    /// ```
    pub fn upgrade(&self, protocol: &str) -> Option<Socket> {
        Socket::adopt(|socket| self.switch_to(protocol, socket))
    }

    /// Accepts an upgrade as [`upgrade`](Response::upgrade) does, for a protocol of the library: `to` gets the connection. See
    /// `Exchange::hand_over`.
    pub(crate) fn switch_to(&self, name: &str, to: Rc<dyn Protocol>) -> Option<HandedOver> {
        let outgoing = self.0.outgoing();
        if !outgoing.is_changeable() || !self.0.head().offers(name) {
            return None;
        }
        let given = self.0.hand_over(to)?;
        let mut head = outgoing.head().borrow_mut();
        write_switch(&mut head, name);
        given.stream.encode(|out| head.encode(out, &Encoding { framing: Framing::None, ..Encoding::default() }));
        outgoing.send_whole(0);
        Some(given)
    }
}

/// Makes the head the one that accepts an upgrade. A name that the peer has offered is valid as a value.
fn write_switch(head: &mut OutgoingResponse, protocol: &str) {
    let _ = head.set_reason("");
    let _ = head.set_status(101);
    let _ = head.set("Upgrade", protocol);
    let _ = head.set("Connection", "upgrade");
}
