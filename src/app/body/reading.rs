//! From the bytes of a body to the call of a handler.
//!
//! ```text
//!   body ─► inflate ─┬─ up to LARGE bytes, or no worker is wanted ─► read ───────────────────────┬─► handler, or done
//!                    └─ more ──► worker: read ──► the loop, if the exchange is not over ─────────┘
//! ```

use super::wanted::Wanted;
#[cfg(feature = "compression")]
use super::wanted::{Coding, coding};
#[cfg(feature = "compression")]
use crate::app::compression;
use crate::callback::{Lendable, Site, discard};
use crate::http::{Answer, Request, Response, Result};
use std::rc::Rc;

/// Longer bodies, in bytes, are read on a worker if their reader says how. Up to here the most expensive JSON that there is, a
/// `serde_json::Value` of small objects, costs less than a millisecond, and a type of the program's own less than a tenth of one: little
/// more than the way to a worker and back.
const LARGE: usize = 8 * 1024;

/// Reads a body on a worker, and has the loop call the function with the value.
pub(super) type OnWorker<T> = fn(Vec<u8>, Box<dyn FnOnce(Result<T>)>);

/// How a body becomes a value.
pub(super) struct Reader<T> {
    pub wanted: &'static Wanted,
    pub read: fn(Vec<u8>) -> Result<T>,
    /// How a large body becomes one. `None`: in the same way.
    pub on_worker: Option<OnWorker<T>>,
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
            self.wanted.check(&req, &res, self.limit as u64, takes_gzip(&req))?;
            let (handler, read, request) = (handler.clone(), self.read, req.clone());
            let (limit, on_worker) = (self.limit, self.on_worker);
            request.read_body_at(limit, site, move |body| -> Result {
                let asked = req.clone();
                let done = move |bytes: Result<Vec<u8>>| -> Result {
                    let bytes = bytes?;
                    let Some(on_worker) = on_worker.filter(|_| bytes.len() > LARGE) else {
                        let value = read(bytes)?;
                        return answer(&handler, |handler| handler(req, res, value));
                    };
                    let back = move |value: Result<T>| {
                        if req.is_closed() {
                            return discard((value, req, res));
                        }
                        let request = req.clone();
                        request.call(site, move || -> Result {
                            let value = value?;
                            answer(&handler, |handler| handler(req, res, value))
                        });
                    };
                    on_worker(bytes, Box::new(back));
                    Ok(())
                };
                plain(&asked, site, body?, limit, done)
            });
            Ok(())
        }
    }

    /// Passes the body, or the reason why there is none, to `done`, once, from the loop.
    pub fn late<R: Answer>(self, req: &Request, site: Site, done: impl FnOnce(Result<T>) -> R + 'static) {
        if let Err(error) = self.wanted.check(req, &req.response(), self.limit as u64, takes_gzip(req)) {
            req.set_fallback(error.status());
            return req.soon(site, move || done(Err(error)));
        }
        let (request, read, limit, on_worker) = (req.clone(), self.read, self.limit, self.on_worker);
        let told = move |request: &Request, value: Result<T>| -> Result {
            if let Err(error) = &value {
                request.set_fallback(error.status());
            }
            done(value).into_error().map_or(Ok(()), Err)
        };
        req.read_body_at(limit, site, move |body| -> Result {
            let asked = request.clone();
            let done = move |bytes: Result<Vec<u8>>| -> Result {
                match (bytes, on_worker) {
                    (Ok(bytes), Some(on_worker)) if bytes.len() > LARGE => {
                        let back = move |value| request.call(site, || told(&request, value));
                        on_worker(bytes, Box::new(back));
                        Ok(())
                    }
                    (bytes, _) => told(&request, bytes.and_then(read)),
                }
            };
            match body {
                Ok(body) => plain(&asked, site, body, limit, done),
                Err(error) => done(Err(error.into())),
            }
        });
    }
}

/// Returns whether the body of a request may come compressed.
fn takes_gzip(req: &Request) -> bool {
    #[cfg(feature = "compression")]
    return compression::takes_gzip(req);
    #[cfg(not(feature = "compression"))]
    {
        let _ = req;
        false
    }
}

/// Passes a body to `done` as it was before it was compressed: now, or later, if that takes long. `limit`: the most bytes that it may have.
fn plain(
    req: &Request,
    site: Site,
    body: Vec<u8>,
    limit: usize,
    done: impl FnOnce(Result<Vec<u8>>) -> Result + 'static,
) -> Result {
    #[cfg(feature = "compression")]
    if coding(req) == Coding::Gzip && !body.is_empty() {
        return compression::inflate(req, site, body, limit, done);
    }
    let _ = (req, site, limit);
    done(Ok(body))
}

/// Calls a handler that several requests share. The loop calls one callback after another, so the handler is never running
/// already.
pub(super) fn answer<F, R: Answer>(handler: &Lendable<F>, f: impl FnOnce(&mut F) -> R) -> Result {
    handler.lend(|handler| f(handler).into_error()).flatten().map_or(Ok(()), Err)
}
