//! The server that all clients ask: one thread on mio that answers each read with one canned response. A client has one request under way
//! on a connection, and a request fits into a read.

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use oneloop_benches::child;
use slab::Slab;
use std::io::{self, ErrorKind, Read, Write};
use std::net::Ipv4Addr;
use std::process::ExitCode;

/// The role of the server's process.
pub const SERVE: &str = "serve";
/// The body of the response.
pub const BODY: &str = "Hello from one loop\n";
/// The whole response: that of `examples/hello`.
pub const ANSWER: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\n\
    Date: Mon, 30 Nov 2026 00:00:00 GMT\r\nContent-Length: 20\r\n\r\nHello from one loop\n";

const LISTENER: Token = Token(usize::MAX);

/// The main function of the process.
pub fn main() -> ExitCode {
    child::end_with_parent();
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("canned: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve() -> io::Result<()> {
    let mut poll = Poll::new()?;
    let mut listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0).into())?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    println!("listening on http://127.0.0.1:{}", listener.local_addr()?.port());
    let (mut connections, mut events) = (Slab::<TcpStream>::new(), Events::with_capacity(1024));
    let mut landing = vec![0; 64 * 1024];
    loop {
        match poll.poll(&mut events, None) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            other => other?,
        }
        for event in &events {
            if event.token() == LISTENER {
                while let Ok((mut stream, _)) = listener.accept() {
                    stream.set_nodelay(true)?;
                    let slot = connections.vacant_entry();
                    poll.registry().register(&mut stream, Token(slot.key()), Interest::READABLE)?;
                    slot.insert(stream);
                }
            } else if let Some(stream) = connections.get_mut(event.token().0)
                && !answer(stream, &mut landing)
            {
                connections.remove(event.token().0);
            }
        }
    }
}

/// Returns whether the connection stays open.
fn answer(stream: &mut TcpStream, landing: &mut [u8]) -> bool {
    match stream.read(landing) {
        Ok(0) => false,
        Ok(count) if landing[..count].ends_with(b"\r\n\r\n") => {
            stream.write(ANSWER.as_bytes()).is_ok_and(|written| written == ANSWER.len())
        }
        Ok(_) => {
            eprintln!("canned: a request came in parts");
            false
        }
        Err(error) => error.kind() == ErrorKind::WouldBlock,
    }
}
