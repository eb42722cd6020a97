//! A client whose instructions are counted: `client PORT COUNT` makes so many requests, one after the other, on one connection, as a
//! program makes them: an agent, a callback for the response, one for its data and one for its end.

use oneloop::http::Agent;
use std::cell::Cell;
use std::process::ExitCode;
use std::rc::Rc;

struct Load {
    agent: Agent,
    url: String,
    left: Cell<u64>,
    bytes: Cell<usize>,
}

fn main() -> ExitCode {
    let numbers: Vec<u64> = std::env::args().skip(1).filter_map(|arg| arg.parse().ok()).collect();
    let &[port, count] = &numbers[..] else {
        eprintln!("usage: client PORT COUNT");
        return ExitCode::from(2);
    };
    let url = format!("http://127.0.0.1:{port}/seed-a-plant");
    let load = Rc::new(Load { agent: Agent::new(), url, left: Cell::new(count), bytes: Cell::new(0) });
    load.next();
    match oneloop::run() {
        Ok(()) if load.bytes.get() > 0 => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

impl Load {
    /// Makes a request, and another one when it is over.
    fn next(self: &Rc<Self>) {
        let Some(left) = self.left.get().checked_sub(1) else { return };
        self.left.set(left);
        let load = self.clone();
        self.agent.get(&self.url, move |res| {
            let counts = load.clone();
            res.on_data(move |_, bytes| counts.bytes.set(counts.bytes.get() + bytes.len()));
            res.on_end(move |_| load.next());
        });
    }
}
