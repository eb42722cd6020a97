//! oneloop's server of WebSockets for the measurements.
//!
//!     cargo run --release -p oneloop-benches --bin sockets
//!
//! Its places are those of `oneloop_benches::websocket`: one sends each message back, at the others a message goes to many sockets.

use oneloop::{http, ws};
use oneloop_benches::websocket::{EACH, ECHO, PUBLISH, SUBSCRIBE};
use std::cell::RefCell;
use std::process::ExitCode;
use std::rc::Rc;

fn main() -> ExitCode {
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("sockets: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve() -> std::io::Result<()> {
    let server = http::create_server(|_req, res| res.end("WebSockets only\n"));
    ws::mount(&server, ECHO).on_message(|socket, message| socket.send(message).ignore());
    let subscribers = ws::mount(&server, SUBSCRIBE);
    let list = Rc::new(RefCell::new(Vec::<ws::WebSocket>::new()));
    subscribers.on_open({
        let list = list.clone();
        move |socket, _req| {
            socket.subscribe("topic");
            list.borrow_mut().push(socket.clone());
        }
    });
    ws::mount(&server, PUBLISH).on_message(move |_socket, message| _ = subscribers.publish("topic", message));
    ws::mount(&server, EACH).on_message(move |_socket, message| {
        list.borrow().iter().for_each(|socket| socket.send(message).ignore());
    });
    let listening = server.clone();
    server.listen(("127.0.0.1", 0), move || {
        let port = listening.address().and_then(|address| address.port()).unwrap_or_default();
        println!("sockets listening on http://127.0.0.1:{port}");
    })?;
    oneloop::run()
}
