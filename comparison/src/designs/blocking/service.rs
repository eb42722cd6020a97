//! The handlers, as a thread runs them: what has to wait blocks it.

use super::super::Setup;
use super::super::handlers::{self, DONE, EVENT, HELLO, NOT_FOUND, Work};
use super::{Connection, Desk, Event, Step};
use std::thread;

/// What all threads of a server share.
pub struct Service {
    pub setup: Setup,
    event: Event,
}

impl Service {
    pub fn new(setup: Setup) -> Service {
        Service { setup, event: Event::default() }
    }

    /// Serves a connection until it closes. Where others wait for the thread (`wanted`), it closes after the next answer.
    pub fn serve(&self, desk: &mut Desk, mut connection: Connection, wanted: impl Fn() -> bool) {
        let end = loop {
            if let Err(end) = desk.await_head(&mut connection) {
                break end;
            }
            desk.last = wanted();
            if let Err(end) = self.answer(desk, &mut connection, desk.work()) {
                break end;
            }
        };
        desk.end(connection, end);
    }

    /// Answers the request that the desk has. What was gathered for the peer goes out before the thread waits.
    pub fn answer(&self, desk: &mut Desk, connection: &mut Connection, work: Work) -> Step<()> {
        if desk.request.head.is_connect() {
            return desk.respond(connection, 501, "501 Not Implemented: this server does not implement the method\n");
        }
        if desk.request.head.expectation().is_some() {
            return desk.respond(connection, 417, "417 Expectation Failed: this server cannot meet the expectation\n");
        }
        match work {
            Work::Hello => desk.respond(connection, 200, HELLO),
            Work::Wait(time) | Work::Block(time) => {
                desk.flush(connection)?;
                thread::sleep(time);
                desk.respond(connection, 200, DONE)
            }
            Work::Cpu(ms) => {
                desk.flush(connection)?;
                let result = handlers::burn(ms * self.setup.work_per_ms);
                desk.respond(connection, 200, &result)
            }
            Work::Upload => {
                let mut length = 0;
                desk.read_body(connection, |data| {
                    length += data.len();
                    Ok(())
                })?;
                desk.respond(connection, 200, &length.to_string())
            }
            Work::Download(bytes) => desk.download(connection, bytes),
            Work::Event => {
                desk.flush(connection)?;
                self.event.wait();
                desk.respond(connection, 200, EVENT)
            }
            Work::Publish => desk.respond(connection, 200, &self.event.publish().to_string()),
            Work::Unknown => desk.respond(connection, 404, NOT_FOUND),
        }
    }
}
