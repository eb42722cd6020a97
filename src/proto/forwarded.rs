//! What proxies say of the request that they pass on: `Forwarded` (RFC 7239), and the older `X-Forwarded-For`.

use super::h1::is_host;
use super::parameters::{Parameters, Value, elements, token};
use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// One proxy's words: an element of `Forwarded`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hop<'a> {
    /// `for`: who has sent the request to that proxy.
    pub sender: Option<IpAddr>,
    /// `proto`: the scheme by which it was sent.
    pub scheme: Option<Scheme>,
    /// `host`: the host and port that it was sent to.
    pub host: Option<Cow<'a, str>>,
}

/// The scheme of a URL, as far as servers have to do with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// `http`: it can be read on its way.
    Http,
    /// `https`.
    Https,
}

impl Scheme {
    /// Reads a scheme; case does not count.
    pub fn read(text: &str) -> Option<Scheme> {
        if text.eq_ignore_ascii_case("https") {
            return Some(Scheme::Https);
        }
        text.eq_ignore_ascii_case("http").then_some(Scheme::Http)
    }
}

/// The hops of one `Forwarded` field, in order: the proxy nearest to the client comes first. An element that breaks the grammar, or
/// says something that is no address, no scheme or no host, is a hop that does not say it.
///
/// ```
/// use oneloop::proto::forwarded::{Scheme, hops};
///
/// let hops: Vec<_> = hops(r#"for="[2001:db8::1]:4711";proto=https, for=_hidden;host=a.example"#).collect();
/// assert_eq!((hops[0].sender, hops[0].scheme), (Some("2001:db8::1".parse().unwrap()), Some(Scheme::Https)));
/// assert_eq!((hops[1].sender, hops[1].host.as_deref()), (None, Some("a.example")));
/// ```
pub fn hops(field: &str) -> impl Iterator<Item = Hop<'_>> {
    elements(field).map(|element| hop(element).unwrap_or_default())
}

fn hop(element: &str) -> Option<Hop<'_>> {
    let (name, rest) = token(element)?;
    let (value, rest) = Value::read(rest.strip_prefix('=')?)?;
    let others = Parameters::read(rest)?;
    let find = |wanted: &str| if name.eq_ignore_ascii_case(wanted) { Some(value) } else { others.find(wanted) };
    Some(Hop {
        sender: find("for").and_then(|value| address(&value.text())),
        scheme: find("proto").and_then(|value| Scheme::read(&value.text())),
        host: find("host").map(Value::text).filter(|host| is_host(host)),
    })
}

/// Reads the address of a sender, which may have a port: `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]:80`. An IPv4 address
/// within an IPv6 one (`::ffff:192.0.2.1`) is the IPv4 address: else one client would have two addresses.
///
/// ```
/// use oneloop::proto::forwarded::address;
///
/// assert_eq!(address("::ffff:192.0.2.1"), address("192.0.2.1:4711"));
/// assert_eq!(address("unknown"), None);
/// ```
pub fn address(text: &str) -> Option<IpAddr> {
    let bare = || text.parse::<IpAddr>().ok();
    let with_port = || text.parse::<SocketAddr>().ok().map(|address| address.ip());
    let in_brackets = || text.strip_prefix('[')?.strip_suffix(']')?.parse::<Ipv6Addr>().ok().map(IpAddr::V6);
    bare().or_else(with_port).or_else(in_brackets).map(|address| address.to_canonical())
}

/// A set of addresses with the same beginning: `10.0.0.0/8`, or a single address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    base: IpAddr,
    /// How many bits of an address must be those of `base`.
    bits: u32,
}

impl Network {
    /// A network of addresses whose first so many bits are those of `base`.
    pub(crate) const fn v4(base: Ipv4Addr, bits: u32) -> Network {
        Network { base: IpAddr::V4(base), bits }
    }

    /// A network of IPv6 addresses.
    pub(crate) const fn v6(base: Ipv6Addr, bits: u32) -> Network {
        Network { base: IpAddr::V6(base), bits }
    }

    /// Reads an address with `/` and a number of bits, or an address alone. `None` if it is neither.
    ///
    /// ```
    /// use oneloop::proto::forwarded::Network;
    ///
    /// let network = Network::read("10.0.0.0/8").unwrap();
    /// assert!(network.has("10.1.2.3".parse().unwrap()) && !network.has("11.0.0.1".parse().unwrap()));
    /// assert!(Network::read("10.0.0.0/33").is_none());
    /// ```
    pub fn read(text: &str) -> Option<Network> {
        let (base, bits) = match text.split_once('/') {
            Some((base, bits)) => (base, Some(bits)),
            None => (text, None),
        };
        let given: IpAddr = base.parse().ok()?;
        let base = given.to_canonical();
        let most = if base.is_ipv4() { 32 } else { 128 };
        // Of an IPv4 address within an IPv6 one, 96 bits are the same for all.
        let before = if given != base { 96 } else { 0 };
        let bits = match bits {
            None => most,
            Some(bits) if bits.bytes().all(|byte| byte.is_ascii_digit()) => {
                bits.parse::<u32>().ok()?.checked_sub(before)?
            }
            Some(_) => return None,
        };
        (bits <= most).then_some(Network { base, bits })
    }

    /// Returns whether an address is in the network. An IPv4 address is in no IPv6 network.
    pub fn has(&self, address: IpAddr) -> bool {
        let differs = match (self.base, address.to_canonical()) {
            (IpAddr::V4(base), IpAddr::V4(address)) => (base.to_bits() ^ address.to_bits()).leading_zeros(),
            (IpAddr::V6(base), IpAddr::V6(address)) => (base.to_bits() ^ address.to_bits()).leading_zeros(),
            _ => return false,
        };
        differs >= self.bits
    }
}
