//! Hello from one loop. Try: `cargo run --release --example hello`, then `curl -i http://localhost:7777/seed-a-plant`
//!
//! The port is the first argument, or `PORT`, or 7777; 0 takes a free one. With `--features signals` (Unix), Ctrl-C and
//! SIGTERM let the open answers end first. In a container, where it is process 1, SIGTERM does nothing without this
//! feature.

use oneloop::http;
use std::io::Write;

fn main() -> std::io::Result<()> {
    env_logger::init();
    let server = http::create_server(|req, res| match req.url() {
        "/seed-a-plant" => res.end("🌱 Plant seeded!"),
        _ => {
            res.set_header("Content-Type", "text/plain; charset=utf-8");
            res.end("Hello from one loop\n")
        }
    });
    let listening = server.clone();
    server.listen(port(), move || {
        if let Some(port) = listening.address().and_then(|address| address.port()) {
            // If the reader of standard output is gone (`… | head -1`), `println!` would panic.
            let _ = writeln!(std::io::stdout(), "Server listening on http://localhost:{port}");
        }
    })?;
    #[cfg(all(unix, feature = "signals"))]
    for signal in [oneloop::signals::SIGINT, oneloop::signals::SIGTERM] {
        let server = server.clone();
        oneloop::signals::on(signal, move |_| server.close(()))?;
    }
    oneloop::run()
}

fn port() -> u16 {
    let given = std::env::args().nth(1).or_else(|| std::env::var("PORT").ok());
    match given.map(|text| text.parse()) {
        None => 7777,
        Some(Ok(port)) => port,
        Some(Err(_)) => {
            eprintln!("usage: hello [PORT]   (a number from 0 to 65535)");
            std::process::exit(2);
        }
    }
}
