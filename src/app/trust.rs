//! Who the client is, behind proxies.

use crate::http::Request;
use crate::net::Address;
use crate::proto::forwarded::{Hop, Network, Scheme, address, hops};
use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Which proxies you believe. A proxy in front of your server is the peer of all connections; it says in fields of the request who
/// its client is. Anybody can send such fields, so they count only if they come from a proxy that you know, by its address.
///
/// The fields are `X-Forwarded-For`, `X-Forwarded-Proto` and `X-Forwarded-Host`, unless you choose
/// [`Forwarded`](Trust::by_forwarded) (RFC 7239). Never both: a proxy that knows one of them passes on what clients say in the
/// other.
///
/// The client's address is looked for from the end, where the nearest proxy has written: as long as an address is one of your
/// proxies', the one before it counts. There is no number of proxies to be set (Express's `trust proxy: 1`), since a client that
/// reaches the server past a proxy could then say anything.
///
/// ```
/// # let sim = oneloop::sim::Sim::new();
/// use oneloop::app::Trust;
///
/// let trust = Trust::networks(["10.0.0.0/8"])?;
/// let server = oneloop::http::create_server(move |req, res| match trust.ip(&req) {
///     Some(ip) => res.end(format!("you are {ip}\n")),
///     None => res.end("who are you?\n"),
/// });
/// # server.listen(80, ()).unwrap();
/// let proxy = sim.connect_from("10.0.0.7:4711".parse().unwrap(), 80);
/// let request = sim.request("GET", "/").header("X-Forwarded-For", "203.0.113.9, 10.0.0.8");
/// assert_eq!(request.on(&proxy).send().text(), "you are 203.0.113.9\n");
/// # Ok::<(), oneloop::app::TrustError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Trust {
    networks: Vec<Network>,
    unix: bool,
    forwarded: bool,
}

const LOOPBACK: [Network; 2] = [Network::v4(Ipv4Addr::new(127, 0, 0, 0), 8), Network::v6(Ipv6Addr::LOCALHOST, 128)];
/// RFC 1918, RFC 3927, RFC 4193 and RFC 4291, 2.5.6.
const PRIVATE: [Network; 6] = [
    Network::v4(Ipv4Addr::new(10, 0, 0, 0), 8),
    Network::v4(Ipv4Addr::new(172, 16, 0, 0), 12),
    Network::v4(Ipv4Addr::new(192, 168, 0, 0), 16),
    Network::v4(Ipv4Addr::new(169, 254, 0, 0), 16),
    Network::v6(Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7),
    Network::v6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10),
];

impl Trust {
    /// Believes no proxy: the client is the peer of the connection.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// use oneloop::app::Trust;
    ///
    /// let server = oneloop::http::create_server(|req, res| res.end(format!("{:?}", Trust::nobody().protocol(&req))));
    /// # server.listen(80, ()).unwrap();
    /// assert_eq!(sim.request("GET", "/").header("X-Forwarded-Proto", "https").send().text(), "\"http\"");
    /// ```
    pub fn nobody() -> Trust {
        Trust::default()
    }

    /// Believes proxies on this machine: 127.0.0.0/8 and ::1.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// use oneloop::app::Trust;
    ///
    /// let trust = Trust::loopback();
    /// let server = oneloop::http::create_server(move |req, res| res.end(trust.protocol(&req)));
    /// # server.listen(80, ()).unwrap();
    /// let proxy = sim.connect_from("127.0.0.1:4711".parse().unwrap(), 80);
    /// assert_eq!(sim.request("GET", "/").header("X-Forwarded-Proto", "https").on(&proxy).send().text(), "https");
    /// ```
    pub fn loopback() -> Trust {
        Trust { networks: LOOPBACK.to_vec(), ..Trust::default() }
    }

    /// Believes proxies on this machine and in private networks (10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, 169.254.0.0/16, fc00::/7,
    /// fe80::/10): for servers that only their proxy can reach.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// use oneloop::app::Trust;
    ///
    /// let trust = Trust::private();
    /// let server = oneloop::http::create_server(move |req, res| res.end(trust.host(&req).unwrap_or_default().as_ref()));
    /// # server.listen(80, ()).unwrap();
    /// let proxy = sim.connect_from("192.168.0.2:4711".parse().unwrap(), 80);
    /// assert_eq!(sim.request("GET", "/").header("X-Forwarded-Host", "a.example").on(&proxy).send().text(), "a.example");
    /// ```
    pub fn private() -> Trust {
        Trust { networks: [&LOOPBACK[..], &PRIVATE[..]].concat(), ..Trust::default() }
    }

    /// Believes proxies in these networks, each an address, or an address with a number of bits.
    ///
    /// # Errors
    /// If one of the texts is no such thing.
    ///
    /// ```
    /// use oneloop::app::Trust;
    ///
    /// assert!(Trust::networks(["10.0.0.0/8", "2001:db8::7"]).is_ok());
    /// assert!(Trust::networks(["10.0.0.0/33"]).is_err());
    /// ```
    pub fn networks<'a>(networks: impl IntoIterator<Item = &'a str>) -> Result<Trust, TrustError> {
        let read = |text: &str| Network::read(text).ok_or_else(|| TrustError(text.to_owned()));
        let networks = networks.into_iter().map(read).collect::<Result<_, _>>()?;
        Ok(Trust { networks, ..Trust::default() })
    }

    /// Believes whoever connects by a Unix socket, too. The permissions of its path say who that can be.
    ///
    /// ```
    /// use oneloop::app::Trust;
    ///
    /// let trust = Trust::nobody().and_unix();
    /// let server = oneloop::http::create_server(move |req, res| res.end(format!("{:?}", trust.ip(&req))));
    /// ```
    pub fn and_unix(self) -> Trust {
        Trust { unix: true, ..self }
    }

    /// Reads what proxies say in `Forwarded`, and no `X-Forwarded-…` field.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// use oneloop::app::Trust;
    ///
    /// let trust = Trust::loopback().by_forwarded();
    /// let server = oneloop::http::create_server(move |req, res| res.end(format!("{:?}", trust.ip(&req).unwrap())));
    /// # server.listen(80, ()).unwrap();
    /// let proxy = sim.connect_from("[::1]:4711".parse().unwrap(), 80);
    /// let request = sim.request("GET", "/").header("Forwarded", "for=203.0.113.9;proto=https");
    /// assert_eq!(request.on(&proxy).send().text(), "203.0.113.9");
    /// ```
    pub fn by_forwarded(self) -> Trust {
        Trust { forwarded: true, ..self }
    }

    /// The client's address. If a proxy of yours says something that is no address, it is the address of that proxy. `None` if the
    /// exchange is over, or if the client is on a Unix socket.
    ///
    /// An IPv4 address within an IPv6 one (`::ffff:192.0.2.1`) is given as the IPv4 address.
    ///
    /// ```
    /// let trust = oneloop::app::Trust::loopback();
    /// let server = oneloop::http::create_server(move |req, res| {
    ///     log::info!("{:?} asks for {}", trust.ip(&req), req.path());
    ///     res.end("hello\n")
    /// });
    /// ```
    pub fn ip(&self, req: &Request) -> Option<IpAddr> {
        self.ips(req).into_iter().next()
    }

    /// The client's address, and behind it those of the proxies by which the request has come, the nearest last.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// let trust = oneloop::app::Trust::private();
    /// let server = oneloop::http::create_server(move |req, res| res.end(format!("{:?}", trust.ips(&req))));
    /// # server.listen(80, ()).unwrap();
    /// let proxy = sim.connect_from("10.0.0.7:4711".parse().unwrap(), 80);
    /// let request = sim.request("GET", "/").header("X-Forwarded-For", "1.2.3.4, 203.0.113.9, 10.0.0.8");
    /// assert_eq!(request.on(&proxy).send().text(), "[203.0.113.9, 10.0.0.8, 10.0.0.7]");
    /// ```
    pub fn ips(&self, req: &Request) -> Vec<IpAddr> {
        let peer = req.remote_addr().and_then(|address| address.ip()).map(|ip| ip.to_canonical());
        let mut found: Vec<_> = peer.into_iter().collect();
        if self.believes_peer(req) {
            for sender in self.senders(req).into_iter().rev() {
                let Some(sender) = sender else { break };
                found.push(sender);
                if !self.believes(sender) {
                    break;
                }
            }
        }
        found.reverse();
        found
    }

    /// The scheme of the request: `"https"` if a proxy of yours, as the peer of the connection, says so; else `"http"`.
    ///
    /// ```
    /// let trust = oneloop::app::Trust::loopback();
    /// let server = oneloop::http::create_server(move |req, res| {
    ///     let host = trust.host(&req).unwrap_or_default();
    ///     res.end(format!("{}://{host}{}\n", trust.protocol(&req), req.path()))
    /// });
    /// ```
    pub fn protocol(&self, req: &Request) -> &'static str {
        if self.is_secure(req) { "https" } else { "http" }
    }

    /// Returns whether the [`protocol`](Trust::protocol) is `"https"`: then cookies can be
    /// [`secure`](super::Cookie::secure).
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// use oneloop::app::{Cookie, Trust};
    ///
    /// let trust = Trust::loopback();
    /// let server = oneloop::http::create_server(move |req, res| {
    ///     res.cookie(Cookie::new("sid", "31d4").secure(trust.is_secure(&req))).end(())
    /// });
    /// # server.listen(80, ()).unwrap();
    /// # let proxy = sim.connect_from("127.0.0.1:4711".parse().unwrap(), 80);
    /// # let reply = sim.request("GET", "/").header("X-Forwarded-Proto", "https").on(&proxy).send();
    /// # assert!(reply.header("Set-Cookie").unwrap().contains("Secure"));
    /// ```
    pub fn is_secure(&self, req: &Request) -> bool {
        let scheme = if !self.believes_peer(req) {
            None
        } else if self.forwarded {
            self.nearest(req).and_then(|hop| hop.scheme)
        } else {
            last(req, "X-Forwarded-Proto").and_then(Scheme::read)
        };
        scheme == Some(Scheme::Https)
    }

    /// The host and port that the client has asked for: those that a proxy of yours says, as the peer of the connection, if they are a
    /// host; else [`Request::host`].
    ///
    /// ```
    /// let trust = oneloop::app::Trust::loopback();
    /// let server = oneloop::http::create_server(move |req, res| match trust.host(&req).as_deref() {
    ///     Some("api.example") => res.end("the API\n"),
    ///     _ => res.end("the pages\n"),
    /// });
    /// ```
    pub fn host<'r>(&self, req: &'r Request) -> Option<Cow<'r, str>> {
        let said = if !self.believes_peer(req) {
            None
        } else if self.forwarded {
            self.nearest(req).and_then(|hop| hop.host)
        } else {
            last(req, "X-Forwarded-Host").filter(|host| crate::proto::h1::is_host(host)).map(Cow::Borrowed)
        };
        said.or_else(|| req.host().map(Cow::Borrowed))
    }

    fn believes(&self, address: IpAddr) -> bool {
        self.networks.iter().any(|network| network.has(address))
    }

    fn believes_peer(&self, req: &Request) -> bool {
        match req.remote_addr() {
            Some(Address::Ip(address)) => self.believes(address.ip()),
            Some(_) => self.unix,
            None => false,
        }
    }

    /// Who has sent the request to each proxy, as these say it; the nearest proxy is the last one to say it.
    fn senders(&self, req: &Request) -> Vec<Option<IpAddr>> {
        if self.forwarded {
            return req.header_all("Forwarded").flat_map(hops).map(|hop| hop.sender).collect();
        }
        let fields = req.header_all("X-Forwarded-For").flat_map(|field| field.split(','));
        fields.map(str::trim_ascii).filter(|text| !text.is_empty()).map(address).collect()
    }

    /// What the nearest proxy says.
    fn nearest<'r>(&self, req: &'r Request) -> Option<Hop<'r>> {
        req.header_all("Forwarded").flat_map(hops).last()
    }
}

/// The last element of a list, which the nearest proxy has written.
fn last<'r>(req: &'r Request, name: &'static str) -> Option<&'r str> {
    req.header_all(name).last()?.rsplit(',').next().map(str::trim_ascii)
}

/// A text that is neither an address nor a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustError(String);

impl fmt::Display for TrustError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:?} is neither an address (192.0.2.1) nor a network (10.0.0.0/8)", self.0)
    }
}

impl std::error::Error for TrustError {}
