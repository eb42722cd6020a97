//! The library's own answers: to a message that is no request, and in place of a handler that does not answer. Each says in plain
//! text what its status means and, in a few words, what was wrong. No part of the request is repeated in it.
//!
//! The phrase of a status is in `proto/h1/status.rs`. The status and the words for a refused message are in `proto/h1/fault.rs`.

use crate::proto::h1::{ConnectionField, Encoding, Framing, OutgoingResponse};

/// The text for a status whose cause has no text of its own. (A [`Fault`](crate::proto::h1::Fault) has its own text.)
pub(super) fn usual_words(status: u16) -> &'static str {
    match status {
        408 => "the request did not come in time",
        413 => "the content is larger than this server takes",
        417 => "this server cannot meet the expectation",
        501 => "this server does not implement the method",
        503 => "the server is too busy at the moment",
        // The phrase of the status is enough. The cause of a 500 goes only to the log.
        _ => "",
    }
}

/// Fields about the content that a handler meant to send. With an error, a text is sent instead of that content, and
/// these fields would be wrong for the text. The other fields are about the client or the resource, and are sent with
/// an error as well: `Allow`, `WWW-Authenticate`, `Access-Control-Allow-Origin`, cookies, policies.
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

/// Fields that do not depend on how far a handler has come, and that a client needs to be shown an answer at all: they are sent
/// even after a panic. Without the fields for CORS, the script of a page in a browser gets an error about CORS and does not see
/// the 500. A name that ends with `-` stands for all that begin with it.
#[cfg(feature = "app")]
pub(super) const KEPT: [&str; 14] = [
    "Access-Control-",
    "Allow",
    "Content-Security-Policy",
    "Content-Security-Policy-Report-Only",
    "Cross-Origin-",
    "Origin-Agent-Cluster",
    "Permissions-Policy",
    "Referrer-Policy",
    "Strict-Transport-Security",
    "Vary",
    "X-Content-Type-Options",
    "X-Frame-Options",
    "X-Permitted-Cross-Domain-Policies",
    "X-Request-Id",
];

/// Makes a head ready for another answer with this status. Removes [the fields about the content](OF_THE_CONTENT), and, if
/// `all_but_kept`, all others but [those that are kept](KEPT).
#[cfg(feature = "app")]
pub(super) fn prepare(head: &mut OutgoingResponse, status: u16, all_but_kept: bool) {
    let _ = head.set_reason("");
    let _ = head.set_status(status);
    head.remove("Content-Type");
    for name in OF_THE_CONTENT {
        head.remove(name);
    }
    if !all_but_kept {
        return;
    }
    let is_kept = |name: &str| {
        KEPT.iter().any(|kept| match name.get(..kept.len()) {
            Some(begin) => begin.eq_ignore_ascii_case(kept) && (kept.ends_with('-') || name.len() == kept.len()),
            None => false,
        })
    };
    let gone: Vec<String> =
        head.iter_bytes().map(|(name, _)| name).filter(|name| !is_kept(name)).map(str::to_owned).collect();
    for name in gone {
        head.remove(&name);
    }
}

/// Writes the status and the fields of a page of the layer above.
#[cfg(feature = "app")]
pub(super) fn write_page(head: &mut OutgoingResponse, status: u16, content_type: &str, retry_after: u32) {
    let _ = head.set_status(status);
    let _ = head.set("Content-Type", content_type);
    write_what_follows(head, status, retry_after);
}

/// Writes the status and the fields of an answer of the library into a head. Returns the content of the answer.
fn write(head: &mut OutgoingResponse, status: u16, words: &str) -> String {
    // None of these can fail: the status is the library's, and the others are literals.
    let _ = head.set_reason("");
    let _ = head.set_status(status);
    let _ = head.set("Content-Type", "text/plain; charset=utf-8");
    match words {
        "" => format!("{status} {}\n", head.reason()),
        words => format!("{status} {}: {words}\n", head.reason()),
    }
}

/// Encodes a whole response to a message that is no request. The response says that the connection closes. With `without_content` (the
/// message begins like a HEAD request) it has no content.
pub(super) fn encode(out: &mut Vec<u8>, status: u16, words: &str, date: &[u8; 29], without_content: bool) {
    let mut head = OutgoingResponse::new();
    let text = write(&mut head, status, words);
    let how =
        Encoding { framing: Framing::Length(text.len() as u64), date: Some(date), connection: ConnectionField::Close };
    head.encode(out, &how);
    if !without_content {
        out.extend_from_slice(text.as_bytes());
    }
}

/// Writes an answer in place of the handler's. The status and the fields that the handler has set are dropped. A 503 says that
/// the peer may try again after `retry_after` seconds, unless that is 0. Returns the content.
pub(super) fn write_instead(head: &mut OutgoingResponse, status: u16, words: &str, retry_after: u32) -> String {
    head.clear();
    let text = write(head, status, words);
    write_what_follows(head, status, retry_after);
    text
}

/// Writes the answer for an error of the handler. Its text is `words`, or the usual text of the status if `words` is empty.
/// Fields that the handler has set are kept, except [those about the content](OF_THE_CONTENT). Returns the content.
pub(super) fn write_error(head: &mut OutgoingResponse, status: u16, words: &str, retry_after: u32) -> String {
    for name in OF_THE_CONTENT {
        head.remove(name);
    }
    let text = match words {
        "" => write(head, status, usual_words(status)),
        words => {
            write(head, status, words);
            format!("{words}\n")
        }
    };
    write_what_follows(head, status, retry_after);
    text
}

/// Writes an answer to a request for a part that a file of `size` bytes does not have (RFC 9110, section 15.5.17). Returns the
/// content.
pub(super) fn write_unsatisfiable(head: &mut OutgoingResponse, size: u64) -> String {
    head.clear();
    let text = write(head, 416, usual_words(416));
    let _ = head.set("Content-Range", format!("bytes */{size}"));
    text
}

/// Writes the fields that say when the peer may try again, and that the connection closes.
fn write_what_follows(head: &mut OutgoingResponse, status: u16, retry_after: u32) {
    if status == 503 && retry_after > 0 {
        let _ = head.set("Retry-After", retry_after.to_string());
    }
    // The peer may be sending the refused body already. Its next bytes may belong to that body or to another request,
    // so the connection closes.
    if matches!(status, 413 | 417) {
        let _ = head.set("Connection", "close");
    }
}
