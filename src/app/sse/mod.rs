//! Server-sent events: a response that goes on, in the format that a browser's `EventSource` reads (HTML standard, 9.2).
//!
//! ```text
//!   res.sse() ─► Events: one reader ──────────────┐
//!                                                 ├─► id, event, data ─► the response, until one side ends it
//!   Channel: many readers, and the last events ───┘   a comment every 15 s
//! ```

mod channel;
mod event;
mod events;

pub use channel::Channel;
pub use event::{Event, EventError};
pub use events::Events;

use crate::http::Response;
use crate::net::Overflow;
use std::time::Duration;

/// How often a comment is sent. Proxies cut connections on which nothing comes, most of them after 30 s or 60 s; and without
/// a write, nobody notices that a reader has gone.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// A line that readers skip.
const COMMENT: &[u8] = b":\n\n";
/// How many bytes may wait for a reader that does not take them: a few hundred events.
const PENDING: usize = 64 * 1024;

/// Makes a response a stream of events and sends its head. Returns whether events may be sent after that.
fn open(res: &Response) -> bool {
    res.set_header("Content-Type", "text/event-stream")
        .set_header("Cache-Control", "no-store, no-transform")
        // nginx buffers the answers that it passes on, unless this field forbids it.
        .set_header("X-Accel-Buffering", "no")
        .set_pending_limit(PENDING, Overflow::Close);
    res.go_on()
}
