//! A client that stays connected: it prints what a WebSocket says, and connects again after pauses that grow. Try: `cargo run --example chat`, then `cargo run --example ws_client -- "ws://localhost:7777/chat/lobby?ann"`
//!
//! The pause is chosen by chance, up to twice as long after each failure: so the clients of a server that comes back do not come all at
//! once.

use oneloop::{set_timeout, ws};
use std::cell::Cell;
use std::hash::{BuildHasher, RandomState};
use std::io::Write;
use std::rc::Rc;
use std::time::Duration;

fn main() -> std::io::Result<()> {
    let url = std::env::args().nth(1).unwrap_or_else(|| "ws://localhost:7777".to_owned());
    stay_connected(url.into(), 0);
    oneloop::run()
}

fn stay_connected(url: Rc<str>, failures: u32) {
    let failures = Rc::new(Cell::new(failures));
    let none = failures.clone();
    let socket = ws::connect(&*url, move |_| {
        none.set(0);
        say("connected");
    });
    socket.on_message(|_, message| say(&String::from_utf8_lossy(message.as_bytes())));
    socket.on_error(|_, error| eprintln!("{error}"));
    socket.on_close(move |_, close| {
        say(&format!("closed: {} {} {}", close.code, close.reason, close.why));
        let failures = failures.get();
        set_timeout(pause(failures), move || stay_connected(url, failures + 1));
    });
}

/// By chance between nothing and half a second, a second, two seconds … and half a minute.
fn pause(failures: u32) -> Duration {
    let longest = 500 * 2_u64.pow(failures.min(6));
    Duration::from_millis(RandomState::new().hash_one(failures) % longest.min(30_000))
}

/// If the reader of standard output is gone, `println!` would panic.
fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}
