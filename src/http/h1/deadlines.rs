//! The deadlines of a connection: the checks behind `Protocol::due`. Every wait for the peer has an end.

use super::{CROSSING, H1, Watch};
use crate::event_loop::Time;
use crate::http::client_error::ClientError;
use crate::http::exchange::{Exchange, On};
use crate::http::limits::Limits;
use crate::http::own_answer::usual_words;
use crate::http::server_connection::ServerConnection;
use crate::net::{CloseReason, Stream, too_slow};
use crate::notice;
use crate::proto::h1::connection::Reading;
use std::rc::Rc;
use std::time::Duration;

impl H1 {
    /// Returns the next deadline of pending output. `None` if such a deadline has passed: then the connection was
    /// closed.
    pub(super) fn check_output(&self, stream: &Rc<Stream>, now: Time) -> Option<Time> {
        let limits = self.server.limits.all().sending();
        let check = |watch: &mut Watch| watch.send.check(stream, &limits, now);
        let checked =
            if stream.pending() == 0 { self.watched(|watch| Some(check(watch))) } else { Some(self.watch(check)) };
        match checked.unwrap_or(Ok(Time::MAX)) {
            Ok(next) => Some(next),
            Err(reason) => {
                stream.destroy(reason);
                None
            }
        }
    }

    /// Returns the next deadline of a request and its response. `None` if such a deadline has passed: then this method
    /// has acted on it.
    pub(super) fn check_exchange(&self, stream: &Rc<Stream>, exchange: &Rc<Exchange>, now: Time) -> Option<Time> {
        if !self.state.get().is_exchanging() {
            // The exchange is over and about to be released.
            return None;
        }
        let gone = self.half_open_until(stream, exchange, now);
        if now >= gone {
            stream.destroy(CloseReason::Disconnected);
            return None;
        }
        Some(self.check_request(stream, exchange, now)?.min(gone))
    }

    /// The time until which a peer that has ended its side may still wait: see `Limits::half_open`.
    pub(super) fn half_open_until(&self, stream: &Stream, exchange: &Exchange, now: Time) -> Time {
        let limit = self.server.limits.all().half_open;
        // While input is unread, the end of the peer's side is known only by a hint. If that input is the rest of this
        // request, the handler has paused it, and the limit of the whole request applies instead.
        let ended = stream.is_eof() || stream.has_fin_hint() && exchange.incoming().is_complete();
        if !ended || limit == Duration::MAX {
            return Time::MAX;
        }
        // Both numbers only grow, so their sum changes when either does.
        let mark = stream.bytes_written() + (stream.bytes_read() - stream.held() as u64);
        let since = self.watch(|watch| match watch.half_open {
            Some((since, before)) if before == mark && stream.pending() == 0 => since,
            _ => watch.half_open.insert((now, mark)).0,
        });
        since + Time::from(limit)
    }

    fn check_request(&self, stream: &Rc<Stream>, exchange: &Rc<Exchange>, now: Time) -> Option<Time> {
        let limits = self.server.limits.all().clone();
        let mut next = Time::MAX;
        if self.reading() == Reading::Body {
            let until = self.request_ends(stream, exchange, &limits);
            if now >= until {
                self.abort(stream, exchange, 408, usual_words(408), CloseReason::RequestTimeout);
                return None;
            }
            // The rate is not measured while the server is the one that does not read.
            let unwanted = !exchange.is_read() && exchange.is_answered();
            let waits_for_us = !unwanted
                && (exchange.incoming().is_paused() || exchange.incoming().owes_continue() || !exchange.has(On::Data))
                || stream.is_paused();
            let window = Time::from(limits.receive_window);
            let (lp, read) = (&stream.cx().lp, stream.bytes_read());
            let (slow, end) = self.watch(|watch| {
                let (began, mark) = *watch.receive.get_or_insert((now, read));
                let over = now >= began + window;
                if over || waits_for_us {
                    watch.receive = Some((now, read));
                }
                let slow = over
                    && !waits_for_us
                    && !lp.was_away_since(began)
                    && too_slow(read - mark, limits.receive_rate, now - began);
                (slow, if over || waits_for_us { now + window } else { began + window })
            });
            if slow {
                self.abort(stream, exchange, 408, "the content came too slowly", CloseReason::SlowReceive);
                return None;
            }
            next = until.min(end);
        }
        if let Some(response) = limits.response.filter(|_| !exchange.is_answered()) {
            let until = exchange.started() + Time::from(response);
            if now >= until {
                notice::warn!(target: "oneloop::http", "{exchange}: no response in {response:?}");
                self.abort(stream, exchange, 503, "no answer was ready in time", CloseReason::ResponseTimeout);
                return None;
            }
            next = next.min(until);
        }
        Some(next)
    }

    /// The time at which a request whose body is awaited times out, if no more of the body comes.
    fn request_ends(&self, stream: &Stream, exchange: &Exchange, limits: &Limits) -> Time {
        if limits.request_rate == 0 {
            return Time::MAX;
        }
        let ends = Time::from(limits.request);
        let came = stream.bytes_read() - self.watched(|watch| watch.before_body);
        let lasts = u128::from(came) * 1_000_000_000 / u128::from(limits.request_rate);
        exchange.started() + ends.max(Time::from_nanos(u64::try_from(lasts).unwrap_or(u64::MAX)))
    }

    pub(super) fn check_idle(&self, stream: &Rc<Stream>, now: Time) -> Option<Time> {
        let limits = self.server.limits.all().clone();
        let has_part = self.reading() == Reading::Head;
        let waits_for_head = has_part || self.requests.get() == 0;
        if !waits_for_head && stream.pending() > 0 {
            // Pending output has its own deadlines, and the connection is told when it has been sent.
            return Some(Time::MAX);
        }
        if self.facts.is_leaving() && self.requests.get() == 0 && !has_part {
            self.close_if_idle(stream);
            return stream.is_in_use().then(|| self.since.get() + CROSSING);
        }
        let until = self.since.get() + Time::from(if waits_for_head { limits.header } else { limits.keep_alive });
        if now < until {
            return Some(until);
        }
        if has_part {
            self.server.client_error(&ClientError { fault: None, status: 408, peer: stream.peer() });
            self.refuse(stream, 408, usual_words(408), CloseReason::HeaderTimeout);
        } else {
            let reason = if waits_for_head { CloseReason::HeaderTimeout } else { CloseReason::IdleTimeout };
            stream.destroy(reason);
        }
        None
    }
}
