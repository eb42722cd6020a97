//! The server of WebSockets under trial: it sends each message back, publishes news, and counts how its sockets end.

use crate::child::Launch;
use oneloop::http::{self, Limits};
use oneloop::{run, set_interval, ws};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::io::{self, Read};
use std::net::TcpStream;
use std::rc::Rc;
use std::time::Duration;

/// The role of its process.
pub const ROLE: &str = "hall";
/// Where the sockets are. The query says of which kind a peer is; the news are for those of [`GUEST`] and [`UNREAD`].
pub const PLACE: &str = "/hall";
/// The kind of the clients that behave.
pub const GUEST: &str = "guest";
/// The kind of those who never read.
pub const UNREAD: &str = "unread";
/// The news begin with this, and with a number that is one more each time.
pub const NEWS: &str = "news ";
/// How often there are news, and how many bytes they have.
const EVERY: Duration = Duration::from_millis(50);
const SIZE: usize = 4096;

/// The deadlines of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deadlines {
    /// The defaults; only a message may take 60 s instead of 300.
    Usual,
    /// A few seconds each.
    Short,
}

impl Deadlines {
    /// The limits of handshakes, and of sockets.
    pub fn limits(self, mut http: Limits, mut sockets: ws::Limits) -> (Limits, ws::Limits) {
        let seconds = Duration::from_secs;
        if self == Deadlines::Usual {
            sockets.message_time = seconds(60);
            return (http, sockets);
        }
        (http.header, http.linger_total) = (seconds(3), seconds(2));
        (sockets.ping, sockets.pong, sockets.close) = (seconds(2), seconds(4), seconds(2));
        (sockets.receive_window, sockets.message_time) = (seconds(3), seconds(5));
        (sockets.send_window, sockets.write_stall, sockets.max_pending) = (seconds(2), seconds(4), 256 * 1024);
        (http, sockets)
    }

    /// How long after its coming the last peer that does not behave must be gone.
    pub fn within(self) -> Duration {
        let (http, sockets) = self.limits(Limits::default(), ws::Limits::default());
        // Each wait, and for how long the server then reads and discards.
        [
            http.header + http.linger_total,
            sockets.ping.mul_f64(1.2) + sockets.pong,
            2 * sockets.receive_window + sockets.close,
            sockets.message_time + sockets.close,
            // The output that waits may have begun to wait for the last window when half of it was over.
            sockets.write_stall.max(2 * sockets.send_window) + sockets.send_window,
        ]
        .into_iter()
        .fold(Duration::ZERO, Duration::max)
    }
}

/// How to start the server.
pub fn launch(deadlines: Deadlines) -> io::Result<Launch> {
    let launch = Launch::own(ROLE)?.env("RUST_LOG", "error");
    Ok(if deadlines == Deadlines::Short { launch.arg("short") } else { launch })
}

/// The main function of the server's process. It runs until it is ended.
pub fn main(args: &[String]) -> io::Result<()> {
    let deadlines = if args.is_empty() { Deadlines::Usual } else { Deadlines::Short };
    let ends: Rc<RefCell<BTreeMap<String, u64>>> = Rc::default();
    let told = ends.clone();
    let server = http::create_server(move |_req, res| {
        let lines = told.borrow().iter().fold(String::new(), |mut lines, (end, count)| {
            // Writing to a String cannot fail.
            let _ = writeln!(lines, "{end} {count}");
            lines
        });
        res.end(lines);
    });
    let hall = ws::mount(&server, PLACE);
    let (of_server, of_sockets) = deadlines.limits(server.limits(), hall.limits());
    server.set_limits(of_server);
    hall.set_limits(of_sockets);
    hall.on_open(|socket, req| {
        let kind = req.query().unwrap_or_default().to_owned();
        if [GUEST, UNREAD].contains(&kind.as_str()) {
            socket.subscribe(NEWS);
        }
        socket.set_data(kind);
    });
    hall.on_message(|socket, message| socket.send(message).ignore());
    hall.on_close(move |socket, close| {
        let kind = socket.data::<String>().map_or("", |kind| kind);
        *ends.borrow_mut().entry(format!("{kind} {}", close.why)).or_default() += 1;
    });
    let mut serial = 0_u64;
    set_interval(EVERY, move || {
        serial += 1;
        hall.publish(NEWS, format!("{NEWS}{serial} {:SIZE$}", ""));
    });
    let listening = server.clone();
    server.listen(("0.0.0.0", 0), move || {
        let port = listening.address().and_then(|address| address.port()).unwrap_or(0);
        println!("hall listening on http://127.0.0.1:{port}");
    })?;
    run()
}

/// Asks the server how sockets have ended so far: the kind, the reason, and how many.
pub fn ends(port: u16) -> io::Result<Vec<(String, String, u64)>> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    io::Write::write_all(&mut stream, b"GET /ends HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (_, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
    let end = |line: &str| {
        let mut words = line.split(' ').map(str::to_owned);
        Some((words.next()?, words.next()?, words.next()?.parse().ok()?))
    };
    Ok(body.lines().filter_map(end).collect())
}
