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

    /// Takes what has come. If it is compressed, it waits until it is inflated.
    pub fn take(&mut self, bytes: &[u8]) -> Result<(), Refused> {
        #[cfg(feature = "compression")]
        if let Some(inflating) = &mut self.inflating {
            // Content out of which nothing comes has no other end.
            return match inflating.give(bytes) <= self.limit as u64 {
                true => Ok(()),
                false => Err(too_large(self.limit)),
            };
        }
        if self.bytes.len() + bytes.len() > self.limit {
            return Err(too_large(self.limit));
        }
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    /// What is inflated, if anything is.
    #[cfg(feature = "compression")]
    pub fn inflating(&mut self) -> Option<&mut Inflating> {
        self.inflating.as_mut()
    }

    /// The whole body, when everything that came is inflated.
    pub fn finish(self) -> Vec<u8> {
        #[cfg(feature = "compression")]
        if let Some(mut inflating) = self.inflating {
            return inflating.body();
        }
        self.bytes
    }
}
