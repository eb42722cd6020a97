use super::jar::Jar;
use super::world::World;
use std::cell::RefCell;
use std::net::IpAddr;
use std::rc::Rc;

/// Who an agent is for the app: the address that it comes from, its cookies, and the header fields of all its requests.
pub(super) struct Visitor {
    pub world: Rc<World>,
    pub address: IpAddr,
    pub jar: RefCell<Jar>,
    /// Header fields that each of its requests has.
    pub fields: RefCell<Vec<(String, Vec<u8>)>>,
}

impl Visitor {
    pub fn new(world: &Rc<World>, address: IpAddr) -> Visitor {
        Visitor { world: world.clone(), address, jar: RefCell::default(), fields: RefCell::default() }
    }
}
