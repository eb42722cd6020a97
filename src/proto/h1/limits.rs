//! The limits of heads and of the framing of content, with their defaults.

/// How many fields a head can have at most, whatever [`HeadLimits::fields`] says. No browser or proxy sends half as
/// many.
pub const MAX_FIELDS: usize = 100;

/// The limits of a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadLimits {
    /// The most bytes that a whole head may have, from its first byte to its last line end. A head with more is answered 431.
    /// At most 4 GiB.
    pub bytes: usize,
    /// The most fields that a head may have. A head with more is answered 431. At most [`MAX_FIELDS`].
    pub fields: usize,
    /// The most bytes that the request-target may have. A request with a longer one is answered 414.
    pub target: usize,
    /// True to refuse an HTTP/1.1 request without Host, as RFC 9112, 3.2 demands. A malformed or repeated Host is refused in any
    /// case.
    pub require_host: bool,
}

impl Default for HeadLimits {
    /// A head may have 16 KiB, as in Node; this is twice the 8,000 bytes that RFC 9112, 3 recommends for a request line alone.
    /// The target may fill the whole head. [`MAX_FIELDS`] fields are allowed. Host is required.
    fn default() -> Self {
        HeadLimits { bytes: 16 * 1024, fields: MAX_FIELDS, target: 16 * 1024, require_host: true }
    }
}

/// The limits of what comes with chunked content besides its data: the chunk extensions and the trailer section. The data itself
/// does not count towards these limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodyLimits {
    /// The most bytes that all chunk extensions of one content may have together. Content with more is answered 413 (RFC 9112,
    /// 7.1.1).
    pub extensions: u64,
    /// The most bytes that the trailer section may have, line ends included. A longer section is answered 431.
    pub trailers: usize,
    /// The most trailer fields that a message may have. A message with more is answered 431.
    pub trailer_fields: usize,
}

impl Default for BodyLimits {
    /// Chunk extensions may have 16 KiB, since only attackers send them. Trailers have the same limits as the fields of a head.
    fn default() -> Self {
        BodyLimits { extensions: 16 * 1024, trailers: 16 * 1024, trailer_fields: MAX_FIELDS }
    }
}
