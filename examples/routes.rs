//! Routes by method and path. Try: `cargo run --example routes`, then `curl -i http://localhost:7777/getSecretData`
//!
//! The port is the first argument, or `PORT`, or 7777; 0 takes a free one.

use oneloop::http::{self, Request, Response};
use std::cell::Cell;
use std::rc::Rc;

#[path = "support/port.rs"]
mod port;

fn main() -> std::io::Result<()> {
    env_logger::init();
    // State of all requests: there is one thread, so no lock.
    let plants = Rc::new(Cell::new(0));
    let server = http::create_server(move |req, res| {
        res.set_header("Content-Type", "text/plain; charset=utf-8");
        match req.path() {
            "/" => get(&req, &res, || "Home. There are /getSecretData and /seed-a-plant\n".to_owned()),
            "/getSecretData" => get(&req, &res, || "The secret: one thread is enough\n".to_owned()),
            "/seed-a-plant" => get(&req, &res, || {
                plants.set(plants.get() + 1);
                format!("🌱 Plant seeded! There are {} now\n", plants.get())
            }),
            _ => res.set_status(404).end("There is nothing here\n"),
        }
    });
    let listening = server.clone();
    server.listen(port::port(1), move || port::announce("Server", listening.address()))?;
    oneloop::run()
}

/// Answers GET, and HEAD with it (the library leaves out the content there), and refuses the other methods.
fn get(req: &Request, res: &Response, content: impl FnOnce() -> String) {
    match req.method() {
        "GET" | "HEAD" => res.end(content()),
        _ => {
            res.set_header("Allow", "GET, HEAD");
            res.set_status(405).end("Only GET is known here\n");
        }
    }
}
