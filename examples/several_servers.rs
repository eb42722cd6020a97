//! Two HTTP servers and a TCP one on one loop. Try: `cargo run --example several_servers`, then `curl localhost:7777 localhost:7778`
//! and `nc localhost 7779`
//!
//! They share their state as plain values. `curl -X POST localhost:7778/close` closes the first and the third server; then
//! nothing keeps the loop running, and the program ends.
//! keeps the loop, and it ends.
//!
//! The first port is the first argument, or `PORT`, or 7777, and the others follow it; 0 takes free ones.

use oneloop::{http, net};
use std::cell::Cell;
use std::rc::Rc;

#[path = "support/port.rs"]
mod port;

#[derive(Default)]
struct Counts {
    visits: Cell<u32>,
    lookups: Cell<u32>,
}

fn main() -> std::io::Result<()> {
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("several_servers=info")).init();
    let counts = Rc::new(Counts::default());

    let counting = counts.clone();
    let site = http::create_server(move |_req, res| {
        counting.visits.set(counting.visits.get() + 1);
        res.end(format!("You are visitor {}\n", counting.visits.get()));
    });

    let counting = counts.clone();
    let lookup = net::create_server(move |socket| {
        counting.lookups.set(counting.lookups.get() + 1);
        socket.end(format!("{} visits\n", counting.visits.get()));
        socket.on_data(|_, _| ()); // incoming bytes are ignored
    });

    let (closing_site, closing_lookup) = (site.clone(), lookup.clone());
    let admin = http::create_server(move |req, res| match (req.method(), req.path()) {
        ("POST", "/close") => {
            closing_site.close(|| log::info!("The site is closed"));
            closing_lookup.close(|| log::info!("The lookup is closed"));
            res.set_header("Connection", "close");
            res.end("closing\n");
        }
        _ => res.end(format!("{} visits, {} lookups\n", counts.visits.get(), counts.lookups.get())),
    });
    admin.unref(); // this server alone does not keep the loop running

    let first = port::port(1);
    let port = |next: u16| if first == 0 { 0 } else { first.saturating_add(next) };
    let listening = site.clone();
    site.listen(port(0), move || port::announce("Site", listening.address()))?;
    let listening = admin.clone();
    admin.listen(port(1), move || port::announce("Admin", listening.address()))?;
    let listening = lookup.clone();
    lookup.listen(port(2), move || port::announce("Lookup", listening.address()))?;
    oneloop::run()
}
