//! The files of the page, and the check of who may give orders.

use oneloop::http::{Request, Response};

const PARTS: &[(&str, &str, &str)] = &[
    ("/", "text/html; charset=utf-8", include_str!("page/index.html")),
    ("/demo.css", "text/css; charset=utf-8", include_str!("page/demo.css")),
    ("/demo.js", "text/javascript; charset=utf-8", include_str!("page/demo.js")),
    ("/try.js", "text/javascript; charset=utf-8", include_str!("page/try.js")),
    ("/quiz.js", "text/javascript; charset=utf-8", include_str!("page/quiz.js")),
];

pub fn answer(path: &str, res: &Response) {
    guard(res);
    match PARTS.iter().find(|(name, _, _)| *name == path) {
        Some((_, kind, content)) => {
            res.set_header("Content-Type", *kind);
            res.end(*content);
        }
        None => res.set_status(404).end("There is no such page.\n"),
    }
}

pub fn json(res: &Response, text: String) {
    guard(res);
    res.set_header("Content-Type", "application/json");
    res.end(text);
}

fn guard(res: &Response) {
    res.set_header(
        "Content-Security-Policy",
        "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    );
    res.set_header("X-Content-Type-Options", "nosniff");
    res.set_header("Cross-Origin-Resource-Policy", "same-origin");
    res.set_header("Cache-Control", "no-store");
}

/// Returns whether a request was made by this page. A browser names the page in a POST. Other programs name none, and are
/// no danger: no web site can make them send a request.
pub fn is_from_here(req: &Request) -> bool {
    let host = req.host().unwrap_or_default();
    let is_ours =
        |from: &[u8]| from.strip_prefix(b"http://").is_some_and(|from| from.eq_ignore_ascii_case(host.as_bytes()));
    // Compared as bytes, so that a value that is not UTF-8 counts too.
    req.header_bytes("origin").is_none_or(is_ours)
        && req.header_bytes("sec-fetch-site").is_none_or(|site| site == b"same-origin")
}
