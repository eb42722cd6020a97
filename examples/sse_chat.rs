//! A chat by server-sent events, which knows who is there. Try: `cargo run --example sse_chat`, then a browser, twice; or `curl -N http://localhost:7777/events?ann` and `curl -d hello http://localhost:7777/say?bob`
//!
//! A guest who leaves is noticed at once. A guest who does not read holds up nobody and is cut off. A server that closes
//! ends its streams by itself.
//!
//! The port is the first argument, or `PORT`, or 7777; 0 takes a free one. With `--features signals` (Unix), Ctrl-C and
//! SIGTERM close the server.

use oneloop::http::{self, Error, Request, Response, Server};
use oneloop::net::Overflow;
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

#[path = "support/port.rs"]
mod port;

const PAGE: &str = r#"<!DOCTYPE html>
<meta charset="utf-8">
<title>A chat</title>
<p>Here: <b id="here"></b>
<form><input autofocus></form>
<pre id="said"></pre>
<script>
  const name = prompt("Your name?", "ann").replace(/[^a-z]/gi, "") || "somebody";
  const events = new EventSource("/events?" + name);
  events.onmessage = event => document.getElementById("said").prepend(event.data + "\n");
  events.addEventListener("presence", event => document.getElementById("here").textContent = event.data);
  document.forms[0].onsubmit = event => {
    event.preventDefault();
    fetch("/say?" + name, { method: "POST", body: event.target[0].value });
    event.target.reset();
  };
</script>
"#;
/// How many bytes may wait for a guest who reads slowly. A guest further behind is cut off; a browser connects again by
/// itself.
const BEHIND: usize = 256 * 1024;
/// Proxies close a stream that is silent for too long.
const HEARTBEAT: Duration = Duration::from_secs(15);

#[derive(Default)]
struct Room {
    guests: RefCell<Vec<(Response, String)>>,
}

fn main() -> std::io::Result<()> {
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("sse_chat=info,oneloop=warn")).init();
    let server = server();
    #[cfg(all(unix, feature = "signals"))]
    for signal in [oneloop::signals::SIGINT, oneloop::signals::SIGTERM] {
        let server = server.clone();
        oneloop::signals::on(signal, move |_| server.close(()))?;
    }
    let listening = server.clone();
    server.listen(port::port(1), move || port::announce("Chat", listening.address()))?;
    oneloop::run()
}

fn server() -> Server {
    let room = Rc::new(Room::default());
    let (beating, closing) = (room.clone(), room.clone());
    oneloop::set_interval(HEARTBEAT, move || beating.send(":\n\n")).unref();
    let server = http::create_server(move |req, res| match (req.method(), req.path()) {
        ("GET", "/") => {
            res.set_header("Content-Type", "text/html; charset=utf-8").end(PAGE);
            Ok(())
        }
        ("GET", "/events") => room.join(name(&req)?, &req, res),
        ("POST", "/say") => room.hear(name(&req)?, &req, res),
        _ => Err(Error::new(404, "There is only a chat here")),
    });
    server.on_closing(move || closing.guests.take().iter().for_each(|(guest, _)| guest.end(())));
    server
}

/// The guest's name, from the query: letters only, so that nothing has to be decoded or escaped.
fn name(req: &Request) -> http::Result<String> {
    let name =
        req.query().filter(|name| (1..=20).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphabetic()));
    Ok(name.ok_or(Error::new(400, "A name of letters is wanted: ?ann"))?.to_owned())
}

impl Room {
    fn join(self: &Rc<Room>, name: String, req: &Request, res: Response) -> http::Result {
        res.set_header("Content-Type", "text/event-stream").set_header("Cache-Control", "no-store");
        res.set_pending_limit(BEHIND, Overflow::Close);
        // A browser that leaves only ends its side. Without this its stream would be cut a second later.
        let leaving = res.clone();
        req.on_peer_end(move |_| leaving.end(()));
        let room = self.clone();
        res.on_close(move |res, reason| {
            room.guests.borrow_mut().retain(|(guest, _)| guest != res);
            log::info!("a guest left: {reason}");
            room.tell_who_is_here();
        });
        self.guests.borrow_mut().push((res, name));
        self.tell_who_is_here();
        Ok(())
    }

    fn hear(self: &Rc<Room>, name: String, req: &Request, res: Response) -> http::Result {
        let room = self.clone();
        req.read_body(1024, move |text| {
            let text = String::from_utf8_lossy(&text?).replace(char::is_control, " ");
            room.send(&format!("data: {name}: {text}\n\n"));
            res.set_status(204).end(());
            Ok(())
        });
        Ok(())
    }

    fn tell_who_is_here(&self) {
        let names: Vec<String> = self.guests.borrow().iter().map(|(_, name)| name.clone()).collect();
        self.send(&format!("event: presence\ndata: {}\n\n", names.join(", ")));
    }

    /// No callback runs inside of `write`, so the list may stay borrowed.
    fn send(&self, event: &str) {
        for (guest, _) in self.guests.borrow().iter() {
            guest.write(event).ignore();
        }
    }
}

/// The test runs in memory, without a socket.
#[cfg(test)]
mod tests {
    use oneloop::sim::Sim;
    use std::time::Duration;

    #[test]
    fn who_stalls_is_cut_off_who_reads_hears_all_and_closing_ends_the_streams() {
        let sim = Sim::new();
        let server = super::server();
        server.listen(80, ()).unwrap();
        let guests = ["ann", "bob"].map(|name| {
            let guest = sim.connect(80);
            guest.write(format!("GET /events?{name} HTTP/1.1\r\nHost: chat\r\n\r\n"));
            sim.settle();
            guest
        });
        let [ann, bob] = &guests;
        bob.pause_reading();
        for _ in 0..1000 {
            sim.request("POST", "/say?eve").body([b'x'; 1000]).send().expect(204);
        }
        assert!(bob.is_closed() && !ann.is_closed());
        assert_eq!(ann.text().matches("data: eve: x").count(), 1000);
        assert!(ann.text().contains("event: presence\ndata: ann, bob\n") && ann.text().contains("data: ann\n"));
        server.close(());
        sim.advance(Duration::from_secs(1));
        assert!(ann.is_closed());
    }
}
