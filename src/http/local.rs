use super::request::Request;
use crate::proto::authority::split_port;

/// Fields that a proxy adds. A request that has one comes from another machine, even if its peer address is local.
const FORWARDED: &[&str] = &["forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-real-ip"];

/// Returns whether this request was made on this machine, for this machine: its peer has a loopback address, the host that
/// it asks for is `localhost` or a loopback address (with any port), and no proxy says that it passed the request on.
///
/// The host is checked because a web site may let its own name resolve to a loopback address. A browser then takes the
/// server for that site, but still sends the site's name. A proxy on this machine that adds none of its fields and sends
/// `localhost` as the host looks like a local client: keep such a proxy from the page by its own rules.
pub fn is_local(req: &Request) -> bool {
    let peer = req.remote_addr().and_then(|address| address.ip());
    peer.is_some_and(|ip| ip.is_loopback())
        && req.host().is_some_and(names_loopback)
        && FORWARDED.iter().all(|name| req.header_bytes(name).is_none())
}

fn names_loopback(host: &str) -> bool {
    let (name, _) = split_port(host);
    let v6 = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<std::net::Ipv4Addr>().is_ok_and(|ip| ip.is_loopback())
        || v6.and_then(|name| name.parse::<std::net::Ipv6Addr>().ok()).is_some_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::names_loopback;

    #[test]
    fn loopback_hosts_are_known_by_name_and_by_address_whatever_their_port() {
        for host in ["localhost", "LocalHost:1", "127.0.0.1", "127.1.2.3:7777", "[::1]", "[::1]:80", "localhost:"] {
            assert!(names_loopback(host), "{host}");
        }
        let others = [
            "",
            "example.com",
            "localhost.example.com",
            "127.0.0.1.example.com",
            "128.0.0.1",
            "0.0.0.0",
            "::1",
            "[::2]",
            "10.0.0.1:80",
        ];
        for host in others {
            assert!(!names_loopback(host), "{host}");
        }
    }
}
