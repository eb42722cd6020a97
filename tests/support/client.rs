//! What the tests of the client share: servers that answer by a script, and a record of how requests end.

use super::http::Record;
use oneloop::http::{self, Agent, ClientRequest, ClientResponse};
use oneloop::sim::{Listener, Peer, Sim};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

/// A server that answers by a script.
pub struct Scripted {
    pub listener: Listener,
    requests: Rc<RefCell<Vec<(usize, String)>>>,
}

impl Scripted {
    /// Calls `script` with each whole request, head and body, and the number of its connection, from 1.
    pub fn at(sim: &Sim, address: &str, script: impl FnMut(&Peer, usize, &str) + 'static) -> Scripted {
        let listener = sim.listen(address).unwrap();
        let requests = Rc::<RefCell<Vec<(usize, String)>>>::default();
        let (script, connections) = (Rc::new(RefCell::new(script)), Rc::new(Cell::new(0)));
        let all = requests.clone();
        listener.on_accept(move |peer| {
            connections.set(connections.get() + 1);
            let (number, mut came, script, all) = (connections.get(), Vec::new(), script.clone(), all.clone());
            peer.on_close(|peer| peer.close());
            peer.on_data(move |peer, bytes| {
                came.extend_from_slice(bytes);
                while let Some(length) = whole(&came) {
                    let request = String::from_utf8_lossy(&came[..length]).into_owned();
                    came.drain(..length);
                    all.borrow_mut().push((number, request.clone()));
                    (script.borrow_mut())(peer, number, &request);
                }
            });
        });
        Scripted { listener, requests }
    }

    /// The same on port 80, with the same answer to each request.
    pub fn saying(sim: &Sim, answer: &'static str) -> Scripted {
        Scripted::at(sim, "127.0.0.1:80", move |peer, _, _| peer.write(answer))
    }

    /// The number of the connection and the first line of each request so far.
    pub fn lines(&self) -> Vec<String> {
        let line = |(number, request): &(usize, String)| format!("{number}: {}", request.lines().next().unwrap_or(""));
        self.requests.borrow().iter().map(line).collect()
    }

    pub fn requests(&self) -> Vec<String> {
        self.requests.borrow().iter().map(|(_, request)| request.clone()).collect()
    }

    pub fn connections(&self) -> usize {
        self.listener.accepted().len()
    }
}

/// The length of the first request in these bytes, if it is whole.
fn whole(bytes: &[u8]) -> Option<usize> {
    let head = bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let text = String::from_utf8_lossy(&bytes[..head]).to_ascii_lowercase();
    if text.contains("transfer-encoding: chunked") {
        let end = bytes[head..].windows(5).position(|five| five == b"0\r\n\r\n")? + 5;
        return Some(head + end);
    }
    let length = text.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
    let length = head + length.unwrap_or(0);
    (bytes.len() >= length).then_some(length)
}

/// Records the response and its body, or the error, under a name; then the end.
pub fn note(record: &Record, name: &str) -> impl FnOnce(ClientResponse) + 'static {
    let (record, name) = (record.clone(), name.to_owned());
    move |res| {
        let status = res.status();
        res.read_body(1 << 24, move |body| match body {
            Ok(body) if body.len() > 100 => record.add(format!("{name}: {status} {} bytes", body.len())),
            Ok(body) => record.add(format!("{name}: {status} {}", String::from_utf8_lossy(&body))),
            Err(error) => record.add(format!("{name}: {status} {error}")),
        });
    }
}

/// Records the error under a name.
pub fn watch(record: &Record, name: &str, req: &ClientRequest) {
    let (record, name) = (record.clone(), name.to_owned());
    req.on_error(move |_, error| record.add(format!("{name}: {}", error.kind())));
}

/// Gets a URL, and records how that ends.
pub fn get(record: &Record, agent: &Agent, name: &str, url: &str) -> ClientRequest {
    let req = agent.get(url, note(record, name));
    watch(record, name, &req);
    req
}

/// Posts a body, and records how that ends.
pub fn post(record: &Record, agent: &Agent, name: &str, url: &str, body: &str) -> ClientRequest {
    let req = agent.request("POST", url, note(record, name));
    watch(record, name, &req);
    req.end(body);
    req
}

/// An agent with other limits.
pub fn agent(change: impl FnOnce(&mut http::AgentLimits)) -> Agent {
    let agent = Agent::new();
    let mut limits = agent.limits();
    change(&mut limits);
    agent.set_limits(limits);
    agent
}

/// What an agent does now: in use, idle, being made, waiting.
pub fn now(agent: &Agent) -> (usize, usize, usize, usize) {
    let hosts = agent.stats().hosts;
    let sum = |of: fn(&http::HostStats) -> usize| hosts.iter().map(of).sum();
    (sum(|host| host.active), sum(|host| host.idle), sum(|host| host.connecting), sum(|host| host.queued))
}

/// How often each line was recorded.
pub fn counted(record: &Record) -> HashMap<String, usize> {
    let mut counts = HashMap::new();
    for line in record.take() {
        *counts.entry(line).or_default() += 1;
    }
    counts
}
