//! HTTPS in the world of the client: a server of ours, and between the two somebody who divides, delays and changes bytes, and cuts
//! connections.

use super::client::World;
use oneloop::http;
use oneloop::https;
use oneloop::set_timeout;
use oneloop::sim::{Listener, Peer, Sim};
use oneloop::tls::{Client, Context, Handshakes, Roots, SelfSigned};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

/// Where the server is, and where the client finds it: somebody stands there.
const SERVER: u16 = 443;
pub const PORT: u16 = 8443;

thread_local! {
    /// Made once, and kept.
    static MADE: SelfSigned = SelfSigned::new(["127.0.0.1"]).unwrap_or_else(|error| panic!("no certificate: {error}"));
}

/// Makes what is kept.
pub fn prepare() {
    MADE.with(|made| drop(Context::new(made.identity())));
}

/// What a client has to trust.
pub fn client() -> std::io::Result<Client> {
    Client::trusting(MADE.with(|made| Roots::from_pem(made.certificate_pem()))?)
}

/// The settings of the server. In every other seed it takes its handshakes on workers.
fn context(sim: &Sim) -> std::io::Result<Context> {
    let handshakes = if sim.random(2) == 0 { Handshakes::Inline } else { Handshakes::Workers };
    Context::builder().identity(MADE.with(SelfSigned::identity)).handshakes(handshakes).build()
}

/// Starts the server, and who stands before it.
pub fn serve(world: &Rc<World>, sim: &Rc<Sim>) -> std::io::Result<(http::Server, Listener)> {
    let here = world.clone();
    let server = https::create_server(context(sim)?, move |req, res| answer(&here, &req, res));
    server.listen(SERVER, ())?;
    let listener = sim.listen(("127.0.0.1", PORT))?;
    let (here, network) = (world.clone(), Rc::downgrade(sim));
    listener.on_accept(move |to_client| {
        let Some(sim) = network.upgrade() else { return };
        let to_server = sim.connect(SERVER);
        // Each of the two ways knows the peer on the other side, until there is nothing to pass on.
        let ends: Ends = Rc::new(RefCell::new(vec![to_client.clone(), to_server.clone()]));
        Way::new(&here, 0, &ends).join(to_client);
        Way::new(&here, 1, &ends).join(&to_server);
    });
    Ok((server, listener))
}

fn answer(world: &Rc<World>, req: &http::Request, res: http::Response) {
    let Ok(number) = req.path().trim_start_matches('/').parse() else { return };
    let world = world.clone();
    req.read_body(1 << 20, move |body| {
        if body.is_err() {
            return;
        }
        world.reached(number);
        let body = World::body(number);
        match world.below(5) {
            0 => _ = set_timeout(Duration::from_millis(world.below(50)), move || res.end(body)),
            1 => {
                body.chunks(1 + world.below(700) as usize).for_each(|part| res.write(part).ignore());
                res.end(());
            }
            2 => {
                res.set_header("Connection", "close");
                res.end(body);
            }
            _ => res.end(body),
        }
    });
}

/// The peer that faces the client, and the one that faces the server; none if the connection is cut.
type Ends = Rc<RefCell<Vec<Peer>>>;

/// One direction of a connection.
struct Way {
    world: Rc<World>,
    /// From the client (0), or from the server (1).
    side: usize,
    ends: Ends,
    /// How many bytes have come.
    came: Cell<u64>,
    /// At which byte something happens, and what.
    at: u64,
    fate: Fate,
    /// When the last piece goes on: none goes before it.
    last: Cell<Duration>,
    slow: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    None,
    Finish,
    Reset,
    /// Nothing goes on any more, and nobody is told.
    Silence,
    Change,
}

impl Way {
    fn new(world: &Rc<World>, side: usize, ends: &Ends) -> Rc<Way> {
        let fate = match world.below(24) {
            0 => Fate::Finish,
            1 => Fate::Reset,
            2 => Fate::Silence,
            3 => Fate::Change,
            _ => Fate::None,
        };
        // The handshake has some 1,500 bytes.
        let at = world.below(if world.one_in(2) { 2_000 } else { 40_000 });
        Rc::new(Way {
            world: world.clone(),
            side,
            ends: ends.clone(),
            came: Cell::new(0),
            at,
            fate,
            last: Cell::new(Duration::ZERO),
            slow: world.one_in(3),
        })
    }

    fn join(self: Rc<Self>, from: &Peer) {
        let way = self.clone();
        from.on_data(move |_, bytes| way.pass(bytes));
        from.on_close(move |_| {
            let after = self.when().saturating_sub(oneloop::now());
            set_timeout(after, move || self.cut(Peer::close)).unref();
        });
    }

    fn cut(&self, end: fn(&Peer)) {
        self.ends.take().iter().for_each(end);
    }

    /// When the next piece may go.
    fn when(&self) -> Duration {
        let wait = if self.slow { self.world.below(20) } else { 0 };
        let when = (oneloop::now() + Duration::from_millis(wait)).max(self.last.get());
        self.last.set(when);
        when
    }

    fn pass(&self, bytes: &[u8]) {
        let Some(to) = self.ends.borrow().get(1 - self.side).cloned() else { return };
        let began = self.came.replace(self.came.get() + bytes.len() as u64);
        let mut bytes = bytes.to_vec();
        if self.fate != Fate::None && self.came.get() > self.at {
            let at = self.at.saturating_sub(began) as usize;
            match self.fate {
                Fate::Change if began <= self.at => bytes[at] ^= 1 << self.world.below(8),
                Fate::Change | Fate::None => {}
                Fate::Silence => bytes.truncate(at),
                Fate::Finish | Fate::Reset => {
                    to.write(&bytes[..at.min(bytes.len())]);
                    return self.cut(if self.fate == Fate::Reset { Peer::reset } else { Peer::close });
                }
            }
        }
        let most = if self.slow { 1 + self.world.below(3_000) as usize } else { bytes.len().max(1) };
        for piece in bytes.chunks(most) {
            let (piece, to) = (RefCell::new(piece.to_vec()), to.clone());
            set_timeout(self.when().saturating_sub(oneloop::now()), move || to.write(piece.take())).unref();
        }
    }
}
