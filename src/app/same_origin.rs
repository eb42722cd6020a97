//! Refuses requests that other sites make a visitor's browser send (cross-site request forgery).

use super::Next;
use crate::http::{Error, Request, Response};

/// Makes a middleware that refuses requests which another site makes a visitor's browser send, with the visitor's cookies: 403, by
/// way of the error handlers. It needs no token in forms, no secret and no session.
///
/// GET, HEAD and OPTIONS pass, so they must not change anything; except a GET with `Upgrade`, since a WebSocket has the cookies
/// too, and any site may open one. All others pass if the browser says that they come from this site:
///
/// 1. `Sec-Fetch-Site` is there (all browsers since 2023 send it to `https` and `localhost`): `same-origin` and `none` (the visitor's own
///    doing) pass.
/// 2. Else `Origin` is there: it passes if its host and port are those of the request ([`Request::host`]).
/// 3. Neither is there: the client is no browser, and has no cookies of a visitor. The request passes.
///
/// Sub-domains are other sites. To trust other origins as well, use [`same_origin_or`]. (It is the rule of Go 1.25's
/// `CrossOriginProtection`.)
///
/// ```
/// # let sim = oneloop::sim::Sim::new();
/// use oneloop::app::{App, same_origin};
///
/// let mut app = App::new();
/// app.with(same_origin());
/// app.post("/transfer", |_req, res| res.end("done\n"));
/// # app.listen(80, ())?;
/// let own = sim.request("POST", "/transfer").header("Sec-Fetch-Site", "same-origin").send();
/// let forged = sim.request("POST", "/transfer").header("Sec-Fetch-Site", "cross-site").send();
/// assert_eq!((own.status(), forged.status()), (200, 403));
/// # std::io::Result::Ok(())
/// ```
pub fn same_origin() -> impl FnMut(Request, Response, Next) + 'static {
    same_origin_or(|_| false)
}

/// The same as [`same_origin`], but requests of origins that `trusts` returns true for pass as well. An origin is scheme, host
/// and perhaps port, as browsers write it: `https://admin.example`. `trusts` is never asked about `null`, since any page can have
/// that origin.
///
/// ```
/// # let sim = oneloop::sim::Sim::new();
/// use oneloop::app::{App, same_origin_or};
///
/// let mut app = App::new();
/// app.with(same_origin_or(|origin| origin == "https://admin.example"));
/// app.post("/transfer", |_req, res| res.end("done\n"));
/// # app.listen(80, ())?;
/// let admin = sim
///     .request("POST", "/transfer")
///     .header("Sec-Fetch-Site", "cross-site")
///     .header("Origin", "https://admin.example")
///     .send();
/// assert_eq!(admin.status(), 200);
/// # std::io::Result::Ok(())
/// ```
pub fn same_origin_or(mut trusts: impl FnMut(&str) -> bool + 'static) -> impl FnMut(Request, Response, Next) + 'static {
    move |req, _res, next| {
        if is_own(&req) || req.only("Origin").is_some_and(|origin| origin != "null" && trusts(origin)) {
            next.run();
        } else {
            next.fail(Error::new(403, "this request was sent by another site"));
        }
    }
}

/// Returns whether the request changes nothing, or comes from this site, or from no browser.
fn is_own(req: &Request) -> bool {
    let is_safe = matches!(req.method(), "GET" | "HEAD" | "OPTIONS") && !has(req, "Upgrade");
    if is_safe {
        return true;
    }
    if has(req, "Sec-Fetch-Site") {
        return matches!(req.only("Sec-Fetch-Site"), Some("same-origin" | "none"));
    }
    if !has(req, "Origin") {
        return true;
    }
    let host = req.only("Origin").and_then(|origin| origin.split_once("://")).map(|(_, host)| host);
    host.zip(req.host()).is_some_and(|(origin, host)| origin.eq_ignore_ascii_case(host))
}

fn has(req: &Request, name: &str) -> bool {
    req.header_bytes(name).is_some()
}
