//! Which proxies are believed, and the facts about a request that they state.

use crate::http::Exchange;
use crate::net::Address;
use crate::proto::forwarded::{Hop, Network, Scheme, address, hops};
use crate::proto::h1::is_host;
use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Which proxies you believe: the setting of [`App::trust`](super::App::trust). A proxy in front of your server is the peer of all
/// connections; it says in fields of the request who its client is. Anybody can send such fields, so they count only if they come
/// from a proxy that you know, by its address.
///
/// The fields are `X-Forwarded-For`, `X-Forwarded-Proto` and `X-Forwarded-Host`, unless you choose
/// [`Forwarded`](Trust::by_forwarded) (RFC 7239). The library never reads both: a proxy that sets one of them passes the other on
/// as its client has sent it.
///
/// The client's address is searched from the end of the list, where the nearest proxy has written: addresses of your proxies are
/// skipped, and the first other address is the client's. You cannot set a number of proxies instead (Express's `trust proxy: 1`),
/// since a client that reaches the server past a proxy could then say anything. Scheme and host count only if the connection's
/// other end itself is a proxy that you believe.
///
/// ```
/// # let sim = oneloop::sim::Sim::new();
/// use oneloop::app::{App, Trust};
///
/// let mut app = App::new();
/// app.trust(Trust::networks(["10.0.0.0/8"])?);
/// app.get("/", |req, res| match req.ip() {
///     Some(ip) => res.end(format!("you are {ip}\n")),
///     None => res.end("who are you?\n"),
/// });
/// # app.listen(80, ()).unwrap();
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
    /// use oneloop::app::{App, Trust};
    ///
    /// let mut app = App::new();
    /// app.trust(Trust::nobody()); // as it is without this line
    /// app.get("/", |req, res| res.end(req.protocol()));
    /// # app.listen(80, ()).unwrap();
    /// assert_eq!(sim.request("GET", "/").header("X-Forwarded-Proto", "https").send().text(), "http");
    /// ```
    pub fn nobody() -> Trust {
        Trust::default()
    }

    /// Believes proxies on this machine: 127.0.0.0/8 and ::1.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// use oneloop::app::{App, Trust};
    ///
    /// let mut app = App::new();
    /// app.trust(Trust::loopback());
    /// app.get("/", |req, res| res.end(req.protocol()));
    /// # app.listen(80, ()).unwrap();
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
    /// use oneloop::app::{App, Trust};
    ///
    /// let mut app = App::new();
    /// app.trust(Trust::private());
    /// app.get("/", |req, res| res.end(req.host().unwrap_or_default()));
    /// # app.listen(80, ()).unwrap();
    /// let proxy = sim.connect_from("192.168.0.2:4711".parse().unwrap(), 80);
    /// assert_eq!(sim.request("GET", "/").header("X-Forwarded-Host", "a.example").on(&proxy).send().text(), "a.example");
    /// ```
    pub fn private() -> Trust {
        Trust { networks: [&LOOPBACK[..], &PRIVATE[..]].concat(), ..Trust::default() }
    }

    /// Believes proxies in these networks, each an address, or an address with a number of bits.
    ///
    /// # Errors
    /// If one of the texts is neither an address nor a network.
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

    /// Believes every peer that connects by a Unix socket, too. The permissions of the socket's path decide which programs can
    /// connect.
    ///
    /// ```
    /// use oneloop::app::{App, Trust};
    ///
    /// let mut app = App::new();
    /// app.trust(Trust::nobody().and_unix());
    /// app.get("/", |req, res| res.end(format!("{:?}", req.ip())));
    /// ```
    pub fn and_unix(self) -> Trust {
        Trust { unix: true, ..self }
    }

    /// Reads what proxies say in `Forwarded`, and no `X-Forwarded-…` field.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// use oneloop::app::{App, Trust};
    ///
    /// let mut app = App::new();
    /// app.trust(Trust::loopback().by_forwarded());
    /// app.get("/", |req, res| res.end(format!("{:?}", req.ip().unwrap())));
    /// # app.listen(80, ()).unwrap();
    /// let proxy = sim.connect_from("[::1]:4711".parse().unwrap(), 80);
    /// let request = sim.request("GET", "/").header("Forwarded", "for=203.0.113.9;proto=https");
    /// assert_eq!(request.on(&proxy).send().text(), "203.0.113.9");
    /// ```
    pub fn by_forwarded(self) -> Trust {
        Trust { forwarded: true, ..self }
    }

    /// Returns whether no proxy is believed: then nothing that the request says needs to be looked at.
    fn is_nobody(&self) -> bool {
        self.networks.is_empty() && !self.unix
    }

    fn believes(&self, address: IpAddr) -> bool {
        self.networks.iter().any(|network| network.has(address))
    }

    /// Returns whether this peer of a connection is a proxy that is believed.
    pub(super) fn believes_peer(&self, peer: Option<&Address>) -> bool {
        match peer {
            Some(Address::Ip(address)) => self.believes(address.ip()),
            Some(_) => self.unix,
            None => false,
        }
    }

    /// The client's address.
    pub(super) fn client(&self, exchange: &Exchange, peer: Option<&Address>) -> Option<IpAddr> {
        if self.is_nobody() { address_of(peer) } else { self.way(exchange, peer).pop() }
    }

    /// The addresses by which the request has come: the peer's first, the client's last.
    pub(super) fn way(&self, exchange: &Exchange, peer: Option<&Address>) -> Vec<IpAddr> {
        let mut way: Vec<_> = address_of(peer).into_iter().collect();
        if self.believes_peer(peer) {
            for sender in self.senders(exchange).into_iter().rev() {
                let Some(sender) = sender else { break };
                way.push(sender);
                if !self.believes(sender) {
                    break;
                }
            }
        }
        way
    }

    /// Returns whether the peer, as a proxy that is believed, says that the request has come by `https`.
    pub(super) fn is_secure(&self, exchange: &Exchange) -> bool {
        if self.is_nobody() || !self.believes_peer(exchange.peer().as_ref()) {
            return false;
        }
        let scheme = match self.forwarded {
            true => nearest(exchange).and_then(|hop| hop.scheme),
            false => last(exchange, "X-Forwarded-Proto").and_then(Scheme::read),
        };
        scheme == Some(Scheme::Https)
    }

    /// The host that the peer says, if it is a proxy that is believed; else the request's own.
    pub(super) fn host<'e>(&self, exchange: &'e Exchange) -> Option<&'e str> {
        let own = exchange.head().host();
        if self.is_nobody() || !self.believes_peer(exchange.peer().as_ref()) {
            return own;
        }
        let said = match self.forwarded {
            true => nearest(exchange).and_then(|hop| hop.host),
            false => last(exchange, "X-Forwarded-Host").filter(|host| is_host(host)).map(Cow::Borrowed),
        };
        match said {
            Some(Cow::Borrowed(host)) => Some(host),
            // A host that is written with backslashes is ignored: no honest proxy sends one.
            Some(Cow::Owned(_)) | None => own,
        }
    }

    /// Who has sent the request to each proxy, as these say it; the nearest proxy is the last one to say it.
    fn senders(&self, exchange: &Exchange) -> Vec<Option<IpAddr>> {
        if self.forwarded {
            let lines = exchange.head().fields().get_all_bytes("Forwarded").map(String::from_utf8_lossy);
            return lines.flat_map(|line| hops(&line).map(|hop| hop.sender).collect::<Vec<_>>()).collect();
        }
        let elements = exchange.head().fields().elements("X-Forwarded-For");
        elements.map(|element| address(str::from_utf8(element).ok()?)).collect()
    }
}

/// The address of the connection's other end. An IPv4 address within an IPv6 one is the IPv4 address.
fn address_of(peer: Option<&Address>) -> Option<IpAddr> {
    peer.and_then(Address::ip).map(|ip| ip.to_canonical())
}

/// What the nearest proxy says in `Forwarded`.
fn nearest(exchange: &Exchange) -> Option<Hop<'_>> {
    hops(last_line(exchange, "Forwarded")?).last()
}

/// The last element of a list, which the nearest proxy has written.
fn last<'e>(exchange: &'e Exchange, name: &'static str) -> Option<&'e str> {
    last_line(exchange, name)?.rsplit(',').next().map(str::trim_ascii)
}

/// The last line of a field: the nearest proxy has written it, or the end of it. If it is not text it says nothing, and no line before it
/// is believed in its place: that one may be the client's own.
fn last_line<'e>(exchange: &'e Exchange, name: &'static str) -> Option<&'e str> {
    str::from_utf8(exchange.head().fields().get_all_bytes(name).last()?).ok()
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
