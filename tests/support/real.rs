//! A server over real sockets, on this thread, and its clients on another.

use oneloop::event_loop::{PanicPolicy, metrics, set_panic_policy};
use oneloop::http::{self, Answer, Limits, Request, Response, Server};
use std::cell::RefCell;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::Duration;

/// What nobody waits for on any machine: a test that takes so long hangs.
const PATIENCE: Duration = Duration::from_secs(60);

thread_local! {
    static SERVER: RefCell<Option<Server>> = const { RefCell::new(None) };
}

/// The server that `real` runs on this thread, for its handlers and for what clients post.
pub fn server() -> Server {
    SERVER.with_borrow(Clone::clone).expect("no server runs")
}

/// How often connections were closed for which reason.
type Closes = Vec<(&'static str, u64)>;

/// Runs a server until its clients are done and all connections are gone. Gives back what the clients say, and why
/// connections were closed.
pub fn real<T: Send + 'static, R: Answer>(
    limits: impl FnOnce(&mut Limits),
    handler: impl FnMut(Request, Response) -> R + 'static,
    clients: impl FnOnce(Clients) -> T + Send + 'static,
) -> (T, Closes) {
    set_panic_policy(PanicPolicy::Resume);
    let before = metrics().closes;
    let server = http::create_server(handler);
    let mut ours = server.limits();
    limits(&mut ours);
    server.set_limits(ours);
    server.listen(("127.0.0.1", 0), || ()).unwrap();
    SERVER.set(Some(server.clone()));
    let address = server.address().unwrap().to_string().parse().unwrap();
    let remote = oneloop::remote();
    let watchdog = oneloop::set_timeout(PATIENCE, || panic!("the clients still wait"));
    let clients = thread::spawn(move || {
        let result = clients(Clients(address, remote.clone()));
        remote.post(oneloop::stop).ok();
        result
    });
    oneloop::run().unwrap();
    let result = clients.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    while server.connections() > 0 {
        oneloop::run_once().unwrap();
    }
    watchdog.clear();
    server.close(oneloop::stop);
    SERVER.set(None);
    drop(server);
    oneloop::run().unwrap();
    let earlier = |name| before.iter().find(|(other, _)| *other == name).map_or(0, |(_, count)| *count);
    let closes = metrics().closes.into_iter().map(|(name, count)| (name, count - earlier(name)));
    (result, closes.filter(|(_, count)| *count > 0).collect())
}

/// What the clients of a server know of it.
#[derive(Clone)]
pub struct Clients(SocketAddr, oneloop::Remote);

impl Clients {
    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.0).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// A connection on which these bytes were sent.
    pub fn send(&self, bytes: impl AsRef<[u8]>) -> TcpStream {
        let mut stream = self.connect();
        stream.write_all(bytes.as_ref()).unwrap();
        stream
    }

    /// All that comes back for these bytes.
    pub fn ask(&self, bytes: impl AsRef<[u8]>) -> String {
        rest(&self.send(bytes))
    }

    /// Has the server's thread do something.
    pub fn post(&self, what: impl FnOnce() + Send + 'static) {
        assert!(self.1.post(what).is_ok(), "the loop has ended");
    }
}

/// What comes until the end.
pub fn rest(mut stream: &TcpStream) -> String {
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

/// Writes until the peer has had enough of it.
pub fn write_until_cut(mut stream: &TcpStream) {
    let error = loop {
        if let Err(error) = stream.write_all(&[b'x'; 100]) {
            break error;
        }
    };
    assert!(is_cut(error.kind()), "{error}");
}

/// Reads a few bytes at a time until the peer has had enough of it.
pub fn read_until_cut(mut stream: &TcpStream) {
    loop {
        match stream.read(&mut [0; 64]) {
            Ok(0) => return,
            Ok(_) => {}
            Err(error) => {
                assert!(is_cut(error.kind()), "{error}");
                return;
            }
        }
    }
}

fn is_cut(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::ConnectionAborted)
}
