//! Answers: their heads, their bodies, and what becomes of a request body that nobody has read.

use super::super::handlers::{CONTENT_TYPE, PIECE};
use super::{Connection, Desk, End, Step};
use oneloop::proto::h1::{ConnectionField, Encoding, Framing, RequestInfo, connection_field, response_framing};

/// The head of an answer was written. `body`: a body follows; the other field says whether the connection ends with this
/// answer.
struct Begun {
    body: bool,
    closes: bool,
}

impl Desk {
    /// Answers with a text.
    pub fn respond(&mut self, connection: &mut Connection, status: u16, text: &str) -> Step<()> {
        let begun = self.begin(status, text.len() as u64)?;
        if begun.body {
            self.output.extend_from_slice(text.as_bytes());
        }
        self.complete(connection, &begun)
    }

    /// Answers with so many bytes, piece by piece.
    pub fn download(&mut self, connection: &mut Connection, bytes: u64) -> Step<()> {
        let begun = self.begin(200, bytes)?;
        let mut left = if begun.body { bytes } else { 0 };
        while left > 0 {
            let piece = &PIECE[..left.min(PIECE.len() as u64) as usize];
            self.send(connection, piece)?;
            left -= piece.len() as u64;
        }
        self.complete(connection, &begun)
    }

    fn begin(&mut self, status: u16, length: u64) -> Step<Begun> {
        let head = &self.request.head;
        self.response.clear();
        // None of these can fail: the statuses are our own, the field is a literal, no length was declared.
        let _ = self.response.set_status(status);
        let _ = self.response.set("Content-Type", CONTENT_TYPE);
        let plan = response_framing(&RequestInfo::from(head), &self.response, Some(length)).map_err(|_| End::Closed)?;
        // The rest of the body is too long to be discarded, or the peer holds it back until we ask for it.
        let body = &self.request.body;
        let unread = !body.is_done() && (head.expects_continue() || body.remaining() > self.limits.discard as u64);
        let closes = plan.must_close() || unread || self.last || head.is_connect() || status == 417;
        let connection = connection_field(head.version(), head.persistent(), closes);
        let date = self.date.now();
        self.response.encode(&mut self.output, &Encoding { framing: plan.framing, date: Some(date), connection });
        Ok(Begun { body: plan.body, closes })
    }

    /// The answer is whole: sees to what is left of the request, and whether another may follow.
    fn complete(&mut self, connection: &mut Connection, begun: &Begun) -> Step<()> {
        if self.output.len() >= self.limits.pending_output {
            self.flush(connection)?;
        }
        if begun.closes {
            return Err(End::Answered(true));
        }
        if !self.request.body.is_done() {
            self.flush(connection)?;
            self.discard(connection)?;
        }
        if !self.request.head.persistent() {
            return Err(End::Answered(self.has_input()));
        }
        Ok(())
    }

    fn discard(&mut self, connection: &mut Connection) -> Step<()> {
        let (mut discarded, at_most) = (0, self.limits.discard);
        self.read_body(connection, |data| {
            discarded += data.len();
            if discarded > at_most { Err(End::Answered(true)) } else { Ok(()) }
        })
    }

    /// An answer to what is no request; then the close.
    pub(super) fn refuse(&mut self, status: u16, words: &str) {
        self.response.clear();
        // As above.
        let _ = self.response.set_status(status);
        let _ = self.response.set("Content-Type", CONTENT_TYPE);
        let text = format!("{status} {}: {words}\n", self.response.reason());
        let framing = Framing::Length(text.len() as u64);
        let date = Some(self.date.now());
        self.response.encode(&mut self.output, &Encoding { framing, date, connection: ConnectionField::Close });
        self.output.extend_from_slice(text.as_bytes());
    }
}
