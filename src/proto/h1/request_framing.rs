//! How the content of a request is framed (RFC 9112, 6; RFC 9110, 8.6).

use super::{
    field_error::FieldError,
    framing::Framing,
    outgoing_request::OutgoingRequest,
    response_framing::{BodyPlan, RequestInfo},
    version::Version,
};

impl From<&OutgoingRequest> for RequestInfo {
    fn from(head: &OutgoingRequest) -> Self {
        let method = head.method();
        RequestInfo { head: method == "HEAD", connect: method == "CONNECT", version: Version::Http11 }
    }
}

/// Decides on the framing of a request. `known_length` is the length of the content, if the caller has all of it already.
///
/// | request | framing | content |
/// |---|---|---|
/// | CONNECT, TRACE | none (RFC 9110, 9.3.6 and 9.3.8); content that is known, or a field that announces it, is an error | no |
/// | length set | that length; a known length must be equal to it | yes |
/// | `Transfer-Encoding: chunked` set | chunked, even if the length is known | yes |
/// | length known to be 0, with GET, HEAD, DELETE or OPTIONS | none (RFC 9110, 8.6) | no |
/// | length known | that length, 0 included: who sends no content with POST says so (RFC 9110, 8.6) | yes |
/// | unknown | chunked | yes |
///
/// A request never ends with the connection. Both fields at once are an error.
pub fn request_framing(head: &OutgoingRequest, known_length: Option<u64>) -> Result<BodyPlan, FieldError> {
    let nothing = Ok(BodyPlan { framing: Framing::None, body: false });
    let (declared, chunked) = (head.fields.declared_length(), head.fields.wants_chunked());
    if chunked && declared.is_some() {
        return Err(FieldError::LengthAndCoding);
    }
    if matches!(head.method(), "CONNECT" | "TRACE") {
        let some = chunked || declared.is_some() || known_length.is_some_and(|length| length > 0);
        return if some { Err(FieldError::NoContent) } else { nothing };
    }
    let framing = match (declared, known_length) {
        (Some(declared), Some(known)) if declared != known => return Err(FieldError::LengthMismatch),
        (Some(declared), _) => Framing::Length(declared),
        _ if chunked => Framing::Chunked,
        (None, Some(0)) if matches!(head.method(), "GET" | "HEAD" | "DELETE" | "OPTIONS") => return nothing,
        (None, Some(known)) => Framing::Length(known),
        (None, None) => Framing::Chunked,
    };
    Ok(BodyPlan { framing, body: true })
}
