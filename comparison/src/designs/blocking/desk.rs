//! A thread's buffers, and the bytes that come into them.

use super::super::handlers::Work;
use super::sending::Date;
use super::{Connection, End, Step};
use oneloop::http::Limits;
use oneloop::proto::h1::{BodyDecoder, Framing, IncomingRequest, OutgoingResponse};
use std::io::{self, ErrorKind, Read};
use std::ops::Range;
use std::time::Instant;

/// What is read of a body at a time, at least: more would not make it noticeably faster.
const BODY_INPUT: usize = 16 * 1024;

/// What a thread brings to the connection that it serves: buffers, so that connections without a thread need none.
pub struct Desk {
    pub(super) limits: Limits,
    /// The request that is served.
    pub request: Request,
    pub(super) response: OutgoingResponse,
    /// Answers that were not sent yet.
    pub(super) output: Vec<u8>,
    pub(super) date: Date,
    /// Close after this answer, since others wait for the thread.
    pub last: bool,
    pub(super) input: Vec<u8>,
    /// What of it is not used up.
    pub(super) unread: Range<usize>,
}

/// A request whose head is here.
pub struct Request {
    pub head: IncomingRequest,
    pub(super) body: BodyDecoder,
}

impl Default for Request {
    fn default() -> Request {
        Request { head: IncomingRequest::new(), body: BodyDecoder::new(Framing::None) }
    }
}

impl Desk {
    /// Buffers for `input` bytes at a time; a longer head makes that more.
    pub fn new(limits: &Limits, input: usize) -> Desk {
        Desk {
            limits: limits.clone(),
            request: Request::default(),
            response: OutgoingResponse::new(),
            output: Vec::new(),
            date: Default::default(),
            last: false,
            input: vec![0; input],
            unread: 0..0,
        }
    }

    /// Returns whether it holds bytes that no request has used.
    pub fn has_input(&self) -> bool {
        !self.unread.is_empty()
    }

    /// Reads what is there, or waits for it as long as the socket's timeout says; 0 where nothing came in that time. The
    /// peer's end of input is an end of the connection: all that it asked for was answered.
    pub(super) fn read(&mut self, connection: &mut Connection) -> Step<usize> {
        self.make_room();
        loop {
            match (&connection.stream).read(&mut self.input[self.unread.end..]) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                read => return self.took(read),
            }
        }
    }

    /// The same without waiting.
    #[cfg(unix)]
    pub fn read_ready(&mut self, connection: &mut Connection) -> Step<usize> {
        self.make_room();
        let flags = rustix::net::RecvFlags::DONTWAIT;
        let read = rustix::net::recv(&connection.stream, &mut self.input[self.unread.end..], flags);
        self.took(read.map(|(count, _)| count).map_err(Into::into))
    }

    fn took(&mut self, read: io::Result<usize>) -> Step<usize> {
        match read {
            Ok(0) => Err(End::Closed),
            Ok(count) => {
                self.unread.end += count;
                Ok(count)
            }
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock | ErrorKind::TimedOut => Ok(0),
                _ => Err(End::Closed),
            },
        }
    }

    /// All of the buffer, for what is read to be forgotten.
    pub(super) fn whole_input(&mut self) -> &mut [u8] {
        self.unread = 0..0;
        &mut self.input
    }

    /// Forgets what was left of a connection that has ended.
    pub(super) fn leave(&mut self) {
        self.unread = 0..0;
        self.output.clear();
        self.last = false;
    }

    /// What the request asks for.
    pub fn work(&self) -> Work {
        let head = &self.request.head;
        Work::of(head.method(), head.path(), head.query())
    }

    /// Moves what is unread to the front. A head that fills the buffer gets more of it; its limit is the codec's.
    fn make_room(&mut self) {
        if self.unread.is_empty() {
            self.unread = 0..0;
        } else if self.unread.end == self.input.len() {
            self.input.copy_within(self.unread.clone(), 0);
            self.unread = 0..self.unread.len();
        }
        if self.unread.end == self.input.len() {
            self.input.resize(self.input.len() * 2, 0);
        }
    }

    /// A body is to come: reads larger pieces from now on.
    pub(super) fn make_room_for_body(&mut self) {
        if self.input.len() < BODY_INPUT {
            self.input.resize(BODY_INPUT, 0);
        }
    }

    /// Takes over what the connection kept of its next head.
    pub fn take_up(&mut self, connection: &mut Connection) {
        let held = std::mem::take(&mut connection.held);
        if held.len() > self.input.len() {
            self.input.resize(held.len(), 0);
        }
        self.input[..held.len()].copy_from_slice(&held);
        self.unread = 0..held.len();
    }

    /// Leaves the connection, which keeps the beginning of its next head, and notes until when more has to come.
    pub fn put_down(&mut self, connection: &mut Connection) {
        let now = Instant::now();
        if self.has_input() {
            connection.held.extend_from_slice(&self.input[self.unread.clone()]);
            connection.begin_head(now, self.limits.header);
        } else if !connection.fresh {
            connection.due = now + self.limits.keep_alive;
        }
        self.unread = 0..0;
    }
}
