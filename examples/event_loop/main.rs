//! A page that shows a real event loop at work, served by that loop, and lets you break it. Try: `cargo run --release --example
//! event_loop`, then http://localhost:7777 in a browser
//!
//! The drawings come from `oneloop::devtools`, which any server can mount. This example adds what no server should have:
//! buttons that hold up its loop, a thread pool with the same handlers to compare it with, and a quiz about the order of
//! callbacks. It listens on a loopback address only, and takes orders only from its own page.
//!
//! The port is the first argument, or `PORT`, or 7777, and the thread pool has the next one, or a free one; 0 takes
//! free ones.

use oneloop::http::{self, Request, Response};
use oneloop::{devtools, event_loop, net};
use std::net::SocketAddr;
use std::rc::Rc;

#[path = "../support/port.rs"]
mod port;

mod handlers;
mod json;
mod load;
mod orders;
mod pool;
mod quiz;
mod site;

/// The data that the handlers share.
struct Demo {
    /// The addresses of the loop's server and of the thread pool.
    on_loop: SocketAddr,
    on_pool: SocketAddr,
    loads: load::Desk,
}

fn main() -> std::io::Result<()> {
    env_logger::init();
    let first = port::port(1);
    let second = if first == 0 { 0 } else { first.checked_add(1).unwrap_or(0) };
    let on_pool = pool::start(second).or_else(|_| pool::start(0))?;
    let demo: Rc<std::cell::OnceCell<Demo>> = Rc::default();
    let shared = demo.clone();
    let server = http::create_server(move |req, res| match shared.get() {
        Some(demo) => answer(demo, &req, res),
        None => res.set_status(503).end("Not yet\n"),
    });
    devtools::mount(&server, "/__loop");
    let listening = server.clone();
    server.listen(("127.0.0.1", first), move || {
        port::announce("The loop", listening.address());
        port::announce("The thread pool", Some(net::Address::from(on_pool)));
    })?;
    let port = server.address().and_then(|address| address.port()).unwrap_or(first);
    let on_loop = SocketAddr::from(([127, 0, 0, 1], port));
    let _ = demo.set(Demo { on_loop, on_pool, loads: load::Desk::default() });
    oneloop::run()
}

/// Refuses web sites that let their own name resolve to this machine, and orders that come from other pages.
fn answer(demo: &Demo, req: &Request, res: Response) {
    if !devtools::is_local(req) {
        res.set_status(403).end("This is for the machine that it runs on.\n");
        return;
    }
    match (req.method(), req.path()) {
        ("GET", path) if handlers::has(path) => handlers::answer(path, res),
        ("GET" | "HEAD", "/demo") => {
            event_loop::mark_turn_as_own();
            site::json(&res, orders::experiments(demo));
        }
        ("GET" | "HEAD", "/quiz") => {
            event_loop::mark_turn_as_own();
            site::json(&res, quiz::list());
        }
        ("POST", _) if !site::is_from_here(req) => res.set_status(403).end("Orders come from this page alone.\n"),
        ("POST", path) => {
            if let Some(name) = path.strip_prefix("/try/") {
                event_loop::mark_turn_as_own();
                orders::run(demo, name, req.query() == Some("on=pool"), res);
            } else if let Some(name) = path.strip_prefix("/quiz/") {
                // Not marked as the page's own turn: what the programs do to the loop is to be seen.
                quiz::run(name, demo.on_loop, res);
            } else {
                res.set_status(404).end("There is no such order.\n");
            }
        }
        ("GET" | "HEAD", path) => {
            event_loop::mark_turn_as_own();
            site::answer(path, &res);
        }
        _ => {
            res.set_header("Allow", "GET, HEAD, POST");
            res.set_status(405).end("That cannot be done here.\n");
        }
    }
}
