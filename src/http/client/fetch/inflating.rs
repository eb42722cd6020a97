//! Bodies that come compressed: gzip, once or twice, in bounds, and in portions.

use super::error::{FetchErrorKind, Refused, too_large};
use crate::event_loop::PORTION;
use crate::http::gunzip::{Gunzip, Stop};

/// How many codings a body may have, one upon the other (undici's CVE-2026-22036 had no limit).
const CODINGS: usize = 2;
/// How many bytes a compressed body may become in any case, however short it is.
const FREE: u64 = 1024 * 1024;
/// How many bytes more it may become for each byte that has come. Even texts that repeat themselves a lot are only compressed to a
/// hundredth.
const RATIO: u64 = 200;

/// ```text
///   give ─► input ─► first ─────────────────────► the body
///                      └─► between ─► second ─────────▲
/// ```
pub(super) struct Inflating {
    input: Pending,
    first: Gunzip,
    between: Pending,
    /// If the body was compressed twice.
    second: Option<Gunzip>,
    limit: usize,
    /// How many bytes were inflated.
    taken: u64,
    /// How many bytes may have come out so far, of the last coding and, of two, of the first one.
    allowed: (u64, u64),
    /// Nothing more comes.
    ended: bool,
    /// How many codings are over.
    finished: usize,
}

/// Bytes that wait.
#[derive(Default)]
struct Pending {
    bytes: Vec<u8>,
    /// How many of them are gone.
    start: usize,
}

impl Inflating {
    /// `None` if the body is not compressed, or in a way for which we have not asked. Then the program gets it as it is.
    pub fn of<'a>(codings: impl Iterator<Item = &'a [u8]>, limit: usize) -> Result<Option<Inflating>, Refused> {
        let codings: Vec<&[u8]> = codings.collect();
        if codings.len() > CODINGS {
            let words = format!("the body has {} codings, and {CODINGS} are taken at most", codings.len());
            return Err((FetchErrorKind::Coding, words));
        }
        let is = |coding: &[u8], name: &str| coding.eq_ignore_ascii_case(name.as_bytes());
        let known = |coding: &&[u8]| is(coding, "gzip") || is(coding, "x-gzip");
        let rest = codings.iter().filter(|coding| !is(coding, "identity"));
        let (gzip, others): (Vec<&[u8]>, Vec<&[u8]>) = rest.partition(|coding| known(coding));
        if gzip.is_empty() || !others.is_empty() {
            return Ok(None);
        }
        Ok(Some(Inflating {
            input: Pending::default(),
            first: Gunzip::new(0),
            between: Pending::default(),
            second: (gzip.len() > 1).then(|| Gunzip::new(0)),
            limit,
            taken: 0,
            allowed: (0, 0),
            ended: false,
            finished: 0,
        }))
    }

    /// Takes what has come. It is inflated by [`portion`](Inflating::portion). Returns how much has come in all.
    pub fn give(&mut self, bytes: &[u8]) -> u64 {
        self.input.add(bytes);
        self.taken + self.input.rest().len() as u64
    }

    /// Nothing more comes.
    pub fn end(&mut self) {
        self.ended = true;
    }

    /// How many bytes the next portion has; `None` if nothing waits.
    pub fn next(&self) -> Option<usize> {
        let pending = if self.between.is_empty() { &self.input } else { &self.between };
        let codings = 1 + usize::from(self.second.is_some());
        // A response that may have no content can still say how it would be coded.
        let has_ended = self.ended && self.finished < codings && !self.first.is_unused();
        (!pending.is_empty() || has_ended).then(|| pending.rest().len().min(PORTION))
    }

    /// Inflates the next portion. Returns how many bytes have come out.
    pub fn portion(&mut self) -> Result<usize, Refused> {
        let result = match &mut self.second {
            Some(second) if !self.between.is_empty() => second.portion(self.between.rest()).map(|done| {
                self.between.take(done.taken);
                done.made
            }),
            Some(second) if self.input.is_empty() && self.finished == 1 => {
                self.finished = 2;
                second.finish().map(|()| 0)
            }
            _ if self.input.is_empty() => {
                self.finished = 1;
                self.first.finish().map(|()| 0)
            }
            _ => {
                self.allow();
                self.first.portion(self.input.rest()).map(|done| {
                    self.taken += done.taken as u64;
                    self.input.take(done.taken);
                    done.made
                })
            }
        };
        let made = result.map_err(|stop| self.refused(stop))?;
        if self.second.is_some() {
            let bytes = std::mem::take(self.first.out());
            self.between.add(&bytes);
        }
        Ok(made)
    }

    /// The whole body, when nothing waits any more.
    pub fn body(&mut self) -> Vec<u8> {
        std::mem::take(self.second.as_mut().unwrap_or(&mut self.first).out())
    }

    /// Lets as much come out as the bytes up to the end of the next portion may become.
    fn allow(&mut self) {
        let taken = self.taken + self.input.rest().len().min(PORTION) as u64;
        let most = taken.saturating_mul(RATIO).max(FREE);
        let last = most.min(self.limit as u64);
        // What is compressed once may be somewhat larger than what it says.
        let between = most.min((self.limit as u64).saturating_add(self.limit as u64 / 4 + 1024));
        match &mut self.second {
            Some(second) => {
                second.allow(last.saturating_sub(self.allowed.0));
                self.first.allow(between.saturating_sub(self.allowed.1));
            }
            None => self.first.allow(last.saturating_sub(self.allowed.0)),
        }
        self.allowed = (self.allowed.0.max(last), self.allowed.1.max(between));
    }

    fn refused(&self, stop: Stop) -> Refused {
        let (limit, taken, most) = (self.limit, self.taken, self.allowed.0);
        match stop {
            Stop::Full if most == limit as u64 => too_large(limit),
            Stop::Full => (FetchErrorKind::Coding, format!("{taken} bytes of the body have become more than {most}")),
            Stop::NotWhole => (FetchErrorKind::Coding, "the body is not one whole gzip member".to_owned()),
        }
    }
}

impl Pending {
    fn is_empty(&self) -> bool {
        self.start == self.bytes.len()
    }

    fn rest(&self) -> &[u8] {
        self.bytes.get(self.start..).unwrap_or_default()
    }

    fn add(&mut self, bytes: &[u8]) {
        // So each byte is moved once at most, on average.
        if self.start > self.bytes.len() / 2 {
            self.bytes.drain(..self.start);
            self.start = 0;
        }
        self.bytes.extend_from_slice(bytes);
    }

    fn take(&mut self, count: usize) {
        self.start += count;
        if self.is_empty() {
            *self = Pending::default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::h1::Fields;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use std::io::Write;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    /// The outcome, which must be the same in pieces of any length.
    fn inflated(codings: &str, limit: usize, body: &[u8]) -> Result<Option<Vec<u8>>, FetchErrorKind> {
        let mut fields = Fields::default();
        fields.push("Content-Encoding", codings).unwrap();
        let in_pieces = |length: usize| {
            let Some(mut inflating) = Inflating::of(fields.elements("content-encoding"), limit)? else {
                return Ok(None);
            };
            let portions = |inflating: &mut Inflating| {
                while let Some(next) = inflating.next() {
                    let made = inflating.portion()?;
                    assert!(next <= 4_000 && made <= 600_000, "{next} bytes have become {made} in one portion");
                }
                Ok(())
            };
            for piece in body.chunks(length) {
                inflating.give(piece);
                portions(&mut inflating)?;
            }
            inflating.end();
            portions(&mut inflating)?;
            Ok(Some(inflating.body()))
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
        // Blocks with nothing in them, of which a few bytes make very many, and these make nothing.
        let nothing =
            [gzip(b"")[..10].to_vec(), [0, 0, 0, 0xff, 0xff].repeat(1 << 20), vec![3, 0], vec![0; 8]].concat();
        assert_eq!(inflated("gzip, gzip", 64 << 20, &gzip(&nothing)), Err(FetchErrorKind::Coding));
        assert_eq!(inflated("gzip, gzip", 1 << 19, &gzip(&nothing)), Err(FetchErrorKind::TooLarge));
        let free = vec![0; FREE as usize];
        assert_eq!(inflated("gzip", 64 << 20, &gzip(&free)), Ok(Some(free)));
        let limit = b"basil";
        assert_eq!(inflated("gzip", 5, &gzip(limit)), Ok(Some(limit.to_vec())));
        assert_eq!(inflated("gzip", 4, &gzip(limit)), Err(FetchErrorKind::TooLarge));
    }
}
