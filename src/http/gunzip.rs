//! Inflates one gzip member (RFC 1952), in portions: what comes in is given piece by piece, and no piece takes long.

use crate::event_loop::PORTION;
use flate2::write::GzDecoder;
use std::io::{self, Write};

/// After how many bytes a portion looks at what has come out. These become 258 KiB at most.
const STEP: usize = 256;
/// With so many bytes out a portion is over, however few have gone in.
const MADE: usize = 256 * 1024;

/// A member that is being inflated. It takes some 80 KiB, and what has come out.
pub(crate) struct Gunzip {
    decoder: Box<GzDecoder<Output>>,
    /// Something was given.
    begun: bool,
}

/// Why no more is inflated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// More would come out than may.
    Full,
    /// This is not one whole member: it is none, or is broken or cut, or something follows it.
    NotWhole,
}

/// What a portion has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Done {
    /// How many bytes it has taken.
    pub taken: usize,
    /// How many have come out.
    pub made: usize,
}

/// What has come out and was not fetched. It takes as much as may still come out.
struct Output {
    bytes: Vec<u8>,
    left: u64,
    is_full: bool,
}

impl Gunzip {
    /// `most`: how many bytes may come out.
    pub fn new(most: u64) -> Gunzip {
        let output = Output { bytes: Vec::new(), left: most, is_full: false };
        Gunzip { decoder: Box::new(GzDecoder::new(output)), begun: false }
    }

    /// Lets more bytes come out.
    pub fn allow(&mut self, more: u64) {
        let output = self.decoder.get_mut();
        output.left = output.left.saturating_add(more);
    }

    /// Inflates what comes next, at most [`PORTION`] bytes of it.
    pub fn portion(&mut self, bytes: &[u8]) -> Result<Done, Stop> {
        let before = self.out().len();
        let (mut taken, mut made) = (0, 0);
        for step in bytes.get(..PORTION).unwrap_or(bytes).chunks(STEP) {
            if made >= MADE {
                break;
            }
            self.begun = true;
            self.decoder.write_all(step).map_err(|_| self.stop())?;
            taken += step.len();
            made = self.out().len() - before;
        }
        Ok(Done { taken, made })
    }

    /// Everything was given. Checks that this was a whole member, of which the last bytes come out.
    pub fn finish(&mut self) -> Result<(), Stop> {
        self.decoder.try_finish().map_err(|_| self.stop())
    }

    /// Returns whether nothing was given.
    pub fn is_unused(&self) -> bool {
        !self.begun
    }

    /// What has come out, for the caller to take.
    pub fn out(&mut self) -> &mut Vec<u8> {
        &mut self.decoder.get_mut().bytes
    }

    fn stop(&mut self) -> Stop {
        if self.decoder.get_mut().is_full { Stop::Full } else { Stop::NotWhole }
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.left.checked_sub(bytes.len() as u64) {
            Some(left) => self.left = left,
            None => {
                self.is_full = true;
                return Err(io::ErrorKind::Other.into());
            }
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
