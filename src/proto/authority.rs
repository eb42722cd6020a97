//! Host and port, as a Host field, an authority and an origin name them.

/// Takes a host and its port apart. An IPv6 address keeps its brackets. There is no port if nothing, or nothing but a colon, follows the
/// host.
pub(crate) fn split_port(authority: &str) -> (&str, Option<&str>) {
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => {
            (host, Some(port).filter(|port| !port.is_empty()))
        }
        _ => (authority, None),
    }
}

#[cfg(test)]
mod tests {
    use super::split_port;

    #[test]
    fn a_port_is_the_digits_behind_the_last_colon() {
        for (authority, host, port) in [
            ("localhost", "localhost", None),
            ("localhost:80", "localhost", Some("80")),
            ("localhost:", "localhost", None),
            ("[::1]", "[::1]", None),
            ("[::1]:80", "[::1]", Some("80")),
            ("localhost:http", "localhost:http", None),
            (":80", "", Some("80")),
            ("", "", None),
        ] {
            assert_eq!(split_port(authority), (host, port), "{authority}");
        }
    }
}
