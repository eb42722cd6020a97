//! How the content of a response is framed (RFC 9112, 6; RFC 9110, 8.6).

use super::{
    field_error::FieldError, framing::Framing, incoming_request::IncomingRequest, outgoing_response::OutgoingResponse,
    version::Version,
};

/// The properties of a request that determine the framing of its response.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestInfo {
    /// The method is HEAD.
    pub head: bool,
    /// The method is CONNECT.
    pub connect: bool,
    /// The version of the request.
    pub version: Version,
}

impl From<&IncomingRequest> for RequestInfo {
    fn from(head: &IncomingRequest) -> Self {
        RequestInfo { head: head.is_head(), connect: head.is_connect(), version: head.version() }
    }
}

/// The decision on how the content of a message is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodyPlan {
    /// The framing that the head announces.
    pub framing: Framing,
    /// True if content is sent after the head. If false, the caller must discard any content that it has.
    pub body: bool,
}

impl BodyPlan {
    /// The framing of the bytes after the head, for a [`BodyEncoder`](super::BodyEncoder): none if no content is sent.
    #[inline]
    pub fn content(&self) -> Framing {
        if self.body { self.framing } else { Framing::None }
    }

    /// Returns whether the connection must close to end the content.
    pub fn must_close(&self) -> bool {
        self.framing == Framing::UntilClose
    }
}

/// Decides on the framing of a response. `known_length` is the length of the content, if the caller has all of it already.
///
/// | response | framing | content |
/// |---|---|---|
/// | 1xx, 204; 2xx to CONNECT | none (RFC 9110, 8.6; RFC 9112, 6.1) | no |
/// | 205 | length 0 (RFC 9110, 15.3.6) | no |
/// | 304 | the length that was set, else none (RFC 9110, 15.4.5) | no |
/// | to HEAD | as in the response to GET if this is known, else none (RFC 9110, 9.3.2) | no |
/// | length set | that length; a known length must be equal to it | yes |
/// | length known | that length | yes |
/// | unknown, HTTP/1.1 | chunked | yes |
/// | unknown, HTTP/1.0 | until close | yes |
///
/// A `Transfer-Encoding: chunked` that was set makes a response to HTTP/1.1 chunked even if its length is known.
#[inline]
pub fn response_framing(
    request: &RequestInfo,
    head: &OutgoingResponse,
    known_length: Option<u64>,
) -> Result<BodyPlan, FieldError> {
    // A usual response needs only this check, not the whole table.
    if let Some(length) = known_length
        && matches!(head.status(), 200..=203 | 400..=599)
        && !head.fields.has_special()
        && !request.head
        && !request.connect
    {
        return Ok(BodyPlan { framing: Framing::Length(length), body: true });
    }
    from_table(request, head, known_length)
}

#[inline(never)]
fn from_table(
    request: &RequestInfo,
    head: &OutgoingResponse,
    known_length: Option<u64>,
) -> Result<BodyPlan, FieldError> {
    let nothing = |framing| Ok(BodyPlan { framing, body: false });
    let declared = head.declared_length().map(Framing::Length);
    match head.status() {
        100..=199 | 204 => return nothing(Framing::None),
        200..=299 if request.connect => return nothing(Framing::None),
        205 => return nothing(Framing::Length(0)),
        304 => return nothing(declared.unwrap_or_default()),
        _ => {}
    }
    if head.wants_chunked() && head.declared_length().is_some() {
        return Err(FieldError::LengthAndCoding);
    }
    let chunked = (head.wants_chunked() && request.version == Version::Http11).then_some(Framing::Chunked);
    if request.head {
        // A handler may know that a response to HEAD needs no content, and give none. So a length of 0 may not be that of the
        // response to GET.
        let known = known_length.filter(|&length| length > 0).map(Framing::Length);
        return nothing(declared.or(chunked).or(known).unwrap_or_default());
    }
    if let (Some(declared), Some(known)) = (head.declared_length(), known_length)
        && declared != known
    {
        return Err(FieldError::LengthMismatch);
    }
    let framing = declared.or(chunked).or(known_length.map(Framing::Length)).unwrap_or(match request.version {
        Version::Http11 => Framing::Chunked,
        Version::Http10 => Framing::UntilClose,
    });
    Ok(BodyPlan { framing, body: true })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The shortcut for a usual response gives the same result as the table.
    #[test]
    fn the_usual_answer_is_that_of_the_table() {
        for status in 200..=999 {
            for fields in [&[][..], &[("Content-Length", "5")], &[("Transfer-Encoding", "chunked")], &[("X", "y")]] {
                let mut response = OutgoingResponse::new();
                response.set_status(status).unwrap();
                for (name, value) in fields {
                    response.set(name, value).unwrap();
                }
                for bits in 0..8 {
                    let version = if bits & 4 == 0 { Version::Http11 } else { Version::Http10 };
                    let request = RequestInfo { head: bits & 1 != 0, connect: bits & 2 != 0, version };
                    for known in [None, Some(0), Some(5), Some(7)] {
                        assert_eq!(
                            response_framing(&request, &response, known),
                            from_table(&request, &response, known),
                            "{status} {fields:?} {request:?} {known:?}"
                        );
                    }
                }
            }
        }
    }
}
