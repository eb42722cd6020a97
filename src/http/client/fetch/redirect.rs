//! Where a response sends a client (RFC 9110, 15.4), and what of the request goes there.

use super::error::{FetchErrorKind, Refused};
use crate::proto::h1::OutgoingRequest;
use crate::proto::url::{Scheme, Url, UrlFault};

/// The request that a fetch is about.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub method: String,
    pub url: Url,
    /// The fields that the program has set, Host among them. Its line is not used.
    pub head: OutgoingRequest,
    pub body: Vec<u8>,
}

/// Fields that say who asks. They are meant for one origin: a redirect to another one drops them.
const CREDENTIALS: [&str; 4] = ["authorization", "cookie", "proxy-authorization", "host"];
/// Fields about the content of the request. If a redirect drops the content, they are dropped too.
const OF_CONTENT: [&str; 8] = [
    "content-type",
    "content-length",
    "content-encoding",
    "content-language",
    "content-location",
    "transfer-encoding",
    "expect",
    "trailer",
];

/// Returns whether a response with this status sends its client elsewhere, if it has a Location. 300 lets the client choose, 304 is no
/// redirect, and 305 and 306 are of the past.
pub(super) fn is_redirect(status: u16) -> bool {
    matches!(status, 301 | 302 | 303 | 307 | 308)
}

impl Asked {
    /// Turns the request into the one that a redirect asks for.
    ///
    /// | status | method | body |
    /// |---|---|---|
    /// | 301, 302 | GET instead of POST, as all clients do; else the same | dropped with the change, else the same |
    /// | 303 | HEAD stays, all others become GET | dropped with the change |
    /// | 307, 308 | the same | the same |
    ///
    /// # Errors
    /// If the client must not go there, and why, in words. Then nothing has changed.
    pub fn follow(&mut self, status: u16, location: &[u8]) -> Result<(), Refused> {
        let refused = |words: String| (FetchErrorKind::RedirectRefused, words);
        let to = self.url.resolve(location).map_err(|fault| match fault {
            UrlFault::Scheme => refused("it redirects to something else than http: and https:".to_owned()),
            _ => refused(format!("it redirects to no valid URL: {fault}")),
        })?;
        let is_same_origin = to.is_same_origin(&self.url);
        if !matches!(to.scheme(), Scheme::Http | Scheme::Https) && !is_same_origin {
            return Err(refused(format!("it redirects to {}:, which is not followed", to.scheme().name())));
        }
        if self.url.scheme() == Scheme::Https && to.scheme() != Scheme::Https {
            return Err(refused(format!(
                "it redirects from https: to {}, where everybody can read along",
                to.origin()
            )));
        }
        if !is_same_origin {
            for name in CREDENTIALS {
                self.head.remove(name);
            }
        }
        let becomes_get = match status {
            301 | 302 => self.method == "POST",
            303 => self.method != "HEAD",
            _ => false,
        };
        if becomes_get {
            self.method = "GET".to_owned();
            self.body = Vec::new();
            for name in OF_CONTENT {
                self.head.remove(name);
            }
        }
        self.url = to;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(method: &str, url: &str) -> Asked {
        let mut head = OutgoingRequest::new();
        for (name, value) in [
            ("AUTHORIZATION", "a"),
            ("Cookie", "b"),
            ("proxy-authorization", "c"),
            ("Host", "d"),
            ("Accept", "e"),
            ("Content-Type", "f"),
            ("Content-Length", "4"),
            ("X", "g"),
        ] {
            head.append(name, value).unwrap();
        }
        Asked { method: method.to_owned(), url: Url::parse(url).unwrap(), head, body: b"body".to_vec() }
    }

    fn names(asked: &Asked) -> Vec<String> {
        asked.head.iter_bytes().map(|(name, _)| name.to_ascii_lowercase()).collect()
    }

    /// CVE-2023-45143 (undici), CVE-2022-27774 (curl), superagent#1844, aiohttp#12275: scheme, host and port, with each status.
    #[test]
    fn credentials_go_to_no_other_scheme_host_or_port() {
        for status in [301, 302, 303, 307, 308] {
            for (from, location, kept) in [
                ("http://a/x", "/y", true),
                ("http://a/x", "y?z", true),
                ("http://a/x", "http://A:80/y", true),
                ("http://a:81/x", "//a:81", true),
                ("http://a/x", "https://a/y", false),
                ("http://a/x", "http://a:81/y", false),
                ("http://a:81/x", "http://a/y", false),
                ("https://a/x", "https://a:80/y", false),
                ("http://a/x", "http://a.b/y", false),
                ("http://a.b/x", "//b/y", false),
                ("http://a/x", "http://a./y", false),
                ("unix:/a:/x", "y", true),
                ("unix:/a:/x", "http://localhost/y", false),
            ] {
                let mut asked = asked("GET", from);
                asked.follow(status, location.as_bytes()).unwrap();
                let left = names(&asked);
                for name in CREDENTIALS {
                    assert_eq!(left.iter().any(|other| other == name), kept, "{status} {from} {location} {name}");
                }
                assert!(left.iter().any(|name| name == "accept") && left.iter().any(|name| name == "x"));
            }
        }
    }

    #[test]
    fn the_method_and_the_body_follow_the_status() {
        for (status, method, then, has_body) in [
            (301, "POST", "GET", false),
            (302, "POST", "GET", false),
            (303, "POST", "GET", false),
            (307, "POST", "POST", true),
            (308, "POST", "POST", true),
            (301, "PUT", "PUT", true),
            (302, "DELETE", "DELETE", true),
            (303, "PUT", "GET", false),
            (303, "GET", "GET", false),
            (303, "HEAD", "HEAD", true),
            (302, "HEAD", "HEAD", true),
            (308, "PATCH", "PATCH", true),
        ] {
            let mut asked = asked(method, "http://a/x");
            asked.follow(status, b"/y").unwrap();
            assert_eq!((&*asked.method, asked.body.is_empty()), (then, !has_body), "{status} {method}");
            let told = names(&asked).iter().any(|name| name.starts_with("content-"));
            assert_eq!(told, has_body, "{status} {method}");
            assert_eq!(asked.url.as_str(), "http://a/y");
        }
    }

    #[test]
    fn a_redirect_is_not_followed_to_where_it_must_not_lead() {
        for (from, location, words) in [
            ("https://a/", "http://a/", "from https: to http://a"),
            ("https://a/", "http://b:8080/?secret", "from https: to http://b:8080,"),
            ("http://a/", "ftp://b/", "something else"),
            ("http://a/", "file:///etc/passwd", "something else"),
            ("http://a/", "unix:/run/docker.sock:/", "something else"),
            ("http://a/", "javascript:alert(1)", "something else"),
            ("http://a/", "ws://a/", "to ws:"),
            ("http://a/", "http://u:p@b/", "name before the host"),
            ("http://a/", "http://[/", "host or the port"),
            ("http://a/", "/a\r\nX: y", "percent-encode"),
            ("unix:/a:/x", "//b/", "something else"),
        ] {
            let mut asked = asked("POST", from);
            let (kind, text) = asked.follow(307, location.as_bytes()).unwrap_err();
            assert_eq!(kind, FetchErrorKind::RedirectRefused, "{location}");
            assert!(text.contains(words) && !text.contains("secret"), "{location}: {text}");
            assert_eq!(
                (asked.url.as_str(), names(&asked).len()),
                (Url::parse(from).unwrap().as_str(), 8),
                "nothing has changed"
            );
        }
    }

    #[test]
    fn only_five_statuses_lead_elsewhere() {
        assert_eq!((100..600).filter(|&status| is_redirect(status)).collect::<Vec<_>>(), [301, 302, 303, 307, 308]);
    }
}
