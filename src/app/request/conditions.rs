//! The conditions of a request: which state of a resource the client has already, and which part of it the client wants.

use crate::http::Request;
use crate::http::range::Selection;

impl Request {
    /// Returns whether the client has the present state of what you are about to send, so that 304 without a body is enough (RFC
    /// 9110, 13). Call it when you have set `ETag` ([`etag_from`](crate::http::Response::etag_from)) or `Last-Modified`: it compares
    /// these with the `If-None-Match` or `If-Modified-Since` of the request. False for methods other than GET and HEAD, and for a
    /// status that is not 200.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// let server = oneloop::http::create_server(|req, res| {
    ///     res.set_header("ETag", "\"version-7\"");
    ///     if req.is_fresh() {
    ///         return res.set_status(304).end(());
    ///     }
    ///     res.end("what takes long to make\n")
    /// });
    /// # server.listen(80, ()).unwrap();
    /// assert_eq!(sim.request("GET", "/").header("If-None-Match", "\"version-7\"").send().status(), 304);
    /// assert_eq!(sim.request("GET", "/").header("If-None-Match", "\"version-6\"").send().status(), 200);
    /// ```
    pub fn is_fresh(&self) -> bool {
        self.response().status() == 200 && self.is_not_modified()
    }

    /// Returns whether a request that changes something may do so, by its preconditions (RFC 9110, 13.2.2); if not, answer 412.
    /// `If-Match` and `If-Unmodified-Since` must fit the `ETag` and `Last-Modified` that you have set, which are those of the
    /// state before the change; `If-None-Match: *` wants that there is nothing yet. So if two people change the same thing, the
    /// second does not undo the change of the first. True if the request has no preconditions. Call it only for a thing that
    /// exists.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// let server = oneloop::http::create_server(|req, res| {
    ///     res.set_header("ETag", "\"version-7\"");
    ///     if !req.preconditions_hold() {
    ///         return res.set_status(412).end("somebody else has changed it\n");
    ///     }
    ///     res.set_header("ETag", "\"version-8\"").end("changed\n")
    /// });
    /// # server.listen(80, ()).unwrap();
    /// assert_eq!(sim.request("PUT", "/").header("If-Match", "\"version-7\"").send().status(), 200);
    /// assert_eq!(sim.request("PUT", "/").header("If-Match", "\"version-6\"").send().status(), 412);
    /// ```
    pub fn preconditions_hold(&self) -> bool {
        let reads = matches!(self.method(), "GET" | "HEAD");
        self.may_change() || reads && self.is_not_modified()
    }

    /// The part of a body of `length` bytes that the client wants, by the `Range` field of a GET (RFC 9110, 14). One range is
    /// followed; several, another unit than bytes, or what breaks the grammar mean the whole body, as the RFC allows. If the request
    /// has `If-Range`, the `ETag` that you have set must be the one named there, and strong: else the client has a part of another
    /// state, and gets the whole.
    ///
    /// Answer a part with 206 and `Content-Range`, and [`Selection::Unsatisfiable`] with 416 and `Content-Range: bytes */length`. For
    /// files, [`send_file`](crate::http::Response::send_file) does all of this.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// use oneloop::app::Selection;
    ///
    /// let body = "0123456789";
    /// let server = oneloop::http::create_server(move |req, res| match req.range(10) {
    ///     Selection::Whole => res.end(body),
    ///     Selection::Part { first, last } => {
    ///         res.set_status(206).set_header("Content-Range", format!("bytes {first}-{last}/10"));
    ///         res.end(&body[first as usize..=last as usize])
    ///     }
    ///     Selection::Unsatisfiable => res.set_status(416).set_header("Content-Range", "bytes */10").end(()),
    /// });
    /// # server.listen(80, ()).unwrap();
    /// assert_eq!(sim.request("GET", "/").header("Range", "bytes=2-5").send().text(), "2345");
    /// assert_eq!(sim.request("GET", "/").header("Range", "bytes=10-").send().status(), 416);
    /// ```
    pub fn range(&self, length: u64) -> Selection {
        self.selection(length)
    }
}
