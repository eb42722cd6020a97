//! What the tests of `net` share: a record of what happened, a server in one line, and a real loop that cannot hang.

use oneloop::event_loop::{PanicPolicy, set_panic_policy};
use oneloop::net::{self, CloseReason, Server, Socket};
use std::cell::{Cell, RefCell};
use std::fmt::Display;
use std::rc::Rc;
use std::time::Duration;

pub const MS: Duration = Duration::from_millis(1);
pub const SECOND: Duration = Duration::from_secs(1);

/// What happened, in order.
#[derive(Clone, Default)]
pub struct Record(Rc<RefCell<Vec<String>>>);

impl Record {
    pub fn add(&self, what: impl Display) {
        self.0.borrow_mut().push(what.to_string());
    }

    pub fn all(&self) -> Vec<String> {
        self.0.borrow().clone()
    }

    pub fn take(&self) -> Vec<String> {
        self.0.take()
    }

    pub fn count(&self, what: &str) -> usize {
        self.0.borrow().iter().filter(|entry| *entry == what).count()
    }

    pub fn has(&self, what: &str) -> bool {
        self.count(what) > 0
    }

    /// Records each event of a socket; data as text.
    pub fn watch(&self, socket: &Socket) {
        self.watch_all_but_data(socket);
        let record = self.clone();
        socket.on_data(move |_, bytes| record.add(format!("data {}", String::from_utf8_lossy(bytes))));
    }

    pub fn watch_all_but_data(&self, socket: &Socket) {
        let record = self.clone();
        socket.on_end(move |_| record.add("end"));
        let record = self.clone();
        socket.on_drain(move |_| record.add("drain"));
        let record = self.clone();
        socket.on_timeout(move |_| record.add("timeout"));
        let record = self.clone();
        socket.on_error(move |_, error| record.add(format!("error {:?}", error.kind())));
        let record = self.clone();
        socket.on_close(move |_, reason| record.add(format!("close {reason}")));
    }
}

/// A server that listens on a port.
pub fn serve(port: u16, on_connection: impl FnMut(Socket) + 'static) -> Server {
    let server = net::create_server(on_connection);
    server.listen(port, || ()).unwrap();
    server
}

/// The sockets that a server was given.
pub type Sockets = Rc<RefCell<Vec<Socket>>>;

/// A server on a port of the simulated world that keeps its sockets.
pub fn serve_and_keep(port: u16) -> (Server, Sockets) {
    let sockets = Sockets::default();
    let kept = sockets.clone();
    let server = serve(port, move |socket| kept.borrow_mut().push(socket));
    (server, sockets)
}

pub fn nth(sockets: &Sockets, number: usize) -> Socket {
    sockets.borrow()[number].clone()
}

/// A place for what a callback learned.
pub fn slot<T: Copy>() -> Rc<Cell<Option<T>>> {
    Rc::new(Cell::new(None))
}

pub fn reason_of(socket: &Socket) -> Rc<Cell<Option<CloseReason>>> {
    let place = slot();
    let told = place.clone();
    socket.on_close(move |_, reason| {
        assert_eq!(told.replace(Some(reason)), None, "on_close came twice");
    });
    place
}

/// Runs this thread's real loop until nothing is left. One that hangs fails the test.
pub fn run_real() {
    set_panic_policy(PanicPolicy::Resume);
    let watchdog = oneloop::set_timeout(Duration::from_secs(60), || panic!("the loop still waits after a minute"));
    watchdog.unref();
    oneloop::run().unwrap();
    watchdog.clear();
}
