//! The answers that are the library's own: to a message that is no request, and where no handler answers. Each says in
//! plain text what its status means and, in a few words, why it came. Nothing of the request is repeated in it.

use super::exchange::Exchange;
use crate::proto::h1::{ConnectionField, Encoding, Framing, ResponseHead};

/// What is said with a status whose cause has no words of its own, as a [`Fault`](crate::proto::h1::Fault) has them.
pub(super) fn usual_words(status: u16) -> &'static str {
    match status {
        408 => "the request did not come in time",
        413 => "the content is larger than this server takes",
        417 => "this server cannot meet the expectation",
        501 => "this server does not implement the method",
        503 => "the server is too busy at the moment",
        // The phrase says it; or, with 500, what failed is for the log.
        _ => "",
    }
}

/// What a handler has set about the content that it meant to send: untrue of the text that an error sends in its place. The
/// other fields are about the client or the resource, and wanted with an error as well: `Allow`, `WWW-Authenticate`,
/// `Access-Control-Allow-Origin`, cookies, policies.
const OF_THE_CONTENT: [&str; 15] = [
    "Accept-Ranges",
    "Cache-Control",
    "Content-Digest",
    "Content-Disposition",
    "Content-Encoding",
    "Content-Language",
    "Content-Length",
    "Content-Location",
    "Content-Range",
    "ETag",
    "Expires",
    "Last-Modified",
    "Repr-Digest",
    "Trailer",
    "Transfer-Encoding",
];

/// Status and fields of such an answer, into a head; and its content.
fn write(head: &mut ResponseHead, status: u16, words: &str) -> String {
    // None can fail: the status is one of ours, the others are literals.
    let _ = head.set_reason("");
    let _ = head.set_status(status);
    let _ = head.set("Content-Type", "text/plain; charset=utf-8");
    match words {
        "" => format!("{status} {}\n", head.reason()),
        words => format!("{status} {}: {words}\n", head.reason()),
    }
}

/// A whole response to something that is no request, which says that it is the connection's last. No content, where HEAD
/// asked.
pub(super) fn encode(out: &mut Vec<u8>, status: u16, words: &str, date: &[u8; 29], to_head: bool) {
    let mut head = ResponseHead::new();
    let text = write(&mut head, status, words);
    let how =
        Encoding { framing: Framing::Length(text.len() as u64), date: Some(date), connection: ConnectionField::Close };
    head.encode(out, &how);
    if !to_head {
        out.extend_from_slice(text.as_bytes());
    }
}

impl Exchange {
    /// Answers a request in place of its handler. What that has set is not for this answer.
    pub fn answer(&self, status: u16, words: &str) {
        self.answer_in_text(status, |head| {
            head.clear();
            write(head, status, words)
        });
    }

    /// The same with an error of the handler's, whose words are all that it says; without any, the usual ones. What the
    /// handler has set is kept, but for [what is said of the content](OF_THE_CONTENT).
    pub fn answer_error(&self, status: u16, words: &str) {
        self.answer_in_text(status, |head| {
            for name in OF_THE_CONTENT {
                head.remove(name);
            }
            match words {
                "" => write(head, status, usual_words(status)),
                words => {
                    write(head, status, words);
                    format!("{words}\n")
                }
            }
        });
    }

    fn answer_in_text(&self, status: u16, write: impl FnOnce(&mut ResponseHead) -> String) {
        if !self.is_carried() {
            return;
        }
        let text = {
            let mut head = self.outgoing().head().borrow_mut();
            let text = write(&mut head);
            if status == 503 && self.outgoing().retry_after() > 0 {
                let _ = head.set("Retry-After", self.outgoing().retry_after().to_string());
            }
            // Where we do not take what the peer has to send, what it sends next is not to be guessed at.
            if matches!(status, 413 | 417) {
                let _ = head.set("Connection", "close");
            }
            text
        };
        self.send(text.into(), true).ignore();
    }
}
