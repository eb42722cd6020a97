//! Requests that go to their servers through a proxy (RFC 9112, 3.2.2; RFC 9110, 9.3.6).

use super::place::Place;
use super::tunnel::Tunnel;
use crate::proto::base64;
use crate::proto::h1::{FieldError, OutgoingRequest};
use crate::proto::url::{Scheme, Url};
use std::fmt;
use std::io;

/// A proxy, which makes the requests of an [`Agent`](super::Agent) in its place: set it with
/// [`Agent::set_proxy`](super::Agent::set_proxy).
///
/// Requests with `http:` URLs are sent to the proxy with the whole URL as their target; what it answers is the response. For those with
/// `https:` URLs the proxy is asked for a tunnel to the server (CONNECT), in which the request goes by TLS: the proxy learns host and port
/// and nothing else. If it refuses, the error is [`Proxy`](super::RequestErrorKind::Proxy), with the
/// [status](super::RequestError::proxy_status) that it has answered. Tunnels are kept and used again, for the same server only. `unix:`
/// URLs need no proxy. No request goes directly because a proxy has failed.
///
/// ```no_run
/// use oneloop::http::{Agent, Proxy};
///
/// let agent = Agent::new();
/// agent.set_proxy(Proxy::to("http://proxy.example:3128")?.credentials("basil", "green").except("localhost, .internal"));
/// agent.get("http://example.org/", |res| println!("{}", res.status()));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone)]
pub struct Proxy {
    /// For URLs of a scheme without TLS; `None`: directly.
    plain: Option<Hop>,
    /// For those with TLS.
    secure: Option<Hop>,
    except: Vec<Exception>,
}

/// One proxy.
#[derive(Clone, PartialEq, Eq)]
struct Hop {
    url: Url,
    /// The value of Proxy-Authorization.
    authorization: Option<String>,
}

/// Hosts that are asked directly.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Exception {
    /// A host; its subdomains are meant as well. Empty for all hosts.
    host: String,
    port: Option<u16>,
}

impl Proxy {
    /// The proxy at a URL, such as `http://proxy.example:3128`. The scheme can be left out. A name and a password can stand before the
    /// host, as in `http://name:password@host:3128`.
    ///
    /// ```
    /// use oneloop::http::Proxy;
    ///
    /// assert_eq!(format!("{:?}", Proxy::to("proxy.example:3128")?), "Proxy(http://proxy.example:3128)");
    /// assert!(Proxy::to("socks5://127.0.0.1:1080").is_err());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    /// If it is no `http:` URL.
    pub fn to(url: &str) -> io::Result<Proxy> {
        let hop = Hop::at(url)?;
        Ok(Proxy { plain: Some(hop.clone()), secure: Some(hop), except: Vec::new() })
    }

    /// Sets the name and the password that the proxy wants (`Proxy-Authorization`, with the scheme Basic). They are sent to it and to
    /// nobody else.
    ///
    /// ```
    /// let proxy = oneloop::http::Proxy::to("proxy.example:3128")?.credentials("basil", "green");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn credentials(mut self, name: impl AsRef<[u8]>, password: impl AsRef<[u8]>) -> Proxy {
        for hop in [&mut self.plain, &mut self.secure].into_iter().flatten() {
            hop.authorization = Some(basic(name.as_ref(), password.as_ref()));
        }
        self
    }

    /// Adds hosts that are asked directly: a list with commas, in the form of `no_proxy`. A host stands for its subdomains as well; a dot
    /// or `*.` in front changes nothing. A port restricts it to that port. `*` stands for all hosts. Addresses are compared as text.
    ///
    /// ```
    /// let proxy = oneloop::http::Proxy::to("proxy.example:3128")?.except("localhost, 127.0.0.1, [::1]:8080, .internal");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn except(mut self, hosts: &str) -> Proxy {
        self.except.extend(hosts.split([',', ' ']).filter(|entry| !entry.is_empty()).filter_map(Exception::of));
        self
    }

    /// The proxy that the environment names: `http_proxy` for `http:` URLs, `https_proxy` for `https:` URLs, with the exceptions of
    /// `no_proxy`; or the same in upper case. URLs for which none is named are asked directly; `None` if there is none at all. No agent
    /// uses it unless the program says so.
    ///
    /// `HTTP_PROXY` is not looked at in a CGI program, where it is the field `Proxy` of a request (httpoxy, CVE-2016-5385).
    ///
    /// ```no_run
    /// use oneloop::http::{Agent, Proxy};
    /// Agent::global().set_proxy(Proxy::from_env()?);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`to`](Proxy::to).
    pub fn from_env() -> io::Result<Option<Proxy>> {
        Proxy::of_variables(|name| std::env::var(name).ok())
    }

    fn of_variables(value: impl Fn(&str) -> Option<String>) -> io::Result<Option<Proxy>> {
        let set = |name: &str| value(name).filter(|value| !value.is_empty());
        let upper = || set("HTTP_PROXY").filter(|_| value("REQUEST_METHOD").is_none());
        let plain = set("http_proxy").or_else(upper).map(|url| Hop::at(&url)).transpose()?;
        let secure = set("https_proxy").or_else(|| set("HTTPS_PROXY")).map(|url| Hop::at(&url)).transpose()?;
        if plain.is_none() && secure.is_none() {
            return Ok(None);
        }
        let except = set("no_proxy").or_else(|| set("NO_PROXY")).unwrap_or_default();
        Ok(Some(Proxy { plain, secure, except: Vec::new() }.except(&except)))
    }

    /// The proxy that a request with this URL goes to; `None`: it goes directly.
    fn hop(&self, url: &Url) -> Option<&Hop> {
        let hop = match url.scheme() {
            Scheme::Http | Scheme::Ws => self.plain.as_ref(),
            Scheme::Https | Scheme::Wss => self.secure.as_ref(),
            Scheme::Unix => None,
        };
        hop.filter(|_| !self.except.iter().any(|except| except.covers(url)))
    }

    /// The tunnel to the server of this URL; `None`: it is asked directly.
    pub(crate) fn tunnel(&self, url: &Url) -> Option<Tunnel> {
        self.hop(url).map(|hop| hop.tunnel(url))
    }
}

impl Hop {
    fn at(url: &str) -> io::Result<Hop> {
        let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, behind) = rest.split_at(end);
        let (user, host) = authority.rsplit_once('@').map_or((None, authority), |(user, host)| (Some(user), host));
        // What is said of it must not repeat a password.
        let wrong = |words: &str| io::Error::new(io::ErrorKind::InvalidInput, format!("the proxy {host:?}: {words}"));
        let url = Url::parse(&[scheme, "://", host, behind].concat()).map_err(|fault| wrong(fault.text()))?;
        if url.scheme() != Scheme::Http {
            return Err(wrong("its URL begins with http://"));
        }
        let user = user.map(|user| user.split_once(':').unwrap_or((user, "")));
        let authorization = user.map(|(name, password)| basic(&percent_decoded(name), &percent_decoded(password)));
        Ok(Hop { url, authorization })
    }

    fn tunnel(&self, to: &Url) -> Tunnel {
        let end = |url: &Url| (url.host().to_owned(), url.port());
        Tunnel { proxy: end(&self.url), authorization: self.authorization.clone(), to: end(to) }
    }
}

/// The value of Proxy-Authorization, with the scheme Basic (RFC 7617).
fn basic(name: &[u8], password: &[u8]) -> String {
    format!("Basic {}", base64::encode(&[name, b":", password].concat()))
}

/// Returns where a request with this URL goes, and writes its line, its Host and the credentials of a proxy that makes the request
/// into `head`. Those of a proxy that makes a tunnel stay with the tunnel.
///
/// # Errors
/// In words, if there is no way.
pub(super) fn route(
    proxy: Option<&Proxy>,
    method: &str,
    url: &Url,
    head: &mut OutgoingRequest,
) -> Result<Place, String> {
    let set = |result: Result<(), FieldError>| result.map_err(|error| error.to_string());
    set(head.set_host(url.authority()))?;
    let Some(hop) = proxy.and_then(|proxy| proxy.hop(url)) else {
        set(head.set_line(method, url.target()))?;
        return Place::of(url);
    };
    if url.scheme() == Scheme::Https {
        set(head.set_line(method, url.target()))?;
        return behind(hop, url);
    }
    set(head.set_line(method, url.as_str()))?;
    if let Some(value) = &hop.authorization {
        set(head.set("Proxy-Authorization", value))?;
    }
    Place::of(&hop.url)
}

#[cfg(feature = "tls")]
fn behind(hop: &Hop, url: &Url) -> Result<Place, String> {
    Ok(Place::Tunnel(hop.tunnel(url)))
}

/// Without TLS there is no way to such a server, whether by a tunnel or not.
#[cfg(not(feature = "tls"))]
fn behind(_: &Hop, url: &Url) -> Result<Place, String> {
    Place::of(url)
}

impl Exception {
    /// `None` for an entry that names nothing.
    fn of(entry: &str) -> Option<Exception> {
        if entry == "*" {
            return Some(Exception { host: String::new(), port: None });
        }
        let (host, port) = match entry.rsplit_once(':') {
            // Without brackets it is an IPv6 address.
            Some((host, port)) if !host.contains(':') || host.ends_with(']') => (host, Some(port.parse().ok()?)),
            _ => (entry, None),
        };
        let host = host.trim_start_matches('*').trim_matches('.').trim_start_matches('[').trim_end_matches(']');
        (!host.is_empty()).then(|| Exception { host: host.to_ascii_lowercase(), port })
    }

    fn covers(&self, url: &Url) -> bool {
        let host = url.host().trim_end_matches('.');
        let before = host.strip_suffix(&*self.host);
        before.is_some_and(|before| self.host.is_empty() || before.is_empty() || before.ends_with('.'))
            && self.port.is_none_or(|port| port == url.port())
    }
}

/// Replaces `%` and two digits by their byte.
fn percent_decoded(text: &str) -> Vec<u8> {
    let (mut bytes, mut rest) = (Vec::with_capacity(text.len()), text.as_bytes());
    while let Some((&byte, behind)) = rest.split_first() {
        let digit = |at: usize| behind.get(at).and_then(|&digit| char::from(digit).to_digit(16));
        match (byte, digit(0), digit(1)) {
            (b'%', Some(high), Some(low)) => {
                bytes.push((high * 16 + low) as u8);
                rest = behind.get(2..).unwrap_or_default();
            }
            _ => {
                bytes.push(byte);
                rest = behind;
            }
        }
    }
    bytes
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let origin =
            |hop: &Option<Hop>| hop.as_ref().map_or_else(|| "none".to_owned(), |hop| hop.url.origin().to_owned());
        match (origin(&self.plain), origin(&self.secure)) {
            (plain, secure) if plain == secure => write!(f, "Proxy({plain})"),
            (plain, secure) => write!(f, "Proxy({plain}, for https: {secure})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_an_http_url_and_its_credentials_are_not_shown() {
        for (text, origin, authorization) in [
            ("http://proxy:3128", "http://proxy:3128", None),
            ("Proxy", "http://proxy", None),
            ("[::1]:8080/", "http://[::1]:8080", None),
            ("http://ann:se%3Acr@et@proxy:1", "http://proxy:1", Some("Basic YW5uOnNlOmNyQGV0")),
            ("ann@proxy", "http://proxy", Some("Basic YW5uOg==")),
            ("%zz:%@proxy", "http://proxy", Some("Basic JXp6OiU=")),
        ] {
            let proxy = Proxy::to(text).unwrap();
            let hop = proxy.plain.clone().unwrap();
            assert_eq!((hop.url.origin(), hop.authorization.as_deref()), (origin, authorization), "{text}");
            assert!(proxy.secure == Some(hop), "{text}");
            assert_eq!(format!("{proxy:?}"), format!("Proxy({origin})"));
        }
        for text in
            ["", "https://proxy", "socks5://proxy", "ann:secret@", "ann:secret@a b", "http://ann:secret@proxy:x"]
        {
            let error = Proxy::to(text).unwrap_err().to_string();
            assert!(error.starts_with("the proxy ") && !error.contains("secret"), "{error}");
        }
    }

    #[test]
    fn exceptions_are_hosts_with_their_subdomains() {
        let proxy = Proxy::to("proxy").unwrap().except("a.b, .C ,*.d,e:81,127.0.0.1, [::1]:82,::2,:,x:y");
        for (url, direct) in [
            ("http://a.b/", true),
            ("https://x.a.b/", true),
            ("http://xa.b/", false),
            ("http://b/", false),
            ("http://a.b./", true),
            ("http://c/", true),
            ("http://x.c:99/", true),
            ("http://d/", true),
            ("http://e/", false),
            ("http://e:81/", true),
            ("http://127.0.0.1:5/", true),
            ("http://127.0.0.2/", false),
            ("http://[::1]:82/", true),
            ("http://[::1]/", false),
            ("http://[::2]:9/", true),
            ("http://x/", false),
            ("unix:/a", true),
        ] {
            assert_eq!(proxy.hop(&Url::parse(url).unwrap()).is_none(), direct, "{url}");
        }
        let all = Proxy::to("proxy").unwrap().except("*");
        assert!(all.hop(&Url::parse("http://a/").unwrap()).is_none());
    }

    #[test]
    fn the_environment_names_a_proxy_but_not_to_a_program_of_cgi() {
        let of = |set: &[(&str, &str)]| {
            let set: Vec<(String, String)> =
                set.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            let value = |name: &str| set.iter().find(|(other, _)| other == name).map(|(_, value)| value.clone());
            Proxy::of_variables(value).unwrap().map(|proxy| (format!("{proxy:?}"), proxy.except.len()))
        };
        let proxy = |origins: &str, except| Some((format!("Proxy({origins})"), except));
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[("http_proxy", "")]), None);
        assert_eq!(of(&[("https_proxy", "a"), ("no_proxy", "b")]), proxy("none, for https: http://a", 1));
        assert_eq!(of(&[("HTTPS_PROXY", "a"), ("http_proxy", "b")]), proxy("http://b, for https: http://a", 0));
        assert_eq!(of(&[("https_proxy", "a"), ("HTTPS_PROXY", "b"), ("http_proxy", "a")]), proxy("http://a", 0));
        assert_eq!(
            of(&[("http_proxy", "a"), ("HTTP_PROXY", "b"), ("no_proxy", "c,d"), ("NO_PROXY", "e")]),
            proxy("http://a, for https: none", 2)
        );
        assert_eq!(of(&[("HTTP_PROXY", "b:1"), ("NO_PROXY", "e")]), proxy("http://b:1, for https: none", 1));
        assert_eq!(of(&[("HTTP_PROXY", "evil"), ("REQUEST_METHOD", "GET")]), None, "httpoxy");
        assert_eq!(of(&[("http_proxy", "a"), ("REQUEST_METHOD", "GET")]), proxy("http://a, for https: none", 0));
        assert!(Proxy::of_variables(|_| Some("ftp://a".to_owned())).is_err());
    }
}
