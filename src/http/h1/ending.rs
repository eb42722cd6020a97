//! The end of an exchange, and of the input.

use super::H1;
use crate::http::exchange::Exchange;
use crate::net::{CloseReason, Stream};
use crate::proto::h1::connection::{Action, Event, Persistence, Reading, Writing};
use std::rc::Rc;

impl H1 {
    /// Goes on as far as it can, whatever has changed: an exchange may be over, its request whole, held bytes wanted, the
    /// peer gone.
    pub(super) fn advance(self: &Rc<Self>, stream: &Rc<Stream>) {
        self.settle(stream);
        self.tell_request_end(stream);
        self.read_on(stream);
        self.look_for_end(stream);
    }

    /// Lets go of the exchange, if it is over.
    #[inline]
    pub(super) fn settle(&self, stream: &Rc<Stream>) {
        let state = self.state.get();
        if (state.reading(), state.writing()) == (Reading::Body, Writing::Done) {
            self.leave_unwanted_rest();
        }
        // One whose connection is cut ends with it, for its reason.
        if self.state.get().is_exchanging() || stream.is_closed() {
            return;
        }
        if let Some(exchange) = self.current.take() {
            self.let_go(stream, exchange);
        }
    }

    /// Behind the last response, nobody waits for the end of a body that nobody reads.
    #[cold]
    fn leave_unwanted_rest(&self) {
        if self.is_last() && self.current().is_some_and(|exchange| !exchange.is_read()) {
            self.on(Event::ContentLeft);
        }
    }

    /// Lets go of an exchange that is over, and makes room for the next one, or closes.
    fn let_go(&self, stream: &Rc<Stream>, exchange: Rc<Exchange>) {
        let reason = exchange.outgoing().broken().unwrap_or(CloseReason::Finished);
        self.release(stream, exchange, reason);
        let now = stream.cx().lp.now();
        self.since.set(now);
        stream.need_due(now + self.server.limits.keep_alive());
        // The server may have been closed since the head of this response went.
        if self.state.get().is_idle() && self.server.is_closing() {
            self.on(Event::Last);
        }
        if self.reading() == Reading::Closed {
            stream.finish(CloseReason::Finished, Some(self.server.limits.all().linger()));
        } else if stream.held() > 0 {
            // Requests that waited behind this one; within `data` it has them at hand, and none is held.
            stream.make_ready();
        }
    }

    /// Closes a connection whose last request was answered, where no byte of a further one is here, to be turned away.
    pub(super) fn finish_if_spent(&self, stream: &Rc<Stream>) {
        let state = self.state.get();
        if state.persistence() == Persistence::Spent && state.is_idle() {
            self.on(Event::Last);
            stream.finish(CloseReason::Finished, Some(self.server.limits.all().linger()));
        }
    }

    /// Closes the connection for a reason that ends the current exchange, where there is one, as well. What went before, the
    /// answers to earlier requests, still goes out.
    #[cold]
    pub(super) fn break_off(&self, stream: &Rc<Stream>, reason: CloseReason) {
        stream.finish(reason, Some(self.server.limits.all().linger()));
        if let Some(exchange) = self.current.take() {
            self.release(stream, exchange, reason);
        }
    }

    /// Ends an exchange at once, or when its output has gone, where a listener or a handle wants to know that.
    fn release(&self, stream: &Rc<Stream>, exchange: Rc<Exchange>, reason: CloseReason) {
        let lp = &stream.cx().lp;
        // One that a handle is kept of learns when it has gone, too: see `Response::is_finished`.
        if !exchange.is_listened_to() && Rc::strong_count(&exchange) == 1 && !self.server.observing.is_on() {
            exchange.finish(lp, reason);
            self.server.pool.recycle(exchange);
            return;
        }
        exchange.unlink();
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
            exchange.outgoing().set_finished(reason == CloseReason::Finished);
            self.finish(stream, &exchange, reason);
            self.server.pool.recycle(exchange);
        }
    }

    /// Tells those who have begun to wait for the end of a request that it is whole.
    fn tell_request_end(&self, stream: &Rc<Stream>) {
        if let Some(exchange) = self.current()
            && exchange.incoming().is_complete()
            && exchange.is_listened_to()
        {
            exchange.request_over(&stream.cx().lp);
            // They may have answered.
            drop(exchange);
            self.settle(stream);
        }
    }

    /// Once the answer has ended, what is held back can go: the rest of a body, or its end, which needs no further bytes;
    /// and requests behind it.
    fn read_on(&self, stream: &Rc<Stream>) {
        let state = self.state.get();
        if (state.reading(), state.writing()) != (Reading::Body, Writing::Done) || !stream.is_open() {
            return;
        }
        let wanted = self.current().is_some_and(|exchange| !exchange.is_read() || !exchange.incoming().is_paused());
        if wanted && (stream.held() > 0 || self.is_at_end_of_body()) {
            stream.make_ready();
        }
    }

    /// Returns whether all of the body is here, though its end was not told yet.
    fn is_at_end_of_body(&self) -> bool {
        self.reading() == Reading::Body && self.watched(|watch| watch.decoder.is_done())
    }

    /// Acts on the end of the input: of what the peer has to say, or of what it may.
    fn look_for_end(&self, stream: &Rc<Stream>) {
        if stream.held() == 0 {
            self.finish_if_spent(stream);
        }
        if !stream.is_open() || !stream.has_fin_hint() && !stream.is_eof() {
            return;
        }
        self.tell_peer_end(stream);
        if stream.is_open() {
            self.act_on_peer_end(stream);
        }
    }

    /// Tells `on_peer_end` listeners that the peer has ended its side, so far as can be known.
    #[cold]
    fn tell_peer_end(&self, stream: &Rc<Stream>) {
        if let Some(exchange) = self.current()
            && exchange.tell_peer_end(&stream.cx().lp)
        {
            // They may have answered.
            drop(exchange);
            self.settle(stream);
        }
    }

    /// The peer has ended its side: nothing more comes behind what is held.
    #[cold]
    fn act_on_peer_end(&self, stream: &Rc<Stream>) {
        let state = self.state.get();
        // What is held of a head is all that there will be of it.
        let all_read = stream.held() == 0 || state.reading() == Reading::Head;
        if !stream.is_eof() || self.is_at_end_of_body() {
            self.await_answer(stream);
        } else if all_read && state.reading() != Reading::Closed {
            self.end_input(stream);
        } else if state.writing() != Writing::Done {
            self.await_answer(stream);
        }
    }

    /// All that the peer had to say was read.
    fn end_input(&self, stream: &Rc<Stream>) {
        let answered = self.state.get().writing() == Writing::Done;
        let read = self.current().is_some_and(|exchange| exchange.is_read());
        match self.on(Event::InputEnded) {
            Action::Finish => stream.finish(CloseReason::Finished, None),
            // Nobody has missed the rest.
            Action::Fail if answered && !read => self.break_off(stream, CloseReason::Finished),
            Action::Fail => self.break_off(stream, CloseReason::Truncated),
            _ => self.await_answer(stream),
        }
    }

    /// The peer has ended its side. Where it is owed an answer, it is waited for as long as `Limits::half_open` says.
    #[cold]
    fn await_answer(&self, stream: &Rc<Stream>) {
        if let Some(exchange) = self.current() {
            stream.need_due(self.half_open_until(stream, &exchange, stream.cx().lp.now()));
        }
    }
}
