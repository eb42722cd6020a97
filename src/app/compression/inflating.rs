//! Bodies of requests that come compressed.

use super::Compressing;
use crate::app::journey::Journey;
use crate::callback::Site;
use crate::event_loop::{PORTION, Portions, current};
use crate::http::gunzip::{Gunzip, Stop};
use crate::http::{BodyError, Error, Request, Result, SaveError};
use std::any::TypeId;

/// Returns whether the request has come through [`compression`](super::compression()).
pub fn takes_gzip(req: &Request) -> bool {
    Journey::find(&req.0).is_some_and(|journey| journey.find_value(TypeId::of::<Compressing>()).is_some())
}

/// Inflates a body of one gzip member, and passes it to `done`: at once, or, as far as this iteration has done enough, in those that
/// follow. In the first case this returns what `done` returns; in the other one, the loop calls `done` for the request. `limit`: how many
/// bytes may come out. (Of several members, each few bytes long, a body could have so many that to begin them all takes long.)
pub fn inflate(
    req: &Request,
    site: Site,
    body: Vec<u8>,
    limit: usize,
    done: impl FnOnce(Result<Vec<u8>>) -> Result + 'static,
) -> Result {
    let (req, gunzip) = (req.clone(), Gunzip::new(limit as u64));
    Inflating { req, site, body, taken: 0, limit, gunzip, done }.go_on(false)
}

struct Inflating<F> {
    req: Request,
    site: Site,
    body: Vec<u8>,
    /// How many bytes of the body were inflated.
    taken: usize,
    limit: usize,
    gunzip: Gunzip,
    done: F,
}

impl<F: FnOnce(Result<Vec<u8>>) -> Result + 'static> Inflating<F> {
    /// Inflates as much as it may now. `may`: the first portion is counted already.
    fn go_on(mut self, mut may: bool) -> Result {
        let Some(lp) = current() else { return Ok(()) };
        let portions = Portions::of(&lp);
        while self.taken < self.body.len() {
            if let Some(reason) = self.req.0.close_reason() {
                return (self.done)(Err(BodyError::Closed(reason).into()));
            }
            let left = self.body.get(self.taken..).unwrap_or_default();
            let count = left.len().min(PORTION);
            if !std::mem::take(&mut may) && !portions.take(&lp, count) {
                portions.wait(&lp, count, move || {
                    let (req, site) = (self.req.clone(), self.site);
                    req.call(site, move || self.go_on(true));
                });
                return Ok(());
            }
            match self.gunzip.portion(left) {
                Ok(done) => {
                    self.taken += done.taken;
                    portions.add_made(done.made);
                }
                Err(stop) => return self.refuse(stop),
            }
        }
        match self.gunzip.finish() {
            Ok(()) => {
                let content = std::mem::take(self.gunzip.out());
                (self.done)(Ok(content))
            }
            Err(stop) => self.refuse(stop),
        }
    }

    fn refuse(self, stop: Stop) -> Result {
        (self.done)(Err(match stop {
            Stop::Full => SaveError::TooLarge { limit: self.limit as u64 }.into(),
            Stop::NotWhole => Error::new(400, "the body is not one whole gzip member"),
        }))
    }
}
