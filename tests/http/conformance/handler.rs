//! The handler of all rows. What it saw stands in the response, so that it can be compared however it was asked.

use oneloop::http::{Request, Response, Version};
use std::collections::HashMap;
use std::fmt::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The longest content that the handler takes, in bytes: beyond it, 413.
pub const MOST: usize = 100;

/// How late `/late` is answered.
pub const LATENESS: Duration = Duration::from_millis(1);

/// Which requests of which connection came how far, in order; shared with the thread that serves.
#[derive(Clone, Default)]
pub struct Seen(Arc<Mutex<HashMap<String, Vec<String>>>>);

impl Seen {
    fn add(&self, peer: &str, what: &str, req: &Request) {
        let line = format!("{what} {} {}", req.method(), req.url());
        self.0.lock().unwrap().entry(peer.to_owned()).or_default().push(line);
    }

    /// What a connection's requests came to; forgets it.
    pub fn take(&self, peer: &str) -> Vec<String> {
        self.0.lock().unwrap().remove(peer).unwrap_or_default()
    }
}

/// `POST /a 1.0 @host {Name: value, Name: value} "content" {Trailer: value}`, where the host is the one that the request
/// is for; `1.0` and the parts in brackets and quotes stand where there is something to say. The fields of Host and
/// framing are left out: what they mean is said otherwise.
fn told(req: &Request, content: &[u8]) -> String {
    let mut told = format!("{} {}", req.method(), req.url());
    if req.version() == Version::Http10 {
        told.push_str(" 1.0");
    }
    if let Some(host) = req.host() {
        write!(told, " @{host}").unwrap();
    }
    let shown = |(name, _): &(&str, &[u8])| {
        !["host", "content-length", "transfer-encoding", "connection"].contains(&name.to_ascii_lowercase().as_str())
    };
    let fields = req.headers_bytes().filter(shown).map(|(name, value)| told_field(name, value)).collect::<Vec<_>>();
    let trailers = req.trailers_bytes();
    let trailers = trailers.iter().map(|(name, value)| told_field(name, value)).collect::<Vec<_>>();
    if !fields.is_empty() {
        write!(told, " {{{}}}", fields.join(", ")).unwrap();
    }
    if !content.is_empty() {
        write!(told, " \"{}\"", content.escape_ascii()).unwrap();
    }
    if !trailers.is_empty() {
        write!(told, " {{{}}}", trailers.join(", ")).unwrap();
    }
    told
}

/// A value that is no text is told with escapes.
fn told_field(name: &str, value: &[u8]) -> String {
    match std::str::from_utf8(value) {
        Ok(value) => format!("{name}: {value}"),
        Err(_) => format!("{name}: {}", value.escape_ascii()),
    }
}

/// Reads the whole request, and answers `seen` with 200, unless the path asks for something else.
pub fn answer(seen: &Seen, req: Request, res: Response) {
    let peer = req.remote_addr().map(|address| address.to_string()).unwrap_or_default();
    seen.add(&peer, "called", &req);
    if req.path() == "/early" {
        return res.end("early");
    }
    if req.path() == "/hints" {
        res.write_early_hints(&[("Link", "</a.css>; rel=preload")]);
    }
    let (seen, request) = (seen.clone(), req.clone());
    req.read_body(MOST, move |body| {
        let Ok(body) = body else { return };
        seen.add(&peer, "whole", &request);
        res.set_header("Saw", told(&request, &body));
        match request.path() {
            "/no-content" => {
                res.set_header("Content-Length", 4);
                res.set_status(204).end("seen");
            }
            "/reset-content" => res.set_status(205).end("seen"),
            "/not-modified" => res.set_status(304).end("seen"),
            "/last" => {
                res.set_header("Connection", "close");
                res.end("seen");
            }
            "/no-reason" => {
                res.set_status(299).end("seen");
            }
            "/parts" => {
                res.write("se").ignore();
                res.add_trailers(&[("Sum", "4"), ("Content-Length", "9")]);
                res.end("en");
            }
            "/late" => {
                oneloop::set_timeout(LATENESS, move || res.end("seen"));
            }
            _ => res.end("seen"),
        }
    });
}
