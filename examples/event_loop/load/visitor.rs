//! An ordinary client. Its requests take the server no time, so its waits are caused by others.

use oneloop::net::{self, Socket};
use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;

type Done = Box<dyn FnOnce(bool)>;

pub struct Visitor {
    target: SocketAddr,
    /// True if it keeps its connection for the next request.
    keeps: bool,
    connection: RefCell<Option<Socket>>,
    /// How many connections it has had.
    connections: Cell<u32>,
    received: RefCell<Vec<u8>>,
    /// Called with the answer.
    done: Cell<Option<Done>>,
}

impl Visitor {
    pub fn new(target: SocketAddr, keeps: bool) -> Rc<Visitor> {
        Rc::new(Visitor {
            target,
            keeps,
            connection: RefCell::default(),
            connections: Cell::new(0),
            received: RefCell::default(),
            done: Cell::new(None),
        })
    }

    /// Asks for the greeting. `done` gets whether it came. The previous answer has come by then.
    pub fn ask(self: &Rc<Self>, done: impl FnOnce(bool) + 'static) {
        self.done.set(Some(Box::new(done)));
        let kept = self.connection.take();
        let connection = kept.unwrap_or_else(|| self.connect());
        let option = if self.keeps { "keep-alive" } else { "close" };
        connection.write(format!("GET /hello HTTP/1.1\r\nHost: localhost\r\nConnection: {option}\r\n\r\n")).ignore();
        self.connection.replace(Some(connection));
    }

    /// Closes its connection. It does not come back.
    pub fn leave(&self) {
        if let Some(connection) = self.connection.take() {
            connection.end(());
        }
    }

    /// Connects. A request that is written meanwhile is sent as soon as the connection is made.
    fn connect(self: &Rc<Self>) -> Socket {
        let connection = net::connect(self.target, |_| ());
        let receiving = self.clone();
        connection.on_data(move |_, bytes| {
            receiving.received.borrow_mut().extend_from_slice(bytes);
            receiving.look();
        });
        // A connection that is not kept closes after its answer. By then the visitor may have a new one, which has another
        // number.
        let closing = self.clone();
        let number = self.connections.get() + 1;
        self.connections.set(number);
        connection.on_close(move |_, _| {
            if closing.connections.get() == number && closing.connection.take().is_some() {
                closing.answered(false);
            }
        });
        connection
    }

    fn look(&self) {
        if is_whole(&self.received.borrow()) {
            let answer = self.received.take();
            if !self.keeps {
                self.leave();
            }
            self.answered(answer.starts_with(b"HTTP/1.1 200"));
        }
    }

    fn answered(&self, well: bool) {
        if let Some(done) = self.done.take() {
            done(well);
        }
    }
}

/// Returns whether all of an answer has come. Its content has a Content-Length.
fn is_whole(answer: &[u8]) -> bool {
    let Some(head) = answer.windows(4).position(|four| four == b"\r\n\r\n") else { return false };
    let fields = String::from_utf8_lossy(&answer[..head]).to_ascii_lowercase();
    let length = fields.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
    answer.len() >= head + 4 + length.unwrap_or(0)
}
