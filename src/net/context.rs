use super::large_buffers::LargeBuffers;
use super::outputs::Outputs;
use crate::event_loop::{Loop, Token};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

/// The size in bytes of the read buffer, into which streams read before the bytes are parsed. It is as large as
/// what a socket's buffer usually holds, so most reads do not fill it. On epoll and kqueue such a short read shows that
/// nothing is left, which saves a second read.
const READ_BUFFER: usize = 64 * 1024;

/// What makes the connection of a stream.
pub(super) trait Connecting {
    /// Ends the attempt: the connection was made, or the stream has closed.
    fn end(&self);
}

/// The data that all streams and acceptors of a loop share.
pub(crate) struct Context {
    pub lp: Rc<Loop>,
    /// The buffer into which streams read (see `READ_BUFFER`). A read takes it out of the cell and puts it back at the end,
    /// because user code borrows its bytes during the read.
    read_buffer: Cell<Option<Box<[u8]>>>,
    /// The output that the stream `turn_of` has written in its running turn.
    pub(super) cork: RefCell<Vec<u8>>,
    /// Outputs that no stream needs now.
    pub(super) outputs: Outputs,
    /// For messages and outputs that are large.
    pub large: LargeBuffers,
    /// The token of the stream whose turn is running.
    pub(super) turn_of: Cell<Token>,
    /// Acceptors that wait until a connection closes.
    waiting: RefCell<Vec<Token>>,
    /// For each stream that has no connection yet, the object that makes its connection, by the token of the stream. These
    /// objects are kept in the context so that streams stay small.
    pub(super) dials: RefCell<BTreeMap<Token, Rc<dyn Connecting>>>,
}

impl Context {
    /// The context of a loop, made at the first call.
    pub fn of(lp: &Rc<Loop>) -> Rc<Context> {
        lp.local(|lp| {
            Rc::new(Context {
                lp: lp.clone(),
                read_buffer: Cell::new(None),
                cork: RefCell::new(Vec::new()),
                outputs: Outputs::default(),
                large: LargeBuffers::default(),
                turn_of: Cell::new(Token::NONE),
                waiting: RefCell::default(),
                dials: RefCell::default(),
            })
        })
    }

    pub(super) fn take_read_buffer(&self) -> Box<[u8]> {
        self.read_buffer.take().unwrap_or_else(new_read_buffer)
    }

    pub(super) fn put_read_buffer(&self, buffer: Box<[u8]>) {
        if let Some(second) = self.read_buffer.replace(Some(buffer)) {
            discard_read_buffer(second);
        }
    }

    /// Has [`wake_acceptors`](Context::wake_acceptors) give this acceptor a turn.
    pub(super) fn wait_for_room(&self, acceptor: Token) {
        let mut waiting = self.waiting.borrow_mut();
        if !waiting.contains(&acceptor) {
            waiting.push(acceptor);
        }
    }

    /// Gives each acceptor that waits for a descriptor a turn, because one has become free.
    pub(super) fn wake_acceptors(&self) {
        for acceptor in self.waiting.take() {
            self.lp.make_ready(acceptor);
        }
    }

    pub(super) fn end_dial(&self, stream: Token) {
        let dial = self.dials.borrow_mut().remove(&stream);
        if let Some(dial) = dial {
            dial.end();
        }
    }
}

#[cold]
fn new_read_buffer() -> Box<[u8]> {
    vec![0; READ_BUFFER].into()
}

/// Drops the second of two read buffers. There are two if a turn ran within another turn: the outer turn had taken the buffer out
/// of `Context::read_buffer`, so the inner turn made a buffer of its own.
#[cold]
fn discard_read_buffer(buffer: Box<[u8]>) {
    drop(buffer);
}
