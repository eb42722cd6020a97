//! What a client accepts, and what it has sent.

use super::super::media_names;
use crate::http::Request;
use crate::proto::media_type::MediaType;
use crate::proto::negotiation::{self, best};

impl Request {
    /// The media type of `offers` that the client wants most, by its `Accept` field (RFC 9110, 12.5.1); `None` if it wants none of
    /// them. An offer is a media type, or the extension of its files: `"json"`, `"html"`; `"text"` is `text/plain`. An offer that
    /// is none of these is never chosen.
    ///
    /// The quality that the client gives decides, then how exactly the client names the offer, then your order: put first what
    /// you prefer to send. (In Express the client's order goes before yours; RFC 9110 gives it no meaning.) Without the field
    /// the client accepts everything, so the first offer is returned.
    ///
    /// The answer depends on a field of the request, so caches must know: set `Vary: Accept`, whatever is returned.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// let server = oneloop::http::create_server(|req, res| {
    ///     res.set_header("Vary", "Accept");
    ///     match req.accepts(&["html", "json"]) {
    ///         Some("html") => res.set_header("Content-Type", "text/html").end("<p>hello"),
    ///         Some(_) => res.set_header("Content-Type", "application/json").end(r#"{"hello":true}"#),
    ///         None => res.set_status(406).end(()),
    ///     }
    /// });
    /// # server.listen(80, ()).unwrap();
    /// let reply = sim.request("GET", "/").header("Accept", "application/json, */*;q=0.1").send();
    /// assert_eq!(reply.text(), r#"{"hello":true}"#);
    /// ```
    pub fn accepts<'o>(&self, offers: &[&'o str]) -> Option<&'o str> {
        best(offers, |offer| {
            let offer = MediaType::read(media_names::in_full(offer)?)?;
            negotiation::media_type(self.header_all("Accept"), &offer)
        })
    }

    /// The content coding of `offers` that the client wants most, by its `Accept-Encoding` field (RFC 9110, 12.5.3); `None` if it
    /// can decode none of them. `"identity"` is no coding: every client accepts it, and wants every other coding that it accepts
    /// more, unless its field says otherwise. Equally wanted codings: the first offer is returned. Without the field the client
    /// accepts `"identity"` only.
    ///
    /// Set `Vary: Accept-Encoding`, whatever is returned.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// let server = oneloop::http::create_server(|req, res| {
    ///     res.set_header("Vary", "Accept-Encoding");
    ///     res.end(match req.accepts_encodings(&["br", "gzip"]) {
    ///         Some(coding) => format!("could be sent with {coding}\n"),
    ///         None => "is sent as it is\n".to_owned(),
    ///     });
    /// });
    /// # server.listen(80, ()).unwrap();
    /// let browser = sim.request("GET", "/").header("Accept-Encoding", "gzip, deflate, br").send();
    /// assert_eq!(browser.text(), "could be sent with br\n");
    /// ```
    pub fn accepts_encodings<'o>(&self, offers: &[&'o str]) -> Option<&'o str> {
        best(offers, |offer| negotiation::encoding(self.header_all("Accept-Encoding"), offer))
    }

    /// The language of `offers` that the client wants most, by its `Accept-Language` field (RFC 9110, 12.5.4); `None` if it wants
    /// none of them. `"en"` is also accepted by a client that asks for `en-GB`, and `"en-GB"` by one that asks for `en`. Equally
    /// wanted languages: the first offer is returned. Without the field that is the first of all.
    ///
    /// Set `Vary: Accept-Language`, whatever is returned.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// let server = oneloop::http::create_server(|req, res| {
    ///     res.set_header("Vary", "Accept-Language");
    ///     res.end(match req.accepts_languages(&["en", "de"]) {
    ///         Some("de") => "Guten Tag\n",
    ///         _ => "Good day\n",
    ///     });
    /// });
    /// # server.listen(80, ()).unwrap();
    /// let reply = sim.request("GET", "/").header("Accept-Language", "de-AT, en;q=0.7").send();
    /// assert_eq!(reply.text(), "Guten Tag\n");
    /// ```
    pub fn accepts_languages<'o>(&self, offers: &[&'o str]) -> Option<&'o str> {
        best(offers, |offer| negotiation::language(self.header_all("Accept-Language"), offer))
    }

    /// The charset of `offers` that the client wants most, by its `Accept-Charset` field (RFC 9110, 12.5.2); `None` if it wants
    /// none of them. Without the field it is the first offer. Browsers send this field no more: UTF-8 is what everybody reads.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// let server = oneloop::http::create_server(|req, res| match req.accepts_charsets(&["utf-8"]) {
    ///     Some(_) => res.end("grüezi\n"),
    ///     None => res.set_status(406).end(()),
    /// });
    /// # server.listen(80, ()).unwrap();
    /// assert_eq!(sim.request("GET", "/").header("Accept-Charset", "koi8-r").send().status(), 406);
    /// ```
    pub fn accepts_charsets<'o>(&self, offers: &[&'o str]) -> Option<&'o str> {
        best(offers, |offer| negotiation::charset(self.header_all("Accept-Charset"), offer))
    }

    /// Returns whether the body has this media type, by the `Content-Type` field. The type is given in full (`"image/png"`), as a
    /// range (`"image/*"`), by the extension of its files (`"json"`, `"html"`), by the suffix of its subtype (`"+json"`), or as
    /// `"text"`, `"urlencoded"` (what HTML forms send) or `"multipart"`. Case does not count, parameters only if you name them.
    /// Without the field, or if it breaks the grammar of media types, this returns false for every type.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// let server = oneloop::http::create_server(|req, res| {
    ///     if !req.is("json") && !req.is("+json") {
    ///         return res.set_status(415).end("send JSON, please\n");
    ///     }
    ///     res.end("thank you\n")
    /// });
    /// # server.listen(80, ()).unwrap();
    /// let json = sim.request("POST", "/").header("Content-Type", "application/json; charset=utf-8").body("{}");
    /// assert_eq!(json.send().status(), 200);
    /// assert_eq!(sim.request("POST", "/").header("Content-Type", "text/plain").body("{}").send().status(), 415);
    /// ```
    pub fn is(&self, media_type: &str) -> bool {
        let content = self.header("Content-Type").and_then(MediaType::read);
        content.is_some_and(|content| media_names::is_named(&content, media_type))
    }
}
