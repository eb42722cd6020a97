//! The end of an exchange, and of the input.

use super::{H1, flag};
use crate::http::exchange::{Exchange, On, Phase};
use crate::net::{CloseReason, Stream};
use std::rc::Rc;

impl H1 {
    /// If the response has ended and the request is whole, lets go of the exchange and makes room for the next one.
    pub(super) fn end_exchange_if_over(self: &Rc<Self>, stream: &Rc<Stream>) {
        let (over, whole, reason) = match &*self.current.borrow() {
            Some(exchange) => {
                let (broken, whole) = (exchange.broken.get(), exchange.complete.get());
                let over = exchange.phase.get() == Phase::Ended && (whole || self.drops_rest(exchange));
                (over || broken.is_some(), whole, broken.unwrap_or(CloseReason::Finished))
            }
            None => return,
        };
        // One whose connection is cut ends with it, for its reason.
        if !over || stream.is_closed() {
            return;
        }
        self.release(stream, reason);
        if !whole {
            // What follows is the rest of a body, and no request that could be dropped.
            self.clear(flag::SPENT);
        }
        let lp = &stream.cx().lp;
        self.since.set(lp.now());
        stream.need_due(lp.now() + self.server.limits.keep_alive());
        // The server may have been closed since the head of this response went.
        if self.has(flag::CLOSE) && !self.has(flag::SPENT) || self.server.is_closing() {
            stream.finish(CloseReason::Finished, Some(self.server.limits.all().linger()));
        } else if stream.held() > 0 {
            // Requests that waited behind this one; within `data` it has them at hand, and none is held.
            stream.make_ready();
        }
    }

    /// Returns whether nobody will read the rest of the request's body.
    #[cold]
    fn drops_rest(&self, exchange: &Exchange) -> bool {
        self.has(flag::CLOSE) && !exchange.is_read()
    }

    /// Closes a connection whose last request was answered, where no further one is here to be turned away.
    pub(super) fn check_spent(&self, stream: &Rc<Stream>) {
        if self.has(flag::SPENT) && self.current.borrow().is_none() {
            stream.finish(CloseReason::Finished, Some(self.server.limits.all().linger()));
        }
    }

    /// Lets go of the current exchange: at once, or when its output has gone, where a listener or a handle wants to know that.
    pub(super) fn release(&self, stream: &Rc<Stream>, reason: CloseReason) {
        let current = self.current.borrow_mut().take();
        let Some(exchange) = current else { return };
        let lp = &stream.cx().lp;
        // One that a handle is kept of learns when it has gone, too: see `Response::is_finished`.
        if exchange.listeners.is_empty() && Rc::strong_count(&exchange) == 1 && !self.server.observing.is_on() {
            exchange.finish(lp, reason);
            self.server.pool.recycle(exchange);
            return;
        }
        let link = exchange.link.borrow_mut().take();
        drop(link);
        // A broken connection has dropped its output: that will never have gone.
        let mark = if stream.is_broken() { u64::MAX } else { stream.bytes_written() + stream.pending() as u64 };
        self.watch(|watch| watch.finishing.push_back((mark, reason, exchange)));
        stream.tell_sent();
    }

    /// Ends an exchange, and tells its listeners and those of the server.
    pub(super) fn finish(&self, stream: &Stream, exchange: &Rc<Exchange>, reason: CloseReason) {
        let lp = &stream.cx().lp;
        exchange.finish(lp, reason);
        if self.server.observing.is_on() {
            self.server.exchange_ended(stream, exchange, reason);
        }
    }

    /// Finishes the exchanges whose output has gone.
    pub(super) fn finish_sent(&self, stream: &Rc<Stream>) {
        loop {
            let written = stream.bytes_written();
            let next = self.watched(|watch| {
                let gone = watch.finishing.front().is_some_and(|(mark, ..)| *mark <= written);
                if gone { watch.finishing.pop_front() } else { None }
            });
            let Some((_, reason, exchange)) = next else { return };
            exchange.finished.set(reason == CloseReason::Finished);
            self.finish(stream, &exchange, reason);
            self.server.pool.recycle(exchange);
        }
    }

    /// Once the answer has ended, what is held back can go: the rest of a body, or its end, which needs no further bytes;
    /// and requests behind it.
    pub(super) fn read_on(&self, stream: &Rc<Stream>) {
        let waits = self.current.borrow().as_ref().is_some_and(|exchange| {
            let wanted = !exchange.is_read() || !exchange.paused.get();
            let there = stream.held() > 0 || exchange.decoder.get().is_done();
            exchange.phase.get() == Phase::Ended && !exchange.complete.get() && wanted && there
        });
        if waits && stream.is_open() {
            stream.make_ready();
        }
    }

    /// Acts on the peer's end of input, once all that it sent before was read.
    pub(super) fn check_eof(self: &Rc<Self>, stream: &Rc<Stream>) {
        if stream.held() == 0 {
            self.check_spent(stream);
        }
        self.read_on(stream);
        if !stream.is_open() || !stream.has_fin_hint() && !stream.is_eof() {
            return;
        }
        self.tell_peer_end(stream);
        if !stream.is_eof() {
            return self.await_answer(stream);
        }
        let current = self.current();
        match current {
            _ if !stream.is_open() => {}
            Some(exchange) if exchange.complete.get() => self.await_answer(stream),
            // All of it is here, but its end cannot be told while it is paused.
            Some(exchange) if exchange.decoder.get().is_done() => self.await_answer(stream),
            // What is held back is read first.
            Some(exchange) if exchange.phase.get() == Phase::Ended && stream.held() > 0 => {}
            Some(exchange) if exchange.phase.get() == Phase::Ended => {
                let reason = if exchange.is_read() { CloseReason::Truncated } else { CloseReason::Finished };
                stream.finish(reason, None);
                self.release(stream, reason);
            }
            // The answers to earlier requests still go out.
            Some(_) if stream.held() == 0 => {
                stream.finish(CloseReason::Truncated, None);
                self.release(stream, CloseReason::Truncated);
            }
            Some(_) => self.await_answer(stream),
            None if stream.held() == 0 => stream.finish(CloseReason::Finished, None),
            None if self.has(flag::PARTIAL) => stream.finish(CloseReason::Truncated, None),
            None => {}
        }
    }

    /// Tells `on_peer_end` listeners that the peer has ended its side, so far as can be known.
    #[cold]
    fn tell_peer_end(self: &Rc<Self>, stream: &Rc<Stream>) {
        let current = self.current();
        if let Some(exchange) = current
            && exchange.listeners.has(On::PeerEnd)
        {
            exchange.emit_end(&stream.cx().lp, On::PeerEnd);
            exchange.listeners.remove(On::PeerEnd);
            // They may have answered.
            drop(exchange);
            self.end_exchange_if_over(stream);
        }
    }

    /// The peer has ended its side. Where it is owed an answer, it is waited for as long as `Limits::half_open` says.
    #[cold]
    pub(super) fn await_answer(&self, stream: &Rc<Stream>) {
        let current = self.current();
        if let Some(exchange) = current {
            stream.need_due(self.half_open_until(stream, &exchange, stream.cx().lp.now()));
        }
    }
}
