//! Bodies of requests that come compressed.

use super::Compressing;
use crate::app::journey::Journey;
use crate::http::{Error, Request, Result, SaveError};
use std::any::TypeId;
use std::io::Read;

/// Returns whether the request has come through [`compression`](super::compression()).
pub fn takes_gzip(req: &Request) -> bool {
    Journey::find(&req.0).is_some_and(|journey| journey.find_value(TypeId::of::<Compressing>()).is_some())
}

/// Inflates a body of one gzip member. `limit`: how many bytes may come out; no more are made. (Of several members, each few bytes
/// long, a body could have so many that to begin them all takes long.)
pub fn inflated(bytes: &[u8], limit: usize) -> Result<Vec<u8>> {
    let mut content = Vec::new();
    let mut decoder = flate2::bufread::GzDecoder::new(bytes).take(limit as u64 + 1);
    let read = decoder.read_to_end(&mut content);
    if content.len() > limit {
        return Err(SaveError::TooLarge { limit: limit as u64 }.into());
    }
    if read.is_err() || !decoder.into_inner().into_inner().is_empty() {
        return Err(Error::new(400, "the body is not one whole gzip member"));
    }
    Ok(content)
}
