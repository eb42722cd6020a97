//! A clock by server-sent events. Try: `cargo run --example sse_clock`, then `curl -N http://localhost:7777/events`, or a browser
//!
//! A `Response` can be kept and answered later: here with a line each second, until its reader leaves.
//!
//! The port is the first argument, or `PORT`, or 7777; 0 takes a free one.

use oneloop::http::{self, Response};
use oneloop::set_interval;
use std::time::{Duration, SystemTime};

#[path = "support/port.rs"]
mod port;

const PAGE: &str = r#"<!DOCTYPE html>
<meta charset="utf-8">
<title>A clock</title>
<h1 id="clock">…</h1>
<script>
  new EventSource("/events").onmessage = event => document.getElementById("clock").textContent = event.data;
</script>
"#;

fn main() -> std::io::Result<()> {
    env_logger::init();
    let server = http::create_server(|req, res| match req.path() {
        "/" => {
            res.set_header("Content-Type", "text/html; charset=utf-8");
            res.end(PAGE);
        }
        "/events" => subscribe(res),
        _ => res.set_status(404).end("There is only a clock here\n"),
    });
    let listening = server.clone();
    server.listen(port::port(1), move || port::announce("Clock", listening.address()))?;
    oneloop::run()
}

fn subscribe(res: Response) {
    res.set_header("Content-Type", "text/event-stream");
    res.set_header("Cache-Control", "no-store");
    tell_the_time(&res);
    let ticking = res.clone();
    let clock = set_interval(Duration::from_secs(1), move || tell_the_time(&ticking));
    // The interval keeps the response, and the response keeps this listener. When the reader leaves, both are dropped.
    res.on_close(move |_, reason| {
        clock.clear();
        log::info!("a reader left: {reason}");
    });
}

/// A reader who reads nothing is cut off by the limit for stalled writes, so little is ever pending here.
fn tell_the_time(res: &Response) {
    let now = httpdate::fmt_http_date(SystemTime::now());
    res.write(format!("data: {now}\n\n")).ignore();
}
