use std::fmt::{self, Display, Formatter};
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

/// Where to listen or to connect to, as the user gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// A port of this machine.
    Port(u16),
    Host(String, u16),
    Ip(SocketAddr),
    Path(PathBuf),
    /// A name of Linux' abstract namespace.
    Abstract(Vec<u8>),
    /// A text that is none of these, with a hint what to write instead. To listen or connect with it is an error.
    Unclear(String, &'static str),
}

impl Place {
    pub fn host(host: &str, port: u16) -> Place {
        match host.parse::<IpAddr>() {
            Ok(ip) => Place::Ip(SocketAddr::new(ip, port)),
            Err(_) => Place::Host(host.to_owned(), port),
        }
    }

    /// Reads a text: see the table of [`Listen`](super::Listen).
    pub fn parse(text: &str) -> Place {
        let unclear = |hint| Place::Unclear(text.to_owned(), hint);
        if let Some(path) = text.strip_prefix("unix:")
            && !path.is_empty()
        {
            return Place::Path(path.into());
        }
        if let Some(name) = text.strip_prefix('@') {
            return Place::Abstract(name.into());
        }
        if text.contains("://") {
            return unclear("a URL is not an address: write the host and the port, as in \"localhost:80\"");
        }
        if text.contains('/') {
            return Place::Path(text.into());
        }
        if let Ok(address) = text.parse::<SocketAddr>() {
            return Place::Ip(address);
        }
        if text.parse::<IpAddr>().is_ok() {
            return unclear("it has no port: write \"127.0.0.1:80\", or \"[::1]:80\" for IPv6");
        }
        let (host, port) = text.rsplit_once(':').unwrap_or_else(|| {
            // A text of digits only is a port, as in Node: ports from environment variables are such texts.
            if text.bytes().all(|byte| byte.is_ascii_digit()) { ("", text) } else { (text, "") }
        });
        match port.parse::<u16>() {
            _ if !port.bytes().all(|byte| byte.is_ascii_digit()) => unclear(HINT),
            Ok(port) if host.is_empty() => Place::Port(port),
            Ok(_) if host.contains([':', '[', ']', ' ']) => unclear(HINT),
            Ok(port) => Place::Host(host.to_owned(), port),
            Err(_) if port.is_empty() => {
                unclear("it has no port: write \"localhost:80\", or \"./name\" for a Unix socket")
            }
            Err(_) => unclear("a port is a number up to 65535"),
        }
    }

    /// If this is [`Unclear`](Place::Unclear), returns an error that says how to write a place.
    pub fn check(&self) -> io::Result<()> {
        match self {
            Place::Unclear(_, hint) => Err(io::Error::new(ErrorKind::InvalidInput, *hint)),
            _ => Ok(()),
        }
    }
}

const HINT: &str = "write \"localhost:80\", \"127.0.0.1:80\", \"[::1]:80\", \"/a/path\" or \"80\"";

/// The form of this text is for error messages.
impl Display for Place {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Place::Port(port) => write!(f, "port {port}"),
            Place::Host(host, port) => write!(f, "{host}:{port}"),
            Place::Ip(address) => address.fmt(f),
            Place::Path(path) => write!(f, "unix:{}", path.display()),
            Place::Abstract(name) => write!(f, "unix:@{}", name.escape_ascii()),
            Place::Unclear(text, _) => write!(f, "{text:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_says_where() {
        let cases = [
            ("7777", Place::Port(7777)),
            (":7777", Place::Port(7777)),
            ("0", Place::Port(0)),
            ("127.0.0.1:7777", Place::Ip(SocketAddr::from(([127, 0, 0, 1], 7777)))),
            ("[::1]:80", Place::Ip("[::1]:80".parse().unwrap())),
            ("[fe80::1%3]:80", Place::Ip("[fe80::1%3]:80".parse().unwrap())),
            ("localhost:80", Place::Host("localhost".into(), 80)),
            ("/run/x.sock", Place::Path("/run/x.sock".into())),
            ("./x.sock", Place::Path("./x.sock".into())),
            ("x/y:80", Place::Path("x/y:80".into())),
            ("unix:x.sock", Place::Path("x.sock".into())),
            ("unix:/x.sock", Place::Path("/x.sock".into())),
            ("@name", Place::Abstract(b"name".to_vec())),
        ];
        for (text, place) in cases {
            assert_eq!(Place::parse(text), place, "{text}");
            assert!(place.check().is_ok());
        }
    }

    #[test]
    fn a_text_that_says_nothing_is_an_error_with_a_hint() {
        let cases = [
            ("", "no port"),
            (":", "no port"),
            ("localhost", "no port"),
            ("localhost:", "no port"),
            ("127.0.0.1", "no port"),
            ("::1", "[::1]:80"),
            ("localhost:http", "localhost:80"),
            ("localhost:+80", "localhost:80"),
            ("localhost:65536", "65535"),
            ("65536", "65535"),
            ("a:b:80", "[::1]:80"),
            ("[::1]", "[::1]:80"),
            ("http://localhost:80", "URL"),
            ("http://localhost/", "URL"),
            ("unix:", "no port"),
        ];
        for (text, hint) in cases {
            let error = Place::parse(text).check().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{text}");
            assert!(error.to_string().contains(hint), "{text}: {error}");
        }
    }
}
