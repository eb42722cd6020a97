//! URLs of WebSockets (RFC 6455, 3).

use crate::proto::h1::is_host;
use crate::proto::octet::{self, TARGET};
use std::fmt;

/// The port of `ws:` URLs that name none.
const PORT: u16 = 80;

/// A URL with the scheme `ws`, in its parts.
///
/// ```
/// use oneloop::proto::ws::{Url, UrlFault};
///
/// let url = Url::parse("ws://[::1]:7777/chat?room=7").unwrap();
/// assert_eq!((url.host, url.port, url.authority, &*url.target), ("::1", 7777, "[::1]:7777", "/chat?room=7"));
/// let url = Url::parse("WS://example.org").unwrap();
/// assert_eq!((url.host, url.port, url.authority, &*url.target), ("example.org", 80, "example.org", "/"));
/// assert_eq!(Url::parse("wss://example.org/"), Err(UrlFault::Secure));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url<'a> {
    /// The host, without the brackets around an IPv6 address.
    pub host: &'a str,
    /// The port; 80 if the URL names none.
    pub port: u16,
    /// The value of the Host field: host and port as they stand in the URL.
    pub authority: &'a str,
    /// The request-target: path and query.
    pub target: String,
}

/// What is wrong with a URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UrlFault {
    /// The scheme is `wss`, which needs TLS.
    Secure,
    /// The scheme is neither `ws` nor `wss`, or there is none.
    Scheme,
    /// There is a user's name before the host.
    User,
    /// The host or the port is not valid.
    Host,
    /// There is a fragment (`#`), or a byte that must be percent-encoded.
    Target,
}

impl<'a> Url<'a> {
    /// Reads a URL.
    ///
    /// # Errors
    /// If it is none of a WebSocket without TLS.
    pub fn parse(text: &'a str) -> Result<Url<'a>, UrlFault> {
        let (scheme, rest) = text.split_once("://").ok_or(UrlFault::Scheme)?;
        if scheme.eq_ignore_ascii_case("wss") {
            return Err(UrlFault::Secure);
        }
        if !scheme.eq_ignore_ascii_case("ws") {
            return Err(UrlFault::Scheme);
        }
        let (authority, target) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        if authority.contains('@') {
            return Err(UrlFault::User);
        }
        if !is_host(authority) {
            return Err(UrlFault::Host);
        }
        if !octet::all(target.as_bytes(), TARGET) {
            return Err(UrlFault::Target);
        }
        let (host, port) = match authority.strip_prefix('[').and_then(|inside| inside.split_once(']')) {
            Some((host, port)) => (host, port.strip_prefix(':').unwrap_or_default()),
            None => authority.split_once(':').unwrap_or((authority, "")),
        };
        let port = if port.is_empty() { PORT } else { port.parse().map_err(|_| UrlFault::Host)? };
        let slash = if target.starts_with('/') { "" } else { "/" };
        Ok(Url { host, port, authority, target: [slash, target].concat() })
    }
}

impl fmt::Display for UrlFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            UrlFault::Secure => "wss: needs TLS, which is not there yet: use ws:, or a proxy that speaks TLS",
            UrlFault::Scheme => "the URL of a WebSocket begins with ws://",
            UrlFault::User => "a name before the host is not allowed: set the header Authorization",
            UrlFault::Host => "the host or the port is not valid",
            UrlFault::Target => "path and query are ASCII without # and blanks: percent-encode them",
        })
    }
}

impl std::error::Error for UrlFault {}

#[cfg(test)]
mod tests {
    use super::{Url, UrlFault};

    #[test]
    fn a_url_is_a_host_a_port_and_a_target() {
        for (text, host, port, authority, target) in [
            ("ws://a", "a", 80, "a", "/"),
            ("ws://a/", "a", 80, "a", "/"),
            ("Ws://a:1", "a", 1, "a:1", "/"),
            ("ws://a:/x", "a", 80, "a:", "/x"),
            ("ws://a?b=/c", "a", 80, "a", "/?b=/c"),
            ("ws://127.0.0.1:65535/a/b?c?d", "127.0.0.1", 65535, "127.0.0.1:65535", "/a/b?c?d"),
            ("ws://[::1]/", "::1", 80, "[::1]", "/"),
            ("ws://[::1]:8080/@", "::1", 8080, "[::1]:8080", "/@"),
        ] {
            let expected = Url { host, port, authority, target: target.to_owned() };
            assert_eq!(Url::parse(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_such_url_is_a_fault() {
        for (text, fault) in [
            ("", UrlFault::Scheme),
            ("a:80", UrlFault::Scheme),
            ("http://a", UrlFault::Scheme),
            ("wss://a", UrlFault::Secure),
            ("WSS://a", UrlFault::Secure),
            ("ws:a", UrlFault::Scheme),
            ("ws://", UrlFault::Host),
            ("ws://:80", UrlFault::Host),
            ("ws://a:65536", UrlFault::Host),
            ("ws://a:b", UrlFault::Host),
            ("ws://a b", UrlFault::Host),
            ("ws://a\r\nX: y", UrlFault::Host),
            ("ws://[::1", UrlFault::Host),
            ("ws://::1", UrlFault::Host),
            ("ws://ann:secret@a", UrlFault::User),
            ("ws://a/#b", UrlFault::Target),
            ("ws://a#b", UrlFault::Target),
            ("ws://a/b c", UrlFault::Target),
            ("ws://a/\r\nX: y", UrlFault::Target),
            ("ws://a/é", UrlFault::Target),
        ] {
            assert_eq!(Url::parse(text), Err(fault), "{text:?}");
        }
    }
}
