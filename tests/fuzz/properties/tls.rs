//! TLS. Whatever comes in place of a peer's records, a connection ends in time, with a reason, and holds little meanwhile; and whatever
//! somebody on the way does with the bytes of two peers, what one of them gets is the beginning of what the other one has sent.
//!
//! The input: a byte for who meets whom, one for the cuts, and one for how often the bytes come; then the bytes, or what is done to those
//! of the peers.

use super::choices::{Choices, cuts};
use oneloop::event_loop::metrics;
use oneloop::net::{CloseReason, Socket};
use oneloop::sim::{Listener, Peer, Sim};
use oneloop::tls::{self, Client, Context, Roots, SelfSigned};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

const SERVER: u16 = 443;
/// Where somebody stands between the client and the server.
const BETWEEN: u16 = 4433;
const NAME: &str = "127.0.0.1";
/// By then every deadline has passed.
const LONG: Duration = Duration::from_secs(100);
/// How many iterations a connection may take. A piece is an iteration of each side, and so is each deadline.
const ITERATIONS: u64 = 200;
/// What a connection holds at most: a message of the handshake, which has 64 KiB, and the read in which it has come.
const HELD: usize = 2 * 64 * 1024;
const QUESTION: usize = 300;
const ANSWER: usize = 5_000;

thread_local! {
    static SETTINGS: (Context, Client) = {
        let made = SelfSigned::new([NAME]).unwrap();
        let roots = Roots::from_pem(made.certificate_pem()).unwrap();
        (Context::new(made.identity()).unwrap(), Client::trusting(roots).unwrap())
    };
    /// The first flight of a client.
    static HELLO: Vec<u8> = {
        let sim = Sim::new();
        let listener = sim.listen((NAME, SERVER)).unwrap();
        let _socket = tls::connect((NAME, SERVER), &client(), |_| ());
        sim.settle();
        listener.accepted()[0].take()
    };
}

fn client() -> Client {
    SETTINGS.with(|(_, client)| client.clone())
}

pub fn holds(bytes: &[u8]) {
    let (mut choices, bytes) = Choices::split(bytes, 3);
    let (who, cut, times) = (choices.byte(), choices.byte(), choices.byte());
    if who & 1 == 1 {
        return interfere(bytes, cut, who & 2 != 0);
    }
    let mut bytes = if who & 4 == 0 { bytes.to_vec() } else { in_records(bytes) };
    if times >= 128 {
        bytes = bytes.repeat(usize::from(times & 127));
    }
    if who & 8 != 0 {
        HELLO.with(|hello| drop(bytes.splice(..0, hello.iter().copied())));
    }
    let then = [Peer::finish, Peer::reset, Peer::close, |_: &Peer| ()][usize::from(who >> 4 & 3)];
    meet(&bytes, cut, who & 2 != 0, then);
}

/// Makes records: a byte says of which kind, one how long, and what follows is in it.
fn in_records(bytes: &[u8]) -> Vec<u8> {
    let mut choices = Choices::new(bytes);
    let mut records = Vec::new();
    while !choices.is_empty() {
        let kind = [22, 20, 21, 23][choices.below(4)];
        let content = choices.bytes();
        records.extend([kind, 3, 3, 0, content.len() as u8]);
        records.extend(content);
    }
    records
}

// ---- Instead of a peer

/// Sends bytes to a server, or to a client.
fn meet(bytes: &[u8], cut: u8, to_client: bool, then: fn(&Peer)) {
    let sim = Sim::new();
    let before = metrics().iterations;
    let ends = Rc::<Ends>::default();
    let _server;
    let _listener: Listener;
    if to_client {
        let (bytes, ends_of_peer) = (bytes.to_vec(), cuts(cut, bytes.len()));
        _listener = sim.listen((NAME, SERVER)).unwrap();
        _listener.on_accept(move |peer| send(peer, &bytes, &ends_of_peer, then));
        let socket = tls::connect((NAME, SERVER), &client(), |_| panic!("nobody has a certificate"));
        ends.watch(&socket);
    } else {
        let server =
            tls::create_server(SETTINGS.with(|(context, _)| context.clone()), |_| panic!("nobody has finished"));
        let told = ends.clone();
        server.on_tls_error(move |error| told.add(error.reason, &error.message));
        server.listen(SERVER, ()).unwrap();
        send(&sim.connect(SERVER), bytes, &cuts(cut, bytes.len()), then);
        _server = server;
    }
    pass(&sim);
    let ended = ends.0.borrow();
    assert!(ended.len() <= 1, "told twice: {ended:?}");
    // A peer that has connected and said nothing is none that has failed.
    assert!(to_client || bytes.is_empty() || !ended.is_empty(), "a failure that nobody was told of");
    assert!(ended.iter().all(|(_, why)| !why.is_empty()), "{ended:?}");
    let metrics = metrics();
    assert_eq!(metrics.connections, 0, "a connection is left");
    let pieces = 2 * (bytes.len() as u64 / 16_384 + 4);
    assert!(metrics.iterations - before < ITERATIONS + pieces, "{} iterations", metrics.iterations - before);
}

fn send(peer: &Peer, bytes: &[u8], ends: &[usize], then: fn(&Peer)) {
    let (mut at, mut wait) = (0, Duration::ZERO);
    for end in ends.iter().copied().chain([bytes.len()]) {
        let (piece, peer) = (bytes[at..end].to_vec(), peer.clone());
        let last = end == bytes.len();
        oneloop::set_timeout(wait, move || {
            peer.write(piece);
            if last {
                then(&peer);
            }
        });
        (at, wait) = (end, wait + Duration::from_millis(1));
    }
}

/// Lets time pass, and looks after each iteration at what connections hold.
fn pass(sim: &Sim) {
    let look = || {
        let largest = metrics().largest_buffer;
        assert!(largest <= HELD, "a connection holds {largest} bytes");
        false
    };
    sim.run_until(look, LONG);
}

/// How connections have ended, and what was said of it.
#[derive(Default)]
struct Ends(RefCell<Vec<(CloseReason, String)>>);

impl Ends {
    fn add(&self, reason: CloseReason, why: &str) {
        self.0.borrow_mut().push((reason, why.to_owned()));
    }

    /// Notes how a client's socket ends.
    fn watch(self: &Rc<Self>, socket: &Socket) {
        let (why, ends) = (Rc::new(RefCell::new(String::new())), self.clone());
        let told = why.clone();
        socket.on_error(move |_, error| *told.borrow_mut() = error.to_string());
        socket.on_data(|_, _| panic!("nobody has sent data"));
        socket.on_close(move |_, reason| ends.add(reason, &why.borrow()));
    }
}

// ---- Between two peers

/// What is done to the bytes of one side.
#[derive(Debug)]
struct Deed {
    side: usize,
    at: usize,
    does: Does,
}

#[derive(Debug)]
enum Does {
    Change(u8),
    Drop(usize),
    Insert(Vec<u8>),
    /// Sends what has come before once more.
    Repeat(usize),
    Finish,
    Reset,
}

fn deeds(bytes: &[u8]) -> Vec<Deed> {
    let mut choices = Choices::new(bytes);
    let mut deeds = Vec::new();
    while !choices.is_empty() && deeds.len() < 8 {
        let (kind, at) = (choices.byte(), usize::from(choices.byte()) << 6 | usize::from(choices.byte()) & 63);
        let does = match kind >> 1 & 7 {
            0..=2 => Does::Change(choices.byte().max(1)),
            3 => Does::Drop(1 + choices.below(256)),
            4 => Does::Insert(choices.bytes().to_vec()),
            5 => Does::Repeat(1 + choices.below(256)),
            6 => Does::Finish,
            _ => Does::Reset,
        };
        deeds.push(Deed { side: usize::from(kind & 1), at, does });
    }
    // In the order in which the bytes come.
    deeds.sort_by_key(|deed| deed.at);
    deeds
}

/// What one of the peers has got.
#[derive(Default)]
struct Got {
    bytes: RefCell<Vec<u8>>,
    /// It was told that this is all.
    whole: Cell<bool>,
    closed: RefCell<Vec<CloseReason>>,
}

impl Got {
    fn watch(self: &Rc<Self>, socket: &Socket) {
        let [data, end, close] = [self.clone(), self.clone(), self.clone()];
        socket.on_data(move |_, bytes| data.bytes.borrow_mut().extend_from_slice(bytes));
        socket.on_end(move |_| end.whole.set(true));
        socket.on_close(move |_, reason| close.closed.borrow_mut().push(reason));
    }

    /// What has come is the beginning of what was sent; and all of it, if that was said.
    fn check(&self, who: &str, sent: usize, deeds: &[Deed]) {
        let bytes = self.bytes.borrow();
        assert!(*bytes == text(sent)[..bytes.len()], "{who} got something else: {deeds:?}");
        assert!(!self.whole.get() || bytes.len() == sent, "{who} takes a part for all: {deeds:?}");
        assert!(self.closed.borrow().len() <= 1, "{who} was told twice");
    }
}

fn text(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at % 251) as u8).collect()
}

fn interfere(bytes: &[u8], cut: u8, old: bool) {
    let deeds = Rc::new(deeds(bytes));
    let sim = Rc::new(Sim::new());
    let before = metrics().iterations;
    let (of_server, of_client) = (Rc::<Got>::default(), Rc::<Got>::default());
    let got = of_server.clone();
    let server = tls::create_server(SETTINGS.with(|(context, _)| context.clone()), move |socket| {
        got.watch(&socket);
        socket.end(text(ANSWER));
    });
    server.listen(SERVER, ()).unwrap();
    let between = sim.listen((NAME, BETWEEN)).unwrap();
    let (world, all) = (Rc::downgrade(&sim), deeds.clone());
    between.on_accept(move |to_client| {
        let Some(sim) = world.upgrade() else { return };
        let to_server = sim.connect(SERVER);
        pass_on(0, to_client, &to_server, &all, cut);
        pass_on(1, &to_server, to_client, &all, cut);
    });
    // `old`: the socket asks before the handshake is over, so that its question waits.
    let socket = tls::connect((NAME, BETWEEN), &client(), move |socket| {
        if !old {
            socket.end(text(QUESTION));
        }
    });
    if old {
        socket.end(text(QUESTION));
    }
    of_client.watch(&socket);
    pass(&sim);
    of_server.check("the server", QUESTION, &deeds);
    of_client.check("the client", ANSWER, &deeds);
    if deeds.is_empty() {
        assert!(of_server.whole.get() && of_client.whole.get(), "nothing was done to it");
    }
    // What is taken out may be waited for: both have ended all the same, or wait for a peer that has gone on.
    socket.destroy();
    sim.run_until(|| false, LONG);
    assert_eq!(of_client.closed.borrow().len(), 1);
    let iterations = metrics().iterations - before;
    assert!(iterations < 2 * ITERATIONS, "{iterations} iterations: {deeds:?}");
}

/// Passes on what `from` gets, in pieces that end where the cuts of the whole do, and does the deeds of this side.
fn pass_on(side: usize, from: &Peer, to: &Peer, deeds: &Rc<Vec<Deed>>, cut: u8) {
    let (at, deeds, next) = (Cell::new(0), deeds.clone(), to.clone());
    from.on_data(move |from, bytes| {
        let began = at.replace(at.get() + bytes.len());
        let mut changed = bytes.to_vec();
        // From the last one, so that the places of the others stay.
        for deed in deeds.iter().rev().filter(|deed| deed.side == side) {
            let Some(offset) = deed.at.checked_sub(began).filter(|offset| *offset < bytes.len()) else { continue };
            match &deed.does {
                Does::Change(with) => {
                    if let Some(byte) = changed.get_mut(offset) {
                        *byte ^= with;
                    }
                }
                Does::Drop(count) => {
                    let from = offset.min(changed.len());
                    changed.drain(from..(from + count).min(changed.len()));
                }
                Does::Insert(more) => {
                    let at = offset.min(changed.len());
                    drop(changed.splice(at..at, more.iter().copied()));
                }
                Does::Repeat(count) => {
                    let at = offset.min(changed.len());
                    let again = changed[at.saturating_sub(*count)..at].to_vec();
                    drop(changed.splice(at..at, again));
                }
                Does::Finish | Does::Reset => changed.truncate(offset),
            }
            if let Does::Finish | Does::Reset = deed.does {
                next.write(&changed);
                if let Does::Reset = deed.does {
                    next.reset();
                    return from.reset();
                }
                next.finish();
                return from.finish();
            }
        }
        let mut begun = 0;
        for end in cuts(cut, changed.len()).into_iter().chain([changed.len()]) {
            next.write(&changed[begun..end]);
            begun = end;
        }
    });
    let next = to.clone();
    from.on_close(move |_| next.finish());
}
