use super::world::Room;

/// Where a resident lives: on a real thread, or in a room of the simulated world.
pub(crate) enum Home {
    Thread,
    Sim(Room),
}

impl Home {
    /// Call this when there may be something new to do. A resident on a thread returns from its `rest` by itself.
    pub fn knock(&self) {
        match self {
            Home::Thread => {}
            Home::Sim(room) => room.knock(),
        }
    }
}
