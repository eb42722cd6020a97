//! Compresses answers while they are sent (feature `compression`).
//!
//! ```text
//!   the head ─► eligible? ─ no ─► as it is
//!                  │ yes: Vary
//!                  ▼
//!            long enough, wanted, room? ─ no ─► as it is
//!                  │ yes: Content-Encoding, weak ETag
//!                  ▼
//!   content ─► Gzip ─► flushed at the end of the iteration, ended with the answer
//! ``` It is a [stage](crate::http::stages) of the answer, so the program calls `write` and `end` as without compression, and
//! sees the same backpressure. The loop compresses, not a worker. It compresses at most 32 KiB of an answer in one iteration. For
//! a usual answer, this takes less time than a worker thread takes to wake up and hand back its result, and it holds up other
//! connections no longer than a large read does. Large content that never changes (scripts, styles) is better compressed once,
//! when it is built: see [`Files::precompressed`](super::Files::precompressed).

mod eligible;
mod gzip;
mod inflating;

pub(super) use inflating::{inflate, takes_gzip};

use super::Next;
use super::journey::Journey;
use crate::http::stages::{Coder, Content, Stage, Then};
use crate::http::{Request, Response};
use crate::proto::h1::{IncomingRequest, OutgoingResponse};
use gzip::{Gzip, Works};
use std::any::TypeId;
use std::rc::Rc;

/// The least content, in bytes, that is compressed by default. Shorter content fits into one packet anyway.
const FROM: u64 = 1024;
/// The level of zlib by default, as in Node: about 4 times smaller for JSON, at 50 to 100 MB/s.
const LEVEL: u32 = 6;
/// How many answers at a time are compressed by default. Each takes some 300 KiB until it is sent.
const AT_MOST: usize = 256;

/// The options of [`compression`]: how answers are compressed.
///
/// ```
/// use oneloop::app::Compression;
///
/// let fast = Compression::new().level(1).also(["application/geo"]);
/// ```
#[derive(Clone, Debug)]
pub struct Compression {
    level: u32,
    from: u64,
    also: Vec<String>,
    event_streams: bool,
    random_length: bool,
    at_most: usize,
}

impl Default for Compression {
    fn default() -> Self {
        Compression::new()
    }
}

impl Compression {
    /// The defaults that each method here names.
    pub fn new() -> Compression {
        Compression {
            level: LEVEL,
            from: FROM,
            also: Vec::new(),
            event_streams: false,
            random_length: true,
            at_most: AT_MOST,
        }
    }

    /// How much work is done, from 1 (least) to 9; 6 by default. Other values count as the nearest one. Above 6, the work grows
    /// much more than the answers shrink.
    ///
    /// ```
    /// use oneloop::app::Compression;
    ///
    /// let least = Compression::new().level(1);
    /// ```
    pub fn level(mut self, level: u32) -> Compression {
        self.level = level.clamp(1, 9);
        self
    }

    /// The number of bytes from which on content is compressed; 1,024 by default. Content whose length is not known when the head
    /// is sent (the program writes it in parts) is compressed whatever its length.
    ///
    /// ```
    /// use oneloop::app::Compression;
    ///
    /// let everything = Compression::new().from_bytes(0);
    /// ```
    pub fn from_bytes(mut self, bytes: u64) -> Compression {
        self.from = bytes;
        self
    }

    /// Compresses content of these media types as well. By default these are compressed: `text/*`, all that is JSON, XML or YAML
    /// by its name, JavaScript, WebAssembly, SVG, and fonts and images without a compression of their own.
    ///
    /// ```
    /// use oneloop::app::Compression;
    ///
    /// let with_maps = Compression::new().also(["application/vnd.mapbox-vector-tile"]);
    /// ```
    pub fn also<'t>(mut self, media_types: impl IntoIterator<Item = &'t str>) -> Compression {
        self.also.extend(media_types.into_iter().map(str::to_ascii_lowercase));
        self
    }

    /// Compresses streams of events as well ([`Response::sse`](crate::http::Response::sse)), although their `Cache-Control` has
    /// `no-transform`. Each event is flushed at once, as it is without compression. By default they are not compressed: some
    /// proxies hold back a compressed stream, and each reader takes some 300 KiB for as long as it stays.
    ///
    /// ```
    /// use oneloop::app::Compression;
    ///
    /// let for_slow_lines = Compression::new().event_streams().at_most(1000);
    /// ```
    pub fn event_streams(mut self) -> Compression {
        self.event_streams = true;
        self
    }

    /// Whether the length of a compressed answer is changed by chance, by 1 to 100 bytes that clients skip (the name of a file,
    /// RFC 1952, 2.3.1). On by default, as in Django. If a page repeats what a request says, and has a secret too, its compressed
    /// length tells an attacker who can make the request (another site) and see the length (on the network) how alike the two
    /// are: BREACH. With a length that varies, it takes very many more requests. A secret that is new in each answer cannot be
    /// found in this way at all; this option protects the other secrets.
    ///
    /// ```
    /// use oneloop::app::Compression;
    ///
    /// let public_data = Compression::new().random_length(false);
    /// ```
    pub fn random_length(mut self, on: bool) -> Compression {
        self.random_length = on;
        self
    }

    /// How many answers may be in the course of being compressed; 256 by default. Each takes some 300 KiB, from its first byte
    /// until its last one is given to the connection, so a client that does not read holds this memory until its connection is
    /// closed ([`Limits::send_rate`](crate::http::Limits::send_rate)). If there are so many already, a further answer is sent
    /// without compression.
    ///
    /// ```
    /// use oneloop::app::Compression;
    ///
    /// let small_machine = Compression::new().at_most(32);
    /// ```
    pub fn at_most(mut self, answers: usize) -> Compression {
        self.at_most = answers;
        self
    }
}

/// Compresses answers with gzip, on their way out, for clients whose `Accept-Encoding` wants that.
///
/// | the answer | |
/// |---|---|
/// | has content of 1,024 bytes or more, or of unknown length, of a type that gets smaller | is compressed |
/// | the same, to a HEAD request | has the fields of the answer to GET, without a `Content-Length` |
/// | has a `Content-Encoding` already, a `Content-Range`, or `Cache-Control: no-transform` | is sent as it is |
/// | is a stream of events, or has no `Content-Type` | is sent as it is |
///
/// With compression, a strong `ETag` becomes weak (other bytes, the same meaning: RFC 9110, 8.8.1), `Accept-Ranges` and digests of
/// the content are removed, and a `Content-Length` is the compressed one, or absent if it is not known in time. `Vary:
/// Accept-Encoding` is added to every answer whose type would be compressed. What is edited with `If-Match` needs its strong `ETag`:
/// send it with `no-transform`.
///
/// What the program has written is flushed before the loop waits, in the iteration in which it was written. So clients get each
/// part of a stream at once, and you need not call anything for that. (With Express, you call `res.flush()`.)
///
/// The files of [`Files`](super::Files) with a compressed copy beside them are sent as that copy. Files that are compressed here are
/// read and sent in parts, not by `sendfile`.
///
/// ```
/// # let sim = oneloop::sim::Sim::new();
/// use oneloop::app::{App, Compression, compression};
///
/// let mut app = App::new();
/// app.with(compression(Compression::new()));
/// app.get("/", |_req, res| res.text("a line that comes again\n".repeat(1000)));
/// # app.listen(80, ())?;
///
/// let reply = sim.request("GET", "/").header("Accept-Encoding", "gzip, br").send().expect(200);
/// assert_eq!(reply.header("Content-Encoding"), Some("gzip"));
/// assert_eq!(reply.header("Vary"), Some("Accept-Encoding"));
/// assert!(reply.body().len() < 400);
/// # std::io::Result::Ok(())
/// ```
///
/// Behind this middleware, bodies of requests may be compressed with gzip, for the handlers of [`json`](super::json()),
/// [`form`](super::form()), [`text`](super::text()) and [`raw`](super::raw()). Their limits apply to the decompressed bytes, and
/// decompression stops at the limit: a small body that would become too large is answered 413. A body that is not exactly one
/// gzip member is answered 400.
///
/// Add it before other middlewares that change answers: then it compresses what they have changed. As a step of a router it
/// compresses the answers of that router.
pub fn compression(options: Compression) -> impl FnMut(Request, Response, Next) + 'static {
    let stage = Rc::new(Compressing { works: Works::new(options.level, options.random_length), options });
    move |req, _res, next| {
        req.add_stage(stage.clone());
        let before = Journey::of(&req.0).put(TypeId::of::<Compressing>(), stage.clone());
        drop(before);
        next.run();
    }
}

struct Compressing {
    options: Compression,
    works: Rc<Works>,
}

impl Stage for Compressing {
    fn head(&self, request: &IncomingRequest, head: &mut OutgoingResponse, content: Content) -> Option<Box<dyn Coder>> {
        if head.status() == 304 {
            eligible::agree_with_what_the_client_has(request, head);
            return None;
        }
        let wanted = eligible::is_wanted(request);
        if !self.may_be_coded(head, head.get("Content-Type")?) {
            return None;
        }
        let _ = head.fields_mut().merge("Vary", "Accept-Encoding");
        let in_parts = head.status() == 206 || head.has("Content-Range");
        let is_long = content.length.is_none_or(|length| length >= self.options.from && length > 0);
        let none = matches!(head.status(), 100..=199 | 204 | 205) || request.is_connect();
        // Many handlers give no content to a HEAD. Then nobody knows whether the answer to a GET would be long enough to be coded.
        let unknown = request.is_head() && content.length.is_none();
        if in_parts || none || unknown || !is_long || !wanted || !content.passes {
            return None;
        }
        let coder: Box<dyn Coder> = match request.is_head() {
            true => Box::new(Nothing),
            false => Box::new(Gzip::begin(&self.works, self.options.at_most)?),
        };
        eligible::describe(head);
        Some(coder)
    }

    fn may_code(&self, request: &IncomingRequest, head: &OutgoingResponse, media_type: &str) -> bool {
        eligible::is_wanted(request) && self.may_be_coded(head, media_type)
    }
}

impl Compressing {
    fn may_be_coded(&self, head: &OutgoingResponse, media_type: &str) -> bool {
        let events = eligible::is_event_stream(media_type);
        let is_of_a_type = match events {
            true => self.options.event_streams,
            false => eligible::gets_smaller(media_type, &self.options.also),
        };
        let is_free = events || !eligible::has_no_transform(head);
        is_of_a_type && is_free && !head.has("Content-Encoding")
    }
}

/// For the answer to a HEAD request, which has the same fields as the answer to a GET.
struct Nothing;

impl Coder for Nothing {
    fn code(&mut self, _: &[u8], _: Then, _: &mut Vec<u8>) {}
}
