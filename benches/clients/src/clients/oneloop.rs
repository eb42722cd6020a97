//! The client under test, as a program has it: an agent, a callback for the response, one for its data and one for its end.

use super::{IN_FLIGHT, PATH, on_demand};
use oneloop::http::Agent;
use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::time::Duration;

struct Load {
    agent: Agent,
    url: String,
    left: Cell<usize>,
    bytes: Cell<u64>,
}

pub fn ask(port: u16) -> io::Result<()> {
    let agent = Agent::new();
    let mut limits = agent.limits();
    limits.per_host = IN_FLIGHT;
    // While the others are measured.
    limits.idle = Duration::from_secs(3600);
    limits.lifetime = Duration::from_secs(3600);
    agent.set_limits(limits);
    let url = format!("http://127.0.0.1:{port}{PATH}");
    let load = Rc::new(Load { agent, url, left: Cell::new(0), bytes: Cell::new(0) });
    on_demand(|count| {
        load.left.set(count);
        load.bytes.set(0);
        for _ in 0..IN_FLIGHT {
            load.next();
        }
        oneloop::run()?;
        Ok(load.bytes.get())
    })
}

impl Load {
    /// Makes a request, and another one when it is over.
    fn next(self: &Rc<Self>) {
        let Some(left) = self.left.get().checked_sub(1) else { return };
        self.left.set(left);
        let load = self.clone();
        self.agent.get(&self.url, move |res| {
            let counts = load.clone();
            res.on_data(move |_, bytes| counts.bytes.set(counts.bytes.get() + bytes.len() as u64));
            res.on_end(move |_| load.next());
        });
    }
}
