//! References, such as `../b?c`, and the URL that they name from where they stand (RFC 3986, 5.2).

use super::{Scheme, Url, UrlFault, without_fragment};
use crate::proto::octet::{self, TARGET};
use std::borrow::Cow;
use std::fmt::Write;

impl Url {
    /// Returns the URL that a reference names which was found at this URL: what a `Location` says (RFC 9110, 10.2.2; RFC 3986,
    /// 5.2, strictly). `.` and `..` in its path are resolved; a fragment is dropped. Bytes that no URL has, such as blanks and
    /// letters outside of ASCII, are percent-encoded in path and query, as browsers do, since some servers send them.
    ///
    /// ```
    /// use oneloop::proto::url::{Url, UrlFault};
    ///
    /// let base = Url::parse("http://example.org/a/b?c")?;
    /// assert_eq!(base.resolve(b"../d?e#f")?.as_str(), "http://example.org/d?e");
    /// assert_eq!(base.resolve("/gr\u{fc}n".as_bytes())?.as_str(), "http://example.org/gr%C3%BCn");
    /// assert_eq!(base.resolve(b"//other.example")?.as_str(), "http://other.example/");
    /// assert_eq!(base.resolve(b"unix:/run/docker.sock:/"), Err(UrlFault::Scheme));
    /// # Ok::<(), UrlFault>(())
    /// ```
    ///
    /// # Errors
    /// A [`UrlFault`], if the reference names no URL that a client can ask. A reference never leads to a `unix:` socket, unless it
    /// was found there and has no scheme: what is reachable by sockets is no choice of a server.
    pub fn resolve(&self, reference: &[u8]) -> Result<Url, UrlFault> {
        let reference = percent_encoded(reference)?;
        let reference = without_fragment(&reference);
        if let Some(scheme) = scheme_of(reference) {
            if scheme.eq_ignore_ascii_case("unix") {
                return Err(UrlFault::Scheme);
            }
            return Url::parse(reference)?.without_dots();
        }
        if reference.starts_with("//") {
            if self.scheme == Scheme::Unix {
                return Err(UrlFault::Scheme);
            }
            return Url::parse(&[self.scheme.name(), ":", reference].concat())?.without_dots();
        }
        let path = self.path();
        let target = match reference.bytes().next() {
            None => return Ok(self.clone()),
            Some(b'?') => return self.clone().with_target(&[path, reference].concat()),
            Some(b'/') => Cow::Borrowed(reference),
            Some(_) => {
                let folder = path.get(..=path.rfind('/').unwrap_or_default()).unwrap_or("/");
                Cow::Owned([folder, reference].concat())
            }
        };
        self.clone().with_target(&target)?.without_dots()
    }

    /// The same URL, without the segments `.` and `..` in its path.
    fn without_dots(self) -> Result<Url, UrlFault> {
        let path = self.path();
        let query = self.target().get(path.len()..).unwrap_or_default();
        let target = [&*remove_dot_segments(path), query].concat();
        self.with_target(&target)
    }
}

/// The scheme of a reference, if it has one: a letter, then letters, digits, `+`, `-` and `.`, then a colon (RFC 3986, 3.1).
fn scheme_of(reference: &str) -> Option<&str> {
    let (scheme, _) = reference.split_once(':')?;
    let is_scheme = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'));
    is_scheme.then_some(scheme)
}

/// RFC 3986, 5.2.4, for a path that begins with a slash. Each byte is copied once and dropped once at most.
fn remove_dot_segments(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let is_last = segments.peek().is_none();
        match segment {
            "." | ".." => {
                if segment == ".." {
                    out.truncate(out.rfind('/').unwrap_or_default());
                }
                if is_last {
                    out.push('/');
                }
            }
            segment => {
                out.push('/');
                out.push_str(segment);
            }
        }
    }
    out
}

/// The reference in ASCII without blanks. Control characters have no place in it: they would end up in what others read.
fn percent_encoded(reference: &[u8]) -> Result<Cow<'_, str>, UrlFault> {
    let is_allowed = |byte: u8| octet::is(byte, TARGET) || byte == b'#';
    if let (true, Ok(text)) = (reference.iter().all(|&byte| is_allowed(byte)), std::str::from_utf8(reference)) {
        return Ok(Cow::Borrowed(text));
    }
    let mut text = String::with_capacity(reference.len() * 3);
    for &byte in reference {
        if is_allowed(byte) {
            text.push(char::from(byte));
        } else if byte == b' ' || byte >= 0x80 {
            let _ = write!(text, "%{byte:02X}");
        } else {
            return Err(UrlFault::Target);
        }
    }
    Ok(Cow::Owned(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(base: &str, reference: &str) -> Result<String, UrlFault> {
        Ok(Url::parse(base)?.resolve(reference.as_bytes())?.as_str().to_owned())
    }

    /// RFC 3986, 5.4.1 and 5.4.2: all rows, except that fragments are dropped and other schemes refused.
    #[test]
    fn references_are_resolved_as_the_table_of_rfc_3986_says() {
        for (reference, url) in [
            ("g", "http://a/b/c/g"),
            ("./g", "http://a/b/c/g"),
            ("g/", "http://a/b/c/g/"),
            ("/g", "http://a/g"),
            ("//g", "http://g/"),
            ("?y", "http://a/b/c/d;p?y"),
            ("g?y", "http://a/b/c/g?y"),
            ("#s", "http://a/b/c/d;p?q"),
            ("g#s", "http://a/b/c/g"),
            ("g?y#s", "http://a/b/c/g?y"),
            (";x", "http://a/b/c/;x"),
            ("g;x", "http://a/b/c/g;x"),
            ("g;x?y#s", "http://a/b/c/g;x?y"),
            ("", "http://a/b/c/d;p?q"),
            (".", "http://a/b/c/"),
            ("./", "http://a/b/c/"),
            ("..", "http://a/b/"),
            ("../", "http://a/b/"),
            ("../g", "http://a/b/g"),
            ("../..", "http://a/"),
            ("../../", "http://a/"),
            ("../../g", "http://a/g"),
            ("../../../g", "http://a/g"),
            ("../../../../g", "http://a/g"),
            ("/./g", "http://a/g"),
            ("/../g", "http://a/g"),
            ("g.", "http://a/b/c/g."),
            (".g", "http://a/b/c/.g"),
            ("g..", "http://a/b/c/g.."),
            ("..g", "http://a/b/c/..g"),
            ("./../g", "http://a/b/g"),
            ("./g/.", "http://a/b/c/g/"),
            ("g/./h", "http://a/b/c/g/h"),
            ("g/../h", "http://a/b/c/h"),
            ("g;x=1/./y", "http://a/b/c/g;x=1/y"),
            ("g;x=1/../y", "http://a/b/c/y"),
            ("g?y/./x", "http://a/b/c/g?y/./x"),
            ("g?y/../x", "http://a/b/c/g?y/../x"),
            ("g#s/./x", "http://a/b/c/g"),
            ("g#s/../x", "http://a/b/c/g"),
        ] {
            assert_eq!(resolved("http://a/b/c/d;p?q", reference).as_deref(), Ok(url), "{reference:?}");
        }
        for reference in ["g:h", "http:g"] {
            assert_eq!(resolved("http://a/b/c/d;p?q", reference), Err(UrlFault::Scheme), "{reference:?}");
        }
    }

    #[test]
    fn references_that_servers_send_are_resolved_and_nothing_gets_through_them() {
        for (base, reference, url) in [
            ("http://a", "b", Ok("http://a/b")),
            ("http://a?b/c", "d", Ok("http://a/d")),
            ("http://a/b", "HTTPS://C:443/./d/../e", Ok("https://c/e")),
            ("https://a:8443/b", "//c:8443", Ok("https://c:8443/")),
            ("https://a/b", "/c d?e f", Ok("https://a/c%20d?e%20f")),
            ("https://a/b", "c:d", Err(UrlFault::Scheme)),
            ("https://a/b", "./c:d", Ok("https://a/c:d")),
            ("https://a/b", "/c?http://d", Ok("https://a/c?http://d")),
            ("http://a/b", "/%2e%2e/c", Ok("http://a/%2e%2e/c")),
            ("http://a/b", "/c//../d", Ok("http://a/c/d")),
            ("http://a/b", "//c@d/", Err(UrlFault::User)),
            ("http://a/b", "http://\u{fc}/", Err(UrlFault::Host)),
            ("http://a/b", "///c", Err(UrlFault::Host)),
            ("http://a/b", "/c\r\nX: y", Err(UrlFault::Target)),
            ("http://a/b", "/c\0", Err(UrlFault::Target)),
            ("http://a/b", "/\\c", Ok("http://a/\\c")),
            ("http://a/b", "javascript:alert(1)", Err(UrlFault::Scheme)),
            ("http://a/b", "Unix:/c:/d", Err(UrlFault::Scheme)),
            ("unix:/a:/b/c?d", "e", Ok("unix:/a:/b/e")),
            ("unix:/a:/b/c?d", "?e", Ok("unix:/a:/b/c?e")),
            ("unix:/a:/b", "//c/d", Err(UrlFault::Scheme)),
            ("unix:/a:/b", "http://c/d", Ok("http://c/d")),
        ] {
            assert_eq!(resolved(base, reference).as_deref(), url.as_ref().copied(), "{base} {reference:?}");
        }
        let latin1 = Url::parse("http://a/").unwrap().resolve(b"/\xe9").unwrap();
        assert_eq!(latin1.as_str(), "http://a/%E9");
    }

    #[test]
    fn a_long_path_of_dots_takes_no_longer_than_any_other() {
        let deep = "a/".repeat(100_000) + &"../".repeat(100_000) + "b";
        assert_eq!(resolved("http://a/", &deep).as_deref(), Ok("http://a/b"));
    }
}
