//! Design 5, `thread-each`: a thread for each connection, as many as come.
//!
//! The standard library gives a thread 2 MiB of stack, of which only what is used takes memory; `--stack` gives it another.
//! A connection for which the system has no thread left is answered 503.

use super::blocking::{Connection, Desk, Service, accept_each, listen, turn_away};
use super::{Listening, Setup};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// What a thread reads at a time, until a longer head or a body wants more. A usual head fits, and each connection has such
/// a buffer.
const INPUT: usize = 2 * 1024;

pub fn serve(setup: Setup, listening: Listening) -> io::Result<()> {
    let listener = listen(&setup)?;
    listening(listener.local_addr()?.port());
    let service = Arc::new(Service::new(setup));
    accept_each(&listener, &service.setup.limits, |connection| spawn(&service, connection))
}

fn spawn(service: &Arc<Service>, connection: Connection) {
    // A closure that could not be started is dropped with all that it has; this way the connection comes back.
    let handed = Arc::new(Mutex::new(Some(connection)));
    let (taken, served) = (handed.clone(), service.clone());
    let take = |place: &Mutex<Option<Connection>>| place.lock().unwrap_or_else(PoisonError::into_inner).take();
    let mut thread = thread::Builder::new();
    if let Some(stack) = service.setup.stack {
        thread = thread.stack_size(stack);
    }
    let started = thread.spawn(move || {
        if let Some(connection) = take(&taken) {
            served.serve(&mut Desk::new(&served.setup.limits, INPUT), connection, || false);
        }
    });
    if started.is_err()
        && let Some(connection) = take(&handed)
    {
        turn_away(&connection);
    }
}
