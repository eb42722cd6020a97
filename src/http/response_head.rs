//! The head of a response: its status and fields, informational responses before it, and trailers.

use super::field_value::FieldValue;
use super::outgoing::Phase;
use super::response::Response;
use crate::net::CloseReason;
use crate::notice;
use crate::proto::h1::{FieldError, is_allowed_trailer};

impl Response {
    /// Returns whether the head can still be changed. If not, logs the late call.
    fn is_open(&self, what: &str) -> bool {
        let open = self.0.outgoing().is_changeable() && !self.0.is_over();
        if !open {
            self.head_is_late(what);
        }
        open
    }

    /// Logs a change of a head that was sent. Such a change is a mistake of the program, and the client sees only that a field
    /// is missing. So the line is a warning. (Node throws `ERR_HTTP_HEADERS_SENT`.) It is no mistake if the client has gone, or
    /// if the request has failed and is answered in another place, since the program need not know that. Then the line has the
    /// level debug.
    #[cold]
    fn head_is_late(&self, what: &str) {
        let failed = matches!(self.0.outgoing().phase(), Phase::Failed);
        if failed || self.0.is_over() || self.0.is_closed() {
            self.is_late(what, "the head was sent");
        } else {
            notice::warn!(target: "oneloop::http", "{}: {what} does nothing: the head was sent before", *self.0);
        }
    }

    /// Gives up the response (500) if a field or status would have corrupted it.
    fn check(&self, what: &str, result: Result<(), FieldError>) {
        if let Err(error) = result {
            self.refuse(what, &error);
        }
    }

    #[cold]
    fn refuse(&self, what: &str, error: &FieldError) {
        notice::error!(target: "oneloop::http", "{}: {what}: {error}; answered 500", *self.0);
        self.0.give_up(500, CloseReason::BadResponse);
    }

    /// Logs a bad status. It is apart from `refuse`, because without a logger each place in the source prints only its
    /// first message.
    #[cold]
    fn refuse_status(&self, error: &FieldError) {
        notice::error!(target: "oneloop::http", "{}: set_status: {error}; answered 500", *self.0);
        self.0.give_up(500, CloseReason::BadResponse);
    }

    // ---- The head

    /// The status: 200 unless another one was set. To set it (Express's `res.status(404)`) there is [`set_status`](Response::set_status).
    pub fn status(&self) -> u16 {
        self.0.outgoing().head().borrow().status()
    }

    /// Sets the status, from 200 to 999. For informational ones see [`write_informational`](Response::write_informational).
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// let server = oneloop::http::create_server(|_req, res| res.set_status(404).end("no such page\n"));
    /// # server.listen(80, ()).unwrap();
    /// # assert_eq!(sim.request("GET", "/").send().status(), 404);
    /// ```
    pub fn set_status(&self, status: u16) -> &Self {
        if self.is_open("set_status") {
            let result = match status {
                200.. => self.0.outgoing().head().borrow_mut().set_status(status),
                _ => Err(FieldError::Status),
            };
            if let Err(error) = result {
                self.refuse_status(&error);
            }
        }
        self
    }

    /// Sets the reason phrase after the status. Clients ignore it. By default it is the usual phrase for the status.
    pub fn set_status_message(&self, message: &str) -> &Self {
        if self.is_open("set_status_message") {
            let result = self.0.outgoing().head().borrow_mut().set_reason(message);
            self.check("set_status_message", result);
        }
        self
    }

    /// Sets a field and removes all others with this name. A field that would split or corrupt the response (a line end in
    /// the value, a blank in the name) is answered 500 and logged; see [`try_set_header`](Response::try_set_header).
    ///
    /// The value is text, a number, or bytes. It is sent unchanged, text as UTF-8. Bytes above ASCII are opaque data (RFC
    /// 9110, 5.5), which not every client reads as UTF-8. To be safe, percent-encode them, as in `attachment;
    /// filename*=UTF-8''na%C3%AFve.txt` (RFC 8187).
    ///
    /// ```
    /// # oneloop::http::create_server(|req, res| {
    /// res.set_header("Content-Type", "text/plain; charset=utf-8").set_header("Content-Length", 5);
    /// if let Some(tag) = req.header_bytes("X-Tag") {
    ///     res.set_header("X-Tag", tag); // byte for byte
    /// }
    /// res.end("seeds")
    /// # });
    /// ```
    #[inline]
    pub fn set_header(&self, name: &str, value: impl FieldValue) -> &Self {
        if self.is_open("set_header") {
            let result = value.with(|value| self.0.outgoing().head().borrow_mut().set(name, value));
            self.check(name, result);
        }
        self
    }

    /// Sets a field and removes all others with this name.
    ///
    /// # Errors
    /// If the field would split or corrupt the response. Then nothing is changed.
    pub fn try_set_header(&self, name: &str, value: impl FieldValue) -> Result<(), FieldError> {
        if self.is_open("try_set_header") {
            return value.with(|value| self.0.outgoing().head().borrow_mut().set(name, value));
        }
        Ok(())
    }

    /// Adds a field after those with the same name (`Set-Cookie`). A field that would split or corrupt the response is
    /// answered 500 and logged; see [`try_append_header`](Response::try_append_header).
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// let server = oneloop::http::create_server(|_req, res| {
    ///     res.append_header("Set-Cookie", "theme=dark").append_header("Set-Cookie", "lang=en; Max-Age=86400");
    ///     res.end("two cookies\n");
    /// });
    /// # server.listen(80, ()).unwrap();
    /// # assert_eq!(sim.request("GET", "/").send().header_all("set-cookie").count(), 2);
    /// ```
    pub fn append_header(&self, name: &str, value: impl FieldValue) -> &Self {
        if self.is_open("append_header") {
            let result = value.with(|value| self.0.outgoing().head().borrow_mut().append(name, value));
            self.check(name, result);
        }
        self
    }

    /// Adds a field after those with the same name. Use it for fields that come from elsewhere, as in a proxy.
    ///
    /// # Errors
    /// If the field would split or corrupt the response, or if it is a second Content-Length or Transfer-Encoding. Then nothing
    /// is changed.
    pub fn try_append_header(&self, name: &str, value: impl FieldValue) -> Result<(), FieldError> {
        if self.is_open("try_append_header") {
            return value.with(|value| self.0.outgoing().head().borrow_mut().append(name, value));
        }
        Ok(())
    }

    /// Adds an element to a field that is a list, unless it is there already: see
    /// [`OutgoingFields::merge`](crate::proto::h1::OutgoingFields::merge).
    #[cfg(feature = "app")]
    pub(crate) fn merge_header(&self, name: &str, element: &str) {
        if self.is_open("merge_header") {
            let result = self.0.outgoing().head().borrow_mut().fields_mut().merge(name, element);
            self.check(name, result);
        }
    }

    /// Removes all fields with this name.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// let server = oneloop::http::create_server(|_req, res| {
    ///     res.set_header("Cache-Control", "max-age=60");
    ///     // … and where it turns out that the page is for one user only:
    ///     res.remove_header("Cache-Control").end("private\n");
    /// });
    /// # server.listen(80, ()).unwrap();
    /// # assert_eq!(sim.request("GET", "/").send().header("cache-control"), None);
    /// ```
    pub fn remove_header(&self, name: &str) -> &Self {
        if self.is_open("remove_header") {
            self.0.outgoing().head().borrow_mut().remove(name);
        }
        self
    }

    /// The value that was set for this name, or the first if there are several. `None` if it is not UTF-8.
    pub fn header(&self, name: &str) -> Option<String> {
        self.0.outgoing().head().borrow().get(name).map(str::to_owned)
    }

    /// Like [`header`](Response::header), but returns bytes, which need not be UTF-8.
    pub fn header_bytes(&self, name: &str) -> Option<Vec<u8>> {
        self.0.outgoing().head().borrow().get_bytes(name).map(<[u8]>::to_owned)
    }

    /// Returns whether a field with this name is set.
    pub fn has_header(&self, name: &str) -> bool {
        self.0.outgoing().head().borrow().has(name)
    }

    /// Sets the status and fields. After this call the program cannot change the head any more. The head is sent with the first
    /// part of the body, so `end` can still add the length. (In Node, the response is chunked after this call.)
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// let server = oneloop::http::create_server(|_req, res| {
    ///     res.write_head(302, &[("Location", "/new"), ("Cache-Control", "no-store")]).end(());
    /// });
    /// # server.listen(80, ()).unwrap();
    /// # assert_eq!(sim.request("GET", "/old").send().header("location"), Some("/new"));
    /// ```
    pub fn write_head(&self, status: u16, fields: &[(&str, &str)]) -> &Self {
        self.set_status(status);
        for (name, value) in fields {
            self.set_header(name, *value);
        }
        self.0.outgoing().fix_head();
        self
    }

    /// Sends the head now, before there is a body.
    ///
    /// ```
    /// let server = oneloop::http::create_server(|_req, res| {
    ///     // The browser's EventSource is open from here on, though there is no event yet.
    ///     res.set_header("Content-Type", "text/event-stream").flush_headers();
    ///     oneloop::set_timeout(std::time::Duration::from_secs(5), move || res.end("data: at last\n\n"));
    /// });
    /// ```
    pub fn flush_headers(&self) {
        if !self.0.outgoing().is_refused() {
            self.0.send_head();
        }
    }

    /// Returns whether the head can no longer be changed: it was sent, or `write_head` was called.
    pub fn headers_sent(&self) -> bool {
        !self.0.outgoing().is_changeable()
    }

    /// Sends `100 Continue` if the peer waits for it before it sends the body. [`on_data`](super::Request::on_data)
    /// sends it by itself.
    ///
    /// ```
    /// let server = oneloop::http::create_server(|req, res| res.end(req.path()));
    /// server.on_check_continue(|req, res| {
    ///     if req.header("Authorization").is_none() {
    ///         return res.set_status(401).end(()); // the body stays where it is
    ///     }
    ///     res.write_continue();
    ///     req.read_body(1024 * 1024, move |_body| res.end("taken\n"));
    /// });
    /// ```
    pub fn write_continue(&self) {
        if self.0.incoming().take_continue() {
            self.write_informational(100, &[]);
        }
    }

    /// Sends `103 Early Hints` with fields such as `Link`.
    ///
    /// ```
    /// let server = oneloop::http::create_server(|_req, res| {
    ///     res.write_early_hints(&[("Link", "</style.css>; rel=preload; as=style")]);
    ///     // The browser fetches the style while the page is being made.
    ///     oneloop::set_timeout(std::time::Duration::from_millis(50), move || res.end("<link rel=stylesheet href=style.css>"));
    /// });
    /// ```
    pub fn write_early_hints(&self, fields: &[(&str, &str)]) {
        self.write_informational(103, fields);
    }

    /// Sends an informational response. There may be any number of them before the final response. An HTTP/1.0 peer gets none.
    pub fn write_informational(&self, status: u16, fields: &[(&str, &str)]) {
        let speaks = self.0.head().version() != crate::proto::h1::Version::Http10;
        if self.0.outgoing().phase() == Phase::Open && speaks {
            self.0.inform(status, fields);
        }
    }

    /// Sets fields that follow the body, if it is chunked. Fields that are not allowed there are left out and logged.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// let server = oneloop::http::create_server(|_req, res| {
    ///     res.write("part one, ").ignore();
    ///     res.add_trailers(&[("Checksum", "3f2a")]).end("part two");
    /// });
    /// # server.listen(80, ()).unwrap();
    /// # let reply = sim.request("GET", "/").send();
    /// # assert_eq!((reply.text(), reply.trailers().next()), ("part one, part two".to_owned(), Some(("Checksum", "3f2a"))));
    /// ```
    pub fn add_trailers(&self, fields: &[(&str, &str)]) -> &Self {
        for (name, value) in fields {
            self.add_trailer(name, *value);
        }
        self
    }

    /// Adds one field that follows the body.
    pub fn add_trailer(&self, name: &str, value: impl FieldValue) -> &Self {
        if !is_allowed_trailer(name) {
            notice::error!(target: "oneloop::http", "{}: {name} may not be a trailer", *self.0);
        } else if let Err(error) = value.with(|value| self.0.outgoing().trailers().borrow_mut().push(name, value)) {
            notice::error!(target: "oneloop::http", "{}: trailer {name}: {error}", *self.0);
        }
        self
    }
}
