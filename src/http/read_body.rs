//! `read_body`: collects the whole body.

use super::answer::{Answer, answer};
use super::body_error::BodyError;
use super::exchange::{Exchange, Listener, On};
use super::request::Request;
use crate::callback::Site;
use std::cell::{Cell, RefCell};
use std::panic::Location;
use std::rc::Rc;

impl Request {
    /// The length that the request's Content-Length states; `None` if there is none, as with chunked content.
    pub(super) fn announced_length(&self) -> Option<u64> {
        self.header("Content-Length").and_then(|length| length.parse().ok())
    }

    /// The reason why the body cannot be had any more; `None` if it can.
    pub(super) fn no_body(&self) -> Option<BodyError> {
        let closed = self.0.close_reason().map(BodyError::Closed);
        closed.or_else(|| Some(BodyError::AlreadyRead { by: self.0.incoming().read_by()? }))
    }

    /// Collects the body and passes it to `done`, once. Programs for Node do this with `on('data')` and `on('end')`.
    ///
    /// A body of more than `limit` bytes is an error, and the request is answered 413 unless `done` answers. If the request
    /// states its length, the error comes at once, and no `100 Continue` asks for the body. A body that is cut off is an error
    /// too, and so is one that was read before. `done` may return a `Result`, as a handler may: see [`Error`](super::Error).
    ///
    /// ```
    /// let server = oneloop::http::create_server(|req, res| {
    ///     req.read_body(1024 * 1024, move |body| {
    ///         let text = String::from_utf8(body?)?; // 413 where it is too large, 500 where it is no UTF-8
    ///         res.end(format!("{} characters\n", text.chars().count()));
    ///         Ok(())
    ///     });
    /// });
    /// ```
    #[track_caller]
    pub fn read_body<R: Answer>(&self, limit: usize, done: impl FnOnce(Result<Vec<u8>, BodyError>) -> R + 'static) {
        self.read_body_at(limit, Location::caller(), done);
    }

    /// The same as [`read_body`](Request::read_body), for a layer above `http`. That layer passes `site`, the place in the user's
    /// source that asked for the body.
    pub(crate) fn read_body_at<R: Answer>(
        &self,
        limit: usize,
        site: Site,
        done: impl FnOnce(Result<Vec<u8>, BodyError>) -> R + 'static,
    ) {
        let done = |exchange: &Rc<Exchange>, result| answer(exchange, || done(result));
        let collector = Rc::new(Collector {
            bytes: RefCell::default(),
            done: Cell::new(Some(Box::new(done))),
            listener: Cell::new(None),
        });
        if let Some(error) = self.no_body() {
            return self.0.call_soon(site, move |exchange| collector.finish(exchange, Err(error)));
        }
        if self.announced_length().is_some_and(|length| length > limit as u64) {
            self.0.outgoing().set_fallback(413);
            return self.0.call_soon(site, move |exchange| {
                collector.finish(exchange, Err(BodyError::TooLarge { limit }));
            });
        }
        let data = collector.clone();
        if !self.0.incoming().is_complete() {
            let listener = self.on_data_at(site, move |exchange, bytes| {
                if data.bytes.borrow().len() + bytes.len() > limit {
                    exchange.outgoing().set_fallback(413);
                    // The rest is discarded, unless others listen for it.
                    if let Some(listener) = data.listener.take() {
                        exchange.remove(listener);
                    }
                    data.finish(exchange, Err(BodyError::TooLarge { limit }));
                } else if data.is_open() {
                    data.bytes.borrow_mut().extend_from_slice(bytes);
                }
            });
            collector.listener.set(listener);
        }
        let end = collector.clone();
        self.add(
            On::End,
            site,
            Listener::Once(Some(Box::new(move |exchange| {
                let bytes = end.bytes.take();
                end.finish(exchange, Ok(bytes));
            }))),
        );
        let close = move |exchange: &Rc<Exchange>, reason| collector.finish(exchange, Err(BodyError::Closed(reason)));
        self.0.add(On::RequestClose, site, Listener::Close(Some(Box::new(close))));
    }
}

type Done = Box<dyn FnOnce(&Rc<Exchange>, Result<Vec<u8>, BodyError>)>;

/// The part of the body that `read_body` has collected so far.
struct Collector {
    bytes: RefCell<Vec<u8>>,
    done: Cell<Option<Done>>,
    /// The id of the data listener that collects.
    listener: Cell<Option<u32>>,
}

impl Collector {
    fn is_open(&self) -> bool {
        let done = self.done.take();
        let open = done.is_some();
        self.done.set(done);
        open
    }

    fn finish(&self, exchange: &Rc<Exchange>, result: Result<Vec<u8>, BodyError>) {
        if let Some(done) = self.done.take() {
            self.bytes.take();
            done(exchange, result);
        }
    }
}
