//! From the bytes of a body to the call of a handler.

use super::wanted::Wanted;
use crate::callback::{Lendable, Site};
use crate::http::{Answer, Request, Response, Result};
use std::rc::Rc;

/// How a body becomes a value.
pub(super) struct Reader<T> {
    pub wanted: &'static Wanted,
    pub read: fn(Vec<u8>) -> Result<T>,
    /// The most bytes.
    pub limit: usize,
}

impl<T: 'static> Reader<T> {
    /// Makes a handler of one that has the body as its third argument.
    pub fn handler<R: Answer>(
        self,
        site: Site,
        handler: impl FnMut(Request, Response, T) -> R + 'static,
    ) -> impl FnMut(Request, Response) -> Result + 'static {
        let handler = Rc::new(Lendable::new(handler));
        move |req, res| {
            self.wanted.check(&req, &res, self.limit as u64)?;
            let (handler, read, request) = (handler.clone(), self.read, req.clone());
            request.read_body_at(self.limit, site, move |body| -> Result {
                let value = read(body?)?;
                answer(&handler, |handler| handler(req, res, value))
            });
            Ok(())
        }
    }

    /// Passes the body, or the reason why there is none, to `done`, once, from the loop.
    pub fn late<R: Answer>(self, req: &Request, site: Site, done: impl FnOnce(Result<T>) -> R + 'static) {
        if let Err(error) = self.wanted.check(req, &req.response(), self.limit as u64) {
            req.set_fallback(error.status());
            return req.soon(site, move || done(Err(error)));
        }
        let (request, read) = (req.clone(), self.read);
        req.read_body_at(self.limit, site, move |body| {
            let value = body.map_err(Into::into).and_then(read);
            if let Err(error) = &value {
                request.set_fallback(error.status());
            }
            done(value)
        });
    }
}

/// Calls a handler that several requests share. The loop calls one callback after another, so that it never runs already.
pub(super) fn answer<F, R: Answer>(handler: &Lendable<F>, f: impl FnOnce(&mut F) -> R) -> Result {
    handler.lend(|handler| f(handler).into_error()).flatten().map_or(Ok(()), Err)
}
