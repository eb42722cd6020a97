//! What a reader of bodies wants, and whether the head of a request promises it.

use crate::http::{Error, Request, Response, Result, SaveError};
use crate::proto::media_type::MediaType;

/// The bodies that a reader of bodies takes.
pub(super) struct Wanted {
    /// The media types, as a field and a message name them.
    pub types: &'static str,
    /// Returns whether a media type is wanted. `None` takes any, and also a body that states none.
    pub takes: Option<fn(&MediaType<'_>) -> bool>,
    /// True if the content is text, which must be UTF-8.
    pub is_text: bool,
}

impl Wanted {
    /// Checks the head of a request. If its media type or coding is refused, the response gets a field that says what would
    /// not be.
    pub fn check(&self, req: &Request, res: &Response, limit: u64, takes_gzip: bool) -> Result {
        if !has_content(req) {
            return Ok(());
        }
        // Such content means nothing, and who sends it may be after a server that overlooks it (RFC 9110, 9.3.1 and 9.3.8).
        if matches!(req.method(), "GET" | "HEAD" | "TRACE") {
            return Err(Error::new(400, format!("a {} request has no body", req.method())));
        }
        let media_type = req.only("Content-Type").and_then(MediaType::read);
        if let Some(takes) = self.takes
            && !media_type.as_ref().is_some_and(takes)
        {
            let field = match req.method() {
                "POST" => "Accept-Post",
                "PATCH" => "Accept-Patch",
                _ => "Accept",
            };
            res.set_header(field, self.types);
            return Err(Error::new(415, format!("the body must be {}", self.types)));
        };
        if announced_length(req).is_some_and(|length| length > limit) {
            return Err(SaveError::TooLarge { limit }.into());
        }
        match coding(req) {
            Coding::Identity => {}
            Coding::Gzip if takes_gzip => {}
            _ if takes_gzip => {
                res.set_header("Accept-Encoding", "gzip, identity");
                return Err(Error::new(415, "the body must be compressed with gzip, or not at all"));
            }
            _ => {
                res.set_header("Accept-Encoding", "identity");
                return Err(Error::new(415, "the body must not be compressed"));
            }
        }
        let charset = media_type.filter(|_| self.is_text).and_then(|media_type| media_type.parameter("charset"));
        // ASCII is UTF-8 as well.
        let is_utf8 = |name: &str| ["utf-8", "utf8", "us-ascii"].iter().any(|utf8| utf8.eq_ignore_ascii_case(name));
        if charset.is_some_and(|charset| !is_utf8(&charset.text())) {
            return Err(Error::new(415, "the body must be UTF-8"));
        }
        Ok(())
    }
}

/// How a body is coded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    Identity,
    Gzip,
    Other,
}

/// How the body of a request is coded. `x-gzip` is an old name of gzip (RFC 9110, 8.4.1.3).
pub(super) fn coding(req: &Request) -> Coding {
    let is = |coding: &[u8], name: &str| coding.eq_ignore_ascii_case(name.as_bytes());
    let mut codings = req.header_all_bytes("Content-Encoding").filter(|coding| !is(coding, "identity"));
    match (codings.next(), codings.next()) {
        (None, _) => Coding::Identity,
        (Some(coding), None) if is(coding, "gzip") || is(coding, "x-gzip") => Coding::Gzip,
        _ => Coding::Other,
    }
}

/// Returns whether a request has a body that is not known to be empty.
pub(super) fn has_content(req: &Request) -> bool {
    announced_length(req).map_or(req.header_bytes("Transfer-Encoding").is_some(), |length| length > 0)
}

fn announced_length(req: &Request) -> Option<u64> {
    req.header("Content-Length").and_then(|length| length.parse().ok())
}
