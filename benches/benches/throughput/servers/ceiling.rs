//! The ceiling: the most that the kernel allows. One thread on mio reads once per readable event, counts blank lines and
//! writes that many canned answers. It parses nothing, has no deadlines and no clock, and does not know what was asked; no
//! server can do less.
//!
//! With [`Httparse`] it is the ceiling for servers that parse with httparse, as oneloop does except for the request line:
//! it looks at every byte of each request, and does nothing with the result.

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use oneloop_benches::traffic::BlankLines;
use slab::Slab;
use std::hint::black_box;
use std::io::{self, ErrorKind, Read, Write};
use std::mem::MaybeUninit;
use std::net::Ipv4Addr;

/// The answer of `examples/hello`, byte for byte except for the date.
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\n\
    Content-Type: text/plain; charset=utf-8\r\n\
    Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n\
    Content-Length: 20\r\n\
    \r\n\
    Hello from one loop\n";

const LISTENER: Token = Token(usize::MAX);
/// As large as oneloop's read buffer: no read is cut short by it in these cases.
const LANDING: usize = 64 * 1024;
/// No more blank lines of four bytes can end in one read.
const MOST_ANSWERS: usize = LANDING / 4 + 1;

/// A way to find out how many answers are due.
pub trait Look: Default {
    /// The part of the input that a connection has to keep.
    type Kept: Default;

    /// How many requests end in `bytes`. `None` if these are no requests.
    fn count(&self, kept: &mut Self::Kept, bytes: &[u8]) -> Option<usize>;
}

impl Look for BlankLines {
    type Kept = usize;

    fn count(&self, begun: &mut usize, bytes: &[u8]) -> Option<usize> {
        Some(self.count(begun, bytes))
    }
}

/// Parses each request.
#[derive(Default)]
pub struct Httparse;

impl Look for Httparse {
    /// The beginning of a request that has not come whole.
    type Kept = Vec<u8>;

    fn count(&self, kept: &mut Vec<u8>, bytes: &[u8]) -> Option<usize> {
        if kept.is_empty() {
            let (count, rest) = parse(bytes)?;
            kept.extend_from_slice(rest);
            return Some(count);
        }
        kept.extend_from_slice(bytes);
        let (count, rest) = parse(kept)?;
        let parsed = kept.len() - rest.len();
        kept.drain(..parsed);
        Some(count)
    }
}

/// How many whole requests without content there are, and what follows them.
fn parse(mut bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut count = 0;
    while !bytes.is_empty() {
        // As many fields as oneloop accepts.
        let mut fields = [const { MaybeUninit::uninit() }; 100];
        let mut request = httparse::Request::new(&mut []);
        match request.parse_with_uninit_headers(bytes, &mut fields).ok()? {
            httparse::Status::Complete(len) => bytes = &bytes[len..],
            httparse::Status::Partial => break,
        }
        black_box(&request);
        count += 1;
    }
    Some((count, bytes))
}

struct Connection<L: Look> {
    stream: TcpStream,
    kept: L::Kept,
}

pub fn serve<L: Look>() -> io::Result<()> {
    let mut poll = Poll::new()?;
    let mut listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0).into())?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    super::announce(listener.local_addr()?.port());
    let mut connections: Slab<Connection<L>> = Slab::new();
    let mut events = Events::with_capacity(1024);
    let mut landing = vec![0; LANDING];
    let canned = ANSWER.repeat(MOST_ANSWERS);
    let look = L::default();
    loop {
        match poll.poll(&mut events, None) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            other => other?,
        }
        for event in &events {
            if event.token() == LISTENER {
                accept(&listener, &poll, &mut connections);
                continue;
            }
            let Some(connection) = connections.get_mut(event.token().0) else { continue };
            if !turn(connection, &mut landing, &canned, &look) {
                connections.remove(event.token().0);
            }
        }
    }
}

fn accept<L: Look>(listener: &TcpListener, poll: &Poll, connections: &mut Slab<Connection<L>>) {
    while let Ok((mut stream, _)) = listener.accept() {
        let _ = stream.set_nodelay(true);
        let slot = connections.vacant_entry();
        if poll.registry().register(&mut stream, Token(slot.key()), Interest::READABLE).is_ok() {
            slot.insert(Connection { stream, kept: L::Kept::default() });
        }
    }
}

/// Handles one readable event: one read, one write. Returns whether the connection stays open. It is closed if it does not
/// take its answers at once, since nothing is kept here; the generators always take them.
fn turn<L: Look>(connection: &mut Connection<L>, landing: &mut [u8], canned: &[u8], look: &L) -> bool {
    loop {
        let bytes = match connection.stream.read(landing) {
            Ok(0) => return false,
            Ok(n) => &landing[..n],
            Err(error) => return error.kind() == ErrorKind::WouldBlock,
        };
        let Some(due) = look.count(&mut connection.kept, bytes) else { return false };
        let length = due * ANSWER.len();
        if length > 0 && !connection.stream.write(&canned[..length]).is_ok_and(|n| n == length) {
            return false;
        }
        // A short read has emptied the socket; another read would be a call more than needed.
        if bytes.len() < landing.len() {
            return true;
        }
    }
}
