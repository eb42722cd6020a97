//! A cookie for a client to keep: the value of a `Set-Cookie` field (RFC 6265, 4.1, and its revision, draft rfc6265bis).

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use std::fmt;
use std::time::Duration;

/// What a cookie's value cannot hold (the complement of RFC 6265's `cookie-octet`), and `%`, by which it is written nevertheless.
const ENCODED: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b',').add(b';').add(b'\\').add(b'%');
/// Browsers keep no cookie for longer (rfc6265bis, 5.5).
const LONGEST: Duration = Duration::from_secs(400 * 24 * 60 * 60);
/// In bytes, with its attributes. Browsers ignore cookies whose name and value are longer.
const MOST_BYTES: usize = 4096;

/// A cookie for [`Response::cookie`](crate::http::Response::cookie).
///
/// Unless you say otherwise it is sent back with requests for all paths of this host and for no other host, until the browser is
/// closed; scripts cannot read it (`HttpOnly`); and other sites' pages cannot send it with their requests, except by links
/// (`SameSite=Lax`). It is `Secure`, so that browsers send it over HTTPS only, if the request has come by HTTPS
/// ([`Request::is_secure`](crate::http::Request::is_secure)), or if its name begins with `__Host-` or `__Secure-`.
///
/// ```
/// use oneloop::app::{Cookie, SameSite};
/// use std::time::Duration;
///
/// let theme = Cookie::new("theme", "dark & quiet").http_only(false).max_age(Duration::from_secs(60 * 60 * 24 * 30));
/// assert_eq!(theme.to_field()?, "theme=dark%20&%20quiet; Max-Age=2592000; Path=/; SameSite=Lax");
///
/// let session = Cookie::new("__Host-sid", "31d4").same_site(SameSite::Strict);
/// assert_eq!(session.to_field()?, "__Host-sid=31d4; Path=/; Secure; HttpOnly; SameSite=Strict");
/// # Ok::<(), oneloop::app::CookieError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "give it to `Response::cookie`"]
pub struct Cookie {
    name: String,
    value: String,
    max_age: Option<Duration>,
    domain: Option<String>,
    path: String,
    /// `None`: where the request has come by `https`, or where the name demands it.
    secure: Option<bool>,
    http_only: bool,
    same_site: SameSite,
    partitioned: bool,
}

/// With which requests of other sites' pages a cookie is sent (rfc6265bis, 5.7.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SameSite {
    /// With none: who follows a link to this site seems not to be logged in.
    Strict,
    /// When the user follows a link to this site; not with forms, images or scripts of other sites.
    #[default]
    Lax,
    /// With all. The cookie has to be [`secure`](Cookie::secure).
    None,
}

impl Cookie {
    /// A cookie with a name and a value. The name must be a token (letters, digits, some signs). The value is any text: what a
    /// cookie cannot hold is percent-encoded, and [`Request::cookie`](crate::http::Request::cookie) decodes it.
    pub fn new(name: impl Into<String>, value: impl Into<String>) -> Cookie {
        Cookie {
            name: name.into(),
            value: value.into(),
            max_age: None,
            domain: None,
            path: "/".to_owned(),
            secure: None,
            http_only: true,
            same_site: SameSite::default(),
            partitioned: false,
        }
    }

    /// For how long the browser keeps the cookie; fractions of a second are dropped. More than 400 days become 400 days. By
    /// default it is kept until the browser is closed.
    pub fn max_age(self, max_age: Duration) -> Cookie {
        Cookie { max_age: Some(max_age.min(LONGEST)), ..self }
    }

    /// Sends the cookie to this domain and all of its subdomains. By default it goes to the host of the answer alone, which is
    /// safer.
    pub fn domain(self, domain: impl Into<String>) -> Cookie {
        Cookie { domain: Some(domain.into()), ..self }
    }

    /// Sends the cookie with requests for this path and those below it. Default: `/`. It protects nothing: pages of other paths
    /// can read the cookie by other ways.
    pub fn path(self, path: impl Into<String>) -> Cookie {
        Cookie { path: path.into(), ..self }
    }

    /// Whether the cookie is sent over HTTPS only (and to `localhost`). By default it is if the request has come by HTTPS. Set it
    /// behind a proxy that serves HTTPS for you without saying so.
    pub fn secure(self, secure: bool) -> Cookie {
        Cookie { secure: Some(secure), ..self }
    }

    /// The cookie as an answer sends it: if nobody has chosen otherwise, it is `Secure` when the request has come by HTTPS (`https`).
    pub(super) fn over_https(self, https: bool) -> Cookie {
        let secure = Some(self.secure.unwrap_or(https || self.name_is_of_secure()));
        Cookie { secure, ..self }
    }

    fn name_is_of_secure(&self) -> bool {
        begins_with(&self.name, "__Host-") || begins_with(&self.name, "__Secure-")
    }

    fn is_secure(&self) -> bool {
        self.secure.unwrap_or_else(|| self.name_is_of_secure())
    }

    /// Whether scripts cannot read the cookie. Default: true.
    pub fn http_only(self, http_only: bool) -> Cookie {
        Cookie { http_only, ..self }
    }

    /// With which requests of other sites' pages the cookie is sent. Default: [`SameSite::Lax`].
    pub fn same_site(self, same_site: SameSite) -> Cookie {
        Cookie { same_site, ..self }
    }

    /// Whether a page that is embedded in other sites has one cookie for each of these (CHIPS). The cookie has to be secure.
    pub fn partitioned(self, partitioned: bool) -> Cookie {
        Cookie { partitioned, ..self }
    }

    #[cfg(feature = "sessions")]
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    #[cfg(feature = "sessions")]
    pub(super) fn value(&self) -> &str {
        &self.value
    }

    #[cfg(feature = "sessions")]
    pub(super) fn with_value(self, value: String) -> Cookie {
        Cookie { value, ..self }
    }

    /// The same cookie without a value, which the browser forgets at once. Name, domain and path say which cookie is forgotten.
    pub(super) fn removed(self) -> Cookie {
        Cookie { value: String::new(), max_age: Some(Duration::ZERO), ..self }
    }

    /// The value of the `Set-Cookie` field, of an answer to a request that has not come by HTTPS.
    ///
    /// # Errors
    /// If a browser would ignore the cookie, or would read something else than was meant: see [`CookieError`].
    pub fn to_field(&self) -> Result<String, CookieError> {
        self.check()?;
        let mut field = format!("{}={}", self.name, utf8_percent_encode(&self.value, ENCODED));
        if let Some(max_age) = self.max_age {
            field += &format!("; Max-Age={}", max_age.as_secs());
        }
        if let Some(domain) = &self.domain {
            field = field + "; Domain=" + domain;
        }
        field = field + "; Path=" + &self.path;
        field += if self.is_secure() { "; Secure" } else { "" };
        field += if self.http_only { "; HttpOnly" } else { "" };
        field += match self.same_site {
            SameSite::Strict => "; SameSite=Strict",
            SameSite::Lax => "; SameSite=Lax",
            SameSite::None => "; SameSite=None",
        };
        field += if self.partitioned { "; Partitioned" } else { "" };
        if field.len() > MOST_BYTES { Err(CookieError::TooLong) } else { Ok(field) }
    }

    fn check(&self) -> Result<(), CookieError> {
        if !is_name(&self.name) {
            return Err(CookieError::Name);
        }
        if !self.domain.as_deref().is_none_or(is_domain) {
            return Err(CookieError::Domain);
        }
        if !is_path(&self.path) {
            return Err(CookieError::Path);
        }
        let host = begins_with(&self.name, "__Host-");
        if host && (self.domain.is_some() || self.path != "/") {
            return Err(CookieError::HostPrefix);
        }
        let needs_secure = self.name_is_of_secure() || self.same_site == SameSite::None || self.partitioned;
        if needs_secure && !self.is_secure() { Err(CookieError::Insecure) } else { Ok(()) }
    }
}

/// A cookie with this name: to be cleared.
impl From<&str> for Cookie {
    fn from(name: &str) -> Cookie {
        Cookie::new(name, "")
    }
}

/// Browsers compare these prefixes without case (rfc6265bis, 5.6), so that nobody gets past them by another case.
fn begins_with(name: &str, prefix: &str) -> bool {
    name.get(..prefix.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(prefix))
}

/// A token (RFC 9110, 5.6.2).
fn is_name(name: &str) -> bool {
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !name.is_empty() && name.bytes().all(token)
}

/// Labels of letters, digits and hyphens with points between them; a point in front means nothing (RFC 6265, 5.2.3).
fn is_domain(domain: &str) -> bool {
    let label =
        |label: &str| !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    domain.strip_prefix('.').unwrap_or(domain).split('.').all(label)
}

/// A path that begins with `/`, in visible ASCII without `;`: what else there is has to be percent-encoded, as in requests.
fn is_path(path: &str) -> bool {
    path.starts_with('/') && path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b';')
}

/// Why a cookie cannot be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CookieError {
    /// The name is not a token.
    Name,
    /// The domain is not made of labels of letters, digits and hyphens.
    Domain,
    /// The path does not begin with `/`, or has a byte that a path must percent-encode.
    Path,
    /// A cookie whose name begins with `__Host-` has a domain, or another path than `/`.
    HostPrefix,
    /// A cookie for all sites, a partitioned one, or one whose name begins with `__Host-` or `__Secure-` is not secure.
    Insecure,
    /// The field has more than 4,096 bytes.
    TooLong,
}

impl fmt::Display for CookieError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            CookieError::Name => "the name of a cookie must be one or more letters, digits or any of !#$%&'*+-.^_`|~",
            CookieError::Domain => "the domain of a cookie must be a name such as example.com",
            CookieError::Path => "the path of a cookie must begin with / and be percent-encoded",
            CookieError::HostPrefix => "a cookie whose name begins with __Host- has the path / and no domain",
            CookieError::Insecure => "browsers ignore this cookie if it is not secure: call .secure(true)",
            CookieError::TooLong => "a cookie has at most 4,096 bytes with its attributes",
        })
    }
}

impl std::error::Error for CookieError {}
