//! The ceiling: what the kernel leaves possible. One thread on mio reads once per readable event, counts blank lines and
//! writes that many canned answers. It parses nothing, has no deadlines and no clock, and does not know what it is asked;
//! no server can do less.

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use oneloop_benches::traffic::BlankLines;
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

const LISTENER: Token = Token(usize::MAX);
/// As large as oneloop's landing area: a read is never cut short by it in these cases.
const LANDING: usize = 64 * 1024;
/// More blank lines of four bytes cannot end in one read.
const MOST_ANSWERS: usize = LANDING / 4 + 1;

struct Connection {
    stream: TcpStream,
    /// For [`BlankLines::count`].
    begun: usize,
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
    let blank_lines = BlankLines::default();
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
            if !turn(connection, &mut landing, &canned, &blank_lines) {
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
            slot.insert(Connection { stream, begun: 0 });
        }
    }
}

/// One readable event: one read, one write. Says whether the connection lives on; one that does not take its answers at
/// once does not, since nothing is kept here. The generators always do.
fn turn(connection: &mut Connection, landing: &mut [u8], canned: &[u8], blank_lines: &BlankLines) -> bool {
    loop {
        let bytes = match connection.stream.read(landing) {
            Ok(0) => return false,
            Ok(n) => &landing[..n],
            Err(error) => return error.kind() == ErrorKind::WouldBlock,
        };
        let length = blank_lines.count(&mut connection.begun, bytes) * ANSWER.len();
        if length > 0 && !connection.stream.write(&canned[..length]).is_ok_and(|n| n == length) {
            return false;
        }
        // A short read has emptied the socket; asking again would be a call more than needed.
        if bytes.len() < landing.len() {
            return true;
        }
    }
}
