//! The handshake: which requests get a socket, and which answer the others get (RFC 6455, 4.2).

use super::connection::{Agreed, Connection, Endpoint, EndpointCore, Opened, Verdict, Verify, WebSocket};
use crate::callback::discard;
use crate::http::{Error, Request, Response};
use crate::net::HandedOver;
use crate::notice;
use crate::proto::ws::{Role, VERSION, accept, choose_protocol};
use std::rc::Rc;

/// The protocol's name, as `Upgrade` has it.
pub(super) const PROTOCOL: &str = "websocket";

impl Endpoint {
    /// Gives a request its socket, or answers it with an error. Call this in any handler, at once or later. Returns `None` if the
    /// request gets no socket: then it has been answered, or its exchange is over.
    ///
    /// Use it where [`mount`](super::mount) is not enough: behind the middleware of an application (feature `app`), or if the
    /// program first has to find out who the client is. Bytes that the client sends before this call are not lost. The fields
    /// that are set in the response are sent with the 101, but no stage of a middleware adds others: a session (feature `sessions`) that
    /// begins in this request gets no cookie. The callback of [`verify`](Endpoint::verify) is not called, since the
    /// program has decided already.
    ///
    /// | the request | answer |
    /// |---|---|
    /// | is no GET | 405 |
    /// | does not offer `Upgrade: websocket`, or has content | 426 |
    /// | has a `Sec-WebSocket-Version` other than 13 | 426, with `Sec-WebSocket-Version: 13` |
    /// | has no `Sec-WebSocket-Key`, several, or one that is not 16 bytes in base64 | 400 |
    /// | comes from a page of an origin that is not [allowed](Endpoint::origins) | 403 |
    /// | is one too many for [`Limits::sockets`](super::Limits::sockets), or the server is closing | 503 |
    ///
    /// ```
    /// use oneloop::{http, worker, ws};
    ///
    /// let chat = ws::Endpoint::new();
    /// chat.on_message(|socket, message| socket.send(message).ignore());
    /// let server = http::create_server(move |req, res| {
    ///     let (chat, token) = (chat.clone(), req.query().unwrap_or_default().to_owned());
    ///     let is_known = move || token == "the result of a slow look-up";
    ///     worker::run(is_known, move |known| match known {
    ///         Ok(true) => drop(chat.accept(&req, res)),
    ///         _ => res.set_status(401).end("who are you?\n"),
    ///     });
    /// });
    /// ```
    pub fn accept(&self, req: &Request, res: Response) -> Option<WebSocket> {
        if let Err(error) = self.check(req, &res) {
            self.refuse(&res, error);
            return None;
        }
        let protocol = self.agree(req);
        if let Some(name) = &protocol {
            res.set_header("Sec-WebSocket-Protocol", &**name);
        }
        #[cfg(feature = "deflate")]
        let deflate = self.agree_on_deflate(req);
        #[cfg(feature = "deflate")]
        if let Some(answer) = &deflate {
            res.set_header("Sec-WebSocket-Extensions", answer.to_string());
        }
        let lp = req.0.lp()?;
        let connection = Rc::new(Connection::new(&self.0, Role::Server, lp.now()));
        let Some(HandedOver { stream, .. }) = res.switch_to(PROTOCOL, connection.clone()) else {
            for name in ["Sec-WebSocket-Accept", "Sec-WebSocket-Protocol", "Sec-WebSocket-Extensions"] {
                res.remove_header(name);
            }
            self.refuse(&res, Error::new(426, "the connection cannot change to a WebSocket"));
            return None;
        };
        if let Some(name) = protocol {
            let _ = connection.protocol.set(Box::new(Agreed(name)));
        }
        if self.name().is_empty() {
            self.set_name(&req.0.route().unwrap_or_else(|| req.path().into()));
        }
        #[cfg(feature = "deflate")]
        if let Some(answer) = deflate {
            connection.agree(answer.server_window());
        }
        connection.place.set(self.0.sockets.borrow_mut().insert(connection.clone()));
        connection.opened.set(Some(Box::new(Opened::By(req.clone()))));
        stream.need_due(connection.ping_at(&self.0.limits.borrow()));
        let _ = connection.stream.set(stream);
        self.0.accepted.set(self.0.accepted.get() + 1);
        Some(WebSocket(connection))
    }

    fn refuse(&self, res: &Response, error: Error) {
        self.0.refused.set(self.0.refused.get() + 1);
        if !res.is_ended() {
            res.fail(error);
        }
    }

    /// Checks the request, and sets the fields that belong to the answer.
    fn check(&self, req: &Request, res: &Response) -> Result<(), Error> {
        if req.method() != "GET" {
            res.set_header("Allow", "GET");
            return Err(Error::new(405, "a WebSocket is asked for by GET"));
        }
        if !req.0.head().offers(PROTOCOL) {
            res.set_header("Upgrade", PROTOCOL);
            return Err(Error::new(426, "a WebSocket is to be had here, and nothing else"));
        }
        let mut versions = req.header_all_bytes("sec-websocket-version");
        if versions.next() != Some(VERSION.as_bytes()) || versions.next().is_some() {
            res.set_header("Sec-WebSocket-Version", VERSION);
            return Err(Error::new(426, "only version 13 of the protocol is spoken here"));
        }
        let mut keys = req.header_all_bytes("sec-websocket-key");
        let accepted = keys.next().and_then(accept).filter(|_| keys.next().is_none());
        let Some(accepted) = accepted else {
            return Err(Error::new(400, "Sec-WebSocket-Key has to be 16 bytes in base64"));
        };
        self.check_origin(req)?;
        if self.0.sockets.borrow().len() >= self.0.limits.borrow().sockets {
            return Err(Error::new(503, "there are too many sockets"));
        }
        if req.0.is_server_closing() {
            return Err(Error::new(503, "the server is closing"));
        }
        res.set_header("Sec-WebSocket-Accept", accepted);
        Ok(())
    }

    fn check_origin(&self, req: &Request) -> Result<(), Error> {
        let host = req.host().unwrap_or_default();
        let allowed = self.0.origins.borrow().clone();
        let mut refused = req
            .header_all_bytes("origin")
            .filter(|origin| !std::str::from_utf8(origin).is_ok_and(|origin| allowed.allow(origin, host)));
        let Some(origin) = refused.next() else { return Ok(()) };
        let origin = String::from_utf8_lossy(origin);
        if self.0.warned.replace(true) {
            log::debug!(target: "oneloop::ws", "{origin:?} may not open a socket of {host:?}");
        } else {
            notice::warn!(
                target: "oneloop::ws",
                "a page of {origin:?} may not open a socket here: the request is for the host {host:?}. If it may, or a proxy \
                 changes the Host field, call endpoint.origins(ws::Origins::only([{origin:?}])). Further refusals are logged as debug."
            );
        }
        Err(Error::new(403, "pages of this origin may not open a socket here"))
    }

    /// The first of our subprotocols that the client offers.
    fn agree(&self, req: &Request) -> Option<Box<str>> {
        let ours = self.0.protocols.borrow().clone();
        let names: Vec<&str> = ours.iter().map(String::as_str).collect();
        let chosen = choose_protocol(&names, req.header_all_bytes("sec-websocket-protocol"));
        if chosen.is_none() && req.header_bytes("sec-websocket-protocol").is_some() {
            log::debug!(
                target: "oneloop::ws",
                "none of the subprotocols that the client offers is one of {names:?}: browsers close the socket then"
            );
        }
        chosen.map(Into::into)
    }

    /// Answers a request below the endpoint's prefix.
    pub(super) fn take(&self, req: &Request, res: Response) {
        let mut lent = Lent { verify: self.0.verify.take(), core: &self.0 };
        let verdict = lent.verify.as_mut().map_or(Verdict::Accept, |verify| verify(req));
        drop(lent);
        match verdict {
            Verdict::Accept => drop(self.accept(req, res)),
            Verdict::Refuse(status) => self.refuse(&res, Error::new(status, "")),
        }
    }
}

/// The callback of [`Endpoint::verify`] while it runs. The callback is put back even if it panics, unless it has set another one.
/// Otherwise the next request would be accepted without a check.
struct Lent<'a> {
    core: &'a EndpointCore,
    verify: Option<Verify>,
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        let newer = self.core.verify.take();
        let (kept, replaced) = if newer.is_some() { (newer, self.verify.take()) } else { (self.verify.take(), None) };
        self.core.verify.set(kept);
        discard(replaced);
    }
}
