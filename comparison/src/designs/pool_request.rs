//! Design 4, `pool-request`: a fixed pool; a thread owns a request, connections are parked between requests.
//!
//! ```text
//!  acceptor ──► lot: parked connections, watched by one poller (epoll, kqueue) ◄────────────────┐
//!                 └─ readable, or due ─► bounded queue ─► thread: reads once; no whole head yet ──► parks it
//!                    (full: they stay parked)                      else answers, up to 64, then ──► parks it
//! ```
//!
//! This is how Jetty, Tomcat's NIO connector and Apache's event module are built, and why they followed the design
//! before: idle connections cost no thread, and neither do heads that come slowly. What comes slowly behind a head, or is
//! taken slowly, still does. A request that waits for the event gives its thread back (Servlet 3's `startAsync`).
//!
//! A parked connection keeps its registration; parking arms it anew (one `epoll_ctl`), which also tells of what came
//! meanwhile. Only a request whose body is to be waited for is taken off the poller, so that its pieces wake nobody else.
//! Events may be stale, so the first read does not wait.

use super::blocking::{Desk, End, Request, Service, Step, accept_each, listen};
use super::handlers::{EVENT, Work};
use super::{Listening, Setup};
use crossbeam_channel::Receiver;
use lot::{Lot, Parked, Task};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;
use std::time::Instant;

mod lot;

/// What a thread reads at a time: as much as oneloop does.
const INPUT: usize = 64 * 1024;
/// Connections that wait for a thread. Long enough that no thread waits for the poller; the others stay parked.
const QUEUE: usize = 1024;
/// Requests of one connection before others have their turn: oneloop's.
const BUDGET: usize = 64;

/// What became of a connection that a thread had.
enum Next {
    /// More has to come.
    Park,
    /// More is here.
    Again,
    /// Its answer waits for the event.
    Wait(Box<Request>),
}

pub fn serve(setup: Setup, listening: Listening) -> io::Result<()> {
    let listener = listen(&setup)?;
    let service = Arc::new(Service::new(setup));
    let setup = &service.setup;
    let (queue, ready) = crossbeam_channel::bounded(QUEUE);
    let (lot, poller) = lot::create()?;
    thread::Builder::new().name("poller".to_owned()).spawn(move || poller.run(&queue))?;
    for number in 0..setup.threads {
        let (service, lot, ready) = (service.clone(), lot.clone(), ready.clone());
        thread::Builder::new().name(format!("pool {number}")).spawn(move || work(&service, &lot, &ready))?;
    }
    listening(listener.local_addr()?.port());
    accept_each(&listener, &setup.limits, |connection| lot.admit(connection))
}

fn work(service: &Service, lot: &Lot, ready: &Receiver<Parked>) {
    let mut desk = Desk::new(&service.setup.limits, INPUT);
    for mut parked in ready {
        // A handler that panics costs its connection, not a thread of the pool.
        let next = catch_unwind(AssertUnwindSafe(|| turn(service, lot, &mut desk, &mut parked)));
        match next {
            Ok(Ok(next)) => {
                desk.put_down(&mut parked.connection);
                match next {
                    Next::Park => lot.park(parked),
                    Next::Again => lot.again(parked),
                    Next::Wait(request) => lot.wait(parked, request),
                }
            }
            Ok(Err(end)) => desk.end(lot.release(parked), end),
            Err(_) => {
                drop(lot.release(parked));
                desk = Desk::new(&service.setup.limits, INPUT);
            }
        }
    }
}

/// One turn of a connection.
fn turn(service: &Service, lot: &Lot, desk: &mut Desk, parked: &mut Parked) -> Step<Next> {
    let task = std::mem::replace(&mut parked.task, Task::Read);
    let connection = &mut parked.connection;
    desk.take_up(connection);
    match task {
        Task::Read => {
            if desk.read_ready(connection)? == 0 && connection.is_due(Instant::now()) {
                return Err(if desk.has_input() { End::LATE } else { End::Closed });
            }
        }
        Task::Again => {}
        Task::Answer(request) => {
            desk.request = *request;
            desk.respond(connection, 200, EVENT)?;
        }
    }
    for _ in 0..BUDGET {
        if !desk.parse(connection)? {
            desk.flush(connection)?;
            return Ok(Next::Park);
        }
        if !desk.is_whole() {
            lot.unwatch(connection, &mut parked.watched);
        }
        match desk.work() {
            Work::Event => {
                desk.flush(connection)?;
                return Ok(Next::Wait(Box::new(std::mem::take(&mut desk.request))));
            }
            Work::Publish => desk.respond(connection, 200, &lot.publish().to_string())?,
            work => service.answer(desk, connection, work)?,
        }
    }
    desk.flush(connection)?;
    Ok(Next::Again)
}
