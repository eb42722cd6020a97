//! The server under trial.

use crate::child::Launch;
use crate::traffic::BODY;
use oneloop::http::{self, LoadShedding, Response};
use oneloop::{run, set_timeout};
use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::time::Duration;

/// The role of its process.
pub const ROLE: &str = "site";
/// The size of `/download`, in bytes: many times what the kernel takes for a peer that does not read.
pub const DOWNLOAD: usize = 8 << 20;
/// The size of `/file`, in bytes.
pub const FILE: usize = 256 * 1024;
/// How many bytes of a download are written at a time.
const PIECE: usize = 16 * 1024;
/// How long `/later` waits before it answers.
const LATER: Duration = Duration::from_millis(50);

/// Deadlines in seconds; `None` is the default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Deadlines {
    /// `Limits::header`.
    pub header: Option<u64>,
    /// `Limits::receive_window`.
    pub receive: Option<u64>,
    /// `Limits::send_window`.
    pub send: Option<u64>,
    /// `Limits::write_stall`.
    pub stall: Option<u64>,
    /// `Limits::linger_total`.
    pub linger: Option<u64>,
}

impl Deadlines {
    fn all(&mut self) -> [(&'static str, &mut Option<u64>); 5] {
        [
            ("header", &mut self.header),
            ("receive", &mut self.receive),
            ("send", &mut self.send),
            ("stall", &mut self.stall),
            ("linger", &mut self.linger),
        ]
    }

    /// The limits with these deadlines.
    pub fn limits(&self, mut limits: http::Limits) -> http::Limits {
        let set = |limit: &mut Duration, seconds: Option<u64>| {
            if let Some(seconds) = seconds {
                *limit = Duration::from_secs(seconds);
            }
        };
        set(&mut limits.header, self.header);
        set(&mut limits.receive_window, self.receive);
        set(&mut limits.send_window, self.send);
        set(&mut limits.write_stall, self.stall);
        set(&mut limits.linger_total, self.linger);
        limits
    }
}

/// How to start the server.
pub fn launch(mut deadlines: Deadlines) -> io::Result<Launch> {
    let mut launch = Launch::own(ROLE)?.env("RUST_LOG", "error");
    for (name, seconds) in deadlines.all() {
        if let Some(seconds) = seconds {
            launch = launch.arg(format!("{name}={seconds}"));
        }
    }
    Ok(launch)
}

/// The main function of the server's process. It runs until it is ended.
pub fn main(args: &[String]) -> io::Result<()> {
    let mut deadlines = Deadlines::default();
    for arg in args {
        let (name, seconds) = arg.split_once('=').ok_or_else(|| io::Error::other(format!("{arg}?")))?;
        let known = deadlines.all().into_iter().find(|(other, _)| *other == name);
        *known.ok_or_else(|| io::Error::other(format!("{arg}?")))?.1 = seconds.parse().ok();
    }
    let server = http::create_server(|req, res| match req.path() {
        "/download" => download(res, DOWNLOAD),
        "/file" => download(res, FILE),
        "/upload" => {
            let sum = Rc::new(Cell::new(0));
            let total = sum.clone();
            req.on_data(move |_, bytes| sum.set(sum.get() + bytes.len()));
            req.on_end(move |_| res.end(format!("{} bytes\n", total.get())));
        }
        "/later" => {
            set_timeout(LATER, move || res.end(BODY));
        }
        _ => res.end(BODY),
    });
    server.set_limits(deadlines.limits(server.limits()));
    // Far above any delay of the trials: load shedding is on, and must cost nobody an answer.
    server.set_load_shedding(LoadShedding::new(Duration::from_secs(5)));
    let listening = server.clone();
    server.listen(("0.0.0.0", 0), move || {
        let port = listening.address().and_then(|address| address.port()).unwrap_or(0);
        println!("site listening on http://127.0.0.1:{port}");
    })?;
    run()
}

fn download(res: Response, bytes: usize) {
    res.set_header("Content-Length", bytes.to_string());
    let left = Rc::new(Cell::new(bytes));
    let go_on = move |res: &Response| {
        while left.get() > 0 {
            left.set(left.get() - PIECE);
            if left.get() == 0 {
                res.end(&[b'x'; PIECE][..]);
            } else if res.write(&[b'x'; PIECE][..]) != oneloop::net::Flow::Ready {
                return;
            }
        }
    };
    // The response that the listener keeps is not dropped, so it does not answer by itself before the download goes on.
    let (kept, drained) = (res.clone(), go_on.clone());
    res.on_drain(move |_| drained(&kept));
    go_on(&res);
}
