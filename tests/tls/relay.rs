//! What stands between a client and a server of the same program: two scripted peers that pass bytes on, and do what a test wants of
//! them.

use oneloop::sim::{Listener, Peer, Sim};
use oneloop::tls::{Client, Context, Roots, SelfSigned};
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// Where the program's server listens.
pub const SERVER: u16 = 443;
/// Where the program's client connects to: the relay.
pub const RELAY: u16 = 4433;
pub const NAME: &str = "127.0.0.1";

thread_local! {
    /// One for all tests of a thread: to make one takes a while.
    static MADE: Rc<SelfSigned> = Rc::new(SelfSigned::new([NAME, "localhost", "a.example"]).unwrap());
}

pub fn made() -> Rc<SelfSigned> {
    MADE.with(Rc::clone)
}

pub fn context() -> Context {
    Context::new(made().identity()).unwrap()
}

pub fn roots() -> Roots {
    Roots::from_pem(made().certificate_pem()).unwrap()
}

/// A client that trusts the server of [`context`].
pub fn client() -> Client {
    Client::trusting(roots()).unwrap()
}

/// Passes bytes on between the client, which connects to [`RELAY`], and the server at [`SERVER`].
#[derive(Clone, Default)]
pub struct Relay(Rc<Inner>);

/// What happens to bytes on their way.
#[derive(Clone, Copy)]
pub enum Fault {
    Drop,
    Twice,
}

#[derive(Default)]
struct Inner {
    /// What has come from the client, and from the server.
    seen: [RefCell<Vec<u8>>; 2],
    /// How many bytes of each side are passed on; then both ends are cut.
    most: [Cell<Option<usize>>; 2],
    /// Each byte goes by itself.
    bytewise: Cell<bool>,
    /// Which byte of the server is changed.
    changed: Cell<Option<usize>>,
    /// What becomes of the next bytes of the server.
    fault: Cell<Option<Fault>>,
    /// What becomes of the first bytes of each side.
    rewritten: Cell<Option<[fn(&[u8]) -> Vec<u8>; 2]>>,
    listener: RefCell<Option<Listener>>,
    /// The scripted end that faces the client, and the one that faces the server.
    ends: [RefCell<Option<Peer>>; 2],
}

impl Relay {
    pub fn new(sim: &Rc<Sim>) -> Relay {
        let relay = Relay::default();
        let listener = sim.listen((NAME, RELAY)).unwrap();
        let (shared, world) = (relay.clone(), Rc::downgrade(sim));
        listener.on_accept(move |to_client| {
            let sim = world.upgrade().unwrap();
            let to_server = sim.connect(SERVER);
            shared.join(0, to_client, &to_server);
            shared.join(1, &to_server, to_client);
        });
        *relay.0.listener.borrow_mut() = Some(listener);
        relay
    }

    fn join(&self, side: usize, from: &Peer, to: &Peer) {
        *self.0.ends[side].borrow_mut() = Some(from.clone());
        let (relay, other) = (self.clone(), to.clone());
        from.on_data(move |from, bytes| relay.pass(side, bytes, from, &other));
        let other = to.clone();
        from.on_close(move |_| other.finish());
    }

    fn pass(&self, side: usize, bytes: &[u8], from: &Peer, to: &Peer) {
        let inner = &self.0;
        let at = inner.seen[side].borrow().len();
        inner.seen[side].borrow_mut().extend_from_slice(bytes);
        let mut bytes = bytes.to_vec();
        if let Some(changed) = inner.changed.get().filter(|_| side == 1)
            && let Some(byte) = changed.checked_sub(at).and_then(|offset| bytes.get_mut(offset))
        {
            *byte ^= 0x55;
        }
        if let Some(rewritten) = inner.rewritten.get().filter(|_| at == 0) {
            bytes = rewritten[side](&bytes);
        }
        match if side == 1 { inner.fault.take() } else { None } {
            Some(Fault::Drop) => return,
            Some(Fault::Twice) => bytes = bytes.repeat(2),
            None => {}
        }
        let most = inner.most[side].get().unwrap_or(usize::MAX);
        let may = bytes.len().min(most.saturating_sub(at));
        if inner.bytewise.get() {
            for byte in &bytes[..may] {
                to.write([*byte]);
            }
        } else {
            to.write(&bytes[..may]);
        }
        if may < bytes.len() {
            to.finish();
            from.finish();
        }
    }

    /// Cuts the connection after so many bytes of the client (0) or the server (1).
    pub fn cut_after(&self, side: usize, bytes: usize) {
        self.0.most[side].set(Some(bytes));
    }

    pub fn go_bytewise(&self) {
        self.0.bytewise.set(true);
    }

    /// The next bytes of the server are lost, or come twice.
    pub fn fault_next(&self, fault: Fault) {
        self.0.fault.set(Some(fault));
    }

    /// What becomes of the first bytes of the client, and of the server.
    pub fn rewrite_first(&self, how: [fn(&[u8]) -> Vec<u8>; 2]) {
        self.0.rewritten.set(Some(how));
    }

    pub fn change(&self, at: usize) {
        self.0.changed.set(Some(at));
    }

    /// What a side has sent.
    pub fn seen(&self, side: usize) -> Vec<u8> {
        self.0.seen[side].borrow().clone()
    }

    /// The scripted end that faces the client (0) or the server (1).
    pub fn end(&self, side: usize) -> Peer {
        self.0.ends[side].borrow().clone().unwrap()
    }
}
