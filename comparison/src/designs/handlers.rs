//! What the servers do, written once: which work a request asks for, and the work itself. How a design waits, on which
//! thread it computes and how it writes is its own.
//!
//! | request | work | answer |
//! |---|---|---|
//! | `GET /` | none | [`HELLO`] |
//! | `GET /wait?ms=N` | waits for something else: a sleeping thread, or a timer | [`DONE`] |
//! | `GET /block?ms=N` | sleeps on the thread that serves, whatever the design | [`DONE`] |
//! | `GET /cpu?ms=N` | computes: a fixed number of iterations, so that an interrupted thread has no less to do | the result |
//! | `POST /upload` | reads the body in pieces | its length |
//! | `GET /download?bytes=N` | sends [`PIECE`] after [`PIECE`], as fast as the peer takes them | `x`, N times |
//! | `GET /event` | waits for the next publication | [`EVENT`] |
//! | `POST /publish` | wakes those who wait | their number |

use std::time::Duration;

/// The type of every answer.
pub const CONTENT_TYPE: &str = "text/plain; charset=utf-8";
/// The answer to `/`.
pub const HELLO: &str = oneloop_benches::traffic::BODY;
/// The answer after a wait.
pub const DONE: &str = "done\n";
/// The answer to those who waited for an event.
pub const EVENT: &str = "event\n";
/// The answer where there is no such work.
pub const NOT_FOUND: &str = "404 Not Found\n";

/// What a download is made of: 64 KiB, the size from which on oneloop's `write` asks to wait.
pub static PIECE: [u8; 64 * 1024] = [b'x'; 64 * 1024];

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    Hello,
    Wait(Duration),
    Block(Duration),
    /// In milliseconds of [`burn`], as the server was told how many iterations one has.
    Cpu(u64),
    Upload,
    /// In bytes.
    Download(u64),
    Event,
    Publish,
    Unknown,
}

impl Work {
    /// Reads it from the request line.
    pub fn of(method: &str, path: &str, query: Option<&str>) -> Work {
        let ms = || Duration::from_millis(number(query, "ms="));
        match (method, path) {
            ("GET" | "HEAD", "/") => Work::Hello,
            ("GET", "/wait") => Work::Wait(ms()),
            ("GET", "/block") => Work::Block(ms()),
            ("GET", "/cpu") => Work::Cpu(number(query, "ms=")),
            ("POST", "/upload") => Work::Upload,
            ("GET", "/download") => Work::Download(number(query, "bytes=")),
            ("GET", "/event") => Work::Event,
            ("POST", "/publish") => Work::Publish,
            _ => Work::Unknown,
        }
    }
}

/// A number in a query of one parameter; 0 where there is none.
fn number(query: Option<&str>, name: &str) -> u64 {
    query.and_then(|query| query.strip_prefix(name)?.parse().ok()).unwrap_or(0)
}

/// So many steps of a small integer hash, each of which needs the one before, and their result in words.
pub fn burn(steps: u64) -> String {
    let mut hash = 0x9e37_79b9_7f4a_7c15_u64;
    for step in 0..steps {
        hash = (hash ^ step).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        hash ^= hash >> 29;
    }
    format!("{hash:016x}\n")
}
