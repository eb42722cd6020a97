//! Replays rows in every way: what comes of them must not depend on it.

use super::handler::{LATENESS, Seen, answer};
use super::table::{Handler, Row};
use crate::support::http::{PORT, Reply, listen, next_reply};
use oneloop::event_loop::{PanicPolicy, set_panic_policy};
use oneloop::http::{self, Server};
use oneloop::sim::{Peer, Sim};
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::mpsc;
use std::time::Duration;

const BEFORE: &[u8] = b"GET /before HTTP/1.1\r\nHost: good\r\n\r\n";
const LATE: &[u8] = b"GET /late HTTP/1.1\r\nHost: good\r\n\r\n";
const AFTER: &[u8] = b"GET /after HTTP/1.1\r\nHost: good\r\n\r\n";

/// Bytes up to this length are split at every place. Longer ones are full of padding: they are split near their ends,
const PLACES: usize = 300;
/// at so many places each,
const NEAR: usize = 16;
/// at so many between,
const BETWEEN: usize = 8;
/// and come in pieces of so many bytes instead of each by itself.
const PIECE: usize = 61;
/// Without [`every_split`], bytes are split at every place of so many. The first of them differs from row to row.
const STEP: usize = 8;
/// So many bytes of the good requests around a row are split as well: a line end, and a byte of what is next.
const AROUND: usize = 5;

/// The longest wait for bytes of a real socket. It ends a test that has failed; nothing waits for it otherwise.
const PATIENCE: Duration = Duration::from_secs(20);
/// After so many failures over a real socket the rest is not tried: each may have cost its patience.
const ENOUGH: usize = 3;

/// Where a row stands among other requests of its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Alone,
    BehindAGoodOne,
    /// All of the row is here before the good one is answered.
    BehindALateOne,
    BeforeAGoodOne,
}

impl Place {
    /// What follows a message that is not whole, or the peer's end, is no request of its own.
    fn all(row: &Row) -> impl Iterator<Item = Place> {
        let followed = !row.fin && !row.expected.unfinished;
        let others = [Place::Alone, Place::BehindAGoodOne, Place::BehindALateOne];
        others.into_iter().chain(followed.then_some(Place::BeforeAGoodOne))
    }

    fn bytes(self, row: &Row) -> Vec<u8> {
        match self {
            Place::Alone => row.wire.clone(),
            Place::BehindAGoodOne => [BEFORE, &row.wire].concat(),
            Place::BehindALateOne => [LATE, &row.wire].concat(),
            Place::BeforeAGoodOne => [&row.wire, AFTER].concat(),
        }
    }

    /// The path of the request before the row.
    fn before(self) -> Option<&'static str> {
        match self {
            Place::BehindAGoodOne => Some("/before"),
            Place::BehindALateOne => Some("/late"),
            Place::Alone | Place::BeforeAGoodOne => None,
        }
    }

    /// Whether a request behind the row is to be answered.
    fn after(self, row: &Row) -> bool {
        self == Place::BeforeAGoodOne && !row.expected.closes
    }
}

/// What a peer saw of a replay.
struct Replay {
    received: Vec<u8>,
    closed: bool,
    reset: bool,
    /// What the handler saw.
    seen: Vec<String>,
}

// ---- Judging

/// The responses that a row in this place causes, final and informational, by whether they answer HEAD.
fn to_heads(row: &Row, place: Place) -> Vec<bool> {
    let mut heads = vec![false; usize::from(place.before().is_some())];
    heads.extend(row.expected.informed.iter().map(|_| false));
    heads.extend(row.expected.status.map(|_| row.is_head()));
    heads.extend(row.expected.then.map(|_| false));
    heads.extend(place.after(row).then_some(false));
    heads
}

/// The responses, as many as are due and whole, and what is left behind them.
fn replies<'a>(received: &'a [u8], heads: &[bool]) -> (Vec<Reply>, &'a [u8]) {
    let (mut all, mut rest) = (Vec::new(), received);
    for &to_head in heads {
        let Some((reply, after)) = next_reply(rest, to_head) else { break };
        all.push(reply);
        rest = after;
    }
    (all, rest)
}

/// What is wrong with it.
fn judge(row: &Row, place: Place, replay: &Replay) -> Result<(), String> {
    let expected = &row.expected;
    let heads = to_heads(row, place);
    let (all, rest) = replies(&replay.received, &heads);
    if !rest.is_empty() {
        return Err(format!("{} bytes too many", rest.len()));
    }
    if all.len() < heads.len() {
        return Err(format!("{} of {} responses", all.len(), heads.len()));
    }
    if replay.reset {
        return Err("the connection was reset".to_owned());
    }
    if replay.closed != expected.closes {
        return Err(format!("closed: {}", replay.closed));
    }
    let mut rest = all.iter();
    let last = |closes: bool| closes && replay.closed;
    if let Some(path) = place.before() {
        is_good(rest.next(), &format!("GET {path} @good"))?;
    }
    for (status, reply) in expected.informed.iter().zip(&mut rest) {
        is_informational(reply, *status)?;
    }
    if let Some(status) = expected.status {
        let reply = rest.next().ok_or("no response")?;
        is_expected(row, reply, status, last(expected.announced && expected.then.is_none()))?;
    }
    if let Some(status) = expected.then {
        let reply = rest.next().ok_or("no refusal")?;
        is_well_formed(reply, false, false)?;
        if (reply.status, reply.closes()) != (status, true) {
            return Err(format!("{} where {status} and the close were due", reply.status));
        }
    }
    if place.after(row) {
        is_good(rest.next(), "GET /after @good")?;
    }
    let due = handled(row, place, &replay.seen);
    if replay.seen != due { Err(format!("the handler saw {:?}", replay.seen)) } else { Ok(()) }
}

/// What the handler has to have seen. The row's own lines are taken as they are, as many as are due: what they say is
/// compared in the response.
fn handled(row: &Row, place: Place, seen: &[String]) -> Vec<String> {
    let lines = |url: &str| [format!("called GET {url}"), format!("whole GET {url}")];
    let mut due = Vec::new();
    due.extend(place.before().map(lines).into_iter().flatten());
    let steps: &[&str] = match row.expected.handler {
        Handler::NotCalled => &[],
        Handler::Called => &["called"],
        Handler::Whole => &["called", "whole"],
    };
    for step in steps {
        let line = seen.get(due.len()).filter(|line| line.starts_with(step) && !line.ends_with("/after"));
        due.push(line.cloned().unwrap_or_else(|| format!("{step} the row's")));
    }
    if place.after(row) {
        due.extend(lines("/after"));
    }
    due
}

fn is_good(reply: Option<&Reply>, saw: &str) -> Result<(), String> {
    let reply = reply.ok_or("no response")?;
    is_well_formed(reply, false, false)?;
    if (reply.status, reply.field("saw"), reply.text().as_str()) != (200, Some(saw), "seen") {
        return Err(format!("{saw:?} was answered {reply:?}"));
    }
    // Where the row behind it closes the connection, it says so itself.
    if reply.closes() { Err(format!("the answer to {saw:?} closes")) } else { Ok(()) }
}

/// RFC 9110, 15.2 and 8.6; RFC 9112, 6.1.
fn is_informational(reply: &Reply, status: u16) -> Result<(), String> {
    let framed = ["content-length", "transfer-encoding"].iter().any(|name| reply.field(name).is_some());
    if reply.status != status || framed { Err(format!("{status} was due, and is {reply:?}")) } else { Ok(()) }
}

fn is_expected(row: &Row, reply: &Reply, status: u16, last: bool) -> Result<(), String> {
    let expected = &row.expected;
    is_well_formed(reply, row.is_head(), row.is_http10())?;
    if reply.status != status {
        return Err(format!("status {}", reply.status));
    }
    if reply.closes() != last {
        return Err(format!("closes: {}", reply.closes()));
    }
    if expected.saw.is_some() && reply.field("saw") != expected.saw {
        return Err(format!("the handler saw {:?}", reply.field("saw")));
    }
    for (name, value) in &expected.fields {
        if reply.field(name) != *value {
            return Err(format!("{name} is {:?}, not {value:?}", reply.field(name)));
        }
    }
    if expected.content.is_some_and(|content| content.as_bytes() != reply.body) {
        return Err(format!("content {:?}", reply.text()));
    }
    let trailers = reply.trailers.iter().map(|(name, value)| format!("{name}: {value}")).collect::<Vec<_>>();
    if expected.trailers.is_some_and(|expected| expected != trailers.join(", ")) {
        return Err(format!("trailers {trailers:?}"));
    }
    Ok(())
}

/// What holds of every final response of ours, whatever it answers.
fn is_well_formed(reply: &Reply, to_head: bool, http10: bool) -> Result<(), String> {
    let names = |name: &str| reply.fields.iter().filter(|(other, _)| other.eq_ignore_ascii_case(name)).count();
    let (lengths, codings) = (names("content-length"), names("transfer-encoding"));
    let bare = matches!(reply.status, 204 | 304);
    let broken = match () {
        // RFC 9110, 6.6.1 and 5.6.7: every response of an origin server with a clock, in IMF-fixdate.
        () if names("date") != 1 => "not one Date",
        () if !reply.field("date").is_some_and(is_imf_fixdate) => "a Date that is no IMF-fixdate",
        // RFC 9112, 6.2 and 6.1; RFC 9110, 8.6.
        () if lengths + codings > 1 => "framed twice",
        () if codings > 0 && http10 => "Transfer-Encoding to HTTP/1.0",
        () if reply.status == 204 && lengths + codings > 0 => "a 204 with framing",
        () if (bare || to_head) && !reply.body.is_empty() => "content where there is none",
        () if !bare && !to_head && lengths + codings == 0 && !http10 => "no framing",
        () if names("connection") > 1 => "two Connection fields",
        // RFC 9112, 5.2 and 2.2: what the reader of responses took for a line has neither CR nor LF.
        () if reply.fields.iter().any(|(_, value)| value.contains('\r') || value.contains('\n')) => "a bare CR or LF",
        () => return Ok(()),
    };
    Err(format!("{broken}: {reply:?}"))
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`, in which only digits and letters differ.
fn is_imf_fixdate(value: &str) -> bool {
    let shape = "Aaa, 00 Aaa 0000 00:00:00 GMT";
    value.len() == shape.len()
        && value.chars().zip(shape.chars()).all(|(is, due)| match due {
            'A' => is.is_ascii_alphabetic(),
            'a' => is.is_ascii_lowercase(),
            '0' => is.is_ascii_digit(),
            _ => is == due,
        })
}

/// The failures of a table, all at once; of a row in one place, the first.
#[derive(Default)]
struct Failures(Vec<String>);

impl Failures {
    fn note(&mut self, row: &Row, place: Place, how: &str, replay: &Replay) {
        let Err(what) = judge(row, place, replay) else { return };
        let which = format!("{} {:?} {:?}, {place:?}, ", row.section, row.level, row.says);
        if self.0.last().is_none_or(|last| !last.starts_with(&which)) {
            self.0.push(format!(
                "{which}{how}: {what}\n  sent {:.300}\n  got  {:.400}",
                place.bytes(row).escape_ascii().to_string(),
                replay.received.escape_ascii().to_string(),
            ));
        }
    }

    fn end(self) {
        let shown = self.0.iter().take(10).cloned().collect::<Vec<_>>().join("\n");
        assert!(self.0.is_empty(), "{} failures, among them:\n{shown}", self.0.len());
    }
}

// ---- In memory

/// Replays rows whole, a byte at a time, and in two pieces, cut at every place or at every [`STEP`]th.
pub fn replay_in_memory(rows: &[Row]) {
    let mut failures = Failures::default();
    let seen = Seen::default();
    let sim = Sim::new();
    let told = seen.clone();
    let server = listen(move |req, res| answer(&told, req, res));
    for row in rows {
        for place in Place::all(row) {
            replay_at_every_place(&sim, &seen, row, place, &mut failures);
            assert_eq!((server.connections(), server.open_exchanges().len()), (0, 0), "{}", row.says);
        }
    }
    failures.end();
}

fn replay_at_every_place(sim: &Sim, seen: &Seen, row: &Row, place: Place, failures: &mut Failures) {
    let bytes = place.bytes(row);
    // All splits at once, each on a connection of its own: each half of each arrives by itself.
    let cuts = cuts(row, place);
    let peers = cuts.iter().map(|_| sim.connect(PORT)).collect::<Vec<_>>();
    for (peer, &cut) in peers.iter().zip(&cuts) {
        peer.write(&bytes[..cut]);
    }
    sim.settle();
    for (peer, &cut) in peers.iter().zip(&cuts) {
        peer.write(&bytes[cut..]);
    }
    sim.settle();
    let slow = sim.connect(PORT);
    let piece = if bytes.len() <= PLACES { 1 } else { PIECE };
    for piece in bytes.chunks(piece) {
        slow.write(piece);
        sim.settle();
    }
    let all = || peers.iter().chain([&slow]);
    if place == Place::BehindALateOne {
        sim.advance(LATENESS);
    }
    if row.fin {
        all().for_each(Peer::finish);
        sim.settle();
    }
    if !row.wait.is_zero() {
        let early = all().any(|peer| peer.is_closed());
        assert!(!early, "{}: closed before its time", row.says);
        sim.advance(row.wait);
    }
    for (at, peer) in all().enumerate() {
        let how = match cuts.get(at) {
            Some(0) => "whole".to_owned(),
            Some(cut) => format!("in two pieces at {cut}"),
            None => format!("{piece} at a time"),
        };
        let replay = Replay {
            received: peer.take(),
            closed: (!row.fin || row.expected.closes) && peer.is_closed(),
            reset: peer.was_reset(),
            seen: seen.take(&peer.local_addr().to_string()),
        };
        failures.note(row, place, &how, &replay);
        peer.close();
    }
    sim.settle();
}

/// Where bytes are split: 0 for not at all, then in the row and around it; longer ones near their ends and at some places between. Behind a
/// late answer all bytes are held back together, so that only what is behind it counts.
fn cuts(row: &Row, place: Place) -> Vec<usize> {
    let (before, len) = (place.bytes(row).len() - row.wire.len(), row.wire.len());
    let from = if place.before().is_some() { before - AROUND } else { 1 };
    let to = if place.before().is_some() { before + len } else { len + before.min(AROUND) };
    let near = |cut: &usize| *cut - from < NEAR || to - *cut < NEAR;
    let chosen = |cut: &usize| match place {
        Place::BehindALateOne => *cut == before,
        _ if len > PLACES => near(cut) || cut.is_multiple_of(len / BETWEEN),
        _ => every_split() || (cut + row.says.len()).is_multiple_of(STEP),
    };
    [0].into_iter().chain((from..to).filter(chosen)).collect()
}

/// True for the long run, which splits rows at each place: with `EVERY_SPLIT=1` in the environment, as `.ci/run` has it.
fn every_split() -> bool {
    std::env::var_os("EVERY_SPLIT").is_some()
}

// ---- Over a real socket

/// Replays rows whole, in three pieces, and a byte at a time: in each place with [`every_split`], else where they stand alone. One server
/// on a thread of its own serves them all.
pub fn replay_over_a_socket(rows: &[Row]) {
    let seen = Seen::default();
    let (started, start) = mpsc::channel();
    let told = seen.clone();
    let serving = std::thread::spawn(move || {
        set_panic_policy(PanicPolicy::Resume);
        let server = http::create_server(move |req, res| answer(&told, req, res));
        let remote = oneloop::remote();
        let handle: Server = server.clone();
        server
            .listen(("127.0.0.1", 0), move || {
                let address = handle.address().unwrap().to_string();
                started.send((address, remote)).unwrap();
            })
            .unwrap();
        STOP.with(|stop| *stop.borrow_mut() = Some(server));
        oneloop::run().unwrap();
    });
    let (address, remote) = start.recv().unwrap();
    let address: SocketAddr = address.parse().unwrap();
    let mut failures = Failures::default();
    for row in rows.iter().filter(|row| row.wait.is_zero()) {
        for place in Place::all(row) {
            let bytes = place.bytes(row);
            let third = bytes.len().div_ceil(3);
            for (how, piece) in [("whole", bytes.len()), ("a byte at a time", 1), ("in three pieces", third)] {
                if failures.0.len() >= ENOUGH {
                    break;
                }
                if how == "a byte at a time" && place != Place::Alone && !every_split() {
                    continue;
                }
                let replay = replay_by_pieces(address, &seen, row, place, bytes.chunks(piece.max(1)));
                failures.note(row, place, &format!("{how}, over a socket"), &replay);
            }
        }
    }
    remote
        .post(|| {
            let server = STOP.with(|stop| stop.borrow_mut().take()).unwrap();
            server.close(|| ());
        })
        .unwrap_or_else(|_| panic!("the server has ended"));
    serving.join().unwrap();
    failures.end();
}

thread_local! {
    /// The server of this thread, until it is to close.
    static STOP: std::cell::RefCell<Option<Server>> = const { std::cell::RefCell::new(None) };
}

fn replay_by_pieces<'a>(
    address: SocketAddr,
    seen: &Seen,
    row: &Row,
    place: Place,
    pieces: impl Iterator<Item = &'a [u8]>,
) -> Replay {
    let mut socket = TcpStream::connect(address).unwrap();
    // So that each piece leaves by itself.
    socket.set_nodelay(true).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut replay = Replay { received: Vec::new(), closed: false, reset: false, seen: Vec::new() };
    for piece in pieces {
        if socket.write_all(piece).is_err() {
            replay.reset = true;
        }
    }
    if row.fin {
        let _ = socket.shutdown(Shutdown::Write);
    }
    let heads = to_heads(row, place);
    let mut ended_by_us = row.fin && !row.expected.closes;
    let mut buffer = [0; 4096];
    loop {
        // One that goes on is ended here, as soon as all is answered.
        if !ended_by_us && !row.expected.closes && replies(&replay.received, &heads).0.len() == heads.len() {
            ended_by_us = true;
            let _ = socket.shutdown(Shutdown::Write);
        }
        match socket.read(&mut buffer) {
            Ok(0) => {
                replay.closed = !ended_by_us;
                break;
            }
            Ok(count) => replay.received.extend_from_slice(&buffer[..count]),
            Err(error) => {
                replay.reset = error.kind() == std::io::ErrorKind::ConnectionReset;
                break;
            }
        }
    }
    replay.seen = seen.take(&socket.local_addr().unwrap().to_string());
    replay
}
