//! Lets the library's WebSocket client be judged by a fuzzing server of the Autobahn test suite. Try: `kosoku -m fuzzingserver 127.0.0.1:9001` (from PyPI), then `cargo run --release --features deflate --example ws_autobahn -- ws://127.0.0.1:9001`
//!
//! It asks how many cases there are, opens a socket for each and sends back every message as it comes, and at the end has the server write
//! its reports. The second argument is how many cases go on at a time: 1, if there is none.

use oneloop::ws::{self, Connect, Message, WebSocket};
use std::cell::Cell;
use std::rc::Rc;

struct Run {
    url: String,
    cases: Cell<u32>,
    /// How many cases were begun, and how many are over.
    begun: Cell<u32>,
    over: Cell<u32>,
}

fn main() -> std::io::Result<()> {
    env_logger::init();
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next().unwrap_or_else(|| "ws://localhost:9001".to_owned());
    let at_once = arguments.next().and_then(|number| number.parse().ok()).unwrap_or(1);
    let run = Rc::new(Run { url, cases: Cell::new(0), begun: Cell::new(0), over: Cell::new(0) });
    let counting = open(&run, "/getCaseCount");
    let told = run.clone();
    counting.on_message(move |_, message| {
        if let Message::Text(number) = message {
            told.cases.set(number.parse().unwrap_or(0));
        }
    });
    let told = run.clone();
    counting.on_close(move |_, _| (0..at_once).for_each(|_| next_case(&told)));
    oneloop::run()?;
    if run.cases.get() == 0 || run.over.get() < run.cases.get() {
        return Err(std::io::Error::other("the server has not let all cases be run"));
    }
    Ok(())
}

fn next_case(run: &Rc<Run>) {
    let number = run.begun.get() + 1;
    if number > run.cases.get() {
        return;
    }
    run.begun.set(number);
    let socket = open(run, &format!("/runCase?case={number}&agent=oneloop"));
    socket.on_message(|socket, message| {
        if socket.send(message).is_full() {
            socket.pause();
        }
    });
    socket.on_drain(|socket| socket.resume());
    let run = run.clone();
    socket.on_close(move |_, _| {
        run.over.set(run.over.get() + 1);
        if run.over.get() == run.cases.get() {
            open(&run, "/updateReports?agent=oneloop");
        }
        next_case(&run);
    });
}

fn open(run: &Run, path: &str) -> WebSocket {
    let mut limits = ws::Limits::default();
    limits.message = 16 * 1024 * 1024;
    let to = Connect::to(format!("{}{path}", run.url)).limits(limits);
    #[cfg(feature = "deflate")]
    let to = to.compress(ws::Deflate::new());
    let socket = ws::connect(to, |_| ());
    socket.on_error(|_, error| log::error!("{error}"));
    socket
}
