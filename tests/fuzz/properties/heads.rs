//! What holds for the head of a request and for that of a response: any split gives the same as the whole, a fault stays, and
//! nothing is told of a head that is not whole.

use super::choices::cuts;
use oneloop::proto::h1::{Fault, HeadLimits, Parsed};

/// A head and its parser.
pub trait Head: Default {
    type Parser: Default;

    fn parse(parser: &mut Self::Parser, bytes: &[u8], limits: &HeadLimits, into: &mut Self) -> Result<Parsed, Fault>;

    fn is_empty(&self) -> bool;

    /// All that it says.
    fn told(&self) -> String;
}

/// Reads `wire` in pieces, a byte at a time, and whole. Returns the head and its length, if it is whole.
pub fn read<H: Head>(wire: &[u8], seed_of_cuts: u8, limits: &HeadLimits) -> Option<(H, usize)> {
    let ends = cuts(seed_of_cuts, wire.len());
    let mut head = H::default();
    let split = feed(wire, ends.iter().copied(), limits, &mut head);
    let in_pieces = head.told();
    let bytewise = feed(wire, 0..wire.len(), limits, &mut head);
    let in_bytes = head.told();
    let whole = feed(wire, [], limits, &mut head);
    assert_eq!(split, whole, "in pieces that end at {ends:?}");
    assert_eq!(bytewise, whole, "a byte at a time");
    let len = whole.ok().flatten()?;
    assert_eq!([&in_pieces, &in_bytes], [&head.told(); 2]);
    Some((head, len))
}

/// Feeds pieces that end at `ends`. The length of the head, `None` if it has not ended.
fn feed<H: Head>(
    wire: &[u8],
    ends: impl IntoIterator<Item = usize>,
    limits: &HeadLimits,
    head: &mut H,
) -> Result<Option<usize>, Fault> {
    let mut parser = H::Parser::default();
    for end in ends.into_iter().chain([wire.len()]) {
        match H::parse(&mut parser, &wire[..end], limits, head) {
            Ok(Parsed::Complete { len }) => {
                assert!(len <= end);
                return Ok(Some(len));
            }
            Ok(Parsed::Partial) => assert!(head.is_empty()),
            Err(fault) => {
                assert_eq!(H::parse(&mut parser, &wire[..end], limits, head), Err(fault), "the same bytes again");
                assert!(head.is_empty());
                return Err(fault);
            }
        }
    }
    Ok(None)
}
