//! Clients with TLS, on oneloop. Each asks for a name of its own, so that none resumes a session of another: each handshake is a full
//! one. They take any certificate, which saves their time, not the server's.

use oneloop::net::{self, Socket};
use oneloop::tls::Client;
use oneloop::{set_timeout, stdin};
use oneloop_benches::child::{self, Launch};
use oneloop_benches::figures::Latencies;
use oneloop_benches::traffic;
use oneloop_benches::trial::numbers;
use oneloop_benches::trial::polite::Outcome;
use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// Clients that shake hands and leave, again and again: PORT CLIENTS MILLISECONDS.
pub const SHAKE: &str = "shake";
/// Connections that each ask once, and stay: PORT CONNECTIONS.
pub const HOLD: &str = "hold";
/// Clients whose latency is measured: PORT CLIENTS INTERVAL_MS.
pub const ACTIVE: &str = "active";
/// Clients that all come at once, when they are told to: PORT CLIENTS.
pub const BURST: &str = "burst";

const REQUEST: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
/// How many of [`HOLD`] come at a time.
const AT_A_TIME: u64 = 32;

/// How to start one of the roles.
pub fn launch(role: &str, args: &[u64], pin: &[String]) -> io::Result<Launch> {
    Ok(args.iter().fold(Launch::own(role)?, |launch, arg| launch.arg(arg.to_string())).under(pin))
}

/// Connects clients to one server, one after another.
struct Clients {
    port: u16,
    settings: Client,
    number: Cell<u64>,
}

impl Clients {
    fn of(port: u64) -> io::Result<Clients> {
        let settings = Client::builder().dangerous_accept_any().build()?;
        Ok(Clients { port: port as u16, settings, number: Cell::new(0) })
    }

    /// Connects the next one. `secure` is called when its handshake is over.
    fn connect(&self, secure: impl FnOnce(&Socket) + 'static) -> Socket {
        self.number.set(self.number.get() + 1);
        let (settings, name) = (self.settings.clone(), format!("n{}.example", self.number.get()));
        let socket = net::connect(("127.0.0.1", self.port), move |socket| {
            if let Err(error) = socket.start_tls((&settings, &*name)) {
                eprintln!("{error}");
            }
        });
        socket.on_secure(move |socket| {
            assert!(socket.tls().is_some_and(|tls| !tls.is_resumed()), "a session goes on");
            secure(socket);
        });
        socket.on_error(|_, error| eprintln!("{error}"));
        socket
    }
}

// ---- Shaking hands

#[derive(Default)]
struct Count {
    done: Cell<u64>,
    failed: Cell<u64>,
    over: Cell<bool>,
}

/// Prints how many handshakes there were, and how many failed.
pub fn shake(args: &[String]) -> io::Result<()> {
    let [port, at_a_time, time] = numbers::<3>(args)?;
    child::end_with_parent();
    let (clients, count) = (Rc::new(Clients::of(port)?), Rc::new(Count::default()));
    for _ in 0..at_a_time {
        come_and_go(&clients, &count);
    }
    let ending = count.clone();
    set_timeout(Duration::from_millis(time), move || ending.over.set(true));
    oneloop::run()?;
    println!("{} {}", count.done.get(), count.failed.get());
    Ok(())
}

fn come_and_go(clients: &Rc<Clients>, count: &Rc<Count>) {
    let secure = Rc::new(Cell::new(false));
    let was_secure = secure.clone();
    let socket = clients.connect(move |socket| {
        secure.set(true);
        socket.destroy();
    });
    let (clients, count) = (clients.clone(), count.clone());
    socket.on_close(move |_, _| {
        let counted = if was_secure.get() { &count.done } else { &count.failed };
        counted.set(counted.get() + 1);
        if !count.over.get() {
            come_and_go(&clients, &count);
        }
    });
}

// ---- Staying

/// Prints "ready" when all connections have their answer, and keeps them until the parent wants it to end.
pub fn hold(args: &[String]) -> io::Result<()> {
    let [port, connections] = numbers::<2>(args)?;
    child::end_with_parent();
    let (clients, answered) = (Rc::new(Clients::of(port)?), Rc::new(Cell::new(0)));
    for _ in 0..AT_A_TIME.min(connections) {
        stay(&clients, &answered, connections);
    }
    oneloop::run()
}

fn stay(clients: &Rc<Clients>, answered: &Rc<Cell<u64>>, wanted: u64) {
    let (others, count) = (clients.clone(), answered.clone());
    let socket = clients.connect(|socket| socket.write(REQUEST).ignore());
    socket.on_data(move |_, bytes| {
        assert!(bytes.starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(bytes));
        count.set(count.get() + 1);
        if others.number.get() < wanted {
            stay(&others, &count, wanted);
        } else if count.get() == wanted {
            println!("ready");
        }
    });
    socket.on_close(|_, reason| panic!("an idle connection was closed: {reason}"));
}

// ---- Asking, and being measured

struct Asking {
    interval: Duration,
    latencies: RefCell<Latencies>,
    answered: Cell<u64>,
    failed: Cell<u64>,
}

/// For each line of its input prints the outcome since the last one, as [`outcome`] reads it.
pub fn active(args: &[String]) -> io::Result<()> {
    let [port, count, interval] = numbers::<3>(args)?;
    let clients = Clients::of(port)?;
    let asking = Rc::new(Asking {
        interval: Duration::from_millis(interval),
        latencies: RefCell::default(),
        answered: Cell::new(0),
        failed: Cell::new(0),
    });
    for number in 0..count {
        let me = asking.clone();
        // Spread over the interval, so that they do not all ask at once.
        let offset = asking.interval.mul_f64(number as f64 / count as f64);
        let due = Rc::new(Cell::new(Instant::now()));
        let (first, answered) = (due.clone(), asking.clone());
        let socket = clients.connect(move |socket| me.ask_after(offset, socket, first));
        let unread = RefCell::new(Vec::new());
        socket.on_data(move |socket, bytes| answered.clone().take(socket, bytes, &unread, &due));
        let closed = asking.clone();
        socket.on_close(move |_, _| closed.failed.set(closed.failed.get() + 1));
    }
    stdin::lines(move |_| asking.tell(), oneloop::stop);
    oneloop::run()
}

impl Asking {
    fn ask_after(self: Rc<Self>, wait: Duration, socket: &Socket, due: Rc<Cell<Instant>>) {
        let socket = socket.clone();
        let ask = move || {
            due.set(Instant::now());
            socket.write(REQUEST).ignore();
        };
        if wait.is_zero() { ask() } else { _ = set_timeout(wait, ask) }
    }

    fn take(self: Rc<Self>, socket: &Socket, bytes: &[u8], unread: &RefCell<Vec<u8>>, due: &Rc<Cell<Instant>>) {
        unread.borrow_mut().extend_from_slice(bytes);
        let whole = traffic::answer(&unread.borrow());
        match whole {
            Ok(None) => return,
            Ok(Some(answer)) if answer.status == 200 => _ = unread.borrow_mut().drain(..answer.length),
            _ => return socket.destroy(),
        }
        let now = Instant::now();
        self.latencies.borrow_mut().add(now.duration_since(due.get()).as_micros() as u64, 1);
        self.answered.set(self.answered.get() + 1);
        // If an answer comes after the next request was due, that request is late from its due time on.
        let next = due.get() + self.interval;
        if next > now {
            self.ask_after(next - now, socket, due.clone());
        } else {
            due.set(if self.interval.is_zero() { now } else { next });
            socket.write(REQUEST).ignore();
        }
    }

    fn tell(&self) {
        let latencies = self.latencies.take();
        let milliseconds = |share: f64| latencies.percentile(share) / 1000.0;
        let [p50, p99, max] = [0.5, 0.99, 1.0].map(milliseconds);
        println!("{} {} {p50} {p99} {max}", self.answered.take(), self.failed.take());
    }
}

/// Reads what [`active`] prints.
pub fn outcome(line: &str) -> io::Result<Outcome> {
    oneloop_benches::trial::polite::parse(line)
}

// ---- Coming all at once

/// Prints "ready"; at a line of its input all clients connect, and when all handshakes are over it prints how many milliseconds
/// they took.
pub fn burst(args: &[String]) -> io::Result<()> {
    let [port, count] = numbers::<2>(args)?;
    let clients = Clients::of(port)?;
    let come = move |_| {
        let (began, secure) = (Instant::now(), Rc::new(Cell::new(0)));
        for _ in 0..count {
            let secure = secure.clone();
            let socket = clients.connect(move |_| {
                secure.set(secure.get() + 1);
                if secure.get() == count {
                    println!("{}", began.elapsed().as_millis());
                }
            });
            socket.on_data(|_, _| ());
        }
    };
    stdin::lines(come, oneloop::stop);
    println!("ready");
    oneloop::run()
}
