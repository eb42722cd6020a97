//! Answers before a body has come, with the status that the path asks for, as a server does that can tell from the head
//! that it does not want the rest. Try: `cargo run --example early_answers`, then `curl -i -T some.file
//! http://localhost:7777/413`
//!
//! The body is not read. What still comes of it is discarded for a while ([`Limits::linger_total`]): if the connection were
//! closed at once, a client that sends everything before it reads would lose the answer.
//!
//! The port is the first argument, or `PORT`, or 7777; 0 takes a free one.
//!
//! [`Limits::linger_total`]: oneloop::http::Limits::linger_total

use oneloop::http;
use std::io;

#[path = "support/port.rs"]
mod port;

fn main() -> io::Result<()> {
    env_logger::init();
    let server = http::create_server(|req, res| {
        let status = req.path().trim_start_matches('/').parse().ok().filter(|status| (400..600).contains(status));
        let status = status.unwrap_or(404);
        res.set_status(status).end(format!("{status} before the body\n"));
    });
    let listening = server.clone();
    server.listen(port::port(1), move || port::announce("Early answers", listening.address()))?;
    oneloop::run()
}
