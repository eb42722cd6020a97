//! Writing: the response of the connection's current exchange.

use super::{H1, Unfinished};
use crate::event_loop::Loop;
use crate::http::exchange::{Carrier, Exchange};
use crate::http::hot_files::HotFiles;
use crate::http::outgoing::Phase;
use crate::net::{Address, Chunk, CloseReason, FilePart, Flow, HandedOver, LARGE, Protocol, Stream};
use crate::notice;
use crate::proto::h1::connection::{Event, Persistence, Reading, Writing};
use crate::proto::h1::{self, BodyEncoder, BodyPlan, Encoding, Piece, RequestInfo, connection_field, response_framing};
use std::rc::Rc;

impl H1 {
    /// Returns whether the connection closes after this response.
    fn closes_after(&self, exchange: &Exchange, must: bool, wanted: bool) -> bool {
        let unread = self.reading() == Reading::Body && self.stays_unread(exchange);
        // Bytes after a CONNECT may be meant for the tunnel that the client does not get. They must not be read as requests.
        must || wanted
            || unread
            || exchange.head().is_connect()
            || self.server.is_closing()
            || self.is_last()
            || self.requests.get() >= self.server.max_requests.get()
    }

    /// Returns whether the rest of the body stays unread: nobody wants it, and it is too long to discard, or the peer waits for
    /// `100 Continue` before it sends the rest.
    #[cold]
    fn stays_unread(&self, exchange: &Exchange) -> bool {
        let limit = self.server.limits.all().discard as u64;
        !exchange.is_read()
            && (exchange.incoming().owes_continue() || self.watched(|watch| watch.decoder.remaining()) > limit)
    }

    /// The persistence after a response that says `Connection: close`. `Spent` if the connection had its `max_requests`: further
    /// requests that the client sent before it read this response are then answered with a refusal. Else `Ends`.
    #[cold]
    fn last_persistence(&self, exchange: &Exchange, plan: &BodyPlan) -> Persistence {
        // After content that ends with the connection, an answer to another request would be taken for a part of that content.
        let ends = !exchange.head().persistent() || plan.must_close() || exchange.head().is_connect();
        if !ends && self.requests.get() >= self.server.max_requests.get() {
            Persistence::Spent
        } else {
            Persistence::Ends
        }
    }

    /// Sends the head and `chunk`, the first part of the body; in one piece, if `chunk` is the whole body and small.
    /// `known`: the length of the body, if `chunk` is the whole body.
    fn send_first(&self, stream: &Rc<Stream>, exchange: &Exchange, chunk: Chunk<'_>, known: Option<u64>) -> Flow {
        let head = exchange.outgoing().head().borrow();
        let plan = match response_framing(&RequestInfo::from(exchange.head()), &head, known) {
            Ok(plan) => plan,
            Err(error) => {
                drop(head);
                notice::error!(target: "oneloop::http", "{exchange}: {error}; answered 500");
                exchange.answer(500, "");
                return Flow::Closed;
            }
        };
        let closing = self.closes_after(exchange, plan.must_close(), head.wants_close());
        let persistence = if closing { self.last_persistence(exchange, &plan) } else { Persistence::Persists };
        let date = self.server.date();
        let how = Encoding {
            framing: plan.framing,
            date: Some(&date),
            connection: connection_field(exchange.head().version(), exchange.head().persistent(), closing),
        };
        let mut encoder = BodyEncoder::new(plan.content());
        if encoder.is_until_close() {
            stream.begin_last_message();
        }
        if known.is_some() && chunk.len() < LARGE && encoder.take(chunk.len(), true) == Ok(Piece::Plain) {
            // The usual answer: the head and the whole content are appended to the output in one step.
            stream.encode(|out| {
                head.encode(out, &how);
                out.extend_from_slice(chunk.as_bytes());
            });
            exchange.outgoing().send_whole(chunk.len() as u64);
            self.on(Event::HeadWritten { content: false, persistence });
            return Flow::Ready;
        }
        exchange.outgoing().begin();
        self.on(Event::HeadWritten { content: true, persistence });
        self.unfinished.set(Unfinished::Content(encoder));
        stream.encode(|out| head.encode(out, &how));
        drop(head);
        self.send_more(stream, exchange, chunk, known.is_some())
    }

    fn send_more(&self, stream: &Rc<Stream>, exchange: &Exchange, chunk: Chunk<'_>, last: bool) -> Flow {
        let limit = self.server.limits.pending_output();
        let Some(piece) = self.frame(exchange, chunk.len(), last) else { return Flow::Closed };
        let flow = match piece {
            Piece::Dropped => Flow::Ready,
            Piece::Plain => stream.write(chunk, limit),
            Piece::Chunk => {
                if chunk.len() >= LARGE {
                    stream.encode(|out| h1::chunk_start(out, chunk.len()));
                    stream.write(chunk, limit).ignore();
                    stream.encode(|out| out.extend_from_slice(h1::CHUNK_END));
                } else if !chunk.is_empty() {
                    stream.encode(|out| h1::chunk(out, chunk.as_bytes()));
                }
                if last {
                    stream.encode(|out| h1::last_chunk(out, &exchange.outgoing().trailers().borrow()));
                }
                stream.write(().into(), limit)
            }
        };
        if last {
            self.end_content(stream, exchange);
        }
        flow
    }

    fn end_content(&self, stream: &Stream, exchange: &Exchange) {
        if matches!(self.unfinished.get(), Unfinished::Content(encoder) if encoder.is_until_close()) {
            stream.end_message();
        }
        exchange.outgoing().end();
        self.on(Event::ContentWritten);
    }

    /// Returns how the next bytes of the content are to be sent. `None` if they are more or fewer than was announced; then
    /// the connection is cut.
    #[inline]
    fn frame(&self, exchange: &Exchange, count: usize, last: bool) -> Option<Piece> {
        let Unfinished::Content(mut encoder) = self.unfinished.get() else { return None };
        let Ok(piece) = encoder.take(count, last) else {
            self.mismatched(exchange);
            return None;
        };
        self.unfinished.set(Unfinished::Content(encoder));
        if piece != Piece::Dropped {
            exchange.outgoing().count_content(count as u64);
        }
        Some(piece)
    }

    #[cold]
    fn mismatched(&self, exchange: &Exchange) {
        notice::error!(
            target: "oneloop::http",
            "{exchange}: the body does not match its Content-Length; the connection is closed"
        );
        exchange.outgoing().break_off(CloseReason::BadResponse);
        self.cut(exchange, CloseReason::BadResponse);
    }

    fn send_part(&self, stream: &Stream, exchange: &Exchange, part: FilePart, last: bool) -> Flow {
        if self.state.get().writing() != Writing::Body {
            return Flow::Closed;
        }
        match self.frame(exchange, part.len, last) {
            Some(Piece::Plain) => {
                let flow = stream.write_file(part);
                if last {
                    self.end_content(stream, exchange);
                }
                flow
            }
            // A response whose status allows no content is whole.
            Some(Piece::Dropped) => {
                self.end_content(stream, exchange);
                Flow::Closed
            }
            // Files are sent only with an announced length.
            Some(Piece::Chunk) | None => Flow::Closed,
        }
    }
}

#[inline]
fn after_send(stream: &Stream, exchange: &Exchange, flow: Flow) -> Flow {
    if flow.is_full() {
        exchange.outgoing().set_full();
    }
    if exchange.outgoing().phase() == Phase::Ended && !stream.is_corked() {
        stream.ask_for_turn();
    }
    flow
}

impl Carrier for H1 {
    fn send(&self, exchange: &Exchange, chunk: Chunk<'_>, last: bool) -> Flow {
        let Some(stream) = self.stream.get().filter(|stream| stream.is_in_use()) else { return Flow::Closed };
        let flow = match self.state.get().writing() {
            Writing::Head => {
                let known = last.then_some(chunk.len() as u64);
                self.send_first(stream, exchange, chunk, known)
            }
            Writing::Body => self.send_more(stream, exchange, chunk, last),
            Writing::Idle | Writing::Done | Writing::Closed => Flow::Closed,
        };
        after_send(stream, exchange, flow)
    }

    fn send_file(&self, exchange: &Exchange, part: FilePart, last: bool) -> Flow {
        self.send_head(exchange);
        let Some(stream) = self.stream.get().filter(|stream| stream.is_in_use()) else { return Flow::Closed };
        let flow = self.send_part(stream, exchange, part, last);
        after_send(stream, exchange, flow)
    }

    fn sends_files(&self, _: &Exchange) -> bool {
        self.stream.get().is_some_and(|stream| stream.sends_files())
    }

    fn send_head(&self, exchange: &Exchange) {
        if let Some(stream) = self.stream.get().filter(|stream| stream.is_in_use())
            && self.state.get().writing() == Writing::Head
        {
            self.send_first(stream, exchange, ().into(), None).ignore();
        }
    }

    fn inform(&self, _: &Exchange, status: u16, fields: &[(&str, &str)]) {
        if let Some(stream) = self.stream.get() {
            if status == 100 {
                self.restart_window(stream);
            }
            stream.encode(|out| {
                if let Err(error) = h1::encode_informational(out, status, fields) {
                    notice::error!(target: "oneloop::http", "an informational response was not sent: {error}");
                }
            });
        }
    }

    fn wake(&self, _: &Exchange) {
        if let Some(stream) = self.stream.get() {
            self.restart_window(stream);
            if !self.facts.is_in_data() {
                stream.ask_for_turn();
            }
        }
    }

    #[cfg(feature = "app")]
    fn tell_drain(&self, _: &Exchange) {
        if let Some(stream) = self.stream.get() {
            stream.tell_sent();
            stream.ask_for_turn();
        }
    }

    fn cut(&self, _: &Exchange, reason: CloseReason) {
        let Some(stream) = self.stream.get() else { return };
        if reason == CloseReason::Destroyed {
            return stream.destroy(reason);
        }
        self.on(Event::BrokenOff);
        stream.finish(reason, Some(self.server.limits.all().linger()));
        // The exchange ends when the pending output has been sent.
        stream.tell_sent();
    }

    fn is_closed(&self, _: &Exchange) -> bool {
        self.stream.get().is_none_or(|stream| stream.is_closed())
    }

    fn has_peer_ended(&self, _: &Exchange) -> bool {
        self.stream.get().is_some_and(|stream| stream.is_eof() || stream.has_fin_hint())
    }

    fn pending(&self, _: &Exchange) -> usize {
        self.stream.get().map_or(0, |stream| stream.pending())
    }

    fn hand_over(&self, exchange: &Exchange, to: Rc<dyn Protocol>) -> Option<HandedOver> {
        self.switch(exchange, to)
    }

    fn peer(&self, _: &Exchange) -> Address {
        self.stream.get().map_or(Address::Unix(None), |stream| stream.peer())
    }

    #[cfg(feature = "tls")]
    fn tls(&self) -> Option<crate::secure::Info> {
        self.stream.get().and_then(|stream| stream.tls())
    }

    #[cfg(feature = "tls")]
    fn is_secure(&self) -> bool {
        self.stream.get().is_some_and(|stream| stream.is_secure())
    }

    fn hot_files(&self) -> &Rc<HotFiles> {
        &self.server.hot_files
    }

    fn lp(&self) -> &Rc<Loop> {
        &self.server.cx.lp
    }

    fn is_closing(&self) -> bool {
        self.server.is_closing()
    }
}
