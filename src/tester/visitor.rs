use super::jar::Jar;
use super::world::World;
use std::cell::RefCell;
use std::net::IpAddr;
use std::rc::Rc;

/// What an agent is: where it comes from, and what it has.
pub(super) struct Visitor {
    pub world: Rc<World>,
    pub address: IpAddr,
    pub jar: RefCell<Jar>,
    /// Fields of all its requests.
    pub fields: RefCell<Vec<(String, Vec<u8>)>>,
}

impl Visitor {
    pub fn new(world: &Rc<World>, address: IpAddr) -> Visitor {
        Visitor { world: world.clone(), address, jar: RefCell::default(), fields: RefCell::default() }
    }
}
