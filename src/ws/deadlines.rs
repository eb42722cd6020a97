//! The deadlines of a socket: how long it waits for its peer. `Protocol::due` calls the checks of this file.

use super::connection::{Connection, Part, State};
use super::limits::Limits;
use crate::event_loop::Time;
use crate::net::{CloseReason, SendLimits, Stream, too_slow};
use crate::proto::ws::{Opcode, Role, status};
use std::rc::Rc;

impl Limits {
    pub(super) fn sending(&self) -> SendLimits {
        SendLimits { stall: self.write_stall, rate: self.send_rate, window: self.send_window }
    }
}

impl Connection {
    /// Checks all deadlines of the peer, and asks for the next check.
    pub fn check_deadlines(&self, stream: &Rc<Stream>) {
        let now = stream.cx().lp.seen_until();
        let limits = self.endpoint.limits();
        let output = match self.if_rare(|rare| rare.watch.check(stream, &limits.sending(), now)) {
            Some(Err(reason)) => return stream.destroy(reason),
            Some(Ok(next)) => next,
            None => Time::MAX,
        };
        let next = match self.state.get() {
            // Nothing is taken from the peer.
            State::Open if self.paused.get() || self.is_inflating() => Some(now + Time::from(limits.ping)),
            State::Open => {
                self.check_message(stream, &limits, now).map(|next| next.min(self.heartbeat(stream, &limits, now)))
            }
            State::Closing => self.check_closing(stream, now, CloseReason::CloseTimeout),
            State::Refused => self.check_refused(stream, now),
            State::Over => self.check_closing(stream, now, self.why()),
            State::Opening | State::Closed => None,
        };
        let next = next.unwrap_or(Time::MAX).min(output);
        if next < Time::MAX && !stream.is_closed() {
            stream.need_due(next);
        }
    }

    /// Notes that the bytes that have come contain no further whole frame, and whether they end within a frame or within a
    /// message. `told`: frames were passed to listeners since the last note; `message`: at least one of them was a message.
    pub fn note_part(&self, stream: &Stream, told: bool, message: bool, within_frame: bool, within_message: bool) {
        if !within_frame && !within_message {
            return drop(self.part.take());
        }
        let mut part = self.part();
        let now = stream.cx().lp.now();
        if !within_message {
            part.message_began = Time::MAX;
        } else if message || part.message_began == Time::MAX {
            part.message_began = now;
            stream.need_due(now + Time::from(self.endpoint.limits.borrow().message_time));
        }
        if !within_frame {
            part.window = (Time::MAX, 0);
        } else if told || part.window.0 == Time::MAX {
            part.window = (now, stream.bytes_read());
            stream.need_due(now + Time::from(self.endpoint.limits.borrow().receive_window));
        }
        self.set_part(part);
    }

    fn part(&self) -> Part {
        let part = self.part.take();
        let copy = part.as_deref().copied().unwrap_or_default();
        self.part.set(part);
        copy
    }

    fn set_part(&self, part: Part) {
        let memory = self.part.take();
        if part != Part::default() {
            let mut memory = memory.unwrap_or_default();
            *memory = part;
            self.part.set(Some(memory));
        }
    }

    /// Restarts all measurements after a pause, since nothing was read from the peer meanwhile.
    pub fn begin_anew(&self, stream: &Stream) {
        let now = stream.cx().lp.now();
        self.heard.set(now);
        let mut part = self.part();
        if part.message_began < Time::MAX {
            part.message_began = now;
        }
        if part.window.0 < Time::MAX {
            part.window = (now, stream.bytes_read());
        }
        self.set_part(part);
    }

    /// Returns the next deadline of a message that has come in part. `None` if one has passed: then the socket closes.
    fn check_message(&self, stream: &Rc<Stream>, limits: &Limits, now: Time) -> Option<Time> {
        let part = self.part();
        let whole = part.message_began + Time::from(limits.message_time);
        if now >= whole {
            self.fail(stream, status::POLICY, "the message did not come in time", CloseReason::SlowReceive);
            return None;
        }
        let (began, before) = part.window;
        let end = began + Time::from(limits.receive_window);
        if now < end {
            return Some(whole.min(end));
        }
        let read = stream.bytes_read();
        let slow = too_slow(read - before, limits.receive_rate, now - began);
        if slow && !stream.cx().lp.was_away_since(began) {
            self.fail(stream, status::POLICY, "the frame came too slowly", CloseReason::SlowReceive);
            return None;
        }
        self.set_part(Part { window: (now, read), ..part });
        Some(whole.min(now + Time::from(limits.receive_window)))
    }

    /// The time at which a ping is sent if nothing comes from the peer until then.
    pub fn ping_at(&self, limits: &Limits) -> Time {
        let every = Time::from(limits.ping);
        let slot = match (self.role, self.stream.get()) {
            // The sockets of a program that are clients have an endpoint each, and so all the same place.
            (Role::Client, Some(stream)) => stream.token().number(),
            _ => self.place.get(),
        };
        let more = Time::from_nanos(every.nanos() / 5 / SPREAD * (slot as u64 % SPREAD));
        self.heard.get() + every + more
    }

    /// Sends a ping if the peer was silent, and closes the connection if it was silent after that. Returns the time of the next
    /// check.
    fn heartbeat(&self, stream: &Rc<Stream>, limits: &Limits, now: Time) -> Time {
        let pong = Time::from(limits.pong);
        let pinged = self.pinged.get();
        if pinged > self.heard.get() {
            if stream.pending() > 0 {
                // The ping is behind the pending output, so the peer cannot answer it yet.
                self.pinged.set(now.max(pinged));
            } else if now >= pinged + pong {
                stream.destroy(CloseReason::PingTimeout);
                return Time::MAX;
            }
            return self.pinged.get() + pong;
        }
        let due = self.ping_at(limits);
        if now < due {
            return due;
        }
        self.write_control(stream, Opcode::Ping, b"");
        self.pinged.set(stream.cx().lp.now());
        self.pinged.get() + pong
    }

    /// The time until which the peer must have answered or ended. `None` if it has passed: then the connection is closed.
    fn check_closing(&self, stream: &Rc<Stream>, now: Time, why: CloseReason) -> Option<Time> {
        let until = self.if_rare(|rare| rare.ending.as_ref().map(|ending| ending.until)).flatten()?;
        if now >= until {
            stream.destroy(why);
            return None;
        }
        Some(until)
    }
}

/// The number of groups of sockets that are pinged at different times. The times are spread over a fifth of `Limits::ping`.
const SPREAD: u64 = 16;
