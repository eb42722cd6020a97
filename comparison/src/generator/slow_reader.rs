//! Clients that read a large answer at 10 bytes a second. oneloop's sockets read as much as is there, so that these are
//! plain ones, on a thread that sleeps nearly all the time.

use super::{Plan, Request};
use socket2::{Domain, Socket, Type};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

/// Between two bytes.
const BYTE_EVERY: Duration = Duration::from_millis(100);
/// What is asked for, in bytes: more than all buffers on the way hold.
const DOWNLOAD: usize = 64 * 1024 * 1024;
/// The kernel's receive buffer, in bytes: small, so that the server feels the slowness at once.
const RECEIVE_BUFFER: usize = 4 * 1024;
/// How long a connection may take.
const LIMIT: Duration = Duration::from_secs(1);

/// The thread with its clients; they end when it is dropped.
pub struct SlowReaders {
    over: Arc<AtomicBool>,
    open: Arc<AtomicUsize>,
    wanted: usize,
}

impl SlowReaders {
    pub fn start(plan: &Plan) -> SlowReaders {
        let (over, open) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let (port, wanted) = (plan.port, plan.peers.slow_readers);
        if wanted > 0 {
            let (over, open) = (over.clone(), open.clone());
            thread::spawn(move || read_slowly(port, wanted, &over, &open));
        }
        SlowReaders { over, open, wanted }
    }

    /// Returns whether all connections are open.
    pub fn set_up(&self) -> bool {
        self.connections() == self.wanted
    }

    /// Those that are open.
    pub fn connections(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }
}

impl Drop for SlowReaders {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}

fn read_slowly(port: u16, wanted: usize, over: &AtomicBool, open: &AtomicUsize) {
    let request = Request::get(&format!("/download?bytes={DOWNLOAD}")).bytes(port, false);
    let mut streams: Vec<TcpStream> = Vec::new();
    while !over.load(Ordering::Relaxed) {
        while streams.len() < wanted {
            match connect(port, &request) {
                Ok(stream) => streams.push(stream),
                Err(_) => break,
            }
        }
        open.store(streams.len(), Ordering::Relaxed);
        thread::sleep(BYTE_EVERY);
        streams.retain_mut(|stream| match stream.read(&mut [0]) {
            Ok(count) => count > 0,
            Err(error) => error.kind() == ErrorKind::WouldBlock,
        });
    }
}

fn connect(port: u16, request: &[u8]) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
    socket.connect_timeout(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into(), LIMIT)?;
    let mut stream = TcpStream::from(socket);
    stream.write_all(request)?;
    stream.set_nonblocking(true)?;
    Ok(stream)
}
