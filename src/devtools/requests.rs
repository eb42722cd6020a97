//! The requests that a server has yet to answer, and its routes.

use super::json::{self, Object};
use crate::http::{OpenExchange, Server};

/// How many requests are listed.
const OLDEST: usize = 20;
/// How many routes are listed.
const ROUTES: usize = 50;
/// How many characters of a path or prefix are shown: a target may have 16 KiB, and each message goes to all open pages.
const PATH: usize = 200;

/// Writes the open requests and the routes. Requests below the prefix `own` are the page's own and are left out.
pub(super) fn write(all: &mut Object<'_>, server: &Server, own: &str) {
    let (count, oldest) = server.oldest_exchanges(OLDEST, own);
    json::object(all.name("open"), |all| {
        all.number("count", count);
        json::list(all.name("oldest"), &oldest, |out, open| json::object(out, |all| write_open(all, open)));
    });
    json::list(all.name("routes"), server.routes().iter().take(ROUTES), |out, route| {
        let registered = route.registered.to_string();
        let words = [cut(route.prefix.as_deref().unwrap_or_default()), registered];
        json::list(out, &words, |out, text| json::string(out, text));
    });
}

fn write_open(all: &mut Object<'_>, open: &OpenExchange) {
    all.string("m", &cut(&open.method));
    all.string("p", &cut(&open.path));
    if let Some(route) = &open.route {
        all.string("rt", &cut(route));
    }
    all.micros("a", open.age);
    all.string("r", &open.remote_addr.to_string());
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(PATH) {
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()),
        None => text.to_owned(),
    }
}
