//! The same handlers on a thread pool, as most servers have it. A connection keeps its thread until it is over.

use super::handlers::{DOWNLOAD, PART, WORK, compute};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// Many for a pool: each has a stack, and the system has to switch between them.
pub const THREADS: usize = 64;
/// In bytes. The threads do little.
const STACK: usize = 128 * 1024;
/// How long a thread waits for the next bytes of a request.
const PATIENCE: Duration = Duration::from_secs(5);
/// The longest head that a request may have, in bytes.
const HEAD: usize = 4096;

/// Starts the pool. Returns the address on which it listens.
pub fn start(port: u16) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind(("127.0.0.1", port))?;
    let address = listener.local_addr()?;
    let (sender, receiver) = mpsc::channel();
    let receiver = Arc::new(Mutex::new(receiver));
    for number in 0..THREADS {
        let receiver = receiver.clone();
        let thread = thread::Builder::new().name(format!("pool {number}")).stack_size(STACK);
        thread.spawn(move || work(&receiver))?;
    }
    thread::Builder::new().name("pool accept".to_owned()).stack_size(STACK).spawn(move || {
        for stream in listener.incoming().flatten() {
            if sender.send(stream).is_err() {
                return;
            }
        }
    })?;
    Ok(address)
}

/// The work of one thread: it serves one connection after the other.
fn work(connections: &Mutex<Receiver<TcpStream>>) {
    loop {
        let next = connections.lock().unwrap_or_else(PoisonError::into_inner).recv();
        match next {
            Ok(stream) => drop(serve(stream)),
            Err(_) => return,
        }
    }
}

fn serve(mut stream: TcpStream) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    while let Some(head) = read_head(&mut stream)? {
        let path = head.split(|byte| *byte == b' ').nth(1).unwrap_or_default();
        match path {
            b"/block" => {
                compute(WORK);
                respond(&mut stream, b"computed by a thread of the pool\n")?;
            }
            b"/download" => {
                write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {DOWNLOAD}\r\n\r\n")?;
                for _ in 0..DOWNLOAD / PART.len() {
                    stream.write_all(&PART)?;
                }
            }
            _ => respond(&mut stream, b"hello\n")?,
        }
        if head.windows(CLOSE.len()).any(|line| line.eq_ignore_ascii_case(CLOSE)) {
            break;
        }
    }
    Ok(())
}

/// Sent by a client that sends no further request.
const CLOSE: &[u8] = b"\r\nConnection: close\r\n";

/// Reads a head. `None` if the client has gone or sends too much. No client here sends a request before it has the last
/// answer.
fn read_head(stream: &mut TcpStream) -> io::Result<Option<Vec<u8>>> {
    let mut head = Vec::new();
    let mut buffer = [0; 1024];
    while !head.windows(4).any(|four| four == b"\r\n\r\n") {
        let count = stream.read(&mut buffer)?;
        if count == 0 || head.len() > HEAD {
            return Ok(None);
        }
        head.extend_from_slice(&buffer[..count]);
    }
    Ok(Some(head))
}

fn respond(stream: &mut TcpStream, body: &[u8]) -> io::Result<()> {
    let mut out = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len()).into_bytes();
    out.extend_from_slice(body);
    stream.write_all(&out)
}
