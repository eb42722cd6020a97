//! A chat by WebSockets, with rooms, names and a history. Try: `cargo run --example chat`, then a browser, in two windows; or on the phone, with the machine's address
//!
//! A guest who leaves is noticed at once, and one who is gone without a word after a minute. A guest who does not read holds up nobody.
//!
//! The port is the first argument, or `PORT`, or 7777; 0 takes a free one.

use oneloop::http::{self, Request, Server};
use oneloop::ws::{self, Message, Verdict, WebSocket};
use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

#[path = "support/port.rs"]
mod port;

const PAGE: &str = r#"<!DOCTYPE html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>A chat</title>
<style>body { font: 1.1em sans-serif; max-width: 40em; margin: auto; padding: 1em } input { font: inherit; width: 100%; box-sizing: border-box }</style>
<main>
<h1></h1>
<p>Here: <b id="here"></b></p>
<form><input aria-label="What you say" maxlength="250" autofocus></form>
<pre id="said" aria-live="polite" style="white-space: pre-wrap"></pre>
</main>
<script>
  const letters = text => (text || "").replace(/[^a-z]/gi, "").slice(0, 20);
  const room = letters(location.hash) || "lobby", name = letters(prompt("Your name?", "ann")) || "somebody";
  const at = id => document.getElementById(id);
  let socket, wait = 500;
  document.querySelector("h1").textContent = room;
  function connect() {
    socket = new WebSocket(location.origin.replace("http", "ws") + "/chat/" + room + "?" + name);
    socket.onopen = () => { wait = 500; at("said").textContent = ""; };
    socket.onmessage = ({ data }) => {
      if (data[0] === "*") at("here").textContent = data.slice(1);
      else at("said").prepend(data + "\n");
    };
    socket.onclose = () => {
      at("here").textContent = "not connected";
      setTimeout(connect, wait * (1 + Math.random()));
      wait = Math.min(wait * 2, 30000);
    };
  }
  connect();
  document.forms[0].onsubmit = event => {
    event.preventDefault();
    if (socket.readyState === 1) { socket.send(event.target[0].value); event.target.reset(); }
  };
</script>
"#;

/// How many lines a newcomer is shown.
const HISTORY: usize = 50;

#[derive(Default)]
struct Room {
    guests: RefCell<Vec<WebSocket>>,
    history: RefCell<VecDeque<String>>,
}

/// What a socket is of.
struct Guest {
    name: String,
    room: Rc<Room>,
}

fn main() -> std::io::Result<()> {
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("chat=info,oneloop=warn")).init();
    let server = server();
    let listening = server.clone();
    server.listen(port::port(1), move || port::announce("Chat", listening.address()))?;
    oneloop::run()
}

fn server() -> Server {
    let server = http::create_server(|req, res| match req.path() {
        "/" => res.set_header("Content-Type", "text/html; charset=utf-8").end(PAGE),
        _ => res.set_status(404).end("There is only a chat here\n"),
    });
    let chat = ws::mount(&server, "/chat");
    let mut limits = chat.limits();
    limits.message = 1000;
    chat.set_limits(limits);
    chat.verify(|req| if names(req).is_some() { Verdict::Accept } else { Verdict::Refuse(400) });
    let rooms: RefCell<BTreeMap<String, Rc<Room>>> = RefCell::default();
    chat.on_open(move |socket, req| {
        let Some((room, name)) = names(req) else { return };
        let mut rooms = rooms.borrow_mut();
        rooms.retain(|other, at| other == room || !at.guests.borrow().is_empty());
        rooms.entry(room.to_owned()).or_default().enter(socket, name);
    });
    chat.on_message(|socket, message| {
        if let (Message::Text(text), Some(guest)) = (message, socket.data::<Guest>()) {
            guest.room.say(format!("{}: {}", guest.name, text.replace(char::is_control, " ")));
        }
    });
    chat.on_close(|socket, close| {
        if let Some(guest) = socket.data::<Guest>() {
            log::info!("{} has left: {} {}", guest.name, close.code, close.why);
            guest.room.guests.borrow_mut().retain(|other| other != socket);
            guest.room.tell_who_is_here();
        }
    });
    server
}

/// The room and the guest's name, from `/chat/room?name`: letters only, so that nothing has to be decoded or escaped.
fn names(req: &Request) -> Option<(&str, &str)> {
    let names = (req.path().strip_prefix("/chat/")?, req.query()?);
    let is_name = |name: &str| (1..=20).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphabetic());
    (is_name(names.0) && is_name(names.1)).then_some(names)
}

impl Room {
    fn enter(self: &Rc<Room>, socket: &WebSocket, name: &str) {
        for line in self.history.borrow().iter() {
            socket.send(line).ignore();
        }
        socket.set_data(Guest { name: name.to_owned(), room: self.clone() });
        self.guests.borrow_mut().push(socket.clone());
        self.tell_who_is_here();
    }

    fn say(&self, line: String) {
        self.send(&line);
        let mut history = self.history.borrow_mut();
        history.push_back(line);
        if history.len() > HISTORY {
            history.pop_front();
        }
    }

    fn tell_who_is_here(&self) {
        let guests = self.guests.borrow();
        let names: Vec<&str> = guests.iter().filter_map(|guest| Some(&*guest.data::<Guest>()?.name)).collect();
        let line = format!("*{}", names.join(", "));
        drop(guests);
        self.send(&line);
    }

    /// No callback runs inside of `send`, so the list may stay borrowed.
    fn send(&self, line: &str) {
        for guest in self.guests.borrow().iter() {
            guest.send(line).ignore();
        }
    }
}
