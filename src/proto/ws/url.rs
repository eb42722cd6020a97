//! URLs of WebSockets (RFC 6455, 3).

use crate::proto::url::{Scheme, Url, UrlFault};

/// Reads the URL of a WebSocket: `ws://host:port/path?query`, or `wss:` for one over TLS, without a fragment.
///
/// ```
/// use oneloop::proto::ws::websocket_url;
///
/// let url = websocket_url("ws://[::1]:7777/chat?room=7").unwrap();
/// assert_eq!((url.host(), url.port(), url.target()), ("::1", 7777, "/chat?room=7"));
/// assert_eq!(websocket_url("wss://example.org/").unwrap().port(), 443);
/// assert!(websocket_url("https://example.org/").unwrap_err().contains("ws://"));
/// ```
///
/// # Errors
/// What is wrong, in words.
pub fn websocket_url(text: &str) -> Result<Url, &'static str> {
    let url = match Url::parse(text) {
        Err(UrlFault::Scheme) => return Err(SCHEME),
        read => read.map_err(UrlFault::text)?,
    };
    match url.scheme() {
        // A fragment is an error here, since it would mean nothing.
        Scheme::Ws | Scheme::Wss if text.contains('#') => {
            Err("the URL of a WebSocket is without # and what stands behind it")
        }
        Scheme::Ws | Scheme::Wss => Ok(url),
        Scheme::Http | Scheme::Https | Scheme::Unix => Err(SCHEME),
    }
}

const SCHEME: &str = "the URL of a WebSocket begins with ws:// or wss://";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_of_a_websocket_begins_with_ws() {
        let url = websocket_url("Ws://A:/x?y").unwrap();
        assert_eq!((url.authority(), url.port(), url.target()), ("a", 80, "/x?y"));
        assert_eq!(websocket_url("wss://a").unwrap().port(), 443);
        for (text, part) in [
            ("", "begins with ws://"),
            ("http://a", "begins with ws://"),
            ("ftp://a", "begins with ws://"),
            ("unix:/a", "begins with ws://"),
            ("wss://a#b", "#"),
            ("ws://a/#b", "#"),
            ("ws://a#b", "#"),
            ("ws://a/b c", "percent-encode"),
            ("ws://ann:secret@a", "Authorization"),
            ("ws://a:65536", "host or the port"),
        ] {
            let words = websocket_url(text).expect_err(text);
            assert!(words.contains(part), "{text:?}: {words}");
        }
    }
}
