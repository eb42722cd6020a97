//! The ceiling: what the kernel leaves possible. One thread on mio reads once per readable event, counts blank lines and
//! writes that many canned answers. It parses nothing, has no deadlines and no clock, and does not know what it is asked;
//! no server can do less.

use memchr::memmem;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use slab::Slab;
use std::io::{self, ErrorKind, Read, Write};
use std::net::Ipv4Addr;

/// What `examples/hello` answers, byte for byte but for the date.
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\n\
    Content-Type: text/plain; charset=utf-8\r\n\
    Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n\
    Content-Length: 20\r\n\
    \r\n\
    Hello from one loop\n";

const BLANK_LINE: &[u8] = b"\r\n\r\n";
const LISTENER: Token = Token(usize::MAX);
/// As large as oneloop's landing area: a read is never cut short by it in these cases.
const LANDING: usize = 64 * 1024;
/// More blank lines cannot be in one read.
const MOST_ANSWERS: usize = LANDING / BLANK_LINE.len() + 1;

struct Connection {
    stream: TcpStream,
    /// How many bytes of a blank line the last read ended with.
    matched: usize,
}

pub fn serve() -> io::Result<()> {
    let mut poll = Poll::new()?;
    let mut listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0).into())?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    super::announce(listener.local_addr()?.port());
    let mut connections: Slab<Connection> = Slab::new();
    let mut events = Events::with_capacity(1024);
    let mut landing = vec![0; LANDING];
    let canned = ANSWER.repeat(MOST_ANSWERS);
    let blank_line = memmem::Finder::new(BLANK_LINE);
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
            if !turn(connection, &mut landing, &canned, &blank_line) {
                connections.remove(event.token().0);
            }
        }
    }
}

fn accept(listener: &TcpListener, poll: &Poll, connections: &mut Slab<Connection>) {
    while let Ok((mut stream, _)) = listener.accept() {
        let _ = stream.set_nodelay(true);
        let slot = connections.vacant_entry();
        if poll.registry().register(&mut stream, Token(slot.key()), Interest::READABLE).is_ok() {
            slot.insert(Connection { stream, matched: 0 });
        }
    }
}

/// One readable event: one read, one write. Says whether the connection lives on; one that does not take its answers at
/// once does not, since nothing is kept here. The generators always do.
fn turn(connection: &mut Connection, landing: &mut [u8], canned: &[u8], blank_line: &memmem::Finder) -> bool {
    loop {
        let bytes = match connection.stream.read(landing) {
            Ok(0) => return false,
            Ok(n) => &landing[..n],
            Err(error) => return error.kind() == ErrorKind::WouldBlock,
        };
        let length = answers(&mut connection.matched, bytes, blank_line) * ANSWER.len();
        if length > 0 && !connection.stream.write(&canned[..length]).is_ok_and(|n| n == length) {
            return false;
        }
        // A short read has emptied the socket; asking again would be a call more than needed.
        if bytes.len() < landing.len() {
            return true;
        }
    }
}

/// Counts the blank lines that end in `bytes`, one that began in the read before included.
fn answers(matched: &mut usize, bytes: &[u8], blank_line: &memmem::Finder) -> usize {
    let begun = std::mem::take(matched);
    let finished = usize::from(begun > 0 && bytes.starts_with(&BLANK_LINE[begun..]));
    *matched = (1..BLANK_LINE.len()).rev().find(|n| bytes.ends_with(&BLANK_LINE[..*n])).unwrap_or(0);
    finished + blank_line.find_iter(bytes).count()
}
