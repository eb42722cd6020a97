//! Bodies that come compressed: gzip, once or twice, in bounds.

use super::error::{FetchErrorKind, Refused, too_large};
use flate2::write::GzDecoder;
use std::io::{self, Write};

/// How many codings a body may have, one upon the other (undici's CVE-2026-22036 had no limit).
const CODINGS: usize = 2;
/// How many bytes a compressed body may become in any case, however short it is.
const FREE: u64 = 1024 * 1024;
/// How many bytes more it may become for each byte that has come. Even texts that repeat themselves a lot are only compressed to a
/// hundredth.
const RATIO: u64 = 200;
/// How much is inflated at a time, before the output is looked at.
const STEP: usize = 4096;

pub(super) struct Inflating {
    decoders: Decoders,
    limit: usize,
    /// How many bytes have come.
    taken: u64,
}

enum Decoders {
    One(Box<GzDecoder<Output>>),
    Two(Box<GzDecoder<GzDecoder<Output>>>),
}

/// The bytes that were inflated so far. It takes no more than `most` bytes.
struct Output {
    bytes: Vec<u8>,
    most: usize,
    is_full: bool,
}

impl Inflating {
    /// `None` if the body is not compressed, or in a way for which we have not asked. Then the program gets it as it is.
    pub fn of<'a>(values: impl Iterator<Item = &'a [u8]>, limit: usize) -> Result<Option<Inflating>, Refused> {
        let codings: Vec<&[u8]> = values.flat_map(elements).collect();
        if codings.len() > CODINGS {
            let words = format!("the body has {} codings, and {CODINGS} are taken at most", codings.len());
            return Err((FetchErrorKind::Coding, words));
        }
        let is = |coding: &[u8], name: &str| coding.eq_ignore_ascii_case(name.as_bytes());
        let known = |coding: &&[u8]| is(coding, "gzip") || is(coding, "x-gzip");
        let rest = codings.iter().filter(|coding| !is(coding, "identity"));
        let (gzip, others): (Vec<&[u8]>, Vec<&[u8]>) = rest.partition(|coding| known(coding));
        let output = Output { bytes: Vec::new(), most: 0, is_full: false };
        let decoders = match gzip.len() {
            _ if !others.is_empty() => return Ok(None),
            0 => return Ok(None),
            1 => Decoders::One(Box::new(GzDecoder::new(output))),
            _ => Decoders::Two(Box::new(GzDecoder::new(GzDecoder::new(output)))),
        };
        Ok(Some(Inflating { decoders, limit, taken: 0 }))
    }

    pub fn take(&mut self, bytes: &[u8]) -> Result<(), Refused> {
        for step in bytes.chunks(STEP) {
            self.taken += step.len() as u64;
            let most = usize::try_from(self.taken.saturating_mul(RATIO).max(FREE)).unwrap_or(usize::MAX);
            self.output().most = most.min(self.limit);
            let written = match &mut self.decoders {
                Decoders::One(decoder) => decoder.write_all(step),
                Decoders::Two(decoder) => decoder.write_all(step),
            };
            if written.is_err() {
                return Err(self.refused());
            }
        }
        Ok(())
    }

    pub fn finish(mut self) -> Result<Vec<u8>, Refused> {
        // A response that may have no content can still say how it would be coded.
        if self.taken == 0 {
            return Ok(Vec::new());
        }
        let finished = match &mut self.decoders {
            Decoders::One(decoder) => decoder.try_finish(),
            Decoders::Two(decoder) => decoder.try_finish().and_then(|()| decoder.get_mut().try_finish()),
        };
        match finished {
            Ok(()) => Ok(std::mem::take(&mut self.output().bytes)),
            Err(_) => Err(self.refused()),
        }
    }

    fn output(&mut self) -> &mut Output {
        match &mut self.decoders {
            Decoders::One(decoder) => decoder.get_mut(),
            Decoders::Two(decoder) => decoder.get_mut().get_mut(),
        }
    }

    fn refused(&mut self) -> Refused {
        let (limit, taken) = (self.limit, self.taken);
        let output = self.output();
        match (output.is_full, output.most == limit) {
            (true, true) => too_large(limit),
            (true, false) => {
                (FetchErrorKind::Coding, format!("{taken} bytes of the body have become more than {}", output.most))
            }
            (false, _) => (FetchErrorKind::Coding, "the body is not one whole gzip member".to_owned()),
        }
    }
}

/// The elements of a list (RFC 9110, 5.6.1.2).
fn elements(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii).filter(|element| !element.is_empty())
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + bytes.len() > self.most {
            self.is_full = true;
            return Err(io::ErrorKind::Other.into());
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    /// The outcome, which must be the same in pieces of any length.
    fn inflated(codings: &str, limit: usize, body: &[u8]) -> Result<Option<Vec<u8>>, FetchErrorKind> {
        let in_pieces = |length: usize| {
            let Some(mut inflating) = Inflating::of([codings.as_bytes()].into_iter(), limit)? else { return Ok(None) };
            body.chunks(length).try_for_each(|piece| inflating.take(piece))?;
            inflating.finish().map(Some)
        };
        let kind = |result: Result<_, Refused>| result.map_err(|(kind, _)| kind);
        let whole = kind(in_pieces(body.len().max(1)));
        assert_eq!(kind(in_pieces(1.max(body.len() / 1000))), whole);
        whole
    }

    #[test]
    fn a_body_is_inflated_once_or_twice_and_three_times_is_refused() {
        let text = b"basil, thyme and sage";
        let (once, twice) = (gzip(text), gzip(&gzip(text)));
        assert_eq!(inflated("gzip", 100, &once), Ok(Some(text.to_vec())));
        assert_eq!(inflated(" GZIP ,identity", 100, &once), Ok(Some(text.to_vec())));
        assert_eq!(inflated("x-gzip,gzip", 100, &twice), Ok(Some(text.to_vec())));
        assert_eq!(inflated("gzip,gzip,gzip", 100, &gzip(&twice)), Err(FetchErrorKind::Coding));
        assert_eq!(inflated(&"gzip,".repeat(1000), 100, b""), Err(FetchErrorKind::Coding));
        for untouched in ["", "identity", "br", "br, gzip", "gzip, br"] {
            assert_eq!(inflated(untouched, 100, b"x"), Ok(None), "{untouched}");
        }
    }

    #[test]
    fn what_is_no_whole_gzip_member_is_refused() {
        let whole = gzip(b"basil");
        assert_eq!(inflated("gzip", 100, b""), Ok(Some(Vec::new())));
        for end in 1..whole.len() {
            assert_eq!(inflated("gzip", 100, &whole[..end]), Err(FetchErrorKind::Coding), "{end}");
        }
        let twice = gzip(&whole);
        for end in 1..twice.len() {
            assert_eq!(inflated("gzip, gzip", 100, &twice[..end]), Err(FetchErrorKind::Coding), "{end}");
        }
        for behind in [&whole[..], b"x", b"\0"] {
            assert_eq!(inflated("gzip", 100, &[&whole, behind].concat()), Err(FetchErrorKind::Coding));
        }
        assert_eq!(inflated("gzip, gzip", 100, &gzip(&whole[..whole.len() - 1])), Err(FetchErrorKind::Coding));
        let mut wrong = whole.clone();
        let sum = wrong.len() - 8;
        wrong[sum] ^= 1;
        assert_eq!(inflated("gzip", 100, &wrong), Err(FetchErrorKind::Coding));
        assert_eq!(inflated("gzip", 100, b"basil, which was never compressed"), Err(FetchErrorKind::Coding));
    }

    #[test]
    fn a_bomb_is_refused_by_its_ratio_and_by_the_limit() {
        let bomb = gzip(&vec![0; 2 << 20]);
        assert_eq!(inflated("gzip", 64 << 20, &bomb), Err(FetchErrorKind::Coding));
        assert_eq!(inflated("gzip", 1 << 19, &bomb), Err(FetchErrorKind::TooLarge));
        assert_eq!(inflated("gzip, gzip", 64 << 20, &gzip(&bomb)), Err(FetchErrorKind::Coding));
        let free = vec![0; FREE as usize];
        assert_eq!(inflated("gzip", 64 << 20, &gzip(&free)), Ok(Some(free)));
        let limit = b"basil";
        assert_eq!(inflated("gzip", 5, &gzip(limit)), Ok(Some(limit.to_vec())));
        assert_eq!(inflated("gzip", 4, &gzip(limit)), Err(FetchErrorKind::TooLarge));
    }
}
