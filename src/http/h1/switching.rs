//! Requests that ask for the connection itself: an upgrade to another protocol, or CONNECT.

use super::H1;
use crate::event_loop::{Loop, next_tick};
use crate::http::dispatch::ServerEvent;
use crate::http::exchange::Exchange;
use crate::http::incoming::is_whole;
use crate::http::own_answer;
use crate::net::{CloseReason, HandedOver, Protocol, Socket, Stream};
use crate::proto::h1::IncomingRequest;
use crate::proto::h1::connection::{Event, Persistence, Reading, Writing};
use std::rc::Rc;

impl H1 {
    /// Returns whether a request asks for the connection itself (CONNECT, or an upgrade) and can be given it. An upgrade with
    /// content cannot be given it: the content has to be read as HTTP first.
    pub(super) fn may_leave(&self, head: &IncomingRequest) -> bool {
        (head.is_connect() || head.wants_upgrade()) && self.can_be_given_connection(head)
    }

    #[cold]
    fn can_be_given_connection(&self, head: &IncomingRequest) -> bool {
        self.state.get().persistence() != Persistence::Spent && (head.is_connect() || is_whole(head.framing()))
    }

    /// Returns whether the listeners for upgrades, or for CONNECT, get the connection: the program may decline an upgrade, but
    /// not a CONNECT.
    #[cold]
    pub(super) fn takes_over(&self, lp: &Rc<Loop>, exchange: &Rc<Exchange>) -> bool {
        let dispatch = &self.server.dispatch;
        let asked = dispatch.has(ServerEvent::Upgrade) && dispatch.upgrade_path(exchange).is_none();
        exchange.head().is_connect() || asked && dispatch.accepts_upgrade(lp, exchange)
    }

    /// Treats the request as an ordinary one, or gives it to the protocol that is mounted at its path; unless the upgrade filter has
    /// panicked or has destroyed the request.
    #[cold]
    pub(super) fn decline_upgrade(&self, stream: &Stream, exchange: &Rc<Exchange>) {
        if stream.is_in_use() && !exchange.has_ended() {
            self.server.dispatch.upgrade_request(&stream.cx().lp, exchange);
        }
    }

    /// Returns whether earlier exchanges still wait until their output has been sent. Until then the connection is not
    /// handed over.
    #[cold]
    pub(super) fn awaits_ends(&self, stream: &Stream) -> bool {
        let awaits = self.watched(|watch| !watch.finishing.is_empty());
        if awaits {
            self.facts.hold_requests();
            stream.tell_sent();
        }
        awaits
    }

    /// Gives the connection to the listeners for upgrades, or for CONNECT, as a socket of the user. As in Node, they get the bytes
    /// behind the head apart from the socket.
    #[cold]
    pub(super) fn upgrade(&self, stream: &Rc<Stream>, exchange: &Rc<Exchange>, rest: &[u8]) -> bool {
        let dispatch = &self.server.dispatch;
        if exchange.head().is_connect() && !dispatch.has(ServerEvent::Connect) {
            exchange.answer(501, own_answer::usual_words(501));
            return false;
        }
        let Some(socket) = Socket::adopt(|socket| exchange.hand_over(socket)) else {
            return false;
        };
        dispatch.upgrade(&stream.cx().lp, exchange, &socket, rest);
        true
    }

    /// Gives the connection to another protocol: see [`Exchange::hand_over`]. No output of earlier exchanges is awaited then,
    /// since a request that may leave is dispatched only after their ends ([`awaits_ends`](H1::awaits_ends)).
    #[cold]
    pub(super) fn switch(&self, exchange: &Exchange, to: Rc<dyn Protocol>) -> Option<HandedOver> {
        let stream = self.stream.get().filter(|stream| stream.is_in_use())?;
        let state = self.state.get();
        // `Closed`: the peer has ended its side since.
        let is_due = matches!((state.reading(), state.writing()), (Reading::Done | Reading::Closed, Writing::Head));
        let current = self.current()?;
        if !is_due || !std::ptr::eq(&raw const *current, exchange) || !self.may_leave(exchange.head()) {
            return None;
        }
        self.on(Event::Switched);
        drop(self.current.take());
        self.server.observing.count_bytes(stream);
        stream.set_protocol(to);
        stream.ask_for_turn();
        let (server, handed_over) = (self.server.clone(), stream.clone());
        next_tick(move || server.finish(&handed_over, &current, CloseReason::Finished));
        Some(HandedOver { stream: stream.clone(), sending: self.server.limits.all().sending() })
    }
}
