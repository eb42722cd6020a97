//! The methods that a layer above `http` needs of an exchange and that users cannot call. That layer reads bodies into values
//! and files.

use super::answer::{Answer, answer};
use super::body_error::BodyError;
use super::exchange::{Exchange, Listener, On};
use super::request::Request;
use super::response::Response;
use super::stages::Stage;
use crate::callback::Site;
use std::rc::Rc;

impl Request {
    /// The response to this request.
    pub(crate) fn response(&self) -> Response {
        Response::new(&self.0)
    }

    /// Sets the status with which the request is answered if its response is dropped.
    pub(crate) fn set_fallback(&self, status: u16) {
        self.0.outgoing().set_fallback(status);
    }

    /// Adds a stage to the response: see [`stages`](super::stages). It comes before those that were added earlier.
    #[cfg_attr(
        not(any(test, feature = "compression", feature = "sessions")),
        expect(dead_code, reason = "for middlewares of other features")
    )]
    pub(crate) fn add_stage(&self, stage: Rc<dyn Stage>) {
        self.0.add_stage(stage);
    }

    /// Has the loop call `f`, soon after this call.
    pub(crate) fn soon<R: Answer>(&self, site: Site, f: impl FnOnce() -> R + 'static) {
        self.0.call_soon(site, move |exchange| answer(exchange, f));
    }

    /// Calls `f` for this exchange, within a callback that belongs to something else, such as a job or a timer.
    pub(crate) fn call<R: Answer>(&self, site: Site, f: impl FnOnce() -> R) {
        self.0.call(site, || answer(&self.0, f));
    }

    /// Has the loop call `data` with the pieces of the body as they come, `end` when the body is whole, and `gone` when the
    /// exchange is over. If the body cannot be had any more, only `gone` is called, soon after this call.
    pub(crate) fn take_body(
        &self,
        site: Site,
        mut data: impl FnMut(&Request, &[u8]) + 'static,
        end: impl FnOnce(&Request) + 'static,
        gone: impl FnOnce(&Request, BodyError) + 'static,
    ) {
        let gone = move |exchange: &Rc<Exchange>, error| gone(&Request(exchange.clone()), error);
        if let Some(error) = self.no_body() {
            return self.0.call_soon(site, move |exchange| gone(exchange, error));
        }
        if !self.0.incoming().is_complete() {
            self.on_data_at(site, move |exchange, bytes| data(&Request(exchange.clone()), bytes));
        }
        let end = move |exchange: &Rc<Exchange>| end(&Request(exchange.clone()));
        self.add(On::End, site, Listener::Once(Some(Box::new(end))));
        let closed = move |exchange: &Rc<Exchange>, reason| gone(exchange, BodyError::Closed(reason));
        self.0.add(On::RequestClose, site, Listener::Close(Some(Box::new(closed))));
    }
}

impl Response {
    /// The request that this response answers.
    pub(crate) fn request(&self) -> Request {
        Request(Rc::clone(&self.0))
    }
}
