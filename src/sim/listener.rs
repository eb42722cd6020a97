use super::peer::{Peer, Peers};
use crate::event_loop::driver::world::{self, World};
use crate::event_loop::driver::{Address, ListenHow};
use std::cell::RefCell;
use std::io;
use std::rc::{Rc, Weak};

/// Large enough for any test; the script accepts connections at once.
const BACKLOG: i32 = 511;

type OnAccept = Box<dyn FnMut(&Peer)>;

/// A scripted server, which accepts the program's connections as [`Peer`]s. Dropping it closes it; its peers live on.
pub struct Listener(Rc<Inner>);

struct Inner {
    world: World,
    bound: RefCell<Option<world::Listener>>,
    peers: Rc<Peers>,
    accepted: RefCell<Vec<Peer>>,
    on_accept: RefCell<Vec<OnAccept>>,
}

impl Listener {
    pub(super) fn new(world: &World, address: Address, peers: &Rc<Peers>) -> io::Result<Listener> {
        let inner = Rc::new(Inner {
            world: world.clone(),
            bound: RefCell::default(),
            peers: peers.clone(),
            accepted: RefCell::default(),
            on_accept: RefCell::default(),
        });
        let how = ListenHow::new(BACKLOG);
        let weak: Weak<Inner> = Rc::downgrade(&inner);
        let script = move |_: &World| {
            if let Some(inner) = weak.upgrade() {
                inner.accept();
            }
        };
        let bound = world.listen_scripted(address, &how, Rc::new(script))?;
        *inner.bound.borrow_mut() = Some(bound);
        Ok(Listener(inner))
    }

    /// The address on which it listens. If port 0 was asked for, this has the port that was chosen.
    pub fn local_addr(&self) -> Address {
        let bound = self.0.bound.borrow();
        bound.as_ref().map_or(Address::Unix(None), world::Listener::local_addr)
    }

    /// Calls `script` with each connection that is accepted from now on, before any of its bytes has arrived.
    pub fn on_accept(&self, script: impl FnMut(&Peer) + 'static) -> &Self {
        self.0.on_accept.borrow_mut().push(Box::new(script));
        self
    }

    /// The connections that were accepted so far, in order.
    pub fn accepted(&self) -> Vec<Peer> {
        self.0.accepted.borrow().clone()
    }
}

impl Inner {
    fn accept(&self) {
        loop {
            let stream = self.bound.borrow().as_ref().and_then(world::Listener::take);
            let Some(stream) = stream else { return };
            let peer = Peer::new(&self.world, stream, &self.peers);
            self.accepted.borrow_mut().push(peer.clone());
            // The scripts are taken out of the cell, because a script may add another one.
            let mut scripts = self.on_accept.take();
            for script in &mut scripts {
                script(&peer);
            }
            scripts.append(&mut self.on_accept.borrow_mut());
            *self.on_accept.borrow_mut() = scripts;
        }
    }
}
