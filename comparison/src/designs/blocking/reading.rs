//! Requests: heads and bodies from the socket.

use super::{Connection, Desk, End, Step};
use oneloop::proto::h1::{
    BodyDecoder, BodyEvent, BodyLimits, Fields, Framing, HeadLimits, Parsed, encode_informational,
};
use std::time::Instant;

impl Desk {
    /// Reads the next head, if all of it is in the buffer.
    pub fn parse(&mut self, connection: &mut Connection) -> Step<bool> {
        let (bytes, fields) = (self.limits.head_bytes, self.limits.fields);
        let limits = HeadLimits { bytes, fields, target: bytes, require_host: true };
        let unread = &self.input[self.unread.clone()];
        if unread.is_empty() {
            return Ok(false);
        }
        let parsed = connection.parser.parse(unread, &limits, &mut self.request.head);
        let Parsed::Complete { len } = parsed? else {
            return Ok(false);
        };
        self.unread.start += len;
        self.request.body = BodyDecoder::new(self.request.head.framing());
        (connection.fresh, connection.begun) = (false, false);
        Ok(true)
    }

    /// Waits for the next head.
    pub fn await_head(&mut self, connection: &mut Connection) -> Step<()> {
        while !self.parse(connection)? {
            self.flush(connection)?;
            let first = if connection.fresh { self.limits.header } else { self.limits.keep_alive };
            if self.unread.is_empty() {
                connection.set_patience(first)?;
            } else {
                let now = Instant::now();
                connection.begin_head(now, self.limits.header);
                if connection.is_due(now) {
                    return Err(End::LATE);
                }
                connection.set_patience(connection.due - now)?;
            }
            if self.read(connection)? == 0 && self.unread.is_empty() {
                return Err(End::Closed);
            }
        }
        Ok(())
    }

    /// Returns whether all of the request that is being served has come.
    pub fn is_whole(&self) -> bool {
        let body = &self.request.body;
        let has_length = matches!(self.request.head.framing(), Framing::Length(_));
        body.is_done() || has_length && body.remaining() <= self.unread.len() as u64
    }

    /// Reads the body, piece by piece.
    pub fn read_body(&mut self, connection: &mut Connection, mut take: impl FnMut(&[u8]) -> Step<()>) -> Step<()> {
        if self.request.head.expects_continue() && !self.request.body.is_done() {
            // Neither the status nor the fields can be refused.
            let _ = encode_informational(&mut self.output, 100, &[]);
        }
        let (extensions, trailers) = (self.limits.extensions as u64, self.limits.trailers);
        let limits = BodyLimits { extensions, trailers, ..BodyLimits::default() };
        let mut fields = Fields::new();
        let began = Instant::now();
        let (mut window, mut received) = (began, 0);
        loop {
            let unread = &self.input[self.unread.clone()];
            let step = self.request.body.decode(unread, &limits, &mut fields)?;
            self.unread.start += step.consumed;
            match step.event {
                BodyEvent::Data(data) => {
                    take(data)?;
                    continue;
                }
                BodyEvent::End => return Ok(()),
                BodyEvent::NeedMore => self.flush(connection)?,
            }
            self.make_room_for_body();
            connection.set_patience(self.limits.receive_window)?;
            received += self.read(connection)? as u64;
            let now = Instant::now();
            let over = now - window;
            if over >= self.limits.receive_window {
                if (received as f64) < over.as_secs_f64() * f64::from(self.limits.receive_rate) {
                    return Err(End::LATE);
                }
                (window, received) = (now, 0);
            }
            if now - began >= self.limits.request {
                return Err(End::LATE);
            }
        }
    }
}
