//! Close codes, and the content of close frames (RFC 6455, 5.5.1 and 7.4).

use super::Fault;

/// The longest reason of a close frame, in bytes: what a control frame has besides the code.
pub const REASON: usize = 123;

/// Returns whether a close frame may have this code: one of those that are defined (RFC 6455, 7.4.1, and IANA's registry up to
/// 1014), one that a library or framework has registered (3000 to 3999), or one of an application (4000 to 4999).
///
/// ```
/// use oneloop::proto::ws::is_close_code;
///
/// assert!(is_close_code(1000) && is_close_code(3000) && is_close_code(4999));
/// assert!(!is_close_code(1005) && !is_close_code(1006) && !is_close_code(2999));
/// ```
pub fn is_close_code(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}

/// What a close frame says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CloseFrame<'a> {
    /// The code; `None` if the frame has no content.
    pub code: Option<u16>,
    /// The reason; often empty.
    pub reason: &'a str,
}

impl<'a> CloseFrame<'a> {
    /// Reads the content of a close frame.
    pub(super) fn parse(content: &'a [u8]) -> Result<CloseFrame<'a>, Fault> {
        let Some((code, reason)) = content.split_first_chunk::<2>() else {
            return if content.is_empty() {
                Ok(CloseFrame { code: None, reason: "" })
            } else {
                Err(Fault::HalfCloseCode)
            };
        };
        let code = u16::from_be_bytes(*code);
        if !is_close_code(code) {
            return Err(Fault::CloseCode);
        }
        let reason = std::str::from_utf8(reason).map_err(|_| Fault::CloseReason)?;
        Ok(CloseFrame { code: Some(code), reason })
    }
}

/// The beginning of a reason that fits in a close frame: [`REASON`] bytes at most, and no part of a character.
pub fn fitting_reason(reason: &str) -> &str {
    let end = (0..=REASON.min(reason.len())).rev().find(|&end| reason.is_char_boundary(end));
    reason.get(..end.unwrap_or(0)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_all_numbers_those_are_close_codes_that_may_be_sent() {
        let allowed: Vec<u16> = (0..=u16::MAX).filter(|&code| is_close_code(code)).collect();
        let expected: Vec<u16> = (1000..=1003).chain(1007..=1014).chain(3000..=4999).collect();
        assert_eq!(allowed, expected);
    }

    #[test]
    fn a_reason_is_cut_between_characters() {
        assert_eq!(fitting_reason("bye"), "bye");
        let long = "é".repeat(100);
        assert_eq!(fitting_reason(&long), "é".repeat(61), "122 bytes: the next character would be the 124th byte");
        assert_eq!(fitting_reason(&"x".repeat(200)).len(), REASON);
    }

    #[test]
    fn what_is_no_code_and_a_text_is_a_fault() {
        let parse = |content: &'static [u8]| CloseFrame::parse(content);
        assert_eq!(parse(b""), Ok(CloseFrame { code: None, reason: "" }));
        assert_eq!(parse(b"\x03\xe8"), Ok(CloseFrame { code: Some(1000), reason: "" }));
        assert_eq!(parse(b"\x0f\xa0so long"), Ok(CloseFrame { code: Some(4000), reason: "so long" }));
        assert_eq!(parse(b"\x03"), Err(Fault::HalfCloseCode));
        assert_eq!(parse(b"\x03\xed"), Err(Fault::CloseCode));
        assert_eq!(parse(b"\x03\xe8\xff"), Err(Fault::CloseReason));
    }
}
