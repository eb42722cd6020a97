//! What all answers of the page have in common: the fields that protect it, and the forms of short answers.

use crate::http::Response;

/// Sets the fields by which browsers keep an answer from other sites and out of caches, and do not guess its media type.
pub(super) fn guard(res: &Response) {
    res.set_header(
        "Content-Security-Policy",
        "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    );
    res.set_header("X-Content-Type-Options", "nosniff");
    res.set_header("Cross-Origin-Resource-Policy", "same-origin");
    res.set_header("Referrer-Policy", "no-referrer");
    res.set_header("Cache-Control", "no-store");
}

pub(super) fn refuse(res: &Response, status: u16, why: &str) {
    res.set_header("Content-Type", "text/plain; charset=utf-8");
    res.set_status(status).end(why);
}

pub(super) fn json(res: &Response, text: String) {
    res.set_header("Content-Type", "application/json");
    res.end(text);
}
