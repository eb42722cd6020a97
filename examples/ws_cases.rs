//! Does with a WebSocket what its client asks for: for trying out clients, proxies, and the library's own client. Try: `cargo run --example ws_cases`, then in the console of a browser: `new WebSocket("ws://localhost:7777/close").onopen = event => event.target.send("4001 bye")`
//!
//! | path | what happens to a message |
//! |---|---|
//! | `/echo` | it comes back, if it has 1 MiB at most; compressed if the client can read that (feature `deflate`) |
//! | `/close` | `4001 bye` closes the socket with this code and reason |
//! | `/ping` | a ping has it as its content; when the pong comes, its content comes back |
//! | `/protocol` | none is wanted: the socket says which subprotocol was agreed, `v2`, `v1` or none |
//! | `/relay?ws://…` | it goes to another server by the library's client; what that one says comes back, its close included |
//!
//! `GET /ends` lists how the sockets have ended that had a number as their query (`/echo?7`): as this side sees it. The port is the first argument, or `PORT`, or
//! 7777; 0 takes a free one.

use oneloop::http::{self, Server};
use oneloop::ws::{self, Close, Message, WebSocket};
use std::cell::RefCell;
use std::fmt::Write;
use std::rc::Rc;

#[path = "support/port.rs"]
mod port;

const PAGE: &str =
    "<!DOCTYPE html><html lang=\"en\"><title>WebSockets</title><p>A page that may open the sockets of this server.";

fn main() -> std::io::Result<()> {
    env_logger::init();
    let ends = Rc::new(RefCell::new(String::new()));
    let told = ends.clone();
    let server = http::create_server(move |req, res| match req.path() {
        "/" => res.set_header("Content-Type", "text/html; charset=utf-8").end(PAGE),
        "/ends" => res.end(told.borrow().as_str()),
        _ => res.set_status(404).end("There are only sockets here\n"),
    });
    mount(&server, &ends);
    let listening = server.clone();
    server.listen(port::port(1), move || port::announce("Cases", listening.address()))?;
    oneloop::run()
}

fn mount(server: &Server, ends: &Rc<RefCell<String>>) {
    let [echo, close, ping, protocol, relay] =
        ["/echo", "/close", "/ping", "/protocol", "/relay"].map(|path| ws::mount(server, path));
    for endpoint in [&echo, &close, &ping, &protocol] {
        endpoint.on_open(|socket, req| {
            socket.set_data(req.query().unwrap_or_default().to_owned());
        });
        let ends = ends.clone();
        endpoint.on_close(move |socket, close| {
            if let Some(number) = socket.data::<String>().filter(|number| number.parse::<u32>().is_ok()) {
                let Close { code, reason, clean, by_peer, why, .. } = close;
                // Writing to a String cannot fail.
                let _ = writeln!(ends.borrow_mut(), "{number} {code} {reason:?} clean={clean} by_peer={by_peer} {why}");
            }
        });
    }
    #[cfg(feature = "deflate")]
    echo.compress(ws::Deflate::new());
    echo.on_message(|socket, message| socket.send(message).ignore());
    close.on_message(|socket, message| {
        let text = String::from_utf8_lossy(message.as_bytes());
        let (code, reason) = text.split_once(' ').unwrap_or((&text, ""));
        match code.parse() {
            Ok(code) => socket.close_with(code, reason),
            Err(_) => socket.terminate(),
        }
    });
    ping.on_message(|socket, message| socket.ping(message.as_bytes()));
    ping.on_pong(|socket, content| socket.send(String::from_utf8_lossy(content)).ignore());
    protocol.protocols(&["v2", "v1"]);
    protocol.on_open(|socket, _req| socket.send(socket.protocol().unwrap_or("none")).ignore());
    relay.on_open(|near, req| match req.query() {
        Some(url) => connect(near, url),
        None => near.close_with(1008, "no address was given"),
    });
}

/// Joins a socket with one to another server. What comes before that one is open waits with the sender.
fn connect(near: &WebSocket, url: &str) {
    near.pause();
    let opened = near.clone();
    let far = ws::connect(url, move |_| opened.resume());
    join(near, &far);
    join(&far, near);
}

fn join(from: &WebSocket, to: &WebSocket) {
    let [message, drained, close] = [to.clone(), from.clone(), to.clone()];
    from.on_message(move |from, content: Message| {
        if message.send(content).is_full() {
            from.pause();
        }
    });
    to.on_drain(move |_| drained.resume());
    from.on_close(move |_, ended| match ended.code {
        1005 => close.close(),
        1006 => close.terminate(),
        code => close.close_with(code, ended.reason),
    });
}
