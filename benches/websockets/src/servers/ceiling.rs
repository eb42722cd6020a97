//! The ceiling: one thread on mio that knows how long a frame is. Once per event it reads, divides what has come by that length, and
//! writes that many canned frames: it looks at no byte, keeps no deadline and does not know what was asked. Messages that do not fit into
//! its landing are copied into one buffer as they come, and written back from there: a plain copy, neither unmasked nor checked.

use super::announce;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use oneloop_benches::websocket::{self, PUBLISH, SUBSCRIBE};
use slab::Slab;
use std::io::{self, ErrorKind, Read, Write};
use std::net::Ipv4Addr;

const LISTENER: Token = Token(usize::MAX);
/// As large as oneloop's read buffer.
const LANDING: usize = 64 * 1024;
/// The answer to the key of `oneloop_benches::websocket`, which is that of RFC 6455, 1.3.
const OPENED: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

/// How many bytes the head of a large message has on its way to the client.
const HEAD: usize = 10;

struct Connection {
    stream: TcpStream,
    /// The request has come, and what it was for.
    place: Option<Place>,
    /// How many bytes of a frame have come.
    begun: usize,
    /// A large message: what has come of it, and then what is left to be written.
    message: Vec<u8>,
    written: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Echo,
    Subscribe,
    Publish,
}

struct Ceiling {
    connections: Slab<Connection>,
    landing: Vec<u8>,
    /// How long a frame is when it comes, and when it goes.
    comes: usize,
    goes: usize,
    /// Frames that go, one behind the other.
    canned: Vec<u8>,
}

pub fn serve(length: usize, text: bool) -> io::Result<()> {
    let content = websocket::content(length);
    let (comes, frame) = (websocket::sent(text, &content).len(), websocket::answered(text, &content));
    let goes = frame.len();
    let canned = frame.repeat(LANDING / comes + 2);
    let mut ceiling = Ceiling { connections: Slab::new(), landing: vec![0; LANDING], comes, goes, canned };
    let mut poll = Poll::new()?;
    let mut listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0).into())?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    announce(listener.local_addr()?.port());
    let mut events = Events::with_capacity(1024);
    loop {
        match poll.poll(&mut events, None) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            other => other?,
        }
        for event in &events {
            let key = event.token().0;
            if event.token() == LISTENER {
                ceiling.accept(&listener, &poll)?;
            } else if ceiling.connections.contains(key) && !ceiling.turn(key) {
                ceiling.connections.remove(key);
            }
        }
    }
}

impl Ceiling {
    fn accept(&mut self, listener: &TcpListener, poll: &Poll) -> io::Result<()> {
        while let Ok((mut stream, _)) = listener.accept() {
            stream.set_nodelay(true)?;
            let slot = self.connections.vacant_entry();
            // Only large messages are written in parts.
            let interest =
                if self.comes > LANDING { Interest::READABLE | Interest::WRITABLE } else { Interest::READABLE };
            poll.registry().register(&mut stream, Token(slot.key()), interest)?;
            slot.insert(Connection { stream, place: None, begun: 0, message: Vec::new(), written: 0 });
        }
        Ok(())
    }

    /// Handles one event. Returns whether the connection stays open.
    fn turn(&mut self, key: usize) -> bool {
        let Some(connection) = self.connections.get_mut(key) else { return false };
        if connection.place.is_none() {
            return connection.open(&mut self.landing);
        }
        if self.comes > LANDING {
            return connection.copy(&mut self.landing, self.comes, &self.canned[..self.goes]);
        }
        let bytes = match connection.stream.read(&mut self.landing) {
            Ok(0) => return false,
            Ok(count) => count,
            Err(error) => return error.kind() == ErrorKind::WouldBlock,
        };
        let due = (connection.begun + bytes) / self.comes;
        connection.begun = (connection.begun + bytes) % self.comes;
        let answer = &self.canned[..due * self.goes];
        if connection.place == Some(Place::Publish) {
            let subscribers = self.connections.iter_mut().filter(|(_, other)| other.place == Some(Place::Subscribe));
            return subscribers.fold(true, |all, (_, other)| all & other.write(answer));
        }
        answer.is_empty() || connection.write(answer)
    }
}

impl Connection {
    /// Reads the request, which comes in one piece, and answers it.
    fn open(&mut self, landing: &mut [u8]) -> bool {
        let count = match self.stream.read(landing) {
            Ok(0) => return false,
            Ok(count) => count,
            Err(error) => return error.kind() == ErrorKind::WouldBlock,
        };
        let request = String::from_utf8_lossy(&landing[..count]);
        self.place = Some(match request.split(' ').nth(1) {
            Some(SUBSCRIBE) => Place::Subscribe,
            Some(PUBLISH) => Place::Publish,
            _ => Place::Echo,
        });
        self.write(OPENED)
    }

    /// Writes all at once. The peers always take it.
    fn write(&mut self, bytes: &[u8]) -> bool {
        self.stream.write(bytes).is_ok_and(|count| count == bytes.len())
    }

    /// Copies what has come into the message and, when this is whole, writes it back behind the head of `answer`.
    fn copy(&mut self, landing: &mut [u8], comes: usize, answer: &[u8]) -> bool {
        loop {
            if self.message.len() < comes {
                match self.stream.read(landing) {
                    Ok(0) => return false,
                    Ok(count) => {
                        self.message.reserve_exact(comes - self.message.len());
                        self.message.extend_from_slice(&landing[..count]);
                    }
                    Err(error) => return error.kind() == ErrorKind::WouldBlock,
                }
                if self.message.len() < comes {
                    continue;
                }
                // The head that goes is shorter than the one that came: it has no mask. What follows is sent as it came.
                let head = comes - answer.len();
                self.message[head..head + HEAD].copy_from_slice(&answer[..HEAD]);
                self.written = head;
            }
            match self.stream.write(&self.message[self.written..]) {
                Ok(count) => self.written += count,
                Err(error) => return error.kind() == ErrorKind::WouldBlock,
            }
            if self.written == self.message.len() {
                self.message = Vec::new();
            }
        }
    }
}
