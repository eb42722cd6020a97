//! Sends a body back as it comes. Try: `cargo run --example echo`, then `curl -T large.file http://localhost:7777 | sha256sum`
//!
//! The answer flows while the request does, no faster than it is read: `pipe` pauses the request while the response is
//! full. So a gigabyte takes no more memory than a kilobyte. (A client that reads nothing before it has sent everything
//! will wait for ever.)
//!
//! The messages of a WebSocket come back, too: `new WebSocket("ws://localhost:7777")`; compressed, with `--features deflate`.
//!
//! The port is the first argument, or `PORT`, or 7777; 0 takes a free one.

use oneloop::{http, ws};

#[path = "support/port.rs"]
mod port;

fn main() -> std::io::Result<()> {
    env_logger::init();
    let server = http::create_server(|req, res| {
        if let Some(media_type) = req.header("Content-Type") {
            res.set_header("Content-Type", media_type);
        }
        req.pipe(&res);
    });
    let sockets = ws::mount(&server, "/");
    let mut limits = sockets.limits();
    limits.message = 16 * 1024 * 1024;
    sockets.set_limits(limits);
    #[cfg(feature = "deflate")]
    sockets.compress(ws::Deflate::new());
    sockets.on_message(|socket, message| {
        if socket.send(message).is_full() {
            socket.pause();
        }
    });
    sockets.on_drain(|socket| socket.resume());
    let listening = server.clone();
    server.listen(port::port(1), move || port::announce("Echo", listening.address()))?;
    oneloop::run()
}
