//! The end of an exchange, and of the input.

use super::H1;
use crate::http::exchange::Exchange;
use crate::net::{CloseReason, Stream};
use crate::proto::h1::connection::{Action, Event, Persistence, Reading, Writing};
use std::rc::Rc;

impl H1 {
    /// Does all that can be done now, whatever has changed: an exchange may be over, its request may be whole, held bytes may be
    /// wanted, the peer may have ended its side.
    pub(super) fn advance(self: &Rc<Self>, stream: &Rc<Stream>) {
        self.release_if_over(stream);
        self.tell_request_end(stream);
        self.read_on(stream);
        self.look_for_end(stream);
    }

    /// Releases the exchange, if it is over.
    #[inline]
    pub(super) fn release_if_over(&self, stream: &Rc<Stream>) {
        let state = self.state.get();
        if (state.reading(), state.writing()) == (Reading::Body, Writing::Done) {
            self.leave_unwanted_rest();
        }
        // If the connection is cut, the exchange ends with the connection, for its reason.
        if self.state.get().is_exchanging() || stream.is_closed() {
            return;
        }
        if let Some(exchange) = self.current.take() {
            self.release_and_go_on(stream, exchange);
        }
    }

    /// After the last response, the server does not wait for the end of a body that nobody reads.
    #[cold]
    fn leave_unwanted_rest(&self) {
        if self.is_last() && self.current().is_some_and(|exchange| !exchange.is_read()) {
            self.on(Event::ContentLeft);
        }
    }

    /// Releases an exchange that is over. Then the connection is free for the next one, or closes.
    fn release_and_go_on(&self, stream: &Rc<Stream>, exchange: Rc<Exchange>) {
        let reason = exchange.outgoing().break_reason().unwrap_or(CloseReason::Finished);
        self.release(stream, exchange, reason);
        let now = stream.cx().lp.now();
        self.since.set(now);
        stream.need_due(now + self.server.limits.keep_alive());
        // The server may have been closed since the head of this response was sent.
        if self.state.get().is_idle() && self.server.is_closing() {
            self.on(Event::Last);
        }
        if self.reading() == Reading::Closed {
            stream.finish(CloseReason::Finished, Some(self.server.limits.all().linger()));
        } else if stream.held() > 0 {
            // The held bytes may be requests that waited behind this one. (Within `data` no bytes are held: `consume` goes
            // on with them.)
            stream.ask_for_turn();
        }
    }

    /// Closes a connection whose last request was answered, unless bytes of a further request have come: that request is
    /// refused first.
    pub(super) fn finish_if_spent(&self, stream: &Rc<Stream>) {
        let state = self.state.get();
        if state.persistence() == Persistence::Spent && state.is_idle() {
            self.on(Event::Last);
            stream.finish(CloseReason::Finished, Some(self.server.limits.all().linger()));
        }
    }

    /// Closes the connection for a reason that also ends the current exchange, if there is one. Answers to earlier requests
    /// are still sent.
    #[cold]
    pub(super) fn break_off(&self, stream: &Rc<Stream>, reason: CloseReason) {
        stream.finish(reason, Some(self.server.limits.all().linger()));
        if let Some(exchange) = self.current.take() {
            self.release(stream, exchange, reason);
        }
    }

    /// Ends an exchange: at once, or, if a listener or a handle wants to know when its output has been sent, at that time.
    fn release(&self, stream: &Rc<Stream>, exchange: Rc<Exchange>, reason: CloseReason) {
        let lp = &stream.cx().lp;
        // A handle of the exchange also shows when the output has been sent: see `Response::is_finished`.
        if !exchange.is_listened_to() && Rc::strong_count(&exchange) == 1 && !self.server.observing.is_on() {
            exchange.finish(lp, reason);
            exchange.end_companion();
            self.server.pool.recycle(exchange);
            return;
        }
        exchange.unlink();
        // A broken connection has dropped its output, which will therefore never be sent.
        let mark = if stream.has_write_failed() { u64::MAX } else { stream.bytes_written() + stream.pending() as u64 };
        self.watch(|watch| watch.finishing.push_back((mark, reason, exchange)));
        stream.tell_sent();
    }

    /// Finishes the exchanges whose output has been sent.
    pub(super) fn finish_sent(&self, stream: &Rc<Stream>) {
        loop {
            let written = stream.bytes_written();
            let next = self.watched(|watch| {
                let gone = watch.finishing.front().is_some_and(|(mark, ..)| *mark <= written);
                if gone { watch.finishing.pop_front() } else { None }
            });
            let Some((_, reason, exchange)) = next else { return };
            exchange.outgoing().set_finished(reason == CloseReason::Finished);
            self.server.finish(stream, &exchange, reason);
            self.server.pool.recycle(exchange);
        }
    }

    /// Calls the listeners for the end of a request that is whole already.
    fn tell_request_end(&self, stream: &Rc<Stream>) {
        if let Some(exchange) = self.current()
            && exchange.incoming().is_complete()
            && exchange.is_listened_to()
        {
            exchange.request_over(&stream.cx().lp);
            // The listeners may have answered.
            drop(exchange);
            self.release_if_over(stream);
        }
    }

    /// Once the answer has ended, held bytes can be processed: the rest of the body, and the requests after it. The end
    /// of the body may need no further bytes.
    fn read_on(&self, stream: &Rc<Stream>) {
        let state = self.state.get();
        if (state.reading(), state.writing()) != (Reading::Body, Writing::Done) || !stream.is_in_use() {
            return;
        }
        let wanted = self.current().is_some_and(|exchange| !exchange.is_read() || !exchange.incoming().is_paused());
        if wanted && (stream.held() > 0 || self.is_at_end_of_body()) {
            stream.ask_for_turn();
        }
    }

    /// Returns whether all of the body has come, although its end has not been reported yet.
    fn is_at_end_of_body(&self) -> bool {
        self.reading() == Reading::Body && self.watched(|watch| watch.decoder.is_done())
    }

    /// Acts on the end of the input, or on the hint that the peer has ended its side.
    fn look_for_end(&self, stream: &Rc<Stream>) {
        if stream.held() == 0 {
            self.finish_if_spent(stream);
        }
        if !stream.is_in_use() || !stream.has_fin_hint() && !stream.is_eof() {
            return;
        }
        self.tell_peer_end(stream);
        if stream.is_in_use() {
            self.act_on_peer_end(stream);
        }
    }

    /// Tells `on_peer_end` listeners that the peer has ended its side, as far as is known.
    #[cold]
    fn tell_peer_end(&self, stream: &Rc<Stream>) {
        if let Some(exchange) = self.current()
            && exchange.tell_peer_end(&stream.cx().lp)
        {
            // The listeners may have answered.
            drop(exchange);
            self.release_if_over(stream);
        }
    }

    /// The peer has ended its side: nothing more comes after the held bytes.
    #[cold]
    fn act_on_peer_end(&self, stream: &Rc<Stream>) {
        let state = self.state.get();
        // If a part of a head is held, no more of it will come.
        let all_read = stream.held() == 0 || state.reading() == Reading::Head;
        if !stream.is_eof() || self.is_at_end_of_body() {
            self.await_answer(stream);
        } else if all_read && state.reading() != Reading::Closed {
            self.end_input(stream);
        } else if state.writing() != Writing::Done {
            self.await_answer(stream);
        }
    }

    /// Acts on the end of the input: everything that the peer has sent was read.
    fn end_input(&self, stream: &Rc<Stream>) {
        let answered = self.state.get().writing() == Writing::Done;
        let read = self.current().is_some_and(|exchange| exchange.is_read());
        match self.on(Event::InputEnded) {
            Action::Finish => stream.finish(CloseReason::Finished, None),
            // The rest of the body will not come, but nobody wanted it.
            Action::Fail if answered && !read => self.break_off(stream, CloseReason::Finished),
            Action::Fail => self.break_off(stream, CloseReason::Truncated),
            _ => self.await_answer(stream),
        }
    }

    /// The peer has ended its side. If its request is not answered yet, the answer may take as long as `Limits::half_open` says.
    #[cold]
    fn await_answer(&self, stream: &Rc<Stream>) {
        if let Some(exchange) = self.current() {
            stream.need_due(self.half_open_until(stream, &exchange, stream.cx().lp.now()));
        }
    }
}
