//! The body of a response, as it comes: counted, and inflated if it was compressed for us.

use super::error::{Refused, too_large};
#[cfg(feature = "compression")]
use super::inflating::Inflating;

pub(super) struct Gathering {
    bytes: Vec<u8>,
    limit: usize,
    #[cfg(feature = "compression")]
    inflating: Option<Inflating>,
}

impl Gathering {
    /// `announced`: the Content-Length of the response. `codings`: the values of its Content-Encoding fields; `None` if this client has
    /// not asked for compressed content, and so does not inflate it.
    ///
    /// # Errors
    /// If the body is too large, or has more than two codings: each coding could make a body a thousand times larger.
    pub fn new<'a>(
        limit: usize,
        announced: Option<u64>,
        codings: Option<impl Iterator<Item = &'a [u8]>>,
    ) -> Result<Gathering, Refused> {
        if announced.is_some_and(|length| length > limit as u64) {
            return Err(too_large(limit));
        }
        #[cfg(feature = "compression")]
        let inflating = match codings {
            Some(codings) => Inflating::of(codings, limit)?,
            None => None,
        };
        #[cfg(not(feature = "compression"))]
        let _ = codings;
        Ok(Gathering {
            bytes: Vec::new(),
            limit,
            #[cfg(feature = "compression")]
            inflating,
        })
    }

    pub fn take(&mut self, bytes: &[u8]) -> Result<(), Refused> {
        #[cfg(feature = "compression")]
        if let Some(inflating) = &mut self.inflating {
            return inflating.take(bytes);
        }
        if self.bytes.len() + bytes.len() > self.limit {
            return Err(too_large(self.limit));
        }
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    /// The whole body.
    pub fn finish(self) -> Result<Vec<u8>, Refused> {
        #[cfg(feature = "compression")]
        if let Some(inflating) = self.inflating {
            return inflating.finish();
        }
        Ok(self.bytes)
    }
}
