//! Requests that ask for the connection itself: an upgrade to another protocol, or CONNECT.

use super::H1;
use crate::event_loop::Loop;
use crate::http::dispatch::ServerEvent;
use crate::http::exchange::Exchange;
use crate::http::incoming::is_whole;
use crate::http::own_answer;
use crate::net::{CloseReason, Socket, Stream};
use crate::proto::h1::IncomingRequest;
use crate::proto::h1::connection::{Event, Persistence};
use std::rc::Rc;

impl H1 {
    /// Returns whether a request asks for the connection itself (CONNECT, or an upgrade) and can be given it. An upgrade with
    /// content cannot be given it: the content has to be read as HTTP first.
    pub(super) fn asks_for_connection(&self, head: &IncomingRequest) -> bool {
        (head.is_connect() || head.wants_upgrade()) && self.can_be_given_connection(head)
    }

    #[cold]
    fn can_be_given_connection(&self, head: &IncomingRequest) -> bool {
        self.state.get().persistence() != Persistence::Spent
            && (head.is_connect() || is_whole(head.framing()) && self.server.dispatch.has(ServerEvent::Upgrade))
    }

    /// Returns whether a request that asks for the connection gets it: the program may decline an upgrade, but not a CONNECT.
    #[cold]
    pub(super) fn takes_over(&self, lp: &Rc<Loop>, exchange: &Rc<Exchange>) -> bool {
        exchange.head().is_connect() || self.server.dispatch.accepts_upgrade(lp, exchange)
    }

    /// Treats the request as an ordinary one, unless the upgrade filter has panicked or has destroyed the request.
    #[cold]
    pub(super) fn decline_upgrade(&self, stream: &Stream, exchange: &Rc<Exchange>) {
        if stream.is_open() && !exchange.has_ended() {
            self.server.dispatch.request(&stream.cx().lp, exchange);
        }
    }

    /// Returns whether earlier exchanges still wait until their output has been sent. Until then the connection is not
    /// handed over.
    #[cold]
    pub(super) fn awaits_ends(&self, stream: &Stream) -> bool {
        let awaits = self.watched(|watch| !watch.finishing.is_empty());
        if awaits {
            self.output_held.set(true);
            stream.tell_sent();
        }
        awaits
    }

    /// Hands the connection over: from now on it is a socket of the user.
    #[cold]
    pub(super) fn upgrade(&self, stream: &Rc<Stream>, exchange: &Rc<Exchange>, rest: &[u8]) -> bool {
        if exchange.head().is_connect() && !self.server.dispatch.has(ServerEvent::Connect) {
            exchange.answer(501, own_answer::usual_words(501));
            return false;
        }
        self.on(Event::Switched);
        self.watched(|watch| watch.receive = None);
        let current = self.current.take();
        drop(current);
        exchange.unlink();
        self.server.observing.count_bytes(stream);
        let socket = Socket::adopt(stream);
        self.server.dispatch.upgrade(&stream.cx().lp, exchange, &socket, rest);
        self.finish(stream, exchange, CloseReason::Finished);
        true
    }
}
