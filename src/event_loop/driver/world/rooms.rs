use super::World;
use crate::event_loop::driver::{MoveIn, Next, Resident};
use std::cell::Cell;
use std::rc::Rc;

/// The home of a resident that has no thread: all that it does, it does on the loop's thread, inside a wait, at the time at
/// which a thread would have done it. Whatever it does takes as long as a job of the pool.
pub(crate) struct Room {
    world: World,
    resident: Rc<Guest>,
}

/// Empty until the resident has moved in, and while it is at work.
type Guest = Cell<Option<Box<dyn Resident>>>;

impl Room {
    pub fn knock(&self) {
        self.world.ask(&self.resident);
    }
}

impl World {
    pub fn settle(&self, move_in: MoveIn) -> Room {
        let resident = Rc::new(Guest::default());
        let room = resident.clone();
        self.at(self.now(), move |world| {
            room.set(Some(move_in()));
            world.ask(&room);
        });
        Room { world: self.clone(), resident }
    }

    /// Asks a resident what it does next, unless it is at work.
    fn ask(&self, room: &Rc<Guest>) {
        let Some(mut resident) = room.take() else { return };
        let next = resident.next(self.now());
        if next == Next::Nothing {
            return room.set(Some(resident));
        }
        let room = room.clone();
        self.at(self.now().saturating_add(self.worker_latency()), move |world| {
            if next == Next::End {
                return drop(resident);
            }
            resident.work(world.now());
            room.set(Some(resident));
            world.ask(&room);
        });
    }
}
