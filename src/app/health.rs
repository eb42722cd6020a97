//! Answers for supervisors and load balancers: whether the program is alive, and whether it wants requests.

use super::drain::is_draining;
use crate::http::{Request, Response};

/// Answers that the program is alive: 200, with `ok`. A supervisor restarts a program that does not answer this in time. So the
/// answer depends on nothing outside of the program: a program that has lost its database is still alive.
///
/// ```
/// use oneloop::{app, http, sim::Sim};
///
/// let sim = Sim::new();
/// let server = http::create_server(|_req, res| res.end("hello\n"));
/// server.on_path("/healthz", app::health);
/// server.listen(80, ())?;
/// assert_eq!(sim.request("GET", "/healthz").send().text(), "ok\n");
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn health(_: Request, res: Response) {
    answer(&res, 200, "ok\n");
}

/// Answers whether the program wants requests: 200, with `ready`; or 503, while a server of this loop
/// [drains](super::drain). A balancer sends no more requests then. For further conditions see [`ready_if`].
///
/// A server that sheds load ([`LoadShedding`](crate::http::LoadShedding)) should exempt these paths, since a balancer that gets a
/// shed answer stops sending requests to a server that is merely busy.
///
/// ```
/// use oneloop::{app, http, sim::Sim};
///
/// let sim = Sim::new();
/// let server = http::create_server(|_req, res| res.end("hello\n"));
/// server.on_path("/readyz", app::ready);
/// server.listen(80, ())?;
/// sim.request("GET", "/readyz").send().expect(200);
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn ready(_: Request, res: Response) {
    answer_ready(&res, true);
}

/// The same as [`ready`], with a condition of the program: while `check` returns false, the answer is 503 too. `check` is called
/// for each such request, in the loop, so it should only read what the program knows already. For a check that has to ask a
/// database first, write a handler of your own that also asks [`is_draining`].
///
/// ```
/// use oneloop::{app, http, sim::Sim};
/// use std::{cell::Cell, rc::Rc};
///
/// let sim = Sim::new();
/// let connected = Rc::new(Cell::new(false));
/// let is_connected = connected.clone();
/// let server = http::create_server(|_req, res| res.end("hello\n"));
/// server.on_path("/readyz", app::ready_if(move || is_connected.get()));
/// server.listen(80, ())?;
/// sim.request("GET", "/readyz").send().expect(503);
/// connected.set(true);
/// sim.request("GET", "/readyz").send().expect(200);
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn ready_if(mut check: impl FnMut() -> bool + 'static) -> impl FnMut(Request, Response) + 'static {
    move |_, res| answer_ready(&res, check())
}

fn answer_ready(res: &Response, checked: bool) {
    if is_draining() {
        answer(res, 503, "draining\n");
    } else if checked {
        answer(res, 200, "ready\n");
    } else {
        answer(res, 503, "not ready\n");
    }
}

fn answer(res: &Response, status: u16, words: &str) {
    res.set_header("Content-Type", "text/plain; charset=utf-8").set_header("Cache-Control", "no-store");
    res.set_status(status).end(words);
}
