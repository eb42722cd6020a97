//! Persistence (RFC 9112, 9.3), as two tables: whether the peer's version and Connection field allow another request, and which
//! Connection field we send.
//!
//! This file contains neither a server's own decision to close nor the effect on the connection: see
//! [`connection`](super::connection). No rule here depends on the method of a request. The method only tells a client whether it
//! may send the request again after a close (RFC 9110, 9.2.2).

use super::version::Version;
use crate::proto::octet::same_name;

/// The wish about persistence that the Connection fields of a message express.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ConnectionOption {
    /// Neither `close` nor `keep-alive`.
    #[default]
    None,
    /// `close`, which wins over `keep-alive`.
    Close,
    /// `keep-alive`.
    KeepAlive,
}

impl ConnectionOption {
    /// Combines the options read so far with one more option of a Connection field. `close` wins over `keep-alive`, in whatever
    /// order they come (RFC 9112, 9.3).
    #[inline]
    pub(super) fn with(self, option: &[u8]) -> ConnectionOption {
        match option.len() {
            _ if self == ConnectionOption::Close => self,
            5 if same_name(option, b"close") => ConnectionOption::Close,
            10 if same_name(option, b"keep-alive") => ConnectionOption::KeepAlive,
            _ => self,
        }
    }
}

/// Returns whether the peer allows another request after this one.
pub const fn persistent(version: Version, option: ConnectionOption) -> bool {
    match (version, option) {
        (Version::Http11, ConnectionOption::None) => true,
        (Version::Http11, ConnectionOption::KeepAlive) => true,
        (Version::Http11, ConnectionOption::Close) => false,
        (Version::Http10, ConnectionOption::None) => false,
        (Version::Http10, ConnectionOption::KeepAlive) => true,
        (Version::Http10, ConnectionOption::Close) => false,
    }
}

/// The Connection field that we add to a response.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ConnectionField {
    /// None: the connection stays open, as is the rule in HTTP/1.1.
    #[default]
    None,
    /// `Connection: close`: this is the last response (RFC 9112, 9.6).
    Close,
    /// `Connection: keep-alive`: an HTTP/1.0 client asked to keep the connection open, and must be told that it stays open.
    KeepAlive,
}

/// Returns the Connection field to send; after `Close`, close the connection. `version` is that of the request, `persistent`
/// tells whether the peer allows another request ([`persistent`]), and `closing`, whether we want to end the connection.
pub const fn connection_field(version: Version, persistent: bool, closing: bool) -> ConnectionField {
    match (version, persistent, closing) {
        (_, _, true) => ConnectionField::Close,
        (_, false, _) => ConnectionField::Close,
        (Version::Http11, true, false) => ConnectionField::None,
        (Version::Http10, true, false) => ConnectionField::KeepAlive,
    }
}
