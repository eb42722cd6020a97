//! Preconditions and ranges: a part lies within the whole, and a client is told that it has the present state only if it named it.
//!
//! The input: a line for each of `Range`, `If-None-Match`, `If-Match`, `If-Range`, `If-Modified-Since`; an empty line leaves its field out.

use oneloop::app::Selection;
use oneloop::http::{self, Request, Response};
use oneloop::sim::Sim;

const NAMES: [&str; 5] = ["Range", "If-None-Match", "If-Match", "If-Range", "If-Modified-Since"];
const LENGTHS: [u64; 5] = [0, 1, 10, 1 << 40, u64::MAX];
const TAG: &str = "\"here\"";

pub fn holds(bytes: &[u8]) {
    // One line of each field may stand in a head: the heads are the business of others.
    let is_plain = |byte: u8| byte == b'\t' || (b' '..=b'~').contains(&byte) || byte >= 0x80;
    let lines = bytes.split(|&byte| byte == b'\n').map(|line| line.iter().copied().filter(|&byte| is_plain(byte)));
    let values: Vec<Vec<u8>> =
        lines.take(NAMES.len()).map(|line| line.collect::<Vec<_>>().trim_ascii().to_vec()).collect();
    let sim = Sim::new();
    let server = http::create_server(check);
    server.listen(80, ()).expect("a world has each port");
    let first = says(&sim, &values, b"");
    // Whoever names the present state first has it, whatever follows.
    let named = says(&sim, &values, format!("{TAG}, ").as_bytes());
    assert!(named == "fresh" || values.get(2).is_some_and(|if_match| !if_match.is_empty()), "{named}");
    let asks = |at: usize| values.get(at).is_some_and(|value| !value.is_empty());
    assert!(first != "fresh" || asks(1) || asks(4), "nothing was named");
}

/// What the server says of a request with these fields, `before` being put before the tags that the client names.
fn says(sim: &Sim, values: &[Vec<u8>], before: &[u8]) -> String {
    let mut head = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n".to_vec();
    for (at, name) in NAMES.iter().enumerate() {
        let value = values.get(at).map(Vec::as_slice).unwrap_or_default();
        let value = if at == 1 { [before, value].concat() } else { value.to_vec() };
        if !value.is_empty() {
            head.extend([name.as_bytes(), b": ", &value, b"\r\n"].concat());
        }
    }
    head.extend(b"\r\n");
    let peer = sim.connect(80);
    peer.write(head);
    sim.settle();
    let received = peer.text();
    assert!(received.starts_with("HTTP/1.1 200 "), "{received}");
    received.rsplit("\r\n\r\n").next().unwrap_or_default().to_owned()
}

fn check(req: Request, res: Response) {
    for length in LENGTHS {
        match req.range(length) {
            Selection::Part { first, last } => assert!(first <= last && last < length, "{first} to {last} of {length}"),
            Selection::Unsatisfiable => assert!(length > 0 && req.header_bytes("Range").is_some()),
            Selection::Whole => {}
        }
    }
    res.set_header("ETag", TAG);
    let holds = if req.preconditions_hold() { "" } else { "not " };
    let is_fresh = req.is_fresh();
    assert!(!is_fresh || holds.is_empty() || req.header_bytes("If-Match").is_none());
    res.end(if is_fresh { "fresh" } else { "stale" });
}
