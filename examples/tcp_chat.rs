//! A chat room on plain TCP. Try: `cargo run --example tcp_chat`, then `nc localhost 7777` (or `curl telnet://localhost:7777`), twice
//!
//! The callbacks of all sockets share the room. With one thread, an `Rc<RefCell<..>>` is all that it takes.
//!
//! The port is the first argument, or `PORT`, or 7777; 0 takes a free one.

use oneloop::net::{self, Overflow, Socket};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

#[path = "support/port.rs"]
mod port;

/// A guest with a longer line is sent away.
const LONGEST_LINE: usize = 1024;
/// A guest who says nothing for this long is taken to be gone.
const PATIENCE: Duration = Duration::from_secs(600);

/// A guest who says this much at once, in bytes, is heard a part at a time, with a pause of `BREATH` after each part. A part of
/// short lines comes to many times as much for all other guests, who then have the time to read it: see `BEHIND`.
const MUCH: usize = 4 * 1024;
const BREATH: Duration = Duration::from_millis(200);

/// A guest who is this many bytes behind is sent away. It is more than several guests who talk without a break say in one
/// `BREATH`.
const BEHIND: usize = 2 * 1024 * 1024;

type Room = Rc<RefCell<BTreeMap<u32, Socket>>>;

fn main() -> std::io::Result<()> {
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("tcp_chat=info,oneloop=warn")).init();
    let room = Room::default();
    let mut guests = 0;
    let server = net::create_server(move |socket| {
        guests += 1;
        join(&room, guests, socket);
    });
    let listening = server.clone();
    server.listen(port::port(1), move || port::announce("Chat", listening.address()))?;
    oneloop::run()
}

fn join(room: &Room, guest: u32, socket: Socket) {
    socket.set_pending_limit(BEHIND, Overflow::Close);
    socket.write(format!("Welcome, guest {guest}. Others here: {}\n", room.borrow().len())).ignore();
    tell(room, guest, "has come");
    room.borrow_mut().insert(guest, socket.clone());

    let said = room.clone();
    let mut line = Vec::new();
    socket.on_data(move |socket, bytes| {
        if bytes.len() > MUCH {
            socket.pause();
            let talker = socket.clone();
            oneloop::set_timeout(BREATH, move || talker.resume());
        }
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            line.extend_from_slice(part);
            if part.ends_with(b"\n") {
                let text = String::from_utf8_lossy(&line);
                tell(&said, guest, &format!("says: {}", text.trim_end().replace(char::is_control, "?")));
                line.clear();
            } else if line.len() > LONGEST_LINE {
                return socket.destroy();
            }
        }
    });
    socket.set_timeout(PATIENCE).on_timeout(Socket::destroy);
    let left = room.clone();
    socket.on_close(move |_, reason| {
        left.borrow_mut().remove(&guest);
        tell(&left, guest, &format!("has left ({reason})"));
    });
}

/// Tells all other guests. No callback runs inside of `write`, so the room may stay borrowed.
fn tell(room: &Room, guest: u32, what: &str) {
    log::info!("guest {guest} {what}");
    for (other, socket) in room.borrow().iter() {
        if *other != guest {
            // `Full` means that much was written at once, not that this guest is slow; the pending limit looks after slow
            // guests.
            socket.write(format!("guest {guest} {what}\n")).ignore();
        }
    }
}
