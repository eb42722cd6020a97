//! A board that a thousand can share: everybody sees where the others point. Try: `cargo run --release --example live`, then a browser, in two windows; or on the phone, with the machine's address
//!
//! If each move were sent to everybody at once, a thousand who move twenty times a second would make twenty million messages a
//! second. So a move is only written down, and ten times a second one message with the places of all goes to all. Each of these
//! messages replaces the one before: who is too slow for one is skipped, and sees the next one.
//!
//! The port is the first argument, or `PORT`, or 7777; 0 takes a free one. With `--features signals` (Unix), Ctrl-C and SIGTERM close the
//! server. With `--features devtools` the loop shows itself at `/__loop/`: sockets, and messages a second.

use oneloop::http::{self, Server};
use oneloop::set_timeout;
use oneloop::ws::{self, Endpoint, Message, WebSocket};
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

#[path = "../support/port.rs"]
mod port;

const PAGE: &str = include_str!("page.html");
/// How long moves are gathered before they are sent: the page draws the way between two places.
const EVERY: Duration = Duration::from_millis(100);
/// How many may be on the board.
const MOST: usize = 2_000;

/// Where somebody points: two numbers from 0 to 65,535, each of two bytes. The server need not know more about them.
type Place = [u8; 4];

fn main() -> std::io::Result<()> {
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("live=info,oneloop=warn")).init();
    let server = server();
    #[cfg(all(unix, feature = "signals"))]
    for signal in [oneloop::signals::SIGTERM, oneloop::signals::SIGINT] {
        let closing = server.clone();
        oneloop::signals::on(signal, move |_| closing.close(()))?;
    }
    let listening = server.clone();
    server.listen(port::port(1), move || port::announce("Board", listening.address()))?;
    oneloop::run()
}

fn server() -> Server {
    let server = http::create_server(|req, res| match req.path() {
        "/" => res.set_header("Content-Type", "text/html; charset=utf-8").end(PAGE),
        _ => res.set_status(404).end("There is only a board here\n"),
    });
    #[cfg(feature = "devtools")]
    oneloop::devtools::mount(&server, "/__loop");
    let sockets = ws::mount(&server, "/board");
    let mut limits = sockets.limits();
    limits.message = size_of::<Place>();
    limits.sockets = MOST;
    sockets.set_limits(limits);
    let board = Rc::new(Board { sockets: sockets.clone(), is_due: Cell::new(false) });
    let [entered, moved, left] = [board.clone(), board.clone(), board];
    sockets.on_open(move |socket, _req| {
        socket.set_data(Cell::new(None::<Place>));
        socket.subscribe("board");
        // Its own number, so that the page knows which of the places is its own.
        socket.send(number(socket).to_string()).ignore();
        entered.tell_soon();
    });
    sockets.on_message(move |socket, message| match (message, socket.data::<Cell<Option<Place>>>()) {
        (Message::Binary(bytes), Some(place)) if bytes.len() == size_of::<Place>() => {
            place.set(bytes.try_into().ok());
            moved.tell_soon();
        }
        _ => socket.close_with(1003, "a place is four bytes"),
    });
    sockets.on_close(move |socket, close| {
        log::info!("{} has left: {} {}", number(socket), close.code, close.why);
        left.tell_soon();
    });
    server
}

fn number(socket: &WebSocket) -> u32 {
    socket.id() as u32
}

struct Board {
    sockets: Endpoint,
    /// A message is about to be sent. While nobody moves there is no timer, and nothing to do.
    is_due: Cell<bool>,
}

impl Board {
    fn tell_soon(self: &Rc<Board>) {
        if !self.is_due.replace(true) {
            let board = self.clone();
            set_timeout(EVERY, move || board.tell()).unref();
        }
    }

    /// Tells all how many are here, and where they point.
    fn tell(self: &Rc<Board>) {
        self.is_due.set(false);
        let mut message = (self.sockets.len() as u32).to_be_bytes().to_vec();
        for socket in self.sockets.sockets() {
            if let Some(place) = socket.data::<Cell<Option<Place>>>().and_then(Cell::get) {
                message.extend(number(&socket).to_be_bytes());
                message.extend(place);
            }
        }
        let published = self.sockets.publish_or_skip("board", message);
        if published.skipped > 0 {
            // This may have been the last move for a while, and they have not seen it.
            self.tell_soon();
        }
    }
}
