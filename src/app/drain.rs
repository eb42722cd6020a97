//! The end of a server that has a load balancer in front of it.
//!
//! A balancer learns that a server is about to end by asking [`ready`](super::ready) from time to time, and until then it sends
//! requests. If a server stopped listening as soon as it is told to end, it would refuse these requests. So the order is:
//!
//! ```text
//!   SIGTERM ─► is_draining: `ready` answers 503 ──wait──► Server::close ─► the last answer ─► `run` returns
//!      again ─► all connections are cut
//! ``` During the wait, the server answers all requests as before. The wait should be long enough for the balancer to ask a few
//! times. Kubernetes asks every 10 s and removes a pod after 3 failures by default; but it also takes a pod off the list of its
//! service as soon as the pod is told to end, and 5 s are enough for that list to spread.

use crate::event_loop::{current, set_timeout};
use crate::http::Server;
use crate::notice;
#[cfg(all(unix, feature = "signals"))]
use crate::signals::{self, SIGINT, SIGTERM};
use std::cell::Cell;
#[cfg(all(unix, feature = "signals"))]
use std::io;
use std::rc::Rc;
use std::time::Duration;

/// How many servers of a loop are draining.
#[derive(Default)]
struct Draining(Cell<usize>);

/// Returns whether a server of this thread's loop is draining: from [`begin`] until it has closed.
///
/// ```
/// use oneloop::app::drain;
///
/// let server = oneloop::http::create_server(|_req, res| {
///     if drain::is_draining() {
///         res.set_header("Connection", "close");
///     }
///     res.end("hello\n");
/// });
/// ```
pub fn is_draining() -> bool {
    current().is_some_and(|lp| lp.local::<Draining>(|_| Rc::default()).0.get() > 0)
}

/// Begins to end a server: from now on [`is_draining`] is true, and [`ready`](super::ready) answers 503. When `wait` is over, the
/// server is [closed](Server::close), which ends idle connections at once and the others after their answers. Does nothing if the
/// server does not listen. If it is called again for the same server, the earlier end counts.
///
/// [`on_signals`] calls this when the process is told to end. Call it yourself if the program learns in another way that it has
/// to end.
///
/// ```
/// use oneloop::{app, http, sim::Sim};
/// use std::time::Duration;
///
/// let sim = Sim::new();
/// let server = http::create_server(app::ready);
/// server.listen(80, ())?;
/// sim.request("GET", "/readyz").send().expect(200);
/// app::drain::begin(&server, Duration::from_secs(5));
/// sim.request("GET", "/readyz").send().expect(503);
/// sim.advance(Duration::from_secs(5));
/// assert!(!server.is_listening());
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn begin(server: &Server, wait: Duration) {
    let Some(lp) = current().filter(|_| server.is_listening()) else { return };
    let draining = lp.local::<Draining>(|_| Rc::default());
    draining.0.set(draining.0.get() + 1);
    let closing = server.clone();
    let timer = set_timeout(wait, move || closing.close(()));
    let mut this_time = Some((draining, timer));
    // This is done for the first close only, since the server may listen again later.
    server.on_close(move || {
        if let Some((draining, timer)) = this_time.take() {
            draining.0.set(draining.0.get() - 1);
            timer.clear();
        }
    });
    if wait.is_zero() {
        server.close(());
    } else {
        notice::info!(target: "oneloop::http", "draining: not ready from now on, closing in {wait:?}");
    }
}

/// Ends a server when the process is told to end.
///
/// * SIGTERM, which service managers and containers send: the server [drains](begin), for `wait`, and closes.
/// * SIGINT, which Ctrl-C sends: the server closes at once, since a program in a terminal has no balancer.
/// * A second signal of these: the connections that are still open are cut.
///
/// The process ends when [`run`](crate::run) returns, because nothing else is left to do: intervals and other servers go on.
/// (A program that has such things calls [`stop`](crate::stop) in [`Server::on_close`].) Call this once for each server.
///
/// ```no_run
/// use oneloop::{app, http};
/// use std::time::Duration;
///
/// let server = http::create_server(|_req, res| res.end("hello\n"));
/// server.on_path("/healthz", app::health).on_path("/readyz", app::ready);
/// server.listen(7777, ())?;
/// app::drain::on_signals(&server, Duration::from_secs(5))?;
/// oneloop::run()
/// # ?; std::io::Result::Ok(())
/// ```
///
/// # Errors
/// As [`signals::on`]: if the process has no file descriptor left.
#[cfg(all(unix, feature = "signals"))]
pub fn on_signals(server: &Server, wait: Duration) -> io::Result<()> {
    let told = Rc::new(Cell::new(false));
    let listen = |signal, wait| {
        let (server, told) = (server.clone(), told.clone());
        signals::on(signal, move |_| {
            if told.replace(true) {
                notice::info!(target: "oneloop::http", "told to end again: cutting all connections");
                server.close(());
                server.close_all_connections();
            } else {
                begin(&server, wait);
            }
        })
    };
    let first = listen(SIGTERM, wait)?;
    if let Err(error) = listen(SIGINT, Duration::ZERO) {
        first.clear();
        return Err(error);
    }
    Ok(())
}
