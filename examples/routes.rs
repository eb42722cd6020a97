//! Routes by method and path, with errors, an access log and tests. Try: `cargo run --example routes`, then `curl -i http://localhost:7777/getSecretData`, `curl -i -d tulip http://localhost:7777/plants`
//!
//! The port is the first argument, or `PORT`, or 7777; 0 takes a free one. With `--features signals` (Unix), Ctrl-C and
//! SIGTERM let the open answers end first.

use oneloop::http::{self, Error, Request, Response, Server};
use std::cell::RefCell;
use std::rc::Rc;

#[path = "support/port.rs"]
mod port;

/// The state that all requests share. There is one thread, so no lock.
type Plants = Rc<RefCell<Vec<String>>>;

fn main() -> std::io::Result<()> {
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("routes=info,oneloop=warn")).init();
    let server = server();
    #[cfg(all(unix, feature = "signals"))]
    for signal in [oneloop::signals::SIGINT, oneloop::signals::SIGTERM] {
        let server = server.clone();
        oneloop::signals::on(signal, move |_| server.close(()))?;
    }
    let listening = server.clone();
    server.listen(port::port(1), move || port::announce("Server", listening.address()))?;
    oneloop::run()
}

fn server() -> Server {
    let plants = Plants::default();
    let server = http::create_server(move |req, res| route(&plants, &req, res));
    server.on_exchange_end(|end| log::info!("{end}"));
    server
}

/// HEAD requests are answered as GET: the library leaves out their content.
fn route(plants: &Plants, req: &Request, res: Response) -> http::Result {
    let segments: Vec<&str> = req.path().split('/').skip(1).collect();
    match (req.method(), &segments[..]) {
        ("GET" | "HEAD", [""]) => res.end("Home. There are /getSecretData and /plants\n"),
        ("GET" | "HEAD", ["getSecretData"]) => res.end("The secret: one thread is enough\n"),
        ("GET" | "HEAD", ["plants"]) => {
            res.end(plants.borrow().iter().map(|plant| format!("{plant}\n")).collect::<String>());
        }
        ("GET" | "HEAD", ["plants", number]) => {
            let number: usize = number.parse().map_err(|_| Error::new(400, "A plant has a number"))?;
            let plants = plants.borrow();
            let plant = plants.get(number).ok_or(Error::new(404, "There is no such plant"))?;
            res.end(format!("{plant}\n"));
        }
        ("POST", ["plants"]) => plant(plants.clone(), req, res),
        (_, ["plants"]) => return not_allowed(&res, "GET, HEAD, POST"),
        (_, ["" | "getSecretData"] | ["plants", _]) => return not_allowed(&res, "GET, HEAD"),
        _ => return Err(Error::new(404, "There is nothing here")),
    }
    Ok(())
}

/// `?` also works in this callback: a body that is too large is answered 413.
fn plant(plants: Plants, req: &Request, res: Response) {
    req.read_body(1024, move |body| {
        let name = String::from_utf8(body?).map_err(|_| Error::new(400, "A name is UTF-8"))?;
        if name.is_empty() || name.contains(char::is_control) {
            return Err(Error::new(422, "A plant has a name, of one line"));
        }
        plants.borrow_mut().push(name);
        let number = plants.borrow().len() - 1;
        res.set_status(201).set_header("Location", format!("/plants/{number}"));
        res.end(format!("🌱 Plant seeded! There are {} now\n", number + 1));
        Ok(())
    });
}

fn not_allowed(res: &Response, allowed: &str) -> http::Result {
    res.set_header("Allow", allowed);
    Err(Error::new(405, format!("Only {allowed} are known here")))
}

/// The test runs in memory, without a socket.
#[cfg(test)]
mod tests {
    use oneloop::sim::Sim;

    #[test]
    fn a_plant_is_seeded_and_found_again() {
        let sim = Sim::new();
        super::server().listen(80, ()).unwrap();
        let seeded = sim.request("POST", "/plants").body("tulip").send().expect(201);
        assert_eq!(seeded.header("Location"), Some("/plants/0"));
        assert_eq!(sim.request("GET", "/plants/0").send().expect(200).text(), "tulip\n");
        sim.request("GET", "/plants/1").send().expect(404);
        sim.request("POST", "/plants").body([b'x'; 2000]).send().expect(413);
        let refused = sim.request("PUT", "/plants").send().expect(405);
        assert_eq!(refused.header("Allow"), Some("GET, HEAD, POST"));
    }
}
