//! The four forms of a request-target.

use super::{fault::Fault, host};

/// The form of a request-target (RFC 9112, 3.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum TargetForm {
    /// `/path?query`: what nearly all requests have.
    #[default]
    Origin,
    /// `http://host/path?query`, as to a proxy; every server must accept it.
    Absolute,
    /// `host:port`, for CONNECT only.
    Authority,
    /// `*`, for OPTIONS only.
    Asterisk,
}

/// The parts of a target. All positions are in bytes from its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Parts {
    pub(super) form: TargetForm,
    /// Where the authority stands; empty unless the form is absolute or authority.
    pub(super) authority: (usize, usize),
    /// Where the path stands; empty if an absolute target has none.
    pub(super) path: (usize, usize),
    /// The position after the first question mark.
    pub(super) query: Option<usize>,
}

/// Returns whether a target has the origin form.
#[inline]
pub(super) fn is_origin(method: &[u8], target: &[u8]) -> bool {
    target.first() == Some(&b'/') && method != b"CONNECT"
}

/// Finds the parts of a target that is not in origin form. Its bytes are known to be allowed; `question` is the position of its
/// first `?`.
pub(super) fn read(method: &[u8], target: &[u8], question: Option<usize>) -> Result<Parts, Fault> {
    let whole = (0, target.len());
    let parts = match (method, target) {
        (b"CONNECT", _) => authority(target),
        (b"OPTIONS", b"*") => Some(Parts { form: TargetForm::Asterisk, authority: (0, 0), path: whole, query: None }),
        _ => absolute(target, question),
    };
    parts.ok_or(Fault::TargetForm)
}

/// Reads `host:port`. Both parts are required. Port 0 is refused, since no server can listen there (RFC 9110, 9.3.6).
fn authority(target: &[u8]) -> Option<Parts> {
    let host = host::read(target)?;
    let zero = target.iter().rev().find(|&&byte| byte != b'0') == Some(&b':');
    let whole = (0, target.len());
    (host.named && host.port && !zero).then_some(Parts {
        form: TargetForm::Authority,
        authority: whole,
        path: whole,
        query: None,
    })
}

/// Reads a URI with the scheme `http` or `https`, with a host and without user information (RFC 9110, 4.2.1, 4.2.2 and 4.2.4).
fn absolute(target: &[u8], question: Option<usize>) -> Option<Parts> {
    let scheme = ["http://", "https://"]
        .into_iter()
        .find(|scheme| target.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme.as_bytes())))?;
    let start = scheme.len();
    let rest = target.get(start..)?;
    let authority_len = rest.iter().position(|byte| matches!(byte, b'/' | b'?')).unwrap_or(rest.len());
    if !host::read(rest.get(..authority_len)?)?.named {
        return None;
    }
    let path = start + authority_len;
    Some(Parts {
        form: TargetForm::Absolute,
        authority: (start, path),
        path: (path, question.unwrap_or(target.len())),
        query: question.map(|at| at + 1),
    })
}
