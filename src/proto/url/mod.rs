//! URLs of clients (RFC 3986): `http:`, `https:`, `ws:`, `wss:`, and `unix:` for a socket's path. What a `Location` means: `resolve`.
//!
//! This is no general parser of URLs. A host is ASCII: of a name with other letters, the program gives the `xn--` form. What is
//! percent-encoded stays as it is, in paths too. A user's name in a URL is refused, since it is mostly there to mislead.

mod resolve;

use super::h1::is_host;
use super::octet::{self, TARGET};
use std::fmt;

/// An absolute URL, in one normal form: scheme and host in lower case, the port only if it is not the scheme's own, at least `/` for
/// the path, no fragment. So two URLs of one server have the same [`origin`](Url::origin), letter by letter.
///
/// ```
/// use oneloop::proto::url::{Scheme, Url, UrlFault};
///
/// let url = Url::parse("HTTP://Example.org:8080?n=1#part")?;
/// assert_eq!((url.scheme(), url.host(), url.port()), (Scheme::Http, "example.org", 8080));
/// assert_eq!((url.authority(), url.target()), ("example.org:8080", "/?n=1"));
/// assert_eq!(Url::parse("https://[::1]:443/a")?.as_str(), "https://[::1]/a");
///
/// let url = Url::parse("unix:/run/app.sock:/health")?;
/// assert_eq!((url.socket_path(), url.target()), (Some("/run/app.sock"), "/health"));
/// # Ok::<(), UrlFault>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Url {
    text: String,
    scheme: Scheme,
    /// Where the authority begins; for `unix:`, the path of the socket.
    authority: usize,
    /// Where the authority ends.
    origin: usize,
    /// Where the target begins: where the authority ends; with `unix:`, after the colon behind the path of the socket.
    target: usize,
    port: u16,
}

/// The schemes that a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// `http`
    Http,
    /// `https`
    Https,
    /// `ws`
    Ws,
    /// `wss`
    Wss,
    /// `unix`: HTTP over a socket that has a path instead of host and port.
    Unix,
}

/// What is wrong with a URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum UrlFault {
    /// The scheme is another one, or is missing.
    Scheme,
    /// There is a user's name before the host.
    User,
    /// The host or the port is missing or not valid, or the host is not ASCII.
    Host,
    /// Path or query have a byte that must be percent-encoded.
    Target,
    /// The path of a Unix socket is relative, empty, or has a control character.
    Socket,
}

impl Scheme {
    /// The name, in lower case.
    pub const fn name(self) -> &'static str {
        match self {
            Scheme::Http => "http",
            Scheme::Https => "https",
            Scheme::Ws => "ws",
            Scheme::Wss => "wss",
            Scheme::Unix => "unix",
        }
    }

    /// The port of URLs that name none. 0 for `unix`, which has none.
    pub const fn port(self) -> u16 {
        match self {
            Scheme::Http | Scheme::Ws => 80,
            Scheme::Https | Scheme::Wss => 443,
            Scheme::Unix => 0,
        }
    }

    /// Returns whether it is spoken over TLS.
    pub const fn is_secure(self) -> bool {
        matches!(self, Scheme::Https | Scheme::Wss)
    }

    /// The scheme of that name, in any case.
    fn of(name: &str) -> Option<Scheme> {
        [Scheme::Http, Scheme::Https, Scheme::Ws, Scheme::Wss]
            .into_iter()
            .find(|scheme| name.eq_ignore_ascii_case(scheme.name()))
    }
}

impl Url {
    /// Reads an absolute URL. A fragment (`#part`) is dropped: it is never sent (RFC 9110, 4.2.5). The path stays as it is, `..`
    /// included.
    ///
    /// # Errors
    /// A [`UrlFault`], if it is none of a client.
    pub fn parse(text: &str) -> Result<Url, UrlFault> {
        if let Some(("unix", rest)) = text.split_once(':') {
            return Url::of_socket(rest);
        }
        let (scheme, rest) = text.split_once("://").ok_or(UrlFault::Scheme)?;
        let scheme = Scheme::of(scheme).ok_or(UrlFault::Scheme)?;
        let rest = without_fragment(rest);
        let (authority, target) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        if authority.contains('@') {
            return Err(UrlFault::User);
        }
        // A name with percent-encodings is one in another alphabet, for which look-ups want the `xn--` form.
        if !is_host(authority) || authority.contains('%') {
            return Err(UrlFault::Host);
        }
        let digits = authority.bytes().rev().take_while(u8::is_ascii_digit).count();
        let (host, port) = match authority.split_at_checked(authority.len() - digits) {
            // No host ends with a colon: see `is_host`.
            Some((before, digits)) if before.ends_with(':') => (before.trim_end_matches(':'), digits),
            _ => (authority, ""),
        };
        let port = if port.is_empty() { scheme.port() } else { port.parse().map_err(|_| UrlFault::Host)? };
        let start = scheme.name().len() + "://".len();
        let mut text = String::with_capacity(start + authority.len() + 1 + target.len());
        text.push_str(scheme.name());
        text.push_str("://");
        text.push_str(host);
        text.make_ascii_lowercase();
        if port != scheme.port() {
            text.push(':');
            text.push_str(&port.to_string());
        }
        let origin = text.len();
        Url { text, scheme, authority: start, origin, target: origin, port }.with_target(target)
    }

    /// Reads what follows `unix:`. The first colon with a slash behind it ends the path of the socket.
    fn of_socket(rest: &str) -> Result<Url, UrlFault> {
        let (path, target) = rest.split_at(rest.find(":/").unwrap_or(rest.len()));
        if !path.starts_with('/') || path.chars().any(char::is_control) {
            return Err(UrlFault::Socket);
        }
        let start = "unix:".len();
        let origin = start + path.len();
        let url = Url {
            text: ["unix:", path, ":"].concat(),
            scheme: Scheme::Unix,
            authority: start,
            origin,
            target: origin + 1,
            port: 0,
        };
        url.with_target(without_fragment(target).strip_prefix(':').unwrap_or_default())
    }

    /// Returns a URL of the same server with another target: a path with or without a query, or a query alone.
    fn with_target(mut self, target: &str) -> Result<Url, UrlFault> {
        if !octet::all(target.as_bytes(), TARGET) {
            return Err(UrlFault::Target);
        }
        self.text.truncate(self.target);
        if !target.starts_with('/') {
            self.text.push('/');
        }
        self.text.push_str(target);
        Ok(self)
    }

    /// The whole URL, in its normal form.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The scheme.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Scheme, host and port, such as `http://example.org:8080` (RFC 9110, 4.3.1). Of a socket, `unix:` and its path.
    pub fn origin(&self) -> &str {
        self.part(0, self.origin)
    }

    /// Returns whether scheme, host and port are the same. Credentials for one origin are not for another.
    pub fn is_same_origin(&self, other: &Url) -> bool {
        self.origin() == other.origin()
    }

    /// Host and port, if that is not the scheme's own: the value of the Host field (RFC 9110, 7.2). `localhost` for a socket, as in
    /// Node.
    pub fn authority(&self) -> &str {
        if self.scheme == Scheme::Unix { "localhost" } else { self.part(self.authority, self.origin) }
    }

    /// The host, without the brackets around an IPv6 address. `localhost` for a socket.
    pub fn host(&self) -> &str {
        let authority = self.authority();
        match authority.strip_prefix('[').and_then(|inside| inside.split_once(']')) {
            Some((host, _)) => host,
            None => authority.split(':').next().unwrap_or_default(),
        }
    }

    /// The port, that of the scheme if the URL names none. 0 for a socket.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The path of the Unix socket, if it is a URL of one.
    pub fn socket_path(&self) -> Option<&str> {
        (self.scheme == Scheme::Unix).then(|| self.part(self.authority, self.origin))
    }

    /// Path and query: the request-target in its origin form (RFC 9112, 3.2.1).
    pub fn target(&self) -> &str {
        self.part(self.target, self.text.len())
    }

    /// The path. It begins with `/`.
    pub fn path(&self) -> &str {
        self.target().split('?').next().unwrap_or_default()
    }

    /// The URL without its query, which may hold a secret: for messages and logs.
    pub fn without_query(&self) -> &str {
        self.part(0, self.target + self.path().len())
    }

    /// A part of the text. All positions lie within it, so the empty default is never returned.
    fn part(&self, start: usize, end: usize) -> &str {
        self.text.get(start..end).unwrap_or_default()
    }
}

fn without_fragment(text: &str) -> &str {
    text.split('#').next().unwrap_or_default()
}

impl fmt::Display for Url {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.text)
    }
}

impl std::str::FromStr for Url {
    type Err = UrlFault;

    fn from_str(text: &str) -> Result<Url, UrlFault> {
        Url::parse(text)
    }
}

impl UrlFault {
    /// What is wrong, and what to do.
    pub const fn text(self) -> &'static str {
        match self {
            UrlFault::Scheme => "a URL begins with http:// or https://, or with unix:/ for a socket",
            UrlFault::User => "a name before the host is not allowed: set the header Authorization",
            UrlFault::Host => "the host or the port is not valid",
            UrlFault::Target => "path and query are ASCII without blanks: percent-encode them",
            UrlFault::Socket => "the path of a Unix socket begins with a slash, as in unix:/run/app.sock:/target",
        }
    }
}

impl fmt::Display for UrlFault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.text())
    }
}

impl std::error::Error for UrlFault {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_a_scheme_a_host_a_port_and_a_target() {
        for (text, whole, host, port, target) in [
            ("http://a", "http://a/", "a", 80, "/"),
            ("HTTP://A/", "http://a/", "a", 80, "/"),
            ("http://a:80", "http://a/", "a", 80, "/"),
            ("http://a:443", "http://a:443/", "a", 443, "/"),
            ("https://a:443/", "https://a/", "a", 443, "/"),
            ("https://a:0080/", "https://a:80/", "a", 80, "/"),
            ("ws://a:/x", "ws://a/x", "a", 80, "/x"),
            ("wss://a?b=/c", "wss://a/?b=/c", "a", 443, "/?b=/c"),
            ("http://127.0.0.1:65535/a/b?c?d", "http://127.0.0.1:65535/a/b?c?d", "127.0.0.1", 65535, "/a/b?c?d"),
            ("http://[2001:DB8::1]/", "http://[2001:db8::1]/", "2001:db8::1", 80, "/"),
            ("http://[::1]:8080/@", "http://[::1]:8080/@", "::1", 8080, "/@"),
            ("http://a.b-c_d/%zz/../.%2e/A?%", "http://a.b-c_d/%zz/../.%2e/A?%", "a.b-c_d", 80, "/%zz/../.%2e/A?%"),
            ("http://a#b@c/d?e", "http://a/", "a", 80, "/"),
            ("http://a/b#\u{e9} c", "http://a/b", "a", 80, "/b"),
            ("http://a//b", "http://a//b", "a", 80, "//b"),
            ("unix:/a", "unix:/a:/", "localhost", 0, "/"),
            ("unix:/a b:c:/d:/e?f#g", "unix:/a b:c:/d:/e?f", "localhost", 0, "/d:/e?f"),
        ] {
            let url = Url::parse(text).unwrap_or_else(|fault| panic!("{text}: {fault}"));
            assert_eq!((url.as_str(), url.host(), url.port(), url.target()), (whole, host, port, target), "{text}");
            assert_eq!(Url::parse(whole).as_ref(), Ok(&url), "{whole} again");
        }
    }

    #[test]
    fn what_is_no_such_url_is_a_fault() {
        for (text, fault) in [
            ("", UrlFault::Scheme),
            ("a:80", UrlFault::Scheme),
            ("//a/b", UrlFault::Scheme),
            ("/a", UrlFault::Scheme),
            ("http:a", UrlFault::Scheme),
            ("http:/a", UrlFault::Scheme),
            ("ftp://a", UrlFault::Scheme),
            (" http://a", UrlFault::Scheme),
            ("javascript:alert(1)//http://a", UrlFault::Scheme),
            ("http://", UrlFault::Host),
            ("http:///a", UrlFault::Host),
            ("http://:80", UrlFault::Host),
            ("http://?a", UrlFault::Host),
            ("http://a:65536", UrlFault::Host),
            ("http://a:b", UrlFault::Host),
            ("http://a:80:80", UrlFault::Host),
            ("http://a b", UrlFault::Host),
            ("http://a\r\nX: y", UrlFault::Host),
            ("http://a\\b", UrlFault::Host),
            ("http://[::1", UrlFault::Host),
            ("http://::1", UrlFault::Host),
            ("http://[fe80::1%25eth0]", UrlFault::Host),
            ("http://b%c3%bccher.example", UrlFault::Host),
            ("http://b\u{fc}cher.example", UrlFault::Host),
            ("http://ann:secret@a", UrlFault::User),
            ("http://a@b@c", UrlFault::User),
            ("http://a/b c", UrlFault::Target),
            ("http://a/\r\nX: y", UrlFault::Target),
            ("http://a/\u{e9}", UrlFault::Target),
            ("unix:", UrlFault::Socket),
            ("unix:a", UrlFault::Socket),
            ("unix::/a", UrlFault::Socket),
            ("unix:/a\nb", UrlFault::Socket),
            ("unix:/a:/b c", UrlFault::Target),
        ] {
            assert_eq!(Url::parse(text), Err(fault), "{text:?}");
        }
    }

    #[test]
    fn origins_are_the_same_if_scheme_host_and_port_are() {
        let origin = |text| Url::parse(text).unwrap().origin().to_owned();
        assert_eq!(origin("HTTP://A:80/x?y"), "http://a");
        assert_eq!(origin("unix:/a:/x"), "unix:/a");
        let same = |a, b| Url::parse(a).unwrap().is_same_origin(&Url::parse(b).unwrap());
        for (a, b) in [
            ("http://a", "http://A:80/b"),
            ("https://a:443/", "https://a"),
            ("http://[::A]:81/", "http://[::a]:81/x"),
            ("unix:/a:/b", "unix:/a"),
        ] {
            assert!(same(a, b), "{a} {b}");
        }
        for (a, b) in [
            ("http://a", "https://a"),
            ("http://a", "http://a:443"),
            ("http://a", "https://a:80"),
            ("http://a", "http://a.b"),
            ("http://a", "http://a."),
            ("http://a", "ws://a"),
            ("unix:/a", "unix:/A"),
        ] {
            assert!(!same(a, b), "{a} {b}");
        }
    }

    #[test]
    fn a_url_has_a_form_for_messages() {
        assert_eq!(Url::parse("http://a/b?token=c").unwrap().without_query(), "http://a/b");
        assert_eq!(Url::parse("unix:/a:/b?c").unwrap().without_query(), "unix:/a:/b");
        assert_eq!(Url::parse("http://a/b?c?d").unwrap().path(), "/b");
    }
}
