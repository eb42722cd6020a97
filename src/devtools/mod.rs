//! A page that shows the loop at work, served by that loop (feature `devtools`).
//!
//! ```no_run
//! use oneloop::{devtools, http};
//!
//! let server = http::create_server(|_req, res| res.end("hello\n"));
//! devtools::mount(&server, "/__loop");
//! server.listen(7777, || println!("look at http://localhost:7777/__loop/"))?;
//! oneloop::run()
//! # ?; std::io::Result::Ok(())
//! ```
//!
//! The page shows the last iterations to scale, with their turns and the places where their callbacks were registered; the
//! phases with the lengths of their queues; the loop's numbers; which turns held the loop and for how long; which requests
//! the server has yet to answer; its routes; and the WebSockets of the loop, by endpoint. It cannot change anything. Everything on it was measured; most of it comes
//! from [`recording`].
//!
//! # Below the prefix
//! | path | what it is |
//! |---|---|
//! | `/` | the page; its files are beside it |
//! | `/stream` | server-sent events, at most ten a second: what was recorded since the last one |
//! | `/history?since=N` | one such message with everything from iteration `N` on |
//! | `/trace` | everything that is recorded, as a Chrome trace, for speedscope |
//! | `/metrics` | only the numbers |
//!
//! # Who may look
//! By default only requests from a loopback address that ask for a loopback host ([`is_local`]); all others get 403. This
//! keeps out other machines, and web sites that let their own name resolve to 127.0.0.1 so that a browser reads the page
//! for them. Use [`Options::allow`] for other rules.
//!
//! # What it costs
//! From `mount` on, the loop records itself (see [`start_recording`]). While a page is open, the loop has one more timer,
//! which makes one message for all open pages ten times a second. The turns of this timer are
//! [marked](crate::event_loop::TurnRecord::own), and the page shows their share. Without open pages there is no timer. To
//! make the messages, each connection is looked at three times a second: twice for the numbers, once for the requests.
//!
//! A page that opens gets the history, and a trace has everything: to copy a full recording takes milliseconds. So the copy is
//! made in parts of 500 records (iterations, turns, callbacks), one in the check phase of each iteration, and other sources have
//! their turns in between. Then a worker writes the text. The records that a busy loop has made between two messages are copied
//! in parts too.
//!
//! ```text
//!   copy, in parts ─┬─► merge: the longest one by one, the others in groups ─► message (JSON) ─┬─► reader
//!                   └─► held: turns that held the loop, sources that waited ─────┘             └─► reader …
//! ```

mod answer;
mod assets;
mod copy;
mod held;
mod json;
mod merge;
mod message;
mod numbers;
mod requests;
mod sockets;
mod stream;

pub use crate::http::local::is_local;

use crate::event_loop::{RecordingSize, mark_turn_as_own, recording, start_recording, trace};
use crate::http::{Request, Response, Server};
use crate::worker;
use answer::{guard, json, refuse};
use copy::copy;
use std::rc::Rc;
use stream::Stream;

/// The options of a mounted page. See [`mount_with`].
pub struct Options {
    size: RecordingSize,
    allow: Box<dyn Fn(&Request) -> bool>,
}

impl Default for Options {
    fn default() -> Options {
        Options { size: RecordingSize::default(), allow: Box::new(is_local) }
    }
}

impl Options {
    /// Sets how much is recorded. If the loop is recording already, that recording goes on unchanged.
    pub fn recording(mut self, size: RecordingSize) -> Options {
        self.size = size;
        self
    }

    /// Sets which requests may see the page; [`is_local`] by default. The page shows targets of requests with their
    /// queries, addresses of peers, and source paths of the program.
    pub fn allow(mut self, may_look: impl Fn(&Request) -> bool + 'static) -> Options {
        self.allow = Box::new(may_look);
        self
    }
}

impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options").field("size", &self.size).finish_non_exhaustive()
    }
}

/// Puts the page at `prefix` of a server, and begins to record this thread's loop. The page answers only loopback peers: see
/// [`is_local`].
#[track_caller]
pub fn mount(server: &Server, prefix: &str) {
    mount_with(server, prefix, Options::default());
}

/// Puts the page at `prefix` of a server, as [`mount`] does, with options: who may see it, and how much is recorded.
#[track_caller]
pub fn mount_with(server: &Server, prefix: &str, options: Options) {
    if recording(u64::MAX).is_none() {
        start_recording(options.size);
    }
    let prefix = prefix.trim_end_matches('/').to_owned();
    let mounted = Rc::new(Mounted { stream: Stream::new(server, &prefix), prefix, allow: options.allow });
    let page = mounted.clone();
    server.on_path(&mounted.prefix, move |req, res| page.answer(&req, res));
    // The stream holds the server, and a listener of the server holds the stream: without this, neither would be freed.
    server.on_close(move || mounted.stream.end());
}

struct Mounted {
    prefix: String,
    allow: Box<dyn Fn(&Request) -> bool>,
    stream: Rc<Stream>,
}

impl Mounted {
    fn answer(&self, req: &Request, res: Response) {
        mark_turn_as_own();
        self.stream.count_request();
        guard(&res);
        if !(self.allow)(req) {
            refuse(&res, 403, "This page answers loopback peers that ask for a loopback host, and nobody else.\n");
            return;
        }
        if !matches!(req.method(), "GET" | "HEAD") {
            res.set_header("Allow", "GET, HEAD");
            refuse(&res, 405, "This page can only be read.\n");
            return;
        }
        match req.path().strip_prefix(&self.prefix).unwrap_or_default() {
            "" => {
                // With the slash, relative paths of the page's files are below the prefix.
                res.set_header("Location", format!("{}/", self.prefix));
                res.set_status(308).end(());
            }
            "/stream" => self.stream.subscribe(req, res),
            "/history" => self.stream.history(since(req), move |text| json(&res, text)),
            "/metrics" => json(&res, self.stream.metrics()),
            "/trace" => download_trace(res),
            path => match assets::find(path) {
                Some((kind, content)) => {
                    res.set_header("Content-Type", kind);
                    res.end(content);
                }
                None => refuse(&res, 404, "There is no such part of the page.\n"),
            },
        }
    }
}

fn since(req: &Request) -> u64 {
    let fields = req.query().unwrap_or_default().split('&');
    fields.filter_map(|field| field.strip_prefix("since=")?.parse().ok()).next().unwrap_or(0)
}

/// A trace has megabytes of text, so a worker writes it and the loop goes on.
fn download_trace(res: Response) {
    copy(0, move |copied| {
        let Some(recording) = copied else {
            refuse(&res, 404, "This loop is not recording any more.\n");
            return;
        };
        let write = move || {
            let mut text = Vec::new();
            trace::chrome(&recording, &mut text).map(|_| text)
        };
        worker::run_for_library(write, move |result| {
            mark_turn_as_own();
            if let Ok(Ok(text)) = result {
                res.set_header("Content-Type", "application/json");
                res.set_header("Content-Disposition", "attachment; filename=\"loop.trace.json\"");
                res.end(text);
            }
        });
    });
}
